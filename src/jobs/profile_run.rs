//! One run of one job for one profile, from the lock to the ledger row.
//!
//! Guarantee: what is due is decided under the lock, so two runners never run the same occurrence. Every fault
//! becomes the report of this run.

use crate::clock::{self, UnixMillis, millis};
use crate::config::{CatchUp, Schedule};
use crate::jobs::context::Context;
use crate::jobs::due::grid;
use crate::jobs::error::JobError;
use crate::jobs::executor::RunEnd;
use crate::jobs::executor::RunSpec;
use crate::jobs::executor::execute;
use crate::jobs::handler::JobEnd;
use crate::jobs::handler::Run;
use crate::jobs::ledger::LedgerEntry;
use crate::jobs::lock::JobLock;
use crate::jobs::lock::StopRequest;
use crate::jobs::outcome::RunOutcome;
use crate::jobs::outcome::RunReport;
use crate::jobs::partial;
use crate::jobs::profile_job::ProfileJob;
use crate::jobs::report::end_of;
use crate::jobs::run_log::RunLog;
use std::sync::Arc;
use std::time::Duration;

/// The interval at which a waiting run checks for a cancel request.
const POLL: Duration = Duration::from_secs(1);

/// Waits for a cancel request; returns its author.
async fn cancelled(lock: &JobLock) -> String {
    loop {
        tokio::time::sleep(POLL).await;
        if let Some(StopRequest::Cancel(by)) = lock.stop_request() {
            return by;
        }
    }
}

/// Runs the job; an error of the ledger or of a lock becomes its report.
pub(super) async fn run(unit: ProfileJob, context: &Context) -> Vec<RunReport> {
    let mut reports = Vec::new();
    if let Err(error) = unit.run_locked(context, &mut reports).await {
        let now = context.clock.now();
        reports.push(RunReport { exit: 1, ..unit.report(RunOutcome::Failed, error.to_string(), now) });
    }
    reports
}

impl ProfileJob {
    async fn run_locked(&self, context: &Context, reports: &mut Vec<RunReport>) -> Result<(), JobError> {
        let Some(lock) = self.lock(context, reports).await?.map(Arc::new) else { return Ok(()) };
        for row in context.ledger.crashed(&self.job.name, self.profile(), context.clock.now())? {
            reports.push(RunReport::of_crash(row));
        }
        let slot = tokio::select! {
            biased;
            () = context.stop.wait() => None,
            by = cancelled(&lock) => {
                let reason = format!("cancelled by {by} before it started");
                reports.push(RunReport { exit: 130, ..self.report(RunOutcome::Cancelled, reason, context.clock.now()) });
                return Ok(());
            }
            slot = context.slots.take() => slot,
        };
        if slot.is_none() {
            self.not_begun(context, reports);
            return Ok(());
        }
        for occurrence in self.claim(context, reports)? {
            if context.stop.is_set() {
                self.not_begun(context, reports);
                return Ok(());
            }
            let report = self.perform(occurrence, context, Arc::clone(&lock)).await?;
            reports.push(report);
        }
        Ok(())
    }

    /// The occurrences to run now, chosen under the lock; `None` is a run on request.
    fn claim(&self, context: &Context, reports: &mut Vec<RunReport>) -> Result<Vec<Option<UnixMillis>>, JobError> {
        let now = context.clock.now();
        let due = self.due(context)?;
        let is_idle = due.run.is_empty() && due.missed.is_none();
        if self.when_due && is_idle {
            if let Some(reference) = due.reference {
                context.ledger.record_occurrence(&self.job.name, self.profile(), reference)?;
                let name = &self.job.name;
                context.progress.notice(&format!(
                    "{name}: the clock was set back since its last run; its schedule counts from now"
                ));
            }
            return Ok(Vec::new());
        }
        if let Some(pause) = context.ledger.paused(&self.job.name, now)? {
            let reference = due.reference.filter(|_| self.when_due);
            self.skip(pause.to_string(), reference, context, reports)?;
            return Ok(Vec::new());
        }
        if !self.when_due {
            return Ok(vec![None]);
        }
        let due = self.queued(due, context, reports)?;
        if let Some(missed) = &due.missed {
            self.miss(missed, context, reports)?;
        }
        Ok(due.run.into_iter().map(Some).collect())
    }

