//! Jobs that were due and did not run, as any other command sees them.
//!
//! Guarantee: nothing is written and no lock is taken. A job that never ran here, is paused or is running is not
//! overdue.

use crate::clock::{UnixMillis, millis};
use crate::config::Job;
use crate::jobs::due::count_from;
use crate::jobs::due::due;
use crate::jobs::due::jitter_of;
use crate::jobs::error::JobError;
use crate::jobs::ledger::Ledger;
use crate::jobs::occurrence::fingerprint;
use crate::jobs::profile_job::ProfileJob;
use crate::model::Zone;
use std::time::Duration;

/// A runner that starts every few minutes is in time.
const IN_TIME: Duration = Duration::from_secs(15 * 60);

/// A job that was due and did not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverdueJob {
    /// The job's name.
    pub job: String,
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// When it should have run, jitter included; the oldest such time.
    pub due_at: UnixMillis,
}

/// The jobs and profiles that are overdue at `now`.
pub fn overdue(
    jobs: &[Job],
    ledger: &Ledger,
    zone: &Zone,
    host: &str,
    now: UnixMillis,
) -> Result<Vec<OverdueJob>, JobError> {
    let mut found = Vec::new();
    for unit in ProfileJob::all_of(jobs.iter().filter(|job| job.enabled).collect(), true) {
        let (job, profile) = (&unit.job, unit.profile());
        let row = ledger.peek(&job.name, profile, &fingerprint(job), count_from(job, now))?;
        let jitter = jitter_of(host, &job.name, job.jitter);
        let due = due(job, zone, &row, jitter, now);
        let oldest = due.missed.iter().map(|missed| missed.first).chain(due.run).min();
        let Some(due_at) = oldest.map(|at| at.saturating_add(millis(jitter))) else { continue };
        if now.saturating_sub(due_at) < millis(IN_TIME)
            || ledger.paused(&job.name, now)?.is_some()
            || ledger.open_run(&job.name, profile)?.is_some()
        {
            continue;
        }
        found.push(OverdueJob { job: job.name.clone(), profile: unit.profile.clone(), due_at });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Schedule;
    use crate::jobs::runner::{JobSelection, run};
    use crate::jobs::testing::RunnerFixture;
    use crate::jobs::testing::job;
    use crate::jobs::testing::work_of;

    #[tokio::test]
    async fn a_job_without_a_runner_is_overdue_and_one_that_never_ran_is_not() {
        let stage = RunnerFixture::new(|_| work_of("did it"));
        let every = |minutes: u64| Schedule::Every(Duration::from_secs(60 * minutes));
        let off = Job { enabled: false, schedule: every(5), ..job("off") };
        let jobs = [Job { schedule: every(5), ..job("often") }, Job { schedule: every(600), ..job("seldom") }, off];
        let context = &stage.context;
        let found =
            |jobs: &[Job]| overdue(jobs, &context.ledger, &context.zone, &context.host, context.clock.now()).unwrap();
        stage.clock.advance(Duration::from_secs(86_400));
        assert!(found(&jobs).is_empty(), "no runner is set up here");
        run(&jobs, &JobSelection::Due, context).await.unwrap();
        stage.clock.advance(Duration::from_secs(15 * 60));
        assert!(found(&jobs).is_empty(), "late by 10 minutes at most");
        stage.clock.advance(Duration::from_secs(10 * 60));
        let often = found(&jobs);
        assert_eq!(often.iter().map(|job| job.job.as_str()).collect::<Vec<_>>(), ["often"]);
        assert_eq!(often[0].due_at, found(&jobs)[0].due_at, "a read changes nothing");
        context.ledger.pause(Some("often"), None, "maintenance", context.clock.now()).unwrap();
        assert!(found(&jobs).is_empty(), "paused");
        context.ledger.resume(None, context.clock.now()).unwrap();
        run(&jobs, &JobSelection::Due, context).await.unwrap();
        assert!(found(&jobs).is_empty());
    }
}
