//! Fence and close: how a change reaches every process that shares the cache, whatever state the cache is in.
//!
//! Bypassing is not forgetting: a disabled cache, a private backend and an open breaker stop hits and fills, never
//! this; when nothing can be recorded the whole generation is retired, and only when that fails too does the change
//! end as an error.

use super::{CacheError, Dirt, covered_by};
use crate::clock::{Clock, UnixMillis, millis};
use crate::store::{Address, Select, Store, StoreError};
use std::sync::Arc;
use std::time::Duration;

/// The least time that a fence lasts if no process closes it: longer than AWS takes for anything that it continues by
/// itself, so that a writer that died, or whose answer was lost, is covered. A change that takes longer raises it again.
pub const FENCE: Duration = Duration::from_mins(5);

/// The part of a store that changes need, also where reads are disabled.
pub trait SharedStore: Send + Sync {
    /// The store itself, without a breaker in front; opened when it is first needed.
    fn store(&self) -> Result<Arc<dyn Store>, StoreError>;

    /// Makes every process start cold; needs no space and no intact database. A new generation stores and serves nothing
    /// that was fetched before `until`, as if the fence had been recorded.
    fn retire(&self, until: Option<UnixMillis>, now: UnixMillis) -> Result<(), StoreError>;

    /// Lets the fence that [`SharedStore::retire`] left for `until` at `now` end with `new` instead.
    fn shorten(&self, until: UnixMillis, now: UnixMillis, new: UnixMillis);

    /// What is left when even that fails: disables the store on this host until it is repaired.
    fn distrust(&self, reason: &str) -> Result<(), StoreError>;
}

/// What became of telling the stores.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedInvalidation {
    /// The number that the records got in each store; `None` where nothing could be recorded, and the store starts empty.
    numbers: Vec<Option<u64>>,
    /// When the records were written, or the stores retired instead.
    at: UnixMillis,
    /// Until when the fence stands.
    until: Option<UnixMillis>,
    /// Entries that went, as far as they were counted.
    pub entries: u64,
}

impl RecordedInvalidation {
    /// Whether a store was retired because it could not record the change.
    pub fn retired(&self) -> bool {
        self.numbers.contains(&None)
    }
}

/// What the logs said when the before-image of a change began to be read.
#[derive(Debug, Clone)]
pub struct Witness {
    numbers: Vec<Option<u64>>,
}

/// All stores that a change must reach.
#[derive(Clone)]
pub struct Fences {
    stores: Vec<Arc<dyn SharedStore>>,
    clock: Arc<dyn Clock>,
    settle: Duration,
    keep: Duration,
}

impl Fences {
    /// Over these stores; after its end a change keeps its fence for `settle`, in which AWS comes to agree with itself.
    pub fn new(stores: Vec<Arc<dyn SharedStore>>, clock: Arc<dyn Clock>, settle: Duration) -> Fences {
        Fences { stores, clock, settle, keep: FENCE }
    }

    /// The same for calls that may take so long, repeats included: their fences stand for longer than that.
    #[must_use]
    pub fn outlasting(self, call: Duration) -> Fences {
        Fences { keep: FENCE.max(call.saturating_mul(2)), ..self }
    }

    /// How long a fence lasts if no process closes it.
    pub fn keep(&self) -> Duration {
        self.keep
    }

    /// Before the change: nothing that it makes false is served or stored from here on, what programs keep included. The fence stands for
    /// [`Fences::keep`] when it is not closed.
    pub fn raise(&self, space: &str, dirt: &[Dirt]) -> Result<RecordedInvalidation, CacheError> {
        self.record(Some(space), dirt, Some(self.keep))
    }

