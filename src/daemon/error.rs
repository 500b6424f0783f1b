//! Errors of the daemon.

use crate::secure_fs::PrivateError;
use std::net::SocketAddr;
use std::path::PathBuf;

/// An error of the daemon.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The scheduler cannot be started.
    #[error("cannot start the scheduler: {0}")]
    Scheduler(#[from] tokio_cron_scheduler::JobSchedulerError),
    /// The scheduler would hang on a single-threaded runtime.
    #[error("the daemon needs a runtime with several threads")]
    OneThread,
    /// A signal handler cannot be installed.
    #[error("cannot listen to {signal}: {source}")]
    Signal {
        /// `SIGTERM`, `SIGINT`, `SIGHUP`.
        signal: &'static str,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// Other hosts could read the status page, and the configuration does not permit it.
    #[error("{0} can be reached by other hosts, and the status page requires no login")]
    NotLoopback(SocketAddr),
    /// The status page cannot be served there.
    #[error("cannot listen on {address}: {source}")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// The metrics cannot be encoded.
    #[error("cannot write the metrics: {0}")]
    Metrics(#[from] prometheus::Error),
    /// The metrics cannot be written to their file.
    #[error("cannot write the metrics to {}: {source}", path.display())]
    Textfile {
        /// The file.
        path: PathBuf,
        /// The reason.
        source: Box<PrivateError>,
    },
}
