//! The ballast: room that is kept for the day on which the disk has none.
//!
//! It holds nothing, is never needed for an answer, and a disk on which there is no room for it goes without.

use super::Options;
use crate::secure_fs;
use crate::secure_fs::Open;
use std::path::PathBuf;

/// Its name in the cache directory.
const NAME: &str = "ballast";

/// Its size: a few dozen pages of the log, as much as a deletion of some entries writes.
const BYTES: u64 = 1024 * 1024;

/// It is laid where so many of it would fit.
const TIMES: u64 = 3;

fn path(options: &Options) -> PathBuf {
    options.dir.join(NAME)
}

/// Lays it where there is none, if there is room. Without it the day comes sooner, and nothing else.
pub(super) fn lay(options: &Options) {
    let path = path(options);
    if path.symlink_metadata().is_ok() {
        return;
    }
    let free = rustix::fs::statvfs(&options.dir).map(|found| found.f_bavail.saturating_mul(found.f_frsize));
    if free.unwrap_or(0) < TIMES * BYTES {
        return;
    }
    let Ok(file) = secure_fs::open(&path, Open::ReadWrite, options.access) else { return };
    // Room that is only promised, as in a file with a hole, would not be there when it is wanted.
    let filled = || std::io::copy(&mut std::io::Read::take(std::io::repeat(0), BYTES), &mut &file).is_ok();
    let laid = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, BYTES).is_ok() || filled();
    if !laid {
        let _ = std::fs::remove_file(&path);
    }
}

/// Frees the ballast; `false` when there is none to give.
pub(super) fn take_up(options: &Options) -> bool {
    std::fs::remove_file(path(options)).is_ok()
}
