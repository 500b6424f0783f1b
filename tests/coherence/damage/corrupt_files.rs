//! Damage to one file at a time, by seed.

use crate::fixture::{LIST, Stage, Start, figures, soak};
use awsideman::sqlite::Connection;
use serde_json::Value;
use std::path::{Path, PathBuf};

/// What is struck.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Target {
    Database,
    Log,
    Current,
    Switch,
    Tally,
    State,
    Pace,
}

/// How.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strike {
    /// Some bits.
    Flips,
    /// The end is missing.
    Cut,
    /// Nothing is left.
    Emptied,
    /// A page, or a stretch, of noise.
    Garbage,
    /// The head is noise.
    Head,
    /// The payload of one entry under the key of another.
    Swapped,
    /// The metadata of one entry points at the frames of another.
    Pointed,
    /// A file that is something else.
    Foreign,
    /// A sound database of another program.
    ForeignDatabase,
    /// A schema that came before.
    OldSchema,
    /// A schema that is still to come.
    NewSchema,
    /// A folder where a file belongs.
    Folder,
}

const TARGETS: [Target; 7] =
    [Target::Database, Target::Log, Target::Current, Target::Switch, Target::Tally, Target::State, Target::Pace];

impl Target {
    fn strikes(self) -> &'static [Strike] {
        use Strike::{
            Cut, Emptied, Flips, Folder, Foreign, ForeignDatabase, Garbage, Head, NewSchema, OldSchema, Pointed,
            Swapped,
        };
        match self {
            Target::Database => &[
                Flips,
                Garbage,
                Swapped,
                Cut,
                Head,
                Pointed,
                Emptied,
                Foreign,
                ForeignDatabase,
                OldSchema,
                NewSchema,
                Folder,
            ],
            Target::State | Target::Pace => {
                &[Flips, Cut, Garbage, Head, Emptied, Foreign, ForeignDatabase, OldSchema, NewSchema, Folder]
            }
            Target::Log => &[Flips, Cut, Garbage, Head, Emptied, Foreign],
            Target::Current | Target::Switch => &[Flips, Cut, Garbage, Emptied, Foreign, Folder],
            Target::Tally => &[Flips, Cut, Garbage, Emptied, Foreign],
        }
    }

    fn path(self, stage: &Stage) -> PathBuf {
        let (cache, state) = (stage.world.cache_dir(), stage.world.state_dir());
        match self {
            Target::Database => live(&cache),
            Target::Log => awsideman::sqlite::sidecar(&live(&cache), "-wal"),
            Target::Current => cache.join("CURRENT"),
            Target::Switch => state.join("switch"),
            Target::Tally => state.join("tally"),
            Target::State => state.join("state.db"),
            Target::Pace => state.join("pace.db"),
        }
    }
}

fn live(cache: &Path) -> PathBuf {
    cache.join(std::fs::read_to_string(cache.join("CURRENT")).unwrap().trim())
}

fn strike(path: &Path, strike: Strike, random: &mut fastrand::Rng) {
    let mut bytes = std::fs::read(path).unwrap_or_default();
    let length = bytes.len();
    let noise = |random: &mut fastrand::Rng, bytes: &mut [u8]| bytes.iter_mut().for_each(|byte| *byte = random.u8(..));
    match strike {
        Strike::Flips => {
            for _ in 0..random.usize(1..=200).min(length) {
                bytes[random.usize(..length)] ^= 1 << random.u8(..8);
            }
        }
        Strike::Cut => bytes.truncate(random.usize(..length.max(1))),
        Strike::Emptied => bytes.clear(),
        Strike::Garbage => {
            let size = 4_096.min(length);
            let from = if length > size { random.usize(..length - size) / 4_096 * 4_096 } else { 0 };
            noise(random, &mut bytes[from..from + size]);
        }
        Strike::Head => noise(random, &mut bytes[..100.min(length)]),
        Strike::Foreign => {
            bytes = "\u{7f}ELF is what this is not, either.\n".repeat(random.usize(1..2_000)).into_bytes();
        }
        Strike::Swapped | Strike::Pointed => return swap(path, strike, random),
        Strike::OldSchema | Strike::NewSchema => {
            let to = if strike == Strike::OldSchema { "0" } else { "999" };
            Connection::open(path).unwrap().execute_batch(&format!("PRAGMA user_version = {to}")).unwrap();
            return;
        }
        Strike::ForeignDatabase => {
            remove(path);
            let sql = "CREATE TABLE e(song TEXT); INSERT INTO e VALUES('x'); PRAGMA user_version = 3";
            Connection::open(path).unwrap().execute_batch(sql).unwrap();
            return;
        }
        Strike::Folder => {
            remove(path);
            std::fs::create_dir(path).unwrap();
            return;
        }
    }
    std::fs::write(path, bytes).unwrap();
}

fn remove(path: &Path) {
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(awsideman::sqlite::sidecar(path, ending));
    }
}

