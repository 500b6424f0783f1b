//! Time, waiting and chance, so that a test can do without all three.
//!
//! Microseconds, which the steps of a rate of hundreds a second need, by the clock that all processes of the host
//! share.

use crate::clock::{self, UnixMicros};
use async_trait::async_trait;
use std::time::Duration;

/// What the pace is kept by.
#[async_trait]
pub trait Time: Send + Sync {
    /// The current time.
    fn now(&self) -> UnixMicros;
    /// Waits.
    async fn sleep(&self, time: Duration);
    /// A number from 0 to below 1, for the jitter.
    fn random(&self) -> f64;
}

/// The host's.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostTime;

#[async_trait]
impl Time for HostTime {
    fn now(&self) -> UnixMicros {
        // The offset that `debug.clock_offset` gives the other clock moves ages; a turn in a queue has none.
        clock::micros()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }
}
