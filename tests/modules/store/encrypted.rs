//! What a key keeps: names and bytes that nobody else reads, and changes that reach every tongue.
//!
//! Each test is a sentence that somebody relies on who may lose the disk, the key, or both at once.

use super::*;
use awsideman::store::{Encrypted, KeyRing, KeyState};

/// A key made of this number, as base64.
pub(crate) fn key(number: u8) -> String {
    let digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let letter = digits.chars().nth(usize::from(number)).unwrap();
    format!("{}A=", letter.to_string().repeat(42))
}

pub(crate) fn ring(numbers: &[u8]) -> KeyState {
    let text: Vec<String> = numbers.iter().map(|number| key(*number)).collect();
    KeyState::Keys(Arc::new(KeyRing::parse(text.join("\n").as_bytes()).unwrap()))
}

fn over(dir: &Path, ring: KeyState) -> Encrypted {
    Encrypted::new(Disk::open(&options(dir)).unwrap(), ring)
}

/// The layer with these keys, the newest first.
pub(crate) fn sealed(dir: &Path, numbers: &[u8]) -> Encrypted {
    over(dir, ring(numbers))
}

/// Everything that lies in a directory.
pub(crate) fn bytes_in(dir: &Path) -> Vec<u8> {
    let files = std::fs::read_dir(dir).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap());
    files.flatten().collect()
}

fn holds(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|window| window == text.as_bytes())
}

/// An entry whose bytes are these.
fn named(key: &str, text: &str) -> Fill {
    Fill { meta: Meta { frames: 1, ..meta("s", key) }, frames: vec![text.into()] }
}

fn only_frame(store: &dyn Store, key: &str) -> Option<String> {
    get(store, "s", key).map(|(_, frames)| String::from_utf8(frames[0].clone()).unwrap())
}

/// Exchanges everything and gives what it did.
fn exchange(layer: &Encrypted, old: &KeyState) -> awsideman::store::RekeyReport {
    layer.exchange(old, &mut |_| true).unwrap()
}

#[test]
fn neither_keys_nor_answers_nor_records_can_be_read_in_the_directory() {
    let root = tempfile::tempdir().unwrap();
    let layer = sealed(root.path(), &[1]);
    fill_all(
        &layer,
        &[named("user:by_name:alice.example", "alice@example.com"), named("user:describe:u-4711", "Alice")],
    );
    layer.remove(&[exact("s", "group:describe:g-0815"), glob(Some("s"), "user:describe:secret*")], None, NOW).unwrap();
    layer.discard(at("s", "user:describe:u-4711"), meta("s", "").checksum).unwrap();
    assert_eq!(only_frame(&layer, "user:by_name:alice.example").as_deref(), Some("alice@example.com"));
    let bytes = bytes_in(root.path());
    assert!(holds(&bytes, "user:by_name:") && holds(&bytes, "group:describe:"), "what counts and limits go by");
    for text in ["alice.example", "alice@example.com", "Alice", "u-4711", "g-0815", "secret"] {
        assert!(!holds(&bytes, text), "{text}");
    }
}

#[test]
fn a_glob_removes_its_matches_and_is_recorded_without_names() {
    let root = tempfile::tempdir().unwrap();
    let layer = sealed(root.path(), &[1]);
    let fills = ["user:describe:abc1", "user:describe:abd2", "user:by_name:abc"].map(|key| named(key, "x"));
    fill_all(&layer, &fills);
    let since = layer.sequence().unwrap();
    assert_eq!(layer.remove(&[glob(None, "user:describe:abc*")], None, NOW).unwrap().entries, 1);
    assert_eq!(listed(&layer, &glob(Some("s"), "*:ab*")), ["s/user:by_name:abc", "s/user:describe:abd2"]);
    let again = layer.put(&fills, since, NOW).unwrap();
    assert_eq!((again.stored, again.refused), (1, 2), "the record covers the operation, which costs a fill");
    assert_eq!(layer.remove(&[glob(None, "*:[a]bc")], None, NOW).unwrap().entries, 1);
}

