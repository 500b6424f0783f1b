//! The troubleshooting guide, line by line and in its order: what it promises is one test each.
//!
//! A command of the guide stands here as the guide writes it and is run by a shell.

use crate::world::World;
use awsideman::model::Resource;
use awsideman::state::LookupOutcome;
use serde_json::Value;

/// Every command of the guide, as it is written there, in its order.
const COMMANDS: &[&str] = &[
    "awsideman cache status",
    "awsideman cache status --detailed",
    "awsideman cache status --recent-entries 20",
    "awsideman cache clear",
    "awsideman user list --no-cache",
    "export AWSIDEMAN_CACHE_DISABLED=true\nawsideman user list",
    "awsideman user list --no-cache",
    "awsideman user list",
    "awsideman cache status --detailed",
    "awsideman cache clear --pattern \"user:*\"",
    "awsideman cache clear --pattern \"group:*\"",
    "awsideman cache clear --pattern \"*:list:*\"",
    "awsideman cache status",
    "awsideman cache status --memory-details",
    "export AWSIDEMAN_CACHE_MAX_SIZE_MB=200\nawsideman cache status",
    "export AWSIDEMAN_CACHE_COMPRESSION=true\nawsideman user list",
    "export AWSIDEMAN_CACHE_BACKEND=disk\nexport AWSIDEMAN_CACHE_DIR=$HOME/var/cache/awsideman\nawsideman user list",
    "awsideman cache health",
    "awsideman cache test",
    "export AWSIDEMAN_CACHE_BACKEND=memory\nawsideman user list",
    "export AWSIDEMAN_CACHE_MAX_SIZE_MB=100\nawsideman cache status --enforce-limits",
    "output=$(awsideman cache status --json 2>&1) && echo \"$output\" | jq -e -r '.hit_rate_percentage'",
    "output=$(awsideman cache status --json 2>&1) && echo \"$output\" | jq -e -r '.memory_usage_mb'",
    "export AWSIDEMAN_CACHE_DISABLED=true\nawsideman cache status\nunset AWSIDEMAN_CACHE_DISABLED",
];

fn keys(world: &World) -> Vec<String> {
    let status = world.run(["cache", "status", "--recent-entries", "100000", "--json"]).ok().json();
    let recent = status["recent_entries"].as_array().unwrap();
    let mut keys: Vec<String> = recent.iter().map(|entry| entry["key"].as_str().unwrap().to_owned()).collect();
    keys.sort();
    keys
}

fn resource<'a>(status: &'a Value, name: &str) -> &'a Value {
    status["resources"].as_array().unwrap().iter().find(|one| one["resource"] == name).unwrap()
}

#[test]
fn every_command_of_the_guide_runs_as_it_is_written() {
    let world = World::small();
    world.run(["cache", "warm"]).ok();
    for command in COMMANDS {
        world.shell(command).ok().silent();
    }
}

// -- Quick diagnostic commands

#[test]
fn status_answers_without_credentials_and_with_a_disabled_cache() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    world.set("AWS_ACCESS_KEY_ID", "").set("AWS_SECRET_ACCESS_KEY", "").set("AWS_REGION", "");
    world.run(["cache", "status"]).ok().silent().stdout_has("enabled").stdout_has("CLOSED").stdout_has("disk");
    world.set("AWSIDEMAN_CACHE_DISABLED", "true");
    world.run(["cache", "status"]).ok().stdout_has("disabled").stdout_has("AWSIDEMAN_CACHE_DISABLED");
}

