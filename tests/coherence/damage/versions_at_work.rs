//! Two versions at work on one host at once: one reads while the other clears, recovers, limits or switches off, a daemon
//! of the one runs beside the other, one is killed, and both want to run the same job.
//!
//! Calls are held in the sandbox until a test lets them go, and who reads in a loop is done when the other is; each
//! is tried in the place of the other.

use super::next_binary::{BOTH, Version};
use crate::daemon::{Daemon, PATIENCE};
use crate::world::{Ran, World};
use awsideman::sandbox::Rule;
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

const READ: &str = "user list --json";

/// A world with one job, and what a list of its people shows.
fn world(every: &str) -> (World, String) {
    let mut world = World::small();
    let job = format!("name = \"warm\"\nkind = \"warm\"\nevery = \"{every}\"\n[warm]\nresources = [\"users\"]\n");
    let file = world.write("jobs/10-warm.toml", &job);
    world.set("AWSIDEMAN_JOBS_DIR", file.parent().unwrap().to_str().unwrap());
    let list = Version::This.run(&world, READ).ok().stdout;
    assert_eq!(Version::Next.run(&world, READ).ok().stdout, list);
    (world, list)
}

fn start(command: &mut Command) -> Child {
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(words: &str, child: Child) -> Ran {
    Ran::of(words.to_owned(), &child.wait_with_output().unwrap())
}

#[test]
fn whatever_one_version_does_the_other_keeps_reading_the_truth() {
    let (world, list) = world("1h");
    let (over, reads) = (AtomicBool::new(false), AtomicU64::new(0));
    let read = |version: Version| {
        while !over.load(Ordering::SeqCst) {
            let ran = version.run(&world, READ).ok();
            assert_eq!(ran.stdout, list, "{version:?} showed another list");
            let switched_off =
                ran.stderr.lines().all(|line| line.contains("disabled") || line.contains("cache enable"));
            assert!(switched_off, "{ran:?}");
            reads.fetch_add(1, Ordering::SeqCst);
        }
    };
    let read = &read;
    std::thread::scope(|scope| {
        for (version, _) in BOTH {
            scope.spawn(move || read(version));
        }
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            for (version, other) in BOTH {
                for words in [
                    "cache warm users",
                    "cache clear",
                    "cache recover",
                    "cache enforce-limits",
                    "cache cleanup",
                    "cache disable --for 1h",
                    "cache enable",
                ] {
                    let seen = reads.load(Ordering::SeqCst);
                    let mut command = version.command(&world, words);
                    let ran = command.env("AWSIDEMAN_CACHE_MAX_ENTRIES", "20").output().unwrap();
                    Ran::of(format!("({version:?}) awsideman {words}"), &ran).ok();
                    let end = Instant::now() + PATIENCE;
                    while reads.load(Ordering::SeqCst) < seen + 3 {
                        assert!(Instant::now() < end, "nobody reads beside `{words}`");
                        std::thread::yield_now();
                    }
                }
                other.run(&world, "cache check --full").ok();
            }
        }));
        over.store(true, Ordering::SeqCst);
        if let Err(panic) = done {
            std::panic::resume_unwind(panic);
        }
    });
    for (version, _) in BOTH {
        for words in ["cache health", "cache check --full"] {
            version.run(&world, words).ok();
        }
        assert_eq!(version.run(&world, "cache status --json").ok().silent().json()["error_count"], 0);
    }
}

