//! One suite over every backend and layer: each test is a sentence of the contract in `src/store/mod.rs`.
//!
//! Neighbours: `store_contract/disk.rs` has what only a directory can suffer, `store_contract/breaker.rs` the states
//! of the breaker. A new backend is one line in `contract!`.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

#[path = "store_contract/breaker.rs"]
mod breaker;
#[path = "store_contract/disk.rs"]
mod disk;
#[path = "store_contract/full.rs"]
mod full;
#[path = "store_contract/near.rs"]
mod near;
#[path = "store_contract/sealed.rs"]
mod sealed;

use awsideman::clock::{ManualClock, UnixMillis};
use awsideman::private::Access;
use awsideman::store::{
    Address, Breaker, BreakerSnapshot, Disk, Fill, Frames, Memory, Meta, Near, Options, Select, Standing, Store,
    StoreError, Stored, Sweep,
};
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

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
    let store = Breaker::new(inner, clock, 5, Duration::from_secs(60), BreakerSnapshot::default());
    Subject { store: Box::new(store), _root: None }
}

fn behind_memory() -> Subject {
    let behind = on_disk();
    let store = Box::new(Near::new(Arc::<dyn Store>::from(behind.store), 0, Arc::new(ManualClock::at(NOW))));
    Subject { store, ..behind }
}

