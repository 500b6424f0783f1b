//! Several runners on one state directory: real processes, in PID namespaces of their own where that is permitted.
//!
//! Calls are held in the sandbox until a test lets them go, so nothing depends on how fast the host is.

use crate::daemon::{Daemon, PATIENCE};
use crate::world::{Ran, World};
use awsideman::sandbox::Rule;
use serde_json::Value;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

const USERS_EVERY_SECOND: &str = "name = \"warm\"\nkind = \"warm\"\nevery = \"1s\"\n[warm]\nresources = [\"users\"]\n";

/// A folder of one job, and short graces.
fn world(job: &str) -> World {
    let mut world = World::new();
    let file = world.write("jobs/10-warm.toml", job);
    world.set("AWSIDEMAN_JOBS_DIR", file.parent().unwrap().to_str().unwrap());
    world.set("AWSIDEMAN_CACHE_TTL_USER_LIST", "1s");
    world
}

/// Whether this host lets us have PID namespaces.
fn namespaces() -> bool {
    let tried =
        Command::new("unshare").args(["--pid", "--fork", "--kill-child", "true"]).stderr(Stdio::null()).status();
    tried.is_ok_and(|status| status.success())
}

/// The binary in a PID namespace of its own, where its number means nothing to others.
fn apart(world: &World, words: &str) -> Command {
    let mut command = if namespaces() {
        let mut command = Command::new("unshare");
        command.args(["--pid", "--fork", "--kill-child", env!("CARGO_BIN_EXE_awsideman")]);
        command
    } else {
        Command::new(env!("CARGO_BIN_EXE_awsideman"))
    };
    command.args(words.split(' '));
    world.apply(&mut command);
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn ended(words: &str, child: Child) -> Ran {
    Ran::of(words.to_owned(), &child.wait_with_output().unwrap())
}

fn signal(child: &Child, which: &str) {
    assert!(Command::new("kill").args([which, &child.id().to_string()]).status().unwrap().success());
}

/// To the process in its namespace: `unshare` passes no signal on.
fn inside(child: &Child, which: &str) {
    let children = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", child.id())).unwrap_or_default();
    let pid = children.split_whitespace().next().map_or_else(|| child.id().to_string(), str::to_owned);
    assert!(Command::new("kill").args([which, &pid]).status().unwrap().success());
}

fn history(world: &World) -> Vec<Value> {
    world.run("jobs history -n 500 --json".split(' ')).ok().json()["runs"].as_array().unwrap().clone()
}

fn count(runs: &[Value], outcome: &str) -> usize {
    runs.iter().filter(|run| run["outcome"] == outcome).count()
}

#[test]
fn runs_a_daemon_and_a_killed_holder_never_run_a_job_twice() {
    let world = world(USERS_EVERY_SECOND);
    world.faults(|faults| faults.hold = vec![Rule::nth(1, "ListUsers")]);
    let mut holder = apart(&world, "jobs run").spawn().unwrap();
    assert!(world.sandbox().wait_for_held(1, PATIENCE), "the holder is in the middle of its work");

    let daemon = Daemon::start(apart(&world, "jobs daemon"));
    assert!(daemon.line("warm: skipped").contains("held by pid"));
    let other = ended("jobs run", apart(&world, "jobs run").spawn().unwrap()).ok().silent();
    assert!(other.stdout.is_empty());
    let asked = ended("jobs run warm", apart(&world, "jobs run warm").spawn().unwrap()).ok();
    asked.stdout_has("skipped").stdout_has("held by pid");
    assert_eq!(world.sandbox().waiting().len(), 1, "nobody else has begun");

    signal(&holder, "-KILL");
    holder.wait().unwrap();
    assert!(daemon.line("warm: crashed").contains(") died after"));
    assert!(daemon.line("warm: done").contains("300 users"));

    for _ in 0..3 {
        let both: Vec<Child> = (0..2).map(|_| apart(&world, "jobs run").spawn().unwrap()).collect();
        for run in both {
            ended("jobs run", run).ok().silent();
        }
    }
    inside(daemon.child(), "-TERM");
    daemon.line("the daemon ends");
    daemon.ended();
    let runs = history(&world);
    assert_eq!(count(&runs, "crashed"), 1, "{runs:#?}");
    let time = |run: &Value, name: &str| run[name].as_str().unwrap_or_default().to_owned();
    let mut done: Vec<(String, String)> = runs
        .iter()
        .filter(|run| run["outcome"] == "done" || run["outcome"] == "crashed")
        .map(|run| (time(run, "started_at"), time(run, "ended_at")))
        .collect();
    done.sort();
    assert!(done.len() > 1 && done.windows(2).all(|pair| pair[0].1 <= pair[1].0), "one after the other: {done:#?}");
    let list = world.run(["jobs", "list", "--json"]).ok().json();
    assert!(list["jobs"][0]["running"].is_null(), "{list}");
}

#[test]
fn a_run_that_waits_for_a_job_elsewhere_runs_it_afterwards() {
    let world = world(&USERS_EVERY_SECOND.replace("1s", "1h"));
    world.faults(|faults| faults.hold = vec![Rule::nth(1, "ListUsers")]);
    let holder = apart(&world, "jobs run").spawn().unwrap();
    assert!(world.sandbox().wait_for_held(1, PATIENCE));
    let waiting = apart(&world, "jobs run warm --wait --output json").spawn().unwrap();
    let another = apart(&world, "jobs run warm --wait --output json").spawn().unwrap();
    // Both wait by the lock of the one who waits; the holder goes on when it is let go.
    let queue = world.state_dir().join("locks/warm.next");
    let end = Instant::now() + PATIENCE;
    while std::fs::read(&queue).is_ok_and(|words| words.is_empty()) || !queue.exists() {
        assert!(Instant::now() < end, "nobody waits");
        std::thread::yield_now();
    }
    world.sandbox().release("*", None);
    assert!(ended("jobs run", holder).ok().silent().stdout.is_empty());
    for run in [waiting, another] {
        let found = ended("jobs run warm --wait", run).ok().json();
        assert_eq!((&found["runs"][0]["outcome"], found["runs"].as_array().unwrap().len()), (&"done".into(), 1));
    }
    assert_eq!(count(&history(&world), "done"), 3);
}

#[test]
fn sigterm_during_a_warm_stores_nothing_partial_and_keeps_the_occurrence_due() {
    let world = world(&USERS_EVERY_SECOND.replace("1s", "1h"));
    world.faults(|faults| faults.hold = vec![Rule::nth(2, "ListUsers")]);
    let mut run = world.command(["jobs", "run"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(world.sandbox().wait_for_held(1, PATIENCE), "one page of three is read");
    signal(&run, "-TERM");
    run.wait().unwrap();
    let ran = ended("jobs run", run).code(130);
    // What happened to the run, and then why the command ends with 130 and what to do.
    assert_eq!((ran.stdout.as_str(), ran.stderr.lines().count()), ("", 3), "{ran:?}");
    assert!(ran.stderr.starts_with("warm: cancelled, stopped, because awsideman is shutting down"), "{ran:?}");
    world.sandbox().release("*", None);
    world.run(["user", "list", "--cache-only"]).code(10);
    // Each user of the page that was read is whole, by id and by name; the list is not there in part.
    // Beside them: the instance, and that a warm was begun.
    assert_eq!(world.status()["total_entries"].as_u64().unwrap(), 2 + 2 * 100);

    let runs = history(&world);
    assert_eq!((runs.len(), count(&runs, "cancelled"), runs[0]["exit"].as_u64()), (1, 1, Some(130)));
    assert!(runs[0]["ended_at"].is_string());
    world.run(["jobs", "run"]).ok().silent();
    let runs = history(&world);
    assert_eq!((runs.len(), runs[0]["outcome"].as_str()), (2, Some("done")), "it was still due: {runs:#?}");
    // An interval that never ran is due whenever somebody looks, so the second may stand a second later.
    let scheduled = |run: &Value| run["scheduled_at"].as_str().unwrap().to_owned();
    assert!(scheduled(&runs[0]) >= scheduled(&runs[1]), "{runs:#?}");
}

#[test]
fn a_daemon_keeps_the_last_good_version_of_a_broken_job_file() {
    let world = world(USERS_EVERY_SECOND);
    let daemon = Daemon::start(world.command(["jobs", "daemon"]));
    daemon.line("warm: done");
    world.write("jobs/10-warm.toml", "name = \"warm\"\nkind = \"wram\"\nevery = \"1s\"\n");
    signal(daemon.child(), "-HUP");
    let line = daemon.line("last good version");
    assert!(line.contains("10-warm.toml:2: kind") && line.contains("`wram`"), "{line}");
    daemon.line("warm: done");
    world.write("jobs/10-warm.toml", &USERS_EVERY_SECOND.replace("\"warm\"\nkind", "\"renamed\"\nkind"));
    signal(daemon.child(), "-HUP");
    daemon.line("reloaded the configuration");
    daemon.line("renamed: done");
    signal(daemon.child(), "-TERM");
    assert_eq!(daemon.ended().code(), Some(0));
}
