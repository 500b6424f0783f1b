//! Directories and files with the right owner and mode, opened without following a symlink.
//!
//! What awsideman creates is 0700 and 0600 (or 2770 and 0660 for a group) whatever the umask; such a directory
//! that others may write, or that belongs to another user, is refused; one that others may only read is tightened,
//! and a notice is returned. A right that the owner removed (as with `chmod 500`) is never restored.

mod access;
pub mod bounded;
mod ownership;

pub use access::Access;
pub use ownership::Handover;
pub use ownership::barrier;
pub use ownership::handovers;
pub use ownership::is_member;

use access::expect_own_folder;
use rustix::fs::OFlags;
use rustix::io::Errno;
use std::ffi::OsStr;
use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A directory or file that is not as it must be, or cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum PrivateError {
    /// The operating system says no.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `create`, `open`, `read`, `replace`.
        action: &'static str,
        /// The directory or file.
        path: PathBuf,
        /// The operating system's reason.
        source: io::Error,
    },
    /// Another user owns it.
    #[error("{} belongs to user {owner}, not to user {us}", path.display())]
    ForeignOwner {
        /// The directory.
        path: PathBuf,
        /// Its owner.
        owner: u32,
        /// Our effective user id.
        us: u32,
    },
    /// Others may write into it.
    #[error("{} may be written by others (mode {mode:04o})", path.display())]
    WritableByOthers {
        /// The directory.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// Others may read or write a file that is the owner's secret.
    #[error("{} may be read or written by others (mode {mode:04o})", path.display())]
    OpenToOthers {
        /// The file.
        path: PathBuf,
        /// Its mode.
        mode: u32,
    },
    /// A symlink or a file is in the place of a directory or file of awsideman.
    #[error("{} is {what}", path.display())]
    NotOurs {
        /// The path.
        path: PathBuf,
        /// `a symbolic link`, `not a directory`.
        what: &'static str,
    },
}

impl PrivateError {
    /// Whether this user may not write there.
    pub fn is_read_only(&self) -> bool {
        let PrivateError::Io { source, .. } = self else { return false };
        matches!(source.kind(), io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem)
    }

    /// Whether the disk has no room.
    pub fn is_full(&self) -> bool {
        matches!(self, PrivateError::Io { source, .. } if is_full(source))
    }

    /// Whether the path simply is not there.
    pub fn is_absent(&self) -> bool {
        matches!(self, PrivateError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
    }
}

/// What [`directory`] had to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prepared {
    /// It was there and in order.
    Found,
    /// It was made.
    Created,
    /// Others could read it, or the group could not use it (mode before); now it is as it must be.
    Tightened(u32),
}

/// Makes `path` (and its parents) a private directory, or checks that it is one.
///
/// The parents are created like ours but not judged; a symlink is followed up to the last component only.
pub fn directory(path: &Path, access: Access) -> Result<Prepared, PrivateError> {
    let Some(found) = judge(path, access)? else {
        expect_own_folder(path, access)?;
        // Members of a group must get through what is above their directory.
        let above = if access.is_private() { 0o700 } else { 0o755 };
        let missing: Vec<&Path> = path.ancestors().take_while(|folder| folder.symlink_metadata().is_err()).collect();
        let made = std::fs::DirBuilder::new().recursive(true).mode(above).create(path);
        made.map_err(|source| io_error("create", path, source))?;
        if let Access::Delegate { uid, gid } = access {
            for folder in missing.iter().rev() {
                std::os::unix::fs::lchown(folder, Some(uid), Some(gid))
                    .map_err(|source| io_error("give back", folder, source))?;
            }
        }
        set_mode(path, access.directory_mode(), access)?;
        return Ok(Prepared::Created);
    };
    let mode = found.mode() & 0o7777;
    let wanted = match access {
        Access::Owner | Access::Delegate { .. } => mode & 0o700,
        Access::Group(_) => access.directory_mode(),
    };
    // What is made in a directory of a group belongs to the group only where the directory says so.
    let judged = if access.is_private() { 0o777 } else { 0o7777 };
    let is_of_group = !matches!(access, Access::Group(gid) if gid != found.gid());
    if (mode & judged == wanted && is_of_group) || found.uid() != rustix::process::geteuid().as_raw() {
        return Ok(Prepared::Found);
    }
    set_mode(path, wanted, access)?;
    Ok(Prepared::Tightened(mode))
}

