//! The room that a warm has in the cache: when it ends, lists are still stored and what they bring along is not.
//!
//! A list answers for all its items and is never kept out here; what is counted as left out is what it would have
//! taken at rest; without limits nothing is asked of the store.

use crate::cache::{Cache, Fresh};
use serde::Serialize;
use std::sync::{Mutex, PoisonError};

/// Less than this part of the limit is no room: the lists are still to come.
const RESERVE: u64 = 50;

/// What had no room.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// Answers.
    pub entries: u64,
    /// Bytes that they would have taken.
    pub bytes: u64,
}

#[derive(Debug, Default)]
struct StoredSize {
    /// What may be stored before the store is asked for its size again; payloads count in full until then.
    bytes: u64,
    entries: u64,
    spent: bool,
    left_out: LeftOut,
}

/// The limits of a warm and how far it is from them.
#[derive(Debug, Default)]
pub struct Room {
    /// The most bytes; 0 is no limit.
    bytes: u64,
    /// The most entries; 0 is no limit.
    entries: u64,
    known: Mutex<StoredSize>,
}

impl Room {
    /// Room for so many bytes and entries in all; 0 is no limit.
    pub fn of(bytes: u64, entries: u64) -> Room {
        Room { bytes, entries, known: Mutex::default() }
    }

    /// What had no room so far.
    pub fn left_out(&self) -> LeftOut {
        self.known.lock().unwrap_or_else(PoisonError::into_inner).left_out
    }

    /// Whether these answers may be stored; those that may not are counted.
    pub(super) fn admits(&self, cache: &Cache, brought: &[Fresh]) -> bool {
        if self.bytes == 0 && self.entries == 0 {
            return true;
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let wanted: u64 = brought.iter().map(|answer| answer.payload.len() as u64).sum();
        let count = brought.len() as u64;
        if !known.spent && (known.bytes < wanted || known.entries < count) {
            self.measure(cache, &mut known);
            known.spent |= known.bytes == 0 || known.entries < count;
        }
        if known.spent {
            known.left_out.entries += count;
            known.left_out.bytes += brought.iter().map(|answer| cache.at_rest(&answer.payload)).sum::<u64>();
            return false;
        }
        known.bytes = known.bytes.saturating_sub(wanted);
        known.entries -= count;
        true
    }

    /// Asks the store how much is left. A store that does not know is not limited here: the next sweep enforces the limit.
    fn measure(&self, cache: &Cache, known: &mut StoredSize) {
        let Ok(size) = cache.store().size() else {
            (known.bytes, known.entries) = (u64::MAX, u64::MAX);
            return;
        };
        let left = |limit: u64, held: u64| match limit {
            0 => u64::MAX,
            limit => (limit - limit / RESERVE).saturating_sub(held),
        };
        (known.bytes, known.entries) = (left(self.bytes, size.held), left(self.entries, size.entries));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{EntrySettings, Key};
    use crate::clock::ManualClock;
    use crate::config::Ttls;
    use crate::model::Resource;
    use crate::store::Memory;
    use std::sync::Arc;
    use std::time::Duration;

    fn cache() -> Cache {
        let settings = EntrySettings {
            ttls: Ttls::default(),
            not_found_ttl: Duration::from_secs(1),
            stale_if_error: Duration::ZERO,
            max_age: None,
            compression: false,
        };
        Cache::new(Arc::new(Memory::new(0, 0)), Arc::new(ManualClock::at(1_000)), settings)
    }

    fn answers(from: u32, count: u32, bytes: usize) -> Vec<Fresh> {
        let answer = |n: u32| Fresh {
            key: Key::new(Resource::User, "describe", &n.to_string()),
            payload: vec![b'x'; bytes],
            source: "test",
        };
        (from..from + count).map(answer).collect()
    }

    /// Stores pages of ten as long as they are admitted; how many entries that were.
    fn stored(room: &Room, cache: &Cache, pages: u32, bytes: usize) -> u64 {
        let mut stored = 0;
        for page in 0..pages {
            let page = answers(page * 10, 10, bytes);
            if room.admits(cache, &page) {
                stored += cache.fill("s", &page, cache.ticket().unwrap()).unwrap().stored;
            }
        }
        stored
    }

    #[test]
    fn what_a_list_brings_along_is_stored_until_the_room_is_nearly_spent() {
        let (room, cache) = (Room::of(50_000, 0), cache());
        assert_eq!(stored(&room, &cache, 10, 1_000), 50, "a fiftieth is kept for the lists, and pages are whole");
        let LeftOut { entries, bytes } = room.left_out();
        assert_eq!(entries, 50);
        assert!((50_000..51_000).contains(&bytes), "{bytes}");
        let unlimited = Room::default();
        assert_eq!((stored(&unlimited, &cache, 10, 1_000), unlimited.left_out()), (100, LeftOut::default()));
    }

    #[test]
    fn a_limit_on_entries_holds_too_and_renewing_what_is_there_takes_no_room() {
        let (room, cache) = (Room::of(0, 61), cache());
        assert_eq!(stored(&room, &cache, 10, 10), 60);
        let again = Room::of(0, 100);
        assert_eq!(stored(&again, &cache, 3, 10), 30, "there before");
        assert_eq!(cache.store().size().unwrap().entries, 60);
    }
}
