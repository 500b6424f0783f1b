//! The lock of one job and profile. Its holder runs the job.
//!
//! It is a file lock on `locks/<job>` in the state directory, so the operating system releases it when its holder
//! ends.
//!
//! It is not `state::Lock`, which removes its file on release. This file stays, and its content changes while the
//! lock is held (waiting, then started).

use crate::clock::{self, UnixMillis};
use crate::jobs::error::JobError;
use crate::jobs::live::{self, LiveRun};
use crate::jobs::lock_path::{path_of, stop_path};
use crate::lock::{self, Guard, Process, RunState};
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::fs::File;
use std::io::{self, Seek, Write};
use std::path::{Path, PathBuf};

/// The right to run one job for one profile, until dropped.
#[derive(Debug)]
pub struct JobLock {
    file: File,
    path: PathBuf,
    access: Access,
}

/// The holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LockHolder {
    /// The process.
    pub pid: u32,
    /// Its host.
    pub host: String,
    /// The start time.
    pub since: UnixMillis,
    /// Whether its work has started; before, it waits for a slot.
    pub begun: bool,
}

impl LockHolder {
    /// Whether it is the same process. The time changes when its work starts.
    pub(super) fn is_same_process(&self, other: &LockHolder) -> bool {
        (self.pid, &self.host) == (other.pid, &other.host)
    }
}

/// A request of another process to the holder of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum StopRequest {
    /// A later run replaces it.
    Replace,
    /// `jobs cancel`, by this user.
    Cancel(String),
}

/// A stored cancel request. Only the run that it names obeys it.
#[derive(Debug, Serialize, Deserialize)]
struct CancelRequest {
    run: LockHolder,
    by: String,
}

impl fmt::Display for LockHolder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "held by pid {} on {} since {}", self.pid, self.host, clock::utc(self.since))
    }
}

impl JobLock {
    /// Takes the lock at `path`, or returns its holder if the holder is recorded.
    pub fn try_acquire(
        path: &Path,
        access: Access,
        holder: &LockHolder,
    ) -> Result<Result<JobLock, Option<LockHolder>>, JobError> {
        let fail = |source| JobError::Lock { path: path.into(), source };
        if let Some(folder) = path.parent() {
            secure_fs::directory(folder, access)?;
        }
        let file = secure_fs::open(path, Open::ReadWrite, access)?;
        if !lock::try_exclusive(&file, Guard::Job).map_err(fail)? {
            return Ok(Err(holder_of(path)));
        }
        write(&file, holder).map_err(fail)?;
        // A request that the previous holder did not read is not for this one.
        remove_stop_request(path);
        live::forget(path);
        Ok(Ok(JobLock { file, path: path.into(), access }))
    }

    /// Records that the work starts, and when.
    pub(super) fn begin(&self, holder: &LockHolder) -> Result<(), JobError> {
        let begun = LockHolder { begun: true, ..holder.clone() };
        write(&self.file, &begun).map_err(|source| JobError::Lock { path: self.path.clone(), source })
    }

    /// The request of another process to this one.
    pub(super) fn stop_request(&self) -> Option<StopRequest> {
        let words = secure_fs::read(&stop_path(&self.path)).ok()??;
        if words.is_empty() {
            return Some(StopRequest::Replace);
        }
        let request: CancelRequest = serde_json::from_slice(&words).ok()?;
        (Some(request.run) == holder_of(&self.path)).then_some(StopRequest::Cancel(request.by))
    }

    /// Publishes the progress of the run.
    pub(super) fn publish(&self, now: &LiveRun) -> Result<(), JobError> {
        live::write(&self.path, self.access, now)
    }
}

impl Drop for JobLock {
    fn drop(&mut self) {
        remove_stop_request(&self.path);
        live::forget(&self.path);
        // The name of a holder that is gone would mislead; the lock itself ends with the file.
        let _ = self.file.set_len(0);
    }
}

/// Whether a process holds the lock at `path`; `true` if that cannot be determined.
pub(super) fn is_held(path: &Path) -> bool {
    match secure_fs::open(path, Open::Read, Access::Owner) {
        Ok(file) => !matches!(lock::try_shared(&file, Guard::Job), Ok(true)),
        Err(error) => !error.is_absent(),
    }
}

/// The process that holds the lock at `path` now.
pub(super) fn holder(path: &Path) -> Option<LockHolder> {
    // A process that is gone leaves no name, or a name without a held lock.
    let held = holder_of(path)?;
    is_held(path).then_some(held)
}

/// The process that holds the lock at `path`, as the kernel numbers it in the namespace of this process; `None` for one
/// in another container, and if the kernel does not show it.
pub(super) fn pid_of_holder(path: &Path) -> Option<u32> {
    lock::of_file(path).map(|process| process.pid)
}

