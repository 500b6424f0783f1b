//! Executes one run: timeout with a grace period, retries, panic isolation.
//!
//! Guarantee: it returns at most timeout and grace after the start, whatever the work does. The work holds the job's
//! lock (in its [`Stop`]), so work that cannot be stopped keeps other runs from starting.

use crate::config::{Job, Retry};
use crate::jobs::handler::JobEnd;
use crate::jobs::handler::JobHandler;
use crate::jobs::handler::JobResult;
use crate::jobs::handler::Run;
use crate::jobs::lock::JobLock;
use crate::jobs::lock::StopRequest;
use crate::jobs::outcome::RunOutcome;
use crate::jobs::run_log::RunLog;
use crate::jobs::stop::Stop;
use crate::model::exact_duration;
use crate::progress::Progress;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// The interval at which a holder checks for a stop request.
const POLL: Duration = Duration::from_secs(1);
/// The time for aborted work to release its lock before the run is reported.
const GONE: Duration = Duration::from_secs(1);
/// The longest delay between attempts.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// A run to execute.
pub(super) struct RunSpec {
    pub(super) handler: Arc<dyn JobHandler>,
    pub(super) job: Arc<Job>,
    pub(super) run: Run,
    /// Receives the output of the run.
    pub(super) run_log: Arc<RunLog>,
    pub(super) grace: Duration,
    /// The request to stop everything.
    pub(super) stop: Stop,
    pub(super) lock: Arc<JobLock>,
}

/// How a run ended.
pub(super) struct RunEnd {
    pub(super) outcome: RunOutcome,
    pub(super) work: JobResult,
    pub(super) attempt: u32,
    pub(super) took: Duration,
    /// Whether it was stopped only because its runner shuts down.
    pub(super) interrupted: bool,
}

enum StopCause {
    TooLong,
    Ending,
    Replaced,
    /// `jobs cancel`, by this user.
    Requested(String),
}

/// Executes the run.
pub(super) async fn execute(order: RunSpec) -> RunEnd {
    let begun = Instant::now();
    let deadline = (!order.job.timeout.is_zero()).then(|| begun + order.job.timeout);
    let (limit, grace) = (order.job.timeout, order.grace);
    let (everything, own) = (order.stop.clone(), Stop::holding(Arc::clone(&order.lock)));
    let attempt = Arc::new(AtomicU32::new(1));
    let (lock, run_log) = (Arc::clone(&order.lock), Arc::clone(&order.run_log));
    // A set, because it aborts its task when this future is dropped.
    let mut task = JoinSet::new();
    task.spawn(attempts(order, own.clone(), deadline, Arc::clone(&attempt)));

    let cause = tokio::select! {
        biased;
        joined = task.join_next() => {
            let (outcome, work) = settled(joined);
            let attempt = attempt.load(Ordering::Relaxed);
            return RunEnd { outcome, work, attempt, took: begun.elapsed(), interrupted: false };
        }
        () = over(deadline) => StopCause::TooLong,
        () = everything.wait() => StopCause::Ending,
        cause = asked(&lock, &run_log) => cause,
    };
    drop(lock);
    own.set();
    drop(own);
    let joined = timeout(grace, task.join_next()).await;
    let heeded = joined.is_ok();
    if !heeded {
        task.abort_all();
        // Work that blocks its thread ignores the abort; it then keeps its lock.
        let _ = timeout(GONE, task.join_next()).await;
    }
    let last = joined.ok().map(settled);
    let (outcome, work) = stopped(&cause, last, limit, grace);
    let interrupted = outcome == RunOutcome::Cancelled && matches!(cause, StopCause::Ending);
    RunEnd { outcome, work, attempt: attempt.load(Ordering::Relaxed), took: begun.elapsed(), interrupted }
}

async fn attempts(order: RunSpec, stop: Stop, deadline: Option<Instant>, attempt: Arc<AtomicU32>) -> JobResult {
    let RunSpec { handler, job, mut run, run_log, .. } = order;
    let mut calls = 0;
    loop {
        attempt.store(run.attempt, Ordering::Relaxed);
        let mut work = handler.perform(&job, &run, &*run_log, &stop).await;
        calls += work.calls;
        work.calls = calls;
        let delay = delay_before(&job.retry, run.attempt + 1);
        let in_time = deadline.is_none_or(|deadline| Instant::now() + delay < deadline);
        if work.ending != JobEnd::FailedForNow || run.attempt >= job.retry.attempts || !in_time || stop.is_set() {
            return work;
        }
        run_log.notice(&format!("{}; tried again in {}", work.reason, exact_duration(whole(delay))));
        tokio::select! {
            () = sleep(delay) => {}
            () = stop.wait() => return work,
        }
        run.attempt += 1;
    }
}

