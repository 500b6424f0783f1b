//! What a job does, seen from the runner.

use crate::clock::UnixMillis;
use crate::config::Job;
use crate::health::Finding;
use crate::jobs::outcome::RunReport;
use crate::jobs::stop::Stop;
use crate::progress::Progress;
use async_trait::async_trait;
use serde_json::{Map, Value};

/// Those who know what each kind of job does.
#[async_trait]
pub trait JobHandler: Send + Sync {
    /// Does the work of `job` once.
    async fn perform(&self, job: &Job, run: &Run, progress: &dyn Progress, stop: &Stop) -> JobResult;

    /// Is told that a run begins. The run waits for it: it must not take long.
    async fn begun(&self, _job: &Job, _run: &Run) {}

    /// Is told how a run ended, once its end is recorded. The pass waits for it: it must not take long.
    async fn ended(&self, _job: &Job, _report: &RunReport) {}
}

/// The circumstances of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// The occurrence, when it runs because it is due.
    pub scheduled_at: Option<UnixMillis>,
    /// 1, 2, ...
    pub attempt: u32,
    /// When it will be due again: what expires before is worth renewing now.
    pub next_due: Option<UnixMillis>,
}

/// How the work of a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// Done; the exit code may still report findings.
    Done,
    /// A part is done; the targets in [`JobResult::lost`] are not.
    Partial,
    /// There was a reason not to do it (the cache is disabled).
    Skipped,
    /// It failed, and trying again may help.
    FailedForNow,
    /// It failed, and somebody must act.
    Failed,
}

/// What came of the work of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct JobResult {
    /// How it ended.
    pub ending: JobEnd,
    /// What was done or why not, as one sentence.
    pub reason: String,
    /// The exit code that speaks of it.
    pub exit: u8,
    /// AWS calls it made.
    pub calls: u64,
    /// What it found.
    pub findings: Vec<Finding>,
    /// The targets that it lost, when it is partial.
    pub lost: Vec<String>,
    /// Figures of its kind, for JSON.
    pub detail: Map<String, Value>,
}

impl JobResult {
    /// It is done; `reason` says what was done.
    pub fn done(reason: impl Into<String>) -> Self {
        Self::new(JobEnd::Done, reason.into(), 0)
    }

    /// A part is done, and these targets are not; exit code 3.
    pub fn partial(reason: impl Into<String>, lost: Vec<String>) -> Self {
        Self { lost, ..Self::new(JobEnd::Partial, reason.into(), 3) }
    }

    /// There was a reason not to do it.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::new(JobEnd::Skipped, reason.into(), 0)
    }

    /// It failed for good with this exit code.
    pub fn failed(reason: impl Into<String>, exit: u8) -> Self {
        Self::new(JobEnd::Failed, reason.into(), exit.max(1))
    }

    /// It failed with this exit code, and trying again may help.
    pub fn failed_for_now(reason: impl Into<String>, exit: u8) -> Self {
        Self::new(JobEnd::FailedForNow, reason.into(), exit.max(1))
    }

    /// With this many AWS calls.
    #[must_use]
    pub fn with_calls(self, calls: u64) -> Self {
        Self { calls, ..self }
    }

    /// With this exit code: 6 for findings at critical.
    #[must_use]
    pub fn with_exit(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    /// With these findings.
    #[must_use]
    pub fn with_findings(self, findings: Vec<Finding>) -> Self {
        Self { findings, ..self }
    }

    /// With these figures.
    #[must_use]
    pub fn with_detail(self, detail: Map<String, Value>) -> Self {
        Self { detail, ..self }
    }

    fn new(ending: JobEnd, reason: String, exit: u8) -> Self {
        Self { ending, reason, exit, calls: 0, findings: Vec::new(), lost: Vec::new(), detail: Map::new() }
    }
}
