//! The states of the circuit breaker, over a backend that fails on demand.

use super::{NOW, at, exact, fill};
use awsideman::clock::{ManualClock, UnixMillis};
use awsideman::store::{
    Address, BreakerLayer, BreakerSide, BreakerSnapshot, BreakerState, EntryWriter, Fill, InvalidationRecord,
    InvalidationState, Memory, Meta, Removed, Revise, Select, Size, Store, StoreError, Stored, Sweep, Swept,
    ViewCallback,
};
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::Duration;

/// Memory that can be told to fail, and counts what reaches it.
struct Faulty {
    memory: Memory,
    fails: AtomicBool,
    /// Whether there is no room for anything more.
    full: AtomicBool,
    calls: AtomicU32,
}

impl Faulty {
    fn ask<T>(&self, work: impl FnOnce(&Memory) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.calls.fetch_add(1, Ordering::SeqCst);
        if self.fails.load(Ordering::SeqCst) {
            let path = PathBuf::from("gen-1.db");
            return Err(StoreError::Io { action: "read", path, source: std::io::Error::other("broken") });
        }
        work(&self.memory)
    }

    fn ask_for_room<T>(&self, work: impl FnOnce(&Memory) -> Result<T, StoreError>) -> Result<T, StoreError> {
        self.ask(|memory| {
            if self.full.load(Ordering::SeqCst) {
                let path = PathBuf::from("gen-1.db");
                let source = std::io::ErrorKind::StorageFull.into();
                return Err(StoreError::Io { action: "write", path, source });
            }
            work(memory)
        })
    }
}

impl Store for Faulty {
    fn backend(&self) -> &'static str {
        "faulty"
    }
    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        self.ask(|memory| memory.view(address, look))
    }
    fn sequence(&self) -> Result<u64, StoreError> {
        self.ask(Memory::sequence)
    }
    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError> {
        self.ask(|memory| memory.standing(address, now))
    }
    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError> {
        self.ask(|memory| memory.records(since))
    }
    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        self.ask(|memory| memory.lower(fence, until))
    }
    fn put(&self, fills: &[Fill], since: u64, now: UnixMillis) -> Result<Stored, StoreError> {
        self.ask_for_room(|memory| memory.put(fills, since, now))
    }
    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        self.ask_for_room(|memory| memory.revise(address, now, revise))
    }
    fn draft(&self, now: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
        self.ask_for_room(|_| Ok(()))?;
        self.memory.draft(now)
    }
    fn remove(&self, all: &[Select], until: Option<UnixMillis>, now: UnixMillis) -> Result<Removed, StoreError> {
        self.ask(|memory| memory.remove(all, until, now))
    }
    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.ask(|memory| memory.fences_ahead(now))
    }
    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError> {
        self.ask(|memory| memory.correct_clock(now))
    }
    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError> {
        self.ask(|memory| memory.discard(address, checksum))
    }
    fn scan(&self, all: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        self.ask(|memory| memory.scan(all, visit))
    }
    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        self.ask(|memory| memory.sweep(sweep))
    }
    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        self.ask(|memory| memory.touch(uses))
    }
    fn size(&self) -> Result<Size, StoreError> {
        self.ask(Memory::size)
    }
    fn settle(&self) -> Result<(), StoreError> {
        self.ask(Memory::settle)
    }
}

fn breaker(initial: BreakerSnapshot) -> (BreakerLayer<Faulty>, Arc<ManualClock>) {
    let clock = Arc::new(ManualClock::at(NOW));
    let faulty = Faulty {
        memory: Memory::new(0, 0),
        fails: AtomicBool::new(false),
        full: AtomicBool::new(false),
        calls: AtomicU32::new(0),
    };
    (BreakerLayer::new(faulty, clock.clone(), 3, Duration::from_secs(60), initial), clock)
}

fn fails(breaker: &BreakerLayer<Faulty>, fails: bool) {
    breaker.inner().fails.store(fails, Ordering::SeqCst);
}

