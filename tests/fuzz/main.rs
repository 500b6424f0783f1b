//! Bytes from anywhere into everything that reads bytes: keys, globs, entries, archives, configurations, jobs, state files.
//!
//! Neighbours: `targets.rs` has one function for each reader, from bytes to a verdict, so that any fuzzer can drive it; the
//! readers' own tests are beside them. Promise: a short run on stable Rust with every test run, 100 times as many with
//! `AWSIDEMAN_SOAK=1`; an input that fails is shrunk and printed. A coverage-guided run needs a nightly compiler and a
//! sanitizer, which nothing here does.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod targets;

use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};

/// One change to a sound input.
#[derive(Debug, Clone)]
enum Edit {
    Flip(Index, u8),
    Insert(Index, Vec<u8>),
    Cut(Index, Index),
    Repeat(Index, Index),
    Number(Index, &'static str),
    Truncate(Index),
}

/// What readers tend to stumble over.
const WORDS: [&str; 24] = [
    "",
    "0",
    "-1",
    "18446744073709551616",
    "9223372036854775807",
    "1e309",
    "NaN",
    "nan",
    "inf",
    "\"",
    "'''",
    "[[",
    "]]",
    "{",
    "=",
    "\n",
    "\u{0}",
    "\u{202e}",
    "\u{fffd}",
    "é😀",
    "*",
    "%",
    "@hourly",
    "99999999999d",
];

fn edit() -> impl Strategy<Value = Edit> {
    let at = any::<Index>;
    prop_oneof![
        (at(), any::<u8>()).prop_map(|(at, bit)| Edit::Flip(at, bit)),
        (at(), prop::collection::vec(any::<u8>(), 1..9)).prop_map(|(at, bytes)| Edit::Insert(at, bytes)),
        (at(), at()).prop_map(|(from, to)| Edit::Cut(from, to)),
        (at(), at()).prop_map(|(from, to)| Edit::Repeat(from, to)),
        (at(), prop::sample::select(&WORDS[..])).prop_map(|(at, word)| Edit::Number(at, word)),
        at().prop_map(Edit::Truncate),
    ]
}

fn edited(seed: &[u8], edits: &[Edit]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for edit in edits {
        let length = bytes.len() + 1;
        match edit {
            Edit::Flip(at, bit) if !bytes.is_empty() => {
                let at = at.index(bytes.len());
                bytes[at] ^= 1 << (bit % 8);
            }
            Edit::Flip(..) => {}
            Edit::Insert(at, more) => drop(bytes.splice(at.index(length)..at.index(length), more.iter().copied())),
            Edit::Cut(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                bytes.drain(from.min(to)..from.max(to));
            }
            Edit::Repeat(from, to) => {
                let (from, to) = (from.index(length), to.index(length));
                let part = bytes[from.min(to)..from.max(to)].to_vec();
                if bytes.len() + part.len() < 100_000 {
                    bytes.splice(from..from, part);
                }
            }
            Edit::Number(at, word) => {
                // In place of a value, where there is one.
                let from = at.index(length);
                let from = bytes[from..].iter().position(|byte| *byte == b'=').map_or(from, |more| from + more + 1);
                let to = bytes[from..].iter().position(|byte| *byte == b'\n').map_or(bytes.len(), |more| from + more);
                bytes.splice(from..to, word.bytes());
            }
            Edit::Truncate(at) => bytes.truncate(at.index(length)),
        }
    }
    bytes
}

/// Runs a target on changed seeds and on bytes of no origin.
fn fuzz(name: &str, cases: u32, seeds: Vec<Vec<u8>>, target: impl Fn(&[u8])) {
    let soak = std::env::var("AWSIDEMAN_SOAK").is_ok_and(|value| value == "1");
    let cases = if soak { cases * 100 } else { cases };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    for seed in &seeds {
        target(seed);
    }
    let changed = (any::<Index>(), prop::collection::vec(edit(), 0..6))
        .prop_map(move |(seed, edits)| edited(&seeds[seed.index(seeds.len())], &edits));
    let bytes = prop_oneof![4 => changed, 1 => prop::collection::vec(any::<u8>(), 0..200)];
    let done = runner.run(&bytes, |bytes| {
        target(&bytes);
        Ok(())
    });
    if let Err(failed) = done {
        panic!("{name}: {failed}");
    }
    if soak {
        figures(&format!("fuzz: {name}, {cases} inputs"));
    }
}

/// One line of figures.
#[expect(clippy::print_stdout, reason = "it is what a full count is run for")]
fn figures(line: &str) {
    println!("{line}");
}

fn texts(all: &[&str]) -> Vec<Vec<u8>> {
    all.iter().map(|text| text.as_bytes().to_vec()).collect()
}

fn files(folder: &str) -> Vec<Vec<u8>> {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let found = std::fs::read_dir(root).unwrap().map(|entry| entry.unwrap().path());
    let tomls = found.filter(|path| path.extension().is_some_and(|ending| ending == "toml"));
    let read: Vec<Vec<u8>> = tomls.map(|path| std::fs::read(path).unwrap()).collect();
    assert!(read.len() > 3, "{folder} has no seeds");
    read
}

#[test]
fn keys_and_their_components() {
    let arn = "permission_set:policies:arn:aws:sso:::permissionSet/ssoins-1/ps-2";
    let seeds =
        ["user:list:all", "user:by_name:a%3Ab", arn, "custom::", "thread_key_1", "user:describe:%", "group:%zz:*"];
    fuzz("keys", 2_000, texts(&seeds), targets::key);
}

#[test]
fn globs() {
    let seeds =
        ["user:*\0user:list:all", "[a-z]?*\0b::", "[^]]\0]", "*a*a*a*a*a*a*b\0aaaaaaaaaaaaaaaaaaaaaaaaaaaa", "[\0["];
    fuzz("globs", 4_000, texts(&seeds), targets::glob);
}

#[test]
fn entries() {
    let kept = targets::Kept::new();
    fuzz("entries", 400, kept.seeds(), |bytes| kept.entry(bytes));
}

#[test]
fn archives() {
    let kept = targets::Kept::new();
    fuzz("archives", 200, vec![kept.archive()], |bytes| kept.import(bytes));
}

#[test]
fn configurations() {
    let mut seeds = files("tests/fixtures/config/bad");
    seeds.push(awsideman::config::DEFAULT.as_bytes().to_vec());
    let place = tempfile::tempdir().unwrap();
    fuzz("configurations", 100, seeds, |bytes| targets::configuration(place.path(), bytes));
}

#[test]
fn jobs() {
    let place = tempfile::tempdir().unwrap();
    fuzz("jobs", 400, files("jobs"), |bytes| targets::job(place.path(), bytes));
}

#[test]
fn files_of_the_state_directory() {
    let seeds = texts(&[
        r#"{"disabled":{"since":1,"until":2,"reason":"x","by":"y"}}"#,
        r#"{"breakers":{"/c":{"state":"OPEN","failure_count":5,"last_failure_time":1}}}"#,
        "{}",
    ]);
    let place = tempfile::tempdir().unwrap();
    fuzz("state files", 200, seeds, |bytes| targets::state(place.path(), bytes));
}
