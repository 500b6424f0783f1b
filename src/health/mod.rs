//! Being built.
mod finding;
pub use finding::{Finding, Level};
