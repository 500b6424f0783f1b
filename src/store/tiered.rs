//! Memory in front of a store that other processes change too: for processes that live long.
//!
//! Before each hit the number of the store behind is compared, and every record that came since is applied here
//! too, so that this memory never knows less than the store; an entry that a record overtook on its way into the
//! memory is refused by the same rule as a fill. A store that cannot say its number answers nothing from here
//! either.

use crate::clock::{Clock, UnixMillis};
use crate::store::Address;
use crate::store::EntryWriter;
use crate::store::Fill;
use crate::store::Frames;
use crate::store::InvalidationRecord;
use crate::store::InvalidationState;
use crate::store::Memory;
use crate::store::Meta;
use crate::store::Removed;
use crate::store::Revise;
use crate::store::Select;
use crate::store::Size;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Stored;
use crate::store::Sweep;
use crate::store::Swept;
use crate::store::ViewCallback;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

/// Longer entries are read from the store behind each time: a few of them would drive out all others.
const LONGEST: u64 = 4 * 1024 * 1024;

/// The layer.
pub struct Tiered<S> {
    memory: Memory,
    behind: S,
    clock: Arc<dyn Clock>,
    /// The number of the store behind up to which its records are applied here.
    known: Mutex<Option<u64>>,
}

impl<S: Store> Tiered<S> {
    /// At most so many bytes of memory in front of `behind`.
    pub fn new(behind: S, max_bytes: u64, clock: Arc<dyn Clock>) -> Tiered<S> {
        Tiered { memory: Memory::new(max_bytes, 0), behind, clock, known: Mutex::new(None) }
    }

    /// Applies what the store behind has recorded since; gives the number that a fill of the memory starts from.
    fn follow(&self) -> Result<u64, StoreError> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let number = self.behind.sequence()?;
        if *known != Some(number) {
            let records = known.map(|known| self.behind.records(known)).transpose()?.flatten();
            match records {
                Some(records) => {
                    for InvalidationRecord { select, deadline, at, .. } in records {
                        self.memory.remove(&[select], deadline, at)?;
                    }
                }
                // Another generation, or a pause longer than the log remembers.
                None => drop(self.memory.remove(&[Select::All], None, self.clock.now())?),
            }
            *known = Some(number);
        }
        self.memory.sequence()
    }

    fn forget(&self, address: Address<'_>) {
        let select = Select::Exact { space: address.space.to_owned(), key: address.key.to_owned() };
        // Memory has no way to refuse.
        let _ = self.memory.remove(&[select], None, self.clock.now());
    }
}

/// Frames that were read once and are kept.
struct CachedFrames<'a>(&'a [Vec<u8>], &'a str);

impl Frames for CachedFrames<'_> {
    fn read(&mut self, index: u32, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let frame = usize::try_from(index).ok().and_then(|index| self.0.get(index));
        let frame = frame.ok_or_else(|| StoreError::Damaged { key: self.1.into(), reason: "a frame is missing" })?;
        buffer.clear();
        buffer.extend_from_slice(frame);
        Ok(())
    }
}

struct Behind<'a, S> {
    draft: Box<dyn EntryWriter + 'a>,
    near: &'a Tiered<S>,
}

impl<S: Store> EntryWriter for Behind<'_, S> {
    fn frame(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.draft.frame(bytes)
    }

    fn publish(self: Box<Self>, meta: &Meta, since: u64) -> Result<bool, StoreError> {
        let published = self.draft.publish(meta, since);
        self.near.forget(Address { space: &meta.space, key: &meta.key });
        published
    }
}

impl<S: Store> Store for Tiered<S> {
    fn backend(&self) -> &'static str {
        self.behind.backend()
    }

    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        let since = self.follow()?;
        if self.memory.view(address, look)? {
            return Ok(true);
        }
        self.behind.view(address, &mut |meta, frames| {
            if meta.held > LONGEST {
                return look(meta, frames);
            }
            let mut all = Vec::new();
            for index in 0..meta.frames {
                let mut frame = Vec::new();
                frames.read(index, &mut frame)?;
                all.push(frame);
            }
            look(meta, &mut CachedFrames(&all, &meta.key))?;
            self.memory.put(&[Fill { meta: meta.clone(), frames: all }], since, self.clock.now()).map(drop)
        })
    }

    fn stores(&self) -> bool {
        self.behind.stores()
    }

    fn sequence(&self) -> Result<u64, StoreError> {
        self.behind.sequence()
    }

    fn row(&self, address: Address<'_>) -> u64 {
        self.behind.row(address)
    }

    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError> {
        self.behind.standing(address, now)
    }

    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError> {
        self.behind.records(since)
    }

    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError> {
        let stored = self.behind.put(fills, since, begun);
        for fill in fills {
            self.forget(Address { space: &fill.meta.space, key: &fill.meta.key });
        }
        stored
    }

    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        let revised = self.behind.revise(address, now, revise);
        self.forget(address);
        revised
    }

    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
        Ok(Box::new(Behind { draft: self.behind.draft(begun)?, near: self }))
    }

    fn remove(
        &self,
        selections: &[Select],
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError> {
        self.memory.remove(selections, fence_until, now)?;
        self.behind.remove(selections, fence_until, now)
    }

    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        self.behind.lower(fence, until)
    }

    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.behind.fences_ahead(now)
    }

    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError> {
        self.behind.correct_clock(now)
    }

    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError> {
        self.memory.discard(address, checksum)?;
        self.behind.discard(address, checksum)
    }

    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.behind.scan(selection, visit)
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let swept = self.behind.sweep(sweep)?;
        if swept.entries() > 0 && !sweep.dry_run {
            self.memory.sweep(&Sweep { entries: Some((0, 0)), ..*sweep })?;
        }
        Ok(swept)
    }

    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        self.behind.touch(uses)
    }

    fn size(&self) -> Result<Size, StoreError> {
        self.behind.size()
    }

    fn settle(&self) -> Result<(), StoreError> {
        self.behind.settle()
    }
}
