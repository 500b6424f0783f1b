//! The circuit breaker: a backend that keeps failing is left alone for a while.
//!
//! CLOSED until `failure_threshold` failures in a row, OPEN for `recovery_timeout`, then `HALF_OPEN` for one trial;
//! reads and stores are judged apart, so that a stuck writer does not stop reads, and no read that
//! works hides it; removals always go through, because a bypassed cache must not lose an invalidation.

use super::{
    Address, EntryWriter, Fill, InvalidationRecord, InvalidationState, Meta, Removed, Revise, Select, Size, Store,
    StoreError, StoreFault, Stored, Sweep, Swept, ViewCallback,
};
use crate::clock::{Clock, UnixMillis, millis};
use std::fmt;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// What a breaker does with an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
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

/// What is remembered of one kind of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BreakerSide {
    /// What it does.
    pub state: BreakerState,
    /// Failures in a row.
    pub failure_count: u32,
    /// When the last of them was.
    pub last_failure_time: Option<UnixMillis>,
    /// Whether the last of them was a full disk: then it is tried again as soon as there is room.
    pub is_full: bool,
}

impl BreakerSide {
    /// It as it looks at `now`: OPEN is `HALF_OPEN` once a trial is due.
    #[must_use]
    pub fn at(self, now: UnixMillis, recovery_timeout: Duration) -> BreakerSide {
        let due = self.state == BreakerState::Open && self.is_due(now, recovery_timeout);
        BreakerSide { state: if due { BreakerState::HalfOpen } else { self.state }, ..self }
    }

    /// A last failure in the future means that the clock was set back: no reason to wait.
    fn is_due(&self, now: UnixMillis, recovery_timeout: Duration) -> bool {
        let waited = now - self.last_failure_time.unwrap_or(0);
        waited < 0 || waited >= millis(recovery_timeout)
    }

    /// A trial that another process left unfinished counts for none: OPEN, and due as soon as the time is up.
    fn inherited(self) -> BreakerSide {
        let state = if self.state == BreakerState::HalfOpen { BreakerState::Open } else { self.state };
        BreakerSide { state, ..self }
    }

    /// Lets one in, if one may go in; whether that is the trial.
    fn enter(&mut self, now: UnixMillis, recovery_timeout: Duration) -> Option<bool> {
        match self.state {
            BreakerState::Closed => Some(false),
            BreakerState::Open if self.is_due(now, recovery_timeout) => {
                self.state = BreakerState::HalfOpen;
                Some(true)
            }
            BreakerState::Open | BreakerState::HalfOpen => None,
        }
    }

    /// A success. One that began before others opened it says nothing about now.
    fn heal(&mut self) {
        if self.state != BreakerState::Open {
            *self = BreakerSide::default();
        }
    }

    fn fail(&mut self, now: UnixMillis, threshold: u32, is_full: bool) {
        self.is_full = is_full;
        self.failure_count = self.failure_count.saturating_add(1);
        self.last_failure_time = Some(now);
        if self.state == BreakerState::HalfOpen || self.failure_count >= threshold {
            self.state = BreakerState::Open;
        }
    }
}

/// A breaker's memory, to be kept between processes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct BreakerSnapshot {
    /// What is remembered of reads: while they are refused, so is everything else.
    pub reads: BreakerSide,
    /// What is remembered of stores. While they alone are refused, reads go on.
    pub writes: BreakerSide,
}

impl BreakerSnapshot {
    /// It as it looks at `now`: OPEN is `HALF_OPEN` once a trial is due.
    #[must_use]
    pub fn at(self, now: UnixMillis, recovery_timeout: Duration) -> BreakerSnapshot {
        BreakerSnapshot { reads: self.reads.at(now, recovery_timeout), writes: self.writes.at(now, recovery_timeout) }
    }

