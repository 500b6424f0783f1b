//! Runs another program to its end, within bounds of time and memory.
//!
//! Guarantee: no shell reads the arguments; neither side can block the other; nothing that the program prints reaches a disk;
//! at the timeout every process that it started ends, also one in another session.

use crate::model::one_line;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, ErrorKind, Read, Seek, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// The longest pause before the exit of the program is noticed.
const POLL: Duration = Duration::from_millis(10);
/// How long killed processes are waited for: one in an uninterruptible wait ends later.
const ENDING: Duration = Duration::from_secs(1);
/// The most bytes that are kept of its standard output, and of its standard error.
pub const KEPT: usize = 16_385;
/// The variables that every program gets.
const BASE: [&str; 4] = ["PATH", "HOME", "LANG", "TZ"];
/// Marks the processes of one run. A process keeps it when it leaves its session or its parent.
const MARKER: &str = "AWSIDEMAN_RUN";
/// Variables with secrets of awsideman, which no other program needs.
const OWN_SECRETS: &str = "AWSIDEMAN_ALERTS_";

/// How a program ended.
pub struct ProgramEnd {
    /// Its status.
    pub status: ExitStatus,
    /// The beginning of its standard output, at most [`KEPT`] bytes.
    pub out: Vec<u8>,
    /// The beginning of its standard error, as one line.
    pub words: String,
}

/// The variables of a program.
#[derive(Debug, Clone, Copy)]
pub enum Environment<'a> {
    /// Those of this process, without the secrets that are meant for it alone.
    Inherited,
    /// PATH, HOME, LANG, TZ, and these.
    Named(&'a [String]),
}

/// A program to run.
pub struct ProgramSpec<'a> {
    /// A path, or a name that is searched for in PATH.
    pub program: &'a OsStr,
    /// Its arguments.
    pub arguments: Vec<OsString>,
    /// The variables that it gets.
    pub environment: Environment<'a>,
    /// Variables in addition to those.
    pub variables: Vec<(&'static str, String)>,
    /// Its standard input.
    pub input: &'a [u8],
    /// Whether it stays in the process group of this process, so that it may use the terminal.
    pub is_foreground: bool,
    /// After this it is killed.
    pub timeout: Duration,
}

/// Why a program was stopped. The texts follow the name of the program.
#[derive(Debug, thiserror::Error)]
pub enum ProgramError {
    /// There is no such program.
    #[error("{0}")]
    NotFound(String),
    /// The system does not start it.
    #[error("cannot be started: {0}")]
    NotStarted(#[source] io::Error),
    /// It was killed at its timeout.
    #[error("took longer than {0:?}")]
    Late(Duration),
    /// It was killed because its result is not needed any more.
    #[error("was stopped")]
    Stopped,
    /// Its input or output fails.
    #[error("{0}: {1}")]
    Io(&'static str, #[source] io::Error),
}

impl ProgramSpec<'_> {
    /// Runs it to its end; the error is a sentence without the program's name.
    pub fn run(self) -> Result<ProgramEnd, String> {
        self.run_until(&|_| false).map_err(|error| error.to_string())
    }

    /// Runs it to its end, or until `is_enough` holds for its output so far; then it is killed.
    pub fn run_until(self, is_enough: &dyn Fn(&[u8]) -> bool) -> Result<ProgramEnd, ProgramError> {
        let end = Instant::now() + self.timeout;
        let marker = format!("{:032x}", fastrand::u128(..));
        let mut child = self.started(&marker)?;
        let ended = self.followed(&mut child, end, is_enough);
        if ended.is_err() {
            kill(&mut child, &marker, self.is_foreground);
        }
        ended
    }

    fn followed(
        &self,
        child: &mut Child,
        end: Instant,
        is_enough: &dyn Fn(&[u8]) -> bool,
    ) -> Result<ProgramEnd, ProgramError> {
        let unreadable = |error: io::Error| ProgramError::Io("cannot be read", error);
        let mut out = Stream::new(child.stdout.take()).map_err(unreadable)?;
        let mut err = Stream::new(child.stderr.take()).map_err(unreadable)?;
        let mut pause = Duration::from_millis(1);
        let status = loop {
            // Both are read while it runs: a full pipe would block it.
            out.read();
            err.read();
            if is_enough(&out.kept) {
                return Err(ProgramError::Stopped);
            }
            match child.try_wait().map_err(|error| ProgramError::Io("cannot be waited for", error))? {
                Some(status) => break status,
                None if Instant::now() >= end => return Err(ProgramError::Late(self.timeout)),
                None => wait_for_output(&out, &err, pause.min(end.saturating_duration_since(Instant::now()))),
            }
            pause = (pause * 2).min(POLL);
        };
        out.read();
        err.read();
        let words = one_line(&String::from_utf8_lossy(&err.kept)).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(ProgramEnd { status, out: out.kept, words })
    }

    fn started(&self, marker: &str) -> Result<Child, ProgramError> {
        let mut command = Command::new(self.program);
        match self.environment {
            Environment::Inherited => {
                for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with(OWN_SECRETS))
                {
                    command.env_remove(name);
                }
            }
            Environment::Named(names) => {
                command.env_clear();
                let names = BASE.into_iter().chain(names.iter().map(String::as_str));
                command.envs(names.filter_map(|name| Some((name, std::env::var_os(name)?))));
            }
        }
        let input = if self.input.is_empty() {
            Stdio::null()
        } else {
            // A file in place of a pipe: a program that does not read it blocks nothing.
            let temporary = |error: io::Error| ProgramError::Io("cannot make a temporary file", error);
            let mut input = tempfile::tempfile().map_err(temporary)?;
            input.write_all(self.input).and_then(|()| input.rewind()).map_err(temporary)?;
            Stdio::from(input)
        };
        command
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .env(MARKER, marker)
            .stdin(input)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        if !self.is_foreground {
            command.process_group(0);
        }
        command.spawn().map_err(|error| not_started(self.program, error))
    }
}

