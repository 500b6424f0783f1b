//! The cache directory is moved, deleted or locked under four busy readers and a daemon: all go on, and the daemon finds
//! the new one.
//!
//! Nobody here is root, whom a mode would not stop; what is waited for is an event, with a limit that only
//! something broken reaches.

use crate::fixture::figures;
use crate::world::{Ran, World};
use rustix::process::{Pid, Signal, geteuid, kill_process};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const LIMIT: Duration = Duration::from_secs(60);
const READERS: usize = 4;
/// Every second, so that the daemon meets what was done to the directory.
const JOB: &str = "name = \"warm\"\nkind = \"warm\"\nevery = \"1s\"\n[warm]\nresources = [\"users\"]\n";

/// A world in the hands of somebody who is not root, its cache filled.
fn world() -> World {
    let mut world = World::small();
    world.write("jobs/10-warm.toml", JOB);
    let jobs = world.home().join("jobs").display().to_string();
    world.set("AWSIDEMAN_JOBS_DIR", &jobs);
    let binary = world.beside("bin/awsideman");
    std::fs::remove_file(&binary).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_awsideman"), &binary).unwrap();
    if geteuid().is_root() {
        let given = Command::new("chown").args(["-R", "65534:65534"]).arg(world.beside("")).status().unwrap();
        assert!(given.success());
    }
    somebody(&world, "user list --json").output().unwrap();
    world
}

/// The binary, about to be run by whoever owns the world.
fn somebody(world: &World, words: &str) -> Command {
    let binary = world.beside("bin/awsideman");
    let mut command = if geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--regid", "65534", "--clear-groups"]).arg(binary);
        command
    } else {
        Command::new(binary)
    };
    command.args(words.split_whitespace());
    world.apply(&mut command);
    command
}

fn run(world: &World, words: &str) -> Ran {
    Ran::of(words.to_owned(), &somebody(world, words).output().unwrap())
}

/// Waits until `holds`.
#[track_caller]
fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !holds() {
        assert!(begun.elapsed() < LIMIT, "{what} did not come");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn ended(mut daemon: Child) {
    kill_process(Pid::from_child(&daemon), Signal::TERM).unwrap();
    assert!(daemon.wait().unwrap().success(), "the daemon did not end well");
}

/// Does this to the directory, at once or with something in between, under readers and a daemon.
fn under_four_readers_and_a_daemon(trouble: fn(&Path), between: fn(&World), undo: fn(&Path)) {
    let world = world();
    let truth = run(&world, "user list --json --no-cache").ok().stdout;
    let name = serde_json::from_str::<serde_json::Value>(&truth).unwrap()[3]["UserName"].as_str().unwrap().to_owned();
    let daemon = somebody(&world, "jobs daemon").stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let (over, answers) = (AtomicBool::new(false), AtomicU64::new(0));
    std::thread::scope(|scope| {
        for reader in 0..READERS {
            let (world, truth, over, answers) = (&world, &truth, &over, &answers);
            let name = (reader % 2 == 1).then_some(name.as_str());
            scope.spawn(move || {
                let words = name.map_or("user list --json".to_owned(), |name| format!("user get {name} --json"));
                while !over.load(Ordering::Relaxed) {
                    let ran = run(world, &words).ok();
                    let right = name.map_or(&ran.stdout == truth, |name| ran.stdout.contains(name));
                    assert!(right, "a wrong answer: {ran:?}");
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let more = |so_many: u64| {
            let goal = answers.load(Ordering::Relaxed) + so_many;
            until("an answer", || answers.load(Ordering::Relaxed) >= goal);
        };
        let stop = Stop(&over);
        more(4);
        trouble(&world.cache_dir());
        more(8);
        between(&world);
        undo(&world.cache_dir());
        more(8);
        drop(stop);
    });
    // Nobody but the daemon is left to fill it.
    let _ = std::fs::remove_dir_all(world.cache_dir());
    until("the daemon's new cache", || run(&world, "user list --json --cache-only").exit == 0);
    assert_eq!(run(&world, "user list --json --cache-only").ok().stdout, truth);
    run(&world, "cache check --full").ok();
    ended(daemon);
    figures(&format!("gone: {} answers", answers.into_inner()));
}

/// Lets the readers end whatever becomes of the test.
struct Stop<'a>(&'a AtomicBool);

impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

fn nothing(_: &Path) {}

#[test]
fn a_directory_that_is_moved_away_is_begun_anew() {
    under_four_readers_and_a_daemon(
        |folder| std::fs::rename(folder, folder.with_extension("away")).unwrap(),
        |_| (),
        nothing,
    );
}

#[test]
fn a_directory_that_is_deleted_is_begun_anew() {
    under_four_readers_and_a_daemon(
        |folder| {
            // Somebody may be making files in it at this very moment.
            until("the end of the directory", || std::fs::remove_dir_all(folder).is_ok());
        },
        |_| (),
        nothing,
    );
}

#[test]
fn a_directory_that_may_not_be_entered_costs_speed_and_no_answer() {
    fn mode(folder: &Path, mode: &str) {
        assert!(Command::new("chmod").arg(mode).arg(folder).status().unwrap().success());
    }
    under_four_readers_and_a_daemon(
        |folder| mode(folder, "000"),
        |world| assert_ne!(run(world, "user list --json --cache-only").exit, 0, "nobody may read it"),
        |folder| mode(folder, "700"),
    );
}
