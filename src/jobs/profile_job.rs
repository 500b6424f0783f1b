//! One job for one profile: its name in ledger and locks, and when it is due.

use crate::clock::{UnixMillis, millis};
use crate::config::Job;
use crate::jobs::context::Context;
use crate::jobs::due::{Due, count_from, due, jitter_of};
use crate::jobs::error::JobError;
use crate::jobs::ledger::LedgerRow;
use crate::jobs::occurrence::{Occurrences, fingerprint};
use std::sync::Arc;
use std::time::Duration;

/// One job for one profile.
#[derive(Debug, Clone)]
pub(super) struct ProfileJob {
    pub(super) job: Arc<Job>,
    pub(super) profile: Option<String>,
    /// Whether it runs only if it is due.
    pub(super) when_due: bool,
}

impl ProfileJob {
    /// One for each profile of each job.
    pub(super) fn all_of(jobs: Vec<&Job>, when_due: bool) -> Vec<ProfileJob> {
        let mut units = Vec::new();
        for job in jobs {
            let job = Arc::new(job.clone());
            if job.profiles.is_empty() {
                units.push(ProfileJob { job, profile: None, when_due });
                continue;
            }
            for profile in &job.profiles {
                units.push(ProfileJob { job: Arc::clone(&job), profile: Some(profile.clone()), when_due });
            }
        }
        units
    }

    /// The profile in the names of ledger rows and locks.
    pub(super) fn profile(&self) -> &str {
        self.profile.as_deref().unwrap_or_default()
    }

    pub(super) fn jitter(&self, context: &Context) -> Duration {
        jitter_of(&context.host, &self.job.name, self.job.jitter)
    }

    /// Whether a pass must take the lock of this job.
    pub(super) fn has_something_to_do(&self, context: &Context) -> Result<bool, JobError> {
        if !self.job.enabled {
            context.ledger.record_disabled(&self.job.name, self.profile())?;
            return Ok(false);
        }
        // The next pass records a run whose runner died, not only the job's next occurrence.
        Ok(!self.due(context)?.is_idle() || context.ledger.open_run(&self.job.name, self.profile())?.is_some())
    }

    pub(super) fn due(&self, context: &Context) -> Result<Due, JobError> {
        let row = self.due_row(context)?;
        Ok(due(&self.job, &context.zone, &row, self.jitter(context), context.clock.now()))
    }

    pub(super) fn due_row(&self, context: &Context) -> Result<LedgerRow, JobError> {
        let from = count_from(&self.job, context.clock.now());
        context.ledger.register(&self.job.name, self.profile(), &fingerprint(&self.job), from)
    }

    pub(super) fn next_after(
        &self,
        reference: Option<UnixMillis>,
        now: UnixMillis,
        context: &Context,
    ) -> Option<UnixMillis> {
        let occurrences = Occurrences::of(&self.job.schedule, &context.zone);
        let ahead = |base| occurrences.after(base).filter(|next| *next > now);
        let next = reference.and_then(ahead).or_else(|| ahead(now))?;
        Some(next.saturating_add(millis(self.jitter(context))))
    }
}
