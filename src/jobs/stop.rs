//! A wish to stop, as a value.
//!
//! It is never taken back, and everyone who holds a copy sees it. The copy that a job's work is given also holds
//! the job's lock, so work that goes on where nobody can abort it (a thread that waits for a disk) keeps others
//! from starting beside it for as long as it has its copy.

use crate::jobs::lock::JobLock;
use std::sync::Arc;
use tokio::sync::watch;

/// A wish to stop. Copies share it.
#[derive(Debug, Clone)]
pub struct Stop {
    wish: Arc<watch::Sender<bool>>,
    _held: Option<Arc<JobLock>>,
}

impl Default for Stop {
    fn default() -> Self {
        Self { wish: Arc::new(watch::Sender::new(false)), _held: None }
    }
}

impl Stop {
    /// One that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that keeps a lock for as long as anybody has a copy of it.
    pub(super) fn holding(lock: Arc<JobLock>) -> Self {
        Self { _held: Some(lock), ..Self::default() }
    }

    /// Asks everyone who holds a copy to stop.
    pub fn set(&self) {
        self.wish.send_replace(true);
    }

    /// Whether stopping was asked for.
    pub fn is_set(&self) -> bool {
        *self.wish.borrow()
    }

    /// Changes to `true` when it is set.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.wish.subscribe()
    }

    /// Returns when stopping is asked for, at once if it was.
    pub async fn wait(&self) {
        // The sender lives in `self`, so this cannot end in another way.
        let _ = self.wish.subscribe().wait_for(|asked| *asked).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_copy_hears_it_also_one_who_asks_later() {
        let stop = Stop::new();
        let copy = stop.clone();
        let waiting = tokio::spawn(async move { copy.wait().await });
        assert!(!stop.is_set());
        stop.set();
        waiting.await.unwrap();
        stop.wait().await;
        assert!(stop.clone().is_set());
    }
}
