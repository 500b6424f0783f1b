//! Cancels a run of another process by a request to the holder of the job's lock, never by a signal.
//!
//! Guarantee: the request names the run by its holder and start time, so it never cancels a later run.

use crate::config::Job;
use crate::jobs::context::Context;
use crate::jobs::error::JobError;
use crate::jobs::history::RunRow;
use crate::jobs::lock::{JobLock, LockHolder, holder, pid_of_holder, request, stopped};
use crate::jobs::lock_path::path_of;
use crate::jobs::outcome::RunOutcome;
use crate::jobs::profile_job::ProfileJob;
use crate::lock;
use serde::Serialize;
use std::time::{Duration, Instant};

/// The interval of lock attempts while the run ends.
const TRY: Duration = Duration::from_millis(100);
/// The time that a run may take to end beyond its grace.
const PATIENCE: Duration = Duration::from_secs(5);

/// The result of canceling the run of one job and profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Cancelled {
    /// The job's name.
    pub job: String,
    /// The AWS profile; empty when the job names none.
    pub profile: String,
    /// `cancelled`, or how else it ended meanwhile; `null` when it did not end.
    pub outcome: Option<RunOutcome>,
    /// The reason, in one sentence.
    pub reason: String,
    /// The process that ran it; `null` if it was already gone.
    pub pid: Option<u32>,
    /// The host of that process.
    pub host: Option<String>,
    /// Whether that process still holds the lock, so that no other run can begin.
    pub is_held: bool,
    /// The process to kill then, as this process sees it; `null` for one in another container.
    pub kill: Option<u32>,
}

/// Cancels every ongoing run of `name`, and waits until each has ended. Empty without an ongoing run.
pub fn cancel(name: &str, jobs: &[Job], by: &str, context: &Context) -> Result<Vec<Cancelled>, JobError> {
    let mut profiles: Vec<String> = Vec::new();
    let own = jobs.iter().filter(|job| job.name == name).collect();
    profiles.extend(ProfileJob::all_of(own, false).iter().map(|unit| unit.profile().to_owned()));
    // A job whose file was removed may still run.
    let open = context.ledger.open_runs()?.into_iter().filter(|(job, _)| job == name);
    profiles.extend(open.map(|(_, profile)| profile));
    if profiles.is_empty() {
        return Err(JobError::unknown(name, jobs.iter().map(|job| job.name.clone()).collect()));
    }
    profiles.sort();
    profiles.dedup();
    let ended = profiles.into_iter().map(|profile| one(name, &profile, by, context));
    Ok(ended.collect::<Result<Vec<_>, _>>()?.into_iter().flatten().collect())
}

fn one(job: &str, profile: &str, by: &str, context: &Context) -> Result<Option<Cancelled>, JobError> {
    let path = path_of(&context.state_dir, job, profile);
    let done = |outcome, reason: String, held: Option<&LockHolder>, is_held| {
        let (pid, host) = (held.map(|held| held.pid), held.map(|held| held.host.clone()));
        let kill = if is_held { pid_of_holder(&path) } else { None };
        Some(Cancelled { job: job.to_owned(), profile: profile.to_owned(), outcome, reason, pid, host, is_held, kill })
    };
    let Some(first) = holder(&path) else {
        if context.ledger.open_run(job, profile)?.is_none() {
            return Ok(None);
        }
        // The process died; the lock is taken, so its run can be recorded.
        let Ok(_lock) = JobLock::try_acquire(&path, context.access, &context.holder())? else { return Ok(None) };
        let crashed = context.ledger.crashed(job, profile, context.clock.now())?.pop();
        return Ok(crashed.and_then(|row| done(row.outcome, row.reason, None, false)));
    };
    let (begun, mut asked, mut run) = (Instant::now(), None, None);
    while begun.elapsed() < context.grace + PATIENCE {
        match holder(&path) {
            Some(held) if is_first_run(&held, &first) => {
                run = context.ledger.open_run(job, profile)?.or(run);
                // A holder changes its time when its work starts, so the request must be written again.
                if asked.as_ref() != Some(&held) {
                    request(&path, context.access, &held, by)?;
                    asked = Some(held);
                }
            }
            // Free, or held by a later run.
            _ => {
                let (outcome, reason) = match done_row(run.as_ref(), context)? {
                    Some(row) => (row.outcome, row.reason),
                    None => (Some(RunOutcome::Cancelled), "it had not started".to_owned()),
                };
                return Ok(done(outcome, reason, Some(&first), false));
            }
        }
        std::thread::sleep(TRY);
    }
    let waited = crate::model::format_duration(context.grace + PATIENCE);
    if let Some(row) = done_row(run.as_ref(), context)?.filter(|row| row.outcome.is_some()) {
        let reason = format!("{}; uninterruptible work still holds the lock", row.reason);
        return Ok(done(row.outcome, reason, Some(&first), true));
    }
    let state = match stopped(&context.state_dir, job, profile) {
        Some(process) => format!("it is stopped: {}", lock::stopped_hint(process.pid)),
        None => "it hangs".to_owned(),
    };
    let reason = format!("pid {} on {} did not answer within {waited}: {state}", first.pid, first.host);
    Ok(done(None, reason, Some(&first), true))
}

/// Whether the lock is still held for the run that was ongoing at first. A daemon may hold it again for its next run;
/// the holder of one run changes its time only when its work starts.
fn is_first_run(held: &LockHolder, first: &LockHolder) -> bool {
    held.is_same_process(first) && (!first.begun || held == first)
}

fn done_row(run: Option<&RunRow>, context: &Context) -> Result<Option<RunRow>, JobError> {
    match run {
        Some(run) => context.ledger.run(run.id),
        None => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::RunnerFixture;
    use crate::jobs::testing::job;
    use crate::jobs::testing::work_of;

    #[test]
    fn the_next_run_of_a_daemon_is_not_the_one_to_end() {
        let held = |since, begun| LockHolder { pid: 7, host: "here".into(), since, begun };
        for (now, first, is_same) in [
            (held(1, true), held(1, true), true),
            (held(2, true), held(1, true), false),
            (held(2, false), held(1, true), false),
            // Its own work began.
            (held(2, true), held(1, false), true),
            (held(1, false), held(1, false), true),
            (LockHolder { pid: 8, ..held(1, true) }, held(1, true), false),
        ] {
            assert_eq!(is_first_run(&now, &first), is_same, "{now:?} {first:?}");
        }
    }

    #[tokio::test]
    async fn what_does_not_run_needs_no_end_and_an_unknown_name_is_one() {
        let stage = RunnerFixture::new(|_| work_of("did it"));
        let jobs = [job("warm")];
        assert_eq!(cancel("warm", &jobs, "ann", &stage.context).unwrap(), []);
        assert!(matches!(cancel("wram", &jobs, "ann", &stage.context), Err(JobError::Unknown { .. })));
        // A run whose process died is recorded.
        stage.context.ledger.begin(&crate::jobs::testing::entry("warm", 1)).unwrap();
        let ended = cancel("warm", &jobs, "ann", &stage.context).unwrap();
        assert_eq!((ended.len(), ended[0].outcome, ended[0].pid), (1, Some(RunOutcome::Crashed), None));
    }
}
