//! Processes that wait for a stopped one: reads take another way, signals end the wait, and no change loses its fence.

use super::held::{BOUND, CASES, Holder, Stopped, hold, state, timed, world};
use super::shim::{Shim, WRITE};
use crate::world::World;
use awsideman::lock::Guard;
use rustix::process::{Pid, Signal, kill_process};
use std::process::Stdio;
use std::time::{Duration, Instant};
/// A `user list` that is stopped while it fetches the users.
fn stopped_flight(world: &World) -> Stopped {
    world.faults(|faults| faults.hold = vec![awsideman::sandbox::Rule::of(crate::world::LIST_USERS)]);
    let child = world.command(["user", "list"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(world.wait_for_held(1, Duration::from_secs(60)));
    let stopped = Stopped(child);
    stopped.signal(Signal::STOP);
    world.release();
    stopped
}

#[test]
fn no_read_or_warm_waits_for_the_fetch_of_a_stopped_process() {
    for words in ["user list", "cache warm users groups", "jobs run warm"] {
        let world = world();
        world.run(["cache", "clear", "--all"]).ok();
        let stopped = stopped_flight(&world);
        let calls = world.list_calls();
        let (ran, took) = timed(&world, words);
        let ran = ran.ok();
        if !words.starts_with("jobs") {
            ran.stderr_has(&stopped.name()).stderr_has("is not waited for (it is stopped)");
        }
        assert!(took < BOUND, "{words}: {took:?}");
        assert!(world.list_calls() > calls, "{words}: it asked AWS itself");
        world.run(["user", "list", "--cache-only"]).ok();
        stopped.resume();
    }
}

#[test]
fn a_signal_ends_a_command_that_waits_for_another_process() {
    let world = world();
    world.run(["cache", "clear", "--all"]).ok();
    world.faults(|faults| faults.hold = vec![awsideman::sandbox::Rule::of(crate::world::LIST_USERS)]);
    let mut first = world.command(["user", "list"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    assert!(world.wait_for_held(1, Duration::from_secs(60)));
    let mut second = world.command(["user", "list"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let name = format!("waiting for process {} ", first.id());
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(second.stderr.take().unwrap()));
    let line = lines.next().unwrap().unwrap();
    assert!(line.contains(&name) && line.contains("which fetches the users"), "{line}");
    let begun = Instant::now();
    kill_process(Pid::from_raw(second.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    let ended = second.wait().unwrap();
    assert!(begun.elapsed() < BOUND && ended.code() == Some(130), "{ended:?}");
    world.release();
    first.wait().unwrap();
}

#[test]
fn a_signal_ends_a_job_that_waits_for_another_run() {
    let world = world();
    let case = CASES.iter().find(|case| case.guard == Guard::Job).unwrap();
    let holder = hold(&world, case);
    let words = ["jobs", "run", "warm", "--wait"];
    let mut second = world.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let queue = state(&world, "locks/warm.next");
    let begun = Instant::now();
    while !std::fs::read_to_string(&queue).is_ok_and(|text| text.contains(&second.id().to_string())) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never waited");
        std::thread::yield_now();
    }
    let begun = Instant::now();
    kill_process(Pid::from_raw(second.id().cast_signed()).unwrap(), Signal::TERM).unwrap();
    assert_eq!(second.wait().unwrap().code(), Some(130));
    assert!(begun.elapsed() < BOUND);
    drop(holder);
}

/// A change whose fence no database took, because a stopped process makes one; AWS answers from before it for minutes.
#[track_caller]
fn keeps_its_fence(stopped: impl FnOnce(&World) -> Stopped) {
    let mut world = world();
    // Longer than the test takes: the fence must not have ended by the last read.
    world.set("AWSIDEMAN_CACHE_SETTLE", "10m");
    let name = world.run(["user", "list", "--json"]).ok().json()[3]["UserName"].as_str().unwrap().to_owned();
    let stopped = stopped(&world);
    world.faults(|faults| faults.read_lag_ms = 600_000);
    world.run(["user", "update", &name, "--display-name", "Other"]).ok();
    stopped.resume();
    world.run(["user", "get", &name]).ok();
    world.run(["user", "get", &name, "--cache-only"]).code(10);
}

#[test]
fn a_change_without_a_recorded_fence_leaves_one_for_the_next_generation() {
    let case = CASES.iter().find(|case| case.guard == Guard::Generations).unwrap();
    keeps_its_fence(|world| match hold(world, case) {
        Holder::Product(stopped) => stopped,
        Holder::Test { .. } => unreachable!("a product process makes the generation"),
    });
}

#[test]
fn a_change_unknown_to_a_recovery_leaves_its_fence_there() {
    keeps_its_fence(|world| {
        let mut command = world.command(["cache", "recover"]);
        // The first write names the holder of `creation.lock`; the second is of the new database, after the old one was read.
        let shim = Shim::build();
        shim.stop_at_nth(2, world, &mut command, WRITE, &world.cache_dir());
        let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        Stopped::wait(child, "cache recover")
    });
}
