//! Tests of `rollup/mod.rs`.

use super::*;
use crate::state::Tally;
use std::sync::atomic::{AtomicBool, Ordering};

const CACHE: &str = "/cache";
const HOUR: i64 = 3_600_000;

struct World {
    root: tempfile::TempDir,
    database: Database,
}

impl World {
    fn new() -> World {
        let root = tempfile::tempdir().unwrap();
        let database = open(root.path());
        World { root, database }
    }

    fn dir(&self) -> &Path {
        self.root.path()
    }

    fn tally(&self, cache: &str) -> Tally {
        Tally::new(self.dir(), Access::Owner, Path::new(cache))
    }

    fn fold(&mut self, now: UnixMillis) -> Folded {
        fold(self.root.path(), Access::Owner, &mut self.database, now).unwrap()
    }

    fn lifetime(&self) -> LookupCounts {
        statistics::lifetime(&self.database, Path::new(CACHE)).unwrap()
    }

    fn unfolded(&self) -> u64 {
        peek(self.dir(), Some(&self.database), Path::new(CACHE), 0).unwrap().samples()
    }
}

fn open(dir: &Path) -> Database {
    Database::open(dir, Access::Owner, Duration::from_secs(60), 0).unwrap().0
}

fn record(tally: &Tally, outcome: LookupOutcome, entry: u64, at: UnixMillis) {
    assert_eq!(tally.record(outcome, Resource::User, entry, at), None);
}

#[test]
fn records_become_statistics_and_newest_uses() {
    let mut world = World::new();
    let (ours, other) = (world.tally(CACHE), world.tally("/other"));
    for at in [HOUR, HOUR + 5, HOUR + 3] {
        record(&ours, LookupOutcome::Hit, 7, at);
    }
    record(&ours, LookupOutcome::MissAbsent, 8, HOUR);
    record(&ours, LookupOutcome::Stale, u64::MAX, HOUR);
    record(&other, LookupOutcome::Hit, 7, 2 * HOUR);
    assert_eq!(world.unfolded(), 5);
    let folded = world.fold(2 * HOUR);
    assert_eq!((folded.records, folded.damaged, folded.unknown, folded.elsewhere), (6, 0, 0, false));
    let mut uses = folded.uses(Path::new(CACHE));
    uses.sort_unstable();
    assert_eq!(uses, [(7, HOUR + 5), (u64::MAX, HOUR)]);
    assert_eq!(folded.uses(Path::new("/other")), [(7, 2 * HOUR)]);
    assert_eq!((world.lifetime().hits(), world.lifetime().misses(), world.unfolded()), (3, 2, 0));
    assert_eq!(world.fold(2 * HOUR).records, 0);
    assert_eq!(world.lifetime().samples(), 5);
}

#[test]
fn concurrent_writers_and_folds_lose_nothing_and_count_nothing_twice() {
    let mut world = World::new();
    let done = AtomicBool::new(false);
    let dir = world.root.path().to_owned();
    let folded: u64 = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|_| {
                let tally = world.tally(CACHE);
                scope.spawn(move || {
                    for i in 0..2_000 {
                        record(&tally, LookupOutcome::Hit, i, HOUR);
                    }
                })
            })
            .collect();
        let folders: Vec<_> = (0..2)
            .map(|_| {
                let (dir, done) = (&dir, &done);
                scope.spawn(move || {
                    let (mut database, mut records) = (open(dir), 0);
                    while !done.load(Ordering::SeqCst) {
                        records += fold(dir, Access::Owner, &mut database, HOUR).unwrap().records;
                    }
                    records
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
        folders.into_iter().map(|folder| folder.join().unwrap()).sum()
    });
    let rest = world.fold(HOUR);
    assert_eq!((folded + rest.records, rest.damaged), (8_000, 0));
    assert_eq!(world.lifetime().hits(), 8_000);
}

#[test]
fn a_file_taken_by_a_fold_that_died_is_counted_by_the_next_one() {
    let mut world = World::new();
    record(&world.tally(CACHE), LookupOutcome::Hit, 1, HOUR);
    take(world.dir(), HOUR).unwrap().expect("a file");
    record(&world.tally(CACHE), LookupOutcome::Hit, 2, HOUR);
    assert_eq!(world.unfolded(), 2);
    assert_eq!(world.fold(HOUR).records, 2);
    assert_eq!(world.lifetime().hits(), 2);
    assert!(taken(world.dir()).unwrap().is_empty());
}

#[test]
fn a_file_that_was_counted_but_not_removed_is_not_counted_again() {
    let mut world = World::new();
    record(&world.tally(CACHE), LookupOutcome::Hit, 1, HOUR);
    let path = world.dir().join(take(world.dir(), HOUR).unwrap().expect("a file"));
    let bytes = std::fs::read(&path).unwrap();
    world.fold(HOUR);
    std::fs::write(&path, bytes).unwrap();
    assert_eq!(world.unfolded(), 0);
    assert_eq!(world.fold(HOUR).records, 0);
    assert_eq!((world.lifetime().hits(), path.exists()), (1, false));
    record(&world.tally(CACHE), LookupOutcome::Hit, 2, HOUR);
    world.fold(HOUR);
    assert_eq!(noted(world.database.reader()).unwrap().len(), 1, "the notes of removed files go");
}

#[test]
fn a_writer_stopped_amid_its_append_delays_only_its_own_file() {
    let mut world = World::new();
    record(&world.tally(CACHE), LookupOutcome::Hit, 1, HOUR);
    let stopped = File::open(world.dir().join(NAME)).unwrap();
    assert!(lock::try_shared(&stopped, Guard::Tally).unwrap());
    assert_eq!(world.fold(HOUR).records, 0);
    record(&world.tally(CACHE), LookupOutcome::Hit, 2, HOUR);
    drop(stopped);
    assert_eq!(world.fold(HOUR).records, 2);
}

#[test]
fn damaged_bytes_are_skipped_and_said() {
    let mut world = World::new();
    for entry in 0..3 {
        record(&world.tally(CACHE), LookupOutcome::Hit, entry, HOUR);
    }
    let path = world.dir().join(NAME);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[40] ^= 0xFF;
    std::fs::write(&path, bytes).unwrap();
    let folded = world.fold(HOUR);
    assert_eq!((folded.records, folded.damaged), (2, 1));
}

#[test]
fn hours_past_a_month_move_to_lifetime_and_a_future_stamp_counts_now() {
    let mut world = World::new();
    let now = 1_000 * 24 * HOUR;
    record(&world.tally(CACHE), LookupOutcome::Hit, 1, now - 40 * 24 * HOUR);
    record(&world.tally(CACHE), LookupOutcome::Hit, 1, now + 900 * 24 * HOUR);
    world.fold(now);
    let window = |since| statistics::window(&world.database, Path::new(CACHE), since).unwrap().hits();
    assert_eq!((window(0), window(now), window(now + HOUR)), (1, 1, 0));
    assert_eq!(world.lifetime().hits(), 2);
    world.fold(now + 60 * 24 * HOUR);
    assert_eq!(statistics::window(&world.database, Path::new(CACHE), 0).unwrap().hits(), 0);
    assert_eq!(world.lifetime().hits(), 2);
}
