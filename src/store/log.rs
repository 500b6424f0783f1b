//! The rules of the record log: what keeps a fill out, and how long a record is kept.
//!
//! Neighbours: every backend of this room keeps its records in its own way and asks here. Promise: pure rules. A fill
//! is kept out by a record that is newer than its start, by a fence that stood when it began, and by not knowing.

use super::{Address, Select, Standing};
use crate::clock::UnixMillis;
use std::collections::HashSet;

/// How long a record is kept after it was made, or after its fence lapsed, in milliseconds. No fetch that is to be
/// stored lasts longer.
pub const KEEP_MILLIS: i64 = 3_600_000;

/// How many records are kept.
pub(super) const KEEP_RECORDS: usize = 10_000;

/// How long an unpublished draft keeps its frames, in milliseconds.
pub(super) const DRAFT_MILLIS: i64 = 3_600_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The number it got; several records of one removal share it.
    pub sequence: u64,
    /// What it is about.
    pub select: Select,
    /// Until when it stands as a fence.
    pub deadline: Option<UnixMillis>,
    /// When it was made.
    pub at: UnixMillis,
}

impl Record {
    /// Whether it is a fence that has not lapsed.
    pub fn stands(&self, now: UnixMillis) -> bool {
        self.deadline.is_some_and(|deadline| deadline > now)
    }

    /// Whether it may be forgotten, when `newer` records came after it. A standing fence never may.
    pub(super) fn is_spent(&self, newer: usize, now: UnixMillis) -> bool {
        !self.stands(now)
            && (newer >= KEEP_RECORDS || self.at.max(self.deadline.unwrap_or(self.at)) < now - KEEP_MILLIS)
    }
}

/// Whether a fill that started at `since` can be judged: records up to `floor` may be forgotten, and a number above the
/// store's own comes from another life of the store.
pub(super) fn can_judge(since: u64, floor: u64, sequence: u64) -> bool {
    (floor..=sequence).contains(&since)
}

/// What these records say of an address at `now`.
pub(super) fn standing(records: impl IntoIterator<Item = Record>, address: Address<'_>, now: UnixMillis) -> Standing {
    records.into_iter().filter(|record| record.select.covers(address)).fold(Standing::default(), |so_far, record| {
        let stands = record.stands(now);
        Standing {
            newest: so_far.newest.max(record.sequence),
            fenced: so_far.fenced || stands,
            until: so_far.until.max(record.deadline.filter(|_| stands)),
        }
    })
}

/// What a set of records keeps out, made for many questions.
#[derive(Debug, Default)]
pub(super) struct Gate {
    everything: bool,
    spaces: HashSet<String>,
    exact: HashSet<(String, String)>,
    globs: Vec<Select>,
}

impl Gate {
    /// The gate of those records that are newer than `since` or stood as fences at `begun`, when the fetch began.
    pub(super) fn new(records: impl IntoIterator<Item = Record>, since: u64, begun: UnixMillis) -> Gate {
        Gate::of(records.into_iter().filter(|record| record.sequence > since || record.stands(begun)))
    }

    /// The gate of all these records.
    pub(super) fn of(records: impl IntoIterator<Item = Record>) -> Gate {
        let mut gate = Gate::default();
        for record in records {
            match record.select {
                Select::All => gate.everything = true,
                Select::Space(space) => drop(gate.spaces.insert(space)),
                Select::Exact { space, key } => drop(gate.exact.insert((space, key))),
                glob @ Select::Glob { .. } => gate.globs.push(glob),
            }
        }
        gate
    }

    /// Whether it keeps out the entry at `address`.
    pub(super) fn refuses(&self, address: Address<'_>) -> bool {
        self.everything
            || (!self.spaces.is_empty() && self.spaces.contains(address.space))
            || (!self.exact.is_empty() && self.exact.contains(&(address.space.to_owned(), address.key.to_owned())))
            || self.globs.iter().any(|glob| glob.covers(address))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = 10_000_000;

    fn record(sequence: u64, select: Select, deadline: Option<UnixMillis>) -> Record {
        Record { sequence, select, deadline, at: NOW }
    }

    fn at(key: &str) -> Address<'_> {
        Address { space: "s", key }
    }

    #[test]
    fn a_gate_is_shut_by_newer_records_and_standing_fences_only() {
        let exact = |key: &str| Select::Exact { space: "s".into(), key: key.into() };
        let gate = Gate::new(
            [
                record(5, exact("old"), None),
                record(5, exact("lapsed"), Some(NOW)),
                record(5, exact("fenced"), Some(NOW + 1)),
                record(6, exact("new"), None),
                record(7, Select::Glob { space: None, pattern: "user:*".into() }, None),
            ],
            5,
            NOW,
        );
        for (key, refused) in
            [("old", false), ("lapsed", false), ("fenced", true), ("new", true), ("user:1", true), ("group:1", false)]
        {
            assert_eq!(gate.refuses(at(key)), refused, "{key}");
        }
        assert!(!gate.refuses(Address { space: "t", key: "new" }));
        assert!(Gate::new([record(6, Select::All, None)], 5, NOW).refuses(at("any")));
        assert!(Gate::new([record(6, Select::Space("s".into()), None)], 5, NOW).refuses(at("any")));
    }

    #[test]
    fn a_start_outside_what_the_log_remembers_cannot_be_judged() {
        assert!(can_judge(5, 5, 9) && can_judge(9, 5, 9));
        assert!(!can_judge(4, 5, 9) && !can_judge(10, 5, 9));
    }

    #[test]
    fn records_are_spent_by_age_or_number_but_a_standing_fence_never() {
        let fresh = record(1, Select::All, None);
        assert!(!fresh.is_spent(KEEP_RECORDS - 1, NOW + KEEP_MILLIS));
        assert!(fresh.is_spent(0, NOW + KEEP_MILLIS + 1));
        assert!(fresh.is_spent(KEEP_RECORDS, NOW));
        let fence = record(1, Select::All, Some(NOW + 2 * KEEP_MILLIS));
        assert!(!fence.is_spent(KEEP_RECORDS, NOW + KEEP_MILLIS + 1));
        assert!(!fence.is_spent(0, NOW + 3 * KEEP_MILLIS), "nor for as long as it is kept after it has lapsed");
        assert!(fence.is_spent(0, NOW + 3 * KEEP_MILLIS + 1));
    }
}
