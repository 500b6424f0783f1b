//! The circuit breaker as processes share it: a cache that keeps failing is left alone by all of them, and tried again.
//!
//! Every answer is right, whatever the breaker does.

use crate::world::World;
use awsideman::secure_fs::Access;
use awsideman::sqlite::{self, Connection, DatabaseSpec, Synchronous};
use serde_json::Value;
use std::io::{Seek, SeekFrom, Write};
use std::path::PathBuf;
use std::time::Duration;

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
    let plan = DatabaseSpec {
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
fn failures_of_several_processes_open_the_breaker_and_one_process_tries_again() {
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
fn a_writer_that_never_ends_delays_one_command_and_no_answer() {
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
        let ran = world.run(["user", "list", "--refresh", "--json"]).ok();
        assert_eq!(ran.json(), people);
        ran
    };
    refresh(&world).stderr_has("CacheBackendError");
    hit(&world);
    // A process that finds the breaker open does not try to store, and so does not wait.
    refresh(&world).stderr_has("OPEN for writes");
    let shown = world.status()["circuit_breaker"].clone();
    assert_eq!((&shown["state"], &shown["writes"]["state"]), (&"CLOSED".into(), &"OPEN".into()), "{shown}");
    // Of five stores only the first waited: the others would have been counted too.
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
    refresh(&world).silent();
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

#[test]
fn a_reset_closes_the_breaker_after_a_probe_and_only_then() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let app = world.app();
    let open = serde_json::json!({"state": "OPEN", "failure_count": 5, "last_failure_time": app.clock().now()});
    let open_it = || {
        let mark = serde_json::from_value(open.clone()).unwrap();
        app.state().set_breaker(app.cache_dir(), mark, app.clock().now()).unwrap();
    };
    open_it();
    let reset = world.run(["cache", "breaker", "reset", "--json"]).ok().json();
    assert_eq!((&reset["closed"], &reset["was"]), (&Value::Bool(true), &Value::from("OPEN")), "{reset}");
    assert_eq!(breaker(&world), ("CLOSED".into(), 0));
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
    damage_inside(&world);
    open_it();
    world.run(["cache", "breaker", "reset"]).code(1).stdout_has("The probe failed").stdout_has("is unchanged");
    assert_eq!(breaker(&world).0, "OPEN");
}

#[test]
fn a_fault_of_the_store_counts_whether_or_not_aws_answers() {
    let mut world = World::small();
    world.set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    world.run(["user", "list"]).ok();
    std::fs::write(database(&world), "this is not a database, and is long enough to be read as one".repeat(100))
        .unwrap();
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    for n in 1..=5 {
        world.run(["user", "list"]).code(13);
        assert_eq!(breaker(&world).1, n);
    }
    assert_eq!(breaker(&world).0, "OPEN");
}

#[test]
fn lookups_in_a_faulty_store_are_errors_and_not_misses() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let before = world.status();
    std::fs::write(database(&world), "this is not a database, and is long enough to be read as one".repeat(100))
        .unwrap();
    for _ in 0..7 {
        world.run(["user", "list"]).ok();
    }
    let after = world.status();
    assert_eq!(after["miss_count"], before["miss_count"], "{after}");
    assert_eq!(after["errors_by_kind"], serde_json::json!({"damaged": 5, "breaker_open": 2}), "{after}");
    assert_eq!(after["error_count"], 7);
    world.run(["cache", "status"]).ok().stdout_has("7 (2 breaker_open, 5 damaged)");
    world.run(["cache", "health"]).code(6).stdout_has("7 errors");
}

#[test]
fn recover_and_clear_start_a_new_window_of_the_hit_rate() {
    let world = World::small();
    for words in [["cache", "recover"], ["cache", "clear"]] {
        world.looked_up(awsideman::state::LookupOutcome::MissExpired, awsideman::model::Resource::User, 60);
        world.run(["cache", "health"]).code(6).stdout_has("Low cache hit rate");
        world.run(words).ok();
        world.run(["cache", "health"]).ok().stdout_has("unknown (new window)");
        world.run(["cache", "status"]).ok().stdout_has("unknown (new window)");
        let status = world.status();
        assert_eq!((&status["new_window"], &status["hit_rate_samples"]), (&Value::Bool(true), &0.into()), "{status}");
        world.looked_up(awsideman::state::LookupOutcome::Hit, awsideman::model::Resource::User, 50);
        assert_eq!(world.status()["new_window"], false);
        world.run(["cache", "health"]).ok().stdout_has("100.0% over 50 samples");
    }
    world.run(["cache", "clear", "--pattern", "user:*"]).ok();
    assert_eq!(world.status()["hit_rate_samples"], 50, "a pattern begins no new window");
}

#[test]
fn throttles_and_limits_are_in_status_and_health() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "100");
    world.faults(|faults| faults.throttle = vec![awsideman::sandbox::Rule::first(2, "ListUsers")]);
    world.run(["user", "list"]).ok();
    let status = world.status();
    assert_eq!(status["throttled_last_hour"], 2, "{status}");
    let limits = status["limits"].as_array().unwrap();
    let evicts: Vec<_> = limits.iter().filter(|limit| limit["evicts"] == true).map(|limit| &limit["setting"]).collect();
    assert_eq!(evicts, ["cache.max_entries"], "{status}");
    world.run(["cache", "health"]).ok().stdout_has("2 calls throttled").stdout_has("evicts first");
    world.later("2h");
    assert_eq!(world.status()["throttled_last_hour"], 0);
}

/// A full disk opened it; there is room now.
#[test]
fn the_first_command_after_room_was_made_closes_the_breaker() {
    for (by_full_disk, first, then) in [(true, "HALF_OPEN", "CLOSED"), (false, "OPEN", "OPEN")] {
        let world = World::small();
        world.run(["user", "list"]).ok();
        let app = world.app();
        let now = app.clock().now();
        let side = serde_json::json!({
            "state": "OPEN", "failure_count": 5, "last_failure_time": now, "is_full": by_full_disk,
        });
        let mark = serde_json::from_value(serde_json::json!({ "writes": side })).unwrap();
        app.state().set_breaker(app.cache_dir(), mark, now).unwrap();
        let state = || world.status()["circuit_breaker"]["writes"]["state"].clone();
        assert_eq!(state(), first, "by a full disk: {by_full_disk}");
        world.run(["user", "list", "--refresh"]).ok();
        assert_eq!(state(), then, "by a full disk: {by_full_disk}");
    }
}
