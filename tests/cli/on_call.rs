//! Reports for the person on call: commands that can be copied, and no figure that was not read.

use crate::daemon::Daemon;
use crate::world::{Ran, World};
use serde_json::Value;
use std::path::PathBuf;

const HEALTH: &str = "name = \"health\"\nkind = \"health-check\"\nevery = \"1h\"\n";

fn damage(path: PathBuf) {
    std::fs::write(path, "this is not a database, and is long enough to be read as one".repeat(100)).unwrap();
}

fn check<'a>(health: &'a Value, key: &str) -> &'a Value {
    health["checks"].as_array().unwrap().iter().find(|check| check["key"] == key).unwrap()
}

/// A configuration file of its own, whose alerts are kept in a file as a receiver gets them.
fn alerting(world: &World) -> (PathBuf, PathBuf) {
    let received = world.beside("alert.json");
    let text = format!(
        "[jobs]\ndir = {:?}\n[alerts]\nhold = \"0s\"\n[alerts.command]\nenabled = true\nargv = [\"sh\", \"-c\", {:?}]\n",
        world.home().join("jobs").display().to_string(),
        format!("cat > {}", received.display())
    );
    (world.write("other/awsideman.toml", &text), received)
}

#[test]
fn commands_in_alerts_use_the_runner_configuration_and_the_job_account() {
    let world = World::small();
    let warm =
        "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\nprofiles = [\"prod\"]\n[warm]\nresources = [\"users\"]\n";
    world.write("jobs/10-warm.toml", warm);
    world.write("jobs/20-health.toml", HEALTH);
    world.write(".aws/config", "[profile prod]\naws_access_key_id = AKIAFIRST\naws_secret_access_key = secret\n");
    world.run(["user", "list"]).ok();
    let live = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    damage(world.cache_dir().join(live.trim()));
    let (config, received) = alerting(&world);
    let flag = format!("--config {}", config.display());
    // Relative, as somebody types it.
    let ran = world.run(["--config", "other/awsideman.toml", "jobs", "run", "--all"]);
    let document: Value = serde_json::from_slice(&std::fs::read(&received).unwrap_or_default())
        .unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    let next = |key: &str| {
        let alerts = document["alerts"].as_array().unwrap();
        let found = alerts.iter().find(|alert| alert["key"] == key).unwrap_or_else(|| panic!("{key}: {document:#}"));
        found["next"].as_str().unwrap().to_owned()
    };
    assert_eq!(next("store"), format!("awsideman {flag} cache recover"));
    assert!(next("job:warm@prod").starts_with(&format!("awsideman {flag} --profile prod ")), "{document:#}");
    let text = document["text"].as_str().unwrap();
    assert!(text.contains(&format!("More: awsideman {flag} cache health")), "{text}");
    for check in document["checks"].as_array().unwrap() {
        let hint = check["hint"].as_str().unwrap();
        assert!(!hint.starts_with("awsideman ") || hint.contains(&flag), "{check}");
    }
    // A command of an alert that is read back is not given the same flags twice.
    let listed = world.run(["--config", "other/awsideman.toml", "alerts", "list"]).ok();
    assert!(!listed.stdout.contains("--config other"), "{listed:?}");
}

#[test]
fn the_log_of_a_warm_has_its_targets_as_a_table() {
    let world = World::small();
    let warm = "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\n[warm]\nresources = [\"users\", \"groups\"]\n";
    let jobs = world.write("jobs/10-warm.toml", warm).parent().unwrap().display().to_string();
    world.configure(&format!("[jobs]\ndir = {jobs:?}\n"));
    world.run(["jobs", "run", "warm"]).ok();
    let shown = world.run(["jobs", "logs", "warm"]).ok();
    let shown = shown.shows("Target Outcome Items Fetched Fresh Since the last").shows("users done 20 1 0 first");
    shown.shows("groups done 3 1 0 first").stdout_lacks("{\"").stdout_lacks("not_kept");
}

