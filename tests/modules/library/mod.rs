//! The library as a program uses it.
//!
//! Nothing touches the real home.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blocks;
mod many;
mod place;
mod rules;
