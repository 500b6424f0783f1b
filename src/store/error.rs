//! What can go wrong with bytes at rest.
//!
//! "not there" is never one of them, and [`StoreError::is_temporary`] alone decides about retries and the breaker.

use super::Address;
use crate::lock::Held;
use crate::secure_fs::PrivateError;
use crate::sqlite::SqliteError;
use std::path::PathBuf;

/// A fault of a backend.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A directory or file is not as it must be.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The database says no.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// Another process makes or drops a generation.
    #[error("{0}")]
    Busy(Box<Held>),
    /// A plain file could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `read`, `write`, `replace`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The directory is on a network file system, where `SQLite`'s shared memory does not work.
    #[error("{} is on a network file system ({kind}), which the disk backend cannot share safely", path.display())]
    NetworkFileSystem {
        /// The cache directory.
        path: PathBuf,
        /// `nfs`, `smb` ...
        kind: String,
    },
    /// The reader of an entry could not pass its bytes on.
    #[error("cannot write the answer: {0}")]
    Output(std::io::Error),
    /// The circuit breaker is open: the backend is not used until the next trial.
    #[error("the cache is left alone for now: its circuit breaker is OPEN")]
    BreakerOpen,
    /// The breaker is open for stores: reads go on, nothing is stored until that may be tried again.
    #[error("nothing is stored in the cache for now: its circuit breaker is OPEN for writes")]
    StoringPaused,
    /// The encryption key cannot be had or used; what is wrong with it, never a part of it.
    #[error("the encryption key cannot be used: {0}")]
    Key(String),
    /// An entry does not hold what its metadata says.
    #[error("the entry `{key}` is damaged: {reason}")]
    Damaged {
        /// Its key.
        key: String,
        /// What does not fit.
        reason: &'static str,
    },
}

/// What kind of fault keeps the store from answering a lookup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFault {
    /// The circuit breaker is open.
    BreakerOpen,
    /// The database is damaged.
    Damaged,
    /// Another process held it for too long.
    Busy,
    /// The disk is full.
    DiskFull,
    /// The encryption key cannot be used.
    Key,
    /// This user may not use it.
    Permission,
    /// Anything else.
    Other,
}

impl StoreError {
    /// The kind of fault that it is.
    pub fn fault(&self) -> StoreFault {
        match self {
            StoreError::BreakerOpen | StoreError::StoringPaused => StoreFault::BreakerOpen,
            StoreError::Key(_) => StoreFault::Key,
            StoreError::Private(error) if error.is_full() => StoreFault::DiskFull,
            StoreError::Private(_) => StoreFault::Permission,
            StoreError::Damaged { .. } => StoreFault::Damaged,
            StoreError::Sqlite(error) if error.is_damage() => StoreFault::Damaged,
            StoreError::Busy(_) => StoreFault::Busy,
            StoreError::Sqlite(error) if error.is_busy() => StoreFault::Busy,
            StoreError::Sqlite(error) if error.is_full() => StoreFault::DiskFull,
            StoreError::Sqlite(error) if error.is_read_only() => StoreFault::Permission,
            StoreError::Sqlite(_)
            | StoreError::Io { .. }
            | StoreError::NetworkFileSystem { .. }
            | StoreError::Output(_) => StoreFault::Other,
        }
    }

    /// The word for it in the log, after `CacheError`.
    pub fn kind(&self) -> &'static str {
        match self {
            StoreError::Damaged { .. } => "CacheCorruptionError",
            StoreError::BreakerOpen | StoreError::StoringPaused => "CacheCircuitOpen",
            StoreError::Output(_) => "CacheOutputError",
            StoreError::Private(_) => "CachePermissionError",
            StoreError::Key(_) => "CacheKeyError",
            StoreError::Sqlite(_)
            | StoreError::Busy(_)
            | StoreError::Io { .. }
            | StoreError::NetworkFileSystem { .. } => "CacheBackendError",
        }
    }

    /// One line of the log about it, with ids and no names: `CacheError CacheBackendError: ...`.
    pub fn log(&self) {
        match self {
            StoreError::Damaged { key, reason } => {
                let entry = Address { space: "", key }.id();
                let operation = key.split(':').take(2).collect::<Vec<_>>().join(":");
                tracing::warn!(
                    "CacheError {}: an entry of {operation} ({entry:016x}) is damaged: {reason}",
                    self.kind()
                );
            }
            // Logged once, where it was opened; a line for each skipped operation would hide that.
            StoreError::BreakerOpen | StoreError::StoringPaused | StoreError::Output(_) => {}
            other => tracing::warn!("CacheError {}: {other}", other.kind()),
        }
    }

    /// Whether the same operation may work a little later (a busy or full database).
    pub fn is_temporary(&self) -> bool {
        self.is_busy() || matches!(self, StoreError::Sqlite(error) if error.is_temporary())
    }

    /// Whether another process held the store for longer than anybody waits.
    pub fn is_busy(&self) -> bool {
        matches!(self, StoreError::Busy(_)) || matches!(self, StoreError::Sqlite(error) if error.is_busy())
    }

    /// Whether the backend as a whole does not hold what it should: `cache recover` is the remedy.
    pub fn is_damage(&self) -> bool {
        matches!(self, StoreError::Sqlite(error) if error.is_damage())
    }

    /// Whether this user may read but not write.
    pub fn is_read_only(&self) -> bool {
        match self {
            StoreError::Sqlite(error) => error.is_read_only(),
            StoreError::Private(error) => error.is_read_only(),
            _ => false,
        }
    }

    /// Whether the backend did its part, and one entry, the reader or the rights of this user are at fault. Such
    /// errors do not move the circuit breaker.
    pub fn is_harmless(&self) -> bool {
        matches!(
            self,
            StoreError::Damaged { .. }
                | StoreError::Output(_)
                | StoreError::BreakerOpen
                | StoreError::StoringPaused
                | StoreError::Key(_)
        ) || self.is_read_only()
    }
}
