//! Runs past their timeout: their process hangs or is stopped.

use crate::clock::{UnixMillis, millis};
use crate::config::Job;
use crate::jobs::lock::{LockHolder, holder, stopped};
use crate::jobs::lock_path::path_of;
use crate::jobs::profile_job::ProfileJob;
use crate::model::format_duration;
use std::path::Path;
use std::time::Duration;

/// The time that a runner may take beyond timeout and grace.
const SLACK: Duration = Duration::from_secs(30);

/// A run past its timeout.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StuckRun {
    /// The job's name.
    pub job: String,
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// The process that runs it.
    pub held: LockHolder,
    /// Whether a signal or a debugger stopped it.
    pub is_stopped: bool,
    /// How long it has run.
    pub ran: Duration,
    /// The job's timeout.
    pub timeout: Duration,
}

impl StuckRun {
    /// The problem, in one sentence.
    pub fn sentence(&self) -> String {
        let profile = self.profile.as_ref().map(|profile| format!(" ({profile})")).unwrap_or_default();
        format!(
            "job {}{profile} has run for {}, its timeout is {}: pid {} on {} {}",
            self.job,
            format_duration(whole(self.ran)),
            format_duration(self.timeout),
            self.held.pid,
            self.held.host,
            if self.is_stopped { "is stopped" } else { "hangs" },
        )
    }

    /// The command that cancels it.
    pub fn hint(&self) -> String {
        format!("awsideman jobs cancel {}", self.job)
    }
}

fn whole(duration: Duration) -> Duration {
    Duration::from_secs(duration.as_secs())
}

/// The runs past their timeout at `now`. Nothing is written.
pub fn stuck(jobs: &[Job], state_dir: &Path, grace: Duration, now: UnixMillis) -> Vec<StuckRun> {
    let past = |unit: ProfileJob| {
        let timeout = unit.job.timeout;
        let held = holder(&path_of(state_dir, &unit.job.name, unit.profile())).filter(|held| held.begun)?;
        let ran = Duration::from_millis(now.saturating_sub(held.since).max(0).unsigned_abs());
        let is_past = !timeout.is_zero() && millis(ran) > millis(timeout + grace + SLACK);
        is_past.then(|| {
            let is_stopped = stopped(state_dir, &unit.job.name, unit.profile()).is_some();
            StuckRun { job: unit.job.name.clone(), profile: unit.profile, held, is_stopped, ran, timeout }
        })
    };
    // A disabled job may run on request.
    ProfileJob::all_of(jobs.iter().collect(), true).into_iter().filter_map(past).collect()
}
