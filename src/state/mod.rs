//! What must outlive a process beside the cache: the switch, the tally, locks and `state.db`.
//!
//! Neighbours: `jobs/` keeps its ledger here, `alerts/` its outbox, `health/` reads the statistics. Promise: one
//! directory, private; the hit path touches the switch and the tally alone; a damaged `state.db` is set aside and
//! rebuilt, and that is said.

mod cold;
mod contact;
mod database;
mod directory;
mod error;
mod evidence;
mod fold;
mod locks;
mod record;
mod schema;
mod spare;
mod statistics;
mod switch;
mod tally;
mod trends;
mod window;

pub use contact::{add_throttles, failed_contact, note_contact, throttles_of_last_hour};
pub use database::Database;
pub use directory::{HitWindow, StateDir};
pub use error::StateError;
pub use evidence::{remove_aside, set_aside};
pub use fold::{Folded, examine, fold, peek};
pub use locks::{FileLock, Holder, holder, is_held};
pub use record::{LookupOutcome, cache_number};
pub use statistics::{Hour, LookupCounts, hours, lifetime, window};
pub use switch::{BreakerStatus, Disabled, PersistedBreaker, Switch, WritesMark};
pub use tally::Tally;
pub use trends::{CallCount, RunTotal, THROTTLED, UsageSample, call_totals, calls_since, run_totals, samples};
pub use trends::{add_calls, add_sample};
pub use window::{begin_window, window_began};
