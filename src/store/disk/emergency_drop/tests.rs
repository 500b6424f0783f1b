//! Tests of `emergency_drop/mod.rs`.

use super::*;
use crate::clock::{Clock, SystemClock};
use crate::secure_fs::Access;
use crate::store::{Address, Disk, Fill, Meta, Select, Store};
use std::time::Duration;

const NOW: UnixMillis = 1_800_000_000_000;
const LATER: UnixMillis = NOW + 600_000;

fn options(dir: &Path) -> Options {
    Options { dir: dir.into(), access: Access::Owner, busy: Duration::from_secs(10) }
}

fn exact(key: &str) -> Select {
    Select::Exact { space: "s".into(), key: key.into() }
}

fn stored(disk: &Disk, key: &str, begun: UnixMillis) -> bool {
    let meta = Meta {
        space: "s".into(),
        key: key.into(),
        schema: 1,
        stored_at: begun,
        fresh_until: begun + 1,
        stale_until: begun + 1,
        used_at: 0,
        source: "test".into(),
        size: 1,
        held: 1,
        frames: 1,
        checksum: 1,
    };
    let since = disk.sequence().unwrap();
    disk.put(&[Fill { meta, frames: vec![vec![1]] }], since, begun).unwrap().stored == 1
}

fn fenced(disk: &Disk, key: &str, now: UnixMillis) -> bool {
    disk.standing(Address { space: "s", key }, now).unwrap().fenced
}

#[test]
fn a_mark_reads_back_from_its_name() {
    let mark = Tombstone { until: LATER, sequence: 7, at: NOW };
    assert_eq!(Tombstone::parse(&mark.name()), Some(mark));
    for nonsense in ["dropped-", "dropped-1-2", "dropped-1-2-x", "dropped-1-2-3-4", "gen-1.db", "CURRENT"] {
        assert_eq!(Tombstone::parse(nonsense), None, "{nonsense}");
    }
    assert!(!mark.is_over(LATER) && !mark.is_over(NOW + KEEP_MILLIS - 1) && mark.is_over(NOW + KEEP_MILLIS));
}

/// What a process has done to the database by the time it is killed.
type Killed = dyn Fn(&Path);

#[test]
fn what_stood_stands_in_the_next_generation_wherever_the_one_who_drops_it_is_killed() {
    let steps: [(&str, &Killed); 4] = [
        ("nothing is deleted yet", &|_| {}),
        ("the log is gone", &|path| std::fs::remove_file(sqlite::sidecar(path, "-wal")).unwrap()),
        ("the database is gone and its log is not", &|path| std::fs::remove_file(path).unwrap()),
        ("everything is gone", &|path| generation::delete(path).unwrap()),
    ];
    for (case, killed) in steps {
        let root = tempfile::tempdir().unwrap();
        let disk = Disk::open(&options(root.path())).unwrap();
        assert!(stored(&disk, "k", NOW));
        let fence = disk.remove(&[exact("changed")], Some(LATER), NOW).unwrap().sequence;
        let ticket = disk.sequence().unwrap();
        assert!(drop_live(&options(root.path()), &disk.path().unwrap(), NOW, || {}, killed).unwrap(), "{case}");
        // Processes that had it open, and later ones.
        for disk in [&disk, &Disk::open(&options(root.path())).unwrap()] {
            assert!(fenced(disk, "changed", LATER - 1), "{case}");
            assert!(!stored(disk, "changed", LATER - 1) && stored(disk, "changed", LATER), "{case}");
            assert!(disk.sequence().unwrap() > ticket, "{case}: numbers continue");
        }
        // The end of one change says nothing of the others that were under way.
        disk.lower(fence, NOW).unwrap();
        assert!(fenced(&disk, "other", LATER - 1), "{case}");
    }
}

#[test]
fn a_killed_one_that_has_not_come_to_the_mark_has_dropped_nothing() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(&options(root.path())).unwrap();
    assert!(stored(&disk, "k", NOW));
    // The name of the mark is taken by what cannot be replaced: it cannot be made.
    let (sequence, at) = (disk.sequence().unwrap(), NOW);
    std::fs::create_dir_all(root.path().join(Tombstone { until: 0, sequence, at }.name())).unwrap();
    drop_live(&options(root.path()), &disk.path().unwrap(), NOW, || {}, |_| panic!("deleted without a mark"))
        .unwrap_err();
    assert!(disk.view(Address { space: "s", key: "k" }, &mut |_, _| Ok(())).unwrap());
}

