//! Memory in front of a disk that other processes change: it never knows less than the disk does.

use super::{HOUR, NOW, at, exact, fill, get, glob, has, options};
use awsideman::clock::ManualClock;
use awsideman::store::{Disk, Select, Store, Tiered};
use std::sync::Arc;

struct Two {
    near: Tiered<Disk>,
    other: Disk,
    _root: tempfile::TempDir,
}

/// A process that lives long, and another one.
fn two() -> Two {
    let root = tempfile::tempdir().unwrap();
    let open = || Disk::open(&options(&root.path().join("cache"))).unwrap();
    Two { near: Tiered::new(open(), 0, Arc::new(ManualClock::at(NOW))), other: open(), _root: root }
}

fn fill_by(store: &dyn Store, key: &str) {
    let since = store.sequence().unwrap();
    assert_eq!(store.put(&[fill("s", key)], since, NOW).unwrap().stored, 1);
}

#[test]
fn what_was_read_once_is_answered_from_memory() {
    let Two { near, other, _root } = two();
    fill_by(&other, "k");
    let first = get(&near, "s", "k").unwrap();
    // A discard is no record: the disk has lost it, the memory has it still.
    other.discard(at("s", "k"), first.0.checksum).unwrap();
    assert!(!has(&other, "s", "k"));
    assert_eq!(get(&near, "s", "k").unwrap().1, first.1);
}

#[test]
fn what_another_process_removes_is_gone_here_at_once() {
    for selection in [exact("s", "k"), glob(None, "k*"), Select::Space("s".into()), Select::All] {
        let Two { near, other, _root } = two();
        fill_by(&other, "k");
        assert!(has(&near, "s", "k"));
        other.remove(std::slice::from_ref(&selection), Some(NOW + HOUR), NOW).unwrap();
        assert!(!has(&near, "s", "k"), "{selection:?}");
    }
}

#[test]
fn a_new_generation_and_a_long_silence_empty_the_memory() {
    let Two { near, other, _root } = two();
    fill_by(&other, "k");
    assert!(has(&near, "s", "k"));
    other.flip(NOW).unwrap();
    assert!(!has(&near, "s", "k"), "the new generation is empty");
    fill_by(&other, "k");
    assert!(has(&near, "s", "k"));
    let checksum = get(&near, "s", "k").unwrap().0.checksum;
    other.remove(&[exact("s", "x")], None, NOW).unwrap();
    other.remove(&[exact("s", "y")], None, NOW + HOUR + 1).unwrap();
    other.discard(at("s", "k"), checksum).unwrap();
    assert!(!has(&near, "s", "k"), "what was recorded meanwhile is partly forgotten");
}

#[test]
fn what_a_record_overtakes_on_its_way_into_the_memory_stays_out() {
    let Two { near, other, _root } = two();
    fill_by(&other, "k");
    near.view(at("s", "k"), &mut |_, _| {
        other.remove(&[exact("s", "k")], None, NOW).unwrap();
        Ok(())
    })
    .unwrap();
    assert!(!has(&near, "s", "k"));
    // The same within one process, where another thread follows the records first.
    fill_by(&other, "k");
    near.view(at("s", "k"), &mut |_, _| {
        other.remove(&[exact("s", "k")], None, NOW).unwrap();
        assert!(!has(&near, "s", "other"));
        Ok(())
    })
    .unwrap();
    assert!(!has(&near, "s", "k"));
}
