//! The circuit breaker: a backend that keeps failing is left alone for a while.
//!
//! Neighbours: wraps any backend; the caller persists the snapshot and words what it shows. Promise: CLOSED until
//! `failure_threshold` failures in a row, OPEN for `recovery_timeout`, then `HALF_OPEN` for one trial; removals always go
//! through, because a bypassed cache must not forget what it was told.

use super::{
    Address, Draft, Fill, Look, Meta, Record, Removed, Revise, Select, Size, Standing, Store, StoreError, Stored,
    Sweep, Swept,
};
use crate::clock::{Clock, UnixMillis, millis};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a breaker does with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum BreakerState {
    /// Lets it through.
    #[default]
    Closed,
    /// Refuses it.
    Open,
    /// Lets one through, to see.
    HalfOpen,
}

impl fmt::Display for BreakerState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            BreakerState::Closed => "CLOSED",
            BreakerState::Open => "OPEN",
            BreakerState::HalfOpen => "HALF_OPEN",
        })
    }
}

/// A breaker's memory, to be kept between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
pub struct BreakerSnapshot {
    /// What it does.
    pub state: BreakerState,
    /// Failures in a row.
    pub failure_count: u32,
    /// When the last of them was.
    pub last_failure_time: Option<UnixMillis>,
}

impl BreakerSnapshot {
    /// It as it looks at `now`: OPEN is `HALF_OPEN` once a trial is due.
    #[must_use]
    pub fn at(self, now: UnixMillis, recovery_timeout: Duration) -> BreakerSnapshot {
        let due = self.state == BreakerState::Open && self.is_due(now, recovery_timeout);
        BreakerSnapshot { state: if due { BreakerState::HalfOpen } else { self.state }, ..self }
    }

    /// A last failure in the future means that the clock was set back: no reason to wait.
    fn is_due(&self, now: UnixMillis, recovery_timeout: Duration) -> bool {
        let waited = now - self.last_failure_time.unwrap_or(0);
        waited < 0 || waited >= millis(recovery_timeout)
    }
}

/// A layer that counts the failures of the backend under it.
pub struct Breaker<S> {
    inner: S,
    clock: Arc<dyn Clock>,
    failure_threshold: u32,
    recovery_timeout: Duration,
    memory: Mutex<BreakerSnapshot>,
}

impl<S: Store> Breaker<S> {
    /// A breaker around `inner` that remembers `initial`. A threshold of 0 is taken as 1.
    pub fn new(
        inner: S,
        clock: Arc<dyn Clock>,
        failure_threshold: u32,
        recovery_timeout: Duration,
        initial: BreakerSnapshot,
    ) -> Breaker<S> {
        // A trial that another process left unfinished is nobody's: OPEN, and due as soon as the time is up.
        let state = if initial.state == BreakerState::HalfOpen { BreakerState::Open } else { initial.state };
        let memory = Mutex::new(BreakerSnapshot { state, ..initial });
        Breaker { inner, clock, failure_threshold: failure_threshold.max(1), recovery_timeout, memory }
    }

    /// What it remembers. OPEN shows as `HALF_OPEN` once a trial is due.
    pub fn snapshot(&self) -> BreakerSnapshot {
        let memory = *self.memory();
        memory.at(self.clock.now(), self.recovery_timeout)
    }

    /// Forgets all failures.
    pub fn close(&self) {
        *self.memory() = BreakerSnapshot::default();
    }

    /// The backend, for those who ask about it on purpose.
    pub fn inner(&self) -> &S {
        &self.inner
    }

