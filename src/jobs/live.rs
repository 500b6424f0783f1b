//! The progress of a run, for `jobs logs` in other processes.
//!
//! It is a file next to the job's lock. The holder writes it while it runs, and removes it when it releases the lock.

use crate::jobs::error::JobError;
use crate::jobs::lock_path::with_suffix;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use serde::{Deserialize, Serialize};
use std::io::{Seek, Write};
use std::path::{Path, PathBuf};

/// The progress of a run.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct LiveRun {
    /// AWS calls so far.
    pub calls: u64,
    /// The work in progress (`users, 40 of 120`).
    pub doing: Option<String>,
    /// What it waits for (`AWS, ListUsers, for 12s`).
    pub waits_for: Option<String>,
}

/// The progress that is stored next to the lock at `path`.
pub(super) fn read(path: &Path) -> Option<LiveRun> {
    // The holder may be writing it at this moment.
    (0..3).find_map(|_| serde_json::from_slice(&secure_fs::read(&place(path)).ok()??).ok())
}

/// Writes the progress for the lock at `path`.
pub(super) fn write(path: &Path, access: Access, live: &LiveRun) -> Result<(), JobError> {
    let place = place(path);
    let fail = |source| JobError::Lock { path: place.clone(), source };
    let mut file = secure_fs::open(&place, Open::ReadWrite, access)?;
    let words = serde_json::to_vec(live).map_err(|error| fail(error.into()))?;
    file.set_len(0).and_then(|()| file.rewind()).and_then(|()| file.write_all(&words)).map_err(fail)
}

pub(super) fn forget(path: &Path) {
    // A run that ended within a second has no such file.
    let _ = std::fs::remove_file(place(path));
}

fn place(path: &Path) -> PathBuf {
    with_suffix(path, ".now")
}
