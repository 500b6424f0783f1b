//! Where data goes: stdout, or the file of `--out`.
//!
//! A file is written next to its place with mode 0600 and takes the place only when all is written; a device or pipe
//! that was named is written to directly.

use crate::cli::environment::{Descriptor, Sink};
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::shown;
use crate::secure_fs::bounded;
use std::fs::{File, OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// How long a pipe may have no reader.
const READER_WAIT: Duration = Duration::from_secs(5);

/// Where data goes.
pub(super) enum Destination {
    Stdout(Box<dyn Sink>),
    File(PathBuf, Option<OutFile>),
}

/// An open `--out`.
pub(super) enum OutFile {
    /// A file that can be made, and its name: until there is something to write, nothing is created if the run is stopped.
    Due(PathBuf),
    /// A new file, under a temporary name until it is complete, and the name it gets.
    New(NamedTempFile, PathBuf),
    /// A device or pipe.
    Device(Descriptor),
}

impl Destination {
    /// The file of `--out`; nothing is opened yet.
    pub(super) fn file(path: PathBuf) -> Destination {
        Destination::File(path, None)
    }

    /// The width of the terminal it is, if it is one.
    pub(super) fn width(&self) -> Option<u16> {
        match self {
            Destination::Stdout(sink) => sink.width(),
            Destination::File(..) => None,
        }
    }

    /// What to write to.
    pub(super) fn writer(&mut self) -> Result<&mut dyn Sink, CliError> {
        match self {
            Destination::Stdout(sink) => Ok(sink.as_mut()),
            Destination::File(path, place) => {
                let opened = match place.take() {
                    Some(open) => open,
                    None => OutFile::open(path).map_err(|error| refused(path, &error))?,
                };
                Ok(place.insert(opened))
            }
        }
    }

    /// Puts the file in its place.
    pub(super) fn finish(self) -> Result<(), CliError> {
        match self {
            Destination::Stdout(mut sink) => sink.flush().map_err(|error| CliError::writing(&error)),
            Destination::File(path, Some(OutFile::Due(at))) => {
                let new = temporary_next_to(&at).map_err(|error| refused(&path, &error))?;
                new.persist(at).map(drop).map_err(|error| refused(&path, &error.error))
            }
            Destination::File(path, Some(OutFile::New(new, at))) => {
                new.as_file().sync_all().map_err(|error| refused(&path, &error))?;
                new.persist(at).map(drop).map_err(|error| refused(&path, &error.error))
            }
            Destination::File(_, Some(OutFile::Device(mut device))) => {
                device.flush().map_err(|error| CliError::writing(&error))
            }
            Destination::File(_, None) => Ok(()),
        }
    }
}

impl OutFile {
    fn open(path: &Path) -> io::Result<OutFile> {
        match std::fs::metadata(path) {
            Ok(found) if found.is_dir() => return Err(io::ErrorKind::IsADirectory.into()),
            Ok(found) if !found.is_file() => return Ok(OutFile::Device(Descriptor::new(device(path)?, None))),
            // A file that another program opened and passed on: it is added to, as a shell does with `>&3`.
            Ok(_) if ["/dev/", "/proc/"].iter().any(|folder| path.starts_with(folder)) => {
                return Ok(OutFile::Device(Descriptor::new(OpenOptions::new().append(true).open(path)?, None)));
            }
            Ok(_) | Err(_) => {}
        }
        // A symlink that was named keeps pointing: the file behind it is replaced.
        let at = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
        // Whether it can be made is known before anybody is asked; it is made when there is something to write.
        temporary_next_to(&at).map(drop)?;
        Ok(OutFile::Due(at))
    }
}

/// Opens a device or pipe to write to it. A pipe may get its reader a little later.
fn device(path: &Path) -> io::Result<File> {
    let end = Instant::now() + READER_WAIT;
    loop {
        match OpenOptions::new().write(true).custom_flags(bounded::unblocking()).open(path) {
            Ok(device) => {
                bounded::wait_in_writes(&device)?;
                return Ok(device);
            }
            Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NXIO.raw_os_error()) => {
                if Instant::now() >= end {
                    let what = format!("no program read from the pipe within {} s", READER_WAIT.as_secs());
                    return Err(io::Error::new(io::ErrorKind::TimedOut, what));
                }
                std::thread::sleep(Duration::from_millis(50));
            }
            Err(error) => return Err(error),
        }
    }
}

/// A new private file in the folder of `at`.
fn temporary_next_to(at: &Path) -> io::Result<NamedTempFile> {
    let folder = at.parent().filter(|folder| !folder.as_os_str().is_empty());
    tempfile::Builder::new()
        .prefix(".awsideman-out-")
        .permissions(Permissions::from_mode(0o600))
        .tempfile_in(folder.unwrap_or(Path::new(".")))
}

impl Write for OutFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let OutFile::Due(at) = self {
            *self = OutFile::New(temporary_next_to(at)?, std::mem::take(at));
        }
        match self {
            OutFile::Due(_) => Ok(0),
            OutFile::New(file, _) => file.write(bytes),
            OutFile::Device(device) => device.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            OutFile::Due(_) => Ok(()),
            OutFile::New(file, _) => file.flush(),
            OutFile::Device(device) => device.flush(),
        }
    }
}

impl Sink for OutFile {
    fn room(&self, patience: Duration) -> io::Result<usize> {
        match self {
            OutFile::Due(_) | OutFile::New(..) => Ok(usize::MAX),
            OutFile::Device(device) => device.room(patience),
        }
    }

    fn width(&self) -> Option<u16> {
        None
    }
}

fn refused(path: &Path, error: &io::Error) -> CliError {
    // The name of the file that is to take the place is nothing that anybody typed.
    let error = error.to_string();
    let error = error.split_once(" at path ").map_or(error.as_str(), |(reason, _)| reason);
    CliError::new(Code::Failed, format!("--out: cannot write {}: {error}", shown(path)))
        .hint("name a file in a directory that exists and that you may write")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_that_is_ended_before_it_writes_leaves_nothing_behind() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("users.csv");
        let names = || std::fs::read_dir(folder.path()).unwrap().count();
        let mut target = Destination::file(at.clone());
        target.writer().unwrap();
        assert_eq!(names(), 0, "a killed process could not take it away");
        target.writer().unwrap().write_all(b"a").unwrap();
        assert_eq!((names(), at.exists()), (1, false));
        target.finish().unwrap();
        assert_eq!((names(), std::fs::read(&at).unwrap().as_slice()), (1, b"a".as_slice()));
    }

    #[test]
    fn an_empty_answer_makes_an_empty_file_of_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path().join("users.jsonl");
        let mut target = Destination::file(at.clone());
        target.writer().unwrap();
        target.finish().unwrap();
        let found = std::fs::metadata(&at).unwrap();
        assert_eq!((found.len(), found.permissions().mode() & 0o777), (0, 0o600));
    }
}
