//! Test fixtures: jobs, ledgers and handlers.
//!
//! Only temporary directories are used. The clock shows 2026-06-01T12:00:00Z until a test moves it.

use crate::clock::{ManualClock, UnixMillis};
use crate::config::{AlertWhen, CatchUp, Job, JobKind, JobPing, Overlap, Retry, Schedule};
use crate::jobs::context::Context;
use crate::jobs::context::Slots;
use crate::jobs::handler::JobHandler;
use crate::jobs::handler::JobResult;
use crate::jobs::handler::Run;
use crate::jobs::ledger::End;
use crate::jobs::ledger::Ledger;
use crate::jobs::ledger::LedgerEntry;
use crate::jobs::outcome::RunOutcome;
use crate::jobs::outcome::RunReport;
use crate::jobs::stop::Stop;
use crate::model::Zone;
use crate::progress::NoProgress;
use crate::progress::Progress;
use crate::secure_fs::Access;
use crate::state::Database;
use async_trait::async_trait;
use chrono::{DateTime, SecondsFormat};
use croner::parser::{CronParser, Seconds};
use serde_json::Map;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;
use tempfile::TempDir;

pub(super) fn at(text: &str) -> UnixMillis {
    DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis()
}

pub(super) fn local(moment: UnixMillis, zone: &Zone) -> String {
    let moment = DateTime::from_timestamp_millis(moment).unwrap();
    moment.with_timezone(zone).to_rfc3339_opts(SecondsFormat::Secs, false)
}

pub(super) fn cron(text: &str, timezone: Option<Zone>) -> Schedule {
    let cron = CronParser::builder().seconds(Seconds::Optional).build().parse(text).unwrap();
    Schedule::Cron { text: text.to_owned(), cron: Box::new(cron), timezone }
}

/// An hourly cleanup with a timeout of one minute and one attempt.
pub(super) fn job(name: &str) -> Job {
    Job {
        name: name.to_owned(),
        origin: format!("jobs/{name}.toml"),
        description: String::new(),
        enabled: true,
        kind: JobKind::Cleanup,
        schedule: cron("0 * * * *", None),
        jitter: Duration::ZERO,
        timeout: Duration::from_secs(60),
        overlap: Overlap::Forbid,
        catch_up: CatchUp::Latest,
        start_deadline: Duration::ZERO,
        retry: Retry { attempts: 1, delay: Duration::from_secs(1) },
        alert: AlertWhen::OnChange,
        profiles: Vec::new(),
        ping: JobPing::default(),
    }
}

pub(super) fn report(exit: u8) -> RunReport {
    RunReport {
        job: "a".into(),
        kind: "cleanup".into(),
        profile: None,
        outcome: if exit == 0 { RunOutcome::Done } else { RunOutcome::Failed },
        reason: String::new(),
        took_ms: 0,
        calls: 0,
        scheduled_at: None,
        started_at: 0,
        attempt: 1,
        exit,
        retryable: false,
        findings: Vec::new(),
        detail: Map::new(),
    }
}

pub(super) fn ledger() -> (TempDir, Ledger) {
    let root = tempfile::tempdir().unwrap();
    let (database, _) = Database::open(&root.path().join("state"), Access::Owner, Duration::from_secs(5), 0).unwrap();
    (root, Ledger::new(Arc::new(Mutex::new(database))))
}

pub(super) fn entry(job: &str, at: UnixMillis) -> LedgerEntry<'_> {
    LedgerEntry { job, profile: "", kind: "cleanup", scheduled_at: None, at, reference: None, host: "here" }
}

pub(super) fn end(outcome: RunOutcome, reason: &str) -> End<'_> {
    static NOTHING: LazyLock<Map<String, serde_json::Value>> = LazyLock::new(Map::new);
    End { at: 50, outcome, reason, exit: 0, took_ms: 5, calls: 2, attempt: 1, detail: &NOTHING }
}

pub(super) type Doing = Pin<Box<dyn Future<Output = JobResult> + Send>>;

/// The arguments of one call of `perform`.
#[derive(Clone)]
pub(super) struct RecordedCall {
    pub(super) job: String,
    pub(super) run: Run,
    pub(super) stop: Stop,
}

pub(super) fn work_of(reason: &str) -> Doing {
    let work = JobResult::done(reason);
    Box::pin(async move { work })
}

struct Acting<F> {
    act: F,
    given: Arc<Mutex<Vec<RecordedCall>>>,
}

#[async_trait]
impl<F: Fn(&RecordedCall) -> Doing + Send + Sync> JobHandler for Acting<F> {
    async fn perform(&self, job: &Job, run: &Run, _: &dyn Progress, stop: &Stop) -> JobResult {
        let given = RecordedCall { job: job.name.clone(), run: run.clone(), stop: stop.clone() };
        // The stop holds the lock of the job, so the recorded call must not keep it.
        self.given.lock().unwrap().push(RecordedCall { stop: Stop::new(), ..given.clone() });
        (self.act)(&given).await
    }
}

/// A state directory, a clock and handlers that follow the test.
pub(super) struct RunnerFixture {
    pub(super) context: Context,
    pub(super) clock: Arc<ManualClock>,
    given: Arc<Mutex<Vec<RecordedCall>>>,
    _root: TempDir,
}

impl RunnerFixture {
    pub(super) fn new(act: impl Fn(&RecordedCall) -> Doing + Send + Sync + 'static) -> RunnerFixture {
        let (root, ledger) = ledger();
        let clock = Arc::new(ManualClock::at(at("2026-06-01T12:00:00Z")));
        let given = Arc::new(Mutex::new(Vec::new()));
        let context = Context {
            state_dir: root.path().join("state"),
            access: Access::Owner,
            ledger,
            clock: Arc::clone(&clock) as _,
            zone: Zone::UTC,
            host: "here".into(),
            handler: Arc::new(Acting { act, given: Arc::clone(&given) }),
            slots: Slots::new(2),
            wait: false,
            keep: 50,
            grace: Duration::from_secs(10),
            progress: Arc::new(NoProgress),
            stop: Stop::new(),
        };
        RunnerFixture { context, clock, given, _root: root }
    }

    /// The calls so far, in order.
    pub(super) fn given(&self) -> Vec<RecordedCall> {
        self.given.lock().unwrap().clone()
    }

    /// The names of the jobs so far.
    pub(super) fn names(&self) -> Vec<String> {
        self.given().into_iter().map(|given| given.job).collect()
    }

    /// A second runner on the same state directory.
    pub(super) fn rival(&self) -> Context {
        let context = &self.context;
        Context {
            state_dir: context.state_dir.clone(),
            ledger: context.ledger.clone(),
            clock: Arc::clone(&context.clock),
            host: context.host.clone(),
            handler: Arc::clone(&context.handler),
            slots: Slots::new(2),
            progress: Arc::clone(&context.progress),
            stop: context.stop.clone(),
            zone: context.zone.clone(),
            ..*context
        }
    }
}
