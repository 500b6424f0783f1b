//! Progress of long work: reports the calls so far and the current wait once a second.

use crate::app::reading::Reading;
use crate::progress::Progress;
use std::time::Duration;
use tokio::time::{MissedTickBehavior, interval};

const EVERY: Duration = Duration::from_secs(1);

/// Does `work`, which reads through `reading`.
pub(super) async fn watched<T>(reading: &Reading, progress: &dyn Progress, work: impl Future<Output = T>) -> T {
    let mut tick = interval(EVERY);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut work = std::pin::pin!(work);
    loop {
        tokio::select! {
            biased;
            done = &mut work => return done,
            _ = tick.tick() => progress.counted(reading.calls().total, reading.waits().as_deref()),
        }
    }
}
