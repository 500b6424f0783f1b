//! A stopped process stops no other: each lock is held by one, and a command of each class still answers in time.

use super::shim::{Calls, OPEN, Shim, WRITE};
use crate::fixture::{figures, soak};
use crate::world::{Ran, World};
use awsideman::cli::args;
use awsideman::lock::{self, Guard};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use std::fs::File;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

/// The longest that any command may take here: the waits are set to 1 s, the fixed ones last 5 s.
pub(super) const BOUND: Duration = Duration::from_secs(15);

/// A command of each class, and the exit codes that it may have.
const CLASSES: [(&str, &str, &[i32]); 11] = [
    ("cached read", "user list --json", &[0]),
    ("live read", "group list --json", &[0]),
    ("change", "user update NAME --display-name Other", &[0]),
    ("status", "cache status", &[0]),
    ("health", "cache health", &[0, 6]),
    ("disable", "cache disable --for 1h", &[0, 11]),
    ("enable", "cache enable", &[0, 11]),
    ("clear", "cache clear", &[0, 11]),
    ("recover", "cache recover", &[0, 11]),
    ("job", "jobs run warm", &[0, 1, 3, 11]),
    ("doctor", "doctor", &[0, 1, 2, 6, 12]),
];

/// A lock, and the product process that is stopped while it has it.
pub(super) struct Case {
    pub(super) guard: Guard,
    /// What must be so before the process starts.
    before: fn(&World),
    /// The words of the process.
    words: &'static str,
    /// The kind of call that it is stopped before, and the file.
    calls: Calls,
    file: fn(&World) -> PathBuf,
    /// The classes that must name the process.
    names: &'static [&'static str],
}

fn nothing(_: &World) {}

fn live(world: &World) -> PathBuf {
    let current = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    world.cache_dir().join(current.trim())
}

pub(super) fn state(world: &World, name: &str) -> PathBuf {
    world.state_dir().join(name)
}

fn forget_databases(world: &World, start: &str) {
    for ending in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(state(world, &format!("{start}{ending}")));
    }
}

pub(super) const CASES: [Case; 11] = [
    Case {
        guard: Guard::Cache,
        before: nothing,
        words: "user list --refresh",
        calls: WRITE,
        file: |world| PathBuf::from(format!("{}-wal", live(world).display())),
        names: &["live read", "change"],
    },
    Case {
        guard: Guard::Generations,
        before: |world| std::fs::remove_file(world.cache_dir().join("CURRENT")).unwrap(),
        words: "user list",
        calls: WRITE,
        file: |world| world.cache_dir().join("creation.lock"),
        names: &["cached read", "live read", "change", "status", "clear", "recover", "doctor"],
    },
    Case {
        guard: Guard::State,
        before: nothing,
        words: "jobs pause warm",
        calls: WRITE,
        file: |world| state(world, "state.db-wal"),
        names: &["change", "job"],
    },
    Case {
        guard: Guard::StateRenewal,
        before: |world| {
            forget_databases(world, "state.db");
            std::fs::write(state(world, "state.db"), "no database ".repeat(2000)).unwrap();
        },
        words: "cache cleanup",
        calls: WRITE,
        file: |world| state(world, "state.db.renew"),
        names: &[],
    },
    Case {
        guard: Guard::Pace,
        before: nothing,
        words: "user list --refresh",
        calls: WRITE,
        file: |world| state(world, "pace.db-wal"),
        names: &["live read"],
    },
    Case {
        guard: Guard::Schema,
        before: |world| forget_databases(world, "state.db"),
        words: "jobs pause warm",
        calls: OPEN,
        file: |world| state(world, "state.db"),
        names: &["job"],
    },
    Case {
        guard: Guard::Switch,
        before: nothing,
        words: "cache disable --for 1h",
        calls: WRITE,
        file: |world| state(world, "switch.lock"),
        names: &["disable", "enable"],
    },
    Case {
        guard: Guard::Tally,
        before: nothing,
        words: "user list",
        calls: WRITE,
        file: |world| state(world, "tally"),
        names: &[],
    },
    Case {
        guard: Guard::Fold,
        before: nothing,
        words: "cache cleanup",
        calls: WRITE,
        file: |world| state(world, "tally.lock"),
        names: &[],
    },
    Case {
        guard: Guard::Job,
        before: nothing,
        words: "jobs run warm",
        calls: WRITE,
        file: |world| state(world, "locks/warm"),
        names: &["job"],
    },
    Case {
        guard: Guard::Outbox,
        before: nothing,
        words: "",
        calls: OPEN,
        file: |world| state(world, "outbox.lock"),
        names: &[],
    },
];

