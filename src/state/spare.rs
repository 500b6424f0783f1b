//! The spare of the switch: a file of one page that takes the next switch where the disk has no byte free.
//!
//! Guarantee: its bytes are allocated before they are needed, and it replaces the switch by a rename, so that a reader sees
//! the old switch or the new one and never half of either.

use super::error::{StateError, io_error};
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use std::io::Write;
use std::path::{Path, PathBuf};

/// Its size: more than a switch has.
const BYTES: usize = 4096;

fn path_in(directory: &Path) -> PathBuf {
    directory.join("switch.spare")
}

/// Allocates the spare of a state directory where there is none. On a full disk there is none until there is room.
pub(super) fn allocate(directory: &Path, access: Access) {
    let path = path_in(directory);
    if path.symlink_metadata().is_ok() {
        return;
    }
    let allocated = secure_fs::open(&path, Open::ReadWrite, access)
        .is_ok_and(|mut file| file.write_all(&[b' '; BYTES]).and_then(|()| file.sync_all()).is_ok());
    if !allocated {
        let _ = std::fs::remove_file(&path);
    }
}

/// Puts `text` in place of the file `path` through the spare of its directory: needs no byte and no inode.
pub(super) fn replace(directory: &Path, path: &Path, text: &[u8], access: Access) -> Result<(), StateError> {
    let spare = path_in(directory);
    let found = spare.symlink_metadata().map_err(io_error("open", &spare))?;
    if !found.is_file() || found.len() < text.len() as u64 {
        return Err(io_error("use", &spare)(std::io::ErrorKind::StorageFull.into()));
    }
    let fail = || io_error("write", &spare);
    let mut file = secure_fs::open(&spare, Open::ReadWrite, access)?;
    file.write_all(text).and_then(|()| file.set_len(text.len() as u64)).map_err(fail())?;
    file.sync_all().map_err(fail())?;
    std::fs::rename(&spare, path).map_err(io_error("replace", path))?;
    // A switch that a power cut undoes is no worse than one that was not set.
    let _ = std::fs::File::open(directory).and_then(|folder| folder.sync_all());
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_spare_takes_the_place_of_the_switch_once() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("switch");
        assert!(replace(root.path(), &path, b"{}", Access::Owner).is_err());
        allocate(root.path(), Access::Owner);
        replace(root.path(), &path, b"{}", Access::Owner).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), b"{}");
        assert!(replace(root.path(), &path, b"{}", Access::Owner).is_err(), "there is none any more");
        allocate(root.path(), Access::Owner);
        let error = replace(root.path(), &path, &[b' '; BYTES + 1], Access::Owner).unwrap_err();
        assert!(error.to_string().contains("switch.spare"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), b"{}", "a switch that is longer is not half written");
    }
}
