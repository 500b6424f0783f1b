//! The cache over real backends: what was stored comes back whole or not at all, whatever happens to the bytes.

mod archive;

use awsideman::cache::{Cache, EntrySettings, FRAME_BYTES, Fresh, Key, Lookup, Miss, ReadOptions, Ticket};
use awsideman::clock::{Clock, ManualClock};
use awsideman::config::Ttls;
use awsideman::model::Resource;
use awsideman::secure_fs::Access;
use awsideman::sqlite::{self, Connection, DatabaseSpec, Synchronous};
use awsideman::store::{Disk, Memory, Options, Select, Store};
use std::sync::Arc;
use std::time::Duration;

const SPACE: &str = "aws|eu-west-1|i|d|";

struct Bench {
    store: Arc<dyn Store>,
    clock: Arc<ManualClock>,
    cache: Cache,
    disk: Option<(tempfile::TempDir, Arc<Disk>)>,
}

fn settings(ttl: u64) -> EntrySettings {
    EntrySettings {
        ttls: Ttls { default: Duration::from_secs(ttl), ..Ttls::default() },
        not_found_ttl: Duration::from_secs(30),
        stale_if_error: Duration::from_hours(1),
        max_age: None,
        compression: true,
    }
}

fn bench(store: Arc<dyn Store>, disk: Option<(tempfile::TempDir, Arc<Disk>)>) -> Bench {
    let clock = Arc::new(ManualClock::at(1_800_000_000_000));
    let cache = Cache::new(store.clone(), clock.clone(), settings(600));
    Bench { store, clock, cache, disk }
}

fn on_disk() -> Bench {
    let root = tempfile::tempdir().unwrap();
    let options = Options { dir: root.path().join("cache"), access: Access::Owner, busy: Duration::from_secs(10) };
    let disk = Arc::new(Disk::open(&options).unwrap());
    bench(disk.clone(), Some((root, disk)))
}

fn both() -> [Bench; 2] {
    [on_disk(), bench(Arc::new(Memory::new(0, 0)), None)]
}

fn key() -> Key {
    Key::new(Resource::User, "list", "all")
}

fn payload(length: usize) -> Vec<u8> {
    (0..length).map(|i| b"abcdefghijklmnop"[(i * i / 7) % 16]).collect()
}

impl Bench {
    fn put(&self, bytes: &[u8]) -> bool {
        let ticket = self.cache.ticket().unwrap();
        self.cache.fill_long(SPACE, &key(), "test", &mut &*bytes, ticket).unwrap()
    }

    fn get(&self) -> (Lookup, Vec<u8>) {
        self.cache.get(SPACE, &key(), ReadOptions::default()).unwrap()
    }

    /// The database behind the store's back.
    fn database(&self) -> Connection {
        let path = self.disk.as_ref().unwrap().1.path().unwrap();
        let plan = DatabaseSpec {
            path: &path,
            schema: "",
            steps: &[],
            version: 1,
            synchronous: Synchronous::Normal,
            busy: Duration::from_secs(10),
            page_size: 4096,
            access: Access::Owner,
        };
        sqlite::open_existing(&plan).unwrap()
    }
}

#[test]
fn an_answer_of_any_length_comes_back_as_it_was() {
    for bench in both() {
        for length in [0, 1, FRAME_BYTES - 1, FRAME_BYTES, FRAME_BYTES + 1, 3 * FRAME_BYTES] {
            assert!(bench.put(&payload(length)));
            let (lookup, bytes) = bench.get();
            assert!(matches!(lookup, Lookup::Hit(found) if found.cached && !found.stale), "{length}");
            assert!(bytes == payload(length), "{length}");
        }
    }
}