/// Doubles for each attempt, plus up to a quarter, so that hosts that failed together do not retry together.
fn delay_before(retry: &Retry, attempt: u32) -> Duration {
    let doubled = retry.delay.saturating_mul(1 << (attempt.saturating_sub(2)).min(20)).min(LONGEST_DELAY);
    doubled + doubled.mul_f64(fastrand::f64() / 4.0)
}

fn whole(delay: Duration) -> Duration {
    Duration::from_secs(delay.as_secs().max(1))
}

async fn over(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline).await,
        None => std::future::pending().await,
    }
}

/// Publishes the progress of the run until another process requests its end.
async fn asked(lock: &JobLock, run_log: &RunLog) -> StopCause {
    let mut published = None;
    loop {
        sleep(POLL).await;
        let now = run_log.live();
        if published.as_ref() != Some(&now) {
            if let Err(error) = lock.publish(&now) {
                tracing::debug!(%error, "cannot publish the progress of a run");
            }
            published = Some(now);
        }
        match lock.stop_request() {
            Some(StopRequest::Replace) => return StopCause::Replaced,
            Some(StopRequest::Cancel(by)) => return StopCause::Requested(by),
            None => {}
        }
    }
}

fn settled(joined: Option<Result<JobResult, JoinError>>) -> (RunOutcome, JobResult) {
    let failed = |reason: String| (RunOutcome::Failed, JobResult::failed(reason, 1));
    match joined {
        Some(Ok(work)) => {
            let outcome = match work.ending {
                JobEnd::Done => RunOutcome::Done,
                JobEnd::Partial => RunOutcome::Partial,
                JobEnd::Skipped => RunOutcome::Skipped,
                JobEnd::Failed | JobEnd::FailedForNow => RunOutcome::Failed,
            };
            (outcome, work)
        }
        Some(Err(error)) if error.is_panic() => failed(format!("panicked: {}", words_of(&*error.into_panic()))),
        Some(Err(_)) | None => failed("its task was dropped before it ended".to_owned()),
    }
}

fn stopped(
    cause: &StopCause,
    last: Option<(RunOutcome, JobResult)>,
    limit: Duration,
    grace: Duration,
) -> (RunOutcome, JobResult) {
    let limit = exact_duration(limit);
    let what = match cause {
        StopCause::TooLong => format!("it did not finish within its timeout of {limit}"),
        StopCause::Ending => "stopped, because awsideman is shutting down".to_owned(),
        StopCause::Requested(by) => format!("cancelled by {by}"),
        StopCause::Replaced => "stopped, because a later run replaces it (overlap = \"replace\")".to_owned(),
    };
    let (outcome, exit) = match cause {
        StopCause::Requested(_) | StopCause::Ending => (RunOutcome::Cancelled, 130),
        StopCause::TooLong => (RunOutcome::TimedOut, 1),
        StopCause::Replaced => (RunOutcome::Cancelled, 0),
    };
    match last {
        // It finished before it received the request.
        Some((ended @ (RunOutcome::Done | RunOutcome::Partial), work)) if !matches!(cause, StopCause::TooLong) => {
            (ended, work)
        }
        Some((_, work)) => {
            let reason = format!("{what}; it ended within the grace: {}", work.reason);
            (outcome, JobResult { ending: JobEnd::FailedForNow, reason, exit, ..work })
        }
        None => {
            let reason =
                format!("{what}; it did not end within the grace of {} and was aborted", exact_duration(grace));
            (outcome, JobResult { exit, ..JobResult::failed_for_now(reason, 1) })
        }
    }
}

fn words_of(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned()).unwrap_or_else(|| "without a word".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_doubles_and_is_at_most_a_quarter_longer() {
        let retry = Retry { attempts: 9, delay: Duration::from_secs(4) };
        for (attempt, least) in [(2, 4), (3, 8), (4, 16), (40, 3600)] {
            let delay = delay_before(&retry, attempt);
            let least = Duration::from_secs(least);
            assert!(delay >= least && delay <= least.mul_f64(1.25), "{attempt}: {delay:?}");
        }
    }
}
