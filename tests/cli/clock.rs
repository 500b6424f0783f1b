//! A clock that was wrong: what is recorded under it is cured with the right clock, by itself or by one command.

use crate::world::World;
use serde_json::Value;

/// Clocks that were wrong, and whether they were ahead.
const WRONG: [(&str, bool); 3] = [("3650d", true), ("-1d", false), ("1h", true)];

const JOBS: [(&str, &str); 2] = [
    ("10-clean.toml", "name = \"clean\"\nkind = \"cleanup\"\nevery = \"15m\"\nenabled = true\n"),
    ("20-nightly.toml", "name = \"nightly\"\nkind = \"cleanup\"\nschedule = \"0 * * * *\"\nenabled = true\n"),
];

fn world() -> World {
    let mut world = World::small();
    for (name, text) in JOBS {
        world.write(&format!("jobs/{name}"), text);
    }
    let jobs = world.home().join("jobs").display().to_string();
    world.set("AWSIDEMAN_JOBS_DIR", &jobs).set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    world
}

fn user(world: &World) -> String {
    let users = world.run(["user", "list", "--no-cache", "--json"]).ok().json();
    users[0]["UserName"].as_str().unwrap().to_owned()
}

fn change(world: &World, name: &str, to: &str) {
    world.run(["user", "update", name, "--display-name", to]).ok();
}

fn shown(world: &World, name: &str) -> Value {
    world.run(["user", "get", name, "--json"]).ok().json()["DisplayName"].clone()
}

/// Whether a second read of a user needs no call to AWS.
fn is_cached(world: &World, name: &str) -> bool {
    world.run(["user", "get", name]).ok();
    world.calls_of(|| world.run(["user", "get", name]).ok()) == 0
}

fn check(world: &World, key: &str) -> Value {
    let health = world.run(["cache", "health", "--json"]).json();
    health["checks"].as_array().unwrap().iter().find(|check| check["key"] == key).unwrap().clone()
}

#[test]
fn a_change_under_a_wrong_clock_excludes_its_keys_for_minutes_only() {
    for (offset, ahead) in WRONG {
        let mut world = world();
        let name = user(&world);
        world.later(offset);
        change(&world, &name, "Wrong Clock");
        world.later("");
        let found = check(&world, "clock");
        assert_eq!(found["level"], if ahead { "warn" } else { "ok" }, "{offset}: {found}");
        if ahead {
            assert!(found["message"].as_str().unwrap().contains("fence"), "{found}");
            assert_eq!(found["hint"], "awsideman cache clear --all");
            world.run(["doctor"]).stdout_has("while the clock was ahead");
        }
        assert_eq!(shown(&world, &name), "Wrong Clock", "{offset}");
        assert_eq!(check(&world, "clock")["level"], "ok", "{offset}: the live read dates the fences");
        world.later("6m");
        assert!(is_cached(&world, &name), "{offset}");
        assert_eq!(shown(&world, &name), "Wrong Clock", "{offset}");
    }
}

#[test]
fn clear_and_recover_shorten_only_the_fences_of_a_wrong_clock() {
    for words in ["cache clear --all --yes", "cache recover"] {
        let mut world = world();
        let name = user(&world);
        world.later("3650d");
        change(&world, &name, "Wrong Clock");
        world.later("");
        world.run(words.split(' ')).ok();
        assert_eq!(check(&world, "clock")["level"], "ok", "{words}");
        world.later("6m");
        assert!(is_cached(&world, &name), "{words}");

        // The regular fence of a change that was made a moment ago.
        change(&world, &name, "Right Clock");
        world.run(words.split(' ')).ok();
        assert!(!is_cached(&world, &name), "{words} ended a regular fence");
        assert_eq!(shown(&world, &name), "Right Clock");
    }
}

#[test]
fn an_entry_of_a_wrong_clock_is_not_served_and_is_replaced() {
    for (offset, ahead) in WRONG {
        let mut world = world();
        let name = user(&world);
        world.later(offset);
        world.run(["user", "list"]).ok();
        world.later("");
        let calls = world.calls_of(|| world.run(["user", "list"]).ok());
        assert!(calls > 0, "{offset}: ahead {ahead}");
        assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0, "{offset}");
        assert!(is_cached(&world, &name), "{offset}");
    }
}

