//! The process that holds a lock, as its lock file and the kernel of this host know it.

use super::LOCKS;
use super::registry::Guard;
use crate::clock::{self, UnixMillis};
use crate::model::{format_duration, visible};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The longest command line that is printed.
const LONGEST_COMMAND: usize = 80;
/// The most that is read of a lock file or of a file of the kernel.
const MOST: u64 = 4096;
/// The kernel lists all locks of the host in one file.
const MOST_LOCKS: u64 = 1024 * 1024;

/// What the holder of a lock writes into its file.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Holder {
    /// Its process id, on `host` (and in its container); 0 when it is not known.
    pub pid: u32,
    /// The name of its host.
    pub host: String,
    /// When it took the lock.
    pub since: UnixMillis,
}

impl Holder {
    /// This process.
    pub fn this_process(since: UnixMillis) -> Holder {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        Holder { pid: std::process::id(), host, since }
    }

    /// Writes it as the first line of an empty or old lock file.
    pub fn write(&self, file: &mut File) -> io::Result<()> {
        let mut text = serde_json::to_vec(self)?;
        text.push(b'\n');
        file.set_len(0)?;
        file.write_all(&text)
    }

    /// Reads it from an open lock file.
    pub fn read(file: impl Read) -> Option<Holder> {
        let mut text = Vec::new();
        file.take(MOST).read_to_end(&mut text).ok()?;
        let line = text.split(|byte| *byte == b'\n').next()?;
        serde_json::from_slice(line).ok()
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("another process");
        }
        write!(f, "process {} on {} since {}", self.pid, self.host, clock::utc(self.since))
    }
}

/// Whether a process can go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// It runs, or waits for something.
    Runs,
    /// A signal or a debugger stopped it.
    Stopped,
    /// It has ended.
    Gone,
}

/// A process that holds a lock, as the kernel numbers it in the namespace of this process.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Process {
    /// Its id.
    pub pid: u32,
    /// Whether it can go on.
    pub state: RunState,
    /// Its command line.
    pub command: Option<String>,
}

impl Process {
    /// What the kernel shows of a process now.
    pub fn of(pid: u32) -> Process {
        let state = match text(Path::new(&format!("/proc/{pid}/stat")), MOST) {
            // `4242 (any name) T 1 ...`
            Some(stat) => match stat.rsplit_once(')').and_then(|(_, rest)| rest.trim_start().chars().next()) {
                Some('T' | 't') => RunState::Stopped,
                Some('Z' | 'X' | 'x') => RunState::Gone,
                _ => RunState::Runs,
            },
            None => RunState::Gone,
        };
        let words = text(Path::new(&format!("/proc/{pid}/cmdline")), MOST);
        Process { pid, state, command: words.as_deref().and_then(command) }
    }

    /// What to type about it.
    pub fn hint(&self) -> String {
        match self.state {
            RunState::Stopped => stopped_hint(self.pid),
            _ => format!("try again in a moment, or end it with `kill {}`", self.pid),
        }
    }
}

/// What to do about a stopped process. SIGTERM would wait until it continues, so SIGKILL ends it.
pub fn stopped_hint(pid: u32) -> String {
    format!("`kill -CONT {pid}` lets it continue, `kill -9 {pid}` ends it and frees the lock")
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {}", self.pid)?;
        match (&self.command, self.state == RunState::Stopped) {
            (Some(command), true) => write!(f, " (`{command}`, stopped)"),
            (Some(command), false) => write!(f, " (`{command}`)"),
            (None, true) => f.write_str(" (stopped)"),
            (None, false) => Ok(()),
        }
    }
}

/// A lock that another process has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// The locked file.
    pub path: PathBuf,
    /// How long it was waited for.
    pub waited: Duration,
    /// Its holder, where the kernel shows it.
    pub process: Option<Process>,
    /// Its holder, where the lock file names it.
    pub note: Option<Holder>,
}

impl Held {
    /// The lock of the whole file at `path`.
    pub fn of_file(path: &Path, waited: Duration) -> Held {
        // Never a wait: what is at the path now may be something else.
        let flags = (rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOFOLLOW).bits().cast_signed();
        let file = File::options().read(true).custom_flags(flags).open(path);
        let note = file.ok().filter(is_regular).and_then(Holder::read);
        Held { path: path.into(), waited, process: of_file(path), note }
    }

