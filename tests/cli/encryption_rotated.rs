//! Rotation that is killed, gone on with, and done under busy readers and writers.

use super::encryption::{encryption, keys, sealed, under};
use crate::world::{Ran, World};
use std::process::Stdio;
use std::time::Duration;

/// Enough that a rotation takes several transactions.
const ENTRIES: u32 = 500;

fn key(n: usize) -> String {
    let letter = char::from(b'B' + u8::try_from(n % 20).unwrap());
    format!("{}A=", letter.to_string().repeat(42))
}

/// Small here, larger with `AWSIDEMAN_SOAK=1`.
fn kills() -> usize {
    if std::env::var_os("AWSIDEMAN_SOAK").is_some_and(|value| value == "1") { 60 } else { 2 }
}

#[test]
fn a_rotation_that_is_killed_loses_nothing_and_no_invalidation() {
    let world = sealed(World::small(), &[&key(0)]);
    world.fill(ENTRIES, 300);
    let mut removed = 0;
    let (mut midway, total) = (0, kills());
    for n in 1..=total {
        keys(&world, &[&key(n), &key(n - 1)]);
        let mut rotation = world
            .command(["cache", "encryption", "rotate"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        // A moment between the start of the process and its usual end.
        std::thread::sleep(Duration::from_millis(fastrand::u64(20..400)));
        if n % 2 == 0 {
            let gone = world.run(["cache", "clear", "--all", "--pattern", &format!("custom:list:{n}"), "--json"]).ok();
            removed += gone.json()["removed"].as_u64().unwrap();
        }
        rotation.kill().unwrap();
        rotation.wait().unwrap();
        let status = encryption(&world);
        midway += usize::from(under(&status, "newest") > 0 && under(&status, "older") > 0);
        let held = under(&status, "newest") + under(&status, "older");
        assert_eq!((held, under(&status, "unknown")), (u64::from(ENTRIES) - removed, 0), "{status}");
        world.run(["cache", "check", "--full"]).ok();
        let done = world.run(["cache", "encryption", "rotate", "--json"]).ok().json();
        assert_eq!(under(&done["status"], "newest"), u64::from(ENTRIES) - removed, "{done}");
        keys(&world, &[&key(n)]);
        world.run(["cache", "check", "--full"]).ok();
        if n % 2 == 0 {
            let cleared = format!("custom:list:{n}");
            world.run(["cache", "inspect", &cleared]).code(5);
        }
    }
    println!(
        "rotation: {total} kills, {midway} of them midway, {removed} invalidations meanwhile, 0 entries lost or wrong"
    );
}

#[test]
fn a_rotation_goes_on_under_readers_and_writers_who_notice_nothing() {
    let world = sealed(World::small(), &[&key(1)]);
    world.fill(ENTRIES, 300);
    world.run(["cache", "warm", "users"]).ok();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let name = users[1]["UserName"].as_str().unwrap();
    let begin = |words: &[&str]| {
        world.command(words.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let rotation = begin(&["cache", "encryption", "rotate", "--generate", "--json"]);
    for n in 0..2 {
        let others = [begin(&["user", "list", "--json"]), begin(&["group", "list", "--json"])];
        let display = format!("Changed {n}");
        world.run(["user", "update", name, "--display-name", &display, "--json"]).ok();
        world.run(["user", "get", name, "--json"]).ok().stdout_has(&display);
        for other in others {
            let ran = Ran::of("a reader".into(), &other.wait_with_output().unwrap()).ok();
            assert!(!ran.stderr.contains("CacheError"), "{ran:?}");
        }
    }
    let ran = Ran::of("rotate".into(), &rotation.wait_with_output().unwrap());
    assert!([0, 3].contains(&ran.exit), "{ran:?}");
    let done = world.run(["cache", "encryption", "rotate", "--json"]).ok().json();
    assert_eq!(under(&done["status"], "older"), 0, "{done}");
    assert!(done["status"]["next"].as_str().unwrap().contains("remove the older keys"), "{done}");
    let file = world.home().join("cache.key");
    let newest = std::fs::read_to_string(&file).unwrap().lines().next().unwrap().to_owned();
    keys(&world, &[&newest]);
    world.run(["cache", "check", "--full"]).ok();
    world.run(["user", "get", name, "--json"]).ok().stdout_has("Changed 1");
}
