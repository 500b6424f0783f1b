//! A switch without a byte of content, for a disk that has no room for one.
//!
//! A file of one fixed length without content takes no block, and its modification time is the end of the disabling. A
//! process that is killed on the way leaves a switch that counts as disabled without an end.

use super::disabled::{Disabled, FOREVER};
use crate::clock::{self, UnixMillis};
use crate::secure_fs;
use crate::secure_fs::{Access, Open};
use crate::state::error::{StateError, io_error};
use std::fs::File;
use std::path::Path;
use std::time::{Duration, SystemTime};

/// Its length: no JSON text has it by chance, and each byte reads as zero.
const LENGTH: u64 = 4_099;
/// The name in place of the one that could not be recorded.
const BY: &str = "a user whose name could not be recorded: the disk was full";

/// Makes the switch at `path` a blank one that ends at `until`; `false` when it holds until it is enabled.
pub(super) fn write(path: &Path, until: UnixMillis, access: Access) -> Result<bool, StateError> {
    let file = secure_fs::open(path, Open::ReadWrite, access)?;
    // An empty switch counts as disabled too.
    file.set_len(0).map_err(io_error("empty", path))?;
    if file.set_len(LENGTH).is_err() {
        return Ok(false);
    }
    if until >= FOREVER {
        return Ok(true);
    }
    let end =
        u64::try_from(until).ok().and_then(|until| SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(until)));
    Ok(end.is_some_and(|end| file.set_modified(end).is_ok()))
}

/// Who disabled the cache until when, if `text` is the content of a blank switch.
pub(super) fn read(file: &File, text: &[u8]) -> Option<Disabled> {
    if text.len() as u64 != LENGTH || text.iter().any(|byte| *byte != 0) {
        return None;
    }
    let found = file.metadata().ok()?;
    let millis = |time: SystemTime| time.duration_since(SystemTime::UNIX_EPOCH).map_or(0, clock::millis);
    let since = changed(&found);
    let end = found.modified().map_or(0, millis);
    // Without an end after its last change, a process was killed before it set one.
    Some(Disabled { since, until: if end > since { end } else { FOREVER }, reason: None, by: BY.into() })
}

fn changed(found: &std::fs::Metadata) -> UnixMillis {
    use std::os::unix::fs::MetadataExt;
    found.ctime().saturating_mul(1_000).saturating_add(found.ctime_nsec() / 1_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::{Clock, SystemClock};
    use crate::state::Switch;

    const HOUR: i64 = 3_600_000;

    #[test]
    fn a_blank_switch_ends_when_it_is_to_end_and_takes_no_block() {
        use std::os::unix::fs::MetadataExt;
        let root = tempfile::tempdir().unwrap();
        let (path, now) = (root.path().join("switch"), SystemClock::default().now());
        assert!(write(&path, now + HOUR, Access::Owner).unwrap());
        assert_eq!(std::fs::metadata(&path).unwrap().blocks(), 0);
        let (switch, problem) = Switch::read(root.path());
        assert_eq!(problem, None);
        let disabled = switch.disabled(now + HOUR - 1).unwrap();
        assert_eq!((disabled.until, &*disabled.by), (now + HOUR, BY));
        assert!(switch.disabled(now + HOUR).is_none());
        // A switch that was recorded is replaced whole.
        std::fs::write(&path, "x".repeat(100)).unwrap();
        assert!(write(&path, FOREVER, Access::Owner).unwrap());
        assert!(Switch::read(root.path()).0.disabled(now + 100 * HOUR).is_some());
    }

    #[test]
    fn a_blank_switch_whose_end_was_never_set_holds_until_it_is_enabled() {
        let root = tempfile::tempdir().unwrap();
        let file = File::create(root.path().join("switch")).unwrap();
        file.set_len(LENGTH).unwrap();
        let now = SystemClock::default().now();
        let (switch, problem) = Switch::read(root.path());
        assert_eq!((problem, switch.disabled(now).and_then(Disabled::end)), (None, None));
        assert!(switch.disabled(now + 1_000 * HOUR).is_some());
    }
}
