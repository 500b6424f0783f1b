//! What each command does, one family a file.
//!
//! A command takes its arguments and the printer, and gives back nothing or a failure; it neither prints by itself
//! nor ends the process.

pub mod alerts;
pub mod assignments;
pub mod cache;
mod changes;
mod columns;
pub mod config;
pub mod directory;
pub mod doctor;
pub mod info;
pub mod jobs;
pub mod journal;
pub mod meta;
mod reader;
pub mod sandbox;