    async fn perform(
        &self,
        scheduled_at: Option<UnixMillis>,
        context: &Context,
        lock: Arc<JobLock>,
    ) -> Result<RunReport, JobError> {
        let at = context.clock.now();
        // An interval counts from its last run, also from one on request. A fixed time of day does not move.
        let reference = match (&self.job.schedule, scheduled_at) {
            (_, Some(occurrence)) => Some(occurrence),
            (Schedule::Every(every), None) => Some(grid(at, *every)),
            (Schedule::Cron { .. }, None) => None,
        };
        let before = self.due_row(context)?.last_occurrence;
        let id = context.ledger.begin(&LedgerEntry { scheduled_at, at, reference, ..self.entry(context) })?;
        lock.begin(&context.holder())?;
        tracing::info!(job = self.job.name, profile = self.profile(), run = id, "begun");
        let next_due = self.next_after(reference, at, context);
        let run = Run { profile: self.profile.clone(), scheduled_at, attempt: 1, next_due };
        context.handler.begun(&self.job, &run).await;
        let (progress, clock) = (Arc::clone(&context.progress), Arc::clone(&context.clock));
        let run_log = RunLog::of(&self.job.name, self.profile.as_deref(), progress, clock);
        let RunEnd { outcome, mut work, attempt, took, interrupted } = execute(RunSpec {
            handler: Arc::clone(&context.handler),
            job: Arc::clone(&self.job),
            run,
            run_log: Arc::clone(&run_log),
            grace: context.grace,
            stop: context.stop.clone(),
            lock,
        })
        .await;
        run_log.close(&mut work.detail);
        if outcome == RunOutcome::Partial {
            let last = context.ledger.last_run(&self.job.name, self.profile())?;
            partial::note(&mut work.detail, &work.lost, last.as_ref());
        }
        if let (true, Some(due)) = (work.ending == JobEnd::FailedForNow, next_due) {
            work.detail.insert("retried_at".into(), clock::utc_exact(due).into());
        }
        let mut report = RunReport {
            took_ms: millis(took).unsigned_abs(),
            calls: work.calls,
            scheduled_at,
            attempt,
            exit: work.exit,
            retryable: work.ending == JobEnd::FailedForNow,
            findings: work.findings,
            detail: work.detail,
            ..self.report(outcome, work.reason, at)
        };
        self.log_end(id, &report);
        let end = end_of(&report, context.clock.now());
        // A shutdown does not skip the occurrence: the next runner takes it again.
        let recorded = if interrupted && scheduled_at.is_some() && self.job.catch_up != CatchUp::None {
            context.ledger.return_occurrence(id, &end, context.keep, before)
        } else {
            context.ledger.finish(id, &end, context.keep)
        };
        if let Err(error) = recorded {
            report.reason = format!("{}; its end could not be recorded: {error}", report.reason);
            report.exit = report.exit.max(1);
        }
        context.handler.ended(&self.job, &report).await;
        Ok(report)
    }

    /// Logs the end of a run: failures at the default level, others below it.
    fn log_end(&self, id: i64, report: &RunReport) {
        let (job, profile, outcome) = (&self.job.name, self.profile(), report.outcome.as_str());
        if matches!(report.outcome, RunOutcome::Failed | RunOutcome::TimedOut) {
            tracing::warn!(job, profile, run = id, outcome, exit = report.exit, reason = report.reason, "job failed");
        } else {
            tracing::info!(job, profile, run = id, outcome, reason = report.reason, "ended");
        }
    }
}
