//! A key rotation that is killed, resumed, and run under busy readers and writers.

use super::shim::{Calls, Fault, OPEN, SYNC, Shim, TRUNCATE, WRITE};
use crate::encryption_keys::{encryption, keys, sealed, under};
use crate::fixture::{figures, soak};
use crate::world::{Ran, World};
use std::process::{Command, Stdio};

/// Enough that a rotation takes several transactions.
const ENTRIES: u32 = 500;
/// The calls that a rotation is killed at.
const CHANGES: Calls = Calls(OPEN.0 | WRITE.0 | SYNC.0 | TRUNCATE.0);

fn key(n: usize) -> String {
    let letter = char::from(b'B' + u8::try_from(n % 20).unwrap());
    format!("{}A=", letter.to_string().repeat(42))
}

fn rotation(world: &World) -> Command {
    let mut command = world.command(["cache", "encryption", "rotate"]);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    command
}

/// The calls that a whole rotation makes.
fn calls(world: &World, shim: &Shim) -> u64 {
    let mut whole = rotation(world);
    shim.arm(world, &mut whole, Fault { calls: CHANGES, at: 0, how: "" });
    assert!(whole.status().unwrap().success());
    let [open, write, sync, truncate, ..] = shim.report().kinds;
    open + write + sync + truncate
}

/// The call that is the last one is drawn by the number of the round.
#[test]
fn a_killed_rotation_loses_no_entry_and_no_invalidation() {
    let (world, shim) = (sealed(World::small(), &[&key(0)]), Shim::build());
    world.fill(ENTRIES, 300);
    keys(&world, &[&key(1), &key(0)]);
    let most = calls(&world, &shim);
    let (mut removed, mut killed, mut midway) = (0, 0, 0);
    let total = if soak() { 60 } else { 4 };
    for n in 2..total + 2 {
        keys(&world, &[&key(n), &key(n - 1)]);
        let at = fastrand::Rng::with_seed(n as u64).u64(1..=most);
        let mut command = rotation(&world);
        shim.reset(0);
        shim.arm(&world, &mut command, Fault { calls: CHANGES, at, how: "kill" });
        let mut rotation = command.spawn().unwrap();
        if n % 2 == 0 {
            let gone = world.run(["cache", "clear", "--all", "--pattern", &format!("custom:list:{n}"), "--json"]).ok();
            removed += gone.json()["removed"].as_u64().unwrap();
        }
        killed += usize::from(!rotation.wait().unwrap().success());
        let status = encryption(&world);
        midway += usize::from(under(&status, "newest") > 0 && under(&status, "older") > 0);
        let held = under(&status, "newest") + under(&status, "older");
        let expected = u64::from(ENTRIES) - removed;
        assert_eq!((held, under(&status, "unknown")), (expected, 0), "round {n}, call {at} of {most}: {status}");
        world.run(["cache", "check", "--full"]).ok();
        let done = world.run(["cache", "encryption", "rotate", "--json"]).ok().json();
        assert_eq!(under(&done["status"], "newest"), expected, "round {n}, call {at} of {most}: {done}");
        keys(&world, &[&key(n)]);
        world.run(["cache", "check", "--full"]).ok();
        if n % 2 == 0 {
            let cleared = format!("custom:list:{n}");
            world.run(["cache", "inspect", &cleared]).code(5);
        }
    }
    assert!(killed > 0, "no rotation was killed");
    figures(&format!(
        "rotation: {killed} of {total} killed, {midway} of them midway, {removed} invalidations meanwhile, 0 entries lost or wrong"
    ));
}

#[test]
fn a_rotation_disturbs_no_reader_and_no_writer() {
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