#[test]
fn a_damaged_entry_is_a_miss_is_dropped_and_never_shown() {
    let damages = [
        "UPDATE v SET data = CAST(substr(data, 1, length(data) - 1) || X'5A' AS BLOB) WHERE id = (SELECT max(id) FROM v)",
        "UPDATE v SET data = CAST(X'58' || substr(data, 2) AS BLOB) WHERE id = (SELECT min(id) FROM v)",
        "UPDATE v SET data = substr(data, 1, 5) WHERE id = (SELECT max(id) FROM v)",
        "UPDATE v SET data = (SELECT data FROM v ORDER BY id LIMIT 1)",
        "DELETE FROM v WHERE id = (SELECT max(id) FROM v)",
        "UPDATE e SET fresh_until = fresh_until + 600000",
        "UPDATE e SET stored_at = stored_at + 1",
        "UPDATE e SET frames = 1",
        "UPDATE e SET source = 'forged'",
    ];
    for damage in damages {
        let bench = on_disk();
        assert!(bench.put(&payload(2 * FRAME_BYTES + 5)));
        assert!(bench.database().execute(damage, ()).unwrap() > 0, "{damage}");
        let mut shown = 0;
        let lookup = bench.cache.view(SPACE, &key(), ReadOptions::default(), &mut |_, _| {
            shown += 1;
            Ok(())
        });
        assert!(matches!(lookup, Ok(Lookup::Miss(Miss::Corrupt, _))), "{damage}: {lookup:?}");
        assert_eq!(shown, 0, "{damage}: not a byte is shown");
        assert!(matches!(bench.get().0, Lookup::Miss(Miss::Absent, None)), "{damage}: it was dropped");
        assert!(bench.put(b"[]") && bench.get().1 == b"[]", "{damage}: and can be stored again");
    }
}

#[test]
fn another_versions_entry_is_a_miss_and_stays() {
    let bench = on_disk();
    assert!(bench.put(b"[1]"));
    bench.database().execute("UPDATE e SET schema = schema + 1", ()).unwrap();
    for _ in 0..2 {
        assert!(matches!(bench.get().0, Lookup::Miss(Miss::OtherVersion, None)));
    }
    bench.database().execute("UPDATE e SET schema = schema - 1", ()).unwrap();
    assert_eq!(bench.get().1, b"[1]");
}

#[test]
fn a_fill_begun_before_a_removal_that_covers_it_is_not_stored() {
    let exact = |key: Key| Select::Exact { space: SPACE.into(), key: key.as_str().into() };
    let glob = |pattern: &str| Select::Glob { space: None, pattern: pattern.into() };
    let other = Key::new(Resource::User, "describe", "1");
    for bench in both() {
        for (selection, list, one) in [
            (exact(key()), false, true),
            (exact(other.clone()), true, false),
            (glob("user:*"), false, false),
            (glob("group:*"), true, true),
            (Select::Space(SPACE.into()), false, false),
            (Select::Space("another".into()), true, true),
            (Select::All, false, false),
        ] {
            let ticket = bench.cache.ticket().unwrap();
            bench.store.remove(std::slice::from_ref(&selection), None, bench.clock.now()).unwrap();
            let stored = bench.cache.fill_long(SPACE, &key(), "test", &mut &b"[]"[..], ticket).unwrap();
            let fresh = Fresh { key: other.clone(), payload: b"{}".to_vec(), source: "test" };
            let brought = bench.cache.fill(SPACE, &[fresh], ticket).unwrap();
            assert_eq!((stored, brought.stored == 1), (list, one), "{selection:?}");
            bench.store.remove(&[Select::All], None, bench.clock.now()).unwrap();
        }
        assert!(!bench.cache.fill_long(SPACE, &key(), "test", &mut &b"[]"[..], Ticket::NONE).unwrap());
        assert!(matches!(bench.get().0, Lookup::Miss(Miss::Absent, None)));
    }
}

#[test]
fn nothing_is_stored_while_a_write_is_under_way() {
    for bench in both() {
        let until = bench.clock.now() + 10_000;
        let list = Select::Exact { space: SPACE.into(), key: key().as_str().into() };
        bench.store.remove(&[list], Some(until), bench.clock.now()).unwrap();
        assert!(!bench.put(b"[]"), "the ticket is newer than the fence, and still");
        bench.clock.set(until);
        assert!(bench.put(b"[]"), "a fence lapses");
    }
}

#[test]
fn ttls_shorten_immediately_and_a_clock_set_back_is_not_trusted() {
    for bench in both() {
        assert!(bench.put(b"[]"));
        let shorter = Cache::new(bench.store.clone(), bench.clock.clone(), settings(60));
        bench.clock.advance(Duration::from_mins(1));
        let looked = shorter.get(SPACE, &key(), ReadOptions::default()).unwrap().0;
        assert!(matches!(looked, Lookup::Miss(Miss::Expired, None)));
        assert_eq!(bench.cache.freshness(SPACE, &key()).map(|known| known.left_ms), Some(540_000));
        assert_eq!(shorter.freshness(SPACE, &key()), None);
        bench.clock.set(1_800_000_000_000 - 60_001);
        assert!(matches!(bench.get().0, Lookup::Miss(Miss::Expired, None)));
    }
}