/// Gives one entry what belongs to another; the database itself stays sound.
fn swap(path: &Path, strike: Strike, random: &mut fastrand::Rng) {
    let connection = Connection::open(path).unwrap();
    let sql = "SELECT version FROM e WHERE space NOT LIKE '@%' ORDER BY id";
    let versions: Vec<i64> =
        connection.prepare(sql).unwrap().query_map((), |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    for _ in 0..10 {
        let (a, b) = (versions[random.usize(..versions.len())], versions[random.usize(..versions.len())]);
        let sql = match strike {
            Strike::Swapped => {
                format!("UPDATE v SET data = (SELECT data FROM v WHERE id = {b} << 20) WHERE id = {a} << 20")
            }
            _ => format!("UPDATE e SET version = {b} WHERE version = {a}"),
        };
        connection.execute_batch(&sql).unwrap();
    }
}

/// What reads what was struck: no crash, no wrong value, and an answer from AWS where the cache has none. Whether a
/// command of the cache's own noticed.
fn judge(stage: &mut Stage, case: &str, seed: usize) -> bool {
    for number in 0..if soak() { 10 } else { 2 } {
        let name = stage.somebody(seed + number);
        let ran = stage.after("", &format!("user get {name} --json"));
        stage.no_panic(case, &ran);
        let right = ran.exit == 0 && stage.is_as_before(&ran, Some(&name));
        stage.must(right, case, &format!("{name} is wrong or was not answered"), &ran);
    }
    for (words, live) in [(format!("{LIST} --cache-only"), false), (LIST.to_owned(), true)] {
        let ran = stage.after("", &words);
        stage.no_panic(case, &ran);
        let right = if ran.exit == 0 { stage.is_as_before(&ran, None) } else { !live };
        stage.must(right, case, &format!("`{words}` shows a wrong value or was not answered"), &ran);
    }
    let others = [
        "cache check --full",
        "cache status --json",
        "cache cleanup",
        "cache health",
        "jobs list",
        "cache why user:list:all",
    ];
    let chosen = if soak() { &others[..] } else { &others[seed % others.len()..][..1] };
    let mut noticed = false;
    for words in chosen {
        let ran = stage.after("", words);
        stage.no_panic(case, &ran);
        noticed |= ran.exit != 0;
    }
    noticed
}

/// What the on-call engineer types, and then all is well. How many entries came back without AWS.
fn recovered(stage: &mut Stage, case: &str, target: Target, path: &Path) -> u64 {
    if path.is_dir() {
        // A folder is somebody's: no command deletes it, and each names it.
        let recover = stage.after("", if target == Target::Switch { "cache enable" } else { "cache recover" });
        let said = recover.exit == 0 || recover.stderr.contains(&path.display().to_string());
        stage.must(said, case, "what stands in the way is not named", &recover);
        let _ = std::fs::remove_dir(path);
    }
    if target == Target::Switch {
        let enable = stage.after("", "cache enable");
        stage.must(enable.exit == 0, case, "`cache enable` failed", &enable);
    }
    let recover = stage.after("", "cache recover --json");
    stage.must(recover.exit == 0, case, "`cache recover` failed", &recover);
    let document: Value = serde_json::from_str(&recover.stdout).unwrap_or_default();
    let salvaged = document["salvaged"]["stored"].as_u64().unwrap_or(0);
    let groups = stage.after("", "group list --cache-only");
    if matches!(target, Target::State | Target::Pace | Target::Tally | Target::Switch) {
        stage.must(groups.exit == 0, case, "what was not damaged is not there after the recovery", &groups);
    }
    stage.heals(case, "");
    salvaged
}

fn damaged(seeds: std::ops::Range<usize>) {
    let mut stage = Stage::new();
    let (cases, mut noticed, mut salvaged) = (seeds.end - seeds.start, 0, 0);
    for seed in seeds {
        let mut random = fastrand::Rng::with_seed(seed as u64);
        // In turn, so that few cases meet every file; which strike and where comes from the seed.
        let target = TARGETS[seed % TARGETS.len()];
        let strikes = target.strikes();
        let how = strikes[seed / TARGETS.len() % strikes.len()];
        stage.reset(if target == Target::Switch { Start::Disabled } else { Start::Warm });
        if target == Target::Log {
            // Something that is only in the log.
            stage.after("", "account list");
        }
        let path = target.path(&stage);
        strike(&path, how, &mut random);
        let case = format!("seed {seed}: {target:?}, {how:?}");
        noticed += u32::from(judge(&mut stage, &case, seed));
        if (target, how) == (Target::State, Strike::NewSchema) {
            // A later awsideman's is refused and said, and set aside by nobody.
            let refused = stage.after("", "journal list");
            stage.must(refused.exit != 0 && refused.stderr.contains("newer"), &case, "it was not refused", &refused);
            continue;
        }
        salvaged += recovered(&mut stage, &case, target, &path);
    }
    figures(&format!(
        "damage: {cases} cases, {noticed} noticed by a command, {salvaged} entries salvaged, {} went wrong",
        stage.faults.len()
    ));
    stage.end();
}

/// The number of cases: 60, and in the soak 500.
fn count() -> usize {
    if soak() { 500 } else { 60 }
}

#[test]
fn corrupt_files_crash_nothing_show_nothing_wrong_and_recover_first_half() {
    damaged(0..count() / 2);
}

#[test]
fn corrupt_files_crash_nothing_show_nothing_wrong_and_recover_second_half() {
    damaged(count() / 2..count());
}
