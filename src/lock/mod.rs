//! Locks between processes: every wait for one has a bound, ends early the second time, and is reported.

mod holder;
mod memory;
mod registry;
mod watch;

pub use holder::{Held, Holder, Process, RunState, of_file, of_record, stopped_hint};
pub use memory::{any, forget, patience, remember, restored};
pub use registry::Guard;
pub use watch::HolderWatch;

use std::fs::{File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// The target of events about waits for locks.
pub const LOCKS: &str = "awsideman::locks";
/// The pause between two attempts.
const POLL: Duration = Duration::from_millis(3);
/// Shorter waits are attempts: they are neither reported nor remembered.
const WORTH_REPORTING: Duration = Duration::from_millis(100);
/// A wait is printed when it has lasted this long.
const VISIBLE: Duration = Duration::from_secs(2);

/// Tries to lock a file for this process alone; `false` if another process has it.
#[expect(clippy::disallowed_methods, reason = "the one place that locks a file")]
pub fn try_exclusive(file: &File, _guard: Guard) -> io::Result<bool> {
    judged(file.try_lock())
}

/// Tries to share the lock of a file; `false` if another process has it alone.
#[expect(clippy::disallowed_methods, reason = "the one place that locks a file")]
pub fn try_shared(file: &File, _guard: Guard) -> io::Result<bool> {
    judged(file.try_lock_shared())
}

fn judged(tried: Result<(), TryLockError>) -> io::Result<bool> {
    match tried {
        Ok(()) => Ok(true),
        Err(TryLockError::WouldBlock) => Ok(false),
        Err(TryLockError::Error(error)) => Err(error),
    }
}

/// Locks the open file at `path`, waiting at most `most`; if another process still has it then, returns what is known
/// of that process.
pub fn acquire(file: &File, path: &Path, guard: Guard, most: Duration) -> io::Result<Result<(), Box<Held>>> {
    let mut wait = Wait::new(path, guard, most);
    loop {
        if try_exclusive(file, guard)? {
            wait.succeeded();
            return Ok(Ok(()));
        }
        if !wait.again() {
            return Ok(Err(wait.held()));
        }
    }
}

/// One bounded wait for the lock of a file.
#[derive(Debug)]
pub struct Wait {
    path: PathBuf,
    guard: Guard,
    most: Duration,
    begun: Instant,
    printed: bool,
}

impl Wait {
    /// A wait of at most `most`; no wait if this process already timed out on the same lock.
    pub fn new(path: &Path, guard: Guard, most: Duration) -> Wait {
        let most = memory::patience(path, most);
        Wait { path: path.into(), guard, most, begun: Instant::now(), printed: false }
    }

    /// A wait too short to be reported or remembered.
    pub fn brief(path: &Path, guard: Guard, most: Duration) -> Wait {
        Wait { path: path.into(), guard, most, begun: Instant::now(), printed: false }
    }

    /// Pauses before the next attempt; `false` when the wait is over: then it is reported, and remembered.
    pub fn again(&mut self) -> bool {
        let waited = self.begun.elapsed();
        let left = self.most.saturating_sub(waited);
        if left.is_zero() {
            if self.most >= WORTH_REPORTING && memory::remember(&self.path, Some(self.most)) {
                self.held().report(self.guard);
            }
            return false;
        }
        if waited >= VISIBLE && !self.printed {
            self.printed = true;
            let held = self.held();
            tracing::info!(target: LOCKS, "waiting for {}, which has {} locked", held.holder(), self.path.display());
        }
        std::thread::sleep(left.min(POLL));
        true
    }

    /// The lock was taken: the next wait for it has its whole time again.
    pub fn succeeded(&self) {
        memory::forget(&self.path);
    }

    /// The process that has the lock now.
    pub fn held(&self) -> Box<Held> {
        Box::new(Held::of_file(&self.path, self.begun.elapsed().min(self.most)))
    }
}

#[cfg(test)]
mod tests;
