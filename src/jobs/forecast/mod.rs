//! Forecasts runs: the next run of each job, and a simulation of a period.
//!
//! Guarantee: nothing is run and nothing is written. The forecast assumes a runner that never pauses, and that each
//! job takes as long as it did last.

use crate::clock::{self, UnixMillis, millis};
use crate::config::{AlertWhen, Job, JobKind, Overlap, Schedule};
use crate::jobs::context::Context;
use crate::jobs::due::Due;
use crate::jobs::due::count_from;
use crate::jobs::due::due;
use crate::jobs::error::JobError;
use crate::jobs::ledger::LedgerRow;
use crate::jobs::occurrence::Occurrences;
use crate::jobs::occurrence::fingerprint;
use crate::jobs::profile_job::ProfileJob;
use crate::jobs::runner::JobSelection;
use crate::jobs::runner::phases;
use crate::model::{Zone, exact_duration};
use chrono::{DateTime, SecondsFormat};
use serde::Serialize;
use std::time::Duration;

/// The most steps of one job in a simulation.
const STEPS: usize = 100_000;

/// One time at which a job is due.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NextRun {
    /// The job's name.
    pub job: String,
    /// Its kind.
    pub kind: String,
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// When it is due, jitter included.
    #[serde(serialize_with = "clock::serialize")]
    pub at: UnixMillis,
    /// The same in the time zone of the schedule, with the offset from UTC.
    pub local: String,
    /// The zone in which its schedule is read; for an interval the host's.
    pub timezone: String,
    /// The occurrence itself, before the jitter.
    #[serde(serialize_with = "clock::serialize")]
    pub occurrence: UnixMillis,
    /// The delay after its occurrence on this host, in milliseconds.
    pub jitter_ms: i64,
    /// Whether it is due already.
    pub is_due: bool,
    /// The pause that covers it.
    pub paused: Option<String>,
}

/// The simulated result of one occurrence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Simulated {
    /// The job's name.
    pub job: String,
    /// The time.
    #[serde(serialize_with = "clock::serialize")]
    pub at: UnixMillis,
    /// Its kind.
    pub kind: String,
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// The occurrence.
    #[serde(serialize_with = "clock::serialize")]
    pub scheduled_at: UnixMillis,
    /// `run`, `skipped` or `missed`: the ledger's outcome where it has one.
    pub outcome: &'static str,
    /// The reason.
    pub reason: String,
    /// When the job sends mail: `always`, `on-change` or `never`.
    pub mail: &'static str,
}

/// Facts about the future that the runner does not know.
pub trait ForecastObserver {
    /// The reason why a job of this kind would have nothing to do at that time.
    fn idle(&self, job: &Job, at: UnixMillis) -> Option<String>;
    /// Whether mails are sent.
    fn mails(&self) -> bool;
}

/// The next run of each job and profile; with a limit, the next runs of all of them in order.
pub fn next_runs(
    jobs: &[Job],
    names: &[String],
    limit: Option<usize>,
    context: &Context,
) -> Result<Vec<NextRun>, JobError> {
    let mut found = Vec::new();
    for unit in units(jobs, names)? {
        let each = limit.unwrap_or(1);
        let (now, jitter) = (context.clock.now(), millis(unit.jitter(context)));
        let row = row(&unit, context, now)?;
        let judged = due(&unit.job, &context.zone, &row, unit.jitter(context), now);
        let occurrences = Occurrences::of(&unit.job.schedule, &context.zone);
        let mut next = judged.run.last().copied().or_else(|| judged.next.map(|next| next - jitter));
        for nth in 0..each {
            let Some(occurrence) = next else { break };
            let at = occurrence.saturating_add(jitter);
            found.push(NextRun {
                job: unit.job.name.clone(),
                kind: unit.job.kind.as_str().to_owned(),
                profile: unit.profile.clone(),
                at,
                local: local(at, occurrences.zone()),
                timezone: occurrences.zone().to_string(),
                occurrence,
                jitter_ms: jitter,
                is_due: nth == 0 && !judged.run.is_empty(),
                paused: context.ledger.paused(&unit.job.name, at.max(now))?.map(|pause| pause.to_string()),
            });
            next = occurrences.after(occurrence);
        }
    }
    found.sort_by_key(|coming| coming.at);
    found.truncate(limit.unwrap_or(usize::MAX));
    Ok(found)
}

/// The simulated runs between two times, in order. A simulation that starts now uses the ledger. One that starts at
/// another time assumes that all earlier occurrences are done.
pub fn simulate(
    jobs: &[Job],
    names: &[String],
    from: UnixMillis,
    to: UnixMillis,
    context: &Context,
    outlook: &dyn ForecastObserver,
) -> Result<Vec<Simulated>, JobError> {
    let mut found = Vec::new();
    for unit in units(jobs, names)? {
        let row = if from == context.clock.now() { row(&unit, context, from)? } else { begun(&unit, context, from)? };
        let last = context.ledger.last_success(&unit.job.name, unit.profile())?;
        let took = Duration::from_millis(last.map_or(0, |run| run.took_ms.unsigned_abs()));
        RunTimeline { unit: &unit, row, took, busy_until: i64::MIN, context, outlook }.follow(from, to, &mut found)?;
    }
    found.sort_by_key(|event| event.at);
    Ok(found)
}