/// Ends a program and every process that it started.
fn kill(child: &mut Child, marker: &str, is_foreground: bool) {
    if let (false, Some(group)) = (is_foreground, i32::try_from(child.id()).ok().and_then(Pid::from_raw)) {
        let _ = kill_process_group(group, Signal::KILL);
    }
    let _ = child.kill();
    let _ = child.wait();
    // A process in another session is not in the group. It may start another one while it is searched for, and a killed
    // one ends a moment later.
    let end = Instant::now() + ENDING;
    loop {
        let left = marked(marker);
        if left.is_empty() || Instant::now() >= end {
            return;
        }
        for process in left {
            let _ = kill_process(process, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(1));
    }
}

/// The running processes with this marker; none where the system does not list them in /proc.
fn marked(marker: &str) -> Vec<Pid> {
    let wanted = format!("{MARKER}={marker}");
    let is_marked = |folder: &Path| {
        let mut text = Vec::new();
        let read = File::open(folder.join("environ")).and_then(|file| file.take(4 << 20).read_to_end(&mut text));
        // The environment of a process that has ended is empty.
        read.is_ok() && text.split(|byte| *byte == 0).any(|variable| variable == wanted.as_bytes())
    };
    let folders = std::fs::read_dir("/proc").into_iter().flatten().filter_map(Result::ok);
    let process = |entry: std::fs::DirEntry| {
        let number: i32 = entry.file_name().to_str()?.parse().ok()?;
        if is_marked(&entry.path()) { Pid::from_raw(number) } else { None }
    };
    folders.filter_map(process).collect()
}

/// One of the two outputs of a program: its beginning is kept, the rest is read and dropped.
struct Stream<T> {
    pipe: Option<T>,
    kept: Vec<u8>,
}

impl<T: Read + AsFd> Stream<T> {
    fn new(pipe: Option<T>) -> io::Result<Stream<T>> {
        if let Some(pipe) = &pipe {
            fcntl_setfl(pipe, fcntl_getfl(pipe)? | OFlags::NONBLOCK)?;
        }
        // Never grown: a secret has no second copy in memory.
        Ok(Stream { pipe, kept: Vec::with_capacity(KEPT) })
    }

    /// Reads what is available, in bounded steps, so that the caller can check the timeout.
    fn read(&mut self) {
        let mut part = [0; 8_192];
        for _ in 0..256 {
            let Some(pipe) = &mut self.pipe else { return };
            match pipe.read(&mut part) {
                Ok(length @ 1..) => {
                    let room = KEPT - self.kept.len();
                    self.kept.extend_from_slice(&part[..length.min(room)]);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Ok(0) | Err(_) => self.pipe = None,
            }
        }
    }
}

fn wait_for_output<A: AsFd, B: AsFd>(out: &Stream<A>, err: &Stream<B>, pause: Duration) {
    let mut open = Vec::with_capacity(2);
    open.extend(out.pipe.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    open.extend(err.pipe.iter().map(|pipe| PollFd::new(pipe, PollFlags::IN)));
    let pause = Timespec { tv_sec: 0, tv_nsec: i64::from(pause.subsec_nanos().max(1_000_000)) };
    let _ = poll(&mut open, Some(&pause));
}

/// Why a program was not started; for one that was searched for, where.
fn not_started(program: &OsStr, error: io::Error) -> ProgramError {
    let path = Path::new(program);
    let is_path = path.components().count() > 1;
    match error.kind() {
        ErrorKind::NotFound if is_path && path.exists() => ProgramError::NotFound(
            "cannot be started: the interpreter that its first line names does not exist".to_owned(),
        ),
        ErrorKind::NotFound if is_path => ProgramError::NotFound(format!("cannot be started: {error}")),
        ErrorKind::NotFound => ProgramError::NotFound(match std::env::var_os("PATH").filter(|path| !path.is_empty()) {
            Some(path) => format!("is in no directory of PATH ({})", one_line(&path.to_string_lossy())),
            None => "was not found: PATH is not set".to_owned(),
        }),
        _ => ProgramError::NotStarted(error),
    }
}

impl ProgramEnd {
    /// Nothing, or why it failed.
    pub fn well(&self) -> Result<(), String> {
        match (self.status.success(), self.words.as_str()) {
            (true, _) => Ok(()),
            (false, "") => Err(format!("ended with {}", self.status)),
            (false, words) => Err(format!("ended with {}: {words}", self.status)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn order<'a>(script: &'a str, timeout: Duration, environment: Environment<'a>) -> ProgramSpec<'a> {
        ProgramSpec {
            program: OsStr::new("sh"),
            arguments: vec!["-c".into(), script.into()],
            environment,
            variables: vec![("AWSIDEMAN_ALERT_STATE", "firing".into())],
            input: b"",
            is_foreground: false,
            timeout,
        }
    }

    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn a_named_environment_has_nothing_else_and_an_inherited_one_no_secrets() {
        let names = ["CARGO_PKG_NAME".to_owned(), "NOT_SET_ANYWHERE".to_owned()];
        let ended = order("env", LONG, Environment::Named(&names)).run().unwrap();
        let text = String::from_utf8(ended.out).unwrap();
        let mut seen: Vec<&str> = text.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
        seen.retain(|name| !BASE.contains(name) && !["PWD", "SHLVL", "_", "OLDPWD"].contains(name));
        seen.sort_unstable();
        assert_eq!(seen, ["AWSIDEMAN_ALERT_STATE", MARKER, "CARGO_PKG_NAME"]);
    }

    #[test]
    fn endless_output_is_read_and_dropped_and_the_time_still_counts() {
        let ended = order("head -c 50000000 /dev/zero; echo end >&2", LONG, Environment::Inherited).run().unwrap();
        assert_eq!((ended.out.len(), ended.words.as_str()), (KEPT, "end"));
        let begun = Instant::now();
        let error = order("yes & yes >&2", Duration::from_millis(300), Environment::Inherited).run().err().unwrap();
        assert!(error.contains("took longer") && begun.elapsed() < Duration::from_secs(20), "{error}");
    }

    #[test]
    fn at_the_timeout_a_process_in_another_session_ends_too() {
        let root = tempfile::tempdir().unwrap();
        let file = root.path().join("pid");
        let script = format!(
            "setsid sh -c 'trap \"\" TERM; echo $$ > {0}.new; mv {0}.new {0}; sleep 60' & trap '' TERM; sleep 60",
            file.display()
        );
        order(&script, Duration::from_secs(2), Environment::Inherited).run().err().unwrap();
        let process = std::fs::read_to_string(&file).unwrap();
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
        assert!(stat.is_empty() || stat.contains(") Z "), "still running: {stat}");
    }

    #[test]
    fn a_process_that_lingers_does_not_hold_up_the_end() {
        let begun = Instant::now();
        let ended = order("sleep 20 & echo done", LONG, Environment::Inherited).run().unwrap();
        assert!(ended.status.success() && ended.out == b"done\n" && begun.elapsed() < Duration::from_secs(15));
    }
}
