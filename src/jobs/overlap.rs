//! Takes the lock of a job, and applies the overlap policy if another run holds it.
//!
//! Guarantee: at most one run is ongoing and at most one waits. An occurrence during a run is recorded once, not at
//! every pass.

use crate::clock::UnixMillis;
use crate::config::Overlap;
use crate::jobs::context::Context;
use crate::jobs::due::due;
use crate::jobs::error::JobError;
use crate::jobs::lock::{JobLock, LockHolder, request_replacement};
use crate::jobs::lock_path::{path_of, queue_of};
use crate::jobs::outcome::RunReport;
use crate::jobs::profile_job::ProfileJob;
use crate::lock::{self, RunState};
use crate::model::exact_duration;
use std::path::Path;
use std::time::Duration;
use tokio::time::{Instant, sleep};

/// The interval of lock attempts.
const TRY: Duration = Duration::from_millis(200);
/// The time that a replaced run may take beyond the grace.
const PATIENCE: Duration = Duration::from_secs(5);
/// The longest wait for a run without a timeout.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);

/// The new last occurrence of a job, and the recorded one when it was computed.
type Seen = (UnixMillis, Option<UnixMillis>);

impl ProfileJob {
    /// The lock, or the result of the overlap policy if a run is ongoing.
    pub(super) async fn lock(
        &self,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<Option<JobLock>, JobError> {
        let path = path_of(&context.state_dir, &self.job.name, self.profile());
        let held = match JobLock::try_acquire(&path, context.access, &context.holder())? {
            Ok(lock) => return Ok(Some(lock)),
            Err(held) => held,
        };
        let mut reference = None;
        if context.wait {
            return self.wait(&path, self.longest_wait(context), None, context, reports).await;
        }
        if self.when_due {
            // A holder that has not started is about to start this occurrence.
            if !held.as_ref().is_some_and(|held| held.begun) {
                return Ok(None);
            }
            let row = self.due_row(context)?;
            let due = due(&self.job, &context.zone, &row, self.jitter(context), context.clock.now());
            if due.run.is_empty() {
                return Ok(None);
            }
            reference = due.reference.map(|reference| (reference, row.last_occurrence));
        }
        let wait = match self.job.overlap {
            Overlap::Forbid => {
                self.skip_occurrence(describe(&path, held.as_ref()), reference, context, reports)?;
                return Ok(None);
            }
            Overlap::QueueOne => self.longest_wait(context),
            Overlap::Replace => {
                request_replacement(&path, context.access)?;
                context.grace + PATIENCE
            }
        };
        self.wait(&path, wait, reference, context, reports).await
    }

    /// Skips an occurrence that is due, or a run on request.
    fn skip_occurrence(
        &self,
        reason: String,
        reference: Option<Seen>,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<(), JobError> {
        match reference {
            Some((reference, seen)) => self.record_skipped(reason, reference, seen, context, reports),
            None => self.skip(reason, None, context, reports),
        }
    }

    fn longest_wait(&self, context: &Context) -> Duration {
        if self.job.timeout.is_zero() { LONGEST_WAIT } else { self.job.timeout + context.grace }
    }

    async fn wait(
        &self,
        path: &Path,
        wait: Duration,
        reference: Option<Seen>,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<Option<JobLock>, JobError> {
        let end = Instant::now() + wait;
        let mut place = None;
        loop {
            if place.is_none() {
                place = JobLock::try_acquire(&queue_of(path), context.access, &context.holder())?.ok();
            }
            if place.is_none() && !context.wait {
                // The waiting run will take the newest occurrence.
                if !self.when_due {
                    self.skip("one run is ongoing and another is already waiting".to_owned(), None, context, reports)?;
                }
                return Ok(None);
            }
            tokio::select! {
                () = sleep(TRY) => {}
                () = context.stop.wait() => {
                    self.not_begun(context, reports);
                    return Ok(None);
                }
            }
            let tried = match place {
                Some(_) => JobLock::try_acquire(path, context.access, &context.holder())?,
                None => Err(None),
            };
            match tried {
                Ok(lock) => return Ok(Some(lock)),
                Err(held) if Instant::now() >= end => {
                    let reason =
                        format!("{}, and still after waiting {}", describe(path, held.as_ref()), exact_duration(wait));
                    self.skip_occurrence(reason, reference, context, reports)?;
                    return Ok(None);
                }
                Err(_) => {}
            }
        }
    }
}

/// The holder as its lock file names it, and whether it is stopped.
pub(super) fn describe(path: &Path, held: Option<&LockHolder>) -> String {
    let process = lock::of_file(path);
    let name = match (held, &process) {
        (Some(held), _) => held.to_string(),
        (None, Some(process)) => format!("held by {process}"),
        (None, None) => "held by another process".to_owned(),
    };
    match process.filter(|process| process.state == RunState::Stopped) {
        Some(stopped) => format!("{name}; it is stopped: {}", stopped.hint()),
        None => name,
    }
}
