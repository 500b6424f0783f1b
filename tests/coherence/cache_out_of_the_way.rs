//! Bypassing is not forgetting: a change made while the cache is off, private, broken, full or not ours to write is known
//! to whoever uses the cache next.

use crate::world::{Ran, World};
use awsideman::state::{BreakerStatus, PersistedBreaker};
use std::path::Path;
use std::process::Command;

const SETTLED: &str = "11s";

fn world() -> (World, String) {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let name = users[3]["UserName"].as_str().unwrap().to_owned();
    (world, name)
}

fn update(name: &str) -> [&str; 5] {
    ["user", "update", name, "--display-name", "Changed"]
}

#[track_caller]
fn everybody_sees_the_change(world: &mut World, name: &str) {
    for offset in ["", SETTLED, SETTLED] {
        world.later(offset);
        let users = world.run(["user", "list", "--json"]).ok().json();
        let user = users.as_array().unwrap().iter().find(|user| user["UserName"] == name).unwrap();
        assert_eq!(user["DisplayName"], "Changed", "after {offset:?}");
        assert_eq!(world.run(["user", "get", name, "--json"]).ok().json()["DisplayName"], "Changed");
    }
}

#[test]
fn variables_that_bypass_the_cache_still_invalidate_it() {
    for (variable, value) in [("AWSIDEMAN_CACHE_DISABLED", "true"), ("AWSIDEMAN_CACHE_BACKEND", "memory")] {
        let (mut world, name) = world();
        world.set(variable, value);
        world.run(update(&name)).ok();
        world.set(variable, "");
        everybody_sees_the_change(&mut world, &name);
    }
}

#[test]
fn the_switch_keeps_no_change_from_the_cache() {
    let (mut world, name) = world();
    world.run(["cache", "disable"]).ok();
    world.run(update(&name)).ok();
    world.run(["cache", "enable"]).ok();
    everybody_sees_the_change(&mut world, &name);
}

#[test]
fn an_open_breaker_keeps_no_change_from_the_cache() {
    let (mut world, name) = world();
    let app = world.app();
    let now = app.clock().now();
    let mark = |state| PersistedBreaker {
        state,
        failure_count: 5,
        last_failure_time: Some(now),
        ..PersistedBreaker::default()
    };
    app.state().set_breaker(app.cache_dir(), mark(BreakerStatus::Open), now).unwrap();
    world.run(update(&name)).ok();
    app.state().set_breaker(app.cache_dir(), PersistedBreaker::default(), now).unwrap();
    everybody_sees_the_change(&mut world, &name);
}

#[test]
fn a_cache_that_does_not_exist_yet_records_the_change_first() {
    let mut world = World::small();
    let users = world.run(["user", "list", "--json", "--no-cache"]).ok().json();
    let name = users[3]["UserName"].as_str().unwrap().to_owned();
    std::fs::remove_dir_all(world.cache_dir()).unwrap_or_default();
    world.run(update(&name)).ok();
    world.run(["user", "list", "--cache-only"]).code(10);
    everybody_sees_the_change(&mut world, &name);
}

#[test]
fn a_full_disk_retires_the_cache_rather_than_keep_stale_entries() {
    let (mut world, name) = world();
    // No file may grow by a byte; what cannot be written is an error and no signal.
    let line = format!("trap '' XFSZ; ulimit -f 0; exec awsideman user update {name} --display-name Changed");
    world.shell(&line).ok();
    everybody_sees_the_change(&mut world, &name);
}

#[test]
fn a_damaged_database_is_retired() {
    let (mut world, name) = world();
    for entry in std::fs::read_dir(world.cache_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "db") {
            std::fs::write(&path, "no database at all ".repeat(5_000)).unwrap();
        }
    }
    world.run(update(&name)).ok();
    everybody_sees_the_change(&mut world, &name);
}

/// Runs a line as somebody who owns the home but may not write everywhere in it; as whoever runs the tests, unless that
/// is root, whom nothing stops.
fn as_somebody(world: &World, line: &str) -> Ran {
    let mut command = Command::new("setpriv");
    if rustix::process::geteuid().is_root() {
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups", "bash"]);
    } else {
        command = Command::new("bash");
    }
    command.args(["-c", line]);
    world.apply(&mut command);
    Ran::of(line.to_owned(), &command.output().unwrap())
}

fn give_to_somebody(path: &Path) {
    if rustix::process::geteuid().is_root() {
        let given = Command::new("chown").args(["-R", "65534:65534"]).arg(path).status().unwrap();
        assert!(given.success());
    }
}

#[test]
fn an_unwritable_directory_exits_12_and_no_process_trusts_the_cache() {
    let (mut world, name) = world();
    // The binary where anybody can read it, and the world in the hands of somebody who is not root.
    let root = world.beside("");
    let binary = world.beside("bin/awsideman");
    std::fs::remove_file(&binary).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_awsideman"), &binary).unwrap();
    give_to_somebody(&root);
    as_somebody(&world, "awsideman user list --cache-only").ok();
    as_somebody(&world, &format!("chmod 0400 {0}/*.db* && chmod 0500 {0}", world.cache_dir().display())).ok();
    as_somebody(&world, "awsideman user list --cache-only").ok();
    let words = format!("awsideman user update {name} --display-name Changed");
    as_somebody(&world, &words).code(12).stderr_has("the cache does not know").stderr_has("cache clear --all");
    world.later(SETTLED);
    for _ in 0..2 {
        let shown = as_somebody(&world, &format!("awsideman user get {name} --json")).ok().json();
        assert_eq!(shown["DisplayName"], "Changed");
    }
    as_somebody(&world, "awsideman cache status").ok().says("could not be recorded");
    // What is written can be mended again.
    as_somebody(&world, &format!("chmod 0700 {0} && chmod 0600 {0}/*.db*", world.cache_dir().display())).ok();
    as_somebody(&world, "awsideman cache clear --all && awsideman cache enable").ok();
    as_somebody(&world, "awsideman user list && awsideman user list --cache-only").ok();
}
