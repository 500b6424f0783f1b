//! One job for one profile: from the lock to the line in the ledger.
//!
//! Neighbours: `runner.rs` says which and when, `due.rs` judges, `supervise.rs` runs. Promise: what is due is decided
//! under the lock, so two runners never run the same occurrence; whatever goes wrong here becomes this unit's report.

use super::ledger::{End, Entry};
use super::lock::{path_of, queue_of, want};
use super::occurrence::fingerprint;
use super::supervise::{Ended, Order, supervise};
use super::{
    Context, Due, Held, JobError, Lock, Missed, Occurrences, Outcome, Report, Run, RunRow, due, jitter_of, stamp,
};
use crate::clock::{UnixMillis, millis};
use crate::config::{Job, Overlap, Schedule};
use serde_json::{Map, json};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// How often one who waits for a lock tries again.
const TRY: Duration = Duration::from_millis(200);
/// What a run that is replaced may take beyond the grace.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a run waits for another that has no timeout.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// One job for one profile.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) job: Arc<Job>,
    pub(super) profile: Option<String>,
    /// Whether it runs only if the ledger says so.
    pub(super) when_due: bool,
}

/// Runs it to its end; an error of the ledger or of a lock is its report.
pub(super) async fn run(unit: Unit, context: &Context) -> Vec<Report> {
    let mut reports = Vec::new();
    if let Err(error) = unit.go(context, &mut reports).await {
        let now = context.clock.now();
        reports.push(Report { exit: 1, ..unit.report(Outcome::Failed, error.to_string(), now) });
    }
    reports
}

impl Unit {
    /// A unit for each profile of each job.
    pub(super) fn all_of(jobs: Vec<&Job>, when_due: bool) -> Vec<Unit> {
        let mut units = Vec::new();
        for job in jobs {
            let job = Arc::new(job.clone());
            if job.profiles.is_empty() {
                units.push(Unit { job, profile: None, when_due });
                continue;
            }
            for profile in &job.profiles {
                units.push(Unit { job: Arc::clone(&job), profile: Some(profile.clone()), when_due });
            }
        }
        units
    }

