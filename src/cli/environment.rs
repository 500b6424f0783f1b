//! What a run finds around it: where data and talk go, and the variables.
//!
//! A run touches no other stream, so that the program can be called twice in one process.

use super::interrupts::{Exit, Interrupts};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::File;
use std::io::{self, IsTerminal, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::FileTypeExt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// What a terminal or socket that takes anything takes without blocking for long (`PIPE_BUF` of Linux for pipes).
const LEAST_ROOM: usize = 4096;

/// Where data goes.
pub trait Sink: Write + Send {
    /// How many bytes can be written now without waiting for a reader; after `patience` without room, 0.
    fn room(&self, patience: Duration) -> io::Result<usize>;
    /// The width in columns, when it is a terminal.
    fn width(&self) -> Option<u16>;
}

/// What a run finds around it.
pub struct Environment {
    /// Where data goes.
    pub stdout: Box<dyn Sink>,
    /// Where talk goes.
    pub stderr: Box<dyn Write + Send>,
    /// Whether people read the talk as it is written.
    pub stderr_is_terminal: bool,
    /// The environment variables; what is not UTF-8 in them is replaced.
    pub variables: BTreeMap<String, String>,
    /// The signals that end the run.
    pub interrupts: Interrupts,
}

impl Environment {
    /// The process's own; a signal ends it with `exit`.
    pub fn process(exit: Exit) -> Environment {
        let text = |value: OsString| value.to_string_lossy().into_owned();
        let variables: BTreeMap<String, String> =
            std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        let columns = variables.get("COLUMNS").and_then(|columns| columns.parse().ok());
        // Unbuffered: `output.rs` buffers by itself, and the standard library's would be flushed line by line.
        let stdout: Box<dyn Sink> = match io::stdout().as_fd().try_clone_to_owned() {
            Ok(descriptor) => Box::new(Descriptor::new(File::from(descriptor), columns)),
            Err(error) => Box::new(Unavailable(error.kind())),
        };
        Environment {
            stdout,
            stderr: Box::new(io::stderr()),
            stderr_is_terminal: io::stderr().is_terminal(),
            variables,
            interrupts: Interrupts::of_process(exit),
        }
    }

    /// One that keeps what is written: data first, talk second. Neither is a terminal.
    pub fn captured(variables: &[(&str, &str)]) -> (Environment, Captured, Captured) {
        let (stdout, stderr) = (Captured::default(), Captured::default());
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let environment = Environment {
            stdout: Box::new(stdout.clone()),
            stderr: Box::new(stderr.clone()),
            stderr_is_terminal: false,
            variables,
            interrupts: Interrupts::default(),
        };
        (environment, stdout, stderr)
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }
}

/// An open file of the process.
#[derive(Debug)]
pub(super) struct Descriptor {
    file: File,
    /// Whether a slow reader can make it block: a pipe, a socket, a terminal.
    can_block: bool,
    width: Option<u16>,
}

impl Descriptor {
    pub(super) fn new(file: File, columns: Option<u16>) -> Descriptor {
        let terminal = file.is_terminal();
        let kind = file.metadata().map(|found| found.file_type());
        let can_block = terminal || !kind.is_ok_and(|kind| !kind.is_fifo() && !kind.is_socket());
        let width = terminal.then(|| {
            let asked = rustix::termios::tcgetwinsize(&file).ok().map(|size| size.ws_col).filter(|width| *width > 0);
            asked.or(columns).unwrap_or(80)
        });
        Descriptor { file, can_block, width }
    }
}

impl Write for Descriptor {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Sink for Descriptor {
    fn room(&self, patience: Duration) -> io::Result<usize> {
        if !self.can_block {
            return Ok(usize::MAX);
        }
        let patience = Timespec::try_from(patience).map_err(|_| io::ErrorKind::InvalidInput)?;
        let mut asked = [PollFd::new(&self.file, PollFlags::OUT)];
        match poll(&mut asked, Some(&patience)) {
            Ok(0) | Err(rustix::io::Errno::INTR) => Ok(0),
            // A reader that went away counts as room: the write says so.
            Ok(_) => Ok(pipe_room(&self.file).unwrap_or(LEAST_ROOM)),
            Err(error) => Err(error.into()),
        }
    }

    fn width(&self) -> Option<u16> {
        self.width
    }
}

/// How many bytes a pipe takes in one write; `None` if it is not a pipe. The kernel keeps whole pages, and the first and the
/// last one that wait to be read may be partly used: so two are left out.
fn pipe_room(file: &File) -> Option<usize> {
    let size = rustix::pipe::fcntl_getpipe_size(file).ok()?;
    let waiting = usize::try_from(rustix::io::ioctl_fionread(file).ok()?).ok()?;
    let pages = (size / LEAST_ROOM).checked_sub(waiting / LEAST_ROOM + 2)?;
    Some((pages * LEAST_ROOM).max(LEAST_ROOM))
}

/// A stdout that could not be had: every write says so.
#[derive(Debug)]
struct Unavailable(io::ErrorKind);

impl Write for Unavailable {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(self.0.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Unavailable {
    fn room(&self, _: Duration) -> io::Result<usize> {
        Ok(usize::MAX)
    }

    fn width(&self) -> Option<u16> {
        None
    }
}

/// A stream that keeps what is written to it; clones share it.
#[derive(Debug, Clone, Default)]
pub struct Captured(Arc<Mutex<Vec<u8>>>);

impl Captured {
    /// All that was written, as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl Write for Captured {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Sink for Captured {
    fn room(&self, _: Duration) -> io::Result<usize> {
        Ok(usize::MAX)
    }

    fn width(&self) -> Option<u16> {
        None
    }
}