/// Requests that this holder of the lock at `path`, and no other, ends its run.
pub(super) fn request(path: &Path, access: Access, run: &LockHolder, by: &str) -> Result<(), JobError> {
    let request = CancelRequest { run: run.clone(), by: by.to_owned() };
    let words =
        serde_json::to_vec(&request).map_err(|error| JobError::Lock { path: path.into(), source: error.into() })?;
    Ok(secure_fs::replace(&stop_path(path), &words, access)?)
}

/// Requests that the holder of the lock at `path` stops.
pub(super) fn request_replacement(path: &Path, access: Access) -> Result<(), JobError> {
    secure_fs::open(&stop_path(path), Open::ReadWrite, access)?;
    Ok(())
}

/// The progress of the run of a job and profile; `None` if no process runs it, or it has just started.
pub fn live(state_dir: &Path, job: &str, profile: &str) -> Option<LiveRun> {
    let path = path_of(state_dir, job, profile);
    holder(&path)?;
    live::read(&path)
}

/// The process that runs this job and profile, if a signal or a debugger stopped it.
pub fn stopped(state_dir: &Path, job: &str, profile: &str) -> Option<Process> {
    lock::of_file(&path_of(state_dir, job, profile)).filter(|process| process.state == RunState::Stopped)
}

/// Whether a process runs this job and profile.
pub fn is_running(state_dir: &Path, job: &str, profile: &str) -> bool {
    holder(&path_of(state_dir, job, profile)).is_some()
}

fn write(mut file: &File, holder: &LockHolder) -> io::Result<()> {
    let words = serde_json::to_vec(holder)?;
    file.set_len(0)?;
    file.rewind()?;
    file.write_all(&words)
}

fn remove_stop_request(path: &Path) {
    // Usually there is none.
    let _ = std::fs::remove_file(stop_path(path));
}

fn holder_of(path: &Path) -> Option<LockHolder> {
    serde_json::from_slice(&secure_fs::read(path).ok()??).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn me() -> LockHolder {
        LockHolder { pid: 7, host: "here".into(), since: 1_000, begun: false }
    }

    #[test]
    fn a_second_process_gets_the_holder_and_a_dropped_lock_is_free() {
        let root = tempfile::tempdir().unwrap();
        let path = path_of(root.path(), "warm", "");
        let held = JobLock::try_acquire(&path, Access::Owner, &me()).unwrap().unwrap();
        let other = JobLock::try_acquire(&path, Access::Owner, &me()).unwrap().unwrap_err().unwrap();
        assert_eq!(other.to_string(), "held by pid 7 on here since 1970-01-01T00:00:01Z");
        held.begin(&me()).unwrap();
        let begun = JobLock::try_acquire(&path, Access::Owner, &me()).unwrap().unwrap_err();
        assert_eq!(begun, Some(LockHolder { begun: true, ..me() }));
        drop(held);
        assert!(JobLock::try_acquire(&path, Access::Owner, &me()).unwrap().is_ok());
    }

    #[test]
    fn a_replace_request_reaches_the_holder_and_not_its_successor() {
        let root = tempfile::tempdir().unwrap();
        let path = path_of(root.path(), "warm", "");
        let held = JobLock::try_acquire(&path, Access::Owner, &me()).unwrap().unwrap();
        assert_eq!(held.stop_request(), None);
        request_replacement(&path, Access::Owner).unwrap();
        assert_eq!(held.stop_request(), Some(StopRequest::Replace));
        drop(held);
        assert_eq!(JobLock::try_acquire(&path, Access::Owner, &me()).unwrap().unwrap().stop_request(), None);
    }

    #[test]
    fn a_cancel_request_ends_only_the_run_that_it_names() {
        let root = tempfile::tempdir().unwrap();
        let path = path_of(root.path(), "warm", "");
        let held = JobLock::try_acquire(&path, Access::Owner, &me()).unwrap().unwrap();
        let seen = holder(&path).unwrap();
        request(&path, Access::Owner, &seen, "ann@here").unwrap();
        assert_eq!(held.stop_request(), Some(StopRequest::Cancel("ann@here".into())));
        drop(held);
        assert_eq!(holder(&path), None);
        // The same process id, one run later: the request comes too late and ends nothing.
        let later = JobLock::try_acquire(&path, Access::Owner, &LockHolder { since: 2_000, ..me() }).unwrap().unwrap();
        request(&path, Access::Owner, &seen, "ann@here").unwrap();
        assert_eq!(later.stop_request(), None);
    }
}
