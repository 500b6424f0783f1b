//! The cache in a file, and many entries at once: what comes back, as it was, and what stays out.

use super::{Bench, SPACE, bench, on_disk, payload, settings};
use awsideman::cache::{
    Cache, CacheError, FRAME_BYTES, Fresh, Imported, Key, Lookup, Provenance, Put, ReadOptions, Verified,
};
use awsideman::clock::{Clock, SystemClock};
use awsideman::model::Resource;
use awsideman::store::{Address, Select, Store};
use std::io::Cursor;
use std::time::Duration;

const MINUTE: Duration = Duration::from_secs(60);

fn user(id: &str) -> Key {
    Key::new(Resource::User, "describe", id)
}

/// A cache with a long list and three users, of which one has another space.
fn filled() -> Bench {
    let bench = on_disk();
    assert!(bench.put(&payload(2 * FRAME_BYTES + 9)));
    for (space, id) in [(SPACE, "1"), (SPACE, "2"), ("another space", "1")] {
        put(&bench, space, id, format!("{{\"of\":\"{space}\"}}").as_bytes());
    }
    bench
}

fn put(bench: &Bench, space: &str, id: &str, bytes: &[u8]) {
    let fresh = Fresh { key: user(id), payload: bytes.to_vec(), source: "test" };
    assert_eq!(bench.cache.fill(space, &[fresh], bench.cache.ticket().unwrap()).unwrap().stored, 1);
}

fn export(bench: &Bench) -> Vec<u8> {
    let mut archive = Vec::new();
    let done = bench.cache.export(&Select::All, "0.0.0", None, &mut archive).unwrap();
    assert_eq!(done.bytes, archive.len() as u64);
    archive
}

fn verified(archive: &[u8]) -> Result<Verified, CacheError> {
    Verified::read(&mut Cursor::new(archive), tempfile::tempfile().unwrap())
}

fn import(bench: &Bench, archive: &[u8]) -> Result<Imported, CacheError> {
    let history = bench.disk.as_ref().unwrap().1.history(bench.clock.now()).unwrap();
    bench.cache.import(verified(archive)?, &history, false)
}

/// An empty cache at the same moment.
fn empty_beside(bench: &Bench) -> Bench {
    let other = on_disk();
    other.clock.set(bench.clock.now());
    other
}

fn get(bench: &Bench, space: &str, key: &Key) -> Option<(Provenance, Vec<u8>)> {
    match bench.cache.get(space, key, ReadOptions::default()).unwrap() {
        (Lookup::Hit(found), bytes) => Some((found, bytes)),
        _ => None,
    }
}

#[test]
fn an_archive_restores_every_entry_with_its_namespace_and_times() {
    let bench = filled();
    bench.clock.advance(4 * MINUTE);
    let other = empty_beside(&bench);
    let done = import(&other, &export(&bench)).unwrap();
    assert_eq!((done.entries, done.stored, done.skipped.len()), (4, 4, 0));
    for (space, key) in [(SPACE, super::key()), (SPACE, user("1")), (SPACE, user("2")), ("another space", user("1"))] {
        let (was, is) = (get(&bench, space, &key).unwrap(), get(&other, space, &key).unwrap());
        assert!(was == is, "{space} {key}");
        assert_eq!((is.0.age_ms, is.0.left_ms), (240_000, 360_000), "no fresher than it was");
    }
    assert!(get(&other, "another space", &user("2")).is_none(), "nothing crosses spaces");
    let again = import(&other, &export(&bench)).unwrap();
    assert_eq!((again.stored, again.skipped["here already, and as young"]), (0, 4));
}

#[test]
fn expired_entries_are_neither_exported_nor_imported() {
    let bench = filled();
    let archive = export(&bench);
    bench.clock.advance(10 * MINUTE);
    let mut nothing = Vec::new();
    let done = bench.cache.export(&Select::All, "0.0.0", None, &mut nothing).unwrap();
    assert_eq!((done.entries, done.skipped["expired"]), (0, 4));
    let other = empty_beside(&bench);
    let done = import(&other, &archive).unwrap();
    assert_eq!((done.stored, done.skipped["expired"]), (0, 4));
    let early = filled();
    let shorter = on_disk();
    shorter.clock.set(early.clock.now() + 61_000);
    let impatient = Cache::new(shorter.store.clone(), shorter.clock.clone(), settings(60));
    let history = shorter.disk.as_ref().unwrap().1.history(shorter.clock.now()).unwrap();
    let done = impatient.import(verified(&archive).unwrap(), &history, false).unwrap();
    assert_eq!(done.stored, 0, "today's time to live counts");
}