    /// It where there is room on the disk: a side that a full disk opened is due for its trial.
    #[must_use]
    pub fn with_room(self) -> BreakerSnapshot {
        let due = |side: BreakerSide| {
            let last_failure_time = side.last_failure_time.filter(|_| !side.is_full);
            BreakerSide { last_failure_time, ..side }
        };
        BreakerSnapshot { reads: due(self.reads), writes: due(self.writes) }
    }

    /// Whether a full disk opened a side.
    pub fn waits_for_room(self) -> bool {
        [self.reads, self.writes].iter().any(|side| side.is_full && side.state == BreakerState::Open)
    }

    /// After a backend that could not even be opened, which is no use for anything.
    #[must_use]
    pub fn failed(self, now: UnixMillis, failure_threshold: u32, is_full: bool) -> BreakerSnapshot {
        let mut reads = self.reads;
        reads.fail(now, failure_threshold.max(1), is_full);
        BreakerSnapshot { reads, ..self }
    }
}

/// A layer that counts the failures of the backend under it.
pub struct BreakerLayer<S> {
    inner: S,
    clock: Arc<dyn Clock>,
    failure_threshold: u32,
    recovery_timeout: Duration,
    memory: Mutex<BreakerSnapshot>,
}

impl<S: Store> BreakerLayer<S> {
    /// A breaker around `inner` that remembers `initial`. A threshold of 0 is taken as 1.
    pub fn new(
        inner: S,
        clock: Arc<dyn Clock>,
        failure_threshold: u32,
        recovery_timeout: Duration,
        initial: BreakerSnapshot,
    ) -> BreakerLayer<S> {
        let (reads, writes) = (initial.reads.inherited(), initial.writes.inherited());
        let memory = Mutex::new(BreakerSnapshot { reads, writes });
        BreakerLayer { inner, clock, failure_threshold: failure_threshold.max(1), recovery_timeout, memory }
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

    /// What reads.
    fn reading<T>(&self, work: impl FnOnce(&S) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.memory().reads.enter(self.clock.now(), self.recovery_timeout).is_none() {
            return Err(StoreError::BreakerOpen);
        }
        let trial = BreakerPermit { breaker: self, reads: true, writes: false };
        let done = work(&self.inner);
        trial.end(done.as_ref().err());
        done
    }

    /// What stores: let in by both sides. It speaks for reads only where it is their trial.
    fn storing<T>(&self, work: impl FnOnce(&S) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let reads = {
            let (now, mut memory) = (self.clock.now(), self.memory());
            let Some(reads) = memory.reads.enter(now, self.recovery_timeout) else {
                return Err(StoreError::BreakerOpen);
            };
            if memory.writes.enter(now, self.recovery_timeout).is_none() {
                if reads {
                    memory.reads.state = BreakerState::Open;
                }
                return Err(StoreError::StoringPaused);
            }
            reads
        };
        let trial = BreakerPermit { breaker: self, reads, writes: true };
        let done = work(&self.inner);
        trial.end(done.as_ref().err());
        done
    }

    /// What makes room: the remedy must not wait for the illness to pass. It closes the side of stores when it `worked`.
    fn mending<T>(
        &self,
        work: impl FnOnce(&S) -> Result<T, StoreError>,
        worked: impl FnOnce(&T) -> bool,
    ) -> Result<T, StoreError> {
        if self.memory().reads.state != BreakerState::Closed {
            return self.reading(work);
        }
        let done = work(&self.inner);
        match &done {
            Ok(done) if worked(done) => self.memory().writes = BreakerSide::default(),
            Ok(_) => {}
            Err(error) => self.judge(Some(error), false, true),
        }
        done
    }

    fn judge(&self, error: Option<&StoreError>, reads: bool, writes: bool) {
        let (now, mut memory) = (self.clock.now(), self.memory());
        match error {
            Some(error) if !error.is_harmless() => {
                let is_full = error.fault() == StoreFault::DiskFull;
                if reads {
                    memory.reads.fail(now, self.failure_threshold, is_full);
                }
                if writes {
                    // A wait that used up its whole bound was enough of a try.
                    let threshold = if error.is_busy() { 1 } else { self.failure_threshold };
                    memory.writes.fail(now, threshold, is_full);
                }
            }
            _ => {
                if reads {
                    memory.reads.heal();
                }
                if writes {
                    memory.writes.heal();
                }
            }
        }
    }
}

/// A use that was let in. A panic that cuts it short is a failure, so that the breaker does not wait for it forever.
struct BreakerPermit<'a, S: Store> {
    breaker: &'a BreakerLayer<S>,
    reads: bool,
    writes: bool,
}

