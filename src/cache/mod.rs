//! Being built.
mod error;
pub use error::CacheError;
