//! How the daemon itself stands: what it alone knows beside the overview.
//!
//! Looking waits for no job.

use crate::app::{DashboardProblem, Overview};
use crate::clock::{self, UnixMillis};
use crate::health::Level;
use crate::model::Invocation;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;

/// How the daemon stands.
#[derive(Debug, Clone, Default, Serialize)]
pub struct DaemonStatus {
    /// When it began.
    #[serde(serialize_with = "clock::serialize")]
    pub started_at: UnixMillis,
    /// Looks at the ledger so far.
    pub passes: u64,
    /// Why the configuration on disk is not the one in use.
    pub refused: Option<String>,
    /// The jobs whose files are broken and whose last good version is in use.
    pub kept_jobs: Vec<String>,
    /// What is wrong with each broken job file, whether a good version of its job is in use or not.
    pub broken_job_files: Vec<String>,
    /// The flags of the commands to type.
    #[serde(skip)]
    pub invocation: Invocation,
    /// Whether it was told to end and waits for what runs.
    pub ending: bool,
}

impl DaemonStatus {
    /// What is wrong with the daemon itself.
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

/// What the page looks at.
pub trait StatusSource: Send + Sync {
    /// Everything there is to see, as far back as `depth`. May wait for the disk.
    fn overview(&self, depth: Duration) -> Overview;
    /// How the daemon stands.
    fn standing(&self) -> DaemonStatus;
    /// Why no job could be run now. May wait for the disk.
    fn not_ready(&self) -> Option<String>;
}

/// Where the page is served, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenPlace {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether other hosts may ask.
    pub remote: bool,
    /// Names for the Host header in addition to its own address and `localhost`: `name` or `name:port`.
    pub hosts: Vec<String>,
}
