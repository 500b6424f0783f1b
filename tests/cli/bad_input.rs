//! What is wrong is named: file, key and remedy; the run ends with 2 and nothing has changed. What is typed at night
//! works all the same.

use crate::world::World;

/// A configuration that is wrong, and what must be said about it.
const CONFIGURATIONS: &[(&str, &str, &[&str])] = &[
    ("an unknown key", "[cache]\nmaxsize_mb = 200\n", &["config.toml:2", "cache.maxsize_mb", "`cache.max_size_mb`"]),
    ("an unknown table", "[cahce]\nbackend = \"disk\"\n", &["config.toml", "cahce", "`cache`"]),
    ("a wrong type", "[cache]\ncompression = \"maybe\"\n", &["config.toml:2", "cache.compression", "true"]),
    ("a wrong duration", "[cache]\ndefault_ttl = \"soon\"\n", &["config.toml:2", "cache.default_ttl", "15m"]),
    ("a wrong word", "[cache]\nbackend = \"floppy\"\n", &["config.toml:2", "cache.backend", "disk"]),
    ("no TOML", "[cache]\nbackend = = \"disk\"\n", &["config.toml:2", "not TOML"]),
];

/// A job file that is wrong, and what must be said about it.
const JOBS: &[(&str, &str, &[&str])] = &[
    (
        "a bad cron expression",
        "name = \"tidy\"\nkind = \"cleanup\"\nschedule = \"61 * * * *\"\n",
        &["20-bad.toml:3", "schedule", "5 fields"],
    ),
    (
        "an unknown kind",
        "name = \"tidy\"\nkind = \"clenup\"\nevery = \"1h\"\n",
        &["20-bad.toml:2", "kind", "`cleanup`"],
    ),
    (
        "a duplicate job",
        "name = \"limits\"\nkind = \"cleanup\"\nevery = \"1h\"\n",
        &["20-bad.toml", "name", "10-good.toml", "another name"],
    ),
    (
        "a wrong duration",
        "name = \"tidy\"\nkind = \"cleanup\"\nevery = \"hourly\"\n",
        &["20-bad.toml:3", "every", "15m"],
    ),
    ("an unknown key", "name = \"tidy\"\nkind = \"cleanup\"\nevry = \"1h\"\n", &["20-bad.toml:3", "evry", "`every`"]),
];

/// What works whatever the configuration looks like.
const EMERGENCY: &[&str] = &[
    "cache status",
    "cache status --json",
    "cache disable --for 1h",
    "cache enable",
    "cache health",
    "cache clear",
    "cache recover",
    "cache path",
    "config path",
];

#[test]
fn a_wrong_configuration_is_reported_by_file_key_and_remedy() {
    for (what, text, told) in CONFIGURATIONS {
        let world = World::small();
        world.run(["user", "list"]).ok();
        world.configure(text);
        let before = world.tree();
        for words in [&["user", "list"][..], &["cache", "warm"], &["jobs", "run", "--all"], &["config", "validate"]] {
            let ran = world.run(words.iter().copied()).code(2);
            told.iter().fold(ran, |ran, part| ran.says(part));
        }
        assert!(world.tree() == before, "{what} changed something");
    }
}

#[test]
fn a_variable_that_is_wrong_is_told_by_its_name() {
    for (name, value, told) in [
        ("AWSIDEMAN_CACHE_MAXSIZE_MB", "200", "AWSIDEMAN_CACHE_MAX_SIZE_MB"),
        ("AWSIDEMAN_CACHE_MAX_SIZE_MB", "much", "MB"),
        ("AWSIDEMAN_CACHE_BACKEND", "floppy", "memory"),
        ("AWSIDEMAN_CACHE_DEFAULT_TTL", "soon", "15m"),
    ] {
        let mut world = World::small();
        let before = world.tree();
        world.set(name, value);
        world.run(["user", "list"]).code(2).stderr_has(name).stderr_has(told);
        assert!(world.tree() == before, "{name}={value} changed something");
        world.run(["cache", "status"]).ok().stderr_has(name);
    }
}

#[test]
fn a_switch_that_would_end_at_once_is_refused() {
    let world = World::small();
    let before = world.tree();
    world.run(["cache", "disable", "--for", "0"]).code(2).stderr_has("--for").stderr_has("30m");
    assert!(world.tree() == before);
}

