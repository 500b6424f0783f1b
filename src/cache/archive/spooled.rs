//! Copies an archive while it is judged, so that what is no archive ends at its first line, however long it is.

use super::super::CacheError;
use super::walk;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom, Write};

/// After so many bytes the free space of the file system is read.
const STEP: u64 = 16 * 1024 * 1024;
/// So much space stays free for others.
const LEFT_FREE: u64 = 256 * 1024 * 1024;

/// An archive that was verified to its last byte, in a private file.
#[derive(Debug)]
pub struct Verified {
    pub(super) file: File,
    pub(super) note: Option<serde_json::Value>,
}

impl Verified {
    /// Reads an archive into `spool`, an empty file, and verifies it.
    pub fn read(from: &mut dyn Read, mut spool: File) -> Result<Verified, CacheError> {
        let mut copying = Copying { from, spool: &mut spool, unchecked: 0 };
        let note = walk(&mut copying, &mut |_| Ok(()))?;
        spool.seek(SeekFrom::Start(0)).map_err(super::reading)?;
        Ok(Verified { file: spool, note })
    }
}

struct Copying<'a> {
    from: &'a mut dyn Read,
    spool: &'a mut File,
    unchecked: u64,
}

impl Read for Copying<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let read = self.from.read(buffer)?;
        self.spool.write_all(&buffer[..read])?;
        self.unchecked += read as u64;
        if self.unchecked >= STEP {
            self.unchecked = 0;
            let found = rustix::fs::fstatvfs(&*self.spool)?;
            if found.f_bavail.saturating_mul(found.f_frsize) < LEFT_FREE {
                let text = "the disk of the cache has less than 256 MB left, and the archive is longer than that";
                return Err(io::Error::new(io::ErrorKind::StorageFull, text));
            }
        }
        Ok(read)
    }
}
