//! The status document that scripts read: its names, its numbers, its silence.

use crate::world::World;
use awsideman::model::Resource;
use awsideman::state::LookupOutcome;
use serde_json::Value;

/// Every name that scripts may rely on, and whether it is a number.
const FIELDS: &[(&str, bool)] = &[
    ("/schema_version", true),
    ("/hit_rate_percentage", true),
    ("/hit_rate_samples", true),
    ("/memory_usage_mb", true),
    ("/hit_count", true),
    ("/miss_count", true),
    ("/error_count", true),
    ("/total_entries", true),
    ("/size_bytes", true),
    ("/backend", false),
    ("/enabled", false),
    ("/disabled_until", false),
    ("/disabled_reason", false),
    ("/disabled_by", false),
    ("/circuit_breaker/state", false),
    ("/circuit_breaker/failure_count", true),
    ("/circuit_breaker/last_failure_time", false),
    ("/healthy", false),
    ("/issues", false),
    ("/notices", false),
    ("/lifetime/hit_rate_percentage", true),
    ("/lifetime/hit_count", true),
    ("/lifetime/miss_count", true),
    ("/lifetime/error_count", true),
];

#[track_caller]
fn is_complete(status: &Value) {
    for (field, number) in FIELDS {
        let found = status.pointer(field).unwrap_or_else(|| panic!("{field} is missing: {status:#}"));
        assert_eq!(found.is_number(), *number, "{field}: {found}");
    }
}

#[test]
fn every_field_is_present_and_numeric_in_every_state_of_the_cache() {
    let mut world = World::small();
    let fresh = world.status();
    is_complete(&fresh);
    assert_eq!((&fresh["hit_rate_percentage"], &fresh["hit_rate_samples"]), (&100.0.into(), &0.into()));
    assert!(!world.cache_dir().exists() && !world.state_dir().exists(), "looking makes nothing");
    world.run(["user", "list"]).ok();
    is_complete(&world.status());
    world.run(["cache", "disable", "--for", "2h", "--reason", "a drill"]).ok();
    let disabled = world.status();
    is_complete(&disabled);
    assert_eq!((&disabled["enabled"], &disabled["disabled_reason"]), (&false.into(), &"a drill".into()));
    assert!(disabled["disabled_until"].as_str().unwrap().ends_with('Z'));
    let by = disabled["disabled_by"].as_str().unwrap();
    assert!(by.contains('@'), "{by}");
    let page = world.run(["cache", "status"]).ok();
    page.stdout_has(&format!(" left) by {by}: a drill;"))
        .stdout_has("disabled until ")
        .stdout_has("awsideman cache enable");
    world.run(["cache", "enable"]).ok();
    world.set("AWSIDEMAN_CACHE_BACKEND", "memory");
    let memory = world.status();
    is_complete(&memory);
    assert_eq!(memory["backend"], "memory");
    world.set("AWSIDEMAN_CACHE_BACKEND", "").later("400d");
    is_complete(&world.status());
    world.later("").configure("[cache]\nnonsense = 1\n");
    is_complete(&world.status());
}

#[test]
fn a_damaged_store_is_told_in_the_document_and_not_beside_it() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let live = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    for entry in std::fs::read_dir(world.cache_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.display().to_string().contains(live.trim()) && path.extension().is_none_or(|end| end != "lock") {
            std::fs::write(path, vec![0x5a; 65_536]).unwrap();
        }
    }
    let status = world.status();
    is_complete(&status);
    assert_eq!(status["healthy"], false);
    assert!(status["issues"][0].as_str().unwrap().contains("The cache cannot be used"), "{status:#}");
    world.run(["cache", "status"]).ok();
    world.run(["cache", "health"]).code(6);
    // A sick cache slows a command and changes nothing about its answer.
    world.run(["user", "list", "--json"]).ok().stdout_has("UserName");
    world.run(["cache", "recover"]).ok();
    assert_eq!(world.status()["healthy"], true);
    world.run(["user", "list", "--json"]).ok().silent();
}