#[test]
fn a_pattern_that_matches_nothing_is_not_reported_as_verified() {
    let world = World::small();
    world.run(["cache", "warm", "users"]).ok();
    let none = world.run(["cache", "verify", "--pattern", "usr:*"]).code(5).stdout_lacks("Compared");
    none.stderr_has("no stored entry matches `usr:*`: nothing was compared").stderr_has("did you mean `user:*`?");
    world.run(["cache", "verify", "--pattern", "user:list:*"]).ok().stdout_has("Compared 1 entry");
}

#[test]
fn with_a_damaged_state_database_no_check_that_reads_it_passes() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    world.run(["cache", "health"]).ok();
    let state = world.state_dir().join("state.db");
    world.run(["jobs", "list"]).ok();
    for side in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{side}", state.display()));
    }
    damage(state);
    let health = world.run(["cache", "health", "--json"]).code(6).json();
    assert_eq!(check(&health, "state")["level"], "critical", "{health:#}");
    for key in ["jobs", "stuck_jobs", "aws", "throttles", "hit_rate", "error_rate"] {
        assert_eq!(check(&health, key)["message"], "unknown: state.db is damaged", "{key}");
    }
    let status = world.run(["cache", "status"]).ok().shows("Hit rate: unknown: the state database cannot be read");
    status.shows("Throttle: unknown: ...").shows("Entries: ... of ...");
    let status = world.run(["cache", "status", "--json"]).ok().json();
    assert_eq!((&status["statistics_readable"], &status["readable"]), (&false.into(), &true.into()));
}

#[test]
fn with_a_damaged_cache_database_the_entries_are_unknown_and_not_0() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let live = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    damage(world.cache_dir().join(live.trim()));
    world.run(["cache", "status"]).ok().shows("Entries: unknown: ...").shows("Evicts: unknown");
    let status = world.run(["cache", "status", "--json"]).ok().json();
    assert_eq!((&status["readable"], &status["total_entries"]), (&false.into(), &0.into()));
    assert!(status["error"].as_str().unwrap().contains("not a database"), "{status:#}");
    let health = world.run(["cache", "health", "--json"]).code(6).json();
    for key in ["size", "oldest", "limits"] {
        assert_eq!(check(&health, key)["message"], "unknown: the cache database is damaged", "{key}");
    }
}

#[test]
fn a_daemon_starts_without_a_broken_job_file_and_keeps_good_versions() {
    let world = World::small();
    let cleanup = "name = \"tidy\"\nkind = \"cleanup\"\nevery = \"1h\"\n";
    let jobs = world.write("jobs/10-tidy.toml", cleanup).parent().unwrap().display().to_string();
    world.write("jobs/20-broken.toml", "name = \"broken\"\nkind = \"polish\"\n");
    world.configure(&format!("[jobs]\ndir = {jobs:?}\n"));
    let daemon = Daemon::start(world.command(["jobs", "daemon"]));
    let warning = daemon.line("the file of the job `broken` is broken");
    assert!(warning.contains("it does not run until SIGHUP finds it fixed") && warning.contains("polish"), "{warning}");
    daemon.line("tidy: done");
    world.write("jobs/20-broken.toml", "name = \"broken\"\nkind = \"cleanup\"\nevery = \"1h\"\n");
    reload(&daemon);
    daemon.line("broken: done");
    world.write("jobs/10-tidy.toml", "name = \"tidy\"\nkind = \"polish\"\n");
    reload(&daemon);
    let kept = daemon.line("the file of the job `tidy` is broken");
    assert!(kept.contains("its last good version is in use"), "{kept}");
    let failed = history(&world, "broken").into_iter().find(|run| run["outcome"] == "failed");
    assert!(failed.is_some_and(|run| run["kind"] == "misconfigured"));
    assert!(history(&world, "tidy").iter().all(|run| run["outcome"] == "done"));
}

fn reload(daemon: &Daemon) {
    let pid = rustix::process::Pid::from_child(daemon.child());
    rustix::process::kill_process(pid, rustix::process::Signal::HUP).unwrap();
}

fn history(world: &World, job: &str) -> Vec<Value> {
    let ran: Ran = world.run(["jobs", "history", job, "--json"]).ok();
    ran.json()["runs"].as_array().unwrap().clone()
}
