//! The daemon: time passes, and what is due is run; who asks sees how it stands.
//!
//! The ledger decides what runs, never the time at which a wake arrives, so a late, lost or doubled wake does no
//! harm; SIGTERM and ctrl-c let what runs end; SIGHUP reloads, and a broken configuration leaves the last good one
//! in use; what asks over the network changes nothing and keeps no job waiting.

mod access_guard;
mod connections;
mod event_loop;
mod http;
pub mod metrics;
pub mod page;
mod signals;
mod status;
mod systemd;
pub mod textfile;
mod ticker;

pub use event_loop::{DaemonSettings, Tour, Worker, run};
pub use http::Door;
pub use signals::{hang_ups, stop_on_signals};
pub use status::{DaemonStatus, ListenPlace, StatusSource};
pub use systemd::{ServiceManager, ServiceNotifier, watchdog};
pub use ticker::Alarm;

use crate::jobs::Stop;
use crate::progress::Progress;
use crate::secure_fs::PrivateError;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

/// The daemon cannot begin, or cannot show what it has.
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
    /// Other hosts would see the status page, and nobody said that they may.
    #[error("{0} can be reached by other hosts, and the status page asks for no login")]
    NotLoopback(SocketAddr),
    /// The status page cannot be served there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The metrics cannot be put into words.
    #[error("cannot write the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The metrics cannot be written to their file.
    #[error("cannot write the metrics to {}: {source}", path.display())]
    Textfile {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: Box<PrivateError>,
    },
}

/// Runs what is due, until a signal or `stop` ends it; `stop` must be the one that the jobs of `shift` are given. What comes
/// through `door` is answered meanwhile, until the last job has ended.
pub async fn serve(
    shift: Arc<dyn Worker>,
    settings: DaemonSettings,
    stop: Stop,
    progress: &dyn Progress,
    door: Option<Door>,
) -> Result<Tour, DaemonError> {
    stop_on_signals(&stop)?;
    let reloads = hang_ups()?;
    let (mut alarm, wakes) = Alarm::set().await?;
    let page = door.map(|door| tokio::spawn(door.serve()));
    let tour = run(shift, wakes, reloads, settings, stop, progress, &ServiceManager).await;
    alarm.silence().await;
    if let Some(page) = page {
        page.abort();
    }
    Ok(tour)
}
