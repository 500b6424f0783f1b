//! Eight processes at once on one cache: programs that use the library, with threads, and the commands that keep it in
//! order.
//!
//! A write that was acknowledged is there afterwards, a count that many raise is the sum of what each was told, and
//! nobody meets an error. Two seconds; ten with `AWSIDEMAN_SOAK=1`.

use crate::world::{Ran, World};
use awsideman::library::{CacheManager, PutItem};
use serde_json::{Value, json};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// Set for a process that is one of the crowd: its number.
const NUMBER: &str = "CROWD_NUMBER";
const SECONDS: &str = "CROWD_SECONDS";
/// Processes that write, and as many commands that read and keep order.
const WRITERS: usize = 5;
const COMMANDS: [&[&str]; 3] = [
    &["user list --json", "cache status --json", "cache check --full"],
    &["cache cleanup", "group list --json", "cache enforce-limits", "cache warm groups"],
    &["cache clear --pattern user:*", "user list --json", "cache export -"],
];
const THREADS: usize = 2;

fn soak() -> bool {
    std::env::var("AWSIDEMAN_SOAK").is_ok_and(|value| value == "1")
}

/// One line of figures.
#[expect(clippy::print_stdout, reason = "it is what a full count is run for")]
fn figures(line: &str) {
    println!("{line}");
}

/// What a thread of a writer does until its time is over; what it was acknowledged.
fn write(cache: &CacheManager, writer: &str, end: Instant) -> Value {
    let (mut round, mut raised) = (0_u64, 0_u64);
    while Instant::now() < end {
        round += 1;
        let own = format!("crowd:{writer}");
        assert!(cache.set(&own, &round).unwrap(), "a write was refused");
        assert_eq!(cache.get(&own).unwrap(), Some(round), "a write that was acknowledged is not there");
        cache.update("crowd_count", |before: Option<u64>| before.unwrap_or(0) + 1).unwrap();
        raised += 1;
        let other: Option<u64> = cache.get(&format!("crowd:{}:0", round % WRITERS as u64)).unwrap();
        assert!(other.is_none_or(|value| value > 0));
        if round % 16 == 0 {
            assert!(cache.exists(&own).unwrap());
            let item = PutItem { key: format!("{own}:many"), value: round, ttl: None };
            assert_eq!(cache.put_many(&[item]).unwrap().stored, 1);
            assert_eq!(cache.get(&format!("{own}:many")).unwrap(), Some(round));
        }
    }
    json!({"writer": writer, "last": round, "raised": raised})
}

/// Not a test of its own: what a process of the crowd is. Run as a test it has nothing to do.
#[test]
fn one_of_the_crowd() {
    let Ok(number) = std::env::var(NUMBER) else { return };
    let seconds: u64 = std::env::var(SECONDS).unwrap().parse().unwrap();
    let end = Instant::now() + Duration::from_secs(seconds);
    let cache = CacheManager::shared().unwrap();
    let acknowledged: Vec<Value> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS)
            .map(|thread| {
                let (cache, writer) = (&cache, format!("{number}:{thread}"));
                scope.spawn(move || write(cache, &writer, end))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(cache.stats().error_count, 0);
    figures(&format!("acknowledged {}", Value::from(acknowledged)));
}

fn writer(world: &World, number: usize, seconds: u64) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "stress::one_of_the_crowd", "--nocapture"]);
    world.apply(&mut command);
    command.env(NUMBER, number.to_string()).env(SECONDS, seconds.to_string());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

#[test]
fn eight_processes_lose_no_acknowledged_write_and_meet_no_error() {
    let world = World::small();
    let seconds = if soak() { 10 } else { 2 };
    let users = world.run(["user", "list", "--json"]).ok().stdout;
    let groups = world.run(["group", "list", "--json"]).ok().stdout;
    let end = Instant::now() + Duration::from_secs(seconds);
    let begun: Vec<Child> = (0..WRITERS).map(|number| writer(&world, number, seconds)).collect();
    let ran: usize = std::thread::scope(|scope| {
        let keepers = COMMANDS.map(|commands| {
            let (world, users, groups) = (&world, &users, &groups);
            scope.spawn(move || {
                let mut ran = 0;
                while Instant::now() < end {
                    let words = commands[ran % commands.len()];
                    let done = world.run(words.split(' ')).ok();
                    match words {
                        "user list --json" => assert_eq!(&done.stdout, users),
                        "group list --json" => assert_eq!(&done.stdout, groups),
                        _ => {}
                    }
                    ran += 1;
                }
                ran
            })
        });
        keepers.into_iter().map(|keeper| keeper.join().unwrap()).sum()
    });
    let mut acknowledged = Vec::new();
    for child in begun {
        let done = Ran::of("one of the crowd".into(), &child.wait_with_output().unwrap()).ok();
        let line =
            done.stdout.lines().find_map(|line| line.split_once("acknowledged ")).map(|(_, rest)| rest.to_owned());
        let all: Vec<Value> = serde_json::from_str(&line.expect("what was acknowledged")).unwrap();
        acknowledged.extend(all);
    }
    assert_eq!(acknowledged.len(), WRITERS * THREADS);
    let cache = CacheManager::in_home(&world.home()).unwrap();
    let mut raised = 0;
    for one in &acknowledged {
        let key = format!("crowd:{}", one["writer"].as_str().unwrap());
        assert_eq!(cache.get::<u64>(&key).unwrap(), one["last"].as_u64(), "{key} is lost");
        raised += one["raised"].as_u64().unwrap();
    }
    assert_eq!(cache.get::<u64>("crowd_count").unwrap(), Some(raised), "counts are lost");
    world.run(["cache", "check", "--full"]).ok();
    let status = world.status();
    assert_eq!(
        (&status["error_count"], &status["circuit_breaker"]["failure_count"]),
        (&json!(0), &json!(0)),
        "{status}"
    );
    figures(&format!("crowd: {raised} updates and {ran} commands in {seconds} s, none lost, no error"));
}
