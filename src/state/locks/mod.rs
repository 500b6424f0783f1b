//! Locks that free themselves when their holder dies, whatever becomes of pids, clocks and containers.
//!
//! At most one process of the host holds a lock; the kernel frees it with the process; a file that a killed process left
//! holds nothing; names never leave `<state>/locks`.
//!
//! A holder removes its file before it releases the lock, so that flights do not fill the directory. Therefore a process that gets a
//! lock checks that the path still names the file it locked, and begins again if not.

use super::error::{StateError, io_error};
use crate::clock::UnixMillis;
pub use crate::lock::Holder;
use crate::lock::Process;
use crate::lock::{self, Guard, Held, Wait};
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use std::fs::File;
use std::io::Write;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// [`is_held`] holds a shared lock for some microseconds; a single attempt lasts this long, so as not to mistake it.
const BRIEF: Duration = Duration::from_millis(6);
/// The longest name that is kept readable; file systems take 255 bytes.
const LONGEST: usize = 200;

/// A held lock; dropping it releases the lock.
#[derive(Debug)]
pub struct FileLock {
    file: File,
    path: PathBuf,
}

impl FileLock {
    /// Takes the lock `name` of the state directory; `None` if another process has it, after some milliseconds. Any text
    /// is a name.
    pub fn try_acquire(
        directory: &Path,
        access: Access,
        (name, guard): (&str, Guard),
        now: UnixMillis,
    ) -> Result<Option<FileLock>, StateError> {
        let path = prepare(directory, access, name)?;
        let mut wait = Wait::brief(&path, guard, BRIEF);
        loop {
            match attempt(&path, guard, access, now)? {
                None if wait.again() => {}
                done => return Ok(done),
            }
        }
    }

    /// Takes the lock file at `path`, whose directory exists, waiting for it at most `most`. Blocks the thread.
    pub(super) fn wait_for(
        path: &Path,
        guard: Guard,
        access: Access,
        most: Duration,
        now: UnixMillis,
    ) -> Result<Result<FileLock, Box<Held>>, StateError> {
        let mut wait = Wait::new(path, guard, most);
        loop {
            if let Some(lock) = attempt(path, guard, access, now)? {
                wait.succeeded();
                return Ok(Ok(lock));
            }
            if !wait.again() {
                return Ok(Err(wait.held()));
            }
        }
    }

    /// Lets a process that waits see that the work goes on.
    pub fn progress(&self) {
        // One byte more: its number is what counts, so no reader meets half of it. A full disk keeps no process from its
        // work; those that wait then end their wait sooner.
        let _ = (&self.file).write_all(b".");
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Still locked here: no other process can hold the file that the path names.
        if names(&self.path, &self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether a process holds the lock `name` now.
pub fn is_held(directory: &Path, name: &str) -> Result<bool, StateError> {
    held(&path_of(directory, name))
}

/// The process that holds the lock `name` now; `None` if none does.
pub fn holder(directory: &Path, name: &str) -> Result<Option<Holder>, StateError> {
    let path = path_of(directory, name);
    let found = secure_fs::open(&path, Open::Read, Access::Owner).ok().and_then(Holder::read);
    Ok(held(&path)?.then(|| found.unwrap_or_default()))
}

/// How far the holder of the lock `name` is: a number that grows with its work.
pub(super) fn progress(directory: &Path, name: &str) -> u64 {
    std::fs::symlink_metadata(path_of(directory, name)).map_or(0, |found| found.len())
}

/// The process that holds the lock `name`, as the kernel shows it.
pub(super) fn process(directory: &Path, name: &str) -> Option<Process> {
    lock::of_file(&path_of(directory, name))
}

/// Whether `path` (still) names the open file `file`.
pub(super) fn names(path: &Path, file: &File) -> bool {
    let (Ok(named), Ok(open)) = (std::fs::symlink_metadata(path), file.metadata()) else { return false };
    (named.dev(), named.ino()) == (open.dev(), open.ino())
}

fn held(path: &Path) -> Result<bool, StateError> {
    let file = match secure_fs::open(path, Open::Read, Access::Owner) {
        Ok(file) => file,
        Err(error) if error.is_absent() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    let shared = lock::try_shared(&file, Guard::Flight).map_err(io_error("lock", path))?;
    Ok(!shared)
}

fn path_of(directory: &Path, name: &str) -> PathBuf {
    directory.join("locks").join(encode(name))
}

fn prepare(directory: &Path, access: Access, name: &str) -> Result<PathBuf, StateError> {
    secure_fs::directory(directory, access)?;
    secure_fs::directory(&directory.join("locks"), access)?;
    Ok(path_of(directory, name))
}

fn attempt(path: &Path, guard: Guard, access: Access, now: UnixMillis) -> Result<Option<FileLock>, StateError> {
    // Each turn more means that a holder let go between our opening and our locking.
    for _ in 0..16 {
        let mut file = secure_fs::open(path, Open::ReadWrite, access)?;
        if !lock::try_exclusive(&file, guard).map_err(io_error("lock", path))? {
            return Ok(None);
        }
        if names(path, &file) {
            // For messages only: a full disk keeps no process from a lock.
            let _ = Holder::this_process(now).write(&mut file);
            return Ok(Some(FileLock { file, path: path.into() }));
        }
    }
    Ok(None)
}

/// One path component for any name: letters, digits, `-`, `_` and inner dots stay, the rest is percent-encoded; what is
/// too long or empty becomes `~` and a digest. Two names never share a component.
fn encode(name: &str) -> String {
    let mut text = String::with_capacity(name.len());
    for (at, byte) in name.bytes().enumerate() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_') || (byte == b'.' && at > 0) {
            text.push(char::from(byte));
        } else {
            text.extend(['%', hex(byte >> 4), hex(byte & 15)]);
        }
    }
    if text.is_empty() || text.len() > LONGEST {
        return format!("~{:032x}", xxhash_rust::xxh3::xxh3_128(name.as_bytes()));
    }
    text
}

fn hex(nibble: u8) -> char {
    char::from_digit(nibble.into(), 16).unwrap_or('0').to_ascii_uppercase()
}

#[cfg(test)]
mod tests;