    /// After the change: what was stored meanwhile goes too, and the fence that was raised ends with `settle`.
    pub fn close(
        &self,
        space: &str,
        dirt: &[Dirt],
        raised: Option<&RecordedInvalidation>,
    ) -> Result<RecordedInvalidation, CacheError> {
        // First what a retirement left: the generation that the record below begins takes it over as it is then.
        if let Some((raised, stood)) = raised.and_then(|raised| Some((raised, raised.until?))) {
            let retired = self.stores.iter().zip(&raised.numbers).filter(|(_, number)| number.is_none());
            let until = self.clock.now().saturating_add(millis(self.settle));
            retired.for_each(|(shared, _)| shared.shorten(stood, raised.at, until));
        }
        let recorded = self.record(Some(space), dirt, Some(self.settle))?;
        let until = self.clock.now().saturating_add(millis(self.settle));
        for (shared, number) in self.stores.iter().zip(raised.iter().flat_map(|raised| &raised.numbers)) {
            if let (Some(number), Ok(store)) = (number, shared.store()) {
                // A fence that could not be lowered only stands for longer.
                let _ = store.lower(*number, until);
            }
        }
        Ok(recorded)
    }

    /// Records and deletes without a fence: for a change that was made elsewhere, in one space or in all.
    pub fn invalidate(&self, space: Option<&str>, dirt: &[Dirt]) -> Result<RecordedInvalidation, CacheError> {
        self.record(space, dirt, None)
    }

    /// Where the logs stand before a before-image is read.
    pub fn witness(&self) -> Witness {
        let number = |shared: &Arc<dyn SharedStore>| shared.store().and_then(|store| store.sequence()).ok();
        Witness { numbers: self.stores.iter().map(number).collect() }
    }

    /// Whether another change may have come between the reading of a before-image and now: one that touched a key of
    /// `dirt`, other than the one that raised `own`. If it cannot be determined, it counts as one.
    pub fn overtaken(&self, witness: &Witness, space: &str, dirt: &[Dirt], own: Option<&RecordedInvalidation>) -> bool {
        let own: Vec<Option<u64>> = own.map(|recorded| recorded.numbers.clone()).unwrap_or_default();
        let touched = |(at, shared): (usize, &Arc<dyn SharedStore>)| {
            let since = witness.numbers.get(at).copied().flatten()?;
            let records = shared.store().ok()?.records(since).ok()??;
            let mine = own.get(at).copied().flatten();
            let foreign = records.iter().filter(|record| Some(record.sequence) != mine);
            Some(foreign.into_iter().any(|record| covers_any(&record.select, space, dirt)))
        };
        self.stores.iter().enumerate().any(|store| touched(store).unwrap_or(true))
    }

    /// Whether the change of another process is still under way, or has only just ended, for a key of `dirt`.
    pub fn unsettled(&self, space: &str, dirt: &[Dirt]) -> bool {
        let now = self.clock.now();
        let fenced = |shared: &Arc<dyn SharedStore>, key: &str| {
            shared.store().and_then(|store| store.standing(Address { space, key }, now)).is_ok_and(|is| is.fenced)
        };
        dirt.iter().filter_map(key_of).any(|key| self.stores.iter().any(|shared| fenced(shared, key)))
    }

    fn record(
        &self,
        space: Option<&str>,
        dirt: &[Dirt],
        keep: Option<Duration>,
    ) -> Result<RecordedInvalidation, CacheError> {
        let now = self.clock.now();
        let until = keep.map(|keep| now.saturating_add(millis(keep)));
        let selections = covered_by(dirt, space);
        let mut recorded = RecordedInvalidation { at: now, until, ..RecordedInvalidation::default() };
        let mut lost = None;
        for shared in &self.stores {
            match shared.store().and_then(|store| store.remove(&selections, until, now)) {
                Ok(removed) => {
                    recorded.numbers.push(Some(removed.sequence));
                    recorded.entries += removed.entries;
                }
                Err(fault) => {
                    fault.log();
                    recorded.numbers.push(None);
                    if let Err(worse) = shared.retire(until, now) {
                        tracing::error!("CacheError CacheInvalidationError: a change could not be recorded: {worse}");
                        // Even then no process of this host must serve the old answer.
                        let _ = shared.distrust(&worse.to_string());
                        lost = Some(CacheError::NotInvalidated(worse));
                    }
                }
            }
        }
        lost.map_or(Ok(recorded), Err)
    }
}

fn covers_any(select: &Select, space: &str, dirt: &[Dirt]) -> bool {
    dirt.iter().filter_map(key_of).any(|key| select.covers(Address { space, key }))
}

fn key_of(dirt: &Dirt) -> Option<&str> {
    match dirt {
        Dirt::Key(key) => Some(key.as_str()),
        Dirt::Glob(_) => None,
    }
}
