//! A monitor script as operators have it in cron: over `cache status --json`, jq, bc and mail.
//!
//! It is silent while nothing is wrong, whatever the cache is doing, and mails when something is.

use crate::world::{Ran, World};
use awsideman::model::Resource;
use awsideman::state::LookupOutcome;
use serde_json::Value;

const SCRIPT: &str = include_str!("../support/guide/cache_monitor.sh");
const LOG: &str = "/var/log/awsideman_cache_monitor.log";

/// Runs the script; gives what it logged and what it mailed.
fn monitor(world: &mut World) -> (Ran, String, String) {
    assert_eq!(SCRIPT.matches(LOG).count(), 1);
    let (log, mailbox) = (world.beside("monitor.log"), world.mailbox());
    let script = world.beside("cache_monitor.sh");
    std::fs::write(&script, SCRIPT.replace(LOG, &log.display().to_string())).unwrap();
    let ran = world.script(&script, &[]);
    let read = |path| std::fs::read_to_string(path).unwrap_or_default();
    (ran, read(log), read(mailbox))
}

#[track_caller]
fn is_silent(world: &mut World) {
    let (ran, log, mail) = monitor(world);
    ran.ok().silent();
    assert_eq!((log.as_str(), mail.as_str()), ("", ""));
}

#[track_caller]
fn fires(world: &mut World, words: &str) {
    let (ran, log, mail) = monitor(world);
    ran.ok().silent();
    assert!(log.contains(words), "{log}");
    assert!(mail.contains("to: -s awsideman Cache Health Alert admin@example.com"), "{mail}");
    assert!(mail.contains(words), "{mail}");
}

#[test]
fn it_is_silent_on_a_cache_that_was_never_used() {
    is_silent(&mut World::small());
}

#[test]
fn it_is_silent_on_a_cache_unused_for_a_day() {
    let mut world = World::small();
    // Cold lookups alone: within the window this would be a hit rate of none.
    world.run(["user", "list"]).ok();
    fires(&mut world, "Low cache hit rate: 0");
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    world.later("26h");
    is_silent(&mut world);
    assert!(world.status()["total_entries"].as_u64() > Some(0));
}

#[test]
fn it_is_silent_on_a_cache_that_is_disabled() {
    let mut world = World::small();
    world.run(["cache", "disable"]).ok();
    for _ in 0..3 {
        world.run(["user", "list"]).ok();
    }
    is_silent(&mut world);
    world.run(["cache", "enable"]).ok();
    world.set("AWSIDEMAN_CACHE_DISABLED", "true");
    world.run(["user", "list"]).ok();
    is_silent(&mut world);
}

#[test]
fn it_is_silent_on_a_warm_cache() {
    let mut world = World::small();
    world.run(["cache", "warm", "users"]).ok();
    for _ in 0..4 {
        world.run(["user", "list"]).ok();
    }
    is_silent(&mut world);
}

#[test]
fn it_mails_at_a_hit_rate_of_40_percent() {
    let mut world = World::small();
    world.looked_up(LookupOutcome::Hit, Resource::User, 40);
    world.looked_up(LookupOutcome::MissExpired, Resource::User, 60);
    fires(&mut world, "Low cache hit rate: 40");
}

#[test]
fn it_mails_at_300_megabytes() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_MAX_SIZE_MB", "512").set("AWSIDEMAN_CACHE_COMPRESSION", "false");
    world.fill(75, 4 * 1024 * 1024);
    fires(&mut world, "High memory usage: 300.");
}

#[test]
fn a_low_hit_rate_a_large_cache_and_many_errors_are_critical() {
    for (hits, misses, errors, issue) in [
        (49, 51, 0, Some("Low cache hit rate: 49.0%")),
        (50, 50, 0, None),
        (100, 0, 6, Some("High error rate: 6.0%")),
        (100, 0, 5, None),
        (10, 30, 0, None),
    ] {
        let world = World::small();
        world.looked_up(LookupOutcome::Hit, Resource::User, hits);
        world.looked_up(LookupOutcome::MissExpired, Resource::User, misses);
        world.looked_up(LookupOutcome::Error, Resource::User, errors);
        let issues: Vec<Value> = issue.into_iter().map(Value::from).collect();
        let healthy = issues.is_empty();
        for (command, code) in [("status", 0), ("health", if healthy { 0 } else { 6 })] {
            let document = world.run(["cache", command, "--json"]).code(code).silent().json();
            assert_eq!(document["issues"], Value::from(issues.clone()), "{hits}, {misses}, {errors}");
            assert_eq!(document["healthy"], healthy);
        }
    }
}
