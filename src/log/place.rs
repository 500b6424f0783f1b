//! Resolves the path of the log: a symbolic link is followed if root or this user made it, and a device is written
//! to.

use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use crate::secure_fs::PrivateError;
use crate::secure_fs::bounded;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// The most links in a row; more are a cycle.
const MOST_LINKS: usize = 8;

/// Opens the log to append to it. The path is the one to rotate, `None` for a device.
pub(super) fn open(path: &Path, access: Access) -> io::Result<(File, Option<PathBuf>)> {
    if ["/dev/", "/proc/"].iter().any(|folder| path.starts_with(folder)) {
        let device = OpenOptions::new().append(true).custom_flags(bounded::unblocking()).open(path)?;
        return Ok((device, None));
    }
    let path = resolve(path)?;
    let file = secure_fs::open(&path, Open::Append, access).map_err(io::Error::other)?;
    Ok((file, Some(path)))
}

/// The reason why nothing can be logged in `path`; `None` if the log works or can be created. Changes nothing.
pub fn problem(path: &Path) -> Option<String> {
    let shown = path.display();
    if ["/dev/", "/proc/"].iter().any(|folder| path.starts_with(folder)) {
        let opened = OpenOptions::new().append(true).custom_flags(bounded::unblocking()).open(path);
        return opened.err().map(|error| format!("cannot open {shown}: {error}"));
    }
    let path = match resolve(path) {
        Ok(path) => path,
        Err(error) => return Some(error.to_string()),
    };
    match secure_fs::is_file(&path) {
        Ok(true) => {
            let opened = OpenOptions::new().append(true).custom_flags(bounded::unblocking()).open(&path);
            opened.err().map(|error| format!("cannot write {}: {error}", path.display()))
        }
        Ok(false) => {
            let above = path.ancestors().skip(1).find(|folder| folder.exists()).unwrap_or(Path::new("/"));
            let right = rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK;
            let refused = rustix::fs::access(above, right).err();
            refused.map(|error| format!("{shown} cannot be made in {}: {}", above.display(), io::Error::from(error)))
        }
        Err(error) => Some(error.to_string()),
    }
}

/// The target of links that root or this user made.
fn resolve(path: &Path) -> io::Result<PathBuf> {
    let us = rustix::process::geteuid().as_raw();
    let mut path = path.to_owned();
    for _ in 0..MOST_LINKS {
        let found = match std::fs::symlink_metadata(&path) {
            Ok(found) if found.is_symlink() => found,
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
            _ => return Ok(path),
        };
        if ![0, us].contains(&found.uid()) {
            let refused = PrivateError::NotOurs { path, what: "a symbolic link of another user" };
            return Err(io::Error::other(refused));
        }
        let target = std::fs::read_link(&path)?;
        path = path.parent().unwrap_or(Path::new("/")).join(target);
    }
    Err(io::Error::other(PrivateError::NotOurs { path, what: "a symbolic link in a cycle" }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_link_is_followed_also_to_a_file_that_is_not_there_yet() {
        let root = tempfile::tempdir().unwrap();
        let (link, second, target) =
            (root.path().join("log"), root.path().join("b"), root.path().join("logs/real.log"));
        std::fs::create_dir(root.path().join("logs")).unwrap();
        symlink("b", &link).unwrap();
        symlink(&target, &second).unwrap();
        assert_eq!(problem(&link), None);
        let (_, rotated) = open(&link, Access::Owner).unwrap();
        assert_eq!((rotated.unwrap(), target.is_file()), (target.clone(), true));
        std::fs::remove_file(&second).unwrap();
        symlink("log", &second).unwrap();
        assert!(problem(&link).unwrap().contains("cycle"));
        if rustix::process::geteuid().is_root() {
            std::os::unix::fs::lchown(&link, Some(12_001), None).unwrap();
            assert!(problem(&link).unwrap().contains("a symbolic link of another user"));
            assert!(open(&link, Access::Owner).is_err());
        }
    }

    #[test]
    fn a_device_is_written_to_and_a_directory_is_named() {
        assert_eq!(problem(Path::new("/dev/null")), None);
        assert!(open(Path::new("/dev/null"), Access::Owner).unwrap().1.is_none());
        let root = tempfile::tempdir().unwrap();
        assert!(problem(root.path()).unwrap().ends_with("is a directory"));
    }
}