#[test]
fn details_show_entries_bytes_hits_misses_and_ttls_of_each_resource() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_TTL_GROUP_LIST", "7m");
    for words in ["user list", "user list", "group list"] {
        world.run(words.split(' ')).ok();
    }
    let status = world.run(["cache", "status", "--detailed", "--json"]).ok().json();
    let user = resource(&status, "user");
    assert!(user["entries"].as_u64() > Some(40), "a list, and every person by id and by name: {user}");
    assert!(user["bytes"].as_u64() > Some(0) && user["hits"].as_u64() >= Some(1) && user["misses"].as_u64() >= Some(1));
    assert_eq!(
        user["misses_by_reason"].as_object().unwrap().values().filter_map(Value::as_u64).sum::<u64>(),
        user["misses"]
    );
    assert!(user["oldest"].as_str().unwrap().ends_with('Z'));
    let ttl = |name: &str, operation: &str| {
        let ttls = resource(&status, name)["ttls"].as_array().unwrap();
        ttls.iter().find(|ttl| ttl["operation"] == operation).cloned().unwrap()
    };
    assert_eq!((&ttl("user", "list")["seconds"], &ttl("user", "list")["origin"]), (&600.into(), &"default".into()));
    assert_eq!(ttl("group", "list")["seconds"], 420);
    assert_eq!(ttl("group", "list")["origin"], "AWSIDEMAN_CACHE_TTL_GROUP_LIST");
    assert_eq!(status["spaces"].as_array().unwrap().iter().filter(|s| s["entries"].as_u64() > Some(1)).count(), 1);
    world
        .run(["cache", "status", "--detailed"])
        .ok()
        .stdout_has("user:list")
        .stdout_has("AWSIDEMAN_CACHE_TTL_GROUP_LIST");
}

#[test]
fn recent_entries_are_listed_newest_use_first_with_key_and_source() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    world.later("1m");
    world.run(["group", "list"]).ok();
    world.later("2m");
    let status = world.run(["cache", "status", "--recent-entries", "20", "--json"]).ok().json();
    let recent = status["recent_entries"].as_array().unwrap();
    assert_eq!(recent.len(), 20);
    assert!(recent[0]["key"].as_str().unwrap().starts_with("group:"), "{}", recent[0]);
    assert!(recent.is_sorted_by(|a, b| a["used"].as_str() >= b["used"].as_str()));
    let list = recent.iter().find(|entry| entry["key"] == "group:list:all").unwrap();
    assert_eq!(list["source"], "AWSIdentityStore.ListGroups");
    let (age, left) = (list["age_seconds"].as_i64().unwrap(), list["left_seconds"].as_i64().unwrap());
    assert!((55..=65).contains(&age), "{list}");
    assert!((895..=900).contains(&(age + left)), "15 minutes: {list}");
    assert!(list["bytes"].as_u64() > Some(0) && list["stored"].is_string());
    let page = world.run(["cache", "status", "--recent-entries", "20"]).ok();
    page.stdout_has("group:list:all").stdout_has("AWSIdentityStore.ListGroups");
}

#[test]
fn clear_empties_this_profile_s_cache_needs_no_aws_and_never_asks() {
    let world = World::small();
    for words in ["user list", "group list"] {
        world.run(words.split(' ')).ok();
    }
    assert_eq!(world.calls_of(|| world.run(["cache", "clear"]).ok().stdout_has("Removed")), 0);
    assert!(
        !keys(&world).iter().any(|key| key.starts_with("user:") || key.starts_with("group:")),
        "{:?}",
        keys(&world)
    );
    world.run(["cache", "clear", "--all"]).ok().stdout_has("every instance");
    assert_eq!(keys(&world), Vec::<String>::new());
    world.run(["cache", "clear"]).ok().stdout_has("every instance").stdout_has("not known");
}

#[test]
fn no_cache_neither_reads_nor_fills() {
    let world = World::small();
    world.run(["user", "list", "--no-cache"]).ok();
    world.run(["user", "list", "--cache-only"]).code(10);
    world.run(["user", "list"]).ok();
    let before = keys(&world);
    assert!(world.calls_of(|| world.run(["user", "list", "--no-cache"]).ok()) > 0);
    assert_eq!(keys(&world), before);
}

