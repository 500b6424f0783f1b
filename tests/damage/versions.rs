//! Two versions on one host: what a later awsideman keeps beside us stays, and neither is told what is no longer so.
//!
//! Neighbours: `src/store/disk/schema.rs` says how versions share a directory: a later one keeps its generation in
//! `CURRENT.v<number>`. Promise: the later version is what it leaves on the disk, made here from our own generation with
//! the numbers raised; ours is the real binary. A second build would prove no more: it differs by that number.

use crate::run::World;
use awsideman::cache::SCHEMA;
use awsideman::sqlite::Connection;
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

fn live(world: &World) -> PathBuf {
    world.cache_dir().join(std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap().trim())
}

/// A world whose cache is filled, and the generation of a later version beside ours, idle for days.
fn world() -> (World, PathBuf) {
    let world = World::small();
    for words in ["user list", "cache warm users groups", "cache cleanup"] {
        world.run(words.split(' ')).ok();
    }
    let ours = live(&world);
    let folded = Connection::open(&ours).unwrap();
    folded.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
    drop(folded);
    let number: u64 = ours.file_stem().unwrap().to_str().unwrap()["gen-".len()..].parse().unwrap();
    let theirs = world.cache_dir().join(format!("gen-{}.db", number + 1));
    std::fs::copy(&ours, &theirs).unwrap();
    let raised = format!("PRAGMA journal_mode=DELETE; PRAGMA user_version={0}; UPDATE e SET schema={0}", SCHEMA + 1);
    Connection::open(&theirs).unwrap().execute_batch(&raised).unwrap();
    let name = theirs.file_name().unwrap().to_str().unwrap().to_owned();
    std::fs::write(pointer(&world), format!("{name}\n")).unwrap();
    let days_ago = SystemTime::now() - Duration::from_hours(72);
    File::options().write(true).open(&theirs).unwrap().set_modified(days_ago).unwrap();
    (world, theirs)
}

fn pointer(world: &World) -> PathBuf {
    world.cache_dir().join(format!("CURRENT.v{}", SCHEMA + 1))
}

fn bytes(paths: [&Path; 2]) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    paths.into_iter().map(|path| (path.to_owned(), std::fs::read(path).ok())).collect()
}

/// The numbers of the form of entries and of the database rise together: only then do two versions never meet in one
/// database, where each would replace what the other stored.
#[test]
fn the_number_of_the_database_is_the_number_of_the_form_of_entries() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let version: u32 =
        Connection::open(live(&world)).unwrap().query_row("PRAGMA user_version", (), |row| row.get(0)).unwrap();
    assert_eq!(version, SCHEMA, "raise both numbers together: src/store/disk/schema.rs and src/cache/entry.rs");
}

#[test]
fn what_a_later_version_keeps_is_left_alone_without_a_word() {
    let (mut world, theirs) = world();
    let before = bytes([&theirs, &pointer(&world)]);
    let users = world.run(["user", "list", "--json"]).ok().stdout;
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "30");
    for words in [
        "user list --json --cache-only",
        "group list --json",
        "cache warm users groups",
        "cache cleanup",
        "cache enforce-limits",
        "cache check --full",
        "cache health",
        "cache status --json",
        "cache test",
    ] {
        let ran = world.run(words.split(' ')).ok();
        assert!(!ran.stderr.contains("schema") && !ran.stderr.contains("rror"), "{words}: {ran:?}");
        assert!(bytes([&theirs, &pointer(&world)]) == before, "`{words}` touched what is the later version's");
    }
    assert_eq!(world.status()["error_count"], 0);
    assert_eq!(world.run(["user", "list", "--json"]).ok().stdout, users);
    assert_eq!(world.run(["alerts", "list", "--json"]).ok().json()["alerts"], serde_json::json!([]));
}

#[test]
fn a_change_and_a_clear_by_the_earlier_version_leave_the_later_one_nothing_false() {
    for words in ["user update NAME --display-name Changed", "cache clear"] {
        let (world, theirs) = world();
        let name = world.run(["user", "list", "--json"]).ok().json()[3]["UserName"].as_str().unwrap().to_owned();
        world.run(words.split(' ').map(|word| if word == "NAME" { &name } else { word })).ok();
        assert!(!pointer(&world).exists(), "`{words}`: the later version would answer from before it");
        assert!(theirs.exists(), "nobody deletes a database that somebody may have open");
    }
}

/// However it came about.
#[test]
fn entries_of_another_form_in_our_own_database_are_misses_without_an_error() {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().stdout;
    Connection::open(live(&world)).unwrap().execute_batch(&format!("UPDATE e SET schema={}", SCHEMA + 1)).unwrap();
    let full = world.run(["cache", "check", "--full", "--json"]).ok().json();
    assert!(full["entries"]["other_version"].as_u64() > Some(10), "{full}");
    assert_eq!(world.run(["user", "list", "--json"]).ok().silent().stdout, users, "answered by AWS");
    world.run(["cache", "health"]).ok();
    assert_eq!(world.status()["error_count"], 0);
    assert_eq!(world.run(["user", "list", "--json", "--cache-only"]).ok().stdout, users);
}