#[test]
fn entries_under_another_key_are_a_miss_and_stay() {
    let root = tempfile::tempdir().unwrap();
    let (one, two, both) = (sealed(root.path(), &[1]), sealed(root.path(), &[2]), sealed(root.path(), &[2, 1]));
    fill_all(&one, &[named("user:describe:a", "of one")]);
    assert_eq!(only_frame(&two, "user:describe:a"), None);
    assert_eq!(only_frame(&both, "user:describe:a").as_deref(), Some("of one"), "an older key of the ring reads");
    fill_all(&two, &[named("user:describe:a", "of two")]);
    assert_eq!(only_frame(&one, "user:describe:a").as_deref(), Some("of one"));
    assert_eq!(only_frame(&both, "user:describe:a").as_deref(), Some("of two"), "the newest first");
    let census = one.census().unwrap();
    assert_eq!(census.clear, None);
    assert_eq!(census.keys.iter().map(|(_, entries, _)| entries).sum::<u64>(), 2);
    assert!(two.view(at("s", "user:describe:b"), &mut |_, _| panic!("nothing is there")).is_ok());
}

#[test]
fn plaintext_is_not_read_with_a_key_nor_encrypted_without_one() {
    let root = tempfile::tempdir().unwrap();
    let (clear, layer) = (over(root.path(), KeyState::Clear), sealed(root.path(), &[1]));
    let locked = over(root.path(), KeyState::Locked("it is lost".into()));
    fill_all(&clear, &[named("user:describe:a", "clear")]);
    assert_eq!(only_frame(&layer, "user:describe:a"), None);
    fill_all(&layer, &[named("user:describe:a", "sealed")]);
    assert_eq!(only_frame(&clear, "user:describe:a").as_deref(), Some("clear"));
    assert_eq!(only_frame(&locked, "user:describe:a"), None);
    let since = locked.sequence().unwrap();
    assert_eq!(locked.put(&[named("user:describe:b", "b")], since, NOW).unwrap(), Stored { stored: 0, refused: 1 });
    let mut draft = locked.draft(NOW).unwrap();
    draft.frame(b"b").unwrap();
    assert!(!draft.publish(&Meta { frames: 1, ..meta("s", "user:describe:b") }, since).unwrap());
    assert_eq!(locked.size().unwrap().entries, 2, "counting needs no key");
    assert_eq!(listed(&locked, &glob(None, "user:*")).len(), 2);
}

/// Every way in which two processes of one directory may differ about keys.
fn pairs(dir: &Path) -> Vec<(&'static str, Encrypted, Encrypted)> {
    let locked = || over(dir, KeyState::Locked("it is lost".into()));
    let clear = || over(dir, KeyState::Clear);
    vec![
        ("clear reads, sealed removes", clear(), sealed(dir, &[1])),
        ("sealed reads, clear removes", sealed(dir, &[1]), clear()),
        ("one reads, another removes", sealed(dir, &[1]), sealed(dir, &[2])),
        ("the old key reads, both remove", sealed(dir, &[1]), sealed(dir, &[2, 1])),
        ("both read, the old key removes", sealed(dir, &[2, 1]), sealed(dir, &[1])),
        ("sealed reads, without the key removes", sealed(dir, &[1]), locked()),
        ("clear reads, without the key removes", clear(), locked()),
    ]
}

#[test]
fn a_removal_reaches_an_entry_under_every_key_id() {
    for select in
        [exact("s", "user:describe:a"), glob(Some("s"), "user:describe:[a]"), glob(None, "user:*"), Select::All]
    {
        for index in 0..7 {
            let root = tempfile::tempdir().unwrap();
            let (what, reader, remover) = pairs(root.path()).swap_remove(index);
            let fill = [named("user:describe:a", "x")];
            // Stored before, and fetched before.
            fill_all(&reader, &fill);
            let since = reader.sequence().unwrap();
            remover.remove(std::slice::from_ref(&select), None, NOW).unwrap();
            assert_eq!(only_frame(&reader, "user:describe:a"), None, "{what}: {select:?}");
            assert_eq!(reader.put(&fill, since, NOW).unwrap().stored, 0, "{what}: {select:?}: overtaken");
            assert!(
                reader.records(since).unwrap().unwrap().iter().any(|r| r.select.covers(at("s", "user:describe:a")))
            );
            let now = reader.sequence().unwrap();
            assert_eq!(reader.put(&fill, now, NOW).unwrap().stored, 1, "{what}: {select:?}: a later fetch");
            // A fence, seen by who never stored anything before.
            remover.remove(std::slice::from_ref(&select), Some(NOW + HOUR), NOW).unwrap();
            let now = reader.sequence().unwrap();
            assert_eq!(reader.put(&fill, now, NOW).unwrap().stored, 0, "{what}: {select:?}: fenced");
            assert_eq!(
                reader.put(&fill, now, NOW + HOUR).unwrap().stored,
                1,
                "{what}: {select:?}: the fence has lapsed"
            );
        }
    }
}

