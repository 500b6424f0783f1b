//! Jobs: when one is due, how it runs, and the record of its runs.
//!
//! Guarantee: the ledger alone decides what is due. A job and profile never run twice at the same time on one state
//! directory. If a job fails, hangs or panics, the others run and its outcome is recorded.

mod bounds;
mod cancel;
mod context;
mod daemon_unit;
mod due;
mod error;
mod executor;
mod forecast;
mod handler;
mod history;
mod last;
mod ledger;
mod list;
mod live;
mod lock;
mod lock_path;
mod occurrence;
mod outcome;
mod overdue;
mod overlap;
mod partial;
mod profile_job;
mod profile_run;
mod queued;
mod report;
mod run_log;
mod runner;
mod stop;
mod stuck;
mod unit_files;

#[cfg(test)]
mod testing;

pub use cancel::{Cancelled, cancel};
pub use context::{Context, Slots};
pub use daemon_unit::DAEMON;
pub use due::{Due, Missed, due, jitter_of};
pub use error::JobError;
pub use forecast::{ForecastObserver, NextRun, Simulated, next_runs, simulate};
pub use handler::{JobEnd, JobHandler, JobResult, Run};
pub use history::RunRow;
pub use last::{LastRun, last_runs};
pub use ledger::{Ledger, LedgerRow, Pause};
pub use list::{JobRow, PlannedRun, dry_run, list};
pub use live::LiveRun;
pub use lock::{JobLock, LockHolder, is_running, live, stopped};
pub use occurrence::Occurrences;
pub use outcome::{RunOutcome, RunReport, exit_code};
pub use overdue::{OverdueJob, overdue};
pub use partial::PartialRuns;
pub use report::{MISCONFIGURED, misconfigured};
pub use runner::{JobSelection, run};
pub use stop::Stop;
pub use stuck::{StuckRun, stuck};
pub use unit_files::{For, InstalledService, SERVICE, STANDARD_PATH, ServiceFile, USER, longest, user_units};
