//! One suite over every backend and layer: each test is a sentence of the contract in `src/store/mod.rs`.

mod breaker;
mod disk;
mod encrypted;
mod full;
mod log;
mod memory;
mod revisions;
mod sweeps;

use awsideman::clock::{ManualClock, UnixMillis};
use awsideman::secure_fs::Access;
use awsideman::store::{
    Address, BreakerLayer, BreakerSnapshot, Disk, Fill, Frames, InvalidationState, Memory, Meta, Options, Select,
    Store, StoreError, Stored, Sweep, Tiered,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use log::*;
use revisions::*;
use sweeps::*;

const NOW: UnixMillis = 1_800_000_000_000;
const HOUR: i64 = 3_600_000;

struct Subject {
    store: Box<dyn Store>,
    _root: Option<tempfile::TempDir>,
}

fn options(dir: &Path) -> Options {
    Options { dir: dir.into(), access: Access::Owner, busy: Duration::from_secs(10) }
}

fn on_disk() -> Subject {
    let root = tempfile::tempdir().unwrap();
    let store = Box::new(Disk::open(&options(&root.path().join("cache"))).unwrap());
    Subject { store, _root: Some(root) }
}

fn in_memory() -> Subject {
    Subject { store: Box::new(Memory::new(0, 0)), _root: None }
}

fn behind_a_breaker() -> Subject {
    let clock = Arc::new(ManualClock::at(NOW));
    let inner = Memory::new(0, 0);
    let store = BreakerLayer::new(inner, clock, 5, Duration::from_secs(60), BreakerSnapshot::default());
    Subject { store: Box::new(store), _root: None }
}

fn behind_memory() -> Subject {
    let behind = on_disk();
    let store = Box::new(Tiered::new(Arc::<dyn Store>::from(behind.store), 0, Arc::new(ManualClock::at(NOW))));
    Subject { store, ..behind }
}

fn behind_a_key() -> Subject {
    let root = tempfile::tempdir().unwrap();
    let store = Box::new(encrypted::sealed(&root.path().join("cache"), &[1]));
    Subject { store, _root: Some(root) }
}

macro_rules! contract {
    ($($sentence:ident)*) => {
        mod contract_of_disk { $(#[test] fn $sentence() { super::$sentence(&*super::on_disk().store); })* }
        mod contract_of_memory { $(#[test] fn $sentence() { super::$sentence(&*super::in_memory().store); })* }
        mod contract_of_sealed { $(#[test] fn $sentence() { super::$sentence(&*super::behind_a_key().store); })* }
        mod contract_of_near { $(#[test] fn $sentence() { super::$sentence(&*super::behind_memory().store); })* }
        mod contract_of_breaker { $(#[test] fn $sentence() { super::$sentence(&*super::behind_a_breaker().store); })* }
    };
}

/// What only backends that see the keys can promise.
macro_rules! in_order {
    ($($backend:ident $subject:ident)*) => { $(
        mod $backend {
            use super::*;

            #[test]
            fn a_scan_goes_in_the_order_of_keys() {
                let subject = $subject();
                fill_all(&*subject.store, &(0..700).rev().map(|i| fill("s", &format!("k:{i:04}"))).collect::<Vec<_>>());
                let mut keys = Vec::new();
                let note = &mut |meta: &Meta| {
                    keys.push(meta.key.clone());
                    ControlFlow::Continue(())
                };
                subject.store.scan(&Select::All, note).unwrap();
                assert!(keys.len() == 700 && keys.is_sorted());
            }
        }
    )* };
}

in_order! { order_of_disk on_disk order_of_memory in_memory order_of_near behind_memory }

contract! {
    what_was_put_is_shown_whole
    frames_long_and_short_read_back_in_any_order
    a_frame_that_is_not_there_is_damage_of_the_entry
    what_the_reader_says_comes_back
    a_fill_replaces_what_was_there_and_keeps_its_last_use
    spaces_and_keys_of_any_text_are_kept_apart
    a_removal_takes_the_next_number_and_what_it_covers
    a_fill_older_than_a_record_that_covers_it_is_refused
    a_fill_from_before_what_the_log_remembers_stores_nothing
    a_fence_keeps_fills_out_until_its_deadline
    a_fence_can_be_lowered_and_its_record_stays
    a_fence_of_a_clock_that_was_ahead_keeps_its_length
    the_log_tells_what_came_after_a_number
    a_draft_is_seen_when_published_and_never_before
    an_overtaken_draft_is_not_published
    a_scan_goes_in_order_and_ends_when_told
    a_scan_shows_what_its_set_covers
    a_sweep_drops_the_expired_then_the_old_then_the_unused
    a_dry_sweep_deletes_nothing
    a_use_saves_from_eviction
    what_a_sweep_names_goes_first
    a_discard_needs_the_seal
    sizes_follow_what_is_held
    many_threads_agree
    a_revision_sees_what_is_there_and_stores_what_is_made_of_it
    a_revision_that_fails_or_gives_nothing_changes_nothing
    a_revision_is_kept_out_by_a_fence_and_by_nothing_older
    threads_that_revise_one_entry_lose_none
}

fn meta(space: &str, key: &str) -> Meta {
    Meta {
        space: space.into(),
        key: key.into(),
        schema: 3,
        stored_at: NOW - 1_000,
        fresh_until: NOW + 1_000,
        stale_until: NOW + HOUR,
        used_at: 0,
        source: "AWSIdentityStore.ListUsers".into(),
        size: 20,
        held: 10,
        frames: 2,
        checksum: u64::MAX - 5,
    }
}

fn fill(space: &str, key: &str) -> Fill {
    Fill { meta: meta(space, key), frames: vec![b"first".to_vec(), key.bytes().take(5).collect()] }
}

fn at<'a>(space: &'a str, key: &'a str) -> Address<'a> {
    Address { space, key }
}

fn exact(space: &str, key: &str) -> Select {
    Select::Exact { space: space.into(), key: key.into() }
}

fn glob(space: Option<&str>, pattern: &str) -> Select {
    Select::Glob { space: space.map(Into::into), pattern: pattern.into() }
}

fn get(store: &dyn Store, space: &str, key: &str) -> Option<(Meta, Vec<Vec<u8>>)> {
    let mut seen = None;
    let found = store
        .view(at(space, key), &mut |meta, frames| {
            let mut all = Vec::new();
            for index in 0..meta.frames {
                let mut buffer = b"left over from before".to_vec();
                frames.read(index, &mut buffer)?;
                all.push(buffer);
            }
            seen = Some((meta.clone(), all));
            Ok(())
        })
        .unwrap();
    assert_eq!(found, seen.is_some());
    seen
}

fn has(store: &dyn Store, space: &str, key: &str) -> bool {
    get(store, space, key).is_some()
}

fn fill_all(store: &dyn Store, fills: &[Fill]) {
    let since = store.sequence().unwrap();
    let stored = store.put(fills, since, NOW).unwrap();
    assert_eq!(stored, Stored { stored: fills.len() as u64, refused: 0 });
}

fn listed(store: &dyn Store, selection: &Select) -> Vec<String> {
    let mut keys = Vec::new();
    store
        .scan(selection, &mut |meta| {
            keys.push(format!("{}/{}", meta.space, meta.key));
            ControlFlow::Continue(())
        })
        .unwrap();
    // Where keys are sealed, their order at rest is another.
    keys.sort();
    keys
}

const NO_SWEEP: Sweep =
    Sweep { now: NOW, expired: false, stored_before: None, bytes: None, entries: None, first: &[], dry_run: false };

fn what_was_put_is_shown_whole(store: &dyn Store) {
    assert_eq!(get(store, "s", "user:list:all"), None);
    let fill = fill("s", "user:list:all");
    fill_all(store, std::slice::from_ref(&fill));
    assert_eq!(get(store, "s", "user:list:all"), Some((fill.meta, fill.frames)));
    assert!(!has(store, "t", "user:list:all"));
}

fn frames_long_and_short_read_back_in_any_order(store: &dyn Store) {
    let frames: Vec<Vec<u8>> = vec![vec![1; 262_144], vec![2; 262_144], vec![3; 17], Vec::new()];
    let held = frames.iter().map(|frame| frame.len() as u64).sum();
    let long = Fill { meta: Meta { frames: 4, held, ..meta("s", "long") }, frames: frames.clone() };
    fill_all(store, &[long]);
    assert_eq!(get(store, "s", "long").unwrap().1, frames);
    let look = &mut |_: &Meta, shown: &mut dyn awsideman::store::Frames| {
        let mut buffer = Vec::new();
        for index in [2, 0, 3, 1, 1] {
            shown.read(index, &mut buffer)?;
            assert_eq!(buffer, frames[index as usize], "frame {index}");
        }
        Ok(())
    };
    assert!(store.view(at("s", "long"), look).unwrap());
}

fn a_frame_that_is_not_there_is_damage_of_the_entry(store: &dyn Store) {
    fill_all(store, &[fill("s", "k"), Fill { meta: Meta { frames: 3, ..meta("s", "short") }, ..fill("s", "short") }]);
    for (key, index) in [("k", 2), ("k", u32::MAX), ("short", 2)] {
        let error = store.view(at("s", key), &mut |_, frames| frames.read(index, &mut Vec::new())).unwrap_err();
        assert!(matches!(&error, StoreError::Damaged { key: named, .. } if named == key), "{error}");
    }
    assert!(has(store, "s", "k"));
}

fn what_the_reader_says_comes_back(store: &dyn Store) {
    fill_all(store, &[fill("s", "k")]);
    let closed = || StoreError::Output(std::io::ErrorKind::BrokenPipe.into());
    let error = store.view(at("s", "k"), &mut |_, _| Err(closed())).unwrap_err();
    assert!(matches!(error, StoreError::Output(_)), "{error}");
    assert!(!store.view(at("s", "absent"), &mut |_, _| Err(closed())).unwrap());
    assert!(has(store, "s", "k"));
}

fn a_fill_replaces_what_was_there_and_keeps_its_last_use(store: &dyn Store) {
    fill_all(store, &[fill("s", "k")]);
    store.touch(&[(store.row(at("s", "k")), NOW + 5)]).unwrap();
    let other =
        Fill { meta: Meta { frames: 1, held: 3, checksum: 9, ..meta("s", "k") }, frames: vec![b"new".to_vec()] };
    fill_all(store, std::slice::from_ref(&other));
    let (shown, frames) = get(store, "s", "k").unwrap();
    assert_eq!((shown, frames), (Meta { used_at: NOW + 5, ..other.meta }, other.frames));
    assert_eq!(store.size().unwrap().entries, 1);
}

fn spaces_and_keys_of_any_text_are_kept_apart(store: &dyn Store) {
    let texts = ["", " ", "s", "S", "a|b%7C", "'; DROP TABLE e; --", "[x]*?", "naïve 😀", "line\nbreak", "@private"];
    let pairs: Vec<(&str, &str)> = texts.iter().flat_map(|space| texts.iter().map(move |key| (*space, *key))).collect();
    fill_all(store, &pairs.iter().map(|(space, key)| fill(space, key)).collect::<Vec<_>>());
    for (space, key) in &pairs {
        let shown = get(store, space, key).unwrap().0;
        assert_eq!((shown.space.as_str(), shown.key.as_str()), (*space, *key));
    }
    let removed = store.remove(&[Select::Space("s".into()), exact("S", "s")], None, NOW).unwrap();
    assert_eq!(removed.entries, texts.len() as u64 + 1);
    for (space, key) in &pairs {
        let gone = *space == "s" || (*space, *key) == ("S", "s");
        assert_eq!(has(store, space, key), !gone, "{space:?} {key:?}");
    }
}

fn a_scan_goes_in_order_and_ends_when_told(store: &dyn Store) {
    let fills: Vec<Fill> = (0..1_203).rev().map(|i| fill(["s", "t"][i % 2], &format!("k:{i:04}"))).collect();
    fill_all(store, &fills);
    let mut all = Vec::new();
    let note = &mut |meta: &Meta| {
        all.push(format!("{}/{}", meta.space, store.row(at(&meta.space, &meta.key))));
        ControlFlow::Continue(())
    };
    store.scan(&Select::All, note).unwrap();
    assert_eq!(all.len(), 1_203);
    assert!(all.iter().map(|name| &name[..2]).is_sorted());
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 1_203, "each once");
    let mut seen = 0;
    let stop = &mut |_: &Meta| {
        seen += 1;
        if seen == 700 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    store.scan(&Select::All, stop).unwrap();
    assert_eq!(seen, 700);
    // The visitor may use the store.
    store
        .scan(&Select::Space("s".into()), &mut |meta| {
            store.remove(&[exact("s", &meta.key)], None, NOW).unwrap();
            ControlFlow::Continue(())
        })
        .unwrap();
    assert_eq!(store.size().unwrap().entries, 601);
}

fn a_scan_shows_what_its_set_covers(store: &dyn Store) {
    fill_all(store, &[fill("s", "user:1"), fill("s", "user:2"), fill("s", "group:1"), fill("t", "user:1")]);
    for (selection, expected) in [
        (exact("s", "user:2"), "s/user:2"),
        (exact("s", "absent"), ""),
        (glob(Some("s"), "user:*"), "s/user:1 s/user:2"),
        (glob(None, "*:[1]"), "s/group:1 s/user:1 t/user:1"),
        (Select::Space("t".into()), "t/user:1"),
    ] {
        assert_eq!(listed(store, &selection).join(" "), expected, "{selection:?}");
    }
}

fn a_discard_needs_the_seal(store: &dyn Store) {
    let fill = fill("s", "k");
    fill_all(store, std::slice::from_ref(&fill));
    let sequence = store.sequence().unwrap();
    store.discard(at("s", "k"), 1).unwrap();
    store.discard(at("t", "k"), fill.meta.checksum).unwrap();
    assert!(has(store, "s", "k"));
    store.discard(at("s", "k"), fill.meta.checksum).unwrap();
    assert!(!has(store, "s", "k"));
    assert_eq!(store.sequence().unwrap(), sequence);
}

fn sizes_follow_what_is_held(store: &dyn Store) {
    assert_eq!((store.size().unwrap().entries, store.size().unwrap().held), (0, 0));
    fill_all(store, &[fill("s", "a"), fill("s", "b"), fill("t", "a")]);
    let size = store.size().unwrap();
    assert_eq!((size.entries, size.held), (3, 30));
    assert!(size.index > 0);
    store.settle().unwrap();
    store.remove(&[Select::Space("s".into())], None, NOW).unwrap();
    assert_eq!((store.size().unwrap().entries, store.size().unwrap().held), (1, 10));
}

fn many_threads_agree(store: &dyn Store) {
    std::thread::scope(|scope| {
        for thread in 0..8 {
            scope.spawn(move || {
                for i in 0..20 {
                    let key = format!("{thread}:{i}");
                    fill_all(store, &[fill("s", &key)]);
                    assert!(has(store, "s", &key));
                    assert_eq!(store.remove(&[exact("s", &key)], None, NOW).unwrap().entries, 1);
                }
            });
        }
    });
    assert_eq!(store.size().unwrap().entries, 0);
}
