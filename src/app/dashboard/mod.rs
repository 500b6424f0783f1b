//! Everything that there is to see, gathered once: the status page, its JSON, `/metrics` and the textfile show this.
//!
//! Gathering never fails and never hides: what could not be read is a problem with a command; counters only grow;
//! nothing is asked of AWS, no name of a person is in it.

mod history;
mod problems;
mod state_read;

pub use history::CallsReport;
pub use history::HourReport;
pub use history::Lookups;
pub use history::SampleReport;
pub use history::UsageHistory;
pub use problems::DashboardProblem;
pub use problems::OverallState;

use crate::alerts;
use crate::app::core::App;
use crate::app::health_inputs::HealthInputs;
use crate::app::job_pass::JobRunner;
use crate::app::limits::CacheLimits;
use crate::app::maintenance::Maintenance;
use crate::app::status::{Detail, Status, StatusReader};
use crate::clock::{self, UnixMillis};
use crate::config::Job;
use crate::health::Finding;
use crate::host;
use crate::jobs::{JobRow, RunRow, Stop};
use crate::model::Invocation;
use crate::progress::NoProgress;
use crate::state::RunTotal;
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The version of the document.
const SCHEMA_VERSION: u32 = 1;

/// All of it at one moment.
#[derive(Debug, Clone, Serialize)]
pub struct Overview {
    /// The version of this document.
    pub schema_version: u32,
    /// The moment.
    #[serde(rename = "generated_at", serialize_with = "clock::serialize")]
    pub now: UnixMillis,
    /// The version of awsideman.
    pub version: &'static str,
    /// The name of this host.
    pub host: String,
    /// All in one word.
    pub verdict: OverallState,
    /// What is wrong, the worst first, each with the command to type.
    pub problems: Vec<DashboardProblem>,
    /// The cache, by resource too.
    pub status: Status,
    /// What is judged against.
    pub limits: Limits,
    /// Every check of the cache, the fine ones too.
    pub checks: Vec<Finding>,
    /// Every job and profile.
    pub jobs: Vec<JobRow>,
    /// Past runs, as many as are kept, the newest first.
    pub runs: Vec<RunRow>,
    /// Every alert: what fires, what is about to, and what is silenced or follows from another.
    pub alerts: Vec<alerts::AlertStatus>,
    /// The silences that hold.
    pub silences: Vec<alerts::Silence>,
    /// Messages that could not leave yet.
    pub mails_waiting: u64,
    /// Calls to AWS.
    pub calls: CallsReport,
    /// Lookups and sizes over time.
    pub history: UsageHistory,
    /// Lookups by resource and outcome since they are counted.
    pub lookups: Vec<Lookups>,
    /// Runs by job, profile and outcome since they are counted.
    #[serde(skip)]
    pub run_totals: Vec<RunTotal>,
}

impl Overview {
    /// Adds problems that only the caller knows of.
    pub fn add_problems(&mut self, more: impl IntoIterator<Item = DashboardProblem>) {
        self.problems.extend(more);
        problems::sort(&mut self.problems);
        self.verdict = OverallState::of(&self.problems);
    }

    /// Leaves out what is older than `since`, and all but the newest `runs` runs.
    pub fn cut(&mut self, since: UnixMillis, runs: usize) {
        self.runs.retain(|run| run.started_at >= since);
        self.runs.truncate(runs);
        self.history.cut(since);
    }
}

/// What is judged against.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Limits {
    /// A hit rate below this, in percent, is worth a look.
    pub hit_rate_warn: f64,
    /// One below this is critical.
    pub hit_rate_critical: f64,
    /// Limit of the size of all entries in bytes; 0 is no limit.
    pub max_bytes: u64,
}

/// Gathers the data of the status page and `/metrics`.
pub struct Dashboard<'a> {
    app: &'a Arc<App>,
}

impl<'a> Dashboard<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a Arc<App>) -> Dashboard<'a> {
        Dashboard { app }
    }

    /// Gathers everything; lookups and sizes reach back for `depth`. What commands tallied is folded first.
    pub fn overview(&self, jobs: &[Job], depth: Duration) -> Overview {
        Maintenance::new(self.app).fold_lookups();
        let now = self.app.clock().now();
        let measured = HealthInputs::new(self.app).measure();
        let status =
            StatusReader::new(self.app).status(&measured, Detail { resources: true, ..Detail::default() }, None);
        let mut unread = Vec::new();
        let state = state_read::read_state(self.app, jobs, now - clock::millis(depth), now, &mut unread);
        let problems = problems::find(&measured, &state, unread, self.app.invocation());
        Overview {
            schema_version: SCHEMA_VERSION,
            now,
            version: env!("CARGO_PKG_VERSION"),
            host: host::host_name(),
            verdict: OverallState::of(&problems),
            problems,
            status,
            limits: self.limits(),
            checks: copyable(measured.health.checks, self.app.invocation()),
            jobs: state.jobs,
            runs: state.runs,
            alerts: state.alerts,
            silences: state.silences,
            mails_waiting: state.mails_waiting,
            calls: state.calls,
            history: state.history,
            lookups: state.lookups,
            run_totals: state.run_totals,
        }
    }

    fn limits(&self) -> Limits {
        let health = &self.app.config().health;
        Limits {
            hit_rate_warn: health.hit_rate_warn,
            hit_rate_critical: health.hit_rate_critical,
            max_bytes: CacheLimits::new(self.app).bytes(),
        }
    }

    /// Why no job could be run now; nothing when one could.
    pub fn not_ready(&self) -> Option<String> {
        JobRunner::new(self.app).context(Arc::new(NoProgress), Stop::new()).err().map(|error| error.to_string())
    }
}

/// These findings with the flags of the call in their commands.
fn copyable(mut findings: Vec<Finding>, call: &Invocation) -> Vec<Finding> {
    for finding in &mut findings {
        finding.hint = call.copyable(&finding.hint).into_owned();
    }
    findings
}
