//! What can go wrong with the cache that its user must hear of.
//!
//! Neighbours: most store faults end in `cache/` as a miss and a count; these are the others. Promise: a command
//! that reads from AWS never fails because of one of these, the cache's own commands do.

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
    /// AWS was changed and the cache could not be told.
    #[error("AWS was changed; the cache does not know: {0}")]
    NotInvalidated(StoreError),
}
