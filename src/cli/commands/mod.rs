//! What each command does, one family a file.
//!
//! A command takes its arguments and the printer, and gives back nothing or a failure; it neither prints by itself
//! nor ends the process.

pub(super) mod alerts;
pub(super) mod assignments;
pub(super) mod cache;
mod changes;
mod columns;
pub(super) mod config;
pub(super) mod directory;
pub(super) mod doctor;
pub(super) mod info;
pub(super) mod jobs;
pub(super) mod journal;
pub(super) mod meta;
mod reader;
pub(super) mod sandbox;
