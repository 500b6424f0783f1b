//! Changes that are cut off: interrupted from the keyboard, killed, or without a way to tell the cache.

use crate::world::{Ran, World};
use awsideman::sandbox::Rule;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn start(world: &World, words: &[&str]) -> Child {
    world.command(words.iter().copied()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn signal(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

fn ended(child: Child, words: &str) -> Ran {
    Ran::of(words.to_owned(), &child.wait_with_output().unwrap())
}

#[test]
fn an_interrupted_change_says_that_it_was_asked_and_not_confirmed() {
    let world = World::small();
    world.faults(|faults| faults.hold = vec![Rule::of("CreateGroup")]);
    let child = start(&world, &["group", "create", "--name", "Ops"]);
    assert!(world.wait_for_held(1, PATIENCE));
    signal(&child, Signal::INT);
    let ran = ended(child, "group create, interrupted").code(130);
    ran.stderr_has("asked of AWS and not confirmed").stderr_has("`awsideman group get Ops --refresh`");
    world.release();
    let entry = world.run(["journal", "list", "--json"]).ok().json()["entries"][0].clone();
    assert_eq!(entry["outcome"], "unknown: interrupted");
}

#[test]
fn a_change_interrupted_before_its_fence_was_not_sent() {
    let mut world = World::small();
    // Shorter than the grace of a signal: the command ends with this wait.
    world.set("AWSIDEMAN_CACHE_BUSY_TIMEOUT", "4s");
    world.run(["group", "list"]).ok();
    let current = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    let writer = awsideman::sqlite::Connection::open(world.cache_dir().join(current.trim())).unwrap();
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let child = start(&world, &["group", "create", "--name", "Ops"]);
    let begun = Instant::now();
    // The journal has the change before its fence is raised.
    let state = world.state_dir().join("state.db");
    let recorded = || {
        let database = awsideman::sqlite::Connection::open(&state)?;
        database.query_row("SELECT count(*) FROM journal", [], |row| row.get::<_, i64>(0))
    };
    while recorded().unwrap_or(0) == 0 {
        assert!(begun.elapsed() < PATIENCE, "the change was not begun");
        std::thread::yield_now();
    }
    signal(&child, Signal::INT);
    let ran = ended(child, "group create, interrupted").code(130);
    ran.stderr_has("interrupted; it was not sent to AWS");
    assert_eq!(world.calls().by_operation.get("AWSIdentityStore.CreateGroup"), None);
    let entry = world.run(["journal", "list", "--json"]).ok().json()["entries"][0].clone();
    assert_eq!(entry["outcome"], "failed: interrupted before it was sent to AWS");
}

#[test]
fn an_interrupted_batch_names_the_request_ids_and_what_was_not_begun() {
    let world = World::new();
    world.run(["ps", "create", "--name", "Audit"]).ok();
    let user = world.run(["user", "list", "--json"]).ok().json()[0]["UserName"].as_str().unwrap().to_owned();
    world.faults(|faults| faults.async_delay_ms = Some(600_000));
    let words = ["assignment", "assign", "Audit", &user, "--all-accounts", "--batch-size", "2", "--json"];
    let child = start(&world, &words);
    let asked = "SWBExternalService.DescribeAccountAssignmentCreationStatus";
    let begun = Instant::now();
    while world.calls().by_operation.get(asked).copied().unwrap_or(0) < 4 {
        assert!(begun.elapsed() < PATIENCE, "AWS was not asked how it goes");
        std::thread::yield_now();
    }
    signal(&child, Signal::INT);
    let ran = ended(child, "assignment assign, interrupted").code(130);
    let document = ran.json();
    assert_eq!(document["counts"]["unknown"], 2, "{document}");
    assert!(document["counts"]["skipped"].as_u64().unwrap() > 5, "{document}");
    for row in document["results"].as_array().unwrap().iter().filter(|row| row["outcome"] == "unknown") {
        let id = row["request_id"].as_str().unwrap();
        assert!(ran.stderr.contains(id) && row["hint"].as_str().unwrap().contains(id), "{row}");
    }
}

#[test]
fn a_change_whose_process_was_killed_is_interrupted() {
    let world = World::small();
    world.faults(|faults| faults.hold = vec![Rule::of("CreateGroup").after()]);
    let mut child = start(&world, &["group", "create", "--name", "Ops"]);
    assert!(world.wait_for_held(1, PATIENCE));
    child.kill().unwrap();
    child.wait().unwrap();
    world.release();
    world.run(["journal", "list"]).ok().stdout_has("interrupted");
    world.run(["journal", "show", "1"]).ok().stdout_has("it is not known whether AWS made it");
    let shown = world.run(["journal", "show", "1", "--json"]).ok().json();
    assert_eq!((&shown["outcome"], &shown["request"]["DisplayName"]), (&json!(null), &json!("Ops")));
    world.run(["journal", "show", "2"]).code(5).stderr_has("journal list");
}

#[test]
fn the_journal_shows_the_state_before_and_how_much_it_lists() {
    let world = World::small();
    for number in 0..22 {
        let name = format!("Group {number}");
        world.run(["group", "create", "--name", &name]).ok();
    }
    let count = |words: &[&str]| {
        let listed = world.run(["journal", "list", "--json"].iter().copied().chain(words.iter().copied())).ok().json();
        listed["entries"].as_array().unwrap().len()
    };
    assert_eq!((count(&[]), count(&["--all"]), count(&["--limit", "3"])), (20, 22, 3));
    world.run(["group", "update", "Group 3", "--description", "d"]).ok();
    let shown = world.run(["journal", "show", "23", "--json"]).ok().json();
    assert_eq!(shown["before"]["DisplayName"], "Group 3");
    assert_eq!(shown["request"]["Operations"][0]["AttributePath"], "description");
}
