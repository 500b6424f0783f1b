//! Lists jobs and what a pass would run.
//!
//! Guarantee: nothing is written, and a listed job does not become known to the ledger. Only a lock whose holder
//! seems dead is tried.

use crate::clock::{self, UnixMillis};
use crate::config::{Job, Schedule};
use crate::jobs::context::Context;
use crate::jobs::due::Due;
use crate::jobs::due::count_from;
use crate::jobs::due::due;
use crate::jobs::error::JobError;
use crate::jobs::history::RunRow;
use crate::jobs::lock::{JobLock, LockHolder};
use crate::jobs::lock_path::path_of;
use crate::jobs::occurrence::Occurrences;
use crate::jobs::occurrence::fingerprint;
use crate::jobs::outcome::RunOutcome;
use crate::jobs::overlap::describe;
use crate::jobs::profile_job::ProfileJob;
use crate::jobs::runner::JobSelection;
use crate::jobs::runner::phases;
use crate::jobs::stuck::stuck;
use crate::model::exact_duration;
use serde::Serialize;

/// One job and profile, for `jobs list`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobRow {
    /// The job's name.
    pub job: String,
    /// Its kind.
    pub kind: String,
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// Its description.
    pub description: String,
    /// The file that defines it.
    pub origin: String,
    /// Its schedule as written (`every 5m` for an interval).
    pub schedule: String,
    /// The time zone in which a cron expression is read; `null` for an interval.
    pub timezone: Option<String>,
    /// Whether it runs on its schedule.
    pub enabled: bool,
    /// The reason and the end of its pause.
    pub paused: Option<String>,
    /// When it is due; in the past if it is due now, `null` if it runs only on request.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub next_due: Option<UnixMillis>,
    /// How it ended last.
    pub last_outcome: Option<RunOutcome>,
    /// When it last started, or was last skipped.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub last_at: Option<UnixMillis>,
    /// The number of consecutive partial runs that lost a target; 0 after a complete one.
    pub partial_runs: u32,
    /// The reason of its last run.
    pub last_reason: Option<String>,
    /// Start of the last run with the outcome `done`; a partial one does not count.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub last_success: Option<UnixMillis>,
    /// End of the last run that lost no target.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub last_complete: Option<UnixMillis>,
    /// The process that runs it now.
    pub running: Option<String>,
}

/// The action of a pass for one job and profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedRun {
    /// The job's name.
    pub job: String,
    /// Its kind.
    pub kind: String,
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// Whether it would run.
    pub would_run: bool,
    /// The reason.
    pub reason: String,
}

/// Every job and profile.
pub fn list(jobs: &[Job], context: &Context) -> Result<Vec<JobRow>, JobError> {
    let units = ProfileJob::all_of(jobs.iter().collect(), true);
    units.into_iter().map(|unit| listed(&unit, context)).collect()
}

/// The actions of [`crate::jobs::run`], in its order.
pub fn dry_run(jobs: &[Job], wanted: &JobSelection, context: &Context) -> Result<Vec<PlannedRun>, JobError> {
    let units = phases(jobs, wanted)?.into_iter().flatten();
    units.map(|unit| planned(&unit, context)).collect()
}

fn listed(unit: &ProfileJob, context: &Context) -> Result<JobRow, JobError> {
    let (job, ledger, now) = (&unit.job, &context.ledger, context.clock.now());
    let (schedule, timezone) = match &job.schedule {
        Schedule::Every(every) => (format!("every {}", exact_duration(*every)), None),
        Schedule::Cron { text, .. } => {
            (text.clone(), Some(Occurrences::of(&job.schedule, &context.zone).zone().to_string()))
        }
    };
    let due = peek(unit, context)?;
    let running = running(unit, context)?;
    let last = match &running {
        ListedState::Dead(row) => {
            Some(RunRow { outcome: Some(RunOutcome::Crashed), reason: "its runner died".to_owned(), ..(**row).clone() })
        }
        ListedState::By(_) | ListedState::No => ledger.last_ended(&job.name, unit.profile())?,
    };
    let success = ledger.last_success(&job.name, unit.profile())?;
    Ok(JobRow {
        job: job.name.clone(),
        kind: job.kind.as_str().to_owned(),
        profile: unit.profile.clone(),
        description: job.description.clone(),
        origin: job.origin.clone(),
        schedule,
        timezone,
        enabled: job.enabled,
        paused: paused(unit, context, now)?,
        next_due: if !job.enabled {
            None
        } else if due.run.is_empty() {
            due.next
        } else {
            due.run.last().copied()
        },
        last_outcome: last.as_ref().and_then(|row| row.outcome),
        partial_runs: ledger.partial_runs(&job.name, unit.profile())?.map_or(0, |runs| runs.in_a_row),
        last_at: last.as_ref().map(|row| row.started_at),
        last_reason: last.map(|row| row.reason),
        last_success: success.as_ref().map(|row| row.started_at),
        last_complete: success.and_then(|row| row.ended_at),
        running: match running {
            ListedState::By(held) => Some(past_timeout(held, unit, context)),
            ListedState::No | ListedState::Dead(_) => None,
        },
    })
}

