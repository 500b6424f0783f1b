//! The memory backend: entries of this process only.
//!
//! The same contract as on disk, log, fences and drafts included. When it is full, the least recently used entries
//! go by themselves. Nothing expires by the wall clock: freshness is judged above, and a sweep drops what is past
//! its time.

use super::eviction::{Candidate, victims};
use super::{
    Address, EntryWriter, Fill, Frames, InvalidationState, Meta, Removed, Revise, Select, Size, Store, StoreError,
    Stored, Sweep, Swept, ViewCallback,
};
use crate::clock::UnixMillis;
use crate::model::matches;
use crate::store::invalidation_log;
use crate::store::invalidation_log::FillGuard;
use crate::store::invalidation_log::InvalidationRecord;
use crate::store::invalidation_log::can_judge;
use moka::notification::RemovalCause;
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use std::collections::{HashMap, VecDeque};
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What an entry takes besides its frames and texts.
const OVERHEAD: usize = 256;

type MemoryKey = (Arc<str>, Arc<str>);

#[derive(Debug)]
struct MemoryEntry {
    meta: Meta,
    frames: Vec<Vec<u8>>,
    used_at: AtomicI64,
}

impl MemoryEntry {
    fn address(&self) -> Address<'_> {
        Address { space: &self.meta.space, key: &self.meta.key }
    }

    fn meta(&self) -> Meta {
        Meta { used_at: self.used_at.load(Ordering::Relaxed), ..self.meta.clone() }
    }

    fn weight(&self) -> usize {
        let meta = &self.meta;
        let texts = 2 * (meta.space.len() + meta.key.len()) + meta.source.len();
        OVERHEAD + texts + self.frames.iter().map(Vec::len).sum::<usize>()
    }
}

#[derive(Debug, Default)]
struct MemoryLog {
    sequence: u64,
    floor: u64,
    records: VecDeque<InvalidationRecord>,
}

impl MemoryLog {
    /// What keeps out fills that started at `since`; `None` when the log cannot tell.
    fn gate(&self, since: u64, begun: UnixMillis) -> Option<FillGuard> {
        let judged = can_judge(since, self.floor, self.sequence);
        judged.then(|| FillGuard::new(self.records.iter().cloned(), since, begun))
    }

    fn date(&mut self, now: UnixMillis) {
        for record in self.records.iter_mut().filter(|record| record.is_ahead(now)) {
            *record = record.clone().dated_by(now);
        }
    }

    fn prune(&mut self, now: UnixMillis) {
        let (count, mut index, mut floor) = (self.records.len(), 0, self.floor);
        self.records.retain(|record| {
            index += 1;
            let spent = record.is_spent(count - index, now);
            if spent {
                floor = floor.max(record.sequence);
            }
            !spent
        });
        self.floor = floor;
    }
}

/// The memory backend.
#[derive(Debug)]
pub struct Memory {
    entries: Cache<MemoryKey, Arc<MemoryEntry>>,
    max_entries: u64,
    evicted: Arc<AtomicU64>,
    /// Held while entries are stored or removed, so that the log and the entries agree.
    log: Mutex<MemoryLog>,
}