#[test]
fn a_store_under_another_key_keeps_nothing_an_earlier_change_excludes() {
    for index in 0..7 {
        let root = tempfile::tempdir().unwrap();
        let (what, newcomer, remover) = pairs(root.path()).swap_remove(index);
        fill_all(&remover, &[]);
        let _ = remover.put(&[named("user:describe:z", "z")], remover.sequence().unwrap(), NOW).unwrap();
        let since = newcomer.sequence().unwrap();
        remover.remove(&[exact("s", "user:describe:a")], None, NOW).unwrap();
        let fill = [named("user:describe:a", "x")];
        assert_eq!(newcomer.put(&fill, since, NOW).unwrap().stored, 0, "{what}: fetched before");
        remover.remove(&[exact("s", "user:describe:a")], Some(NOW + HOUR), NOW).unwrap();
        let since = newcomer.sequence().unwrap();
        assert_eq!(newcomer.put(&fill, since, NOW).unwrap().stored, 0, "{what}: under a fence");
        assert_eq!(newcomer.put(&fill, since, NOW + HOUR).unwrap().stored, 1, "{what}");
    }
}

#[test]
fn a_new_generation_remembers_that_not_everybody_was_told_everything() {
    let root = tempfile::tempdir().unwrap();
    let (layer, clear) = (sealed(root.path(), &[1]), over(root.path(), KeyState::Clear));
    fill_all(&layer, &[named("user:describe:z", "z")]);
    layer.remove(&[exact("s", "user:describe:a")], Some(NOW + HOUR), NOW).unwrap();
    Disk::flip_in(&options(root.path()), NOW).unwrap();
    let since = clear.sequence().unwrap();
    let fill = [named("user:describe:a", "x")];
    assert_eq!(clear.put(&fill, since, NOW).unwrap().stored, 0, "the fence is said in a tongue that it does not speak");
    assert_eq!(clear.put(&fill, since, NOW + HOUR).unwrap().stored, 1);
}

#[test]
fn a_revision_under_a_new_key_continues_from_the_old_one() {
    let root = tempfile::tempdir().unwrap();
    let count = |layer: &Encrypted| {
        let more = &mut |there: Option<(&Meta, &mut dyn awsideman::store::Frames)>| {
            let mut before = Vec::new();
            if let Some((_, frames)) = there {
                frames.read(0, &mut before)?;
            }
            let n: u32 = String::from_utf8(before).unwrap().parse().unwrap_or(0);
            Ok(Some(named("custom:count:x", &(n + 1).to_string())))
        };
        layer.revise(at("s", "custom:count:x"), NOW, more)
    };
    let (one, both) = (sealed(root.path(), &[1]), sealed(root.path(), &[2, 1]));
    assert!(count(&one).unwrap() && count(&one).unwrap() && count(&both).unwrap());
    assert_eq!(only_frame(&sealed(root.path(), &[2]), "custom:count:x").as_deref(), Some("3"));
    let locked = over(root.path(), KeyState::Locked("it is lost".into()));
    assert!(matches!(count(&locked), Err(StoreError::Key(_))));
}

#[test]
fn a_rekey_moves_everything_to_the_newest_key_and_wipes_plaintext() {
    let root = tempfile::tempdir().unwrap();
    let clear = over(root.path(), KeyState::Clear);
    let fills: Vec<Fill> = (0..450).map(|i| named(&format!("user:describe:name-{i}"), &format!("value-{i}"))).collect();
    fill_all(&clear, &fills);
    clear.touch(&[(clear.row(at("s", "user:describe:name-7")), NOW + 7)]).unwrap();
    clear.remove(&[exact("s", "user:describe:name-9")], None, NOW).unwrap();
    drop(clear);
    let one = sealed(root.path(), &[1]);
    let done = exchange(&one, &KeyState::Clear);
    assert_eq!((done.exchanged, done.gone, done.dropped, done.unknown), (449, 0, 0, 0));
    assert!(done.scoured);
    let whole = |layer: &Encrypted| {
        for (i, fill) in fills.iter().enumerate().filter(|(i, _)| *i != 9) {
            let (meta, frames) = get(layer, "s", &fill.meta.key).unwrap();
            let used_at = if i == 7 { NOW + 7 } else { 0 };
            assert_eq!((meta, frames), (Meta { used_at, ..fill.meta.clone() }, fill.frames.clone()));
        }
    };
    whole(&one);
    let bytes = bytes_in(root.path());
    assert!(!holds(&bytes, "name-") && !holds(&bytes, "value-"), "entries, free pages, log and records");
    assert_eq!(one.census().unwrap().clear, None);
    // A new key, then back into the clear.
    let two = sealed(root.path(), &[2, 1]);
    assert_eq!(exchange(&two, &KeyState::Clear).exchanged, 449);
    whole(&sealed(root.path(), &[2]));
    assert_eq!(one.census().unwrap().keys.len(), 1);
    let clear = over(root.path(), KeyState::Clear);
    assert_eq!(exchange(&clear, &ring(&[1])).unknown, 449, "the key is not there");
    assert_eq!(exchange(&clear, &ring(&[2])).exchanged, 449);
    whole(&clear);
    assert_eq!(exchange(&clear, &ring(&[2])).exchanged, 0, "nothing is left to do");
}

