//! Bytes from anywhere into everything that reads bytes: keys, globs, entries, archives, configurations, jobs, state files.
//!
//! A short run on stable Rust with every test run, 100 times as many with `AWSIDEMAN_SOAK=1`; an input that fails
//! is shrunk and printed.

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
fn fuzz(name: &str, cases: u32) {
    let targets::Target { seeds, feed } = targets::target(name);
    let soak = std::env::var("AWSIDEMAN_SOAK").is_ok_and(|value| value == "1");
    let cases = if soak { cases * 100 } else { cases };
    let mut runner = TestRunner::new(Config { cases, failure_persistence: None, ..Config::default() });
    for seed in &seeds {
        feed(seed);
    }
    let changed = (any::<Index>(), prop::collection::vec(edit(), 0..6))
        .prop_map(move |(seed, edits)| edited(&seeds[seed.index(seeds.len())], &edits));
    let bytes = prop_oneof![4 => changed, 1 => prop::collection::vec(any::<u8>(), 0..200)];
    let done = runner.run(&bytes, |bytes| {
        feed(&bytes);
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

#[test]
fn keys_and_their_components() {
    fuzz("keys", 2_000);
}

#[test]
fn globs() {
    fuzz("globs", 4_000);
}

#[test]
fn entries() {
    fuzz("entries", 400);
}

#[test]
fn archives() {
    fuzz("archives", 200);
}

#[test]
fn configurations() {
    fuzz("configurations", 100);
}

#[test]
fn jobs() {
    fuzz("jobs", 400);
}

#[test]
fn files_of_the_state_directory() {
    fuzz("state-files", 200);
}

#[test]
fn every_target_can_be_fed_by_coverage_too() {
    let manifest: toml::Table = toml::from_str(include_str!("guided/Cargo.toml")).unwrap();
    let programs: Vec<&str> =
        manifest["bin"].as_array().unwrap().iter().map(|program| program["name"].as_str().unwrap()).collect();
    assert_eq!(programs, targets::NAMES);
}
