//! The store as far as it could be opened, and the breaker state that goes with it.

use crate::state::{BreakerStatus, PersistedBreaker, WritesMark};
use crate::store::{BreakerLayer, BreakerSide, BreakerSnapshot, BreakerState, Encrypted, Store, StoreFault};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// The disk store behind its breaker.
pub(super) type DiskBreaker = BreakerLayer<Encrypted>;

/// A store, or the empty one in its place, and why.
#[derive(Clone)]
pub(super) struct OpenedStore {
    pub(super) store: Arc<dyn Store>,
    pub(super) breaker: Option<Arc<DiskBreaker>>,
    /// If it could not be opened: the breaker state that counts this failure.
    pub(super) failed: Option<PersistedBreaker>,
    pub(super) problem: Option<String>,
    /// The kind of that problem.
    pub(super) fault: Option<StoreFault>,
    /// Whether the stored data is damaged, so that only a new cache helps.
    pub(super) is_damaged: bool,
    /// Whether the problem is the encryption key.
    pub(super) is_locked: bool,
}

impl OpenedStore {
    /// Whether the store itself answers; one without its key still invalidates.
    pub(super) fn is_usable(&self) -> bool {
        self.problem.is_none() || self.is_locked
    }

    /// The breaker state after the last use of the store by this process.
    pub(super) fn learned(&self) -> Option<PersistedBreaker> {
        self.breaker.as_ref().map(|breaker| mark(&breaker.snapshot())).or(self.failed)
    }
}

/// The stores that one application opened.
#[derive(Default)]
pub(super) struct OpenedStores {
    /// The first attempt, which may have left a command without a store.
    pub(super) first: OnceLock<OpenedStore>,
    /// The store of a second attempt, after a first that failed.
    pub(super) retried: OnceLock<OpenedStore>,
    /// The breaker state since a long-running program could not open the store.
    unopened: Mutex<Option<PersistedBreaker>>,
}

impl OpenedStores {
    /// Those of an application that takes over an opened store.
    pub(super) fn taken_over(opened: Option<OpenedStore>) -> OpenedStores {
        OpenedStores { first: opened.map(OnceLock::from).unwrap_or_default(), ..OpenedStores::default() }
    }

    /// The store in use.
    pub(super) fn live(&self) -> Option<&OpenedStore> {
        self.retried.get().or_else(|| self.first.get())
    }

    /// The disk store in use, with its breaker.
    pub(super) fn disk(&self) -> Option<&Arc<DiskBreaker>> {
        self.live()?.breaker.as_ref()
    }

    /// The breaker state since the store could not be opened.
    pub(super) fn unopened(&self) -> Option<PersistedBreaker> {
        *self.unopened.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn set_unopened(&self, breaker: PersistedBreaker) {
        *self.unopened.lock().unwrap_or_else(PoisonError::into_inner) = Some(breaker);
    }
}

pub(super) fn mark(snapshot: &BreakerSnapshot) -> PersistedBreaker {
    let word = |state| match state {
        BreakerState::Closed => BreakerStatus::Closed,
        BreakerState::Open => BreakerStatus::Open,
        BreakerState::HalfOpen => BreakerStatus::HalfOpen,
    };
    let BreakerSnapshot { reads, writes } = snapshot;
    PersistedBreaker {
        state: word(reads.state),
        failure_count: reads.failure_count,
        last_failure_time: reads.last_failure_time,
        is_full: reads.is_full,
        writes: WritesMark {
            state: word(writes.state),
            failure_count: writes.failure_count,
            last_failure_time: writes.last_failure_time,
            is_full: writes.is_full,
        },
    }
}

pub(super) fn snapshot(mark: &PersistedBreaker) -> BreakerSnapshot {
    let side = |state, failure_count, last_failure_time: Option<i64>, is_full| BreakerSide {
        state: match state {
            BreakerStatus::Closed => BreakerState::Closed,
            BreakerStatus::Open => BreakerState::Open,
            BreakerStatus::HalfOpen => BreakerState::HalfOpen,
        },
        failure_count,
        last_failure_time,
        is_full,
    };
    let writes = &mark.writes;
    BreakerSnapshot {
        reads: side(mark.state, mark.failure_count, mark.last_failure_time, mark.is_full),
        writes: side(writes.state, writes.failure_count, writes.last_failure_time, writes.is_full),
    }
}