/// A process that is stopped; it ends with this value.
pub(super) struct Stopped(pub(super) Child);

impl Stopped {
    /// Waits until a process has stopped by itself.
    pub(super) fn wait(child: Child, what: &str) -> Stopped {
        let pid = Pid::from_raw(child.id().cast_signed()).unwrap();
        let (_, status) = waitpid(Some(pid), WaitOptions::UNTRACED).unwrap().unwrap();
        assert!(status.stopped(), "{what}: it ended before it had the lock: {status:?}");
        Stopped(child)
    }

    pub(super) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.0.id().cast_signed()).unwrap(), signal).unwrap();
    }

    pub(super) fn name(&self) -> String {
        format!("process {} ", self.0.id())
    }

    /// Lets it continue and end.
    pub(super) fn resume(mut self) {
        self.signal(Signal::CONT);
        self.0.wait().unwrap();
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

pub(super) fn world() -> World {
    let mut world = World::small();
    world.write(
        "jobs/10-warm.toml",
        "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\n[warm]\nresources = [\"users\"]\n",
    );
    let jobs = world.home().join("jobs").display().to_string();
    world
        .set("AWSIDEMAN_JOBS_DIR", &jobs)
        .set("AWSIDEMAN_CACHE_BUSY_TIMEOUT", "1s")
        .set("AWSIDEMAN_CACHE_SETTLE", "1s");
    for words in ["user list", "cache cleanup", "jobs run warm", "user list"] {
        world.run(words.split(' ')).ok();
    }
    world
}

/// Runs a command, and ends it where it takes four times as long as it may.
pub(super) fn timed(world: &World, words: &str) -> (Ran, Duration) {
    let mut command = world.command(words.split_whitespace());
    let begun = Instant::now();
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let pid = Pid::from_child(&child);
    let (ended, ends) = mpsc::channel::<()>();
    let watch = std::thread::spawn(move || {
        if ends.recv_timeout(BOUND * 4) == Err(mpsc::RecvTimeoutError::Timeout) {
            let _ = kill_process(pid, Signal::KILL);
        }
    });
    let output = child.wait_with_output().unwrap();
    drop(ended);
    watch.join().unwrap();
    (Ran::of(format!("awsideman {words}"), &output), begun.elapsed())
}

/// What a lock is held by.
pub(super) enum Holder {
    Product(Stopped),
    /// Where no product process can be stopped: this one, for as long as the file is open.
    Test {
        _open: File,
    },
}

pub(super) fn hold(world: &World, case: &Case) -> Holder {
    (case.before)(world);
    let file = (case.file)(world);
    if case.words.is_empty() {
        let open = File::options().create(true).truncate(false).write(true).open(&file).unwrap();
        assert!(lock::try_exclusive(&open, case.guard).unwrap());
        return Holder::Test { _open: open };
    }
    let shim = Shim::build();
    let mut command = world.command(case.words.split(' '));
    shim.stop_at(world, &mut command, case.calls, &file);
    let child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    Holder::Product(Stopped::wait(child, case.words))
}

/// Runs `words` while the lock of a case is held, as often as its file is put back; returns the faults.
fn judged(guard: Guard, commands: &[(String, String, Vec<i32>)], must_answer: bool) -> (Vec<String>, Duration) {
    let case = CASES.iter().find(|case| case.guard == guard).unwrap();
    let world = world();
    let current = std::fs::read(world.cache_dir().join("CURRENT")).unwrap();
    let name = world.run(["user", "list", "--json"]).ok().json()[3]["UserName"].as_str().unwrap().to_owned();
    let holder = hold(&world, case);
    let process = match &holder {
        Holder::Product(stopped) => stopped.name(),
        Holder::Test { .. } => format!("process {} ", std::process::id()),
    };
    let (mut faults, mut longest) = (Vec::new(), Duration::ZERO);
    for (class, words, codes) in commands {
        // Each command meets the lock, whatever the one before it made of the cache.
        match guard {
            Guard::Generations => drop(std::fs::remove_file(world.cache_dir().join("CURRENT"))),
            _ => std::fs::write(world.cache_dir().join("CURRENT"), &current).unwrap(),
        }
        let (ran, took) = timed(&world, &words.replace("NAME", &name));
        longest = longest.max(took);
        let mut fault = |what: String| faults.push(format!("{guard:?}, {class} ({words}): {what}: {ran:?}"));
        if took >= BOUND {
            fault(format!("it took {took:?}"));
        }
        if ran.exit == -1 || ran.exit == 101 || ran.stderr.contains("panicked") {
            fault("it did not end by itself".to_owned());
        }
        if must_answer && !codes.contains(&ran.exit) {
            fault(format!("exit {} was not expected", ran.exit));
        }
        let named = ran.stderr.contains(&process) || ran.stdout.contains(&process) || {
            let pid = format!("pid {} ", process.trim_start_matches("process ").trim());
            ran.stderr.contains(&pid) || ran.stdout.contains(&pid)
        };
        if case.names.contains(&class.as_str()) && !named {
            fault(format!("it does not name {process}"));
        }
        if class == "change" && ran.exit == 0 {
            let shown = world.run(["user", "get", &name, "--json"]).ok().json();
            if shown["DisplayName"] != "Other" {
                fault(format!("the next read shows {}", shown["DisplayName"]));
            }
        }
    }
    if let Holder::Product(stopped) = holder {
        stopped.resume();
    }
    if must_answer {
        let after = world.run(["user", "get", &name, "--json"]).ok().json();
        if after["DisplayName"] != "Other" {
            faults.push(format!("{guard:?}: after the process continued, a read shows {}", after["DisplayName"]));
        }
    }
    (faults, longest)
}

fn classes() -> Vec<(String, String, Vec<i32>)> {
    CLASSES.iter().map(|(class, words, codes)| ((*class).into(), (*words).into(), codes.to_vec())).collect()
}

#[track_caller]
fn answers_under(guard: Guard) {
    let (faults, _) = judged(guard, &classes(), true);
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn a_process_stopped_while_writing_the_cache_blocks_no_command() {
    answers_under(Guard::Cache);
}

#[test]
fn a_process_stopped_while_creating_a_generation_blocks_no_command() {
    answers_under(Guard::Generations);
}

#[test]
fn a_process_stopped_while_writing_state_blocks_no_command() {
    answers_under(Guard::State);
}

#[test]
fn a_process_stopped_while_replacing_a_damaged_state_blocks_no_command() {
    answers_under(Guard::StateRenewal);
}

#[test]
fn a_process_stopped_while_updating_rate_limits_blocks_no_command() {
    answers_under(Guard::Pace);
}

#[test]
fn a_process_stopped_while_creating_a_database_blocks_no_command() {
    answers_under(Guard::Schema);
}

#[test]
fn a_process_stopped_while_changing_the_switch_blocks_no_command() {
    answers_under(Guard::Switch);
}

#[test]
fn a_process_that_is_stopped_while_it_counts_lookups_stops_no_command() {
    answers_under(Guard::Tally);
    answers_under(Guard::Fold);
}

#[test]
fn a_process_stopped_in_a_job_or_sending_blocks_no_command() {
    answers_under(Guard::Job);
    answers_under(Guard::Outbox);
}

#[test]
fn every_lock_has_a_case_or_a_reason_for_none() {
    // The flights and the recovery have tests of their own; of a lock that is only tried no process waits; a damaged
    // database of the rate limiter is the one wait that no product process can be stopped in.
    let without = [Guard::Flight, Guard::Recovery, Guard::JobQueue, Guard::Encryption, Guard::Log, Guard::PaceRenewal];
    for guard in Guard::ALL {
        assert_ne!(CASES.iter().any(|case| case.guard == guard), without.contains(&guard), "{guard:?}");
    }
}

/// Every command of the program, with a word for each argument that it needs.
fn every_command() -> Vec<(String, String, Vec<i32>)> {
    let mut found = Vec::new();
    collect(&args::tree(), "", &mut found);
    // They stay until a signal.
    found.retain(|words| !["jobs daemon", "sandbox serve"].iter().any(|stays| words.trim().starts_with(stays)));
    found.iter().map(|words| ("all".into(), words.trim().to_owned(), Vec::new())).collect()
}

fn collect(command: &clap::Command, path: &str, into: &mut Vec<String>) {
    if !command.has_subcommands() {
        let needed = command.get_positionals().filter(|argument| argument.is_required_set()).map(|_| " NAME");
        into.push(format!("{path}{} --yes", needed.collect::<String>()));
    }
    for child in command.get_subcommands().filter(|child| child.get_name() != "help") {
        collect(child, &format!("{path} {}", child.get_name()), into);
    }
}

#[test]
fn every_command_ends_in_time_under_every_lock() {
    let all = every_command();
    assert!(all.len() > 60, "{}", all.len());
    if !soak() {
        return;
    }
    let (mut faults, mut longest) = (Vec::new(), Duration::ZERO);
    for case in &CASES {
        let (wrong, took) = judged(case.guard, &all, false);
        faults.extend(wrong);
        longest = longest.max(took);
    }
    figures(&format!("locks held: {} locks, {} commands each, longest {longest:?}", CASES.len(), all.len()));
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}