fn planned(unit: &ProfileJob, context: &Context) -> Result<PlannedRun, JobError> {
    let due = peek(unit, context)?;
    let (would_run, reason) = if !unit.job.enabled && unit.when_due {
        (false, "disabled: it runs only on request".to_owned())
    } else if let Some(pause) = paused(unit, context, context.clock.now())? {
        (false, pause)
    } else if let ListedState::By(held) = running(unit, context)? {
        (false, held)
    } else if !unit.when_due {
        (true, "asked for".to_owned())
    } else if let Some(newest) = due.run.last() {
        let more = due.run.len() - 1;
        let also = if more == 0 { String::new() } else { format!(" and {more} before") };
        (true, format!("due since {}{also}", clock::utc(*newest)))
    } else {
        let next = due.next.map_or("never due".to_owned(), |next| format!("not due before {}", clock::utc(next)));
        (false, due.missed.map_or(next.clone(), |missed| format!("missed {}; {next}", missed.reason)))
    };
    Ok(PlannedRun {
        job: unit.job.name.clone(),
        kind: unit.job.kind.as_str().to_owned(),
        profile: unit.profile.clone(),
        would_run,
        reason,
    })
}

/// The holder, and that its run is past its timeout.
fn past_timeout(held: String, unit: &ProfileJob, context: &Context) -> String {
    let job = std::slice::from_ref(&*unit.job);
    let stuck = stuck(job, &context.state_dir, context.grace, context.clock.now());
    match stuck.iter().find(|stuck| stuck.profile == unit.profile) {
        Some(stuck) => {
            format!("{held}, past its timeout of {}; `{}` ends it", exact_duration(stuck.timeout), stuck.hint())
        }
        None => held,
    }
}

fn peek(unit: &ProfileJob, context: &Context) -> Result<Due, JobError> {
    let now = context.clock.now();
    let from = count_from(&unit.job, now);
    let row = context.ledger.peek(&unit.job.name, unit.profile(), &fingerprint(&unit.job), from)?;
    Ok(due(&unit.job, &context.zone, &row, unit.jitter(context), now))
}

fn paused(unit: &ProfileJob, context: &Context, now: UnixMillis) -> Result<Option<String>, JobError> {
    Ok(context.ledger.paused(&unit.job.name, now)?.map(|pause| pause.to_string()))
}

enum ListedState {
    No,
    By(String),
    Dead(Box<RunRow>),
}

/// The lock is tried only if the ledger has an unfinished run: a needless attempt could keep a runner from the job.
fn running(unit: &ProfileJob, context: &Context) -> Result<ListedState, JobError> {
    let Some(row) = context.ledger.open_run(&unit.job.name, unit.profile())? else { return Ok(ListedState::No) };
    let path = path_of(&context.state_dir, &unit.job.name, unit.profile());
    let asking =
        LockHolder { pid: std::process::id(), host: context.host.clone(), since: context.clock.now(), begun: false };
    match JobLock::try_acquire(&path, context.access, &asking)? {
        Ok(_free) => Ok(ListedState::Dead(Box::new(row))),
        Err(held) => {
            let recorded = LockHolder { pid: row.pid, host: row.host, since: row.started_at, begun: true };
            Ok(ListedState::By(describe(&path, Some(&held.unwrap_or(recorded)))))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::RunnerFixture;
    use crate::jobs::testing::cron;
    use crate::jobs::testing::job;
    use crate::jobs::testing::work_of;
    use std::time::Duration;

    #[tokio::test]
    async fn lists_and_dry_runs_write_nothing() {
        let stage = RunnerFixture::new(|_| work_of("did it"));
        let every = Job { schedule: Schedule::Every(Duration::from_secs(300)), ..job("often") };
        let daily = Job { schedule: cron("0 3 * * *", None), ..job("nightly") };
        let off = Job { enabled: false, ..job("off") };
        let jobs = [every, daily, off];
        for _ in 0..2 {
            let plan = dry_run(&jobs, &JobSelection::Due, &stage.context).unwrap();
            assert_eq!(plan.iter().map(|p| p.would_run).collect::<Vec<_>>(), [true, false, false]);
            assert!(plan[1].reason.starts_with("not due before 2026-06-02T03:00:00Z"), "{}", plan[1].reason);
            assert!(plan[2].reason.starts_with("disabled"));
            stage.clock.advance(Duration::from_secs(60));
        }
        assert!(stage.context.ledger.history(None, 10).unwrap().is_empty());
        crate::jobs::runner::run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
        let listed = list(&jobs, &stage.context).unwrap();
        assert_eq!((listed[0].schedule.as_str(), listed[0].timezone.as_deref()), ("every 5m", None));
        assert_eq!(
            (listed[0].last_outcome, listed[0].last_reason.as_deref()),
            (Some(RunOutcome::Done), Some("did it"))
        );
        assert_eq!((listed[1].timezone.as_deref(), listed[1].last_outcome), (Some("UTC"), None));
        assert_eq!((listed[2].enabled, listed[2].next_due), (false, None));
        assert!(listed.iter().all(|l| l.running.is_none()));
    }
}
