//! A wish to stop, as a value.
//!
//! Neighbours: the signal handlers of `daemon/` and `cli/` make it, the runner hands it to every job. Promise: it is
//! never taken back, and everyone who holds a copy sees it.

use std::sync::Arc;
use tokio::sync::watch;

/// A wish to stop. Copies share it.
#[derive(Debug, Clone)]
pub struct Stop(Arc<watch::Sender<bool>>);

impl Default for Stop {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(false)))
    }
}

impl Stop {
    /// One that nobody has asked for yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks everyone who holds a copy to stop.
    pub fn set(&self) {
        self.0.send_replace(true);
    }

    /// Whether stopping was asked for.
    pub fn is_set(&self) -> bool {
        *self.0.borrow()
    }

    /// Returns when stopping is asked for, at once if it was.
    pub async fn wait(&self) {
        // The sender lives in `self`, so this cannot end in another way.
        let _ = self.0.subscribe().wait_for(|asked| *asked).await;
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