#[test]
fn the_variable_disables_with_each_accepted_word_and_nonsense_warns() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    for (value, disabled) in [
        ("true", true),
        ("1", true),
        ("yes", true),
        ("on", true),
        ("TRUE", true),
        ("false", false),
        ("0", false),
        ("no", false),
        ("off", false),
    ] {
        world.set("AWSIDEMAN_CACHE_DISABLED", value);
        assert_eq!(world.status()["enabled"].as_bool(), Some(!disabled), "{value}");
        assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()) > 0, disabled, "{value}");
    }
    assert_eq!(world.shell("AWSIDEMAN_CACHE_DISABLED= awsideman cache status --json").ok().json()["enabled"], true);
    world.set("AWSIDEMAN_CACHE_DISABLED", "perhaps");
    let status = world.status();
    assert_eq!(status["enabled"], false);
    assert!(status["notices"].to_string().contains("AWSIDEMAN_CACHE_DISABLED"), "{status:#}");
    world.run(["user", "list"]).ok().stderr_has("AWSIDEMAN_CACHE_DISABLED");
}

// -- Stale data

#[test]
fn detailed_hit_rates_cover_the_window_and_all_time_with_their_counts() {
    let world = World::small();
    world.looked_up(LookupOutcome::Hit, Resource::User, 3);
    world.looked_up(LookupOutcome::MissExpired, Resource::Group, 1);
    let status = world.run(["cache", "status", "--detailed", "--json"]).ok().json();
    assert_eq!((&status["hit_rate_percentage"], &status["hit_rate_samples"]), (&75.0.into(), &4.into()));
    assert_eq!(resource(&status, "group")["misses_by_reason"], serde_json::json!({"expired": 1}));
    world.run(["cache", "status", "--detailed"]).ok().stdout_has("75.0% of 4 lookups in the last 1d");
}

#[test]
fn patterns_remove_exactly_what_they_match_and_a_dry_run_agrees() {
    for (pattern, matches) in [
        ("user:*", (|key: &str| key.starts_with("user:")) as fn(&str) -> bool),
        ("group:*", |key| key.starts_with("group:")),
        ("*:list:*", |key| key.contains(":list:")),
    ] {
        let world = World::small();
        world.run(["cache", "warm"]).ok();
        let (before, scoped) = (keys(&world), |key: &&String| matches(key));
        let count = before.iter().filter(scoped).count();
        assert!(count > 0, "{pattern}: {before:?}");
        let clear = |dry: &[&str]| {
            let words = ["cache", "clear", "--pattern", pattern, "--json"].into_iter().chain(dry.iter().copied());
            world.run(words).ok().json()
        };
        assert_eq!(clear(&["--dry-run"])["removed"], count);
        assert_eq!(keys(&world), before);
        assert_eq!(clear(&[])["removed"], count);
        let left: Vec<String> = before.iter().filter(|key| !matches(key)).cloned().collect();
        assert_eq!(keys(&world), left);
        assert_eq!(clear(&[])["removed"], 0);
    }
}

#[test]
fn the_default_ttl_is_15_minutes_and_a_shorter_one_applies_immediately() {
    let mut world = World::small();
    world.run(["group", "list"]).ok();
    world.later("14m");
    assert_eq!(world.calls_of(|| world.run(["group", "list"]).ok()), 0);
    world.set("AWSIDEMAN_CACHE_DEFAULT_TTL", "5m");
    assert!(world.calls_of(|| world.run(["group", "list"]).ok()) > 0);
}

// -- Performance

#[test]
fn memory_details_show_what_entries_index_and_process_hold_and_the_limits() {
    let world = World::new();
    world.run(["user", "list"]).ok();
    let status = world.run(["cache", "status", "--memory-details", "--json"]).ok().json();
    let memory = status["memory"].as_object().unwrap();
    for field in ["entry_bytes", "index_bytes", "process_rss_bytes", "limit_bytes", "low_water_bytes"] {
        assert!(memory[field].as_u64() > Some(0), "{field}: {memory:?}");
    }
    world.run(["cache", "status", "--memory-details"]).ok().stdout_has("512.0 MB, down to 409.6 MB");
}

