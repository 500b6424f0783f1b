//! The words that the troubleshooting guide taught people and scripts to look for: one list, one test.

use crate::world::World;
use awsideman::model::Resource;
use awsideman::state::{BreakerStatus, LookupOutcome, PersistedBreaker};
use std::path::Path;

/// Makes a state of the world.
type Prepare = fn(&mut World);

fn nothing(_: &mut World) {}

fn lookups(world: &World, hits: u64, misses: u64, errors: u64) {
    world.looked_up(LookupOutcome::Hit, Resource::User, hits);
    world.looked_up(LookupOutcome::MissExpired, Resource::User, misses);
    world.looked_up(LookupOutcome::Error, Resource::User, errors);
}

fn breaker(world: &World, state: BreakerStatus) {
    let app = world.app();
    let now = app.clock().now();
    let mark =
        PersistedBreaker { state, failure_count: 5, last_failure_time: Some(now), ..PersistedBreaker::default() };
    app.state().set_breaker(app.cache_dir(), mark, now).unwrap();
}

/// The words, what brings them about, and the command that says them.
const WORDS: &[(&str, Prepare, &str)] = &[
    ("Cache warming completed", nothing, "awsideman cache warm users"),
    ("Low cache hit rate: 60.0%", |world| lookups(world, 60, 40, 0), "awsideman cache health"),
    ("Low cache hit rate: 40.0%", |world| lookups(world, 40, 60, 0), "awsideman cache health"),
    ("High error rate: 6.0%", |world| lookups(world, 100, 0, 6), "awsideman cache health"),
    (
        "High memory usage: 3.0MB",
        |world| {
            world.set("AWSIDEMAN_CACHE_COMPRESSION", "false").set("AWSIDEMAN_HEALTH_SIZE_MB_WARN", "0.5");
            world.set("AWSIDEMAN_HEALTH_SIZE_MB_CRITICAL", "1").fill(3, 1024 * 1024);
        },
        "awsideman cache health",
    ),
    (
        "WARNING: Circuit breaker is OPEN - cache is disabled",
        |world| breaker(world, BreakerStatus::Open),
        "awsideman cache health",
    ),
    (
        "INFO: Circuit breaker is HALF_OPEN - testing recovery",
        |world| breaker(world, BreakerStatus::HalfOpen),
        "awsideman cache health",
    ),
    ("HALF_OPEN", |world| breaker(world, BreakerStatus::HalfOpen), "awsideman cache status"),
    ("\"state\": \"OPEN\"", |world| breaker(world, BreakerStatus::Open), "awsideman cache status --json"),
    (
        "CacheBackendError",
        |world| drop(world.write(".cache/awsideman", "a file where the directory should be")),
        "awsideman cache clear",
    ),
    ("Cache disabled. All operations will bypass cache.", nothing, "awsideman cache disable"),
    ("To re-enable: ", nothing, "awsideman cache disable"),
    ("Starting cache recovery procedure...", nothing, "scripts/recover_cache.sh"),
    ("Cache recovery completed", nothing, "scripts/recover_cache.sh"),
    ("Disabling cache for emergency operations...", nothing, "scripts/emergency_disable_cache.sh"),
    ("Cache disabled. All operations will bypass cache.", nothing, "scripts/emergency_disable_cache.sh"),
    (
        "awsideman Cache Health Alert",
        |world| {
            world.mailbox();
            lookups(world, 40, 60, 0);
        },
        "scripts/cache_monitor.sh; cat \"$MAILBOX\"",
    ),
    ("\"healthy\": true", nothing, "awsideman cache health --json"),
    ("\"issues\": []", nothing, "awsideman cache health --json"),
];

#[test]
fn the_words_of_the_guide_appear_literally() {
    let scripts = Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts");
    for (words, prepare, line) in WORDS {
        let mut world = World::small();
        prepare(&mut world);
        let ran = world.shell(&line.replace("scripts/", &format!("bash {}/", scripts.display())));
        assert!([0, 1, 6].contains(&ran.exit), "{ran:?}");
        ran.says(words);
    }
}
