//! The rules of the record log: what keeps a fill out, and how long a record is kept.
//!
//! Pure rules. A fill is kept out by a record that is newer than its start, by a fence that stood when it began,
//! and by not knowing.

use crate::clock::{self, UnixMillis};
use crate::store::Address;
use crate::store::InvalidationState;
use crate::store::Select;
use std::collections::HashSet;

/// How long a record is kept after it was made, or after its fence lapsed, in milliseconds. No fetch that is to be
/// stored lasts longer.
pub const KEEP_MILLIS: i64 = 3_600_000;

/// How many records are kept.
pub(super) const KEEP_RECORDS: usize = 10_000;

/// How long an unpublished draft keeps its frames, in milliseconds.
pub(super) const DRAFT_MILLIS: i64 = 3_600_000;

/// No fence stands for longer: twice the longest `aws.operation_timeout`, and the longest `cache.settle` after that.
pub(super) const LONGEST_FENCE_MILLIS: i64 = 3 * 3_600_000;

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationRecord {
    /// The number it got; several records of one removal share it.
    pub sequence: u64,
    /// What it is about.
    pub select: Select,
    /// Until when it stands as a fence.
    pub deadline: Option<UnixMillis>,
    /// When it was made.
    pub at: UnixMillis,
}

impl InvalidationRecord {
    /// Whether it is a fence that has not lapsed.
    pub fn stands(&self, now: UnixMillis) -> bool {
        self.deadline.is_some_and(|deadline| deadline > now)
    }

    /// Whether it was written while the clock was ahead: it is dated in the future, or its fence would stand for longer
    /// than any fence does.
    pub fn is_ahead(&self, now: UnixMillis) -> bool {
        clock::is_ahead(self.at, now)
            || self.deadline.is_some_and(|deadline| deadline > now.saturating_add(LONGEST_FENCE_MILLIS))
    }

    /// The same record, dated `now` if it was written while the clock was ahead; its fence keeps its own length.
    pub(super) fn dated_by(self, now: UnixMillis) -> InvalidationRecord {
        if !self.is_ahead(now) {
            return self;
        }
        let length = |deadline: UnixMillis| deadline.saturating_sub(self.at).clamp(0, LONGEST_FENCE_MILLIS);
        let deadline = self.deadline.map(|deadline| now.saturating_add(length(deadline)));
        InvalidationRecord { deadline, at: now, ..self }
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
pub(super) fn standing(
    records: impl IntoIterator<Item = InvalidationRecord>,
    address: Address<'_>,
    now: UnixMillis,
) -> InvalidationState {
    records.into_iter().filter(|record| record.select.covers(address)).fold(
        InvalidationState::default(),
        |so_far, record| {
            let stands = record.stands(now);
            InvalidationState {
                newest: so_far.newest.max(record.sequence),
                fenced: so_far.fenced || stands,
                until: so_far.until.max(record.deadline.filter(|_| stands)),
            }
        },
    )
}

/// What a set of records keeps out, made for many questions.
#[derive(Debug, Default)]
pub(super) struct FillGuard {
    everything: bool,
    spaces: HashSet<String>,
    exact: HashSet<(String, String)>,
    globs: Vec<Select>,
}

impl FillGuard {
    /// The gate of those records that are newer than `since` or stood as fences at `begun`, when the fetch began.
    pub(super) fn new(
        records: impl IntoIterator<Item = InvalidationRecord>,
        since: u64,
        begun: UnixMillis,
    ) -> FillGuard {
        FillGuard::of(records.into_iter().filter(|record| record.sequence > since || record.stands(begun)))
    }

    /// The gate of all these records.
    pub(super) fn of(records: impl IntoIterator<Item = InvalidationRecord>) -> FillGuard {
        let mut gate = FillGuard::default();
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

    fn record(sequence: u64, select: Select, deadline: Option<UnixMillis>) -> InvalidationRecord {
        InvalidationRecord { sequence, select, deadline, at: NOW }
    }

    fn at(key: &str) -> Address<'_> {
        Address { space: "s", key }
    }

    #[test]
    fn a_gate_is_shut_by_newer_records_and_standing_fences_only() {
        let exact = |key: &str| Select::Exact { space: "s".into(), key: key.into() };
        let gate = FillGuard::new(
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
        assert!(FillGuard::new([record(6, Select::All, None)], 5, NOW).refuses(at("any")));
        assert!(FillGuard::new([record(6, Select::Space("s".into()), None)], 5, NOW).refuses(at("any")));
    }

    #[test]
    fn a_start_outside_what_the_log_remembers_cannot_be_judged() {
        assert!(can_judge(5, 5, 9) && can_judge(9, 5, 9));
        assert!(!can_judge(4, 5, 9) && !can_judge(10, 5, 9));
    }

    #[test]
    fn a_fence_of_a_clock_that_was_ahead_keeps_its_length_and_a_regular_one_is_not_touched() {
        let year = 365 * 24 * 3_600_000;
        let ahead = InvalidationRecord { at: NOW + year, ..record(1, Select::All, Some(NOW + year + 300_000)) };
        assert!(ahead.is_ahead(NOW));
        let dated = ahead.dated_by(NOW);
        assert_eq!((dated.at, dated.deadline), (NOW, Some(NOW + 300_000)));
        assert!(!dated.is_ahead(NOW), "it is rewritten once");
        let without_fence = InvalidationRecord { at: NOW + year, ..record(1, Select::All, None) };
        assert_eq!((without_fence.clone().dated_by(NOW).at, without_fence.dated_by(NOW).deadline), (NOW, None));
        for regular in [
            record(1, Select::All, Some(NOW + 300_000)),
            record(1, Select::All, Some(NOW + 2 * 3_600_000)),
            InvalidationRecord { at: NOW + clock::TOLERANCE, ..record(1, Select::All, Some(NOW + 360_000)) },
            InvalidationRecord { at: NOW - 24 * 3_600_000, ..record(1, Select::All, Some(NOW + 1)) },
        ] {
            assert_eq!(regular.clone().dated_by(NOW), regular);
        }
        let damaged = record(1, Select::All, Some(UnixMillis::MAX)).dated_by(NOW);
        assert_eq!(damaged.deadline, Some(NOW + LONGEST_FENCE_MILLIS));
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
