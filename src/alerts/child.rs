//! Another program, run to its end: handed its input, given a time.
//!
//! Neighbours: `sendmail.rs`, `command.rs` and `secret.rs` run theirs with it. Promise: no shell reads the words; neither
//! side can block the other; a program that takes too long is ended with everything it began.

use crate::model::one_line;
use rustix::process::{Pid, Signal, kill_process_group};
use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Read, Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// How often it is looked whether it has ended.
const POLL: Duration = Duration::from_millis(10);
/// So much of what it says is read, in bytes.
const SHOWN: u64 = 16_385;

/// How a program ended.
pub(super) struct Ended {
    pub(super) status: ExitStatus,
    /// The beginning of its standard output.
    pub(super) out: Vec<u8>,
    /// The beginning of its standard error, as one line.
    pub(super) words: String,
}

/// A program to run.
pub(super) struct Order<'a> {
    pub(super) program: &'a OsStr,
    pub(super) arguments: Vec<OsString>,
    pub(super) variables: Vec<(&'static str, String)>,
    pub(super) input: &'a [u8],
    pub(super) timeout: Duration,
}

impl Order<'_> {
    /// Runs it to its end; the error is a sentence without the program's name.
    pub(super) fn run(self) -> Result<Ended, String> {
        let temporary = |error: io::Error| format!("cannot make a temporary file: {error}");
        // Files in place of pipes: neither side can then block the other.
        let mut input = tempfile::tempfile().map_err(temporary)?;
        let (mut out, mut words) = (tempfile::tempfile().map_err(temporary)?, tempfile::tempfile().map_err(temporary)?);
        input.write_all(self.input).and_then(|()| input.rewind()).map_err(temporary)?;
        let mut child = Command::new(self.program)
            .args(&self.arguments)
            .envs(self.variables)
            .stdin(Stdio::from(input))
            .stdout(Stdio::from(out.try_clone().map_err(temporary)?))
            .stderr(Stdio::from(words.try_clone().map_err(temporary)?))
            .process_group(0)
            .spawn()
            .map_err(|error| not_started(self.program, &error))?;
        let end = Instant::now() + self.timeout;
        let status = loop {
            match child.try_wait().map_err(|error| format!("cannot be waited for: {error}"))? {
                Some(status) => break status,
                None if Instant::now() >= end => {
                    if let Some(group) = i32::try_from(child.id()).ok().and_then(Pid::from_raw) {
                        let _ = kill_process_group(group, Signal::KILL);
                    }
                    let _ = child.kill();
                    let _ = child.wait();
                    return Err(format!("took longer than {:?}", self.timeout));
                }
                None => std::thread::sleep(POLL),
            }
        };
        let words = String::from_utf8_lossy(&read(&mut words)).split_whitespace().collect::<Vec<_>>().join(" ");
        Ok(Ended { status, out: read(&mut out), words })
    }
}

/// Why a program was not started; for one that was searched for, where.
fn not_started(program: &OsStr, error: &io::Error) -> String {
    if error.kind() != io::ErrorKind::NotFound || Path::new(program).components().count() > 1 {
        return format!("cannot be started: {error}");
    }
    match std::env::var_os("PATH").filter(|path| !path.is_empty()) {
        Some(path) => format!("is in no directory of PATH ({})", one_line(&path.to_string_lossy())),
        None => "was not found: PATH is not set".to_owned(),
    }
}

fn read(file: &mut File) -> Vec<u8> {
    let mut bytes = Vec::new();
    // What it said is a courtesy: that it cannot be read is no failure.
    let _ = file.rewind().and_then(|()| file.take(SHOWN).read_to_end(&mut bytes));
    bytes
}

impl Ended {
    /// Nothing, or why it is not well.
    pub(super) fn well(&self) -> Result<(), String> {
        match (self.status.success(), self.words.as_str()) {
            (true, _) => Ok(()),
            (false, "") => Err(format!("ended with {}", self.status)),
            (false, words) => Err(format!("ended with {}: {words}", self.status)),
        }
    }
}