    /// The holder in words: a lock file may still name an earlier one.
    pub fn holder(&self) -> String {
        match (&self.process, &self.note) {
            (Some(process), Some(note)) if note.pid == process.pid => {
                format!("{process} since {}", clock::utc(note.since))
            }
            (Some(process), _) => process.to_string(),
            (None, Some(note)) => note.to_string(),
            (None, None) => "another process".to_owned(),
        }
    }

    /// Prints and logs that a wait for the lock timed out.
    pub fn report(&self, guard: Guard) {
        if matches!(guard, Guard::Fold | Guard::Tally) {
            // Nothing is lost and nothing is slower: the next fold does it.
            tracing::debug!(target: LOCKS, "gave up waiting: {self}; {}", guard.then());
        } else {
            tracing::warn!(target: LOCKS, "gave up waiting: {self}; {}", guard.then());
        }
    }

    /// What to type about it.
    pub fn hint(&self) -> String {
        match &self.process {
            Some(process) => process.hint(),
            None => "try again in a moment; `lslocks` shows who holds it".to_owned(),
        }
    }
}

impl fmt::Display for Held {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is locked by {}", self.path.display(), self.holder())?;
        if self.waited.is_zero() {
            return Ok(());
        }
        write!(f, " (waited {})", format_duration(Duration::from_millis(rounded(self.waited))))
    }
}

/// Milliseconds; whole seconds where it is some.
fn rounded(waited: Duration) -> u64 {
    let millis = u64::try_from(waited.as_millis()).unwrap_or(u64::MAX);
    if millis >= 1000 { millis / 1000 * 1000 } else { millis }
}

/// The process that has the whole file at `path` locked for itself.
pub fn of_file(path: &Path) -> Option<Process> {
    find(path, |words| words.get(1) == Some(&"FLOCK"))
}

/// The process that has byte `at` of the file at `path` locked for itself, as databases do.
pub fn of_record(path: &Path, at: u64) -> Option<Process> {
    find(path, |words| {
        let bound = |word: usize| words.get(word).and_then(|text| text.parse::<u64>().ok());
        let end = bound(7).or_else(|| (words.get(7) == Some(&"EOF")).then_some(u64::MAX));
        words.get(1) == Some(&"POSIX") && bound(6).is_some_and(|from| from <= at) && end.is_some_and(|end| at <= end)
    })
}

/// `1: FLOCK  ADVISORY  WRITE 4242 fe:01:3277 0 EOF`; a process that waits has `->` after its number.
fn find(path: &Path, is_it: impl Fn(&[&str]) -> bool) -> Option<Process> {
    let inode = format!(":{}", std::fs::metadata(path).ok()?.ino());
    let locks = text(Path::new("/proc/locks"), MOST_LOCKS)?;
    let pid = locks.lines().find_map(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        let ours = words.get(3) == Some(&"WRITE") && words.get(5).is_some_and(|at| at.ends_with(&inode));
        if ours && is_it(&words) { words.get(4)?.parse().ok() } else { None }
    });
    pid.filter(|pid| *pid > 0).map(Process::of)
}

fn text(path: &Path, most: u64) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(most).read_to_end(&mut bytes).ok()?;
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

fn is_regular(file: &File) -> bool {
    file.metadata().is_ok_and(|found| found.is_file())
}

/// The command line as one line: the file name of the program and its arguments.
fn command(words: &str) -> Option<String> {
    let mut words = words.split('\0').filter(|word| !word.is_empty());
    let program = words.next()?;
    let program = program.rsplit('/').next().unwrap_or(program);
    let line = std::iter::once(program).chain(words).collect::<Vec<_>>().join(" ");
    let line = visible(&line.replace('`', "'")).into_owned();
    if line.chars().count() <= LONGEST_COMMAND {
        return Some(line);
    }
    Some(line.chars().take(LONGEST_COMMAND).chain("...".chars()).collect())
}
