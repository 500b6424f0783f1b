//! Who may use a directory, and how root keeps from making files that their owner could not use (`sudo -E`).

use crate::secure_fs::PrivateError;
use crate::secure_fs::io_error;
use std::fs::File;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// Who may use a directory of awsideman.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Access {
    /// The owner alone.
    #[default]
    Owner,
    /// The members of this group id.
    Group(u32),
    /// Root acts for this user, its owner: what root makes belongs to the owner.
    Delegate {
        /// The owner.
        uid: u32,
        /// The owner's group.
        gid: u32,
    },
}

impl Access {
    pub(crate) fn directory_mode(self) -> u32 {
        match self {
            Access::Owner | Access::Delegate { .. } => 0o700,
            Access::Group(_) => 0o2770,
        }
    }

    pub(crate) fn file_mode(self) -> u32 {
        match self {
            Access::Owner | Access::Delegate { .. } => 0o600,
            Access::Group(_) => 0o660,
        }
    }

    /// The access with which root changes what is in `path`: for the owner of the directory, or of the first directory
    /// above it that exists. Other users have their own access alone.
    #[must_use]
    pub fn to_change(self, path: &Path) -> Access {
        if self != Access::Owner || !rustix::process::geteuid().is_root() {
            return self;
        }
        let found = path.ancestors().find_map(|folder| std::fs::metadata(folder).ok());
        match found {
            Some(found) if found.uid() != 0 => Access::Delegate { uid: found.uid(), gid: found.gid() },
            _ => self,
        }
    }

    /// Whether modes are those of a single owner.
    pub(crate) fn is_private(self) -> bool {
        !matches!(self, Access::Group(_))
    }

    /// Gives a file that was just made to the owner for whom root acts.
    pub(crate) fn hand_over(self, file: &File, path: &Path) -> Result<(), PrivateError> {
        let Access::Delegate { uid, gid } = self else { return Ok(()) };
        std::os::unix::fs::fchown(file, Some(uid), Some(gid)).map_err(|source| io_error("give back", path, source))
    }
}

/// Keeps root from making files in a directory of another user, who could not use them afterwards (`sudo -E`).
pub(crate) fn expect_own_folder(path: &Path, access: Access) -> Result<(), PrivateError> {
    if access != Access::Owner || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    let above = path.ancestors().skip(1).find_map(|folder| {
        // A relative path of one component is in the working directory.
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        Some((folder, std::fs::metadata(folder).ok()?.uid()))
    });
    match above {
        Some((folder, owner)) if owner != 0 => Err(PrivateError::ForeignOwner { path: folder.into(), owner, us: 0 }),
        _ => Ok(()),
    }
}