impl<S: Store> BreakerPermit<'_, S> {
    fn end(self, error: Option<&StoreError>) {
        self.breaker.judge(error, self.reads, self.writes);
        std::mem::forget(self);
    }
}

impl<S: Store> Drop for BreakerPermit<'_, S> {
    fn drop(&mut self) {
        let (now, threshold, mut memory) =
            (self.breaker.clock.now(), self.breaker.failure_threshold, self.breaker.memory());
        if self.reads {
            memory.reads.fail(now, threshold, false);
        }
        if self.writes {
            memory.writes.fail(now, threshold, false);
        }
    }
}

struct Guarded<'a, S: Store> {
    draft: Box<dyn EntryWriter + 'a>,
    breaker: &'a BreakerLayer<S>,
}

impl<S: Store> EntryWriter for Guarded<'_, S> {
    fn frame(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        let draft = &mut self.draft;
        self.breaker.storing(|_| draft.frame(bytes))
    }

    fn publish(self: Box<Self>, meta: &Meta, since: u64) -> Result<bool, StoreError> {
        let Guarded { draft, breaker } = *self;
        breaker.storing(|_| draft.publish(meta, since))
    }
}

impl<S: Store> Store for BreakerLayer<S> {
    fn backend(&self) -> &'static str {
        self.inner.backend()
    }

    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        self.reading(|inner| inner.view(address, look))
    }

    fn stores(&self) -> bool {
        let memory = self.snapshot();
        memory.reads.state != BreakerState::Open && memory.writes.state != BreakerState::Open && self.inner.stores()
    }

    fn sequence(&self) -> Result<u64, StoreError> {
        self.reading(S::sequence)
    }

    fn row(&self, address: Address<'_>) -> u64 {
        self.inner.row(address)
    }

    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError> {
        self.reading(|inner| inner.standing(address, now))
    }

    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError> {
        self.reading(|inner| inner.records(since))
    }

    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError> {
        if fills.is_empty() {
            // Nothing says nothing about the backend.
            return Ok(Stored::default());
        }
        self.storing(|inner| inner.put(fills, since, begun))
    }

    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        self.storing(|inner| inner.revise(address, now, revise))
    }

    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
        let mut draft = None;
        self.storing(|_| {
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
        if self.memory().reads.state == BreakerState::Closed {
            match &done {
                Ok(_) => self.memory().writes = BreakerSide::default(),
                Err(error) => self.judge(Some(error), false, true),
            }
        }
        done
    }

    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        self.inner.lower(fence, until)
    }

    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.reading(|inner| inner.fences_ahead(now))
    }

    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError> {
        // A store that only reads keeps its fences; the read that asks for this goes live and says nothing about stores.
        self.inner.correct_clock(now)
    }

    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError> {
        self.storing(|inner| inner.discard(address, checksum))
    }

    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.reading(|inner| inner.scan(selection, visit))
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let worked = |swept: &Swept| !sweep.dry_run && swept.entries() > 0;
        self.mending(|inner| inner.sweep(sweep), worked)
    }

    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        self.storing(|inner| inner.touch(uses))
    }

    fn size(&self) -> Result<Size, StoreError> {
        self.reading(S::size)
    }

    fn settle(&self) -> Result<(), StoreError> {
        self.mending(S::settle, |()| false)
    }
}
