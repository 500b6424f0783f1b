//! What can go wrong for a program that uses the cache.
//!
//! A miss is never one of them, and nor is a cache that does not work while something is read.

use crate::app::AppError;
use crate::cache::CacheError;
use crate::config::ConfigError;
use crate::store::StoreError;

/// A fault, or a use that cannot be.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The configuration of awsideman is not sound, or what was configured does not fit it.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A key that cannot be one.
    #[error(transparent)]
    Key(CacheError),
    /// The cache did not do what was asked of it.
    #[error(transparent)]
    Cache(#[from] AppError),
    /// A value that is no JSON, or an entry that is no such value.
    #[error("the entry `{key}` is not of this type: {source}")]
    Value {
        /// The key.
        key: String,
        /// What does not fit.
        source: serde_json::Error,
    },
    /// A word that is none of those that are understood.
    #[error("`{word}` is not {what}; {hint}")]
    Word {
        /// What was given.
        word: String,
        /// What it should have been.
        what: &'static str,
        /// What would be understood.
        hint: String,
    },
    /// The cache is disabled, and nothing can be changed in it.
    #[error("the cache is disabled by {by}: `{key}` was not changed")]
    Disabled {
        /// The key.
        key: String,
        /// Who disabled it.
        by: String,
    },
    /// A change of what the key stands for is under way, or has only just ended.
    #[error("a change of `{key}` in AWS is under way, nothing is stored for it; try again in a moment")]
    ChangeUnderWay {
        /// The key.
        key: String,
    },
}

impl From<StoreError> for LibraryError {
    fn from(error: StoreError) -> LibraryError {
        LibraryError::Cache(AppError::Cache(error.into()))
    }
}
