//! Jobs: when one is due, how it is run, and what is kept of it.
//!
//! The ledger alone decides what is due; a job and profile never run twice at once on one state directory, whoever
//! starts them; whatever a job does (fail, hang, panic), the others run and its outcome is recorded.

mod bounds;
mod cancel;
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
mod occurrence;
mod outcome;
mod overdue;
mod overlap;
mod partial;
mod profile_run;
mod queued;
mod report;
mod run_log;
mod runner;
mod stamp;
mod stop;
mod stuck;
mod unit_files;

#[cfg(test)]
mod testing;

pub use cancel::{Cancelled, cancel};
pub use daemon_unit::DAEMON;
pub use due::{Due, Missed, due, jitter_of};
pub use error::JobError;
pub use forecast::ForecastObserver;
pub use forecast::NextRun;
pub use forecast::Simulated;
pub use forecast::coming;
pub use forecast::simulate;
pub use handler::JobEnd;
pub use handler::JobHandler;
pub use handler::JobResult;
pub use handler::Run;
pub use history::RunRow;
pub use last::{LastRun, last_runs};
pub use ledger::{Ledger, LedgerRow, Pause};
pub use list::JobRow;
pub use list::PlannedRun;
pub use list::dry_run;
pub use list::list;
pub use live::{LiveRun, is_running, live};
pub use lock::{JobLock, LockHolder};
pub use occurrence::Occurrences;
pub use outcome::{RunOutcome, RunReport, exit_code};
pub use overdue::OverdueJob;
pub use overdue::late;
pub use partial::PartialRuns;
pub use report::MISCONFIGURED;
pub use report::misconfigured;
pub use runner::{Context, JobSelection, Slots, run};
pub use stop::Stop;
pub use stuck::{StuckRun, stuck};
pub use unit_files::For;
pub use unit_files::InstalledService;
pub use unit_files::SERVICE;
pub use unit_files::STANDARD_PATH;
pub use unit_files::ServiceFile;
pub use unit_files::USER;
pub use unit_files::longest;
pub use unit_files::user_units;