/// Checks that `path` is a private directory and changes nothing; `None` when it is not there.
pub fn judge(path: &Path, access: Access) -> Result<Option<Metadata>, PrivateError> {
    let Some(found) = metadata(path)? else { return Ok(None) };
    if !found.is_dir() {
        return Err(PrivateError::NotOurs { path: path.into(), what: "not a directory" });
    }
    let (mode, us) = (found.mode() & 0o7777, rustix::process::geteuid().as_raw());
    match access {
        Access::Owner | Access::Delegate { .. } => {
            let owner = if let Access::Delegate { uid, .. } = access { uid } else { us };
            if found.uid() != owner {
                return Err(PrivateError::ForeignOwner { path: path.into(), owner: found.uid(), us });
            }
            if mode & 0o022 != 0 {
                return Err(PrivateError::WritableByOthers { path: path.into(), mode });
            }
        }
        Access::Group(gid) => {
            if mode & 0o002 != 0 || (mode & 0o020 != 0 && found.gid() != gid) {
                return Err(PrivateError::WritableByOthers { path: path.into(), mode });
            }
            if found.uid() != us && found.gid() != gid {
                return Err(PrivateError::ForeignOwner { path: path.into(), owner: found.uid(), us });
            }
        }
    }
    Ok(Some(found))
}

/// The directory at `path`; `None` when nothing is. A link is followed if root or this user made it.
pub fn metadata(path: &Path) -> Result<Option<Metadata>, PrivateError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_symlink() => behind_link(path, &found).map(Some),
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(source) => Err(io_error("open", path, source)),
    }
}

/// The directory behind a link that root or this user made, as systemd makes one for `DynamicUser=`.
fn behind_link(path: &Path, link: &Metadata) -> Result<Metadata, PrivateError> {
    let refused = |what| PrivateError::NotOurs { path: path.into(), what };
    if ![0, rustix::process::geteuid().as_raw()].contains(&link.uid()) {
        return Err(refused("a symbolic link of another user"));
    }
    match std::fs::metadata(path) {
        Ok(found) => Ok(found),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Err(refused("a symbolic link to nothing")),
        Err(source) => Err(io_error("open", path, source)),
    }
}

/// How a private file is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Open {
    /// To read what is there.
    Read,
    /// To read and write; made when absent.
    ReadWrite,
    /// To append; made when absent.
    Append,
}

/// Opens a private file without waiting for another party; only a regular file is accepted, and no symbolic link.
pub fn open(path: &Path, how: Open, access: Access) -> Result<File, PrivateError> {
    if how != Open::Read {
        expect_own_folder(path, access)?;
    }
    // Through the C library, so that a test can let it fail (tests/coherence/faults).
    let mut options = OpenOptions::new();
    match how {
        Open::Read => options.read(true),
        Open::ReadWrite => options.read(true).write(true).create(true).truncate(false),
        Open::Append => options.append(true).create(true),
    };
    options.mode(access.file_mode()).custom_flags(OFlags::NOFOLLOW.bits().cast_signed() | bounded::unblocking());
    let file = match options.open(path) {
        Ok(file) => file,
        Err(error) if error.raw_os_error() == Some(Errno::LOOP.raw_os_error()) => {
            return Err(PrivateError::NotOurs { path: path.into(), what: "a symbolic link" });
        }
        // A pipe without a reader, or a socket.
        Err(error) if error.raw_os_error() == Some(Errno::NXIO.raw_os_error()) => {
            return Err(PrivateError::NotOurs { path: path.into(), what: "not a regular file" });
        }
        Err(error) => return Err(io_error("open", path, error)),
    };
    let found = file.metadata().map_err(|source| io_error("open", path, source))?;
    if !found.is_file() {
        return Err(PrivateError::NotOurs { path: path.into(), what: bounded::kind(&found) });
    }
    if how != Open::Read && matches!(access, Access::Delegate { .. }) && found.uid() == 0 {
        access.hand_over(&file, path)?;
    }
    if how != Open::Read && !access.is_private() {
        // The umask may have taken the group's bits; only the owner can give them back.
        if found.mode() & 0o777 != access.file_mode() {
            let _ = file.set_permissions(std::fs::Permissions::from_mode(access.file_mode()));
        }
    }
    Ok(file)
}

/// Whether a private file exists; anything but a regular file is refused.
pub fn is_file(path: &Path) -> Result<bool, PrivateError> {
    match std::fs::symlink_metadata(path) {
        Ok(found) if found.is_file() => Ok(true),
        Ok(found) => Err(PrivateError::NotOurs { path: path.into(), what: bounded::kind(&found) }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(source) => Err(io_error("open", path, source)),
    }
}

/// Creates an empty private file; `false` if it exists already.
pub fn create(path: &Path, access: Access) -> Result<bool, PrivateError> {
    expect_own_folder(path, access)?;
    match OpenOptions::new().write(true).create_new(true).mode(access.file_mode()).open(path) {
        Ok(file) => access.hand_over(&file, path).map(|()| true),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(false),
        Err(error) => Err(io_error("create", path, error)),
    }
}

/// The bytes of a small private file; `None` if it does not exist.
pub fn read(path: &Path) -> Result<Option<Vec<u8>>, PrivateError> {
    let file = match open(path, Open::Read, Access::Owner) {
        Ok(file) => file,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error),
    };
    bounded::whole(file, bounded::SIDE_FILE).map(Some).map_err(|source| io_error("read", path, source))
}

