//! The circuit breaker as processes share it: a cache that keeps failing is left alone by all of them, and tried again.
//!
//! Neighbours: `tests/store_contract/breaker.rs` has its rules one by one, `words.rs` its words, `bypass.rs` what a change does
//! meanwhile. Promise: every answer is right, whatever the breaker does.

use super::run::World;
use awsideman::private::Access;
use awsideman::sqlite::{self, Connection, Plan, Synchronous};
use serde_json::Value;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// Bytes of a page.
const PAGE: usize = 16_384;

fn database(world: &World) -> PathBuf {
    let live = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    world.cache_dir().join(live.trim())
}

/// Every page but the first is garbage: the database opens, and whatever is read or written in it fails.
fn damage_inside(world: &World) {
    let live = database(world);
    // What is in the log only would be read from there.
    sqlite_of(world).execute_batch("PRAGMA wal_checkpoint(TRUNCATE)").unwrap();
    let mut file = std::fs::OpenOptions::new().write(true).open(&live).unwrap();
    let length = usize::try_from(file.metadata().unwrap().len()).unwrap();
    file.seek(SeekFrom::Start(PAGE as u64)).unwrap();
    file.write_all(&vec![0x5a; length - PAGE]).unwrap();
}

fn sqlite_of(world: &World) -> Connection {
    let plan = Plan {
        path: &database(world),
        schema: "",
        steps: &[],
        version: 1,
        synchronous: Synchronous::Normal,
        busy: Duration::from_secs(10),
        page_size: 4096,
        access: Access::Owner,
    };
    sqlite::open_existing(&plan).unwrap()
}

fn breaker(world: &World) -> (String, u64) {
    let breaker = &world.status()["circuit_breaker"];
    (breaker["state"].as_str().unwrap().to_owned(), breaker["failure_count"].as_u64().unwrap())
}

fn log_lines(world: &World) -> usize {
    let text = std::fs::read_to_string(world.beside("awsideman.log")).unwrap_or_default();
    text.lines().filter(|line| line.contains("CacheError")).count()
}

#[test]
fn failures_of_several_processes_open_it_all_leave_the_cache_alone_then_one_tries_it_again() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_BREAKER_FAILURE_THRESHOLD", "10").set("AWSIDEMAN_CACHE_BREAKER_RECOVERY_TIMEOUT", "30");
    let people = world.run(["user", "list", "--json"]).ok().json();
    let answer = |world: &World| assert_eq!(world.run(["user", "list", "--json"]).ok().json(), people);
    damage_inside(&world);
    let mut runs = 0;
    while breaker(&world).0 != "OPEN" {
        let before = breaker(&world).1;
        answer(&world);
        runs += 1;
        assert!(breaker(&world).1 > before, "failures of one process count for the next: {:?}", breaker(&world));
        assert!(runs <= 10, "it never opened");
    }
    assert!(runs > 1, "ten failures in a row are more than one command makes");
    let lines = log_lines(&world);
    assert!(lines >= runs, "each command left a line: {lines}");
    world.run(["cache", "health"]).code(6).stdout_has("WARNING: Circuit breaker is OPEN - cache is disabled");
    let opened = breaker(&world);
    answer(&world);
    assert_eq!((breaker(&world), log_lines(&world)), (opened.clone(), lines), "nobody tries it before its time");
    world.later("31s");
    assert_eq!(breaker(&world).0, "HALF_OPEN");
    world.run(["cache", "health"]).code(6).stdout_has("INFO: Circuit breaker is HALF_OPEN - testing recovery");
    answer(&world);
    assert_eq!(breaker(&world), ("OPEN".into(), opened.1 + 1), "one trial, and it failed");
    world.run(["cache", "recover"]).ok();
    assert_eq!(breaker(&world), ("CLOSED".into(), 0));
    answer(&world);
    assert_eq!(world.calls_of(|| answer(&world)), 0, "the new cache answers");
}

#[test]
fn a_trial_that_goes_well_closes_it_for_every_process() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    let app = world.app();
    let mark = serde_json::json!({"state": "OPEN", "failure_count": 5, "last_failure_time": app.clock().now()});
    app.state().set_breaker(app.cache_dir(), serde_json::from_value(mark).unwrap(), app.clock().now()).unwrap();
    assert!(world.calls_of(|| world.run(["user", "list"]).ok()) > 0);
    world.later("61s");
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0, "the trial itself is answered from the cache");
    assert_eq!(breaker(&world), ("CLOSED".into(), 0));
    let switch: Value = serde_json::from_slice(&std::fs::read(world.state_dir().join("switch")).unwrap()).unwrap();
    assert!(!switch.to_string().contains("OPEN"), "{switch}");
}