fn calls(breaker: &BreakerLayer<Faulty>) -> u32 {
    breaker.inner().calls.load(Ordering::SeqCst)
}

fn state(breaker: &BreakerLayer<Faulty>) -> String {
    breaker.snapshot().reads.state.to_string()
}

#[test]
fn consecutive_failures_open_the_breaker_and_a_trial_closes_it() {
    let (breaker, clock) = breaker(BreakerSnapshot::default());
    fails(&breaker, true);
    for _ in 0..2 {
        breaker.sequence().unwrap_err();
    }
    fails(&breaker, false);
    breaker.sequence().unwrap();
    assert_eq!(breaker.snapshot(), BreakerSnapshot::default(), "a success begins the row anew");
    fails(&breaker, true);
    for _ in 0..3 {
        breaker.sequence().unwrap_err();
    }
    let open = BreakerSnapshot {
        reads: BreakerSide {
            state: BreakerState::Open,
            failure_count: 3,
            last_failure_time: Some(NOW),
            ..BreakerSide::default()
        },
        ..BreakerSnapshot::default()
    };
    assert_eq!(breaker.snapshot(), open);
    let before = calls(&breaker);
    assert!(matches!(breaker.sequence(), Err(StoreError::BreakerOpen)));
    assert_eq!(calls(&breaker), before, "the backend is left alone");
    clock.advance(Duration::from_secs(60));
    assert_eq!(state(&breaker), "HALF_OPEN");
    breaker.sequence().unwrap_err();
    assert_eq!((state(&breaker).as_str(), calls(&breaker)), ("OPEN", before + 1), "a failed trial waits again");
    clock.advance(Duration::from_secs(60));
    fails(&breaker, false);
    breaker.sequence().unwrap();
    assert_eq!((state(&breaker).as_str(), breaker.snapshot().reads.failure_count), ("CLOSED", 0));
}

#[test]
fn removals_go_through_an_open_breaker() {
    let open = BreakerSnapshot {
        reads: BreakerSide {
            state: BreakerState::Open,
            failure_count: 3,
            last_failure_time: Some(NOW),
            ..BreakerSide::default()
        },
        ..BreakerSnapshot::default()
    };
    let (breaker, _clock) = breaker(open);
    breaker.inner().memory.put(&[fill("s", "k")], 0, NOW).unwrap();
    assert_eq!(breaker.remove(&[exact("s", "k")], None, NOW).unwrap().entries, 1);
    assert_eq!(breaker.snapshot(), open, "and do not count as its trial");
}

#[test]
fn one_trial_at_a_time() {
    let open = BreakerSnapshot {
        reads: BreakerSide {
            state: BreakerState::Open,
            failure_count: 3,
            last_failure_time: Some(NOW - 60_000),
            ..BreakerSide::default()
        },
        ..BreakerSnapshot::default()
    };
    let (breaker, _clock) = breaker(open);
    breaker.inner().memory.put(&[fill("s", "k")], 0, NOW).unwrap();
    let found = breaker.view(at("s", "k"), &mut |_, _| {
        assert_eq!(state(&breaker), "HALF_OPEN");
        assert!(matches!(breaker.sequence(), Err(StoreError::BreakerOpen)));
        Ok(())
    });
    assert!(found.unwrap());
    assert_eq!(state(&breaker), "CLOSED");
}

#[test]
fn damaged_entries_and_closed_pipes_are_no_failures() {
    let (breaker, _clock) = breaker(BreakerSnapshot::default());
    breaker.put(&[fill("s", "k")], 0, NOW).unwrap();
    for _ in 0..5 {
        breaker.view(at("s", "k"), &mut |_, frames| frames.read(9, &mut Vec::new())).unwrap_err();
        let pipe = || StoreError::Output(std::io::ErrorKind::BrokenPipe.into());
        breaker.view(at("s", "k"), &mut |_, _| Err(pipe())).unwrap_err();
    }
    assert_eq!(breaker.snapshot(), BreakerSnapshot::default());
}

