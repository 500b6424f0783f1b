//! A request to stop, shared by all clones.
//!
//! The clone of a job's work also holds the job's lock. Work that cannot be aborted (a thread that waits for a disk)
//! thereby keeps other runs from starting.

use crate::jobs::lock::JobLock;
use std::sync::Arc;
use tokio::sync::watch;

/// A request to stop. Clones share it; it cannot be withdrawn.
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
    /// A request that is not set.
    pub fn new() -> Self {
        Self::default()
    }

    /// One that holds a lock until its last clone is dropped.
    pub(super) fn holding(lock: Arc<JobLock>) -> Self {
        Self { _held: Some(lock), ..Self::default() }
    }

    /// Requests all holders of a clone to stop.
    pub fn set(&self) {
        self.wish.send_replace(true);
    }

    /// Whether a stop is requested.
    pub fn is_set(&self) -> bool {
        *self.wish.borrow()
    }

    /// Changes to `true` when it is set.
    pub fn subscribe(&self) -> watch::Receiver<bool> {
        self.wish.subscribe()
    }

    /// Returns when a stop is requested.
    pub async fn wait(&self) {
        // The sender is part of `self`, so this cannot fail.
        let _ = self.wish.subscribe().wait_for(|asked| *asked).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn every_clone_sees_the_request_even_later() {
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
