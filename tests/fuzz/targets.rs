//! One function for each reader: bytes in, a panic when a promise is broken.
//!
//! Neighbours: `main.rs` feeds them. Promise: what an input leaves behind is cleared away by the next.

use awsideman::cache::{Accept, Cache, Fresh, Key, Lookup, Settings, decode, operation_of, pattern};
use awsideman::clock::ManualClock;
use awsideman::config::{self, Sources, load_jobs};
use awsideman::model::{Resource, literal_prefix, matches};
use awsideman::private::Access;
use awsideman::state::State;
use awsideman::store::{Address, Disk, Fill, Memory, Options, Select, Store};
use std::cell::RefCell;
use std::io::Cursor;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

const SPACE: &str = "a space";
const NOW: i64 = 1_000_000;

/// A key that is taken reads back as itself, and any three texts make a key that is taken.
pub(crate) fn key(bytes: &[u8]) {
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
pub(crate) fn glob(bytes: &[u8]) {
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
pub(crate) struct Kept {
    memory: Arc<Memory>,
    cache: Cache,
    fills: Vec<Fill>,
    payloads: Vec<Vec<u8>>,
    disk: RefCell<Disk>,
    archive: Vec<u8>,
    _folder: tempfile::TempDir,
}

fn settings() -> Settings {
    let sources = Sources {
        environment: [("HOME".to_owned(), "/nowhere".to_owned())].into(),
        explicit: None,
        overrides: Vec::new(),
        system_file: "/nowhere/config.toml".into(),
        working_directory: "/nowhere".into(),
    };
    let cache = config::load(&sources).unwrap().config.cache;
    Settings {
        ttls: cache.ttl,
        not_found_ttl: Duration::from_secs(30),
        stale_if_error: Duration::from_secs(3_600),
        max_age: None,
        compression: true,
    }
}

impl Kept {
    pub(crate) fn new() -> Kept {
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
            .export(&Select::Exact { space: SPACE.into(), key: fills[0].meta.key.clone() }, "a test", &mut archive)
            .unwrap();
        Kept { memory, cache, fills, payloads, disk: RefCell::new(disk), archive, _folder: folder }
    }

    pub(crate) fn seeds(&self) -> Vec<Vec<u8>> {
        self.fills.iter().map(|fill| fill.frames[0].clone()).collect()
    }

    pub(crate) fn archive(&self) -> Vec<u8> {
        self.archive.clone()
    }

    /// Whatever stands in a frame: the entry is the one that was stored, or a miss.
    pub(crate) fn entry(&self, bytes: &[u8]) {
        for (fill, payload) in self.fills.iter().zip(&self.payloads) {
            for frame in [0, fill.frames.len() - 1] {
                let mut changed = fill.clone();
                changed.frames[frame] = bytes.to_vec();
                let since = self.memory.sequence().unwrap();
                self.memory.put(&[changed], since, NOW).unwrap();
                let key = Key::parse(&fill.meta.key).unwrap();
                let (looked, shown) = self.cache.get(SPACE, &key, Accept::default()).unwrap();
                match looked {
                    Lookup::Hit(_) => assert!(shown == *payload, "a wrong value was shown"),
                    Lookup::Miss(..) => {}
                }
            }
        }
    }

    /// An archive is refused and stores nothing, or it holds what was in it.
    pub(crate) fn import(&self, bytes: &[u8]) {
        let disk = self.disk.borrow_mut();
        let history = disk.history(NOW).unwrap();
        let memory = Arc::new(Memory::new(100_000_000, 0));
        let cache = Cache::new(memory.clone(), Arc::new(ManualClock::at(NOW)), settings());
        let history = awsideman::store::History { whole_since: 0, ..history };
        let imported = cache.import(&mut Cursor::new(bytes), &history, false);
        let held = memory.size().unwrap().entries;
        match imported {
            Ok(imported) => assert_eq!(imported.stored, held),
            Err(_) => assert_eq!(held, 0, "a refused archive stored something"),
        }
        let key = Key::parse(&self.fills[0].meta.key).unwrap();
        if let (Lookup::Hit(_), shown) = cache.get(SPACE, &key, Accept::default()).unwrap() {
            assert!(shown == self.payloads[0], "a wrong value was imported");
        }
    }
}

/// A configuration is taken, or everything wrong with it is told; an emergency command takes what is right of it.
pub(crate) fn configuration(place: &Path, bytes: &[u8]) {
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
pub(crate) fn job(place: &Path, bytes: &[u8]) {
    std::fs::write(place.join("10-job.toml"), bytes).unwrap();
    if let Err(error) = load_jobs(Some(place)) {
        assert!(!error.problems.is_empty() && !error.to_string().is_empty());
    }
}

/// A switch that is not understood counts as disabled; a tally is counted as far as it can be read.
pub(crate) fn state(place: &Path, bytes: &[u8]) {
    let directory = place.join("state");
    let _ = std::fs::remove_dir_all(&directory);
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("switch"), bytes).unwrap();
    std::fs::write(directory.join("tally"), bytes).unwrap();
    let state = State::new(&directory, Access::Owner, Duration::from_secs(5));
    let (switch, problem) = state.switch();
    assert!(problem.is_none() || switch.disabled(i64::MAX / 2).is_none() || switch.disabled(NOW).is_some());
    let _ = switch.breaker(Path::new("/c"));
    state.examine_tally().unwrap();
    state.enable(NOW).unwrap();
    assert!(state.switch().1.is_none() && state.switch().0.disabled(NOW).is_none(), "it cannot be enabled");
}