#[test]
fn what_a_change_has_overtaken_since_it_was_fetched_stays_out() {
    let exact = |key: &Key| Select::Exact { space: SPACE.into(), key: key.as_str().into() };
    let glob = Select::Glob { space: Some(SPACE.into()), pattern: "user:describe:*".into() };
    for (select, fence, kept) in [
        (exact(&user("1")), None, 3),
        (exact(&user("1")), Some(300_000), 3),
        (glob, None, 2),
        (Select::Space(SPACE.into()), None, 1),
        (Select::All, None, 0),
    ] {
        let bench = filled();
        let archive = export(&bench);
        let other = empty_beside(&bench);
        other.clock.advance(MINUTE);
        let now = other.clock.now();
        other.store.remove(std::slice::from_ref(&select), fence.map(|ms| now + ms), now).unwrap();
        other.clock.advance(MINUTE);
        let done = import(&other, &archive).unwrap();
        assert_eq!((done.stored, done.skipped["changed since it was fetched"]), (kept, 4 - kept), "{select:?}");
    }
    let bench = on_disk();
    let other = empty_beside(&bench);
    other.store.remove(&[Select::All], None, other.clock.now()).unwrap();
    bench.clock.advance(2 * MINUTE);
    other.clock.advance(2 * MINUTE);
    assert!(bench.put(b"[]"));
    assert_eq!(import(&other, &export(&bench)).unwrap().stored, 1, "what was fetched after a change is as good as new");
}

#[test]
fn what_is_older_than_the_log_of_changes_remembers_stays_out() {
    // Numbers of generations come from the host's clock: this test lives at its time.
    let bench = on_disk();
    let now = SystemClock::default().now();
    bench.clock.set(now - 60_000);
    let archive = {
        assert!(bench.put(b"[]"));
        export(&bench)
    };
    bench.clock.set(now);
    let fresh = empty_beside(&bench);
    assert_eq!(import(&fresh, &archive).unwrap().stored, 1, "a first generation has missed nothing");
    let flipped = empty_beside(&bench);
    flipped.disk.as_ref().unwrap().1.flip(now).unwrap();
    let done = import(&flipped, &archive).unwrap();
    assert_eq!((done.stored, done.skipped["older than what the log of changes remembers"]), (0, 1));
    let long = on_disk();
    long.clock.set(now);
    let patient = Cache::new(long.store.clone(), long.clock.clone(), settings(2 * 3_600));
    let ticket = patient.ticket().unwrap();
    patient.fill_long(SPACE, &super::key(), "test", &mut &b"[]"[..], ticket).unwrap();
    let mut archive = Vec::new();
    patient.export(&Select::All, "0.0.0", None, &mut archive).unwrap();
    let late = on_disk();
    late.clock.set(now + 61 * 60_000);
    let history = late.disk.as_ref().unwrap().1.history(late.clock.now()).unwrap();
    let patient = Cache::new(late.store.clone(), late.clock.clone(), settings(2 * 3_600));
    let done = patient.import(verified(&archive).unwrap(), &history, false).unwrap();
    assert_eq!(done.skipped["older than what the log of changes remembers"], 1);
}

#[test]
fn a_younger_entry_stays_and_an_older_one_is_replaced() {
    let bench = filled();
    let archive = export(&bench);
    let other = empty_beside(&bench);
    other.clock.advance(MINUTE);
    put(&other, SPACE, "1", b"\"younger\"");
    let done = import(&other, &archive).unwrap();
    assert_eq!((done.stored, done.skipped["here already, and as young"]), (3, 1));
    assert_eq!(get(&other, SPACE, &user("1")).unwrap().1, b"\"younger\"");
    bench.clock.advance(2 * MINUTE);
    put(&bench, SPACE, "1", b"\"youngest\"");
    other.clock.advance(2 * MINUTE);
    assert_eq!(import(&other, &export(&bench)).unwrap().stored, 1);
    assert_eq!(get(&other, SPACE, &user("1")).unwrap().1, b"\"youngest\"");
}

