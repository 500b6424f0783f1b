//! The alarm clock of the daemon, and the only file that names tokio-cron-scheduler.
//!
//! A wake says "look at the ledger" and nothing else. The scheduler freezes the offset of a time zone when a job is
//! added, runs jobs on top of each other, forgets what it missed and does not wait for what runs; so it is given
//! one job, which runs every few seconds and only sends.

use crate::daemon::error::DaemonError;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::sync::mpsc;
use tokio_cron_scheduler::{Job, JobScheduler};

/// Every five seconds: an interval shorter than that is not worth a process that stays.
const TICK: &str = "*/5 * * * * *";

/// Wakes until it is silenced or dropped.
pub struct Alarm(JobScheduler);

impl Alarm {
    /// Starts to wake, the first time at once. Wakes that nobody took yet are one.
    pub async fn set() -> Result<(Alarm, mpsc::Receiver<()>), DaemonError> {
        // On one thread the scheduler waits for ever for a job to be added.
        if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
            return Err(DaemonError::OneThread);
        }
        let (wake, wakes) = mpsc::channel(1);
        // The channel is new and empty.
        let _ = wake.try_send(());
        let scheduler = JobScheduler::new().await?;
        let tick = Job::new_async(TICK, move |_, _| {
            // Full means that a wake waits already.
            let _ = wake.try_send(());
            Box::pin(std::future::ready(()))
        })?;
        scheduler.add(tick).await?;
        scheduler.start().await?;
        Ok((Alarm(scheduler), wakes))
    }

    /// Wakes no more.
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
        let (mut alarm, mut wakes) = Alarm::set().await.unwrap();
        assert_eq!(wakes.recv().await, Some(()));
        assert_eq!(wakes.recv().await, Some(()));
        alarm.silence().await;
    }

    #[tokio::test]
    async fn it_refuses_a_runtime_on_which_it_would_hang() {
        assert!(matches!(Alarm::set().await.map(|_| ()), Err(DaemonError::OneThread)));
    }
}
