//! Closes the circuit breaker by hand, after a probe of the store.
//!
//! The breaker stays as it is where the probe fails.

use crate::app::breaker_memory::BreakerMemory;
use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::self_test::{SelfTest, SelfTester};
use crate::app::stack::StoreStack;
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

/// Resets the circuit breaker.
pub struct BreakerAdmin<'a> {
    app: &'a App,
}

impl<'a> BreakerAdmin<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> BreakerAdmin<'a> {
        BreakerAdmin { app }
    }

    /// Probes the store past the breaker and closes the breaker when the probe passes.
    pub fn reset(&self) -> Result<BreakerReset, AppError> {
        let mark = BreakerMemory::new(self.app).current();
        let probe = if self.app.is_memory() {
            SelfTester::new(self.app).run()?
        } else {
            let store: Arc<dyn Store> = Arc::new(StoreStack::new(self.app).open_disk()?);
            SelfTester::new(self.app).run_on(&store)
        };
        if probe.ok {
            self.app.state().set_breaker(self.app.cache_dir(), PersistedBreaker::default(), self.app.clock().now())?;
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
