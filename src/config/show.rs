//! What `config show` and `config init` print.
//!
//! Neighbours: `cli/` prints it, `load.rs` made it. Promise: every value is TOML that reads back, and nothing secret
//! is among them.

use super::keys::is_secret;
use super::load::Loaded;

/// A short file to begin with; everything in it is a comment, so it changes nothing until it is edited.
pub const STARTER: &str = include_str!("starter.toml");

/// One line of `config show`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// `cache.ttl."user:list"`
    pub key: String,
    /// The value as TOML; `***` for what is secret.
    pub value: String,
    /// `default`, a file's path, a variable's name, or `flag`.
    pub origin: String,
}

/// Every key that has a value, by name.
pub fn show(loaded: &Loaded) -> Vec<Shown> {
    let line = |(key, value): (&String, &toml::Value)| Shown {
        key: key.clone(),
        value: if is_secret(key) { "***".into() } else { value.to_string() },
        origin: loaded.origins.get(key).cloned().unwrap_or_default(),
    };
    loaded.values.iter().map(line).collect()
}
