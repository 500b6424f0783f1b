//! Gives a private directory and its content to a group, or back to its owner.
//!
//! All of it is looked at before anything is changed; a symlink, or what others may have written, is refused, so
//! that no link can open another user's file to a group.

use crate::secure_fs::Access;
use crate::secure_fs::PrivateError;
use crate::secure_fs::io_error;
use std::fs::Permissions;
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// One directory or file that is to become another's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Handover {
    /// What.
    pub path: PathBuf,
    /// Whether it is a directory that is made first.
    pub is_made: bool,
    /// Its mode then.
    pub mode: u32,
    /// Its group then; `None` leaves the one it has.
    pub group: Option<u32>,
}

impl Handover {
    /// Does it.
    pub fn carry_out(&self) -> Result<(), PrivateError> {
        if self.is_made {
            let made = std::fs::DirBuilder::new().recursive(true).mode(0o755).create(&self.path);
            made.map_err(|source| io_error("create", &self.path, source))?;
        }
        if let Some(gid) = self.group {
            std::os::unix::fs::lchown(&self.path, None, Some(gid))
                .map_err(|source| io_error("give a group to", &self.path, source))?;
        }
        std::fs::set_permissions(&self.path, Permissions::from_mode(self.mode))
            .map_err(|source| io_error("set the mode of", &self.path, source))
    }
}

/// What must be done so that `path` and all that is in it are for those of `access`; nothing is changed.
pub fn handovers(path: &Path, access: Access) -> Result<Vec<Handover>, PrivateError> {
    let group = match access {
        Access::Owner | Access::Delegate { .. } => None,
        Access::Group(gid) => Some(gid),
    };
    let mut found = Vec::new();
    match std::fs::symlink_metadata(path) {
        Ok(_) => look(path, access, group, &mut found)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            found.push(Handover { path: path.into(), is_made: true, mode: access.directory_mode(), group });
        }
        Err(source) => return Err(io_error("open", path, source)),
    }
    Ok(found)
}

fn look(path: &Path, access: Access, group: Option<u32>, found: &mut Vec<Handover>) -> Result<(), PrivateError> {
    let meta = std::fs::symlink_metadata(path).map_err(|source| io_error("open", path, source))?;
    let us = rustix::process::geteuid();
    if !meta.is_dir() && !meta.is_file() {
        let what = if meta.is_symlink() { "a symbolic link" } else { "neither a file nor a directory" };
        return Err(PrivateError::NotOurs { path: path.into(), what });
    }
    if meta.uid() != us.as_raw() && !us.is_root() {
        return Err(PrivateError::ForeignOwner { path: path.into(), owner: meta.uid(), us: us.as_raw() });
    }
    let mode = meta.mode() & 0o7777;
    let is_of_group = group.is_some_and(|gid| gid == meta.gid());
    if mode & 0o002 != 0 || (mode & 0o020 != 0 && !is_of_group && group.is_some()) {
        return Err(PrivateError::WritableByOthers { path: path.into(), mode });
    }
    let wanted = if meta.is_dir() { access.directory_mode() } else { access.file_mode() };
    if mode != wanted || (group.is_some() && !is_of_group) {
        found.push(Handover { path: path.into(), is_made: false, mode: wanted, group });
    }
    if meta.is_dir() {
        let fail = |source| io_error("read", path, source);
        for entry in std::fs::read_dir(path).map_err(fail)? {
            look(&entry.map_err(fail)?.path(), access, group, found)?;
        }
    }
    Ok(())
}

/// The first directory above `path` that members of a group cannot go through.
pub fn barrier(path: &Path, gid: u32) -> Option<PathBuf> {
    path.ancestors().skip(1).filter(|above| !above.as_os_str().is_empty()).find_map(|above| {
        let meta = std::fs::metadata(above).ok()?;
        let through = meta.mode() & 0o001 != 0 || (meta.gid() == gid && meta.mode() & 0o010 != 0);
        (!through).then(|| above.to_owned())
    })
}

/// Whether this process may act for a group.
pub fn is_member(gid: u32) -> bool {
    let own = rustix::process::getegid().as_raw() == gid;
    own || rustix::process::geteuid().is_root()
        || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|group| group.as_raw() == gid))
}
