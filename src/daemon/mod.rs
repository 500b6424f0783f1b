//! The daemon: time passes, and what is due is run.
//!
//! Neighbours: `app.rs` is its [`Shift`] (one pass of `jobs::run`, one reload), `cli/` calls [`serve`]. Promise: the
//! ledger decides what runs, never the time at which a wake arrives, so a late, lost or doubled wake does no harm;
//! SIGTERM and ctrl-c let what runs end; SIGHUP reloads, and a broken configuration leaves the last good one in use.

mod alarm;
mod engine;
mod signals;

pub use alarm::Alarm;
pub use engine::{Settings, Shift, Tour, run};
pub use signals::{hang_ups, stop_on_signals};

use crate::jobs::Stop;
use crate::report::Progress;
use std::sync::Arc;

/// The daemon cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The scheduler that wakes it cannot be started.
    #[error("cannot start the scheduler: {0}")]
    Scheduler(#[from] tokio_cron_scheduler::JobSchedulerError),
    /// The scheduler would hang.
    #[error("the daemon needs a runtime with several threads")]
    OneThread,
    /// The signals of the operating system cannot be had.
    #[error("cannot listen to {signal}: {source}")]
    Signal {
        /// `SIGTERM`, `SIGINT`, `SIGHUP`.
        signal: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// Runs what is due, until a signal or `stop` ends it; `stop` must be the one that the jobs of `shift` are given.
pub async fn serve(
    shift: Arc<dyn Shift>,
    settings: Settings,
    stop: Stop,
    progress: &dyn Progress,
) -> Result<Tour, DaemonError> {
    stop_on_signals(&stop)?;
    let reloads = hang_ups()?;
    let (mut alarm, wakes) = Alarm::set().await?;
    let tour = run(shift, wakes, reloads, settings, stop, progress).await;
    alarm.silence().await;
    Ok(tour)
}
