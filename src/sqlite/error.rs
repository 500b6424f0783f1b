//! The faults of a database, and what kind each is.

use super::{ErrorCode, StatementError, patience};
use crate::lock::Held;
use crate::secure_fs::PrivateError;
use rusqlite::ffi;
use std::path::{Path, PathBuf};

/// The fault of a database.
#[derive(Debug, thiserror::Error)]
pub enum SqliteError {
    /// Another process has it.
    #[error("{0}")]
    Busy(Box<Held>),
    /// `SQLite` says no.
    #[error("the database {}: {source}", path.display())]
    Database {
        /// Its file.
        path: PathBuf,
        /// `SQLite`'s reason.
        source: StatementError,
    },
    /// A later awsideman made it.
    #[error("{} was made by a newer awsideman (schema {found}, this one knows {known})", path.display())]
    Newer {
        /// Its file.
        path: PathBuf,
        /// The schema number in it.
        found: i32,
        /// The schema number of this binary.
        known: i32,
    },
    /// An earlier awsideman made it, and nothing can bring it forward.
    #[error("{} has schema {found}, this awsideman knows {known}", path.display())]
    Older {
        /// Its file.
        path: PathBuf,
        /// The schema number in it.
        found: i32,
        /// The schema number of this binary.
        known: i32,
    },
    /// Its file cannot be had.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The lock that guards its creation cannot be had.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

impl SqliteError {
    /// Whether waiting may help: busy, locked, full.
    pub fn is_temporary(&self) -> bool {
        self.is_busy() || self.is_full()
    }

    /// Whether another process held it for longer than was waited.
    pub fn is_busy(&self) -> bool {
        matches!(self, SqliteError::Busy(_))
    }

    /// Whether the file is not an intact database.
    pub fn is_damage(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
            || matches!(self, SqliteError::Older { .. })
    }

    /// Whether the disk has no room.
    pub fn is_full(&self) -> bool {
        self.code() == Some(ErrorCode::DiskFull) || self.is_cramped()
    }

    /// Whether there was not even room for the file by which readers and writers meet.
    pub fn is_cramped(&self) -> bool {
        let SqliteError::Database { source, .. } = self else { return false };
        source.sqlite_error().is_some_and(|error| error.extended_code == ffi::SQLITE_IOERR_SHMSIZE)
    }

    /// Its file.
    pub fn path(&self) -> Option<&Path> {
        match self {
            SqliteError::Busy(held) => Some(&held.path),
            SqliteError::Database { path, .. }
            | SqliteError::Newer { path, .. }
            | SqliteError::Older { path, .. }
            | SqliteError::Lock { path, .. }
            | SqliteError::Private(PrivateError::Io { path, .. }) => Some(path),
            SqliteError::Private(_) => None,
        }
    }

    /// Whether the operating system refused a write for another reason than a full disk.
    pub fn is_write_failure(&self) -> bool {
        let SqliteError::Database { source, .. } = self else { return false };
        let written = [ffi::SQLITE_IOERR_WRITE, ffi::SQLITE_IOERR_TRUNCATE];
        source.sqlite_error().is_some_and(|error| written.contains(&error.extended_code))
    }

    /// Whether this user may not write it.
    pub fn is_read_only(&self) -> bool {
        match self {
            SqliteError::Private(error) => error.is_read_only(),
            _ => matches!(self.code(), Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied)),
        }
    }

    /// Whether a statement failed for want of room.
    pub fn is_full_statement(error: &StatementError) -> bool {
        error.sqlite_error_code() == Some(ErrorCode::DiskFull)
    }

    /// Whether a statement failed because another connection was in the way.
    pub fn is_busy_statement(error: &StatementError) -> bool {
        patience::is_busy(error)
    }

    pub(super) fn code(&self) -> Option<ErrorCode> {
        match self {
            SqliteError::Database { source, .. } => source.sqlite_error_code(),
            _ => None,
        }
    }
}
