//! Locks that free themselves when their holder dies, whatever becomes of pids, clocks and containers.
//!
//! Neighbours: this room's own for the switch, the fold and a new `state.db`; rooms above take theirs by name through
//! `directory.rs`. A job's lock says more than this one can and is `jobs/`'s own. Promise: at most one holder on the
//! host; the kernel frees the lock with the process; a lock file left behind by the dead holds nothing; names never
//! leave `<state>/locks`.
//!
//! A holder removes its file before it lets go, so that flights do not fill the directory. Therefore whoever gets a
//! lock checks that the path still names the file it locked, and begins again if not.

use super::error::{StateError, io_error};
use crate::clock::{self, UnixMillis};
use crate::private::{self, Access, Open};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::{File, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How long to wait between two looks at a lock that is held.
const POLL: Duration = Duration::from_millis(3);
/// [`is_held`] holds a shared lock for some microseconds; a single try looks this often, so as not to mistake it.
const LOOKS: u32 = 3;
/// The longest name that is kept readable; file systems take 255 bytes.
const LONGEST: usize = 200;

/// Who holds a lock.
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

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.pid == 0 {
            return f.write_str("another process");
        }
        write!(f, "process {} on {} since {}", self.pid, self.host, clock::utc(self.since))
    }
}

/// A lock that is held; dropping it lets go.
#[derive(Debug)]
pub struct Lock {
    file: File,
    path: PathBuf,
}

impl Lock {
    /// Takes the lock `name` of the state directory; `None` when somebody holds it, after some milliseconds. Any text is
    /// a name.
    pub fn try_acquire(
        directory: &Path,
        access: Access,
        name: &str,
        now: UnixMillis,
    ) -> Result<Option<Lock>, StateError> {
        let path = prepare(directory, access, name)?;
        for look in 0..LOOKS {
            if look > 0 {
                std::thread::sleep(POLL);
            }
            if let Some(lock) = attempt(&path, access, now)? {
                return Ok(Some(lock));
            }
        }
        Ok(None)
    }

    /// Takes the lock `name`, waiting for it at most `wait`; `None` when it is still held then. Blocks the thread.
    pub fn acquire(
        directory: &Path,
        access: Access,
        name: &str,
        wait: Duration,
        now: UnixMillis,
    ) -> Result<Option<Lock>, StateError> {
        Lock::wait_for(&prepare(directory, access, name)?, access, wait, now)
    }

    /// The same for a lock file of this room's own, whose directory exists.
    pub(super) fn wait_for(
        path: &Path,
        access: Access,
        wait: Duration,
        now: UnixMillis,
    ) -> Result<Option<Lock>, StateError> {
        let began = Instant::now();
        loop {
            if let Some(lock) = attempt(path, access, now)? {
                return Ok(Some(lock));
            }
            let left = wait.saturating_sub(began.elapsed());
            if left.is_zero() {
                return Ok(None);
            }
            std::thread::sleep(left.min(POLL));
        }
    }

    /// The error for a lock file of this room's own that stayed held.
    pub(super) fn busy(path: &Path) -> StateError {
        let holder = read_holder(path).unwrap_or_default().to_string();
        StateError::Busy { path: path.into(), holder }
    }
}

impl Drop for Lock {
    fn drop(&mut self) {
        // Still locked here: nobody else can hold the file that the path names.
        if names(&self.path, &self.file) {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Whether somebody holds the lock `name` now.
pub fn is_held(directory: &Path, name: &str) -> Result<bool, StateError> {
    held(&directory.join("locks").join(encode(name)))
}

/// Who holds the lock `name` now; `None` when nobody does.
pub fn holder(directory: &Path, name: &str) -> Result<Option<Holder>, StateError> {
    let path = directory.join("locks").join(encode(name));
    let found = read_holder(&path);
    Ok(held(&path)?.then(|| found.unwrap_or_default()))
}

/// Whether `path` (still) names the open file `file`.
pub(super) fn names(path: &Path, file: &File) -> bool {
    let (Ok(named), Ok(open)) = (std::fs::symlink_metadata(path), file.metadata()) else { return false };
    (named.dev(), named.ino()) == (open.dev(), open.ino())
}

fn held(path: &Path) -> Result<bool, StateError> {
    let file = match private::open(path, Open::Read, Access::Owner) {
        Ok(file) => file,
        Err(error) if error.is_absent() => return Ok(false),
        Err(error) => return Err(error.into()),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(source)) => Err(io_error("lock", path)(source)),
    }
}

fn prepare(directory: &Path, access: Access, name: &str) -> Result<PathBuf, StateError> {
    let locks = directory.join("locks");
    private::directory(directory, access)?;
    private::directory(&locks, access)?;
    Ok(locks.join(encode(name)))
}

fn attempt(path: &Path, access: Access, now: UnixMillis) -> Result<Option<Lock>, StateError> {
    // Each turn more means that a holder let go between our opening and our locking.
    for _ in 0..16 {
        let mut file = private::open(path, Open::ReadWrite, access)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Ok(None),
            Err(TryLockError::Error(source)) => return Err(io_error("lock", path)(source)),
        }
        if names(path, &file) {
            // For messages only: a full disk does not keep anybody from a lock.
            let _ = write_holder(&mut file, now);
            return Ok(Some(Lock { file, path: path.into() }));
        }
    }
    Ok(None)
}

fn write_holder(file: &mut File, since: UnixMillis) -> std::io::Result<()> {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let text = serde_json::to_vec(&Holder { pid: std::process::id(), host, since })?;
    file.set_len(0)?;
    file.write_all(&text)
}

fn read_holder(path: &Path) -> Option<Holder> {
    let mut text = Vec::new();
    private::open(path, Open::Read, Access::Owner).ok()?.take(4096).read_to_end(&mut text).ok()?;
    serde_json::from_slice(&text).ok()
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
