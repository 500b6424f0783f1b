//! One function for each reader: bytes in, a panic when a promise is broken.
//!
//! There is one list of them, [`target`]; what an input leaves behind is cleared away by the next.

use awsideman::cache::{
    Cache, EntrySettings, Fresh, Key, Lookup, ReadOptions, Verified, decode, operation_of, pattern,
};
use awsideman::clock::ManualClock;
use awsideman::config::{self, Sources, load_jobs};
use awsideman::model::{Resource, literal_prefix, matches};
use awsideman::secure_fs::Access;
use awsideman::state::StateDir;
use awsideman::store::{Address, Disk, Fill, Memory, Options, Select, Store};
use std::cell::RefCell;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SPACE: &str = "a space";
const NOW: i64 = 1_000_000;

/// The names of all targets.
pub(crate) const NAMES: [&str; 7] = ["keys", "globs", "entries", "archives", "configurations", "jobs", "state-files"];

/// What takes bytes, and panics when they break a promise.
pub(crate) type Feed = Box<dyn Fn(&[u8])>;

/// A reader to be fed, and sound inputs of it (or such as were trouble once).
pub(crate) struct Target {
    pub(crate) seeds: Vec<Vec<u8>>,
    pub(crate) feed: Feed,
}

/// The target of this name.
pub(crate) fn target(name: &str) -> Target {
    let texts = |all: &[&str]| all.iter().map(|text| text.as_bytes().to_vec()).collect();
    let place = || tempfile::tempdir().unwrap();
    match name {
        "keys" => {
            let arn = "permission_set:policies:arn:aws:sso:::permissionSet/ssoins-1/ps-2";
            let odd = ["custom::", "thread_key_1", "user:describe:%", "group:%zz:*"];
            let seeds = [&["user:list:all", "user:by_name:a%3Ab", arn], &odd[..]].concat();
            Target { seeds: texts(&seeds), feed: Box::new(key) }
        }
        "globs" => {
            let slow = "*a*a*a*a*a*a*b\0aaaaaaaaaaaaaaaaaaaaaaaaaaaa";
            let seeds = ["user:*\0user:list:all", "[a-z]?*\0b::", "[^]]\0]", slow, "[\0["];
            Target { seeds: texts(&seeds), feed: Box::new(glob) }
        }
        "entries" => {
            let kept = Kept::new();
            Target { seeds: kept.seeds(), feed: Box::new(move |bytes| kept.entry(bytes)) }
        }
        "archives" => {
            let kept = Kept::new();
            Target { seeds: vec![kept.archive.clone()], feed: Box::new(move |bytes| kept.import(bytes)) }
        }
        "configurations" => {
            let place = place();
            let mut seeds = files("tests/support/config/bad");
            seeds.push(config::DEFAULT.as_bytes().to_vec());
            Target { seeds, feed: Box::new(move |bytes| configuration(place.path(), bytes)) }
        }
        "jobs" => {
            let place = place();
            Target { seeds: files("jobs"), feed: Box::new(move |bytes| job(place.path(), bytes)) }
        }
        "state-files" => {
            let place = place();
            let seeds = [
                r#"{"disabled":{"since":1,"until":2,"reason":"x","by":"y"}}"#,
                r#"{"breakers":{"/c":{"state":"OPEN","failure_count":5,"last_failure_time":1}}}"#,
                "{}",
            ];
            Target { seeds: texts(&seeds), feed: Box::new(move |bytes| state(place.path(), bytes)) }
        }
        other => panic!("no target is named {other}"),
    }
}

/// The TOML files of a folder of the checkout, which lies above whatever package this is compiled in.
fn files(folder: &str) -> Vec<Vec<u8>> {
    let above = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors();
    let root = above.map(|above| above.join(folder)).find(|path| path.is_dir()).unwrap();
    let found = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let tomls = found.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    let read: Vec<Vec<u8>> = tomls.map(|path| std::fs::read(path).unwrap()).collect();
    assert!(read.len() > 3, "{folder} has no seeds");
    read
}