/// The selected jobs and profiles, in the runner's order. Disabled jobs only if they are named.
fn units(jobs: &[Job], names: &[String]) -> Result<Vec<ProfileJob>, JobError> {
    let wanted = if names.is_empty() { JobSelection::Due } else { JobSelection::Named(names.to_vec()) };
    let units = phases(jobs, &wanted)?.into_iter().flatten();
    Ok(units.filter(|unit| unit.job.enabled || !names.is_empty()).collect())
}

fn row(unit: &ProfileJob, context: &Context, now: UnixMillis) -> Result<LedgerRow, JobError> {
    // A disabled job is simulated as if it were enabled now.
    context.ledger.peek(&unit.job.name, unit.profile(), &fingerprint(&unit.job), count_from(&unit.job, now))
}

/// The ledger row of a job that has done every occurrence before `from`. An interval keeps its phase.
fn begun(unit: &ProfileJob, context: &Context, from: UnixMillis) -> Result<LedgerRow, JobError> {
    let known = row(unit, context, context.clock.now())?;
    let last = match (&unit.job.schedule, known.last_occurrence) {
        (Schedule::Every(every), Some(last)) => from - (from - last).rem_euclid(millis(*every).max(1)),
        (Schedule::Every(_), None) | (Schedule::Cron { .. }, _) => from,
    };
    Ok(LedgerRow { first_seen: from, last_occurrence: Some(last) })
}

/// The simulation of one job and profile.
struct RunTimeline<'a> {
    unit: &'a ProfileJob,
    row: LedgerRow,
    took: Duration,
    busy_until: UnixMillis,
    context: &'a Context,
    outlook: &'a dyn ForecastObserver,
}

impl RunTimeline<'_> {
    fn follow(mut self, from: UnixMillis, to: UnixMillis, found: &mut Vec<Simulated>) -> Result<(), JobError> {
        let mut at = from;
        for _ in 0..STEPS {
            if at > to {
                break;
            }
            let Due { run, missed, reference, .. } = self.judged(at);
            if let Some(missed) = missed {
                found.push(self.event(at, missed.last, "missed", missed.reason));
            }
            for occurrence in run {
                let event = self.add_occurrence(at, occurrence)?;
                found.push(event);
            }
            self.row.last_occurrence = reference.or(self.row.last_occurrence);
            match self.judged(at).next.filter(|next| *next > at) {
                Some(next) => at = next,
                None => break,
            }
        }
        Ok(())
    }

    fn judged(&self, at: UnixMillis) -> Due {
        due(&self.unit.job, &self.context.zone, &self.row, self.unit.jitter(self.context), at)
    }

    /// Adds the result of one occurrence that is due.
    fn add_occurrence(&mut self, at: UnixMillis, occurrence: UnixMillis) -> Result<Simulated, JobError> {
        let job = &self.unit.job;
        if let Some(pause) = self.context.ledger.paused(&job.name, at)? {
            return Ok(self.event(at, occurrence, "skipped", pause.to_string()));
        }
        if let Some(reason) = self.outlook.idle(job, at) {
            return Ok(self.event(at, occurrence, "skipped", reason));
        }
        let took = exact_duration(Duration::from_secs(self.took.as_secs()));
        let (begins, reason) = match job.overlap {
            _ if at >= self.busy_until => (at, "due".to_owned()),
            Overlap::Forbid => {
                let reason = format!("the previous run is still ongoing: the last one took {took}");
                return Ok(self.event(at, occurrence, "skipped", reason));
            }
            Overlap::QueueOne => {
                (self.busy_until, format!("due, and waits for the previous run: the last one took {took}"))
            }
            Overlap::Replace => (at, "due, and replaces the previous run".to_owned()),
        };
        self.busy_until = begins.saturating_add(millis(self.took));
        Ok(self.event(begins, occurrence, "run", reason))
    }

    fn event(&self, at: UnixMillis, scheduled_at: UnixMillis, outcome: &'static str, reason: String) -> Simulated {
        let job = &self.unit.job;
        let mail = match job.alert {
            _ if !self.outlook.mails() || outcome == "skipped" => "never",
            _ if job.kind == JobKind::Digest && outcome == "run" => "always",
            AlertWhen::Always if outcome == "run" => "always",
            AlertWhen::Always | AlertWhen::OnChange => "on-change",
            AlertWhen::Never => "never",
        };
        Simulated {
            job: job.name.clone(),
            at,
            kind: job.kind.as_str().to_owned(),
            profile: self.unit.profile.clone(),
            scheduled_at,
            outcome,
            reason,
            mail,
        }
    }
}

/// The local time in `zone`: `2026-06-01T14:00:00+02:00`.
fn local(at: UnixMillis, zone: &Zone) -> String {
    DateTime::from_timestamp_millis(at)
        .map_or_else(|| at.to_string(), |at| at.with_timezone(zone).to_rfc3339_opts(SecondsFormat::Secs, false))
}

#[cfg(test)]
mod tests;