impl Memory {
    /// A backend that holds at most so many bytes and entries; 0 is no limit.
    pub fn new(max_bytes: u64, max_entries: u64) -> Memory {
        let evicted = Arc::new(AtomicU64::new(0));
        let count = Arc::clone(&evicted);
        let mut builder = Cache::builder()
            .eviction_policy(EvictionPolicy::lru())
            .weigher(|_: &MemoryKey, item: &Arc<MemoryEntry>| u32::try_from(item.weight()).unwrap_or(u32::MAX))
            .eviction_listener(move |_, _, cause| {
                if cause == RemovalCause::Size {
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        if max_bytes > 0 {
            builder = builder.max_capacity(max_bytes);
        }
        Memory { entries: builder.build(), max_entries, evicted, log: Mutex::default() }
    }

    /// How many entries went because there was no room for them.
    pub fn evictions(&self) -> u64 {
        self.entries.run_pending_tasks();
        self.evicted.load(Ordering::Relaxed)
    }

    fn log(&self) -> MutexGuard<'_, MemoryLog> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn insert(&self, meta: &Meta, frames: Vec<Vec<u8>>) {
        let key = key(Address { space: &meta.space, key: &meta.key });
        let before = self.entries.get(&key).map_or(0, |item| item.used_at.load(Ordering::Relaxed));
        let used_at = AtomicI64::new(meta.used_at.max(before));
        self.entries.insert(key, Arc::new(MemoryEntry { meta: meta.clone(), frames, used_at }));
    }

    /// Makes room when there are too many entries. The caller holds the log.
    fn limit(&self) {
        if self.max_entries == 0 {
            return;
        }
        self.entries.run_pending_tasks();
        if self.entries.entry_count() > self.max_entries {
            let sweep = Sweep {
                now: UnixMillis::MAX,
                expired: false,
                stored_before: None,
                bytes: None,
                entries: Some((self.max_entries, self.max_entries)),
                first: &[],
                dry_run: false,
            };
            self.evicted.fetch_add(self.evict(&sweep).entries(), Ordering::Relaxed);
        }
    }

    fn evict(&self, sweep: &Sweep) -> Swept {
        let items: Vec<Arc<MemoryEntry>> = self.entries.iter().map(|(_, item)| item).collect();
        let candidates = items.iter().map(|item| Candidate {
            handle: item,
            stored_at: item.meta.stored_at,
            stale_until: item.meta.stale_until,
            used_at: item.used_at.load(Ordering::Relaxed),
            held: item.meta.held,
            yields: sweep.first.iter().any(|glob| matches(glob, &item.meta.key)),
        });
        let mut swept = Swept::default();
        for (candidate, reason) in victims(candidates.collect(), sweep) {
            if !sweep.dry_run {
                self.entries.invalidate(&key(candidate.handle.address()));
            }
            swept.count(reason, candidate.held);
        }
        swept
    }

    fn covered(&self, select: &Select) -> Vec<Arc<MemoryEntry>> {
        match select {
            Select::Exact { space, key: name } => {
                self.entries.get(&key(Address { space, key: name })).into_iter().collect()
            }
            _ => self.entries.iter().map(|(_, item)| item).filter(|item| select.covers(item.address())).collect(),
        }
    }
}

fn key(address: Address<'_>) -> MemoryKey {
    (address.space.into(), address.key.into())
}

struct MemoryView<'a>(&'a MemoryEntry);

impl Frames for MemoryView<'_> {
    fn read(&mut self, index: u32, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let frame = usize::try_from(index).ok().and_then(|index| self.0.frames.get(index));
        let damaged =
            || StoreError::Damaged { key: self.0.meta.key.clone(), reason: "it has fewer frames than were asked for" };
        let frame = frame.ok_or_else(damaged)?;
        buffer.clear();
        buffer.extend_from_slice(frame);
        Ok(())
    }
}

struct MemoryDraft<'a> {
    memory: &'a Memory,
    begun: UnixMillis,
    frames: Vec<Vec<u8>>,
}

impl EntryWriter for MemoryDraft<'_> {
    fn frame(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.frames.push(bytes.to_vec());
        Ok(())
    }

    fn publish(self: Box<Self>, meta: &Meta, since: u64) -> Result<bool, StoreError> {
        if usize::try_from(meta.frames) != Ok(self.frames.len()) {
            return Err(StoreError::Damaged { key: meta.key.clone(), reason: "its frames are not all written" });
        }
        let log = self.memory.log();
        let address = Address { space: &meta.space, key: &meta.key };
        let open = log.gate(since, self.begun).is_some_and(|gate| !gate.refuses(address));
        if open {
            self.memory.insert(meta, self.frames);
            self.memory.limit();
        }
        Ok(open)
    }
}