/// Replaces a private file atomically: readers see the old bytes or the new ones, also after a crash.
pub fn replace(path: &Path, bytes: &[u8], access: Access) -> Result<(), PrivateError> {
    expect_own_folder(path, access)?;
    let fail = |source| io_error("replace", path, source);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new()
        .prefix(".new-")
        .permissions(std::fs::Permissions::from_mode(access.file_mode()))
        .tempfile_in(folder)
        .map_err(fail)?;
    access.hand_over(new.as_file(), path)?;
    if !access.is_private() {
        new.as_file().set_permissions(std::fs::Permissions::from_mode(access.file_mode())).map_err(fail)?;
    }
    new.write_all(bytes).and_then(|()| new.as_file().sync_all()).map_err(fail)?;
    new.persist(path).map_err(|error| fail(error.error))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(fail)
}

/// A private file that has no name: gone with its last handle. Made in `folder`, so that a large answer lands on a
/// disk rather than in a memory file system.
pub fn unnamed(folder: &Path) -> Result<File, PrivateError> {
    tempfile::tempfile_in(folder).map_err(|source| io_error("create a temporary file in", folder, source))
}

/// The bytes of a file that is its owner's secret: ours, a plain file, of no use to others, and no longer than `most`. A
/// symbolic link is followed, as secrets of containers are links; what it leads to is judged.
pub fn secret(path: &Path, most: u64) -> Result<Vec<u8>, PrivateError> {
    let fail = |source| io_error("read", path, source);
    let file = OpenOptions::new().read(true).custom_flags(bounded::unblocking()).open(path).map_err(fail)?;
    let found = file.metadata().map_err(fail)?;
    if !found.is_file() {
        return Err(PrivateError::NotOurs { path: path.into(), what: "not a file" });
    }
    let (mode, us) = (found.mode() & 0o7777, rustix::process::geteuid().as_raw());
    if found.uid() != us {
        return Err(PrivateError::ForeignOwner { path: path.into(), owner: found.uid(), us });
    }
    if mode & 0o077 != 0 {
        return Err(PrivateError::OpenToOthers { path: path.into(), mode });
    }
    // Reserved in one allocation: a buffer that grows leaves copies behind.
    let mut bytes = Vec::with_capacity(usize::try_from(found.len().min(most)).unwrap_or(0) + 2);
    file.take(most).read_to_end(&mut bytes).map_err(fail)?;
    Ok(bytes)
}

/// Writes a new file that is its owner's secret; one that is there is never replaced.
pub fn keep_secret(path: &Path, bytes: &[u8]) -> Result<(), PrivateError> {
    use std::os::unix::fs::OpenOptionsExt;
    let fail = |source| io_error("create", path, source);
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(fail)?;
    }
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).map_err(fail)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(fail)
}

/// The group id behind a name, or the number itself.
pub fn group_id(name: &str) -> Option<u32> {
    if let Ok(number) = name.parse() {
        return Some(number);
    }
    let groups = bounded::bounded_text(Path::new("/etc/group"), bounded::HOST_FILE).ok()?;
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some(name)).then(|| fields.nth(1)?.parse().ok()).flatten()
    })
}

/// Replaces a world-readable file, whatever the umask; it is not in a private directory. What it
/// holds may be lost in a power cut, never half of it.
pub fn publish(path: &Path, bytes: &[u8]) -> Result<(), PrivateError> {
    let fail = |source| io_error("replace", path, source);
    let readable_by_all = std::fs::Permissions::from_mode(0o644);
    // The collector reads every *.prom: the new file has another name until it is whole.
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut new = tempfile::Builder::new().prefix(".awsideman-").suffix(".new").tempfile_in(folder).map_err(fail)?;
    new.as_file().set_permissions(readable_by_all).map_err(fail)?;
    new.write_all(bytes).map_err(fail)?;
    new.persist(path).map_err(|error| fail(error.error))?;
    Ok(())
}

/// The last component of a path, for messages.
pub fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(OsStr::new("")).to_string_lossy().into_owned()
}

/// Whether the operating system says that there is no room.
pub fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn set_mode(path: &Path, mode: u32, access: Access) -> Result<(), PrivateError> {
    if let Access::Group(gid) = access {
        std::os::unix::fs::chown(path, None, Some(gid)).map_err(|source| io_error("give a group to", path, source))?;
    }
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
        .map_err(|source| io_error("set the mode of", path, source))
}

fn io_error(action: &'static str, path: &Path, source: io::Error) -> PrivateError {
    PrivateError::Io { action, path: path.into(), source }
}

#[cfg(test)]
mod tests;