/// A key that is taken reads back as itself, and any three texts make a key that is taken.
fn key(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(key) = Key::parse(&text) {
        assert_eq!(Key::parse(key.as_str()).unwrap(), key, "it reads back as another");
        assert_eq!(key.operation(), operation_of(key.as_str()));
        assert_eq!(key.resource(), Resource::of_key(key.as_str()));
    }
    let mut parts = text.splitn(2, ':');
    let (one, other) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
    let made = Key::new(Resource::User, "describe", one).with(other);
    assert_eq!(Key::parse(made.as_str()).unwrap(), made, "a made key is not taken");
    let components: Vec<String> = made.as_str().split(':').map(decode).collect();
    assert_eq!(components[2..], [one, other], "a component is not what it was made from");
    if let Ok(pattern) = pattern(&text) {
        let _ = matches(&pattern, made.as_str());
    }
}

/// What matches begins with the literal part; a text without wildcards matches itself.
fn glob(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    let (pattern, text) = text.split_once('\0').unwrap_or((&text, ""));
    let prefix = literal_prefix(pattern);
    assert!(pattern.starts_with(prefix));
    assert!(!matches(pattern, text) || text.starts_with(prefix));
    assert!(matches("*", text));
    if !pattern.contains(['*', '?', '[']) {
        assert!(matches(pattern, pattern));
        assert_eq!(matches(pattern, text), pattern == text);
    }
}

/// A cache in memory with an entry of one frame and one of three, and one on disk for archives.
struct Kept {
    memory: Arc<Memory>,
    cache: Cache,
    fills: Vec<Fill>,
    payloads: Vec<Vec<u8>>,
    disk: RefCell<Disk>,
    archive: Vec<u8>,
    _folder: tempfile::TempDir,
}

fn settings() -> EntrySettings {
    let sources = Sources {
        environment: [("HOME".to_owned(), "/nowhere".to_owned())].into(),
        explicit: None,
        overrides: Vec::new(),
        system_file: "/nowhere/config.toml".into(),
        working_directory: "/nowhere".into(),
    };
    let cache = config::load(&sources).unwrap().config.cache;
    EntrySettings {
        ttls: cache.ttl,
        not_found_ttl: Duration::from_secs(30),
        stale_if_error: Duration::from_secs(3_600),
        max_age: None,
        compression: true,
    }
}

