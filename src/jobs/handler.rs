//! The interface between the runner and the work of a job.

use crate::clock::UnixMillis;
use crate::config::Job;
use crate::health::Finding;
use crate::jobs::outcome::RunReport;
use crate::jobs::stop::Stop;
use crate::progress::Progress;
use async_trait::async_trait;
use serde_json::{Map, Value};

/// Does the work of each kind of job.
#[async_trait]
pub trait JobHandler: Send + Sync {
    /// Does the work of `job` once.
    async fn perform(&self, job: &Job, run: &Run, progress: &dyn Progress, stop: &Stop) -> JobResult;

    /// Called when a run starts. The run waits for it, so it must be short.
    async fn begun(&self, _job: &Job, _run: &Run) {}

    /// Called when the end of a run is recorded. The pass waits for it, so it must be short.
    async fn ended(&self, _job: &Job, _report: &RunReport) {}
}

/// The circumstances of one attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// The occurrence, when it runs because it is due.
    pub scheduled_at: Option<UnixMillis>,
    /// The attempt: 1, 2, ...
    pub attempt: u32,
    /// The next due time. Entries that expire before it are worth refreshing now.
    pub next_due: Option<UnixMillis>,
}

/// How the work of a job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobEnd {
    /// Done. The exit code may still report findings.
    Done,
    /// Partly done. The targets in [`JobResult::lost`] are not.
    Partial,
    /// Not done for a reason that is no failure (the cache is disabled).
    Skipped,
    /// Failed. A retry may succeed.
    FailedForNow,
    /// Failed. A user must act.
    Failed,
}

/// The result of a job's work.
#[derive(Debug, Clone, PartialEq)]
pub struct JobResult {
    /// How it ended.
    pub ending: JobEnd,
    /// The result or the reason, in one sentence.
    pub reason: String,
    /// The exit code.
    pub exit: u8,
    /// The number of AWS calls.
    pub calls: u64,
    /// The findings.
    pub findings: Vec<Finding>,
    /// The targets that a partial run lost.
    pub lost: Vec<String>,
    /// The figures of its kind, for JSON.
    pub detail: Map<String, Value>,
}

impl JobResult {
    /// Done; `reason` says what.
    pub fn done(reason: impl Into<String>) -> Self {
        Self::new(JobEnd::Done, reason.into(), 0)
    }

    /// Partly done, without these targets; exit code 3.
    pub fn partial(reason: impl Into<String>, lost: Vec<String>) -> Self {
        Self { lost, ..Self::new(JobEnd::Partial, reason.into(), 3) }
    }

    /// Not done for a reason that is no failure.
    pub fn skipped(reason: impl Into<String>) -> Self {
        Self::new(JobEnd::Skipped, reason.into(), 0)
    }

    /// Failed permanently, with this exit code.
    pub fn failed(reason: impl Into<String>, exit: u8) -> Self {
        Self::new(JobEnd::Failed, reason.into(), exit.max(1))
    }

    /// Failed with this exit code; a retry may succeed.
    pub fn failed_for_now(reason: impl Into<String>, exit: u8) -> Self {
        Self::new(JobEnd::FailedForNow, reason.into(), exit.max(1))
    }

    /// Sets the number of AWS calls.
    #[must_use]
    pub fn with_calls(self, calls: u64) -> Self {
        Self { calls, ..self }
    }

    /// Sets the exit code: 6 for critical findings.
    #[must_use]
    pub fn with_exit(self, exit: u8) -> Self {
        Self { exit, ..self }
    }

    /// Sets the findings.
    #[must_use]
    pub fn with_findings(self, findings: Vec<Finding>) -> Self {
        Self { findings, ..self }
    }

    /// Sets the figures.
    #[must_use]
    pub fn with_detail(self, detail: Map<String, Value>) -> Self {
        Self { detail, ..self }
    }

    fn new(ending: JobEnd, reason: String, exit: u8) -> Self {
        Self { ending, reason, exit, calls: 0, findings: Vec::new(), lost: Vec::new(), detail: Map::new() }
    }
}