#[test]
fn the_size_variable_is_enforced_down_to_the_low_water_mark() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_COMPRESSION", "false");
    for mb in ["200", "100"] {
        world.set("AWSIDEMAN_CACHE_MAX_SIZE_MB", mb);
        assert_eq!(world.status()["max_size_mb"], mb.parse::<f64>().unwrap());
    }
    world.set("AWSIDEMAN_CACHE_MAX_SIZE_MB", "1");
    world.fill(8, 250_000);
    let status = world.run(["cache", "status", "--enforce-limits", "--json"]).ok().silent().json();
    assert_eq!((&status["removed"]["evicted"], &status["total_entries"]), (&5.into(), &3.into()));
    assert!(status["memory_usage_mb"].as_f64().unwrap() <= 0.8);
    assert_eq!(status["healthy"], true, "a cache that is held to its limit is no alarm");
}

#[test]
fn compression_makes_entries_smaller_and_both_kinds_are_read() {
    let mut world = World::new();
    world.set("AWSIDEMAN_CACHE_COMPRESSION", "false");
    let plain = world.run(["user", "list", "--json"]).ok().stdout;
    let large = world.status()["memory_usage_mb"].as_f64().unwrap();
    world.set("AWSIDEMAN_CACHE_COMPRESSION", "true");
    assert_eq!(world.calls_of(|| assert_eq!(world.run(["user", "list", "--json"]).ok().stdout, plain)), 0);
    world.run(["user", "list", "--refresh"]).ok();
    let small = world.status()["memory_usage_mb"].as_f64().unwrap();
    assert!(small < large * 0.75, "{small} of {large}");
    world.set("AWSIDEMAN_CACHE_COMPRESSION", "false");
    assert_eq!(world.calls_of(|| assert_eq!(world.run(["user", "list", "--json"]).ok().stdout, plain)), 0);
}

#[test]
fn the_disk_backend_lives_in_the_directory_that_the_variable_names() {
    let mut world = World::small();
    let directory = world.home().join("var/cache/awsideman");
    world.set("AWSIDEMAN_CACHE_BACKEND", "disk").set("AWSIDEMAN_CACHE_DIR", &directory.display().to_string());
    world.run(["user", "list"]).ok();
    assert!(directory.join("CURRENT").exists() && !world.cache_dir().exists());
    let status = world.status();
    assert_eq!((&status["backend"], &status["directory"]), (&"disk".into(), &directory.display().to_string().into()));
    assert_eq!(world.run(["cache", "path"]).ok().stdout.trim(), directory.display().to_string());
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
}

#[test]
fn the_times_to_live_are_those_of_the_guide() {
    let world = World::small();
    world.run(["cache", "warm"]).ok();
    let status = world.run(["cache", "status", "--detailed", "--json"]).ok().json();
    for (name, operation, minutes) in [
        ("user", "list", 10),
        ("user", "describe", 30),
        ("group", "members", 5),
        ("group", "describe", 60),
        ("permission_set", "list", 120),
    ] {
        let ttls = resource(&status, name)["ttls"].as_array().unwrap();
        let ttl = ttls.iter().find(|ttl| ttl["operation"] == operation).unwrap();
        assert_eq!(ttl["seconds"], minutes * 60, "{name}:{operation}");
    }
}

#[test]
fn a_low_hit_rate_and_a_large_cache_warn_before_critical() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_COMPRESSION", "false").set("AWSIDEMAN_HEALTH_SIZE_MB_WARN", "1.5");
    world.looked_up(LookupOutcome::Hit, Resource::User, 69);
    world.looked_up(LookupOutcome::MissExpired, Resource::User, 31);
    world.fill(2, 1024 * 1024);
    let health = world.run(["cache", "health", "--json"]).ok().json();
    assert_eq!(health["healthy"], true);
    assert_eq!(health["warnings"], serde_json::json!(["Low cache hit rate: 69.0%", "High memory usage: 2.0MB"]));
}

// -- Backend errors

