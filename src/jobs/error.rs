//! Errors of the runner itself. A job's own failure is a [`crate::jobs::RunReport`].

use crate::secure_fs::PrivateError;
use crate::sqlite::StatementError;
use crate::state::StateError;
use std::path::PathBuf;

/// The runner cannot work.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// No job has this name.
    #[error("no job is named `{name}`{}; the jobs are: {}", suggestion(.nearest.as_ref()), list(.known))]
    Unknown {
        /// The requested name.
        name: String,
        /// The most similar known name.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The ledger cannot be read or written.
    #[error(transparent)]
    State(#[from] StateError),
    /// The directory of locks has wrong permissions.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// A lock file cannot be locked or written.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

impl JobError {
    /// The error for an unknown name, with the most similar one of `known`.
    pub fn unknown(name: &str, known: Vec<String>) -> JobError {
        let alike = |other: &&String| strsim::jaro_winkler(name, other);
        let nearest = known.iter().filter(|known| alike(known) > 0.7).max_by(|a, b| alike(a).total_cmp(&alike(b)));
        JobError::Unknown { name: name.to_owned(), nearest: nearest.cloned(), known }
    }
}

impl From<StatementError> for JobError {
    fn from(error: StatementError) -> Self {
        JobError::State(StateError::Statement(error))
    }
}

fn suggestion(name: Option<&String>) -> String {
    name.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}

fn list(names: &[String]) -> String {
    if names.is_empty() { "none".to_owned() } else { names.join(", ") }
}
