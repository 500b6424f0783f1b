//! What must outlive a process beside the cache: the switch, the tally, locks and `state.db`.
//!
//! Neighbours: `jobs/` keeps its ledger here, `alerts/` its outbox, `health/` reads the statistics. Promise: one
//! directory, private; a damaged `state.db` is set aside and rebuilt, and that is said.

mod database;
mod schema;

pub use database::{Database, StateError};