    fn memory(&self) -> MutexGuard<'_, BreakerSnapshot> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn guard<T>(&self, work: impl FnOnce(&S) -> Result<T, StoreError>) -> Result<T, StoreError> {
        {
            let mut memory = self.memory();
            match memory.state {
                BreakerState::Closed => {}
                BreakerState::Open if memory.is_due(self.clock.now(), self.recovery_timeout) => {
                    memory.state = BreakerState::HalfOpen;
                }
                BreakerState::Open | BreakerState::HalfOpen => return Err(StoreError::BreakerOpen),
            }
        }
        let trial = Trial(self);
        let done = work(&self.inner);
        self.judge(done.as_ref().err());
        std::mem::forget(trial);
        done
    }

    fn judge(&self, error: Option<&StoreError>) {
        match error {
            Some(error) if !error.is_harmless() => self.fail(),
            _ => {
                let mut memory = self.memory();
                // A success that began before others opened it says nothing about now.
                if memory.state != BreakerState::Open {
                    *memory = BreakerSnapshot::default();
                }
            }
        }
    }

    fn fail(&self) {
        let now = self.clock.now();
        let mut memory = self.memory();
        memory.failure_count = memory.failure_count.saturating_add(1);
        memory.last_failure_time = Some(now);
        if memory.state == BreakerState::HalfOpen || memory.failure_count >= self.failure_threshold {
            memory.state = BreakerState::Open;
        }
    }
}

/// Ends a trial that a panic cut short as a failure, so that the breaker does not wait for it forever.
struct Trial<'a, S: Store>(&'a Breaker<S>);

impl<S: Store> Drop for Trial<'_, S> {
    fn drop(&mut self) {
        self.0.fail();
    }
}

struct Guarded<'a, S: Store> {
    draft: Box<dyn Draft + 'a>,
    breaker: &'a Breaker<S>,
}

impl<S: Store> Draft for Guarded<'_, S> {
    fn frame(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let draft = &mut self.draft;
        self.breaker.guard(|_| draft.frame(bytes))
    }

    fn publish(self: Box<Self>, meta: &Meta, since: u64) -> Result<bool, StoreError> {
        let Guarded { draft, breaker } = *self;
        breaker.guard(|_| draft.publish(meta, since))
    }
}

impl<S: Store> Store for Breaker<S> {
    fn backend(&self) -> &'static str {
        self.inner.backend()
    }

    fn view(&self, address: Address<'_>, look: Look<'_>) -> Result<bool, StoreError> {
        self.guard(|inner| inner.view(address, look))
    }

    fn sequence(&self) -> Result<u64, StoreError> {
        self.guard(S::sequence)
    }

    fn row(&self, address: Address<'_>) -> u64 {
        self.inner.row(address)
    }

    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<Standing, StoreError> {
        self.guard(|inner| inner.standing(address, now))
    }

    fn records(&self, since: u64) -> Result<Option<Vec<Record>>, StoreError> {
        self.guard(|inner| inner.records(since))
    }

    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError> {
        self.guard(|inner| inner.put(fills, since, begun))
    }

    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        self.guard(|inner| inner.revise(address, now, revise))
    }

    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn Draft + '_>, StoreError> {
        let mut draft = None;
        self.guard(|_| {
            draft = Some(self.inner.draft(begun)?);
            Ok(())
        })?;
        let draft = draft.ok_or(StoreError::BreakerOpen)?;
        Ok(Box::new(Guarded { draft, breaker: self }))
    }

    fn remove(
        &self,
        selections: &[Select],
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError> {
        let done = self.inner.remove(selections, fence_until, now);
        if self.memory().state == BreakerState::Closed {
            self.judge(done.as_ref().err());
        }
        done
    }

    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        self.inner.lower(fence, until)
    }

    fn discard(&self, address: Address<'_>, seal: u64) -> Result<(), StoreError> {
        self.guard(|inner| inner.discard(address, seal))
    }

    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.guard(|inner| inner.scan(selection, visit))
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        self.guard(|inner| inner.sweep(sweep))
    }

    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        self.guard(|inner| inner.touch(uses))
    }

    fn size(&self) -> Result<Size, StoreError> {
        self.guard(S::size)
    }

    fn settle(&self) -> Result<(), StoreError> {
        self.guard(S::settle)
    }
}