#[test]
fn health_is_a_list_of_checks_with_levels_and_an_exit_code() {
    let world = World::small();
    let health = world.run(["cache", "health", "--json"]).ok().json();
    assert_eq!((&health["healthy"], &health["issues"]), (&true.into(), &Value::Array(Vec::new())));
    for check in health["checks"].as_array().unwrap() {
        assert!(check["key"].is_string() && check["level"] == "ok", "{check}");
    }
    world.run(["cache", "health", "--nagios"]).code(0).stdout_has("OK");
    world.looked_up(LookupOutcome::Hit, Resource::User, 60);
    world.looked_up(LookupOutcome::MissExpired, Resource::User, 40);
    world.run(["cache", "health"]).ok().stdout_has("warn");
    world.run(["cache", "health", "--nagios"]).code(1).stdout_has("WARNING");
    world.looked_up(LookupOutcome::MissExpired, Resource::User, 100);
    let health = world.run(["cache", "health", "--json"]).code(6).json();
    assert_eq!(
        (&health["healthy"], &health["issues"]),
        (&false.into(), &serde_json::json!(["Low cache hit rate: 30.0%"]))
    );
    world.run(["cache", "health"]).code(6).stdout_has("critical");
    world.run(["cache", "health", "--nagios"]).code(2).stdout_has("CRITICAL");
}

#[test]
fn test_sets_gets_expires_and_deletes_and_reports_a_disabled_cache() {
    let mut world = World::small();
    let trial = world.run(["cache", "test", "--json"]).ok().json();
    let steps: Vec<&str> =
        trial["steps"].as_array().unwrap().iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(steps, ["set", "get", "expire", "delete"]);
    assert!(trial["steps"].as_array().unwrap().iter().all(|step| step["took_us"].is_u64() && step["error"].is_null()));
    assert_eq!(keys(&world), Vec::<String>::new(), "it leaves nothing behind");
    world.set("AWSIDEMAN_CACHE_DISABLED", "true");
    world.run(["cache", "test"]).ok().stdout_has("disabled");
    world.set("AWSIDEMAN_CACHE_DISABLED", "").write(".cache/awsideman/CURRENT", "gen-1.db");
    world.write(".cache/awsideman/gen-1.db", &"this is no database".repeat(300));
    world.run(["cache", "test"]).code(1);
}

#[test]
fn the_cache_is_for_its_owner_alone_whatever_the_umask() {
    let world = World::small();
    world.shell("umask 000; awsideman user list; awsideman cache disable; awsideman cache enable").ok();
    for (path, (mode, _)) in world.tree() {
        if path.starts_with(world.cache_dir()) || path.starts_with(world.state_dir()) {
            assert_eq!(mode & 0o077, 0, "{} has {mode:o}", path.display());
        }
    }
    world.run(["cache", "health"]).ok().stdout_has("free_disk").stdout_has("directories");
}

#[test]
fn the_memory_backend_keeps_nothing_and_refuses_a_warm() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_BACKEND", "memory");
    for _ in 0..2 {
        assert!(world.calls_of(|| world.run(["user", "list"]).ok()) > 0);
    }
    assert_eq!(world.status()["backend"], "memory");
    assert!(!world.cache_dir().join("CURRENT").exists());
    assert_eq!(world.calls_of(|| world.run(["cache", "warm"]).code(10).says("memory")), 0);
}

// -- Growth

#[test]
fn enforcing_limits_says_what_went_and_gives_one_document() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "10");
    world.fill(20, 100);
    world.run(["cache", "status", "--enforce-limits"]).ok().stdout_has("Removed 12 entries");
    world.fill(20, 100);
    let status = world.run(["cache", "status", "--enforce-limits", "--json"]).ok().silent().json();
    assert_eq!((&status["removed"]["evicted"], &status["total_entries"]), (&12.into(), &8.into()));
    world.fill(20, 100);
    let would = world.run(["cache", "enforce-limits", "--dry-run", "--json"]).ok().json();
    assert_eq!(would["removed"]["evicted"], 12);
    assert_eq!(world.run(["cache", "enforce-limits", "--json"]).ok().json()["removed"], would["removed"]);
}

#[test]
fn cleanup_removes_what_can_no_longer_be_served_and_nothing_else() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    let before = keys(&world).len();
    world.run(["cache", "cleanup"]).ok().stdout_has("Removed 0 entries");
    world.later("10d");
    let would = world.run(["cache", "cleanup", "--dry-run", "--json"]).ok().json();
    assert_eq!(would["removed"]["expired"], before);
    assert_eq!(keys(&world).len(), before);
    assert_eq!(world.run(["cache", "cleanup", "--json"]).ok().json()["removed"]["expired"], before);
    assert_eq!(keys(&world), Vec::<String>::new());
}

