//! Errors of the daemon.

use crate::secure_fs::PrivateError;
use std::net::SocketAddr;
use std::path::PathBuf;

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
