//! The words for where a value comes from, when that is neither a file nor a variable.
//!
//! One spelling.

/// The compiled-in `config/default.toml`.
pub const DEFAULT: &str = "default";

/// A flag of the command line.
pub const FLAG: &str = "flag";
