//! Which entries a sweep drops, and in what order.
//!
//! A pure rule; first what has expired, then what is too old, then the least recently used until both limits hold,
//! where what yields to others goes before them.

use super::{Sweep, Swept};
use crate::clock::{self, UnixMillis};

/// An entry as a sweep sees it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Candidate<T> {
    /// How the backend finds it again.
    pub(super) handle: T,
    /// When its answer was fetched.
    pub(super) stored_at: UnixMillis,
    /// When it may no longer be served.
    pub(super) stale_until: UnixMillis,
    /// When it was last used; 0 when it never was.
    pub(super) used_at: UnixMillis,
    /// Bytes of its frames.
    pub(super) held: u64,
    /// Whether it goes before those of which this is not so.
    pub(super) yields: bool,
}

/// Why an entry is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reason {
    /// It may no longer be served.
    Expired,
    /// It is older than it may get.
    Aged,
    /// It was least recently used.
    Evicted,
    /// There was no room to delete less than everything. No entry is chosen for this.
    NoRoom,
}

/// The candidates that go, in order.
pub(super) fn victims<T: Copy>(candidates: Vec<Candidate<T>>, sweep: &Sweep) -> Vec<(Candidate<T>, Reason)> {
    let mut aged = Vec::new();
    let mut rest = Vec::new();
    let mut gone = Vec::new();
    for candidate in candidates {
        if sweep.expired && candidate.stale_until <= sweep.now {
            gone.push((candidate, Reason::Expired));
        } else if sweep.stored_before.is_some_and(|limit| candidate.stored_at < limit) {
            aged.push((candidate, Reason::Aged));
        } else {
            rest.push(candidate);
        }
    }
    gone.append(&mut aged);
    let mut held: u64 = rest.iter().map(|candidate| candidate.held).sum();
    let mut entries = rest.len() as u64;
    let bytes_down_to = sweep.bytes.filter(|(limit, _)| held > *limit).map_or(u64::MAX, |(_, low)| low);
    let entries_down_to = sweep.entries.filter(|(limit, _)| entries > *limit).map_or(u64::MAX, |(_, low)| low);
    if held > bytes_down_to || entries > entries_down_to {
        // An entry that is dated in the future answers nothing until then, so it goes before the others.
        let is_ahead = |candidate: &Candidate<T>| clock::is_ahead(candidate.stored_at, sweep.now);
        rest.sort_by_key(|candidate| {
            let used_at = match candidate.used_at {
                ..=0 => candidate.stored_at,
                at if clock::is_ahead(at, sweep.now) => sweep.now,
                at => at,
            };
            (!is_ahead(candidate), !candidate.yields, used_at)
        });
        for candidate in rest {
            if held <= bytes_down_to && entries <= entries_down_to {
                break;
            }
            held -= candidate.held;
            entries -= 1;
            gone.push((candidate, Reason::Evicted));
        }
    }
    gone
}

impl Swept {
    /// Counts one dropped entry.
    pub(super) fn count(&mut self, reason: Reason, held: u64) {
        match reason {
            Reason::Expired => self.expired += 1,
            Reason::Aged => self.aged += 1,
            Reason::Evicted => self.evicted += 1,
            Reason::NoRoom => self.no_room += 1,
        }
        self.bytes += held;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOTHING: Sweep =
        Sweep { now: 100, expired: false, stored_before: None, bytes: None, entries: None, first: &[], dry_run: false };

    fn candidate(handle: char, stored_at: i64, stale_until: i64, used_at: i64) -> Candidate<char> {
        Candidate { handle, stored_at, stale_until, used_at, held: 10, yields: false }
    }

    fn names(sweep: &Sweep) -> String {
        let all = vec![
            candidate('a', 50, 1_000, 0),
            candidate('b', 60, 100, 90),
            candidate('c', 10, 1_000, 95),
            candidate('d', 70, 1_000, 20),
        ];
        victims(all, sweep).into_iter().map(|(candidate, _)| candidate.handle).collect()
    }

    #[test]
    fn expired_then_aged_then_least_recently_used() {
        assert_eq!(names(&NOTHING), "");
        assert_eq!(names(&Sweep { expired: true, ..NOTHING }), "b");
        assert_eq!(names(&Sweep { stored_before: Some(50), ..NOTHING }), "c");
        assert_eq!(names(&Sweep { entries: Some((0, 0)), ..NOTHING }), "dabc");
        let all = Sweep { expired: true, stored_before: Some(50), bytes: Some((10, 10)), ..NOTHING };
        assert_eq!(names(&all), "bcd");
    }

    #[test]
    fn what_yields_goes_first_however_lately_it_was_used() {
        let all = || {
            let each = [('a', 90, true), ('b', 10, false), ('c', 80, true), ('d', 20, false)];
            each.map(|(name, used_at, yields)| Candidate { yields, ..candidate(name, 1, 1_000, used_at) }).to_vec()
        };
        let gone = |sweep: Sweep| victims(all(), &sweep).into_iter().map(|(one, _)| one.handle).collect::<String>();
        assert_eq!(gone(Sweep { entries: Some((0, 0)), ..NOTHING }), "cabd");
        assert_eq!(gone(Sweep { bytes: Some((20, 20)), ..NOTHING }), "ca");
    }

    #[test]
    fn nothing_is_evicted_until_the_limit_is_passed_and_then_down_to_the_low_mark() {
        assert_eq!(names(&Sweep { bytes: Some((40, 0)), ..NOTHING }), "");
        assert_eq!(names(&Sweep { bytes: Some((39, 20)), ..NOTHING }), "da");
        assert_eq!(names(&Sweep { entries: Some((3, 3)), ..NOTHING }), "d");
        assert_eq!(names(&Sweep { entries: Some((3, 3)), bytes: Some((39, 20)), ..NOTHING }), "da");
    }
}