#[test]
fn a_daemon_of_one_version_learns_of_changes_by_the_other() {
    for (daemons, other) in BOTH {
        let (world, list) = world("1s");
        let daemon = Daemon::start(daemons.command(&world, "jobs daemon"));
        daemon.hear("warm: done");
        for _ in 0..3 {
            assert_eq!(other.run(&world, &format!("{READ} --cache-only")).ok().silent().stdout, list);
        }
        let name = other.run(&world, READ).ok().json()[3]["UserName"].as_str().unwrap().to_owned();
        other.run(&world, &format!("user update {name} --display-name Changed")).ok();
        let warmed = daemon.hear("warm: done");
        for version in [daemons, other] {
            let user = version.run(&world, &format!("user get {name} --json")).ok().silent().json();
            assert_eq!(user["DisplayName"], "Changed", "{version:?}");
            version.run(&world, READ).ok().silent().stdout_has("Changed");
        }
        assert!(warmed.iter().all(|line| line.contains("warm: ")), "{warmed:#?}");
        let kill = Command::new("kill").args(["-TERM", &daemon.child().id().to_string()]).status().unwrap();
        assert!(kill.success());
        let rest = daemon.hear("the daemon ends");
        assert!(rest.iter().all(|line| !line.contains("rror") && !line.contains("schema")), "{rest:#?}");
        assert!(daemon.ended().success());
        for version in [daemons, other] {
            version.run(&world, "cache check --full").ok();
            assert_eq!(version.run(&world, "cache status --json").ok().silent().json()["error_count"], 0);
        }
    }
}

#[test]
fn of_two_runners_of_different_versions_one_runs_a_job() {
    for (version, other) in BOTH {
        let (mut world, _) = world("1h");
        world.set("AWSIDEMAN_CACHE_TTL_USER_LIST", "1s").later("1m");
        world.faults(|faults| faults.hold = vec![Rule::nth(1, "ListUsers")]);
        let holder = start(&mut version.command(&world, "jobs run"));
        assert!(world.wait_for_held(1, PATIENCE), "{version:?} is in the middle of its work");
        assert!(other.run(&world, "jobs run").ok().silent().stdout.is_empty());
        other.run(&world, "jobs run warm").ok().stdout_has("skipped").stdout_has("held by pid");
        assert_eq!(world.sandbox().waiting().len(), 1, "nobody else has begun");
        world.release();
        assert!(ended("jobs run", holder).ok().silent().stdout.is_empty());
        assert!(other.run(&world, "jobs run").ok().silent().stdout.is_empty(), "nothing is due any more");
        let both = [version, other].map(|version| start(&mut version.command(&world, "jobs run warm --wait")));
        for run in both {
            ended("jobs run warm --wait", run).ok();
        }
        for asked in [version, other] {
            let runs = asked.run(&world, "jobs history --json").ok().json()["runs"].as_array().unwrap().clone();
            let text = |run: &Value, name: &str| run[name].as_str().unwrap_or_default().to_owned();
            let mut done: Vec<(String, String)> = runs
                .iter()
                .filter(|run| run["outcome"] == "done")
                .map(|run| (text(run, "started_at"), text(run, "ended_at")))
                .collect();
            done.sort();
            assert_eq!(done.len(), 3, "{runs:#?}");
            assert!(done.windows(2).all(|pair| pair[0].1 <= pair[1].0), "one after the other: {done:#?}");
        }
    }
}

#[test]
fn a_warm_killed_halfway_leaves_the_other_version_unchanged() {
    for (version, other) in BOTH {
        let (world, list) = world("1h");
        version.run(&world, "cache clear").ok();
        other.run(&world, READ).ok();
        world.faults(|faults| faults.hold = vec![Rule::nth(2, "DescribePermissionSet")]);
        let mut process = start(&mut version.command(&world, "cache warm"));
        assert!(world.wait_for_held(1, PATIENCE), "a part is stored, the rest is still to come");
        process.kill().unwrap();
        process.wait().unwrap();
        world.release();
        let before = world.calls().total;
        assert_eq!(other.run(&world, READ).ok().silent().stdout, list);
        assert_eq!(world.calls().total, before, "what {other:?} keeps was dropped");
        for version in [other, version] {
            version.run(&world, "cache warm").ok();
            version.run(&world, "cache check --full").ok();
            let calls = world.calls_of(|| assert_eq!(version.run(&world, READ).ok().silent().stdout, list));
            assert_eq!(calls, 0, "{version:?}");
        }
    }
}
