//! Errors of the library.
//!
//! A miss is not an error, and neither is a cache fault during a read.

use crate::app::AppError;
use crate::cache::CacheError;
use crate::config::ConfigError;
use crate::store::StoreError;

/// A fault of the cache or an invalid argument.
#[derive(Debug, thiserror::Error)]
pub enum LibraryError {
    /// The configuration is invalid.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The key is invalid.
    #[error(transparent)]
    Key(CacheError),
    /// The operation failed.
    #[error(transparent)]
    Cache(#[from] AppError),
    /// A value that cannot be serialized, or an entry of another type.
    #[error("the entry `{key}` is not of this type: {source}")]
    Value {
        /// The key.
        key: String,
        /// The reason.
        source: serde_json::Error,
    },
    /// An unknown word.
    #[error("`{word}` is not {what}; {hint}")]
    Word {
        /// The word.
        word: String,
        /// The expected kind of word.
        what: &'static str,
        /// The accepted words.
        hint: String,
    },
    /// The cache is disabled, so the entry cannot be changed.
    #[error("the cache is disabled by {by}: `{key}` was not changed")]
    Disabled {
        /// The key.
        key: String,
        /// The setting or user that disabled it.
        by: String,
    },
    /// A change in AWS that affects the key is in progress, or has just ended.
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