#[test]
fn a_trial_that_panics_or_died_with_its_process_blocks_nobody() {
    let half = BreakerSnapshot {
        reads: BreakerSide {
            state: BreakerState::HalfOpen,
            failure_count: 3,
            last_failure_time: Some(NOW - 60_000),
            ..BreakerSide::default()
        },
        ..BreakerSnapshot::default()
    };
    let (breaker, clock) = breaker(half);
    breaker.inner().memory.put(&[fill("s", "k")], 0, NOW).unwrap();
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let _ = breaker.view(at("s", "k"), &mut |_, _| panic!("on purpose"));
    }));
    assert!(panicked.is_err());
    assert_eq!(state(&breaker), "OPEN");
    clock.advance(Duration::from_secs(60));
    breaker.sequence().unwrap();
    assert_eq!(state(&breaker), "CLOSED");
}

#[test]
fn a_clock_set_back_does_not_prolong_it() {
    let future = BreakerSnapshot {
        reads: BreakerSide {
            state: BreakerState::Open,
            failure_count: 3,
            last_failure_time: Some(NOW + 1),
            ..BreakerSide::default()
        },
        ..BreakerSnapshot::default()
    };
    let (breaker, _clock) = breaker(future);
    breaker.sequence().unwrap();
    assert_eq!(state(&breaker), "CLOSED");
}

#[test]
fn a_success_that_began_before_the_failures_does_not_close_it() {
    let (breaker, _clock) = breaker(BreakerSnapshot::default());
    breaker.put(&[fill("s", "k")], 0, NOW).unwrap();
    let slow = breaker.view(at("s", "k"), &mut |_, _| {
        fails(&breaker, true);
        for _ in 0..3 {
            breaker.sequence().unwrap_err();
        }
        Ok(())
    });
    assert!(slow.unwrap());
    assert_eq!(state(&breaker), "OPEN");
}

#[test]
fn drafts_count_too() {
    let (breaker, _clock) = breaker(BreakerSnapshot::default());
    let draft = breaker.draft(NOW).unwrap();
    assert!(draft.publish(&Meta { frames: 0, ..super::meta("s", "k") }, 0).unwrap());
    fails(&breaker, true);
    for _ in 0..3 {
        assert!(breaker.draft(NOW).is_err());
    }
    assert_eq!(breaker.snapshot().writes.state, BreakerState::Open);
}

/// A breaker that is open for stores, over a backend that has an entry and no room.
fn full() -> (BreakerLayer<Faulty>, Arc<ManualClock>) {
    let (breaker, clock) = breaker(BreakerSnapshot::default());
    breaker.put(&[fill("s", "k")], 0, NOW).unwrap();
    breaker.inner().full.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        assert!(breaker.stores());
        breaker.put(&[fill("s", "l")], 0, NOW).unwrap_err();
        assert!(breaker.view(at("s", "k"), &mut |_, _| Ok(())).unwrap(), "reads work, and hide nothing");
    }
    (breaker, clock)
}

#[test]
fn failing_stores_are_skipped_while_reads_continue_until_a_trial_works() {
    let (breaker, clock) = full();
    let writes = BreakerSide {
        state: BreakerState::Open,
        failure_count: 3,
        last_failure_time: Some(NOW),
        ..BreakerSide::default()
    };
    assert_eq!(breaker.snapshot(), BreakerSnapshot { writes, ..BreakerSnapshot::default() });
    assert!(!breaker.stores());
    let before = calls(&breaker);
    assert!(matches!(breaker.put(&[fill("s", "l")], 0, NOW), Err(StoreError::StoringPaused)));
    assert!(matches!(breaker.draft(NOW), Err(StoreError::StoringPaused)));
    assert_eq!(calls(&breaker), before, "nobody waits for it again");
    assert!(breaker.view(at("s", "k"), &mut |_, _| Ok(())).unwrap());
    clock.advance(Duration::from_secs(60));
    assert!(breaker.stores());
    breaker.put(&[fill("s", "l")], 0, NOW).unwrap_err();
    assert!(!breaker.stores(), "one trial, and it failed");
    clock.advance(Duration::from_secs(60));
    breaker.inner().full.store(false, Ordering::SeqCst);
    breaker.put(&[fill("s", "l")], 0, NOW).unwrap();
    assert_eq!(breaker.snapshot(), BreakerSnapshot::default());
}

