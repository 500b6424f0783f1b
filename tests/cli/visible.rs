//! The output while a command runs and after it failed: requests, waits, and hints that can be copied.

use crate::world::{LIST_USERS, World};
use awsideman::sandbox::{Rule, Shape};
use std::io::{BufRead, BufReader};
use std::process::{Child, Stdio};
use std::time::Duration;

#[test]
fn with_vv_each_request_is_a_line_on_stderr_without_secrets() {
    let world = World::small();
    for format in ["table", "json", "jsonl", "yaml", "csv"] {
        world.faults(|faults| faults.throttle = vec![Rule::first(1, "ListUsers")]);
        let ran = world.run(["user", "list", "--refresh", "-vv", "--output", format]).ok();
        let lines: Vec<&str> = ran.stderr.lines().filter(|line| line.starts_with("request: ")).collect();
        let host = world.sandbox_url().replace("http://", "");
        let users: Vec<&&str> = lines.iter().filter(|line| line.contains(LIST_USERS)).collect();
        assert_eq!(users.len(), 2, "{format}: {}", ran.stderr);
        assert!(users[0].starts_with(&format!("request: {LIST_USERS} at {host}, attempt 1: 400 after ")), "{users:?}");
        assert!(users[1].starts_with(&format!("request: {LIST_USERS} at {host}, attempt 2: 200 after ")), "{users:?}");
        assert!(users.iter().all(|line| line.ends_with(" ms")), "{users:?}");
        for secret in ["AKIAFIRST", "secret", "Signature"] {
            assert!(!ran.stderr.contains(secret), "{format}: {}", ran.stderr);
        }
        assert!(!ran.stdout.contains("request: "), "{format}: {}", ran.stdout);
        if format == "json" {
            assert!(ran.json().is_array(), "{}", ran.stdout);
        }
    }
    // One `v` is about answers, none is silent.
    world.faults(|faults| faults.throttle = Vec::new());
    assert!(!world.run(["user", "list", "--refresh", "-v"]).ok().stderr.contains("request: "));
    assert!(!world.run(["user", "list", "--refresh"]).ok().stderr.contains("request: "));
}

/// A command that runs with `-v`, and the first line of its stderr about a wait.
struct Waiting(Child);

impl Waiting {
    fn start(world: &World, words: &[&str]) -> Waiting {
        let words = words.iter().copied().chain(["-v"]);
        Waiting(world.command(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap())
    }

    fn line(&mut self) -> String {
        let mut all = String::new();
        let mut lines = BufReader::new(self.0.stderr.take().unwrap()).lines();
        while let Some(line) = lines.next().transpose().unwrap() {
            if line.starts_with("waiting for ") {
                // What follows is read on, so that the command can end.
                std::thread::spawn(move || lines.for_each(drop));
                return line;
            }
            all += &(line + "\n");
        }
        panic!("it ended without a line about a wait:\n{all}")
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn a_wait_of_two_seconds_prints_what_is_awaited() {
    let world = World::small();
    world.run(["instance", "list"]).ok();
    world.faults(|faults| faults.hold = vec![Rule::of("ListUsers")]);
    let mut first = Waiting::start(&world, &["user", "list"]);
    assert!(world.wait_for_held(1, Duration::from_secs(60)));
    let mut second = Waiting::start(&world, &["user", "list"]);
    let line = first.line();
    assert!(line.starts_with("waiting for AWS, ") && line.contains("sers") && line.ends_with("s so far"), "{line}");
    let line = second.line();
    assert!(line.starts_with("waiting for process ") && line.contains("which fetches the users: "), "{line}");
    world.release();
    assert!(first.0.wait().unwrap().success() && second.0.wait().unwrap().success());

    // Three pages of users at one call in ten seconds.
    let mut world = World::of(&Shape { users: 250, groups: 1, accounts: 1, permission_sets: 1, ..Shape::default() });
    world.set("AWSIDEMAN_PACE_IDENTITY_STORE_TPS", "0.1");
    let line = Waiting::start(&world, &["user", "list"]).line();
    assert!(line.starts_with("waiting for the rate limit of "), "{line}");
}

#[test]
fn the_commands_of_hints_ask_what_the_call_asked() {
    let world = World::small();
    let file = world.write("other.toml", "");
    let flags = format!("--sandbox=7 --config {}", file.display());
    let run = |words: &str| world.run(format!("{flags} {words}").split(' '));
    for (words, code, command) in [
        ("user get nobody", 5, "user find TEXT"),
        ("user list --cache-only", 10, "cache warm"),
        ("jobs run none", 2, "jobs list"),
    ] {
        let ran = run(words).code(code);
        let copyable = format!("`awsideman {flags} {command}");
        assert!(ran.stderr.contains(&copyable), "{words}: no {copyable} in\n{}", ran.stderr);
        // The same in the document of the error.
        let ran = run(&format!("{words} --json"));
        let document: serde_json::Value = serde_json::from_str(ran.stderr.lines().last().unwrap()).unwrap();
        assert!(document["error"]["hint"].as_str().unwrap().contains(&copyable), "{document}");
    }
    // And in a report: the command is copied from there too, with its flags, and runs.
    let ran = run("doctor --json");
    let text = format!("{}{}", ran.stdout, ran.stderr);
    for (at, _) in text.match_indices("`awsideman ") {
        let command = text[at + 1..].split('`').next().unwrap();
        assert!(command.contains("--sandbox=7"), "{command} in\n{text}");
    }
}
