//! The status of the daemon itself, in addition to the overview.
//!
//! Reading it waits for no job.

use crate::app::{DashboardProblem, Overview};
use crate::clock::{self, UnixMillis};
use crate::health::Level;
use crate::model::Invocation;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;

/// The status of the daemon.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DaemonStatus {
    /// When it started.
    #[serde(serialize_with = "clock::serialize")]
    pub started_at: UnixMillis,
    /// The number of passes.
    pub passes: u64,
    /// The reason why the configuration on disk is not in use.
    pub refused: Option<String>,
    /// The jobs whose files are broken and whose last good version is in use.
    pub kept_jobs: Vec<String>,
    /// The problem of each broken job file, whether a good version of its job is in use or not.
    pub broken_job_files: Vec<String>,
    /// The flags of the commands to run.
    #[serde(skip)]
    pub invocation: Invocation,
    /// Whether it is shutting down and waits for running jobs.
    pub ending: bool,
}

impl DaemonStatus {
    /// The problems of the daemon itself.
    pub fn problems(&self) -> impl Iterator<Item = DashboardProblem> + '_ {
        let problem = |key: String, message: String, command: &str| DashboardProblem {
            key,
            level: Level::Warn,
            message,
            since: None,
            command: self.invocation.copyable(command).into_owned(),
        };
        let refused = self.refused.iter().map(move |refused| {
            let message = format!("The configuration on disk is broken, the last good one is in use: {refused}");
            problem("reload".into(), message, "awsideman config validate")
        });
        let kept = self.kept_jobs.iter().map(move |job| {
            let what = format!("the file of the job `{job}` is broken, its last good version is in use");
            let whole = self.broken_job_files.iter().find(|file| file.starts_with(&what)).unwrap_or(&what);
            let message = whole.replacen("the file", "The file", 1);
            problem(format!("job-file:{job}"), message, "awsideman jobs validate")
        });
        refused.chain(kept)
    }
}

/// The source of the status page.
pub trait StatusSource: Send + Sync {
    /// The overview, back to `depth`. May wait for the disk.
    fn overview(&self, depth: Duration) -> Overview;
    /// The status of the daemon.
    fn standing(&self) -> DaemonStatus;
    /// The reason why no job could run now. May wait for the disk.
    fn not_ready(&self) -> Option<String>;
}

/// The address and the permitted hosts of the status page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenPlace {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether other hosts may connect.
    pub remote: bool,
    /// Names for the Host header in addition to its own address and `localhost`: `name` or `name:port`.
    pub hosts: Vec<String>,
}
