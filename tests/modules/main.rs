//! The guarantees of modules through their Rust interface: store, cache, gateway, library, configuration, jobs, daemon.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cache;
mod config;
mod daemon;
mod gateway;
mod glob;
mod jobs_time;
mod library;
mod store;
