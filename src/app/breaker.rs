//! Closes the circuit breaker by hand, after a probe of the store.
//!
//! The breaker stays as it is where the probe fails.

use super::{App, AppError, SelfTest};
use crate::state::PersistedBreaker;
use crate::store::Store;
use serde::Serialize;
use std::sync::Arc;

/// What came of a reset.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct BreakerReset {
    /// The version of this document.
    pub schema_version: u32,
    /// Whether the breaker is closed now.
    pub closed: bool,
    /// The state before: `CLOSED`, `OPEN`, `HALF_OPEN`.
    pub was: &'static str,
    /// The state of writes before.
    pub writes_were: &'static str,
    /// Failures in a row before, of reads and writes.
    pub failure_count: u32,
    /// The probe: an entry is stored, read, expired and deleted.
    pub probe: SelfTest,
}

impl App {
    /// Probes the store past the breaker and closes the breaker when the probe passes.
    pub fn reset_breaker(&self) -> Result<BreakerReset, AppError> {
        let mark = self.breaker();
        let probe = if self.is_memory() {
            self.trial()?
        } else {
            let store: Arc<dyn Store> = Arc::new(self.open_disk()?);
            self.trial_on(&store)
        };
        if probe.ok {
            self.state().set_breaker(self.cache_dir(), PersistedBreaker::default(), self.clock().now())?;
        }
        Ok(BreakerReset {
            schema_version: 1,
            closed: probe.ok,
            was: mark.state.as_str(),
            writes_were: mark.writes.state.as_str(),
            failure_count: mark.failure_count.saturating_add(mark.writes.failure_count),
            probe,
        })
    }
}
