//! What each command does, one family a file.
//!
//! Neighbours: `mod.rs` matches over the tree and calls them. Promise: a command takes its arguments and the printer, and
//! gives back nothing or a failure; it neither prints by itself nor ends the process.

mod ahead;
pub(super) mod alerts;
pub(super) mod assignments;
pub(super) mod cache;
mod cancel;
mod changes;
mod columns;
pub(super) mod config;
mod daemon;
pub(super) mod directory;
pub(super) mod doctor;
pub(super) mod info;
mod install;
pub(super) mod jobs;
pub(super) mod journal;
mod past;
mod pauses;
pub(super) mod program;
mod reading;
mod runs;
pub(super) mod sandbox;
mod warm;
