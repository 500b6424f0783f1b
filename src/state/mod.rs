//! State that outlives a process, besides the cache: the kill switch, the lookup log, locks and `state.db`.
//!
//! One directory, private; the hit path touches the switch and the tally alone; a damaged `state.db` is set aside
//! and rebuilt, and that is said.

mod cold;
mod contact;
mod database;
mod directory;
mod error;
mod kill_switch;
mod locks;
mod lookup_log;
mod lookup_record;
mod quarantine;
mod rollup;
mod schema;
mod spare;
mod statistics;
mod time_series;
mod window;

pub use contact::{add_throttles, failed_contact, note_contact, throttles_of_last_hour};
pub use database::Database;
pub use directory::{HitWindow, StateDir};
pub use error::StateError;
pub use kill_switch::BreakerStatus;
pub use kill_switch::Disabled;
pub use kill_switch::PersistedBreaker;
pub use kill_switch::Switch;
pub use kill_switch::WritesMark;
pub use locks::{FileLock, Holder, holder, is_held};
pub use lookup_log::Tally;
pub use lookup_record::LookupOutcome;
pub use lookup_record::cache_number;
pub use quarantine::remove_aside;
pub use quarantine::set_aside;
pub use rollup::Folded;
pub use rollup::examine;
pub use rollup::fold;
pub use rollup::peek;
pub use statistics::{Hour, LookupCounts, hours, lifetime, window};
pub use time_series::CallCount;
pub use time_series::RunTotal;
pub use time_series::THROTTLED;
pub use time_series::UsageSample;
pub use time_series::add_calls;
pub use time_series::add_sample;
pub use time_series::call_totals;
pub use time_series::calls_since;
pub use time_series::run_totals;
pub use time_series::samples;
pub use window::{begin_window, window_began};