fn behind_a_key() -> Subject {
    let root = tempfile::tempdir().unwrap();
    let store = Box::new(sealed::sealed(&root.path().join("cache"), &[1]));
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
        seal: u64::MAX - 5,
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
    let other = Fill { meta: Meta { frames: 1, held: 3, seal: 9, ..meta("s", "k") }, frames: vec![b"new".to_vec()] };
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

fn a_removal_takes_the_next_number_and_what_it_covers(store: &dyn Store) {
    for (selection, left) in [
        (exact("s", "user:list:all"), "s/group:list:all s/user:describe:1 t/user:list:all"),
        (glob(Some("s"), "user:*"), "s/group:list:all t/user:list:all"),
        (glob(None, "*:list:*"), "s/user:describe:1"),
        (Select::Space("s".into()), "t/user:list:all"),
        (Select::All, ""),
    ] {
        fill_all(
            store,
            &[
                fill("s", "user:list:all"),
                fill("s", "user:describe:1"),
                fill("s", "group:list:all"),
                fill("t", "user:list:all"),
            ],
        );
        let before = store.sequence().unwrap();
        let removed = store.remove(std::slice::from_ref(&selection), None, NOW).unwrap();
        assert_eq!(removed.sequence, before + 1);
        assert_eq!(store.sequence().unwrap(), before + 1);
        let rest = listed(store, &Select::All);
        assert_eq!(rest.join(" "), left, "{selection:?}");
        assert_eq!((removed.entries, removed.bytes), (4 - rest.len() as u64, 10 * (4 - rest.len() as u64)));
    }
    assert_eq!(store.remove(&[exact("s", "absent")], None, NOW).unwrap().entries, 0);
}

fn a_fill_older_than_a_record_that_covers_it_is_refused(store: &dyn Store) {
    let fills = [fill("s", "user:1"), fill("s", "group:1"), fill("t", "user:1")];
    for (selection, refused) in [
        (exact("s", "user:1"), "s/user:1"),
        (glob(Some("s"), "*:1"), "s/user:1 s/group:1"),
        (glob(None, "user:*"), "s/user:1 t/user:1"),
        (Select::Space("s".into()), "s/user:1 s/group:1"),
        (Select::All, "s/user:1 s/group:1 t/user:1"),
    ] {
        store.remove(&[Select::All], None, NOW).unwrap();
        let since = store.sequence().unwrap();
        let sequence = store.remove(std::slice::from_ref(&selection), None, NOW).unwrap().sequence;
        let stored = store.put(&fills, since, NOW).unwrap();
        let count = refused.split(' ').count() as u64;
        assert_eq!(stored, Stored { stored: 3 - count, refused: count }, "{selection:?}");
        for name in refused.split(' ') {
            let (space, key) = name.split_once('/').unwrap();
            assert!(!has(store, space, key), "{selection:?} {name}");
        }
        assert_eq!(store.put(&fills, sequence, NOW).unwrap().refused, 0, "{selection:?}: a later fill");
    }
}

fn a_fill_from_before_what_the_log_remembers_stores_nothing(store: &dyn Store) {
    let since = store.sequence().unwrap();
    store.remove(&[exact("s", "other")], None, NOW).unwrap();
    assert_eq!(store.put(&[fill("s", "k")], since, NOW).unwrap().stored, 1, "nothing is forgotten yet");
    let last = store.remove(&[exact("s", "another")], None, NOW + HOUR + 1).unwrap().sequence;
    assert_eq!(store.put(&[fill("s", "k")], since, NOW).unwrap(), Stored { stored: 0, refused: 1 });
    assert_eq!(store.put(&[fill("s", "k")], last - 1, NOW).unwrap().stored, 1, "all that came later is known");
    assert_eq!(store.put(&[fill("s", "k")], last + 1, NOW).unwrap().stored, 0, "a number of another life");
    for i in 0..2 {
        let many: Vec<Select> = (0..6_000).map(|k| exact("s", &format!("{i}:{k}"))).collect();
        store.remove(&many, None, NOW + HOUR).unwrap();
    }
    assert_eq!(store.put(&[fill("s", "k")], last - 1, NOW).unwrap().stored, 0, "10,000 records are kept");
}

fn a_fence_keeps_fills_out_until_its_deadline(store: &dyn Store) {
    fill_all(store, &[fill("s", "user:1")]);
    let fence = [glob(Some("s"), "user:*")];
    let sequence = store.remove(&fence, Some(NOW + 2 * HOUR), NOW).unwrap().sequence;
    assert!(!has(store, "s", "user:1"));
    let fenced = |key, now| store.standing(at("s", key), now).unwrap().fenced;
    let put = |key: &str, now| store.put(&[fill("s", key)], store.sequence().unwrap(), now).unwrap().stored == 1;
    assert!(
        fenced("user:1", NOW) && !fenced("group:1", NOW) && !store.standing(at("t", "user:1"), NOW).unwrap().fenced
    );
    assert!(!put("user:1", NOW) && put("group:1", NOW));
    // A fence outlives the records of its age.
    store.remove(&[exact("s", "other")], None, NOW + HOUR + 1).unwrap();
    assert!(fenced("user:1", NOW + 2 * HOUR - 1) && !put("user:1", NOW + 2 * HOUR - 1));
    assert!(!fenced("user:1", NOW + 2 * HOUR) && put("user:1", NOW + 2 * HOUR));
    assert_eq!(store.put(&[fill("s", "user:2")], sequence - 1, NOW + 2 * HOUR).unwrap().stored, 0, "still a record");
}

fn a_fence_can_be_lowered_and_its_record_stays(store: &dyn Store) {
    let since = store.sequence().unwrap();
    let fence = store.remove(&[exact("s", "k")], Some(NOW + HOUR), NOW).unwrap().sequence;
    assert_eq!(store.standing(at("s", "k"), NOW).unwrap(), Standing { newest: fence, fenced: true });
    store.lower(fence, NOW + 10).unwrap();
    store.lower(fence, NOW + 2 * HOUR).unwrap();
    let put = |begun| store.put(&[fill("s", "k")], store.sequence().unwrap(), begun).unwrap().stored;
    assert_eq!((put(NOW + 9), put(NOW + 10)), (0, 1), "judged by when the fetch began");
    assert_eq!(store.standing(at("s", "k"), NOW + 10).unwrap(), Standing { newest: fence, fenced: false });
    assert_eq!(store.put(&[fill("s", "k")], since, NOW + 10).unwrap().stored, 0, "still a record");
    assert_eq!(store.standing(at("s", "other"), NOW).unwrap(), Standing::default());
}

fn the_log_tells_what_came_after_a_number(store: &dyn Store) {
    let since = store.sequence().unwrap();
    let first = store.remove(&[exact("s", "a"), exact("s", "b")], None, NOW).unwrap().sequence;
    let second = store.remove(&[glob(None, "group:list:*")], Some(NOW + 5), NOW).unwrap().sequence;
    let told = |since| {
        let records = store.records(since).unwrap()?;
        Some(records.into_iter().map(|record| (record.sequence, record.select)).collect::<Vec<_>>())
    };
    let last = (second, glob(None, "group:list:*"));
    assert_eq!(told(since), Some(vec![(first, exact("s", "a")), (first, exact("s", "b")), last.clone()]));
    assert_eq!(told(first), Some(vec![last]));
    assert_eq!(told(second), Some(vec![]));
    assert_eq!(told(second + 1), None, "a number of another life");
    store.remove(&[exact("s", "x")], None, NOW + HOUR + 6).unwrap();
    assert_eq!(told(since), None, "some of it is forgotten");
}

fn a_draft_is_seen_when_published_and_never_before(store: &dyn Store) {
    let since = store.sequence().unwrap();
    fill_all(store, &[fill("s", "k")]);
    let mut draft = store.draft(NOW).unwrap();
    draft.frame(b"one").unwrap();
    draft.frame(&vec![7; 300_000]).unwrap();
    assert_eq!(get(store, "s", "k").unwrap().1[0], b"first");
    assert!(draft.publish(&Meta { frames: 2, held: 300_003, ..meta("s", "k") }, since).unwrap());
    assert_eq!(get(store, "s", "k").unwrap().1, [b"one".to_vec(), vec![7; 300_000]]);
    drop(store.draft(NOW).unwrap());
    let short = store.draft(NOW).unwrap().publish(&meta("s", "short"), since).unwrap_err();
    assert!(matches!(short, StoreError::Damaged { .. }), "{short}");
    assert_eq!(listed(store, &Select::All), ["s/k"]);
}

fn an_overtaken_draft_is_not_published(store: &dyn Store) {
    for (selection, published) in [(exact("s", "k"), false), (glob(None, "*"), false), (exact("s", "other"), true)] {
        let since = store.sequence().unwrap();
        let mut draft = store.draft(NOW).unwrap();
        draft.frame(b"one").unwrap();
        store.remove(std::slice::from_ref(&selection), None, NOW).unwrap();
        assert_eq!(draft.publish(&Meta { frames: 1, ..meta("s", "k") }, since).unwrap(), published, "{selection:?}");
        assert_eq!(has(store, "s", "k"), published, "{selection:?}");
    }
    store.remove(&[exact("s", "k")], Some(NOW + 10), NOW).unwrap();
    let draft = store.draft(NOW).unwrap();
    let since = store.sequence().unwrap();
    assert!(!draft.publish(&Meta { frames: 0, ..meta("s", "k") }, since).unwrap(), "under a fence");
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

fn aged(key: &str, stored_at: i64, stale_until: i64, used_at: i64) -> Fill {
    let mut fill = fill("s", key);
    (fill.meta.stored_at, fill.meta.stale_until, fill.meta.used_at) = (stored_at, stale_until, used_at);
    fill
}

fn a_sweep_drops_the_expired_then_the_old_then_the_unused(store: &dyn Store) {
    let later = NOW + HOUR;
    fill_all(
        store,
        &[
            aged("expired", NOW - 10, NOW, NOW),
            aged("old", NOW - 2 * HOUR, later, NOW),
            aged("unused", NOW - 50, later, 0),
            aged("used long ago", NOW - 10, later, NOW - 40),
            aged("used", NOW - 90, later, NOW - 1),
            aged("other", NOW - 20, later, 0),
        ],
    );
    let sequence = store.sequence().unwrap();
    let swept = store
        .sweep(&Sweep {
            expired: true,
            stored_before: Some(NOW - HOUR),
            bytes: Some((39, 25)),
            entries: Some((100, 0)),
            ..NO_SWEEP
        })
        .unwrap();
    assert_eq!((swept.expired, swept.aged, swept.evicted, swept.bytes), (1, 1, 2, 40));
    assert_eq!(listed(store, &Select::All), ["s/other", "s/used"]);
    assert_eq!(store.sweep(&Sweep { bytes: Some((20, 0)), ..NO_SWEEP }).unwrap().entries(), 0, "not above the limit");
    assert_eq!(store.sweep(&Sweep { entries: Some((1, 1)), ..NO_SWEEP }).unwrap().evicted, 1);
    assert_eq!(listed(store, &Select::All), ["s/used"]);
    assert_eq!(store.sequence().unwrap(), sequence, "an eviction is no record");
}

fn a_dry_sweep_deletes_nothing(store: &dyn Store) {
    fill_all(store, &[aged("a", NOW, NOW, 0), aged("b", NOW, NOW + 1, 0)]);
    let sweep = Sweep { expired: true, entries: Some((0, 0)), dry_run: true, ..NO_SWEEP };
    let would = store.sweep(&sweep).unwrap();
    assert_eq!((would.expired, would.evicted, would.bytes), (1, 1, 20));
    assert_eq!(listed(store, &Select::All).len(), 2);
    assert_eq!(store.sweep(&Sweep { dry_run: false, ..sweep }).unwrap(), would);
    assert_eq!(store.size().unwrap().entries, 0);
}

fn a_use_saves_from_eviction(store: &dyn Store) {
    fill_all(store, &[aged("a", NOW - 3, NOW + 1, 0), aged("b", NOW - 2, NOW + 1, 0)]);
    store.touch(&[(store.row(at("s", "a")), NOW), (store.row(at("s", "absent")), NOW)]).unwrap();
    store.touch(&[(store.row(at("s", "a")), NOW - 100)]).unwrap();
    assert_eq!(get(store, "s", "a").unwrap().0.used_at, NOW, "the newest use counts");
    store.sweep(&Sweep { entries: Some((1, 1)), ..NO_SWEEP }).unwrap();
    assert_eq!(listed(store, &Select::All), ["s/a"]);
}

fn what_a_sweep_names_goes_first(store: &dyn Store) {
    fill_all(
        store,
        &[
            aged("user:list:all", NOW - 3, NOW + 1, 0),
            aged("user:describe:a", NOW, NOW + 1, NOW),
            aged("x", NOW - 2, NOW + 1, 0),
        ],
    );
    let sweep = Sweep { entries: Some((2, 2)), first: &["*:describe:*", "*:by_name:*"], ..NO_SWEEP };
    assert_eq!(store.sweep(&sweep).unwrap().evicted, 1);
    assert_eq!(listed(store, &Select::All), ["s/user:list:all", "s/x"]);
    assert_eq!(store.sweep(&Sweep { entries: Some((1, 1)), ..sweep }).unwrap().evicted, 1);
    assert_eq!(listed(store, &Select::All), ["s/x"], "then the least recently used");
}

fn a_discard_needs_the_seal(store: &dyn Store) {
    let fill = fill("s", "k");
    fill_all(store, std::slice::from_ref(&fill));
    let sequence = store.sequence().unwrap();
    store.discard(at("s", "k"), 1).unwrap();
    store.discard(at("t", "k"), fill.meta.seal).unwrap();
    assert!(has(store, "s", "k"));
    store.discard(at("s", "k"), fill.meta.seal).unwrap();
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

fn counted(n: u64) -> Fill {
    let frames = vec![n.to_string().into_bytes()];
    let meta = Meta { frames: 1, held: frames[0].len() as u64, stored_at: NOW, ..meta("s", "n") };
    Fill { meta, frames }
}

/// One more than what the entry `n` holds.
fn increment(store: &dyn Store) -> bool {
    let one_more = &mut |there: Option<(&Meta, &mut dyn Frames)>| {
        let mut text = Vec::new();
        if let Some((_, frames)) = there {
            frames.read(0, &mut text)?;
        }
        let before: u64 = std::str::from_utf8(&text).unwrap().parse().unwrap_or(0);
        Ok(Some(counted(before + 1)))
    };
    store.revise(at("s", "n"), NOW, one_more).unwrap()
}

fn number(store: &dyn Store) -> String {
    get(store, "s", "n").map(|(_, frames)| String::from_utf8(frames[0].clone()).unwrap()).unwrap_or_default()
}

fn a_revision_sees_what_is_there_and_stores_what_is_made_of_it(store: &dyn Store) {
    assert!(increment(store));
    assert_eq!(number(store), "1", "nothing was there");
    store.touch(&[(store.row(at("s", "n")), NOW + 5)]).unwrap();
    assert!(increment(store));
    assert_eq!(number(store), "2");
    assert_eq!(get(store, "s", "n").unwrap().0.used_at, NOW + 5, "the last use stays known");
    assert_eq!(store.size().unwrap().held, 1);
    assert_eq!(listed(store, &Select::All), ["s/n"]);
}

fn a_revision_that_fails_or_gives_nothing_changes_nothing(store: &dyn Store) {
    assert!(increment(store));
    let failed = store.revise(at("s", "n"), NOW, &mut |_| Err(StoreError::Output(std::io::Error::other("no"))));
    assert!(matches!(failed, Err(StoreError::Output(_))), "{failed:?}");
    assert!(!store.revise(at("s", "n"), NOW, &mut |_| Ok(None)).unwrap());
    assert!(
        !store
            .revise(at("s", "absent"), NOW, &mut |there| {
                assert!(there.is_none());
                Ok(None)
            })
            .unwrap()
    );
    assert_eq!(number(store), "1");
    assert!(increment(store), "and the next one goes on");
}

fn a_revision_is_kept_out_by_a_fence_and_by_nothing_older(store: &dyn Store) {
    assert!(increment(store));
    store.remove(&[exact("s", "n")], Some(NOW + 10), NOW).unwrap();
    assert!(!increment(store));
    assert!(!has(store, "s", "n"));
    store.remove(&[exact("s", "n")], None, NOW).unwrap();
    assert!(store.revise(at("s", "n"), NOW + 10, &mut |_| Ok(Some(counted(7)))).unwrap(), "a fence lapses");
    assert_eq!(number(store), "7");
}

fn threads_that_revise_one_entry_lose_none(store: &dyn Store) {
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| (0..20).for_each(|_| assert!(increment(store))));
        }
    });
    assert_eq!(number(store), "160");
}
