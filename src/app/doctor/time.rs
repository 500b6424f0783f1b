//! Judges the clock of the host.

use crate::app::doctor::check::{Check, CheckLevel};
use crate::clock::{UnixMillis, utc};
use crate::model::format_duration;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// A clock that shows an earlier time than this (2026-01-01) was never set.
const BUILT: UnixMillis = 1_767_225_600_000;
/// Stamps may lie this far ahead: file systems and hosts round and drift.
const DRIFT: UnixMillis = 60_000;

/// The clock: set, not moved, and not behind what was written here.
pub(super) fn clock(now: UnixMillis, offset: i64, state: &Path) -> Check {
    if now < BUILT {
        return Check::new("clock", CheckLevel::Fail, format!("it shows {}, which is in the past", utc(now)))
            .hint("set the clock: AWS refuses calls that are signed with a wrong time");
    }
    if offset != 0 {
        let size = format_duration(Duration::from_millis(offset.unsigned_abs()));
        let message = format!("debug.clock_offset shifts it {size} {}", if offset < 0 { "back" } else { "ahead" });
        return Check::new("clock", CheckLevel::Warn, message).hint("unset it outside tests");
    }
    let stamps = std::fs::read_dir(state).into_iter().flatten().flatten().filter_map(|entry| {
        let found = entry.metadata().ok()?;
        Some((found.mtime().saturating_mul(1_000), entry.file_name()))
    });
    match stamps.max() {
        Some((at, name)) if at > now.saturating_add(DRIFT) => Check::new(
            "clock",
            CheckLevel::Warn,
            format!("it shows {}, and {} was written at {}", utc(now), name.to_string_lossy(), utc(at)),
        )
        .hint("the clock was set back: check it; schedules count from the recorded times"),
        _ => Check::new("clock", CheckLevel::Ok, format!("{}, plausible", utc(now))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_was_never_set_or_set_back_is_reported() {
        let root = tempfile::tempdir().unwrap();
        let at = |now| clock(now, 0, root.path()).level;
        assert_eq!(at(0), CheckLevel::Fail);
        assert_eq!(at(BUILT), CheckLevel::Ok);
        let file = std::fs::File::create(root.path().join("switch")).unwrap();
        file.set_modified(std::time::UNIX_EPOCH + Duration::from_secs(1_767_225_600 + 600)).unwrap();
        assert_eq!(at(BUILT), CheckLevel::Warn);
        assert_eq!(at(BUILT + 600_000), CheckLevel::Ok);
        assert_eq!(clock(BUILT + 600_000, 5_000, root.path()).level, CheckLevel::Warn);
    }
}