#[test]
fn a_fence_that_is_raised_meanwhile_is_in_the_mark_or_in_the_next_generation() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(&options(root.path())).unwrap();
    let done = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        for writer in 0..2 {
            let (disk, done) = (&disk, &done);
            scope.spawn(move || {
                for i in 0.. {
                    if done.load(std::sync::atomic::Ordering::Relaxed) {
                        break;
                    }
                    let key = format!("{writer}:{i}");
                    disk.remove(&[exact(&key)], Some(LATER + i), NOW).unwrap();
                    assert!(fenced(disk, &key, LATER + i - 1), "{key}");
                }
            });
        }
        // Where writers leave no gap in which to hold them back, it is looked for again what they wrote.
        let impatient = Options { busy: Duration::from_millis(200), ..options(root.path()) };
        for _ in 0..10 {
            shed(&impatient, &disk.path().unwrap(), NOW).unwrap();
        }
        done.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}

#[test]
fn a_fence_that_comes_between_the_look_and_the_mark_waits_or_is_looked_for_again() {
    for does_not_let_go in [false, true] {
        let root = tempfile::tempdir().unwrap();
        let impatient = Options { busy: Duration::from_millis(20), ..options(root.path()) };
        let disk = Disk::open(&impatient).unwrap();
        let path = disk.path().unwrap();
        let writer = Connection::open(&path).unwrap();
        if does_not_let_go {
            writer.execute_batch("BEGIN IMMEDIATE").unwrap();
        }
        let mut is_known = false;
        let fence = || {
            if does_not_let_go {
                let sql =
                    format!("INSERT INTO r(sequence, form, deadline, at) VALUES(9, 'all', {LATER}, {NOW}); COMMIT");
                writer.execute_batch(&sql).unwrap();
                is_known = true;
            } else {
                is_known = disk.remove(&[exact("changed")], Some(LATER), NOW).is_ok();
            }
        };
        assert!(drop_live(&impatient, &path, NOW, fence, |path| generation::delete(path).unwrap()).unwrap());
        assert_eq!(is_known, does_not_let_go, "a writer must wait");
        assert_eq!(fenced(&disk, "changed", LATER - 1), is_known);
    }
}

#[test]
fn a_writer_that_does_not_let_go_does_not_stop_it_and_a_mark_goes_when_its_time_is_over() {
    let root = tempfile::tempdir().unwrap();
    let options = |path: &Path| Options { busy: Duration::from_millis(20), ..options(path) };
    let disk = Disk::open(&options(root.path())).unwrap();
    disk.remove(&[exact("changed")], Some(LATER), NOW).unwrap();
    let stuck = Connection::open(disk.path().unwrap()).unwrap();
    stuck.execute_batch("BEGIN IMMEDIATE").unwrap();
    let old = disk.path().unwrap();
    assert!(shed(&options(root.path()), &old, NOW).unwrap());
    assert!(!shed(&options(root.path()), &old, NOW).unwrap(), "nothing is live");
    assert!(fenced(&disk, "changed", NOW));
    assert!(!shed(&options(root.path()), &old, NOW).unwrap(), "what came after it is not dropped in its place");
    assert_eq!(marks(&options(root.path())).unwrap().len(), 1);
    let history = disk.history(SystemClock::default().now()).unwrap();
    assert!(history.whole_since >= history.began, "changes of before are not known here");
    forget(&options(root.path()), NOW + KEEP_MILLIS - 1).unwrap();
    assert_eq!(marks(&options(root.path())).unwrap().len(), 1);
    forget(&options(root.path()), NOW + KEEP_MILLIS).unwrap();
    assert_eq!(marks(&options(root.path())).unwrap(), []);
}

#[test]
fn an_unreferenced_database_that_is_deleted_early_leaves_its_fences() {
    let root = tempfile::tempdir().unwrap();
    let disk = Disk::open(&options(root.path())).unwrap();
    let old = disk.path().unwrap();
    let now = SystemClock::default().now();
    disk.remove(&[exact("changed")], Some(now + 600_000), now).unwrap();
    let young = root.path().join("gen-77.db");
    std::fs::write(&young, "").unwrap();
    assert!(drop_leftovers(&options(root.path())).unwrap() && old.exists() && !young.exists(), "what is live stays");
    disk.retire().unwrap();
    assert!(drop_leftovers(&options(root.path())).unwrap() && !old.exists());
    assert!(!drop_leftovers(&options(root.path())).unwrap());
    assert!(fenced(&disk, "changed", now) && !stored(&disk, "changed", now));
    assert!(disk.path().unwrap() > old, "and no number is used twice");
}