#[test]
fn the_whole_stack_gives_what_was_stored_and_forgets_what_was_changed() {
    let root = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(NOW));
    let breaker =
        |layer| BreakerLayer::new(layer, clock.clone(), 5, Duration::from_secs(60), BreakerSnapshot::default());
    let stack = Tiered::new(breaker(sealed(root.path(), &[2, 1])), 0, clock.clone());
    fill_all(&stack, &[named("user:describe:a", "1")]);
    for _ in 0..2 {
        assert_eq!(only_frame(&stack, "user:describe:a").as_deref(), Some("1"));
    }
    // By who has the older key alone, and so removes more widely.
    sealed(root.path(), &[1]).remove(&[exact("s", "user:describe:a")], None, NOW).unwrap();
    assert_eq!(only_frame(&stack, "user:describe:a"), None);
}

#[test]
fn an_exchange_that_is_ended_goes_on_where_it_was() {
    let root = tempfile::tempdir().unwrap();
    let clear = over(root.path(), KeyState::Clear);
    fill_all(&clear, &(0..500).map(|i| named(&format!("user:describe:{i}"), "x")).collect::<Vec<_>>());
    let layer = sealed(root.path(), &[1]);
    let mut batches = 0;
    let done = layer
        .exchange(&KeyState::Clear, &mut |_| {
            batches += 1;
            batches < 2
        })
        .unwrap();
    assert_eq!(done.exchanged, 400);
    assert_eq!(layer.census().unwrap().clear, Some((100, 1_000)));
    assert_eq!(exchange(&layer, &KeyState::Clear).exchanged, 100);
    assert_eq!(listed(&layer, &Select::All).len(), 500);
}

#[test]
fn swapped_rows_and_frames_are_a_miss_and_never_another_answer() {
    let root = tempfile::tempdir().unwrap();
    let layer = sealed(root.path(), &[1]);
    let path = layer.path().unwrap();
    let keys = ["user:describe:a", "user:describe:b"];
    for swap in [
        // The bodies of two entries, their lids with them or without.
        "UPDATE e SET version = (SELECT max(version) + min(version) FROM e) - version",
        "UPDATE v SET data = (SELECT data FROM o WHERE (o.id & 1048575) = (v.id & 1048575) AND o.id <> v.id) \
         WHERE (id & 1048575) = 0",
        "UPDATE v SET data = (SELECT data FROM o WHERE (o.id & 1048575) = (v.id & 1048575) AND o.id <> v.id) \
         WHERE (id & 1048575) = 1",
        // Figures of the row.
        "UPDATE e SET fresh_until = fresh_until + 1, stale_until = stale_until + 1",
        "UPDATE e SET stored_at = stored_at + 1",
        "UPDATE e SET source = 'AWSIdentityStore.ListGroups'",
        "UPDATE e SET frames = 1",
        "UPDATE e SET size = size + 1",
    ] {
        layer.remove(&[Select::All], None, NOW).unwrap();
        fill_all(&layer, &[named(keys[0], "of a"), named(keys[1], "of b")]);
        let connection = awsideman::sqlite::Connection::open(&path).unwrap();
        connection.execute_batch("CREATE TEMP TABLE o AS SELECT * FROM v").unwrap();
        assert!(connection.execute(swap, []).unwrap() >= 2, "{swap}");
        for key in keys {
            let error = layer.view(at("s", key), &mut |meta, frames| {
                let mut buffer = Vec::new();
                frames.read(0, &mut buffer)?;
                panic!("{swap}: {meta:?} {buffer:?} was shown")
            });
            assert!(matches!(&error, Err(StoreError::Damaged { key: named, .. }) if named == key), "{swap}: {error:?}");
        }
    }
}

