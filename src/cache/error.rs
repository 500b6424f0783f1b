//! What can go wrong with the cache that its user must hear of.
//!
//! A command that reads from AWS never fails because of one of these, the cache's own commands do.

use crate::store::StoreError;

/// A fault of the cache.
#[derive(Debug, thiserror::Error)]
pub enum CacheError {
    /// The backend failed.
    #[error("CacheBackendError: {0}")]
    Backend(#[from] StoreError),
    /// A key or pattern that cannot be one.
    #[error("`{key}` is not a cache key: {reason}")]
    BadKey {
        /// What was given.
        key: String,
        /// Why it is none.
        reason: String,
    },
    /// A file that is no archive of a cache, or none that this version can take.
    #[error("this is no archive that can be imported: {reason}")]
    ForeignArchive {
        /// Why not.
        reason: String,
    },
    /// A path that names a directory, a named pipe or a device.
    #[error("{} is not a regular file", path.display())]
    NoArchiveFile {
        /// The path.
        path: std::path::PathBuf,
    },
    /// A damaged archive.
    #[error("the archive is damaged: {reason}; nothing was imported")]
    DamagedArchive {
        /// What does not fit.
        reason: String,
    },
    /// An archive that cannot be read or written.
    #[error("cannot {action} the archive: {source}")]
    Archive {
        /// `read`, `write`.
        action: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// AWS was changed, and the invalidation could not be recorded.
    #[error("AWS was changed; the cache does not know: {0}")]
    NotInvalidated(StoreError),
}
