//! Occurrences that were due during an earlier run of their job: with `queue-one` the newest one waits.

use super::ledger::LedgerEntry;
use crate::clock;
use crate::config::{CatchUp, Overlap};
use crate::jobs::context::Context;
use crate::jobs::due::{Due, Missed};
use crate::jobs::error::JobError;
use crate::jobs::outcome::{RunOutcome, RunReport};
use crate::jobs::profile_job::ProfileJob;
use crate::jobs::report::end_of;
use crate::model::format_duration;

impl ProfileJob {
    /// Separates occurrences that the job's own run delayed from those without an active runner. The first are
    /// skipped, except the newest: it waits for the run to end, limited only by `start_deadline`.
    pub(super) fn queued(
        &self,
        mut due: Due,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<Due, JobError> {
        let Some(missed) = due.missed.take() else { return Ok(due) };
        let (Overlap::QueueOne, true) = (self.job.overlap, self.when_due) else {
            return Ok(Due { missed: Some(missed), ..due });
        };
        let run = context.ledger.last_run(&self.job.name, self.profile())?;
        let Some((begun, ended)) = run.and_then(|run| Some((run.started_at, run.ended_at?))) else {
            return Ok(Due { missed: Some(missed), ..due });
        };
        if missed.first < begun || missed.last > ended {
            return Ok(Due { missed: Some(missed), ..due });
        }
        let mut count = missed.count;
        let waits = due.run.is_empty() && self.job.catch_up == CatchUp::None && self.job.start_deadline.is_zero();
        if waits {
            due.run.push(missed.last);
            count = count.saturating_sub(1);
        }
        if count > 0 {
            let ran = format!("the run of {} ended only at {}", clock::utc(begun), clock::utc(ended));
            let late = if due.run.is_empty() {
                format!(", after the start_deadline of {}", format_duration(self.job.start_deadline))
            } else {
                ", and one occurrence at a time waits for it (overlap = \"queue-one\")".to_owned()
            };
            self.skip_queued(&missed, format!("{ran}{late}"), context, reports)?;
        }
        Ok(due)
    }

    fn skip_queued(
        &self,
        missed: &Missed,
        reason: String,
        context: &Context,
        reports: &mut Vec<RunReport>,
    ) -> Result<(), JobError> {
        let at = context.clock.now();
        let plain = self.report(RunOutcome::Skipped, reason, at);
        let detail =
            [("count", missed.count.into()), ("first", stamp_of(missed.first)), ("last", stamp_of(missed.last))];
        let detail = detail.into_iter().map(|(key, value)| (key.to_owned(), value)).collect();
        let report = RunReport { scheduled_at: Some(missed.last), detail, ..plain };
        let reference = Some(missed.last);
        let entry = LedgerEntry { scheduled_at: reference, at, reference, ..self.entry(context) };
        context.ledger.record(&entry, &end_of(&report, at), context.keep)?;
        reports.push(report);
        Ok(())
    }
}

fn stamp_of(at: clock::UnixMillis) -> serde_json::Value {
    clock::utc(at).into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Job;
    use crate::jobs::handler::JobResult;
    use crate::jobs::lock_path::{path_of, queue_of};
    use crate::jobs::runner::{JobSelection, run};
    use crate::jobs::testing::RunnerFixture;
    use crate::jobs::testing::at;
    use crate::jobs::testing::job;
    use crate::jobs::testing::work_of;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::time::Duration;
    use tokio::sync::Notify;

    const HOUR: Duration = Duration::from_secs(3600);

    /// The reports of the run that waited, in a daemon whose first run of the job goes on for `hours`.
    async fn after(hours: u32, job: Job) -> Vec<RunReport> {
        let (begun, over) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begins, ends, is_first) = (begun.clone(), over.clone(), AtomicBool::new(true));
        let stage = RunnerFixture::new(move |_| {
            if !is_first.swap(false, Ordering::SeqCst) {
                return work_of("ok");
            }
            begins.notify_one();
            let ends = ends.clone();
            Box::pin(async move {
                ends.notified().await;
                JobResult::done("ok")
            })
        });
        let jobs = [job];
        // From here on the job counts.
        run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
        stage.clock.advance(HOUR);
        let queue = queue_of(&path_of(&stage.context.state_dir, "a", ""));
        let rival = stage.rival();
        let waiting = async {
            begun.notified().await;
            stage.clock.advance(HOUR);
            let waits = async {
                while !queue.exists() {
                    tokio::task::yield_now().await;
                }
                stage.clock.advance((hours - 1) * HOUR + HOUR / 2);
                over.notify_one();
            };
            tokio::join!(run(&jobs, &JobSelection::Due, &rival), waits).0.unwrap()
        };
        let (first, waited) = tokio::join!(run(&jobs, &JobSelection::Due, &stage.context), waiting);
        assert_eq!(first.unwrap()[0].outcome, RunOutcome::Done);
        waited
    }

    #[tokio::test]
    async fn an_occurrence_that_the_jobs_own_run_delayed_is_not_missed() {
        let queueing = Job { overlap: Overlap::QueueOne, ..job("a") };
        let latest = after(3, queueing.clone()).await;
        let outcomes: Vec<_> = latest.iter().map(|report| (report.outcome, report.scheduled_at)).collect();
        let scheduled = |hour: &str| Some(at(&format!("2026-06-01T{hour}:00:00Z")));
        assert_eq!(outcomes, [(RunOutcome::Skipped, scheduled("15")), (RunOutcome::Done, scheduled("16"))]);
        assert!(latest[0].reason.contains("ended only at 2026-06-01T16:30:00"), "{}", latest[0].reason);
        assert!(latest[0].reason.contains("queue-one"), "{}", latest[0].reason);

        let none = after(1, Job { catch_up: CatchUp::None, ..queueing.clone() }).await;
        let outcomes: Vec<_> = none.iter().map(|report| (report.outcome, report.scheduled_at)).collect();
        assert_eq!(outcomes, [(RunOutcome::Done, scheduled("14"))], "it waited half an hour for its turn");

        let late = after(1, Job { start_deadline: Duration::from_secs(600), ..queueing }).await;
        assert_eq!((late.len(), late[0].outcome), (1, RunOutcome::Skipped), "{late:?}");
        assert!(late[0].reason.contains("after the start_deadline of 10m"), "{}", late[0].reason);
    }
}
