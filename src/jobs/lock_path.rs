//! The names of a job's lock and of the files next to it.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use std::path::{Path, PathBuf};

/// The characters of a profile that stay as they are in a file name.
const PLAIN: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_');

/// The lock file of a job and profile below the state directory.
pub(super) fn path_of(state_dir: &Path, job: &str, profile: &str) -> PathBuf {
    let mut name = utf8_percent_encode(job, PLAIN).to_string();
    if !profile.is_empty() {
        name.push('@');
        name.extend(utf8_percent_encode(profile, PLAIN));
    }
    state_dir.join("locks").join(name)
}

/// The lock of the one run that may wait for the lock at `path`.
pub(super) fn queue_of(path: &Path) -> PathBuf {
    with_suffix(path, ".next")
}

/// The request to stop the holder of the lock at `path`.
pub(super) fn stop_path(path: &Path) -> PathBuf {
    with_suffix(path, ".stop")
}

pub(super) fn with_suffix(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_profile_has_a_lock_inside_the_directory() {
        let root = Path::new("/s");
        assert_eq!(path_of(root, "warm", ""), Path::new("/s/locks/warm"));
        assert_eq!(path_of(root, "warm", "a/../b c"), Path::new("/s/locks/warm@a%2F%2E%2E%2Fb%20c"));
        assert_ne!(path_of(root, "warm", "x"), path_of(root, "warm", "X"));
    }
}