#[test]
fn asking_does_not_move_the_statistics() {
    let world = World::small();
    for _ in 0..3 {
        world.run(["user", "list"]).ok();
    }
    let first = world.status();
    assert_eq!(first["hit_count"].as_u64().unwrap() + first["miss_count"].as_u64().unwrap(), first["hit_rate_samples"]);
    assert!(first["hit_count"].as_u64() >= Some(2) && first["miss_count"].as_u64() >= Some(1), "{first:#}");
    for words in [
        "cache status",
        "cache status --detailed",
        "cache status --recent-entries 20",
        "cache status --memory-details",
        "cache health",
        "cache path",
        "cache clear --dry-run",
        "cache key user list all",
    ] {
        world.run(words.split(' ')).ok();
    }
    let mut second = world.status();
    second["size_bytes"] = first["size_bytes"].clone();
    assert_eq!(first, second);
}

#[test]
fn only_lookups_of_commands_count_and_requested_refreshes_do_not() {
    let world = World::small();
    world.run(["cache", "warm", "users"]).ok();
    world.run(["user", "list", "--no-cache"]).ok();
    world.run(["user", "list", "--refresh"]).ok();
    assert_eq!(world.status()["hit_rate_samples"], 0);
    world.run(["user", "list"]).ok();
    let status = world.status();
    assert_eq!((&status["hit_rate_percentage"], &status["miss_count"]), (&100.0.into(), &0.into()));
    assert!(status["hit_rate_samples"].as_u64() > Some(0));
}

#[test]
fn the_window_moves_on_and_the_lifetime_stays() {
    let mut world = World::small();
    world.looked_up(LookupOutcome::Hit, Resource::Group, 30);
    world.looked_up(LookupOutcome::MissExpired, Resource::Group, 10);
    let status = world.status();
    assert_eq!((&status["hit_rate_percentage"], &status["lifetime"]["hit_count"]), (&75.0.into(), &30.into()));
    world.later("2d");
    let status = world.status();
    assert_eq!((&status["hit_rate_samples"], &status["lifetime"]["hit_count"]), (&0.into(), &30.into()));
    assert_eq!(status["lifetime"]["hit_rate_percentage"], 75.0);
}

#[test]
fn the_sums_of_the_details_are_the_figures_of_the_summary() {
    let world = World::new();
    for words in ["user list", "group list", "account list", "permission-set list"] {
        world.run(words.split(' ')).ok();
    }
    let status =
        world.run(["cache", "status", "--detailed", "--recent-entries", "5", "--memory-details", "--json"]).ok().json();
    let sum = |list: &str, field: &str| -> u64 {
        status[list].as_array().unwrap().iter().map(|one| one[field].as_u64().unwrap()).sum()
    };
    for list in ["resources", "spaces"] {
        assert_eq!(sum(list, "entries"), status["total_entries"], "{list}");
        assert_eq!(sum(list, "bytes"), status["memory"]["entry_bytes"], "{list}");
    }
    assert_eq!(sum("resources", "hits"), status["hit_count"]);
    assert_eq!(sum("resources", "misses"), status["miss_count"]);
    let reasons: u64 = status["resources"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|one| one["misses_by_reason"].as_object().unwrap().values())
        .map(|n| n.as_u64().unwrap())
        .sum();
    assert_eq!(reasons, status["miss_count"]);
    assert_eq!(status["recent_entries"].as_array().unwrap().len(), 5);
    assert_eq!(status["memory"]["limit_bytes"], 512 * 1024 * 1024);
}

#[test]
fn a_state_database_set_aside_is_named_where_changes_are_missing() {
    let world = World::small();
    world.run(["group", "create", "--name", "x", "--yes"]).ok();
    let state = world.state_dir();
    std::fs::write(state.join("state.db"), "no database".repeat(2000)).unwrap();
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(state.join(name));
    }
    world.run(["cache", "warm", "users"]);
    for words in ["journal list", "jobs history", "alerts list"] {
        world.run(words.split(' ')).ok().says("a damaged state database was set aside as");
    }
    world.run(["cache", "health"]).ok().stdout_has("warn      state").stdout_has("--prune");
    world.run(["cache", "recover", "--prune", "--yes"]).ok();
    world.run(["cache", "health"]).ok().stdout_has("ok        state");
}
