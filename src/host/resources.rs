//! The resources that a process needs from the operating system: descriptors, threads, file size, disk space.

use crate::model::format_size;
use rustix::process::{Resource, Signal, getrlimit};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, RwLock};
use std::thread;

/// Pairs of descriptors that a runtime and its first call need.
const PAIRS: usize = 4;
/// The most files that are compared to find the largest.
const FILES: usize = 10_000;

/// Checks that this process may open so many more descriptors.
pub fn check_descriptors(number: usize) -> io::Result<()> {
    (0..number.div_ceil(2)).map(|_| UnixStream::pair()).collect::<io::Result<Vec<_>>>().map(drop)
}

/// Checks that a runtime with so many threads can be made: the runtime panics where it gets no descriptor or no thread.
pub fn check_for_runtime(threads: usize) -> io::Result<()> {
    check_descriptors(2 * PAIRS)?;
    let gate = Arc::new(RwLock::new(()));
    let closed = gate.write();
    let started: io::Result<Vec<_>> = (0..threads)
        .map(|_| {
            let gate = Arc::clone(&gate);
            thread::Builder::new().name("probe".into()).spawn(move || drop(gate.read()))
        })
        .collect();
    drop(closed);
    for probe in started? {
        let _ = probe.join();
    }
    Ok(())
}

/// Lets a write fail where a file may not grow any more, which would end the process otherwise (SIGXFSZ).
pub fn fail_instead_of_ending_at_the_file_size_limit() {
    let reached = Arc::new(AtomicBool::new(false));
    if let Err(error) = signal_hook::flag::register(Signal::XFSZ.as_raw(), reached) {
        tracing::debug!(%error, "SIGXFSZ keeps its effect");
    }
}

/// The limit on the size of the files of this process, in bytes; `None` without a limit.
pub fn file_size_limit() -> Option<u64> {
    getrlimit(Resource::Fsize).current
}

/// What makes room on the disk of `path`: commands of ours, the largest file of ours in its directory, and what has run out.
pub fn room_hint(path: &Path, is_quota: bool) -> String {
    let directory = nearest_directory(path);
    let has_no_inodes = rustix::fs::statvfs(&directory).is_ok_and(|found| found.f_files > 0 && found.f_favail == 0);
    let (what, how) = match (is_quota, has_no_inodes) {
        (true, _) => (", where the quota of this user is used up", "`quota -s` shows it"),
        (false, true) => (", which has no free inodes", "delete files there, `df -i` counts them"),
        (false, false) => ("", "`df -h` shows it"),
    };
    let largest = largest_file(&directory).map_or_else(String::new, |(path, bytes)| {
        format!("; the largest file of awsideman there is {} ({})", path.display(), format_size(bytes))
    });
    format!(
        "make room on the disk of {}{what}: {how}; `awsideman cache enforce-limits` and `awsideman cache clear` free what the \
         cache holds{largest}",
        directory.display()
    )
}

fn nearest_directory(path: &Path) -> PathBuf {
    path.ancestors().find(|path| path.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// The file that takes the most room on the disk, and how much.
fn largest_file(directory: &Path) -> Option<(PathBuf, u64)> {
    let files = std::fs::read_dir(directory).ok()?.flatten().take(FILES);
    let sizes = files.filter_map(|entry| {
        let found = entry.metadata().ok().filter(std::fs::Metadata::is_file)?;
        Some((entry.path(), found.blocks().saturating_mul(512)))
    });
    sizes.max_by_key(|(_, bytes)| *bytes).filter(|(_, bytes)| *bytes > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hint_names_the_directory_the_commands_and_the_largest_file() {
        let root = tempfile::tempdir().unwrap();
        for (name, bytes) in [("small", 10), ("large", 100_000)] {
            std::fs::write(root.path().join(name), vec![b'x'; bytes]).unwrap();
        }
        let hint = room_hint(&root.path().join("not there/state.db"), false);
        for part in ["cache enforce-limits", "cache clear", &root.path().join("large").display().to_string()] {
            assert!(hint.contains(part), "{part}: {hint}");
        }
        assert!(room_hint(root.path(), true).contains("quota"));
    }

    #[test]
    fn a_host_with_room_gives_a_runtime_what_it_needs() {
        check_for_runtime(3).unwrap();
    }
}
