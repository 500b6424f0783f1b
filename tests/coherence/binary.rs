//! The real binary, held at chosen moments: what `coherence_model` calls a violation is forced here, and must not come.
//!
//! The moments are holds of the sandbox: a call waits before it is carried out, or after that and before its answer.
//! Reads that come later use a clock for which the fence has lapsed, so that only the rules keep an old answer away.

use crate::world::{LIST_USERS, Ran, World};
use awsideman::sandbox::Rule;
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::Duration;

const UPDATE_USER: &str = "AWSIdentityStore.UpdateUser";
const PATIENCE: Duration = Duration::from_secs(60);
/// After the time that a change keeps its fence.
const SETTLED: &str = "11s";
/// After the time that a fence stands when nobody closes it.
const LAPSED: &str = "6m";

/// A world whose users are in the cache, and one of them.
fn world() -> (World, String) {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let name = users[3]["UserName"].as_str().unwrap().to_owned();
    (world, name)
}

fn begin<'a>(world: &World, words: impl IntoIterator<Item = &'a str>) -> Child {
    world.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Ran {
    Ran::of("begun before".into(), &child.wait_with_output().unwrap())
}

fn update<'a>(name: &'a str, display: &'a str) -> [&'a str; 6] {
    ["user", "update", name, "--display-name", display, "--json"]
}

fn held(world: &World, rule: Rule) {
    world.faults(|faults| faults.hold = vec![rule]);
}

/// What the list says of the user.
#[track_caller]
fn listed(world: &World, name: &str) -> String {
    shown(&world.run(["user", "list", "--json"]).ok().json(), name)
}

fn shown(users: &Value, name: &str) -> String {
    let users = users.as_array().unwrap();
    let user = users.iter().find(|user| user["UserName"] == name).unwrap();
    user["DisplayName"].as_str().unwrap().to_owned()
}

/// Nobody is told the old name any more, by list, by name or by id, however often they ask.
#[track_caller]
fn everybody_sees(world: &World, name: &str, display: &str) {
    for _ in 0..2 {
        assert_eq!(listed(world, name), display);
        let user = world.run(["user", "get", name, "--json"]).ok().json();
        assert_eq!(user["DisplayName"], display);
        let id = user["UserId"].as_str().unwrap().to_owned();
        assert_eq!(world.run(["user", "get", &id, "--json"]).ok().json()["DisplayName"], display);
    }
}

#[test]
fn a_slow_reader_that_a_change_overtook_stores_nothing() {
    let (mut world, name) = world();
    world.run(["cache", "clear"]).ok();
    held(&world, Rule::of(LIST_USERS).after());
    let reader = begin(&world, ["user", "list", "--json"]);
    assert!(world.wait_for_held(1, PATIENCE));
    world.run(update(&name, "Changed")).ok();
    world.release();
    let old = ended(reader).ok().json();
    assert_ne!(shown(&old, &name), "Changed", "it was answered before the change");
    world.later(SETTLED);
    everybody_sees(&world, &name, "Changed");
}

#[test]
fn a_read_past_the_fence_is_undone_by_the_close() {
    let (mut world, name) = world();
    held(&world, Rule::of(UPDATE_USER));
    let words = update(&name, "Changed");
    let writer = begin(&world, words);
    assert!(world.wait_for_held(1, PATIENCE));
    world.later(LAPSED);
    assert_ne!(listed(&world, &name), "Changed");
    assert_eq!(world.calls_of(|| listed(&world, &name)), 0, "it was stored: the fence has lapsed");
    world.later("");
    world.release();
    ended(writer).ok();
    world.later(LAPSED);
    everybody_sees(&world, &name, "Changed");
}

#[test]
fn what_aws_still_answers_after_the_change_is_not_stored() {
    let (mut world, name) = world();
    world.faults(|faults| faults.read_lag_ms = 600_000);
    world.run(update(&name, "Changed")).ok();
    for _ in 0..2 {
        assert_ne!(listed(&world, &name), "Changed", "AWS lags");
    }
    world.faults(|_| ());
    world.later(SETTLED);
    everybody_sees(&world, &name, "Changed");
}

