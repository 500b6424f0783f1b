//! The glob matcher against SQLite's own GLOB, over random patterns and texts.

use awsideman::clock::UnixMillis;
use awsideman::model::matches;
use awsideman::secure_fs::Access;
use awsideman::sqlite::{Connection, params};
use awsideman::store::{Disk, Fill, Memory, Meta, Options, Select, Store};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::ops::ControlFlow;
use std::time::Duration;

const ALPHABET: &[char] = &['a', 'b', 'c', '*', '?', '[', ']', '^', '-', ':', 'é', '😀', 'Z', '\u{D7FF}', '\u{E000}'];

fn words(most: usize) -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(ALPHABET), 0..most).prop_map(|chars| chars.into_iter().collect())
}

fn sqlite(connection: &Connection, pattern: &str, text: &str) -> bool {
    let mut statement = connection.prepare_cached("SELECT ?2 GLOB ?1").unwrap();
    statement.query_row(params![pattern, text], |row| row.get(0)).unwrap()
}

#[test]
fn the_matcher_and_sqlite_give_one_verdict() {
    let connection = Connection::open_in_memory().unwrap();
    let mut runner = TestRunner::new(Config { cases: 40_000, failure_persistence: None, ..Config::default() });
    runner
        .run(&(words(9), words(7)), |(pattern, text)| {
            let (ours, theirs) = (matches(&pattern, &text), sqlite(&connection, &pattern, &text));
            prop_assert_eq!(ours, theirs, "{:?} on {:?}: ours, SQLite's", pattern, text);
            Ok(())
        })
        .unwrap();
}

#[test]
fn sets_and_ranges_give_one_verdict_for_every_short_pattern() {
    let connection = Connection::open_in_memory().unwrap();
    let inner = ['a', 'b', '-', ']', '^', '[', '*'];
    let mut patterns = vec![String::from("[")];
    for _ in 0..5 {
        patterns = patterns.iter().flat_map(|p| inner.iter().map(move |c| format!("{p}{c}"))).collect();
    }
    for pattern in patterns {
        for text in ["a", "b", "-", "]", "^", "[", "", "a]", "ab"] {
            let (ours, theirs) = (matches(&pattern, text), sqlite(&connection, &pattern, text));
            assert_eq!(ours, theirs, "{pattern:?} on {text:?}: ours, SQLite's");
        }
    }
}

fn entry(space: &str, key: &str) -> Fill {
    const NOW: UnixMillis = 1_000;
    let meta = Meta {
        space: space.into(),
        key: key.into(),
        schema: 1,
        stored_at: NOW,
        fresh_until: NOW,
        stale_until: NOW,
        used_at: 0,
        source: String::new(),
        size: 1,
        held: 1,
        frames: 1,
        checksum: 7,
    };
    Fill { meta, frames: vec![vec![1]] }
}

fn keys(store: &dyn Store) -> Vec<(String, String)> {
    let mut found = Vec::new();
    store
        .scan(&Select::All, &mut |meta| {
            found.push((meta.space.clone(), meta.key.clone()));
            ControlFlow::Continue(())
        })
        .unwrap();
    found
}

/// The disk narrows a glob to a range of keys first; what it deletes must be what the plain glob covers.
#[test]
fn a_deletion_by_pattern_matches_the_plain_glob_on_both_backends() {
    let root = tempfile::tempdir().unwrap();
    let options = Options { dir: root.path().join("cache"), access: Access::Owner, busy: Duration::from_secs(5) };
    let disk = Disk::open(&options).unwrap();
    let memory = Memory::new(0, 0);
    let mut runner = TestRunner::new(Config { cases: 120, failure_persistence: None, ..Config::default() });
    let texts = prop::collection::btree_set(words(6), 1..20);
    // Half of the patterns begin like a key, so that the range matters.
    let strategy = (texts, words(5), any::<prop::sample::Index>(), any::<bool>(), any::<bool>());
    runner
        .run(&strategy, |(texts, tail, index, prefixed, one_space)| {
            let texts: Vec<String> = texts.into_iter().collect();
            let prefix: String = if prefixed { index.get(&texts).chars().take(2).collect() } else { String::new() };
            let select = Select::Glob { space: one_space.then(|| "s".into()), pattern: format!("{prefix}{tail}") };
            let fills: Vec<Fill> = texts.iter().flat_map(|key| [entry("s", key), entry("t", key)]).collect();
            let mut expected: Vec<(String, String)> = fills
                .iter()
                .filter(|fill| !select.covers(fill_address(fill)))
                .map(|fill| (fill.meta.space.clone(), fill.meta.key.clone()))
                .collect();
            expected.sort();
            for store in [&disk as &dyn Store, &memory] {
                store.remove(&[Select::All], None, 1_000).unwrap();
                store.put(&fills, store.sequence().unwrap(), 1_000).unwrap();
                let mut covered = 0;
                store
                    .scan(&select, &mut |meta| {
                        covered += usize::from(!expected.contains(&(meta.space.clone(), meta.key.clone())));
                        ControlFlow::Continue(())
                    })
                    .unwrap();
                prop_assert_eq!(
                    covered,
                    fills.len() - expected.len(),
                    "a scan by {:?} on {}",
                    &select,
                    store.backend()
                );
                store.remove(std::slice::from_ref(&select), None, 1_000).unwrap();
                prop_assert_eq!(keys(store), expected.clone(), "{:?} on {}", &select, store.backend());
            }
            Ok(())
        })
        .unwrap();
}

fn fill_address(fill: &Fill) -> awsideman::store::Address<'_> {
    awsideman::store::Address { space: &fill.meta.space, key: &fill.meta.key }
}
