//! The tally: one appended record for each lookup, cheap enough for the hit path.
//!
//! A lookup costs a few system calls and waits for no process; no record is counted twice, and none is lost while file
//! and disk are sound; a tally that cannot be written costs nothing but its counts, and that is said once.
//!
//! A writer holds a shared lock on the file for the length of one append, and appends only if the path still names
//! that file. The fold renames the file first and then waits for the lock alone: afterwards no process writes to it.

use crate::clock::UnixMillis;
use crate::lock::{self, Guard};
use crate::model::Resource;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use crate::state::error::StateError;
use crate::state::error::io_error;
use crate::state::lookup_record::LENGTH;
use crate::state::lookup_record::LookupOutcome;
use crate::state::lookup_record::LookupRecord;
use crate::state::lookup_record::cache_number;
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Above this many bytes nothing is appended: a million lookups that were not aggregated.
pub(super) const LIMIT: u64 = 32 * 1024 * 1024;
/// The name in the state directory.
pub(super) const NAME: &str = "tally";

/// Appends records for one cache directory; shared by the threads of a process. Opens its file at the first record.
#[derive(Debug)]
pub struct Tally {
    directory: PathBuf,
    path: PathBuf,
    access: Access,
    cache: u32,
    limit: u64,
    writer: Mutex<LookupLogWriter>,
}

#[derive(Debug, Default)]
struct LookupLogWriter {
    file: Option<(File, (u64, u64))>,
    said: bool,
}

impl Tally {
    /// The tally of a state directory, for lookups in the cache directory `cache`.
    pub fn new(directory: &Path, access: Access, cache: &Path) -> Tally {
        Tally {
            directory: directory.into(),
            path: directory.join(NAME),
            access,
            cache: cache_number(cache),
            limit: LIMIT,
            writer: Mutex::default(),
        }
    }

    /// Counts one lookup of `entry` (its address's id, also where there was none). Never fails: the first time that
    /// it cannot be written, the reason is given back, for a notice.
    pub fn record(&self, outcome: LookupOutcome, resource: Resource, entry: u64, now: UnixMillis) -> Option<String> {
        let bytes = LookupRecord { outcome, resource, count: 1, at: now, entry, cache: self.cache }.encode();
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let error = self.append(&mut writer, &bytes).err()?;
        if std::mem::replace(&mut writer.said, true) {
            return None;
        }
        let hint = error.hint().map(|hint| format!(": {hint}")).unwrap_or_default();
        Some(format!("{error}{hint}"))
    }

    fn append(&self, writer: &mut LookupLogWriter, bytes: &[u8; LENGTH]) -> Result<(), StateError> {
        // Each turn more means that a fold took the file away in between.
        for _ in 0..16 {
            let (file, identity) = match writer.file.take() {
                Some(open) => open,
                None => self.open()?,
            };
            // Where locks are not supported, at worst the records of the moment of a fold are lost.
            if matches!(lock::try_shared(&file, Guard::Tally), Ok(false)) {
                continue;
            }
            match std::fs::symlink_metadata(&self.path) {
                Ok(named) if (named.dev(), named.ino()) == identity => {
                    let appended = if named.len() < self.limit {
                        append_once(&file, bytes).map_err(io_error("append to", &self.path))
                    } else {
                        Err(StateError::TallyFull { path: self.path.clone() })
                    };
                    let _ = file.unlock();
                    writer.file = Some((file, identity));
                    return appended;
                }
                // Closing the file frees its lock.
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(io_error("look at", &self.path)(error)),
            }
        }
        let source = io::Error::other("it is taken away again and again");
        Err(io_error("append to", &self.path)(source))
    }

    fn open(&self) -> Result<(File, (u64, u64)), StateError> {
        let file = match secure_fs::open(&self.path, Open::Append, self.access) {
            Err(error) if error.is_absent() => {
                secure_fs::directory(&self.directory, self.access)?;
                secure_fs::open(&self.path, Open::Append, self.access)?
            }
            opened => opened?,
        };
        let found = file.metadata().map_err(io_error("look at", &self.path))?;
        Ok((file, (found.dev(), found.ino())))
    }
}

/// One write, so that records of several processes never mix.
fn append_once(mut file: &File, bytes: &[u8; LENGTH]) -> io::Result<()> {
    loop {
        match file.write(bytes) {
            Ok(LENGTH) => return Ok(()),
            Ok(_) => return Err(io::ErrorKind::StorageFull.into()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size(tally: &Tally) -> u64 {
        std::fs::metadata(&tally.path).map_or(0, |found| found.len())
    }

    fn hit(tally: &Tally) -> Option<String> {
        tally.record(LookupOutcome::Hit, Resource::User, 1, 1)
    }

    #[test]
    fn nothing_is_made_before_the_first_record() {
        let root = tempfile::tempdir().unwrap();
        let dir = root.path().join("state");
        let tally = Tally::new(&dir, Access::Owner, Path::new("/cache"));
        assert!(!dir.exists());
        assert_eq!((hit(&tally), hit(&tally)), (None, None));
        assert_eq!(size(&tally), 64);
        assert_eq!(std::fs::metadata(&tally.path).unwrap().mode() & 0o777, 0o600);
    }

    #[test]
    fn a_file_that_was_taken_away_is_not_written_to() {
        let root = tempfile::tempdir().unwrap();
        let tally = Tally::new(root.path(), Access::Owner, Path::new("/cache"));
        hit(&tally);
        let aside = root.path().join("aside");
        std::fs::rename(&tally.path, &aside).unwrap();
        hit(&Tally::new(root.path(), Access::Owner, Path::new("/cache")));
        hit(&tally);
        assert_eq!((size(&tally), std::fs::metadata(&aside).unwrap().len()), (64, 32));
        std::fs::remove_file(&tally.path).unwrap();
        hit(&tally);
        assert_eq!(size(&tally), 32);
    }

    #[test]
    fn what_cannot_be_written_is_said_once() {
        let root = tempfile::tempdir().unwrap();
        let tally = Tally::new(&root.path().join("state"), Access::Owner, Path::new("/cache"));
        std::fs::write(root.path().join("state"), "a file").unwrap();
        let said = hit(&tally).expect("a reason");
        assert!(said.contains("state"), "{said}");
        assert_eq!(hit(&tally), None);
    }

    #[test]
    fn a_full_tally_stops_growing_and_names_the_remedy() {
        let root = tempfile::tempdir().unwrap();
        let tally = Tally { limit: 96, ..Tally::new(root.path(), Access::Owner, Path::new("/cache")) };
        assert_eq!([hit(&tally), hit(&tally), hit(&tally)], [None, None, None]);
        let said = hit(&tally).expect("a reason");
        assert!(said.contains("is full") && said.contains("`awsideman cache cleanup`"), "{said}");
        assert_eq!((hit(&tally), size(&tally)), (None, 96));
    }
}