#[test]
fn a_damaged_archive_stores_nothing() {
    let bench = filled();
    let archive = export(&bench);
    let other = empty_beside(&bench);
    let refused = |bytes: &[u8], what: &str| {
        let error = import(&other, bytes).expect_err(what);
        let expected = matches!(error, CacheError::DamagedArchive { .. } | CacheError::ForeignArchive { .. });
        assert!(expected && other.store.size().unwrap().entries == 0, "{what}: {error}");
    };
    let step = (archive.len() / 150).max(1);
    for at in (0..archive.len()).step_by(step) {
        let mut bytes = archive.clone();
        bytes[at] ^= 1 << (at % 8);
        refused(&bytes, &format!("a bit of byte {at}"));
        refused(&archive[..at], &format!("cut at {at}"));
    }
    let doubled = [archive.clone(), archive.clone()].concat();
    refused(&doubled, "something after its end");
    refused(b"{}\n", "another file");
    refused(b"\n", "an empty line");
    let text = String::from_utf8_lossy(&archive);
    let (first, _) = text.split_once('\n').unwrap();
    for (from, to) in [("\"schema\":1", "\"schema\":2"), ("\"version\":1", "\"version\":9")] {
        let other_first = first.replace(from, to);
        let bytes = [other_first.as_bytes(), &archive[first.len()..]].concat();
        let error = import(&other, &bytes).unwrap_err();
        assert!(
            matches!(&error, CacheError::ForeignArchive { reason } if reason.contains("this one takes")),
            "{error}"
        );
    }
    assert_eq!(import(&other, &archive).unwrap().stored, 4);
}

#[test]
fn host_local_and_damaged_entries_go_into_no_archive() {
    let bench = filled();
    put(&bench, "@instances", "1", b"{}");
    bench.database().execute("UPDATE e SET source = 'forged' WHERE key = 'user:describe:2'", ()).unwrap();
    let mut archive = Vec::new();
    let done = bench.cache.export(&Select::All, "0.0.0", None, &mut archive).unwrap();
    assert_eq!((done.entries, done.skipped["of this host alone"], done.skipped["damaged"]), (3, 1, 1));
    let address = Address { space: SPACE, key: "user:describe:2" };
    assert!(bench.store.view(address, &mut |_, _| Ok(())).unwrap(), "nothing is dropped by an export");
}

#[test]
fn many_entries_are_stored_each_with_its_configured_ttl() {
    let bench = bench(std::sync::Arc::new(awsideman::store::Memory::new(0, 0)), None);
    let one = |id: &str, ttl: Option<Duration>| Put { key: user(id), payload: id.into(), source: "a user", ttl };
    let puts =
        [one("10", None), one("11", Some(MINUTE)), one("12", Some(60 * MINUTE)), one("13", Some(Duration::ZERO))];
    let stored = bench.cache.put_many(SPACE, &puts, bench.cache.ticket().unwrap()).unwrap();
    assert_eq!(stored.stored, 4);
    let keys: Vec<Key> = puts.iter().map(|put| put.key.clone()).chain([user("14")]).collect();
    let hits = |bench: &Bench| {
        let found = bench.cache.get_many(SPACE, &keys, ReadOptions::default()).unwrap();
        found.into_iter().map(|(lookup, bytes)| matches!(lookup, Lookup::Hit(_)).then_some(bytes)).collect::<Vec<_>>()
    };
    let text = |id: &str| Some(id.as_bytes().to_vec());
    assert_eq!(hits(&bench), [text("10"), text("11"), text("12"), None, None]);
    bench.clock.advance(MINUTE);
    assert_eq!(hits(&bench), [text("10"), None, text("12"), None, None]);
    bench.clock.advance(9 * MINUTE);
    assert_eq!(hits(&bench), [None, None, None, None, None], "ten minutes are configured");
    let ticket = bench.cache.ticket().unwrap();
    bench.store.remove(&[Select::All], None, bench.clock.now()).unwrap();
    assert_eq!(bench.cache.put_many(SPACE, &puts, ticket).unwrap().refused, 4, "overtaken");
}
