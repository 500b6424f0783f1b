//! Judges the cache directory and the state directory without touching them.
//!
//! Creates nothing and changes no mode; `secure_fs/mod.rs` enforces what this file only checks.

use crate::health::{DirectoryReading, Level};
use crate::host;
use crate::secure_fs;
use crate::secure_fs::Access;
use rustix::fs::Access as Right;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const MOVE: &str = "move it away, or name another directory in the configuration";
const CHOOSE: &str = "change its permissions, or name another directory in the configuration";

/// One of our directories: usable, or to be made.
pub(super) fn directory(name: &'static str, path: &Path, access: Access) -> DirectoryReading {
    let shown = path.display();
    let reading = |level, message: String, hint: &str| DirectoryReading { name, level, message, hint: hint.to_owned() };
    let free = host::free_space(path).map(|space| format!(", {} MB free", space.free / (1024 * 1024)));
    let free = free.unwrap_or_default();
    let found = match secure_fs::metadata(path) {
        Ok(Some(found)) => found,
        Ok(None) => {
            let parent = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
            return match refusal(parent) {
                None if parent.is_dir() => {
                    reading(Level::Ok, format!("{shown} is created when it is needed{free}"), "")
                }
                None => reading(
                    Level::Critical,
                    format!("{shown} cannot be made: {} is not a directory", parent.display()),
                    CHOOSE,
                ),
                Some(why) => reading(
                    Level::Critical,
                    format!("{shown} cannot be made: {} cannot be written ({why})", parent.display()),
                    CHOOSE,
                ),
            };
        }
        Err(error) => return reading(Level::Critical, error.to_string(), MOVE),
    };
    let (mode, us) = (found.mode() & 0o7777, rustix::process::geteuid().as_raw());
    let group = matches!(access, Access::Group(gid) if gid == found.gid());
    let plain = format!("{shown} (mode {mode:04o}{free})");
    if !found.is_dir() {
        reading(Level::Critical, format!("{shown} is not a directory"), MOVE)
    } else if found.uid() != us && !group {
        let message = format!("{shown} belongs to user {}, not to user {us}", found.uid());
        let hint = if us == 0 {
            format!("run it as the owner: `sudo -u '#{}' awsideman`, or name a directory of root's", found.uid())
        } else {
            format!("take it over with `sudo chown -R {us} '{shown}'`, or name your own directory in the configuration")
        };
        reading(Level::Critical, message, &hint)
    } else if mode & 0o002 != 0 || (mode & 0o020 != 0 && !group) {
        let hint = format!("remove that permission with `chmod go-w '{shown}'` after you check its contents");
        reading(Level::Critical, format!("{shown} may be written by others (mode {mode:04o})"), &hint)
    } else if let Some(why) = refusal(path) {
        reading(Level::Critical, format!("{shown} cannot be written ({why})"), CHOOSE)
    } else if mode & 0o007 != 0 {
        let hint = "the next command that writes there removes that permission";
        reading(Level::Warn, format!("{plain}: may be read by others"), hint)
    } else {
        reading(Level::Ok, plain, "")
    }
}

/// That a directory cannot be made or written, and why, as one sentence; `None` when it can.
pub fn unwritable(path: &Path) -> Option<String> {
    let shown = path.display();
    if path.exists() {
        return refusal(path).map(|why| format!("{shown} cannot be written ({why})"));
    }
    let parent = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    refusal(parent).map(|why| format!("{shown} cannot be made: {} cannot be written ({why})", parent.display()))
}

/// Why this user cannot write into a directory; `None` when it can.
fn refusal(path: &Path) -> Option<std::io::Error> {
    rustix::fs::access(path, Right::WRITE_OK | Right::EXEC_OK).err().map(Into::into)
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
        for (mode, level) in [(0o700, Level::Ok), (0o755, Level::Warn), (0o777, Level::Critical)] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(judge(&path), level, "{mode:o}");
            assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, mode);
        }
        let file = root.path().join("file");
        std::fs::write(&file, "").unwrap();
        assert_eq!(judge(&file), Level::Critical);
    }
}