impl Kept {
    fn new() -> Kept {
        let memory = Arc::new(Memory::new(100_000_000, 0));
        let clock = Arc::new(ManualClock::at(NOW));
        let cache = Cache::new(memory.clone(), clock.clone(), settings());
        let noise: Vec<u8> = (0..600_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let payloads = vec![b"{\"UserName\":\"alice\",\"more\":\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"}".to_vec(), noise];
        let mut fills = Vec::new();
        let folder = tempfile::tempdir().unwrap();
        let options = Options { dir: folder.path().join("c"), access: Access::Owner, busy: Duration::from_secs(5) };
        let disk = Disk::open(&options).unwrap();
        for (number, payload) in payloads.iter().enumerate() {
            let key = Key::new(Resource::Custom, "list", &number.to_string());
            let ticket = cache.ticket().unwrap();
            let fresh = Fresh { key: key.clone(), payload: payload.clone(), source: "a test" };
            assert_eq!(cache.fill(SPACE, &[fresh], ticket).unwrap().stored, 1);
            let mut fill = None;
            memory
                .view(Address { space: SPACE, key: key.as_str() }, &mut |meta, frames| {
                    let mut all = Vec::new();
                    for index in 0..meta.frames {
                        let mut frame = Vec::new();
                        frames.read(index, &mut frame)?;
                        all.push(frame);
                    }
                    fill = Some(Fill { meta: meta.clone(), frames: all });
                    Ok(())
                })
                .unwrap();
            fills.push(fill.unwrap());
        }
        let mut archive = Vec::new();
        cache
            .export(
                &Select::Exact { space: SPACE.into(), key: fills[0].meta.key.clone() },
                "a test",
                None,
                &mut archive,
            )
            .unwrap();
        Kept { memory, cache, fills, payloads, disk: RefCell::new(disk), archive, _folder: folder }
    }

    fn seeds(&self) -> Vec<Vec<u8>> {
        self.fills.iter().map(|fill| fill.frames[0].clone()).collect()
    }

    /// Whatever stands in a frame: the entry is the one that was stored, or a miss.
    fn entry(&self, bytes: &[u8]) {
        for (fill, payload) in self.fills.iter().zip(&self.payloads) {
            for frame in [0, fill.frames.len() - 1] {
                let mut changed = fill.clone();
                changed.frames[frame] = bytes.to_vec();
                let since = self.memory.sequence().unwrap();
                self.memory.put(&[changed], since, NOW).unwrap();
                let key = Key::parse(&fill.meta.key).unwrap();
                let (looked, shown) = self.cache.get(SPACE, &key, ReadOptions::default()).unwrap();
                match looked {
                    Lookup::Hit(_) => assert!(shown == *payload, "a wrong value was shown"),
                    Lookup::Miss(..) => {}
                }
            }
        }
    }

    /// An archive is refused and stores nothing, or it holds what was in it.
    fn import(&self, bytes: &[u8]) {
        let disk = self.disk.borrow_mut();
        let history = disk.history(NOW).unwrap();
        let memory = Arc::new(Memory::new(100_000_000, 0));
        let cache = Cache::new(memory.clone(), Arc::new(ManualClock::at(NOW)), settings());
        let history = awsideman::store::InvalidationHistory { whole_since: 0, ..history };
        let archive = Verified::read(&mut Cursor::new(bytes), tempfile::tempfile().unwrap());
        let imported = archive.and_then(|archive| cache.import(archive, &history, false));
        let held = memory.size().unwrap().entries;
        match imported {
            Ok(imported) => assert_eq!(imported.stored, held),
            Err(_) => assert_eq!(held, 0, "a refused archive stored something"),
        }
        let key = Key::parse(&self.fills[0].meta.key).unwrap();
        if let (Lookup::Hit(_), shown) = cache.get(SPACE, &key, ReadOptions::default()).unwrap() {
            assert!(shown == self.payloads[0], "a wrong value was imported");
        }
    }
}

/// A configuration is taken, or everything wrong with it is told; an emergency command takes what is right of it.
fn configuration(place: &Path, bytes: &[u8]) {
    let file = place.join("config.toml");
    std::fs::write(&file, bytes).unwrap();
    let sources = Sources {
        environment: [("HOME".to_owned(), place.display().to_string())].into(),
        explicit: Some(file),
        overrides: Vec::new(),
        system_file: place.join("none.toml"),
        working_directory: place.to_owned(),
    };
    if let Err(error) = config::load(&sources) {
        assert!(!error.problems.is_empty() && !error.to_string().is_empty());
    }
    let (_, problems) = config::load_leniently(&sources);
    assert_eq!(problems.is_empty(), config::load(&sources).is_ok());
}

/// A job is taken and has a next time, or everything wrong with it is told.
fn job(place: &Path, bytes: &[u8]) {
    std::fs::write(place.join("10-job.toml"), bytes).unwrap();
    if let Err(error) = load_jobs(Some(place)) {
        assert!(!error.problems.is_empty() && !error.to_string().is_empty());
    }
}

/// A switch that is not understood counts as disabled; a tally is counted as far as it can be read.
fn state(place: &Path, bytes: &[u8]) {
    let directory = place.join("state");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("switch"), bytes).unwrap();
    std::fs::write(directory.join("tally"), bytes).unwrap();
    let state = StateDir::new(&directory, Access::Owner, Duration::from_secs(5));
    let (switch, problem) = state.switch();
    assert!(problem.is_none() || switch.disabled(i64::MAX / 2).is_none() || switch.disabled(NOW).is_some());
    let _ = switch.breaker(Path::new("/c"));
    state.examine_tally().unwrap();
    state.enable(NOW).unwrap();
    assert!(state.switch().1.is_none() && state.switch().0.disabled(NOW).is_none(), "it cannot be enabled");
}
