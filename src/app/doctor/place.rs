//! Directories and the clock, looked at without touching them.
//!
//! Neighbours: `doctor.rs` asks; `private.rs` enforces what is only judged here. Promise: nothing is created, and no
//! mode is changed.

use super::Check;
use super::Level;
use crate::clock::{UnixMillis, utc};
use crate::host;
use crate::model::format_duration;
use crate::private::Access;
use rustix::fs::Access as Right;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// A clock that shows an earlier time than this (2026-01-01) was never set.
const BUILT: UnixMillis = 1_767_225_600_000;
/// Stamps may lie this far ahead: file systems and hosts round and drift.
const DRIFT: UnixMillis = 60_000;
/// Less free space than this is worth a word.
const LITTLE: u64 = 100 * 1024 * 1024;

/// One of our directories: there and ours, or to be made.
pub(super) fn directory(name: &str, path: &Path, access: Access) -> Check {
    let shown = path.display();
    let space = host::free_space(path).ok().map(|space| space.free);
    let room = space.map(|free| format!(", {} MB free", free / (1024 * 1024))).unwrap_or_default();
    let judged = match std::fs::symlink_metadata(path) {
        Ok(found) => {
            let (mode, us) = (found.mode() & 0o7777, rustix::process::geteuid().as_raw());
            let group = matches!(access, Access::Group(gid) if gid == found.gid());
            let plain = format!("{shown} (mode {mode:04o}{room})");
            if !found.is_dir() {
                Check::new(name, Level::Fail, format!("{shown} is not a directory"))
                    .hint("move it away, or name another directory in the configuration")
            } else if found.uid() != us && !group {
                Check::new(name, Level::Fail, format!("{shown} belongs to user {}, not to user {us}", found.uid()))
                    .hint("name a directory of your own in the configuration")
            } else if mode & 0o002 != 0 || (mode & 0o020 != 0 && !group) {
                Check::new(name, Level::Fail, format!("{shown} may be written by others (mode {mode:04o})"))
                    .hint(format!("take that right away with `chmod go-w '{shown}'`, after a look at what is in it"))
            } else if !may_write(path) {
                Check::new(name, Level::Fail, format!("{shown} cannot be written"))
                    .hint("change its rights, or name another directory in the configuration")
            } else if mode & 0o007 != 0 {
                Check::new(name, Level::Warn, format!("{plain}: others may read it"))
                    .hint("the next command that writes there takes that right away")
            } else {
                Check::new(name, Level::Ok, plain)
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match path.ancestors().find(|a| a.exists()) {
            Some(parent) if may_write(parent) => {
                Check::new(name, Level::Ok, format!("{shown} is made when it is needed{room}"))
            }
            parent => {
                let parent = parent.map_or_else(|| "/".into(), |parent| parent.display().to_string());
                Check::new(name, Level::Fail, format!("{shown} cannot be made: {parent} cannot be written"))
                    .hint("change its rights, or name another directory in the configuration")
            }
        },
        Err(error) => Check::new(name, Level::Fail, format!("{shown} cannot be looked at: {error}"))
            .hint("change its rights, or name another directory in the configuration"),
    };
    match space {
        Some(free) if free < LITTLE && judged.level == Level::Ok => {
            Check { level: Level::Warn, ..judged }.hint("make room: `df -h` shows that disk")
        }
        _ => judged,
    }
}

/// The clock: set, not moved, and not behind what was written here.
pub(super) fn clock(now: UnixMillis, offset: Duration, state: &Path) -> Check {
    if now < BUILT {
        return Check::new("clock", Level::Fail, format!("it shows {}, which is past", utc(now)))
            .hint("set it: AWS refuses calls that are signed with a wrong time");
    }
    if !offset.is_zero() {
        let message = format!("debug.clock_offset moves it by {}", format_duration(offset));
        return Check::new("clock", Level::Warn, message).hint("unset it outside tests");
    }
    let stamps = std::fs::read_dir(state).into_iter().flatten().flatten().filter_map(|entry| {
        let found = entry.metadata().ok()?;
        Some((found.mtime().saturating_mul(1_000), entry.file_name()))
    });
    match stamps.max() {
        Some((at, name)) if at > now.saturating_add(DRIFT) => Check::new(
            "clock",
            Level::Warn,
            format!("it shows {}, and {} was written at {}", utc(now), name.to_string_lossy(), utc(at)),
        )
        .hint("it was set back: check it; jobs count from what was recorded"),
        _ => Check::new("clock", Level::Ok, format!("{}, plausible", utc(now))),
    }
}

fn may_write(path: &Path) -> bool {
    rustix::fs::access(path, Right::WRITE_OK | Right::EXEC_OK).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_directory_is_judged_and_left_as_it_is() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("a/b");
        let judge = |path: &Path| directory("cache directory", path, Access::Owner).level;
        assert_eq!(judge(&path), Level::Ok);
        assert!(!path.exists());
        std::fs::create_dir_all(&path).unwrap();
        for (mode, level) in [(0o700, Level::Ok), (0o755, Level::Warn), (0o777, Level::Fail)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(judge(&path), level, "{mode:o}");
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(judge(&file), Level::Fail);
    }

    #[test]
    fn a_clock_that_was_never_set_or_set_back_is_told() {
        let root = tempfile::tempdir().unwrap();
        let at = |now| clock(now, Duration::ZERO, root.path()).level;
        assert_eq!(at(0), Level::Fail);
        assert_eq!(at(BUILT), Level::Ok);
        let file = std::fs::File::create(root.path().join("switch")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_767_225_600 + 600)).unwrap();
        assert_eq!(at(BUILT), Level::Warn);
        assert_eq!(at(BUILT + 600_000), Level::Ok);
        assert_eq!(clock(BUILT + 600_000, Duration::from_secs(5), root.path()).level, Level::Warn);
    }
}