    /// The profile as the ledger and the lock name it.
    pub(super) fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or_default()
    }

    pub(super) fn jitter(&self, context: &Context) -> Duration {
        jitter_of(&context.host, &self.job.name, self.job.jitter)
    }

    /// Whether a pass over what is due must look closer.
    pub(super) fn has_something_to_do(&self, context: &Context) -> Result<bool, JobError> {
        if !self.job.enabled {
            context.ledger.see_disabled(&self.job.name, self.profile())?;
            return Ok(false);
        }
        Ok(!self.due(context)?.is_idle())
    }

    fn due(&self, context: &Context) -> Result<Due, JobError> {
        let now = context.clock.now();
        let row = context.ledger.see(&self.job.name, self.profile(), &fingerprint(&self.job), now)?;
        Ok(due(&self.job, context.zone, &row, self.jitter(context), now))
    }

    async fn go(&self, context: &Context, reports: &mut Vec<Report>) -> Result<(), JobError> {
        let Some(lock) = self.lock(context, reports).await?.map(Arc::new) else { return Ok(()) };
        for row in context.ledger.crashed(&self.job.name, self.profile(), context.clock.now())? {
            reports.push(self.crashed(row));
        }
        let slot = tokio::select! {
            biased;
            () = context.stop.wait() => None,
            slot = context.slots.take() => slot,
        };
        if slot.is_none() {
            return self.not_begun(context, reports);
        }
        for occurrence in self.claim(context, reports)? {
            if context.stop.is_set() {
                return self.not_begun(context, reports);
            }
            let report = self.perform(occurrence, context, Arc::clone(&lock)).await?;
            reports.push(report);
        }
        Ok(())
    }

    /// An occurrence that was not begun is still due; a run that was asked for is reported.
    fn not_begun(&self, context: &Context, reports: &mut Vec<Report>) -> Result<(), JobError> {
        if !self.when_due {
            let reason = "not begun, because awsideman was told to end".to_owned();
            reports.push(Report { exit: 130, ..self.report(Outcome::Cancelled, reason, context.clock.now()) });
        }
        Ok(())
    }

    /// The lock, or what `overlap` says of a run that is still going on.
    async fn lock(&self, context: &Context, reports: &mut Vec<Report>) -> Result<Option<Lock>, JobError> {
        let path = path_of(&context.state_dir, &self.job.name, self.profile());
        let held = match Lock::try_acquire(&path, context.access, &self.holder(context))? {
            Ok(lock) => return Ok(Some(lock)),
            Err(held) => held,
        };
        let mut reference = None;
        if self.when_due {
            // Without a row, whoever holds the lock is about to begin this very occurrence; with one, it may have.
            if context.ledger.open_run(&self.job.name, self.profile())?.is_none() {
                return Ok(None);
            }
            let due = self.due(context)?;
            if due.run.is_empty() {
                return Ok(None);
            }
            reference = due.reference;
        }
        let wait = match self.job.overlap {
            Overlap::Forbid => {
                self.skip(describe(held.as_ref()), reference, context, reports)?;
                return Ok(None);
            }
            Overlap::QueueOne if self.job.timeout.is_zero() => LONGEST_WAIT,
            Overlap::QueueOne => self.job.timeout + context.grace,
            Overlap::Replace => {
                want(&path, context.access)?;
                context.grace + PATIENCE
            }
        };
        self.wait(&path, wait, reference, context, reports).await
    }

    async fn wait(
        &self,
        path: &Path,
        wait: Duration,
        reference: Option<UnixMillis>,
        context: &Context,
        reports: &mut Vec<Report>,
    ) -> Result<Option<Lock>, JobError> {
        let holder = self.holder(context);
        let Ok(_place) = Lock::try_acquire(&queue_of(path), context.access, &holder)? else {
            // Who waits already will take the newest occurrence.
            if !self.when_due {
                self.skip("one run of it goes on and another waits already".to_owned(), None, context, reports)?;
            }
            return Ok(None);
        };
        let end = Instant::now() + wait;
        loop {
            tokio::select! {
                () = sleep(TRY) => {}
                () = context.stop.wait() => {
                    self.not_begun(context, reports)?;
                    return Ok(None);
                }
            }
            match Lock::try_acquire(path, context.access, &self.holder(context))? {
                Ok(lock) => return Ok(Some(lock)),
                Err(held) if Instant::now() >= end => {
                    let reason = format!("{} and still after {}", describe(held.as_ref()), stamp::duration(wait));
                    self.skip(reason, reference, context, reports)?;
                    return Ok(None);
                }
                Err(_) => {}
            }
        }
    }

    /// The occurrences to run now, taken under the lock; `None` is a run that was asked for.
    fn claim(&self, context: &Context, reports: &mut Vec<Report>) -> Result<Vec<Option<UnixMillis>>, JobError> {
        let now = context.clock.now();
        let due = self.due(context)?;
        if self.when_due && due.is_idle() {
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
        if let Some(missed) = &due.missed {
            self.miss(missed, context, reports)?;
        }
        if let (true, Some(reference)) = (due.run.is_empty(), due.reference) {
            context.ledger.refer(&self.job.name, self.profile(), reference)?;
        }
        Ok(due.run.into_iter().map(Some).collect())
    }

    async fn perform(
        &self,
        scheduled_at: Option<UnixMillis>,
        context: &Context,
        lock: Arc<Lock>,
    ) -> Result<Report, JobError> {
        let at = context.clock.now();
        // An interval counts from its last run, also from one that was asked for; a time of day is a time of day.
        let reference = match (&self.job.schedule, scheduled_at) {
            (_, Some(occurrence)) => Some(occurrence),
            (Schedule::Every(every), None) => Some(super::due::grid(at, *every)),
            (Schedule::Cron { .. }, None) => None,
        };
        let id = context.ledger.begin(&Entry { scheduled_at, at, reference, ..self.entry(context) })?;
        tracing::info!(job = self.job.name, profile = self.profile(), run = id, "begun");
        let run = Run {
            profile: self.profile.clone(),
            scheduled_at,
            attempt: 1,
            next_due: self.next_after(reference, at, context),
        };
        let Ended { outcome, work, attempt, took } = supervise(Order {
            works: Arc::clone(&context.works),
            job: Arc::clone(&self.job),
            run,
            progress: Arc::clone(&context.progress),
            grace: context.grace,
            stop: context.stop.clone(),
            lock,
        })
        .await;
        let mut report = Report {
            took_ms: millis(took).unsigned_abs(),
            calls: work.calls,
            scheduled_at,
            attempt,
            exit: work.exit,
            retryable: work.ending == super::Ending::FailedForNow,
            findings: work.findings,
            detail: work.detail,
            ..self.report(outcome, work.reason, at)
        };
        tracing::info!(job = self.job.name, run = id, outcome = outcome.as_str(), reason = report.reason, "ended");
        if let Err(error) = context.ledger.finish(id, &end_of(&report, context.clock.now()), context.keep) {
            report.reason = format!("{}; its end could not be recorded: {error}", report.reason);
            report.exit = report.exit.max(1);
        }
        Ok(report)
    }

    pub(super) fn next_after(
        &self,
        reference: Option<UnixMillis>,
        now: UnixMillis,
        context: &Context,
    ) -> Option<UnixMillis> {
        let occurrences = Occurrences::of(&self.job.schedule, context.zone);
        let ahead = |base| occurrences.after(base).filter(|next| *next > now);
        let next = reference.and_then(ahead).or_else(|| ahead(now))?;
        Some(next.saturating_add(millis(self.jitter(context))))
    }

    fn skip(
        &self,
        reason: String,
        reference: Option<UnixMillis>,
        context: &Context,
        reports: &mut Vec<Report>,
    ) -> Result<(), JobError> {
        let report = Report { scheduled_at: reference, ..self.report(Outcome::Skipped, reason, context.clock.now()) };
        self.record(report, reference, context, reports)
    }

    fn miss(&self, missed: &Missed, context: &Context, reports: &mut Vec<Report>) -> Result<(), JobError> {
        let mut detail = Map::new();
        for (key, value) in [
            ("count", json!(missed.count)),
            ("more", json!(missed.more)),
            ("first", json!(stamp::time(missed.first))),
            ("last", json!(stamp::time(missed.last))),
        ] {
            detail.insert(key.to_owned(), value);
        }
        let plain = self.report(Outcome::Missed, missed.reason.clone(), context.clock.now());
        let report = Report { scheduled_at: Some(missed.last), detail, ..plain };
        self.record(report, Some(missed.last), context, reports)
    }

    fn record(
        &self,
        report: Report,
        reference: Option<UnixMillis>,
        context: &Context,
        reports: &mut Vec<Report>,
    ) -> Result<(), JobError> {
        let at = report.started_at;
        let entry = Entry { scheduled_at: report.scheduled_at, at, reference, ..self.entry(context) };
        context.ledger.record(&entry, &end_of(&report, at), context.keep)?;
        reports.push(report);
        Ok(())
    }

    fn crashed(&self, row: RunRow) -> Report {
        Report {
            kind: row.kind,
            took_ms: row.took_ms.unsigned_abs(),
            scheduled_at: row.scheduled_at,
            exit: 1,
            retryable: true,
            ..self.report(Outcome::Crashed, row.reason, row.started_at)
        }
    }

    fn report(&self, outcome: Outcome, reason: String, at: UnixMillis) -> Report {
        Report {
            job: self.job.name.clone(),
            kind: self.job.kind.as_str().to_owned(),
            profile: self.profile.clone(),
            outcome,
            reason,
            took_ms: 0,
            calls: 0,
            scheduled_at: None,
            started_at: at,
            attempt: 1,
            exit: 0,
            retryable: false,
            findings: Vec::new(),
            detail: Map::new(),
        }
    }

    fn entry<'a>(&'a self, context: &'a Context) -> Entry<'a> {
        Entry {
            job: &self.job.name,
            profile: self.profile(),
            kind: self.job.kind.as_str(),
            scheduled_at: None,
            at: 0,
            reference: None,
            host: &context.host,
        }
    }

    fn holder(&self, context: &Context) -> Held {
        Held { pid: std::process::id(), host: context.host.clone(), since: context.clock.now() }
    }
}

fn describe(held: Option<&Held>) -> String {
    held.map_or("held by another process".to_owned(), Held::to_string)
}

fn end_of(report: &Report, at: UnixMillis) -> End<'_> {
    End {
        at,
        outcome: report.outcome,
        reason: &report.reason,
        exit: report.exit,
        took_ms: report.took_ms,
        calls: report.calls,
        attempt: report.attempt,
        detail: &report.detail,
    }
}
