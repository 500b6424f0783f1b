//! The runner: which jobs run in a pass, in which order, and how many at the same time.
//!
//! Guarantee: a pass never waits for a job to become due. The failure of one job stops no other. Reports have the
//! order in which jobs started.
//!
//! Due jobs run in file-name order, short kinds before long ones (warm, verify), so that a health check does not wait
//! for a walk. `--all` runs in stages: recover, warm, verify, cleanup, limits, health, digest, each in file-name
//! order and after the stage before, so that the health check judges the result. Named jobs run in the order of their
//! names on the command line.

use crate::config::{Job, JobKind};
use crate::jobs::context::Context;
use crate::jobs::error::JobError;
use crate::jobs::lock::JobLock;
use crate::jobs::lock_path::path_of;
use crate::jobs::outcome::RunReport;
use crate::jobs::profile_job::ProfileJob;
use crate::jobs::profile_run;
use futures_util::future::join_all;

/// The jobs to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobSelection {
    /// Those that are due.
    Due,
    /// Every enabled job, now.
    All,
    /// These, now, enabled or not.
    Named(Vec<String>),
}

/// Runs the selected jobs. `jobs` are in file-name order.
///
/// All jobs of a phase take their locks first and then wait for a slot, first come, first served. A job that waits
/// for another process occupies no slot.
pub async fn run(jobs: &[Job], wanted: &JobSelection, context: &Context) -> Result<Vec<RunReport>, JobError> {
    let mut reports = Vec::new();
    context.ledger.correct_clock(context.clock.now())?;
    let phases = phases(jobs, wanted)?;
    if *wanted == JobSelection::Due {
        reports.extend(orphans(&phases, context)?);
    }
    for phase in phases {
        let mut runs = Vec::new();
        for unit in phase {
            if *wanted != JobSelection::Due || unit.has_something_to_do(context)? {
                runs.push(profile_run::run(unit, context));
            }
        }
        let ended = join_all(runs).await;
        reports.extend(ended.into_iter().flatten());
    }
    Ok(reports)
}

/// Records crashed runs that no job of this pass would record: of a disabled job, or one whose file or profile was
/// removed.
fn orphans(phases: &[Vec<ProfileJob>], context: &Context) -> Result<Vec<RunReport>, JobError> {
    let mut reports = Vec::new();
    for (job, profile) in context.ledger.open_runs()? {
        let is_covered = |unit: &ProfileJob| {
            unit.job.enabled && unit.job.name == job && unit.profile.as_deref().unwrap_or("") == profile
        };
        if phases.iter().flatten().any(is_covered) {
            continue;
        }
        let path = path_of(&context.state_dir, &job, &profile);
        if JobLock::try_acquire(&path, context.access, &context.holder())?.is_ok() {
            let rows = context.ledger.crashed(&job, &profile, context.clock.now())?;
            reports.extend(rows.into_iter().map(RunReport::of_crash));
        }
    }
    Ok(reports)
}

/// The selected jobs and profiles. Those of one phase may run at the same time.
pub(super) fn phases(jobs: &[Job], wanted: &JobSelection) -> Result<Vec<Vec<ProfileJob>>, JobError> {
    let enabled = || jobs.iter().filter(|job| job.enabled);
    match wanted {
        JobSelection::Due => {
            // A disabled job stays in the list: the ledger must record that it is disabled.
            let mut ordered: Vec<&Job> = jobs.iter().collect();
            ordered.sort_by_key(|job| job.kind.is_long());
            Ok(vec![ProfileJob::all_of(ordered, true)])
        }
        JobSelection::All => {
            let stage = |n| ProfileJob::all_of(enabled().filter(|job| stage_of(&job.kind) == n).collect(), false);
            Ok((0..STAGES).map(stage).filter(|units| !units.is_empty()).collect())
        }
        JobSelection::Named(names) => {
            let mut chosen: Vec<&Job> = Vec::new();
            for name in names {
                let job = jobs.iter().find(|job| job.name == *name).ok_or_else(|| unknown(name, jobs))?;
                if !chosen.iter().any(|other| other.name == job.name) {
                    chosen.push(job);
                }
            }
            Ok(vec![ProfileJob::all_of(chosen, false)])
        }
    }
}

const STAGES: u8 = 7;

fn stage_of(kind: &JobKind) -> u8 {
    match kind {
        JobKind::Recover => 0,
        JobKind::Warm { .. } => 1,
        JobKind::Verify { .. } => 2,
        JobKind::Cleanup => 3,
        JobKind::EnforceLimits => 4,
        JobKind::HealthCheck => 5,
        JobKind::Digest => 6,
    }
}

fn unknown(name: &str, jobs: &[Job]) -> JobError {
    JobError::unknown(name, jobs.iter().map(|job| job.name.clone()).collect())
}

#[cfg(test)]
mod tests;
