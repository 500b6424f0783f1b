//! The library as a program uses it.
//!
//! Neighbours: `blocks.rs` has the twin of every Python block of the troubleshooting guide, `rules.rs` the promises of
//! `src/library/`, `many.rs` threads and processes, `place.rs` where they run. Promise: nothing touches the real home.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod blocks;
mod many;
mod place;
mod rules;