#[test]
fn a_writer_that_never_ends_costs_one_command_its_patience_and_nobody_an_answer() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_BUSY_TIMEOUT", "1s");
    let people = world.run(["user", "list", "--json"]).ok().json();
    let mut other = sqlite_of(&world);
    let held = sqlite::hold(&mut other).unwrap();
    let hit = |world: &World| {
        let calls = world.calls_of(|| assert_eq!(world.run(["user", "list", "--json"]).ok().json(), people));
        assert_eq!(calls, 0, "readers do not wait, and go on");
    };
    hit(&world);
    let refresh = |world: &World| {
        let began = Instant::now();
        let ran = world.run(["user", "list", "--refresh", "--json"]).ok();
        assert_eq!(ran.json(), people);
        (began.elapsed(), ran)
    };
    let (first, ran) = refresh(&world);
    ran.stderr_has("CacheBackendError");
    // One store waits; four and more did.
    assert!(first < Duration::from_secs(3), "{first:?}");
    hit(&world);
    let (second, ran) = refresh(&world);
    ran.stderr_has("OPEN for writes");
    assert!(second < Duration::from_millis(900), "what one process learned, the next one need not: {second:?}");
    let shown = world.status()["circuit_breaker"].clone();
    assert_eq!((&shown["state"], &shown["writes"]["state"]), (&"CLOSED".into(), &"OPEN".into()), "{shown}");
    world.run(["cache", "status"]).ok().stdout_has("CLOSED; writes OPEN (1 failure");
    world.run(["cache", "health"]).code(6).stdout_has("OPEN for writes - what is cached is served");
    world.run(["cache", "warm", "users"]).code(10).stderr_has("OPEN for writes");
    // An invalidation is never skipped: it waits, and what cannot be recorded retires the generation.
    let id = people[0]["UserId"].as_str().unwrap();
    world.run(["cache", "invalidate", "update", "user", id]).ok();
    assert!(world.calls_of(|| world.run(["user", "list"]).ok()) > 0, "nobody is told what may be false");
    drop(held);
    world.later("61s");
    assert_eq!(world.status()["circuit_breaker"]["writes"]["state"], "HALF_OPEN");
    refresh(&world).1.silent();
    assert_eq!(world.status()["circuit_breaker"]["writes"]["state"], "CLOSED");
    hit(&world);
}

#[test]
fn a_removal_beside_a_stuck_writer_is_refused_and_not_forgotten() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_BUSY_TIMEOUT", "1s");
    world.run(["user", "list", "--json"]).ok();
    let mut other = sqlite_of(&world);
    let held = sqlite::hold(&mut other).unwrap();
    world.run(["cache", "clear"]).code(11).stderr_has("cache.busy_timeout");
    drop(held);
    world.run(["cache", "clear"]).ok();
    assert_eq!(world.status()["circuit_breaker"]["writes"]["state"], "CLOSED", "what worked is not left alone");
}

#[test]
fn a_database_that_cannot_be_opened_opens_it_too() {
    let world = World::small();
    let people = world.run(["user", "list", "--json"]).ok().json();
    std::fs::write(database(&world), "this is not a database, and is long enough to be looked at".repeat(100)).unwrap();
    for n in 1..=5 {
        let ran = world.run(["user", "list", "--json"]).ok().stderr_has("file is not a database");
        assert_eq!(ran.json(), people);
        assert_eq!(breaker(&world).1, n, "each failure counts once");
    }
    let lines = log_lines(&world);
    world.run(["user", "list", "--json"]).ok().stderr_has("circuit breaker is OPEN");
    assert_eq!((breaker(&world), log_lines(&world)), (("OPEN".into(), 5), lines), "it is not even opened");
    world.run(["cache", "health"]).code(6).stdout_has("WARNING: Circuit breaker is OPEN").stdout_has("not a database");
    world.run(["cache", "recover"]).ok();
    assert_eq!(breaker(&world), ("CLOSED".into(), 0));
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok().silent()), 1 + 1);
}
