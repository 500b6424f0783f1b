//! Visible waits: an event names the reason after two seconds, and again every two seconds.

use crate::log::{LOCKS, WAITS};
use crate::model::format_duration;
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_secs(2);

/// Carries `work` out; while it lasts, `what` is reported with how long it has lasted.
pub(super) async fn visible<T>(what: impl Fn() -> String + Send + Sync, work: impl Future<Output = T> + Send) -> T {
    reported(work, |elapsed| tracing::debug!(target: WAITS, "waiting for {}: {elapsed} so far", what())).await
}

/// The same for a lock of another process, which is reported wherever the command runs.
pub(super) async fn visible_lock<T>(
    what: impl Fn() -> String + Send + Sync,
    work: impl Future<Output = T> + Send,
) -> T {
    reported(work, |elapsed| tracing::info!(target: LOCKS, "waiting for {}: {elapsed} so far", what())).await
}

async fn reported<T>(work: impl Future<Output = T> + Send, report: impl Fn(&str) + Send) -> T {
    let begun = Instant::now();
    tokio::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            () = tokio::time::sleep(EVERY) => {
                let elapsed = format_duration(Duration::from_secs(begun.elapsed().as_secs()));
                report(&elapsed);
            }
        }
    }
}
