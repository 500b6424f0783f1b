//! The last outcome of each job that shows whether the job works.
//!
//! Guarantee: nothing is written. An unfinished run whose lock is free counts as crashed.

use crate::clock::UnixMillis;
use crate::config::Job;
use crate::jobs::error::JobError;
use crate::jobs::ledger::Ledger;
use crate::jobs::lock::is_held;
use crate::jobs::lock_path::path_of;
use crate::jobs::outcome::RunOutcome;
use crate::jobs::profile_job::ProfileJob;
use std::path::Path;

/// The last run of a job and profile that shows whether it works.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastRun {
    /// The job's name.
    pub job: String,
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// How it ended: neither skipped nor cancelled.
    pub outcome: RunOutcome,
    /// The result or the reason.
    pub reason: String,
    /// When it began.
    pub at: UnixMillis,
    /// The number of consecutive runs that lost a target, including this one.
    pub partial_in_a_row: u32,
}

impl LastRun {
    /// The name in its alert key: `warm`, `warm@prod`.
    pub fn name(&self) -> String {
        self.profile.as_ref().map_or_else(|| self.job.clone(), |profile| format!("{}@{profile}", self.job))
    }
}

/// The last run of each enabled job and profile. A job that has not run yet is left out.
pub fn last_runs(jobs: &[Job], ledger: &Ledger, state_dir: &Path) -> Result<Vec<LastRun>, JobError> {
    let mut found = Vec::new();
    for unit in ProfileJob::all_of(jobs.iter().filter(|job| job.enabled).collect(), true) {
        let (job, profile) = (&unit.job.name, unit.profile());
        let open = ledger.open_run(job, profile)?.filter(|_| !is_held(&path_of(state_dir, job, profile)));
        let last = match open {
            Some(row) => Some((RunOutcome::Crashed, "its runner died".to_owned(), row.started_at)),
            None => {
                ledger.last_conclusive(job, profile)?.and_then(|row| Some((row.outcome?, row.reason, row.started_at)))
            }
        };
        let Some((outcome, reason, at)) = last else { continue };
        let partial = match outcome {
            RunOutcome::Partial => ledger.partial_runs(job, profile)?,
            _ => None,
        };
        let partial_in_a_row = partial.map_or(0, |runs| runs.in_a_row);
        found.push(LastRun { job: job.clone(), profile: unit.profile.clone(), outcome, reason, at, partial_in_a_row });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::runner::{JobSelection, run};
    use crate::jobs::testing::RunnerFixture;
    use crate::jobs::testing::entry;
    use crate::jobs::testing::job;
    use crate::jobs::testing::work_of;

    #[tokio::test]
    async fn the_last_conclusive_run_counts_and_a_run_without_a_holder_crashed() {
        let stage = RunnerFixture::new(|_| work_of("did it"));
        let jobs = [job("often"), job("never")];
        let context = &stage.context;
        let last = || last_runs(&jobs, &context.ledger, &context.state_dir).unwrap();
        assert!(last().is_empty());
        run(&jobs, &JobSelection::Named(vec!["often".into()]), context).await.unwrap();
        let found = last();
        assert_eq!((found.len(), found[0].name().as_str(), found[0].outcome), (1, "often", RunOutcome::Done));
        context.ledger.begin(&entry("often", 1)).unwrap();
        assert_eq!(last()[0].outcome, RunOutcome::Crashed);
    }
}
