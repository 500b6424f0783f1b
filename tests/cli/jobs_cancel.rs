//! A run in another process: its progress, canceling it, and the report if it hangs.

use crate::daemon::PATIENCE;
use crate::world::{Ran, World};
use awsideman::sandbox::Rule;
use serde_json::Value;
use std::process::{Child, Command, Stdio};

const WARM: &str =
    "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\ntimeout = \"1m\"\n[warm]\nresources = [\"users\"]\n";

/// A warm that is in the middle of its first call.
fn running() -> (World, Child) {
    let mut world = World::small();
    let file = world.write("jobs/10-warm.toml", WARM);
    world.set("AWSIDEMAN_JOBS_DIR", file.parent().unwrap().to_str().unwrap()).set("AWSIDEMAN_JOBS_GRACE", "0");
    world.faults(|faults| faults.hold = vec![Rule::nth(1, "ListUsers")]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
    command.args(["jobs", "run", "warm"]);
    world.apply(&mut command);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(world.sandbox().wait_for_held(1, PATIENCE), "the warm is in the middle of its work");
    (world, child)
}

fn newest(world: &World) -> Value {
    world.run(["jobs", "logs", "warm", "-n", "1", "--json"]).ok().json()["runs"][0].clone()
}

fn signal(child: &Child, which: &str) {
    assert!(Command::new("kill").args([which, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn a_running_job_shows_its_progress_and_another_process_cancels_it() {
    let (world, child) = running();
    // It is published about once a second.
    let live = loop {
        let live = newest(&world)["live"].clone();
        if live["calls"] != 0 && !live["waits_for"].is_null() {
            break live;
        }
    };
    assert!(live["waits_for"].as_str().unwrap().starts_with("AWS, "), "{live}");
    let shown = world.run(["jobs", "logs", "warm"]).ok();
    let shown =
        shown.stdout_has("warm: running").stdout_has("Since").stdout_has("Calls so far").stdout_has("Waits for");
    shown.stdout_has("awsideman jobs cancel warm");
    world.run(["jobs", "cancel", "warm"]).ok().stdout_has("warm: cancelled, cancelled by ");
    let ended = Ran::of("jobs run warm".into(), &child.wait_with_output().unwrap());
    ended.code(130).stdout_has("cancelled by ");
    assert_eq!(newest(&world)["outcome"], "cancelled");
    world.run(["jobs", "cancel", "warm"]).ok().stdout_has("warm is not running: nothing to cancel");
    world.run(["jobs", "cancel", "wram"]).code(2).stderr_has("did you mean `warm`?");
    world.faults(|faults| faults.hold = Vec::new());
    // Nothing of the request is left for the next run.
    world.run(["jobs", "run", "warm"]).ok().stdout_has("done");
}

#[test]
fn a_hung_process_is_named_past_its_timeout_and_ends_on_waking() {
    let (mut world, child) = running();
    signal(&child, "-STOP");
    let stuck = world.run(["jobs", "cancel", "warm", "--json"]).code(1);
    let run = &stuck.json()["runs"][0];
    assert!(
        run["outcome"].is_null() && run["reason"].as_str().unwrap().contains("it is stopped: `kill -CONT"),
        "{run}"
    );
    assert_eq!((&run["pid"], &run["kill"]), (&child.id().into(), &child.id().into()), "{run}");
    world.later("5m");
    let listed = world.run(["jobs", "list"]).ok();
    let listed = listed.stdout_has("past its timeout of 1m").stdout_has("awsideman jobs cancel warm");
    let remedy = format!("`kill -CONT {}`", child.id());
    listed.stdout_has(&format!("it is stopped: {remedy}"));
    world.run(["jobs", "logs", "warm"]).ok().stdout_has(&remedy);
    let health = world.run(["cache", "health", "--json"]);
    let health = health.code(6).json();
    let check = health["checks"].as_array().unwrap().iter().find(|check| check["key"] == "stuck_jobs").unwrap().clone();
    assert_eq!(
        (&check["level"], &check["hint"]),
        (&"critical".into(), &"awsideman jobs cancel warm".into()),
        "{check}"
    );
    assert!(check["message"].as_str().unwrap().contains("its timeout is 1m: pid "), "{check}");
    world.later("0");
    signal(&child, "-CONT");
    let ended = Ran::of("jobs run warm".into(), &child.wait_with_output().unwrap());
    ended.code(130).stdout_has("cancelled by ");
}
