//! What a handle counts: lookups, faults, and the last use of entries.

use crate::clock::UnixMillis;
use crate::store::{Address, Store};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// The number of uses that are collected before they are reported to the store.
const USES: usize = 1_000;

/// When entries were last used, until the store records it.
#[derive(Debug, Default)]
pub(super) struct EntryUses(Mutex<HashMap<u64, UnixMillis>>);

impl EntryUses {
    pub(super) fn note(&self, address: Address<'_>, at: UnixMillis) -> bool {
        let mut uses = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        uses.insert(address.id(), at);
        uses.len() >= USES
    }

    /// Reports the uses to the store, before it chooses the entries to evict.
    pub(super) fn flush(&self, store: &dyn Store) {
        let uses = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if !uses.is_empty() {
            // Without the report the store takes the entries for longer unused than they are.
            let _ = store.touch(&uses.into_iter().collect::<Vec<_>>());
        }
    }
}

/// The lookups of a handle.
#[derive(Debug, Default)]
pub(super) struct Counters {
    pub(super) hits: AtomicU64,
    pub(super) misses: AtomicU64,
    pub(super) errors: AtomicU64,
}

impl Counters {
    pub(super) fn lookup(&self, found: bool) {
        let counter = if found { &self.hits } else { &self.misses };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn error(&self) {
        self.errors.fetch_add(1, Ordering::Relaxed);
    }
}
