//! Jobs: when one is due, how it is run, and what is kept of it.
//!
//! Neighbours: `config/` hands in checked jobs, `app.rs` brings the [`JobHandler`] that know what a warm or a cleanup does,
//! `cli/` and `daemon/` call [`run`], `alerts/` reads the [`RunReport`]s. Promise: the ledger alone decides what is due;
//! a job and profile never run twice at once on one state directory, whoever starts them; whatever a job does
//! (fail, hang, panic), the others run and its outcome is recorded.

mod ahead;
mod bounds;
mod cancel;
mod daemon_unit;
mod due;
mod error;
mod history;
mod last;
mod late;
mod ledger;
mod listing;
mod live;
mod lock;
mod minutes;
mod occurrence;
mod outcome;
mod overlap;
mod partial;
mod queued;
mod record;
mod runner;
mod service;
mod stamp;
mod stop;
mod stuck;
mod supervise;
mod unit;
mod work;

#[cfg(test)]
mod rehearsal;

pub use ahead::{ForecastObserver, NextRun, Simulated, coming, simulate};
pub use cancel::{Cancelled, cancel};
pub use daemon_unit::DAEMON;
pub use due::{Due, Missed, due, jitter_of};
pub use error::JobError;
pub use history::RunRow;
pub use last::{LastRun, last_runs};
pub use late::{OverdueJob, late};
pub use ledger::{Ledger, LedgerRow, Pause};
pub use listing::{JobRow, PlannedRun, dry_run, list};
pub use live::{LiveRun, is_running, live};
pub use lock::{JobLock, LockHolder};
pub use occurrence::Occurrences;
pub use outcome::{RunOutcome, RunReport, exit_code};
pub use partial::PartialRuns;
pub use record::{MISCONFIGURED, misconfigured};
pub use runner::{Context, JobSelection, Slots, run};
pub use service::{For, InstalledService, SERVICE, STANDARD_PATH, ServiceFile, USER, longest, user_units};
pub use stop::Stop;
pub use stuck::{StuckRun, stuck};
pub use work::{JobEnd, JobHandler, JobResult, Run};
