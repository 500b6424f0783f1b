//! Tests of `locks/mod.rs`.

use super::*;
use std::io::Read;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

const OWNER: Access = Access::Owner;

#[test]
fn one_holder_at_a_time_and_free_after_drop() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    let lock = FileLock::try_acquire(&dir, OWNER, ("warm", Guard::Flight), 5).unwrap().expect("free");
    assert!(FileLock::try_acquire(&dir, OWNER, ("warm", Guard::Flight), 6).unwrap().is_none());
    assert!(is_held(&dir, "warm").unwrap());
    let found = holder(&dir, "warm").unwrap().expect("a holder");
    assert_eq!((found.pid, found.since), (std::process::id(), 5));
    assert!(found.to_string().contains("since 1970-01-01T00:00:00Z"), "{found}");
    assert!(
        FileLock::try_acquire(&dir, OWNER, ("cleanup", Guard::Flight), 6).unwrap().is_some(),
        "another name is another lock"
    );
    drop(lock);
    assert!(!is_held(&dir, "warm").unwrap());
    assert_eq!(holder(&dir, "warm").unwrap(), None);
    assert!(FileLock::try_acquire(&dir, OWNER, ("warm", Guard::Flight), 7).unwrap().is_some());
    assert_eq!(std::fs::read_dir(dir.join("locks")).unwrap().count(), 0, "files of free locks are removed");
}

#[test]
fn a_bounded_wait_ends_with_a_value() {
    let root = tempfile::tempdir().unwrap();
    let held = FileLock::try_acquire(root.path(), OWNER, ("flight", Guard::Flight), 0).unwrap();
    let path = prepare(root.path(), OWNER, "flight").unwrap();
    let wait = |most| FileLock::wait_for(&path, Guard::Flight, OWNER, most, 0).unwrap();
    let began = Instant::now();
    assert!(wait(Duration::from_millis(20)).is_err());
    assert!(began.elapsed() >= Duration::from_millis(20));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| wait(Duration::from_secs(20)));
        drop(held);
        assert!(waiting.join().unwrap().is_ok());
    });
}

#[test]
fn no_two_threads_are_ever_inside_although_files_come_and_go() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x");
    let (inside, turns) = (AtomicU32::new(0), AtomicU32::new(0));
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                let mut left = 300;
                while left > 0 {
                    // Hardly pausing, to be between another's removal and release as often as can be.
                    let Some(_lock) = attempt(&path, Guard::Flight, OWNER, 0).unwrap() else {
                        std::thread::yield_now();
                        continue;
                    };
                    assert_eq!(inside.fetch_add(1, Ordering::SeqCst), 0);
                    std::thread::yield_now();
                    turns.fetch_add(1, Ordering::SeqCst);
                    inside.fetch_sub(1, Ordering::SeqCst);
                    left -= 1;
                }
            });
        }
    });
    assert_eq!(turns.load(Ordering::SeqCst), 3 * 300);
}

#[test]
fn names_stay_inside_and_apart() {
    let names = ["", ".", "..", "../x", "a/b", "a%2Fb", "a b", "ä", "~", &"x".repeat(500), &"x".repeat(501), "10-warm"];
    let encoded: std::collections::BTreeSet<String> = names.iter().map(|name| encode(name)).collect();
    assert_eq!(encoded.len(), names.len());
    for text in &encoded {
        assert!(!text.contains('/') && !text.starts_with('.') && text.len() <= LONGEST, "{text}");
    }
    assert_eq!(encode("10-warm"), "10-warm");
}

#[test]
fn the_file_of_a_dead_holder_holds_nothing() {
    let root = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "state::locks::tests::child_that_holds_a_lock", "--nocapture"])
        .env("LOCK_DIRECTORY", root.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let began = Instant::now();
    while holder(root.path(), "job").unwrap().map(|holder| holder.since) != Some(99) {
        assert!(began.elapsed() < Duration::from_secs(60), "the child never took the lock");
        std::thread::yield_now();
    }
    assert!(FileLock::try_acquire(root.path(), OWNER, ("job", Guard::Flight), 0).unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(root.path().join("locks/job").exists(), "killed: it could not clean up");
    assert!(!is_held(root.path(), "job").unwrap());
    assert!(FileLock::try_acquire(root.path(), OWNER, ("job", Guard::Flight), 0).unwrap().is_some());
}

#[test]
fn child_that_holds_a_lock() {
    // The child process of the test above; by itself it has nothing to do.
    let Some(directory) = std::env::var_os("LOCK_DIRECTORY") else { return };
    let path = prepare(Path::new(&directory), OWNER, "job").unwrap();
    let _lock = FileLock::wait_for(&path, Guard::Flight, OWNER, Duration::from_secs(60), 99).unwrap().expect("free");
    std::io::stdin().read_to_end(&mut Vec::new()).unwrap();
}