impl Store for Memory {
    fn backend(&self) -> &'static str {
        "memory"
    }

    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        let Some(item) = self.entries.get(&key(address)) else { return Ok(false) };
        look(&item.meta(), &mut MemoryView(&item))?;
        Ok(true)
    }

    fn sequence(&self) -> Result<u64, StoreError> {
        Ok(self.log().sequence)
    }

    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError> {
        Ok(invalidation_log::standing(self.log().records.iter().cloned(), address, now))
    }

    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError> {
        let log = self.log();
        let known = can_judge(since, log.floor, log.sequence);
        Ok(known.then(|| log.records.iter().filter(|record| record.sequence > since).cloned().collect()))
    }

    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError> {
        let log = self.log();
        let mut done = Stored::default();
        let gate = log.gate(since, begun);
        for fill in fills {
            let address = Address { space: &fill.meta.space, key: &fill.meta.key };
            if gate.as_ref().is_none_or(|gate| gate.refuses(address)) {
                done.refused += 1;
            } else {
                self.insert(&fill.meta, fill.frames.clone());
                done.stored += 1;
            }
        }
        self.limit();
        Ok(done)
    }

    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        let key = key(address);
        loop {
            let since = self.log().sequence;
            let before = self.entries.get(&key);
            // The lock is not held meanwhile, so that `revise` blocks no other thread.
            let fill = match &before {
                Some(item) => revise(Some((&item.meta(), &mut MemoryView(item))))?,
                None => revise(None)?,
            };
            let Some(fill) = fill else { return Ok(false) };
            let log = self.log();
            let there = self.entries.get(&key);
            if log.sequence != since || before.as_ref().map(Arc::as_ptr) != there.as_ref().map(Arc::as_ptr) {
                continue;
            }
            let open = log.gate(since, now).is_some_and(|gate| !gate.refuses(address));
            if open {
                self.insert(&fill.meta, fill.frames);
                self.limit();
            }
            return Ok(open);
        }
    }

    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
        Ok(Box::new(MemoryDraft { memory: self, begun, frames: Vec::new() }))
    }

    fn remove(
        &self,
        selections: &[Select],
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError> {
        let mut log = self.log();
        log.date(now);
        log.sequence += 1;
        let sequence = log.sequence;
        let mut removed = Removed { sequence, ..Removed::default() };
        for select in selections {
            log.records.push_back(InvalidationRecord {
                sequence,
                select: select.clone(),
                deadline: fence_until,
                at: now,
            });
            for item in self.covered(select) {
                if self.entries.remove(&key(item.address())).is_some() {
                    removed.entries += 1;
                    removed.bytes += item.meta.held;
                }
            }
        }
        log.prune(now);
        Ok(removed)
    }

    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        for record in self.log().records.iter_mut().filter(|record| record.sequence == fence) {
            record.deadline = record.deadline.map(|deadline| deadline.min(until));
        }
        Ok(())
    }

    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError> {
        Ok(self.log().records.iter().filter(|record| record.stands(now) && record.is_ahead(now)).count() as u64)
    }

    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError> {
        self.log().date(now);
        Ok(())
    }

    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError> {
        let _log = self.log();
        let key = key(address);
        if self.entries.get(&key).is_some_and(|item| item.meta.checksum == checksum) {
            self.entries.invalidate(&key);
        }
        Ok(())
    }

    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut items = self.covered(selection);
        items.sort_by(|a, b| (&a.meta.space, &a.meta.key).cmp(&(&b.meta.space, &b.meta.key)));
        for item in items {
            if visit(&item.meta()).is_break() {
                break;
            }
        }
        Ok(())
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let _log = self.log();
        let swept = self.evict(sweep);
        self.entries.run_pending_tasks();
        Ok(swept)
    }

    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        let uses: HashMap<u64, UnixMillis> = uses.iter().copied().collect();
        for (_, item) in &self.entries {
            if let Some(at) = uses.get(&item.address().id()) {
                item.used_at.fetch_max(*at, Ordering::Relaxed);
            }
        }
        Ok(())
    }

    fn size(&self) -> Result<Size, StoreError> {
        let mut size = Size::default();
        for (_, item) in &self.entries {
            size.entries += 1;
            size.held += item.meta.held;
            size.index += (item.weight() as u64).saturating_sub(item.meta.held);
        }
        Ok(size)
    }

    fn settle(&self) -> Result<(), StoreError> {
        self.entries.run_pending_tasks();
        Ok(())
    }
}

#[cfg(test)]
mod tests;
