//! One run under supervision: timeout with a grace, retries, and a wall around panics.
//!
//! It returns at most the timeout and the grace after it began, whatever the work does; the lock of the job stays
//! with the work itself (in its [`Stop`]), so work that cannot be stopped keeps others from starting beside it.

use crate::config::{Job, Retry};
use crate::jobs::handler::JobEnd;
use crate::jobs::handler::JobHandler;
use crate::jobs::handler::JobResult;
use crate::jobs::handler::Run;
use crate::jobs::lock::JobLock;
use crate::jobs::lock::StopRequest;
use crate::jobs::outcome::RunOutcome;
use crate::jobs::run_log::Minutes;
use crate::jobs::stop::Stop;
use crate::model::exact_duration;
use crate::progress::Progress;
use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::task::{JoinError, JoinSet};
use tokio::time::{Instant, sleep, sleep_until, timeout};

/// How often a holder looks whether a later run wants its place.
const LOOK: Duration = Duration::from_secs(1);
/// How long aborted work has to be gone, so that its lock is free when the run is reported.
const GONE: Duration = Duration::from_secs(1);
/// A delay between attempts never gets longer.
const LONGEST_DELAY: Duration = Duration::from_secs(3600);

/// A run to supervise.
pub(super) struct RunSpec {
    pub(super) works: Arc<dyn JobHandler>,
    pub(super) job: Arc<Job>,
    pub(super) run: Run,
    /// Who is told what it does, and keeps what it said.
    pub(super) minutes: Arc<Minutes>,
    pub(super) grace: Duration,
    /// The wish that everything stops.
    pub(super) stop: Stop,
    pub(super) lock: Arc<JobLock>,
}

/// How a run ended.
pub(super) struct RunEnd {
    pub(super) outcome: RunOutcome,
    pub(super) work: JobResult,
    pub(super) attempt: u32,
    pub(super) took: Duration,
    /// Whether it was stopped only because its runner must end.
    pub(super) interrupted: bool,
}

enum StopCause {
    TooLong,
    Ending,
    Replaced,
    /// `jobs cancel`, by this user.
    Requested(String),
}

/// Runs it to its end.
pub(super) async fn supervise(order: RunSpec) -> RunEnd {
    let begun = Instant::now();
    let deadline = (!order.job.timeout.is_zero()).then(|| begun + order.job.timeout);
    let (limit, grace) = (order.job.timeout, order.grace);
    let (everything, own) = (order.stop.clone(), Stop::holding(Arc::clone(&order.lock)));
    let attempt = Arc::new(AtomicU32::new(1));
    let (lock, minutes) = (Arc::clone(&order.lock), Arc::clone(&order.minutes));
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
        cause = asked(&lock, &minutes) => cause,
    };
    drop(lock);
    own.set();
    drop(own);
    let joined = timeout(grace, task.join_next()).await;
    let heeded = joined.is_ok();
    if !heeded {
        task.abort_all();
        // Work that blocks its thread is not gone after this either; then it keeps its lock.
        let _ = timeout(GONE, task.join_next()).await;
    }
    let last = joined.ok().map(settled);
    let (outcome, work) = stopped(&cause, last, limit, grace);
    let interrupted = outcome == RunOutcome::Cancelled && matches!(cause, StopCause::Ending);
    RunEnd { outcome, work, attempt: attempt.load(Ordering::Relaxed), took: begun.elapsed(), interrupted }
}

async fn attempts(order: RunSpec, stop: Stop, deadline: Option<Instant>, attempt: Arc<AtomicU32>) -> JobResult {
    let RunSpec { works, job, mut run, minutes, .. } = order;
    let mut calls = 0;
    loop {
        attempt.store(run.attempt, Ordering::Relaxed);
        let mut work = works.perform(&job, &run, &*minutes, &stop).await;
        calls += work.calls;
        work.calls = calls;
        let delay = delay_before(&job.retry, run.attempt + 1);
        let in_time = deadline.is_none_or(|deadline| Instant::now() + delay < deadline);
        if work.ending != JobEnd::FailedForNow || run.attempt >= job.retry.attempts || !in_time || stop.is_set() {
            return work;
        }
        minutes.notice(&format!("{}; tried again in {}", work.reason, exact_duration(whole(delay))));
        tokio::select! {
            () = sleep(delay) => {}
            () = stop.wait() => return work,
        }
        run.attempt += 1;
    }
}

/// Doubled for each attempt, and up to a quarter longer, so that hosts that failed together do not return together.
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

/// Publishes what the run does, until another process wants it to end.
async fn asked(lock: &JobLock, minutes: &Minutes) -> StopCause {
    let mut published = None;
    loop {
        sleep(LOOK).await;
        let now = minutes.live();
        if published.as_ref() != Some(&now) {
            if let Err(error) = lock.publish(&now) {
                tracing::debug!(%error, "what a run does could not be published");
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
        StopCause::Replaced => "stopped, because a later run takes its place (overlap = \"replace\")".to_owned(),
    };
    let (outcome, exit) = match cause {
        StopCause::Requested(_) | StopCause::Ending => (RunOutcome::Cancelled, 130),
        StopCause::TooLong => (RunOutcome::TimedOut, 1),
        StopCause::Replaced => (RunOutcome::Cancelled, 0),
    };
    match last {
        // It was finished before it heard of the wish.
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
