//! What can keep the runner itself from working; a job's own failure is a `Report`.
//!
//! Every message says what to do or what to look at.

use crate::secure_fs::PrivateError;
use crate::sqlite::StatementError;
use crate::state::StateError;
use std::path::PathBuf;

/// The runner cannot work.
#[derive(Debug, thiserror::Error)]
pub enum JobError {
    /// Nobody knows a job of this name.
    #[error("there is no job `{name}`{}; the jobs are: {}", suggestion(.nearest.as_ref()), list(.known))]
    Unknown {
        /// As asked for.
        name: String,
        /// The known name that is most like it.
        nearest: Option<String>,
        /// All names.
        known: Vec<String>,
    },
    /// The ledger says no.
    #[error(transparent)]
    State(#[from] StateError),
    /// The directory of locks is not as it must be.
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
    /// Nobody knows a job of this name; the one among `known` that is most like it is offered.
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
