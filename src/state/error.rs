//! What can go wrong with the state directory, and what to do about it.
//!
//! The hit path never fails because of one of these, and each that a user can fix has a [`StateError::hint`].

use crate::lock::Held;
use crate::secure_fs;
use crate::secure_fs::PrivateError;
use crate::sqlite::{ErrorCode, SqliteError, StatementError};
use std::io;
use std::path::{Path, PathBuf};

/// What can go wrong with the state directory.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory or a file in it is not as it must be.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// `state.db` says no.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// A statement on `state.db` failed.
    #[error("the state database: {0}")]
    Statement(#[from] StatementError),
    /// A file in the state directory could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `lock`, `append to`, `rename`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another process holds a lock for longer than we wait.
    #[error("{0}")]
    Busy(Box<Held>),
    /// The tally has reached its limit: lookups are no longer counted.
    #[error("{} is full: lookups are no longer counted", path.display())]
    TallyFull {
        /// The tally.
        path: PathBuf,
    },
}

impl StateError {
    /// What to do about it, as a sentence that follows the error; `None` when the error says it all.
    pub fn hint(&self) -> Option<String> {
        match self {
            StateError::Sqlite(SqliteError::Newer { .. }) => Some(
                "run the newer awsideman, or give this one its own directory (`state.dir`, AWSIDEMAN_STATE_DIR)".into(),
            ),
            StateError::Sqlite(error) if error.is_full() => Some("make room on its disk, then try again".into()),
            StateError::Busy(held) | StateError::Sqlite(SqliteError::Busy(held)) => Some(held.hint()),
            StateError::Sqlite(error) if error.is_temporary() => {
                Some("another awsideman is writing to it; try again in a moment".into())
            }
            StateError::Statement(_) if self.is_damage() => {
                Some("`awsideman cache recover` sets it aside and begins a new one".into())
            }
            StateError::TallyFull { .. } => Some("`awsideman cache cleanup` folds it into the statistics".into()),
            StateError::Private(PrivateError::ForeignOwner { owner, us: 0, .. }) => {
                Some(format!("run it as that user: `sudo -u '#{owner}' awsideman ...`"))
            }
            StateError::Private(PrivateError::ForeignOwner { .. } | PrivateError::WritableByOthers { .. }) => Some(
                "give the state directory back to its owner alone (mode 0700), or name another one with `state.dir`"
                    .into(),
            ),
            _ => None,
        }
    }

    /// Whether the disk has no room.
    pub fn is_full(&self) -> bool {
        match self {
            StateError::Private(error) => error.is_full(),
            StateError::Sqlite(error) => error.is_full(),
            StateError::Statement(error) => SqliteError::is_full_statement(error),
            StateError::Io { source, .. } => secure_fs::is_full(source),
            StateError::Busy { .. } | StateError::TallyFull { .. } => false,
        }
    }

    /// Whether `state.db` turned out not to be a sound database: [`super::Database::renew`] sets it aside.
    pub fn is_damage(&self) -> bool {
        match self {
            StateError::Sqlite(error) => error.is_damage(),
            StateError::Statement(error) => {
                matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            }
            _ => false,
        }
    }
}

/// Puts action and path to an error of the operating system's.
pub(super) fn io_error(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StateError {
    let path = path.to_owned();
    move |source| StateError::Io { action, path, source }
}
