//! SIGINT and SIGTERM: every command that takes long ends with 130, one error, and the command that continues.

use crate::home::Home;
use crate::world::{Ran, World};
use awsideman::sandbox::Rule;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

const PATIENCE: Duration = Duration::from_secs(20);

fn start(world: &World, line: &str) -> Child {
    let mut command = world.command(line.split(' '));
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// The end of a process that got the signal while AWS held one of its calls.
fn interrupted(world: &World, line: &str, held: &str, signal: Signal) -> Ran {
    world.faults(|faults| faults.hold = vec![Rule::of(held)]);
    let child = start(world, line);
    assert!(world.wait_for_held(1, PATIENCE), "{line}: AWS was not asked for {held}");
    kill_process(Pid::from_child(&child), signal).unwrap();
    let ran = Ran::of(line.to_owned(), &child.wait_with_output().unwrap()).code(130);
    world.release();
    ran
}

/// The one error document on stderr.
#[track_caller]
fn error(ran: &Ran) -> Value {
    let last = ran.stderr.lines().last().unwrap_or_default();
    let document: Value = serde_json::from_str(last).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
    assert_eq!((&document["error"]["code"], &document["error"]["name"]), (&130.into(), &"interrupted".into()));
    document["error"].clone()
}

#[test]
fn every_interrupted_wait_for_aws_ends_with_the_command_to_repeat() {
    for (line, held, signal) in [
        ("user list --json", "ListUsers", Signal::INT),
        ("user get nobody@example.com --json", "GetUserId", Signal::TERM),
        ("group members Admins --json", "GetGroupId", Signal::TERM),
        ("assignment list --json", "ListAccountAssignments", Signal::INT),
        ("cache warm users --json", "ListUsers", Signal::TERM),
        ("cache warm --plan --json", "ListUsers", Signal::INT),
        ("info --refresh --json", "ListInstances", Signal::INT),
        ("doctor --json", "ListInstances", Signal::TERM),
        ("group delete Admins --yes --json", "GetGroupId", Signal::TERM),
    ] {
        let world = World::small();
        let ran = interrupted(&world, line, held, signal);
        let hint = error(&ran)["hint"].as_str().unwrap_or_default().to_owned();
        assert!(hint.contains(&format!("`awsideman {line}`")), "{line}: {hint}");
        let text = interrupted(&World::small(), &line.replace(" --json", ""), held, signal);
        let command = line.replace(" --json", "");
        text.stderr_has("error: interrupted").stderr_has(&format!("`awsideman {command}`"));
    }
}

#[test]
fn an_interrupted_comparison_of_the_cache_ends_the_same_way() {
    let world = World::small();
    world.run(["cache", "warm", "users"]).ok();
    let ran = interrupted(&world, "cache verify --pattern * --json", "ListUsers", Signal::INT);
    assert!(error(&ran)["hint"].as_str().unwrap().contains("`awsideman cache verify --pattern"));
}

#[test]
fn an_interrupted_warm_names_what_it_kept_and_the_next_continues() {
    let world = World::small();
    let line = "cache warm users groups memberships --json";
    let ran = interrupted(&world, line, "ListGroupMemberships", Signal::INT);
    let document = ran.json();
    assert_eq!((&document["outcome"], &document["complete"]), (&"partial".into(), &false.into()), "{document}");
    let sum = |document: &Value, field: &str| -> u64 {
        document["targets"].as_array().unwrap().iter().filter_map(|target| target[field].as_u64()).sum()
    };
    let kept = sum(&document, "fetched");
    let message = error(&ran)["message"].as_str().unwrap().to_owned();
    assert!(kept >= 2 && message.contains(&format!("stored {kept} answers, finished 2 of 3 targets")), "{message}");
    let again = world.run(line.split(' ')).ok().json();
    assert_eq!((sum(&again, "fresh"), sum(&again, "fetched")), (kept, 5 - kept), "{again}");
}

#[test]
fn a_change_that_was_not_begun_is_reported_as_such() {
    let world = World::small();
    world.run(["group", "list"]).ok();
    let ran = interrupted(&world, "group delete Admins --yes --json", "GetGroupId", Signal::INT);
    assert_eq!(error(&ran)["message"], "interrupted: nothing was changed");
    let ran = interrupted(&world, "group create --name Ops --json", "CreateGroup", Signal::TERM);
    assert!(error(&ran)["message"].as_str().unwrap().contains("not confirmed"), "{ran:?}");
}

#[test]
fn a_command_that_waits_for_something_else_than_aws_is_interrupted_too() {
    let world = World::small();
    let mut child = start(&world, "cache import - --json");
    let _open = child.stdin.take();
    // It reads the archive from a pipe that stays open; the handler is there before the first read.
    let begun = std::time::Instant::now();
    while !catches_sigterm(child.id()) {
        assert!(begun.elapsed() < PATIENCE, "no handler of SIGTERM");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let ran = Ran::of("cache import -".into(), &child.wait_with_output().unwrap()).code(130);
    assert!(error(&ran)["hint"].as_str().unwrap().contains("`awsideman cache import - --json` imports the rest"));
}

/// Whether the process has a handler for SIGTERM, as the kernel lists them.
fn catches_sigterm(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
    u64::from_str_radix(caught, 16).unwrap_or_default() & (1 << (Signal::TERM.as_raw() - 1)) != 0
}

#[test]
fn a_signal_ends_a_command_and_its_credential_process() {
    let home = Home::new();
    let tool =
        "[profile tool]\nregion = us-east-1\ncredential_process = sh -c 'echo $$ >new; mv new pid; exec sleep 90'\n";
    std::fs::write(home.folder(".aws").join("config"), tool).unwrap();
    let mut command = home.command("user list --profile tool");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (file, end) = (home.path().join("pid"), Instant::now() + PATIENCE * 3);
    while !file.exists() {
        assert!(Instant::now() < end, "the program did not start");
        std::thread::yield_now();
    }
    kill_process(Pid::from_child(&child), Signal::TERM).unwrap();
    let begun = Instant::now();
    let ran = Ran::of("user list".into(), &child.wait_with_output().unwrap()).code(130);
    assert!(begun.elapsed() < PATIENCE, "{:?}", begun.elapsed());
    ran.stderr_has("error: interrupted");
    let process = std::fs::read_to_string(&file).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
    assert!(stat.is_empty() || stat.contains(") Z "), "still running: {stat}");
}