#[test]
fn cleaning_and_limits_are_scheduled_hourly_unless_somebody_says_otherwise() {
    let world = World::small();
    let jobs = world.run(["jobs", "list", "--json"]).ok().json();
    let text = jobs.to_string();
    for kind in ["cleanup", "enforce-limits", "warm", "health-check"] {
        assert!(text.contains(kind), "{kind}: {jobs:#}");
    }
    world.run(["jobs", "list"]).ok().stdout_has("17 * * * *").stdout_has("37 * * * *");
}

// -- Keys, breaker, warming

#[test]
fn a_key_is_the_same_only_for_the_same_parameters() {
    let world = World::small();
    let key = |parameters: &[&str]| {
        let words = ["cache", "key", "user", "list", "all"].into_iter();
        let parameters = parameters.iter().flat_map(|parameter| ["--param", parameter]);
        world.run(words.chain(parameters)).ok().silent().stdout
    };
    let plain = key(&["identity_store_id=d-1234567890"]);
    assert!(plain.starts_with("user:list:all:#") && plain.trim().len() >= "user:list:all:#".len() + 32, "{plain}");
    assert_eq!(plain, key(&["identity_store_id=d-1234567890"]));
    assert_ne!(plain, key(&["identity_store_id=d-1234567891"]));
    assert_eq!(key(&["a=1", "b=2"]), key(&["b=2", "a=1"]));
    assert_eq!(key(&[]), "user:list:all\n");
}

#[test]
fn the_breaker_stands_in_the_status_with_state_count_and_time() {
    let status = World::small().status();
    let mut expected = serde_json::json!({"state": "CLOSED", "failure_count": 0, "last_failure_time": null});
    expected["writes"] = expected.clone();
    assert_eq!(status["circuit_breaker"], expected);
}

#[test]
fn a_warm_fills_lists_and_describes_and_ends_with_its_words() {
    let world = World::small();
    let ran = world.run(["cache", "warm"]).ok();
    assert!(ran.stdout.lines().last().unwrap().starts_with("Cache warming completed"), "{}", ran.stdout);
    let calls = world.calls_of(|| {
        for words in ["user list", "group list", "permission-set list", "account list"] {
            world.run(words.split(' ')).ok().silent();
        }
        let groups = world.run(["group", "list", "--json"]).ok().json();
        world.run(["group", "members", groups[0]["GroupId"].as_str().unwrap()]).ok().silent();
        // Some assignments are of people who are gone: their names are looked for.
        world.run(["assignment", "list", "--cache-only"]).ok().silent();
        let keys = keys(&world);
        for key in ["user:describe:", "group:describe:", "group:members:", "user:list:all", "account:list:all"] {
            assert!(keys.iter().any(|known| known.starts_with(key)), "{key}: {keys:?}");
        }
    });
    assert_eq!(calls, 0, "what was warmed answers: {:?}", world.calls());
    world.run(["cache", "warm", "user", "groups"]).ok().stdout_has("Cache warming completed");
}

// -- Monitoring: monitor.rs

// -- Recovery

#[test]
fn recovery_prints_the_evidence_and_how_to_undo_the_switch() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let recovered = world.run(["cache", "recover", "--no-salvage", "--json"]).ok().json();
    for field in ["old", "new", "marker"] {
        assert!(std::path::Path::new(recovered[field].as_str().unwrap()).exists(), "{field}: {recovered}");
    }
    assert!(recovered["marker"].as_str().unwrap().contains(".corrupted."));
    assert_eq!(world.status()["total_entries"], 0);
    world
        .run(["cache", "disable"])
        .ok()
        .stdout_has("(in 4h)")
        .stdout_has("All operations will bypass cache.")
        .stdout_has("To re-enable: awsideman cache enable");
    world.run(["cache", "status"]).ok().stdout_has("disabled until").stdout_has("all operations bypass it");
    world.run(["cache", "enable"]).ok().stdout_has("Cache enabled");
    assert_eq!(world.status()["enabled"], true);
}