/// Small here, larger with `AWSIDEMAN_SOAK=1`.
fn rounds(small: usize, soak: usize) -> usize {
    if std::env::var_os("AWSIDEMAN_SOAK").is_some_and(|value| value == "1") { soak } else { small }
}

#[test]
fn no_overtaken_answer_is_read_while_entries_move_between_keys() {
    use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::SeqCst};
    const KEYS: usize = 6;
    let root = tempfile::tempdir().unwrap();
    let dir = root.path();
    let (truth, acked): (Vec<AtomicU64>, Vec<AtomicU64>) = (0..KEYS).map(|_| Default::default()).unzip();
    let (done, hits, moved, exchanges) =
        (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    // A database that is written anew all the time lets nobody else in for long; that costs time, and is not the matter here.
    let over = |dir: &Path, ring| {
        let patient = Options { busy: Duration::from_secs(120), ..options(dir) };
        Encrypted::new(Disk::open(&patient).unwrap(), ring)
    };
    drop(sealed(dir, &[1]));
    let layers = || -> Vec<Encrypted> {
        let locked = KeyState::Locked("it is lost".into());
        let rings = [ring(&[1]), ring(&[2, 1]), ring(&[1, 2]), ring(&[2]), KeyState::Clear, locked];
        rings.into_iter().map(|ring| over(dir, ring)).collect()
    };
    let key = |at: usize| format!("user:describe:{at}");
    std::thread::scope(|scope| {
        // Whoever reads and fills: what he sees is never older than what had been acknowledged when he began.
        for layer in layers() {
            let (truth, acked, done, hits) = (&truth, &acked, &done, &hits);
            scope.spawn(move || {
                for turn in 0.. {
                    if done.load(SeqCst) {
                        break;
                    }
                    let at = turn % KEYS;
                    let (least, since) = (acked[at].load(SeqCst), layer.sequence().unwrap());
                    if let Some(seen) = only_frame(&layer, &key(at)) {
                        let seen: u64 = seen.parse().unwrap();
                        assert!(seen >= least, "{seen} was read of {at} after {least} had been acknowledged");
                        hits.fetch_add(1, SeqCst);
                    } else {
                        let now = truth[at].load(SeqCst).to_string();
                        layer.put(&[named(&key(at), &now)], since, NOW).unwrap();
                    }
                }
            });
        }
        // Changes, by processes that have this key, that key, both or none.
        let writer = {
            let (truth, acked, hits, moved, exchanges) = (&truth, &acked, &hits, &moved, &exchanges);
            scope.spawn(move || {
                let least = rounds(15, 3_000);
                for turn in 0.. {
                    if turn >= least {
                        if (hits.load(SeqCst) > 10 && moved.load(SeqCst) > 0) || turn == least + 100 {
                            break;
                        }
                        // On a busy host every entry may have been changed before it was moved: one exchange in peace.
                        let before = exchanges.load(SeqCst);
                        while exchanges.load(SeqCst) < before + 2 {
                            std::thread::yield_now();
                        }
                    }
                    for (at, layer) in layers().iter().enumerate() {
                        let (at, select) = (at % KEYS, exact("s", &key(at % KEYS)));
                        let select =
                            if turn % 5 == 0 { glob(Some("s"), &format!("user:describe:[{at}]")) } else { select };
                        layer.remove(std::slice::from_ref(&select), None, NOW).unwrap();
                        let new = truth[at].fetch_add(1, SeqCst) + 1;
                        layer.remove(&[select], None, NOW).unwrap();
                        acked[at].store(new, SeqCst);
                    }
                }
            })
        };
        let mover = {
            let (done, moved, exchanges) = (&done, &moved, &exchanges);
            scope.spawn(move || {
                for turn in 0.. {
                    if done.load(SeqCst) {
                        break;
                    }
                    let layer = over(dir, ring(if turn % 2 == 0 { &[2, 1] } else { &[1, 2] }));
                    // A scouring that others keep from its lock is no matter.
                    if let Ok(did) = layer.exchange(&KeyState::Clear, &mut |_| true) {
                        moved.fetch_add(did.exchanged, SeqCst);
                    }
                    exchanges.fetch_add(1, SeqCst);
                }
            })
        };
        let ended = writer.join();
        done.store(true, SeqCst);
        mover.join().unwrap();
        ended.unwrap();
    });
    let (hits, moved) = (hits.load(SeqCst), moved.load(SeqCst));
    assert!(hits > 10 && moved > 0, "{hits} hits, {moved} moved: nothing was tried");
    println!("sealed store under changes: {hits} hits, {moved} entries moved between keys, 0 overtaken answers");
}
