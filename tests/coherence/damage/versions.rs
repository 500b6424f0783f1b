//! Two versions on one host, each in turn: neither drops what the other keeps, neither says a word about it, and neither
//! answers from before a change that the other made.
//!
//! Both are real binaries, and each is tried in the place of the other.

use super::next_binary::{BOTH, Version};
use crate::world::{Ran, World};
use awsideman::cache::SCHEMA;
use awsideman::sandbox::Rule;
use awsideman::sqlite::Connection;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::process::Stdio;
use std::time::{Duration, SystemTime};

/// What both are asked.
const READS: [&str; 2] = ["user list --json", "group list --json"];

/// A world in which both have warmed and read.
fn world() -> World {
    let world = World::small();
    for words in ["cache warm users groups", READS[0], READS[1]] {
        for version in [Version::This, Version::Next] {
            version.run(&world, words).ok();
        }
    }
    for (version, number) in [(Version::This, SCHEMA), (Version::Next, SCHEMA + 1)] {
        let database = Connection::open(version.database(&world)).unwrap();
        let made: u32 = database.query_row("PRAGMA user_version", (), |row| row.get(0)).unwrap();
        let held: u32 =
            database.query_row("SELECT count(*) FROM e WHERE schema = ?", [made], |row| row.get(0)).unwrap();
        assert!(made == number && held > 40, "{version:?} keeps {held} entries in schema {made}");
    }
    world
}

/// Both answer both questions from what they keep, without a word.
#[track_caller]
fn both_answer_from_the_cache(world: &World, after: &str) {
    for words in READS {
        let before = world.calls().total;
        let [this, next] = [Version::This, Version::Next].map(|version| version.run(world, words).ok().silent().stdout);
        assert_eq!(world.calls().total, before, "after {after}: `{words}` was asked of AWS");
        assert_eq!(this, next, "after {after}: `{words}`");
    }
}

#[track_caller]
fn is_content(world: &World, version: Version) {
    for words in ["cache health", "cache check --full", "cache test"] {
        let ran = version.run(world, words).ok();
        assert!(!ran.stderr.contains("schema") && !ran.stderr.contains("rror"), "{ran:?}");
    }
    let status = version.run(world, "cache status --json").ok().silent().json();
    assert_eq!(status["error_count"], 0, "{status}");
    assert_eq!(version.run(world, "alerts list --json").ok().json()["alerts"], json!([]));
}

fn somebody(world: &World) -> String {
    Version::This.run(world, READS[0]).ok().json()[3]["UserName"].as_str().unwrap().to_owned()
}

/// What a list calls that user.
#[track_caller]
fn display(list: &Ran, name: &str) -> String {
    let users = list.clone().ok().silent().json();
    let user = users.as_array().unwrap().iter().find(|user| user["UserName"] == name).unwrap();
    user["DisplayName"].as_str().unwrap().to_owned()
}

#[test]
fn two_versions_in_turn_answer_from_their_own_cache_silently() {
    let world = world();
    for round in ["warming", "another turn"] {
        both_answer_from_the_cache(&world, round);
    }
    for (version, _) in BOTH {
        is_content(&world, version);
        for words in ["cache warm users groups", "cache cleanup", "cache enforce-limits", "cache verify --sample 5"] {
            version.run(&world, words).ok();
            both_answer_from_the_cache(&world, &format!("`{words}` by {version:?}"));
        }
    }
}

/// Byte for byte, and when it has not been used for days.
#[test]
fn commands_that_drop_nothing_leave_the_other_version_as_it_is() {
    for (version, other) in BOTH {
        let mut world = world();
        let theirs = other.database(&world);
        let folded = Connection::open(&theirs).unwrap();
        folded.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |_| Ok(())).unwrap();
        drop(folded);
        let days_ago = SystemTime::now() - Duration::from_hours(72);
        File::options().write(true).open(&theirs).unwrap().set_modified(days_ago).unwrap();
        let kept = [theirs, other.pointer(&world)];
        let bytes = || -> BTreeMap<&PathBuf, Vec<u8>> { kept.iter().map(|f| (f, std::fs::read(f).unwrap())).collect() };
        let before = bytes();
        world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "30");
        for words in [
            "user list --json --cache-only",
            "cache warm users groups",
            "cache cleanup",
            "cache enforce-limits",
            "cache check --full",
            "cache recover",
            "cache recover --prune --yes",
        ] {
            version.run(&world, words).ok();
            assert!(bytes() == before, "`{words}` by {version:?} touched what is the other's");
        }
    }
}

