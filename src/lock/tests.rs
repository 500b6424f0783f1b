//! The rules of locks: one wait for each, its bound, its memory, and the name of the holder.

use super::*;
use std::process::{Command, Stdio};

fn file(path: &Path) -> File {
    File::options().create(true).truncate(false).read(true).write(true).open(path).unwrap()
}

#[test]
fn a_second_wait_for_the_same_lock_does_not_begin_until_it_was_taken() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.lock");
    let (ours, other) = (file(&path), file(&path));
    assert!(try_exclusive(&other, Guard::Generations).unwrap());
    let most = Duration::from_millis(200);
    let taken = || {
        let begun = Instant::now();
        let taken = acquire(&ours, &path, Guard::Generations, most).unwrap();
        (taken, begun.elapsed())
    };
    let (held, waited) = taken();
    assert!(held.is_err() && waited >= most, "{waited:?}");
    assert_eq!(patience(&path, most), Duration::ZERO, "a second wait is over before it starts");
    assert!(taken().0.is_err());
    assert_eq!(patience(&root.path().join("y.lock"), most), most, "another lock has its own wait");
    other.unlock().unwrap();
    assert!(taken().0.is_ok());
    ours.unlock().unwrap();
    assert!(try_exclusive(&other, Guard::Generations).unwrap());
    assert!(taken().1 >= most, "it was free in between");
}

#[test]
fn the_holder_is_named_by_the_kernel_and_by_its_file() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("x.lock");
    let mut holder = file(&path);
    assert!(try_exclusive(&holder, Guard::Switch).unwrap());
    Holder::this_process(5).write(&mut holder).unwrap();
    let held = Held::of_file(&path, Duration::from_millis(5_020));
    let words = held.to_string();
    assert!(words.contains(&format!("process {} ", std::process::id())), "{words}");
    assert!(words.contains("since 1970-01-01T00:00:00Z") && words.ends_with("(waited 5s)"), "{words}");
    drop(holder);
    assert_eq!(of_file(&path), None);
}

#[test]
fn a_stopped_process_is_seen_as_stopped_and_a_dead_one_as_gone() {
    let mut child = Command::new("sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap();
    assert_eq!(Process::of(child.id()).state, RunState::Runs);
    let pid = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(pid, rustix::process::Signal::STOP).unwrap();
    rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::UNTRACED).unwrap();
    let process = Process::of(child.id());
    assert_eq!(process.state, RunState::Stopped);
    assert_eq!(process.to_string(), format!("process {} (`sleep 1000`, stopped)", child.id()));
    assert!(process.hint().contains(&format!("kill -CONT {}", child.id())));
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(Process::of(child.id()).state, RunState::Gone);
}

#[test]
fn every_lock_is_described_once() {
    let files: std::collections::BTreeSet<&str> = Guard::ALL.iter().map(|guard| guard.file()).collect();
    assert_eq!(files.len(), Guard::ALL.len());
}