#[test]
fn a_writer_that_is_killed_before_aws_leaves_a_fence_that_lapses() {
    let (mut world, name) = world();
    let before = listed(&world, &name);
    held(&world, Rule::of(UPDATE_USER));
    let mut writer = begin(&world, update(&name, "Changed"));
    assert!(world.wait_for_held(1, PATIENCE));
    writer.kill().unwrap();
    writer.wait().unwrap();
    world.run(["user", "list", "--cache-only"]).code(10);
    assert_eq!(listed(&world, &name), before, "live");
    world.run(["user", "list", "--cache-only"]).code(10);
    world.later(LAPSED);
    listed(&world, &name);
    world.run(["user", "list", "--cache-only"]).ok();
    world.run(["journal", "list"]).ok().stdout_has("UpdateUser");
}

#[test]
fn after_a_writer_killed_past_aws_no_process_reads_the_old_name() {
    let (mut world, name) = world();
    held(&world, Rule::of(UPDATE_USER).after());
    let mut writer = begin(&world, update(&name, "Changed"));
    assert!(world.wait_for_held(1, PATIENCE));
    writer.kill().unwrap();
    writer.wait().unwrap();
    everybody_sees(&world, &name, "Changed");
    world.later(LAPSED);
    everybody_sees(&world, &name, "Changed");
}

#[test]
fn a_change_whose_answer_is_lost_still_invalidates_the_cache() {
    let (mut world, name) = world();
    world.faults(|faults| faults.reset = vec![Rule::of(UPDATE_USER).after()]);
    world.run(update(&name, "Changed")).code(13);
    world.faults(|_| ());
    everybody_sees(&world, &name, "Changed");
    world.later(SETTLED);
    everybody_sees(&world, &name, "Changed");
    let journal = world.run(["journal", "list", "--json"]).ok().stdout;
    assert!(journal.contains("unknown"), "{journal}");
}

#[test]
fn clear_and_recover_during_a_change_lose_no_fence() {
    for between in [&["cache", "clear", "--all"][..], &["cache", "recover"]] {
        let (mut world, name) = world();
        held(&world, Rule::of(UPDATE_USER).after());
        let writer = begin(&world, update(&name, "Changed"));
        assert!(world.wait_for_held(1, PATIENCE));
        // AWS has changed it; whoever reads an old replica now must not keep what they read.
        world.run(between.iter().copied()).ok();
        listed(&world, &name);
        world.run(["user", "list", "--cache-only"]).code(10);
        world.release();
        ended(writer).ok();
        world.run(["user", "list", "--cache-only"]).code(10);
        world.later(SETTLED);
        everybody_sees(&world, &name, "Changed");
    }
}

#[test]
fn a_walk_overtaken_by_a_change_is_not_stored() {
    let mut world = World::new();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let name = users[0]["UserName"].as_str().unwrap().to_owned();
    world.run(["cache", "clear"]).ok();
    held(&world, Rule::nth(3, LIST_USERS));
    let walk = begin(&world, ["cache", "warm", "users"]);
    assert!(world.wait_for_held(1, PATIENCE));
    // The page that the user is on was read before.
    world.run(update(&name, "Changed")).ok();
    world.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", SETTLED);
    world.release();
    ended(walk);
    everybody_sees(&world, &name, "Changed");
}

#[test]
fn a_new_name_is_found_as_soon_as_it_exists() {
    let (mut world, name) = world();
    world.run(["user", "get", "newcomer"]).code(5);
    assert_eq!(world.calls_of(|| world.run(["user", "get", "Newcomer"]).code(5)), 1);
    world.run(["user", "update", &name, "--username", "newcomer"]).ok();
    world.later(SETTLED);
    for spelling in ["newcomer", "Newcomer"] {
        world.run(["user", "get", spelling]).ok();
    }
    world.run(["user", "get", &name]).code(5);
}
