//! Which paths of `--out` name stdout.

use std::path::Path;

/// Whether a path is a name of stdout.
pub fn is_stdout(path: &Path) -> bool {
    ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"].iter().any(|name| path == Path::new(name))
}