#[test]
fn what_makes_room_goes_through_and_closes_it_when_it_made_some() {
    let entries = Some((0, 0));
    let all =
        Sweep { now: NOW + 1, expired: false, stored_before: None, bytes: None, entries, first: &[], dry_run: false };
    for (room, closes) in
        [(Sweep { dry_run: true, ..all }, false), (Sweep { entries: None, ..all }, false), (all, true)]
    {
        let (breaker, _clock) = full();
        breaker.sweep(&room).unwrap();
        assert_eq!(breaker.stores(), closes, "{room:?}");
    }
    let (breaker, _clock) = full();
    breaker.remove(&[exact("s", "k")], None, NOW).unwrap();
    assert!(breaker.stores(), "so does a removal that worked");
}

#[test]
fn a_store_that_is_the_trial_of_reads_speaks_for_both() {
    let reads = BreakerSide {
        state: BreakerState::Open,
        failure_count: 3,
        last_failure_time: Some(NOW - 60_000),
        ..BreakerSide::default()
    };
    let (breaker, clock) = breaker(BreakerSnapshot { reads, ..BreakerSnapshot::default() });
    breaker.inner().full.store(true, Ordering::SeqCst);
    breaker.put(&[fill("s", "k")], 0, NOW).unwrap_err();
    assert_eq!(breaker.snapshot().reads.state, BreakerState::Open);
    clock.advance(Duration::from_secs(60));
    breaker.inner().full.store(false, Ordering::SeqCst);
    breaker.put(&[fill("s", "k")], 0, NOW).unwrap();
    assert_eq!(breaker.snapshot(), BreakerSnapshot::default());
}

#[test]
fn a_store_that_works_or_fails_says_nothing_of_reads() {
    let (breaker, _clock) = breaker(BreakerSnapshot::default());
    let read = || breaker.view(at("s", "k"), &mut |_, _| Ok(()));
    fails(&breaker, true);
    for _ in 0..2 {
        read().unwrap_err();
    }
    fails(&breaker, false);
    breaker.put(&[fill("s", "l")], 0, NOW).unwrap();
    assert_eq!(breaker.snapshot().reads.failure_count, 2);
    breaker.inner().full.store(true, Ordering::SeqCst);
    breaker.put(&[fill("s", "l")], 0, NOW).unwrap_err();
    let now = breaker.snapshot();
    assert_eq!((now.reads.failure_count, now.writes.failure_count), (2, 1));
}

#[test]
fn a_store_that_is_refused_leaves_the_read_trial_to_others() {
    let open = |at| BreakerSide {
        state: BreakerState::Open,
        failure_count: 3,
        last_failure_time: Some(at),
        ..BreakerSide::default()
    };
    let (breaker, _clock) = breaker(BreakerSnapshot { reads: open(NOW - 60_000), writes: open(NOW) });
    assert!(matches!(breaker.put(&[fill("s", "l")], 0, NOW), Err(StoreError::StoringPaused)));
    breaker.view(at("s", "k"), &mut |_, _| Ok(())).unwrap();
    assert_eq!(breaker.snapshot().reads, BreakerSide::default());
}

#[test]
fn what_was_to_make_room_and_fails_counts_as_a_store() {
    let (breaker, _clock) = breaker(BreakerSnapshot::default());
    fails(&breaker, true);
    for failed in 1..=3 {
        breaker.settle().unwrap_err();
        let now = breaker.snapshot();
        assert_eq!((now.reads.failure_count, now.writes.failure_count), (0, failed));
    }
    assert!(!breaker.stores());
}
