//! The reports of a job and profile, and the rows of runs that did not happen.
//!
//! Guarantee: a skipped or missed run is in the ledger with its reason before it is reported.

use crate::clock::{self, UnixMillis};
use crate::jobs::context::Context;
use crate::jobs::due::Missed;
use crate::jobs::error::JobError;
use crate::jobs::history::RunRow;
use crate::jobs::ledger::End;
use crate::jobs::ledger::LedgerEntry;
use crate::jobs::outcome::RunOutcome;
use crate::jobs::outcome::RunReport;
use crate::jobs::profile_job::ProfileJob;
use serde_json::{Map, json};

/// The kind of a job whose file cannot be run, in reports and in the ledger.
pub const MISCONFIGURED: &str = "misconfigured";

impl ProfileJob {
    /// An occurrence that has not started is still due. A run on request is reported.
    pub(super) fn not_begun(&self, context: &Context, reports: &mut Vec<RunReport>) {
        if !self.when_due {
            let reason = "not started, because awsideman is shutting down".to_owned();
            reports.push(RunReport { exit: 130, ..self.report(RunOutcome::Cancelled, reason, context.clock.now()) });
        }
    }

    pub(super) fn skip(
        &self,
        reason: String,
        reference: Option<UnixMillis>,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<(), JobError> {
        let report =
            RunReport { scheduled_at: reference, ..self.report(RunOutcome::Skipped, reason, context.clock.now()) };
        self.record(report, reference, context, reports)
    }

    /// Skips an occurrence during a run of its job, if `seen` is still the recorded last occurrence.
    pub(super) fn record_skipped(
        &self,
        reason: String,
        reference: UnixMillis,
        seen: Option<UnixMillis>,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<(), JobError> {
        let at = context.clock.now();
        let report = RunReport { scheduled_at: Some(reference), ..self.report(RunOutcome::Skipped, reason, at) };
        let entry =
            LedgerEntry { scheduled_at: Some(reference), at, reference: Some(reference), ..self.entry(context) };
        if context.ledger.record_skipped(&entry, &end_of(&report, at), context.keep, seen)? {
            reports.push(report);
        }
        Ok(())
    }

    pub(super) fn miss(
        &self,
        missed: &Missed,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<(), JobError> {
        let mut detail = Map::new();
        for (key, value) in [
            ("count", json!(missed.count)),
            ("more", json!(missed.more)),
            ("first", json!(clock::utc(missed.first))),
            ("last", json!(clock::utc(missed.last))),
        ] {
            detail.insert(key.to_owned(), value);
        }
        let plain = self.report(RunOutcome::Missed, missed.reason.clone(), context.clock.now());
        let report = RunReport { scheduled_at: Some(missed.last), detail, ..plain };
        self.record(report, Some(missed.last), context, reports)
    }

    fn record(
        &self,
        report: RunReport,
        reference: Option<UnixMillis>,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<(), JobError> {
        let at = report.started_at;
        let entry = LedgerEntry { scheduled_at: report.scheduled_at, at, reference, ..self.entry(context) };
        context.ledger.record(&entry, &end_of(&report, at), context.keep)?;
        reports.push(report);
        Ok(())
    }

    pub(super) fn report(&self, outcome: RunOutcome, reason: String, at: UnixMillis) -> RunReport {
        let name = self.job.name.clone();
        RunReport {
            profile: self.profile.clone(),
            ..RunReport::plain(name, self.job.kind.as_str(), outcome, reason, at)
        }
    }

    pub(super) fn entry<'a>(&'a self, context: &'a Context) -> LedgerEntry<'a> {
        LedgerEntry {
            job: &self.job.name,
            profile: self.profile(),
            kind: self.job.kind.as_str(),
            scheduled_at: None,
            at: 0,
            reference: None,
            host: &context.host,
        }
    }
}

impl RunReport {
    /// The report of a run without calls, duration and findings.
    fn plain(job: String, kind: &str, outcome: RunOutcome, reason: String, at: UnixMillis) -> RunReport {
        RunReport {
            job,
            kind: kind.to_owned(),
            profile: None,
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

    /// The report of a run whose runner died.
    pub(super) fn of_crash(row: RunRow) -> RunReport {
        RunReport {
            profile: Some(row.profile).filter(|profile| !profile.is_empty()),
            took_ms: row.took_ms.unsigned_abs(),
            scheduled_at: row.scheduled_at,
            exit: 1,
            retryable: true,
            ..RunReport::plain(row.job, &row.kind, RunOutcome::Crashed, row.reason, row.started_at)
        }
    }
}

/// The report of a job whose file is broken: a failure with exit code 2. It is recorded once, not at every pass.
pub fn misconfigured(name: &str, reason: &str, context: &Context) -> Result<RunReport, JobError> {
    let at = context.clock.now();
    let plain = RunReport::plain(name.to_owned(), MISCONFIGURED, RunOutcome::Failed, reason.to_owned(), at);
    let report = RunReport { exit: 2, ..plain };
    let last = context.ledger.last_ended(name, "")?;
    if last.is_none_or(|row| row.kind != MISCONFIGURED || row.reason != report.reason) {
        let entry = LedgerEntry {
            job: name,
            profile: "",
            kind: MISCONFIGURED,
            scheduled_at: None,
            at,
            reference: None,
            host: &context.host,
        };
        context.ledger.record(&entry, &end_of(&report, at), context.keep)?;
    }
    Ok(report)
}

/// A report as the end of its row.
pub(super) fn end_of(report: &RunReport, at: UnixMillis) -> End<'_> {
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
