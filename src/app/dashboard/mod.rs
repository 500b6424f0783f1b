//! Everything that there is to see, gathered once: the status page, its JSON, `/metrics` and the textfile show this.
//!
//! Gathering never fails and never hides: what could not be read is a problem with a command; counters only grow;
//! nothing is asked of AWS, no name of a person is in it.

mod history;
mod problems;

pub use history::CallsReport;
pub use history::HourReport;
pub use history::Lookups;
pub use history::SampleReport;
pub use history::UsageHistory;
pub use problems::DashboardProblem;
pub use problems::OverallState;

use crate::alerts;
use crate::app::App;
use crate::app::Detail;
use crate::app::Status;
use crate::clock::{self, UnixMillis};
use crate::config::Job;
use crate::health::Finding;
use crate::host;
use crate::jobs::{self, JobRow, RunRow, Stop};
use crate::progress::NoProgress;
use crate::state::{Database, RunTotal};
use serde::Serialize;
use std::sync::Arc;
use std::time::Duration;

/// The version of the document.
const SCHEMA_VERSION: u32 = 1;
/// At most so many past runs are gathered.
const RUNS: u32 = 4_000;

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
    /// The most bytes that entries may hold; 0 is no limit.
    pub max_bytes: u64,
}

/// What the state directory had, as far as it could be read.
#[derive(Default)]
struct StateRead {
    jobs: Vec<JobRow>,
    runs: Vec<RunRow>,
    alerts: Vec<alerts::AlertStatus>,
    silences: Vec<alerts::Silence>,
    mails_waiting: u64,
    calls: CallsReport,
    history: UsageHistory,
    lookups: Vec<Lookups>,
    run_totals: Vec<RunTotal>,
}

impl App {
    /// Gathers everything; lookups and sizes reach back for `depth`. What commands tallied is folded first.
    pub fn overview(self: &Arc<App>, jobs: &[Job], depth: Duration) -> Overview {
        self.fold_tally();
        let now = self.clock().now();
        let measured = self.measure();
        let status = self.status(&measured, Detail { resources: true, ..Detail::default() }, None);
        let mut unread = Vec::new();
        let kept = self.kept(jobs, now - clock::millis(depth), now, &mut unread);
        let problems = problems::find(&measured, &kept, unread, self.invocation());
        Overview {
            schema_version: SCHEMA_VERSION,
            now,
            version: env!("CARGO_PKG_VERSION"),
            host: host::host_name(),
            verdict: OverallState::of(&problems),
            problems,
            status,
            limits: self.limits(),
            checks: self.copyable(measured.health.checks),
            jobs: kept.jobs,
            runs: kept.runs,
            alerts: kept.alerts,
            silences: kept.silences,
            mails_waiting: kept.mails_waiting,
            calls: kept.calls,
            history: kept.history,
            lookups: kept.lookups,
            run_totals: kept.run_totals,
        }
    }

    fn limits(&self) -> Limits {
        let health = &self.config().health;
        Limits {
            hit_rate_warn: health.hit_rate_warn,
            hit_rate_critical: health.hit_rate_critical,
            max_bytes: self.limit_bytes(),
        }
    }

    /// Why no job could be run now; nothing when one could.
    pub fn not_ready(self: &Arc<App>) -> Option<String> {
        self.job_context(Arc::new(NoProgress), Stop::new()).err().map(|error| error.to_string())
    }

    fn kept(self: &Arc<App>, jobs: &[Job], since: UnixMillis, now: UnixMillis, unread: &mut Vec<String>) -> StateRead {
        let mut kept = StateRead::default();
        let context = match self.job_context(Arc::new(NoProgress), Stop::new()) {
            Ok(context) => context,
            Err(error) => {
                unread.push(error.to_string());
                return kept;
            }
        };
        kept.jobs = or_say(jobs::list(jobs, &context), unread);
        kept.runs = or_say(context.ledger.history(None, RUNS), unread);
        match self.database() {
            Ok((mut database, _)) => self.fill(&mut kept, &mut database, since, now, unread),
            Err(error) => unread.push(error.to_string()),
        }
        kept
    }

    fn fill(
        &self,
        kept: &mut StateRead,
        database: &mut Database,
        since: UnixMillis,
        now: UnixMillis,
        unread: &mut Vec<String>,
    ) {
        let is_disabled = self.disabled().is_some();
        kept.alerts = or_say(alerts::statuses(database, &self.config().alerts, is_disabled, now), unread);
        kept.silences = or_say(alerts::silences(database, now), unread);
        kept.mails_waiting = or_say(alerts::waiting(database), unread);
        kept.calls = or_say(history::calls(database, now), unread);
        kept.history = or_say(history::history(database, self.cache_dir(), since), unread);
        kept.lookups = or_say(history::lookups(database, self.cache_dir()), unread);
        kept.run_totals = or_say(crate::state::run_totals(database), unread);
    }
}

/// The value, or nothing and a sentence, each sentence once.
fn or_say<T: Default, E: std::fmt::Display>(found: Result<T, E>, unread: &mut Vec<String>) -> T {
    found.unwrap_or_else(|error| {
        let error = error.to_string();
        if !unread.contains(&error) {
            unread.push(error);
        }
        T::default()
    })
}
