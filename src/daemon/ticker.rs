//! The ticker of the daemon. Only this file imports tokio-cron-scheduler.
//!
//! A tick only causes a pass. The scheduler fixes a zone's offset when a job is added, overlaps runs, does not catch
//! up and does not wait for running jobs. Therefore it gets one job, which sends a tick every few seconds.

use crate::daemon::error::DaemonError;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Every five seconds.
const TICK: &str = "*/5 * * * * *";

/// Sends ticks until it is stopped or dropped.
pub struct Ticker(JobScheduler);

impl Ticker {
    /// Starts the ticks, the first one immediately. Unread ticks are merged.
    pub async fn set() -> Result<(Ticker, mpsc::Receiver<()>), DaemonError> {
        // On a single-threaded runtime the scheduler never returns from adding a job.
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Err(DaemonError::OneThread);
        }
        let (wake, wakes) = mpsc::channel(1);
        // The channel is new and empty.
        let _ = wake.try_send(());
        let scheduler = JobScheduler::new().await?;
        let tick = Job::new_async(TICK, move |_, _| {
            // Full means that a tick is already waiting.
            let _ = wake.try_send(());
            Box::pin(std::future::ready(()))
        })?;
        scheduler.add(tick).await?;
        scheduler.start().await?;
        Ok((Ticker(scheduler), wakes))
    }

    /// Stops the ticks.
    pub async fn silence(&mut self) {
        if let Err(error) = self.0.shutdown().await {
            tracing::warn!(%error, "the scheduler did not shut down");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn it_wakes_at_once_and_again() {
        let (mut ticker, mut wakes) = Ticker::set().await.unwrap();
        assert_eq!(wakes.recv().await, Some(()));
        assert_eq!(wakes.recv().await, Some(()));
        ticker.silence().await;
    }

    #[tokio::test]
    async fn it_refuses_a_runtime_on_which_it_would_hang() {
        assert!(matches!(Ticker::set().await.map(|_| ()), Err(DaemonError::OneThread)));
    }
}
