//! The SMTP password, read from its file.
//!
//! Neighbours: `email.rs` asks for it right before a delivery. Promise: a file that others may read or write is
//! refused; the password is never part of an error.

use super::AlertError;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

const KEY: &str = "alerts.email.password_file";
/// Longer than any password, shorter than a file named by mistake.
const MOST_BYTES: u64 = 4_096;

/// The password in `path`, without the line break at its end. A symbolic link is followed, as secrets of containers are
/// links.
pub(super) fn read(path: &Path) -> Result<String, AlertError> {
    let shown = path.display();
    let fault = |problem: String, hint: String| AlertError::Setting { key: KEY, problem, hint };
    let unreadable = |error: std::io::Error| {
        fault(format!("cannot read {shown}: {error}"), "name a file that the user running awsideman can read".into())
    };
    // Judged before opening: opening a pipe would wait for its writer.
    if !std::fs::metadata(path).map_err(unreadable)?.is_file() {
        return Err(fault(format!("{shown} is not a file"), "name a file with the password in its only line".into()));
    }
    let file = std::fs::File::open(path).map_err(unreadable)?;
    let mode = file.metadata().map_err(unreadable)?.mode() & 0o7777;
    if mode & 0o006 != 0 {
        return Err(fault(
            format!("{shown} may be read or written by others (mode {mode:04o})"),
            format!("chmod 600 {shown}"),
        ));
    }
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    let password = text.strip_suffix('\n').map_or(text.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
    if password.is_empty() || text.len() as u64 > MOST_BYTES || password.contains(['\n', '\r', '\0']) {
        let problem = format!("{shown} does not hold one line with a password");
        return Err(fault(problem, "write the password alone into the file".into()));
    }
    Ok(password.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    #[test]
    fn a_private_file_gives_its_only_line_and_any_other_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("password");
        let with = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            read(&path)
        };
        assert_eq!(with("s3cret \n", 0o600).unwrap(), "s3cret ");
        assert_eq!(with("s3cret\r\n", 0o440).unwrap(), "s3cret");
        assert_eq!(with("s3cret", 0o400).unwrap(), "s3cret");
        for (text, mode, words) in [
            ("s3cret\n", 0o644, "may be read or written by others (mode 0644)"),
            ("\n", 0o600, "one line"),
            ("s3cret\nmore\n", 0o600, "one line"),
            (&"s3cret".repeat(1_000), 0o600, "one line"),
        ] {
            let error = with(text, mode).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
            assert!(!error.hint().is_empty());
        }
        assert!(read(root.path()).unwrap_err().to_string().contains("is not a file"));
        assert!(read(&root.path().join("none")).unwrap_err().to_string().starts_with(KEY));
    }
}
