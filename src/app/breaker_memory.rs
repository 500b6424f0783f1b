//! The circuit breaker as one process sees it: its own record, or the one that other processes kept.

use crate::app::core::App;
use crate::app::opened_store::{OpenedStore, mark, snapshot};
use crate::host;
use crate::state::PersistedBreaker;
use crate::store::BreakerSnapshot;

/// Free bytes from which on a store that a full disk stopped is tried again.
const FREE_BYTES_TO_RETRY: u64 = 1024 * 1024;

/// The state of the circuit breaker.
pub struct BreakerMemory<'a> {
    app: &'a App,
}

impl<'a> BreakerMemory<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> BreakerMemory<'a> {
        BreakerMemory { app }
    }

    /// The breaker as this process sees it.
    pub fn current(&self) -> PersistedBreaker {
        self.app.stores.live().and_then(OpenedStore::learned).unwrap_or_else(|| mark(&self.recorded_now()))
    }

    /// What other processes kept of it, or this one learned since, as it looks now.
    pub(super) fn recorded_now(&self) -> BreakerSnapshot {
        let recovery = self.app.config().cache.breaker.recovery_timeout;
        self.remembered().at(self.app.clock().now(), recovery)
    }

    /// What is remembered of the breaker. One that a full disk opened is due for its trial as soon as there is room.
    pub(super) fn remembered(&self) -> BreakerSnapshot {
        let found = snapshot(&self.known());
        if !found.waits_for_room() {
            return found;
        }
        let free = host::free_space(self.app.cache_dir()).map_or(0, |space| space.free);
        if free < FREE_BYTES_TO_RETRY { found } else { found.with_room() }
    }

    fn known(&self) -> PersistedBreaker {
        self.app.stores.unopened().unwrap_or_else(|| self.recorded())
    }

    pub(super) fn recorded(&self) -> PersistedBreaker {
        self.app.switch().0.breaker(self.app.cache_dir())
    }
}