#[test]
fn a_disabling_of_a_wrong_clock_holds_for_its_own_length() {
    for (offset, ahead) in WRONG {
        let mut world = world();
        world.later(offset);
        world.run(["cache", "disable", "--for", "30m", "--reason", "INC-7"]).ok();
        world.later("");
        assert_eq!(world.status()["enabled"], !ahead, "{offset}");
        world.later("20m");
        assert_eq!(world.status()["enabled"], !ahead, "{offset}");
        world.later("31m");
        assert_eq!(world.status()["enabled"], true, "{offset}");
    }
}

#[test]
fn a_pause_of_a_wrong_clock_holds_for_its_own_length() {
    for (offset, ahead) in WRONG {
        let mut world = world();
        world.later(offset);
        world.run(["jobs", "pause", "--for", "2h"]).ok();
        world.later("");
        let skipped = |world: &World| {
            let runs = world.run(["jobs", "run", "clean", "--json"]).ok().json();
            runs["runs"][0]["outcome"] == "skipped"
        };
        assert_eq!(skipped(&world), ahead, "{offset}");
        world.later("119m");
        assert_eq!(skipped(&world), ahead, "{offset}");
        world.later("121m");
        assert!(!skipped(&world), "{offset}");
        // And the one command that ends it.
        world.later(offset).run(["jobs", "pause", "--for", "2h"]).ok();
        world.later("");
        world.run(["jobs", "resume"]).ok();
        assert!(!skipped(&world), "{offset}");
    }
}

#[test]
fn a_silence_of_a_wrong_clock_holds_for_its_own_length() {
    for (offset, ahead) in WRONG {
        let mut world = world();
        world.later(offset);
        world.run(["alerts", "silence", "hit_rate", "--for", "2h", "--reason", "patch day"]).ok();
        world.later("");
        let silences = |world: &World| {
            let alerts = world.run(["alerts", "list", "--json"]).ok().json();
            alerts["silences"].as_array().unwrap().len()
        };
        assert_eq!(silences(&world), usize::from(ahead), "{offset}");
        world.write("jobs/30-health.toml", "name = \"health\"\nkind = \"health-check\"\nevery = \"1h\"\n");
        world.run(["jobs", "run", "health"]);
        world.later("3h");
        assert_eq!(silences(&world), 0, "{offset}");
    }
}

#[test]
fn a_job_that_ran_under_a_wrong_clock_runs_again() {
    for (offset, _) in WRONG {
        let mut world = world();
        world.run(["jobs", "run"]).ok();
        world.later(offset);
        world.run(["jobs", "run", "--all"]).ok();
        world.run(["jobs", "run"]).ok();
        let ran = |world: &World| {
            let runs = world.run(["jobs", "run", "--json"]).ok().json();
            let named = |name| runs["runs"].as_array().unwrap().iter().any(|run| run["job"] == name);
            [named("clean"), named("nightly")]
        };
        world.later("");
        ran(&world);
        // One period of each later, with some room.
        world.later("62m");
        let first = ran(&world);
        world.later("124m");
        let second = ran(&world);
        assert!(first[0] && second[0], "{offset}: clean ran {first:?} {second:?}");
        assert!(first[1] || second[1], "{offset}: nightly ran {first:?} {second:?}");
        for words in ["jobs list", "jobs history", "jobs logs clean", "cache status", "doctor"] {
            let ran = world.run(words.split(' '));
            assert!(!ran.stderr.contains("panicked"), "{ran:?}");
        }
        world.later("");
        let jobs = world.run(["jobs", "list"]).ok();
        assert!(!jobs.stdout.contains("ago in the future"), "{jobs:?}");
    }
}

#[test]
fn throttles_and_failures_of_a_wrong_clock_slow_no_right_one() {
    for (offset, _) in WRONG {
        let mut world = world();
        world.later(offset);
        world.faults(|faults| faults.throttle_every = 1);
        world.run(["user", "list", "--no-cache"]).code(13);
        world.faults(|_| ());
        world.later("");
        world.run(["user", "list"]).ok();
        assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0, "{offset}");
    }
}