/// With a fence that stands, AWS may still show what was before: nothing is kept by either.
#[test]
fn after_a_change_by_either_version_neither_serves_older_data() {
    for (writer, reader) in BOTH {
        let mut world = world();
        let name = somebody(&world);
        world.faults(|faults| faults.hold = vec![Rule::of("AWSIdentityStore.UpdateUser")]);
        let mut change = writer.command(&world, &format!("user update {name} --display-name Changed"));
        let change = change.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        assert!(world.wait_for_held(1, Duration::from_secs(60)));
        // The reader begins a generation while the fence is still as long as a change may take.
        reader.run(&world, READS[0]).ok().silent();
        world.release();
        Ran::of("user update".into(), &change.wait_with_output().unwrap()).ok();
        for version in [reader, writer] {
            assert_eq!(display(&version.run(&world, READS[0]), &name), "Changed", "{version:?} after {writer:?}");
            version.run(&world, "user list --cache-only").code(10);
            let user = version.run(&world, &format!("user get {name} --json")).ok().silent().json();
            assert_eq!(user["DisplayName"], "Changed");
        }
        // What was taken over ends when the change says so, in every copy.
        world.later("11s");
        for version in [reader, writer] {
            assert_eq!(display(&version.run(&world, READS[0]), &name), "Changed");
            version.run(&world, "group list --json").ok().silent();
        }
        both_answer_from_the_cache(&world, "the end of the fence");
        for (version, _) in BOTH {
            is_content(&world, version);
        }
    }
}

/// AWS makes the change whose writer is gone. Nobody will ever say that it has ended.
#[test]
fn the_fence_of_a_killed_writer_holds_for_the_other_version() {
    for (writer, reader) in BOTH {
        let mut world = world();
        let name = somebody(&world);
        world.faults(|faults| faults.hold = vec![Rule::of("AWSIdentityStore.UpdateUser")]);
        let mut command = writer.command(&world, &format!("user update {name} --display-name Changed"));
        let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        assert!(world.wait_for_held(1, Duration::from_secs(60)));
        let before = display(&reader.run(&world, READS[0]), &name);
        process.kill().unwrap();
        process.wait().unwrap();
        reader.run(&world, "user list --cache-only").code(10);
        rename(&world, &name, "Afterwards");
        for version in [reader, writer, reader] {
            let shown = display(&version.run(&world, READS[0]), &name);
            assert!(shown == "Afterwards" && shown != before, "{version:?} shows {shown}");
        }
        world.release();
        world.later("6m");
        for version in [reader, writer] {
            for words in READS {
                version.run(&world, words).ok().silent();
            }
        }
        both_answer_from_the_cache(&world, "a fence that lapsed");
    }
}

/// Somebody else gives the user another name.
fn rename(world: &World, name: &str, display: &str) {
    let instances = world.ask("SWBExternalService.ListInstances", &json!({}));
    let store = &instances["Instances"][0]["IdentityStoreId"];
    let users: Value = world.ask("AWSIdentityStore.ListUsers", &json!({"IdentityStoreId": store}));
    let user = users["Users"].as_array().unwrap().iter().find(|user| user["UserName"] == name).unwrap();
    let change = json!({"AttributePath": "displayName", "AttributeValue": display});
    let body = json!({"IdentityStoreId": store, "UserId": user["UserId"], "Operations": [change]});
    world.ask("AWSIdentityStore.UpdateUser", &body);
}

#[test]
fn a_clear_by_either_leaves_the_other_nothing_and_deletes_no_database() {
    for (version, other) in BOTH {
        let world = world();
        let theirs = other.database(&world);
        version.run(&world, "cache clear").ok();
        other.run(&world, "user list --cache-only").code(10);
        assert!(theirs.exists(), "nobody deletes a database that somebody may have open");
        other.run(&world, "user list --json").ok().silent();
    }
}

#[test]
fn disabling_and_enabling_apply_to_both_versions() {
    let world = world();
    for (version, other) in BOTH {
        version.run(&world, "cache disable --for 1h").ok();
        for reader in [version, other] {
            assert!(world.calls_of(|| reader.run(&world, READS[0]).ok()) > 0, "{reader:?} after {version:?}");
        }
        other.run(&world, "cache enable").ok();
        both_answer_from_the_cache(&world, "enabling");
    }
}

/// However it came about.
#[test]
fn entries_of_another_format_in_our_database_are_misses_without_an_error() {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().stdout;
    let raise = format!("UPDATE e SET schema={}", SCHEMA + 1);
    Connection::open(Version::This.database(&world)).unwrap().execute_batch(&raise).unwrap();
    let full = world.run(["cache", "check", "--full", "--json"]).ok().json();
    assert!(full["entries"]["other_version"].as_u64() > Some(10), "{full}");
    assert_eq!(world.run(["user", "list", "--json"]).ok().silent().stdout, users, "answered by AWS");
    world.run(["cache", "health"]).ok();
    assert_eq!(world.status()["error_count"], 0);
    assert_eq!(world.run(["user", "list", "--json", "--cache-only"]).ok().stdout, users);
}