#[test]
fn a_warm_that_reached_nobody_ends_as_a_read_does() {
    let mut world = World::small();
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:9");
    world.run(["user", "list"]).code(13);
    world.run(["cache", "warm", "users", "groups"]).code(13).stderr_has("check network").stdout_has("stopped");
}

#[test]
fn a_place_that_cannot_be_written_is_named_as_it_was_typed() {
    let world = World::small();
    let ran =
        world.run(["user", "list", "--out", "nowhere/users.csv"]).code(1).stderr_has("nowhere/users.csv: No such");
    assert!(!ran.stderr.contains(".awsideman-out-"), "{}", ran.stderr);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let world = World::small();
    let path = world.write(".config/awsideman/config.toml/a-folder-in-its-place", "");
    let folder = path.parent().unwrap().display().to_string();
    let before = world.tree();
    world.run(["user", "list"]).code(2).stderr_has(&folder);
    assert!(world.tree() == before);
    world.run(["cache", "status"]).ok().stderr_has(&folder);
    let world = World::small();
    world.run(["user", "list", "--config", "nowhere.toml"]).code(2).stderr_has("nowhere.toml").stderr_has("hint: ");
    world.run(["cache", "status", "--config", "nowhere.toml"]).ok().stderr_has("nowhere.toml");
    let world = World::small();
    let path = world.configure("");
    std::fs::write(&path, b"region = \"\xff\xfe\"\n").unwrap();
    world.run(["user", "list"]).code(2).stderr_has(&path.display().to_string());
}

#[test]
fn a_wrong_job_is_reported_with_its_remedy_and_stops_no_other() {
    for (what, text, told) in JOBS {
        let world = World::small();
        let good = world.write("jobs/10-good.toml", "name = \"limits\"\nkind = \"enforce-limits\"\nevery = \"1h\"\n");
        world.write("jobs/20-bad.toml", text);
        world.configure(&format!("[jobs]\ndir = \"{}\"\n", good.parent().unwrap().display()));
        let before = world.tree();
        let ran = world.run(["jobs", "validate"]).code(2);
        told.iter().fold(ran, |ran, part| ran.says(part));
        assert!(world.tree() == before, "{what} changed something");
        let ran = world.run(["jobs", "list"]).ok().stdout_has("limits");
        told.iter().fold(ran, |ran, part| ran.says(part));
        // A run goes on beside it: the sound job does its work, and the broken one is a failure with its reason.
        for words in [&["jobs", "run"][..], &["jobs", "run", "--all"]] {
            let ran = world.run(words.iter().copied()).code(2);
            told.iter().fold(ran, |ran, part| ran.says(part));
        }
        world.run(["jobs", "run", "limits"]).stdout_has("limits  done ");
        world.run(["cache", "status"]).ok();
        world.run(["user", "list"]).ok();
    }
}

#[test]
fn emergency_commands_work_with_a_broken_configuration_and_report_what_is_wrong() {
    for (what, text, told) in CONFIGURATIONS {
        let world = World::small();
        world.run(["user", "list"]).ok();
        world.configure(text);
        for words in EMERGENCY {
            let ran = world.run(words.split(' ')).ok();
            told.iter().fold(ran, |ran, part| ran.says(part));
        }
        let status = world.status();
        assert!(status["notices"][0].as_str().unwrap().contains(told[0]), "{what}: {status}");
    }
}

#[test]
fn emergency_commands_need_neither_credentials_nor_network() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    for name in ["AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"] {
        world.set(name, "");
    }
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    for words in EMERGENCY {
        world.run(words.split(' ')).ok();
    }
}

#[test]
fn words_that_are_no_command_end_with_2_and_change_nothing() {
    let world = World::small();
    let before = world.tree();
    for (words, told) in [
        ("user lst", "'list'"),
        ("cache clear --patern user:*", "--pattern"),
        ("user list --limit many", "many"),
        ("user list --max-age soon", "soon"),
        ("cache warm flowers", "memberships"),
        ("cache disable --for ever", "ever"),
        ("user list --no-cache --cache-only", "--cache-only"),
        ("user list --json --output csv", "--output"),
    ] {
        world.run(words.split(' ')).code(2).stderr_has(told);
    }
    assert!(world.tree() == before);
    assert_eq!(world.calls().total, 0);
}
