//! Sends mail through the host's `sendmail`.
//!
//! Guarantee: the program is found outside cron's short PATH. Addresses are arguments after `--`. It is killed at the
//! timeout.

use super::error::NO_SENDMAIL;
use super::hidden::Hidden;
use crate::alerts::error::AlertError;
use crate::program::{Environment, ProgramSpec};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The locations of `sendmail` outside PATH.
const USUAL: [&str; 4] = ["/usr/sbin/sendmail", "/usr/lib/sendmail", "/usr/bin/sendmail", "/usr/local/sbin/sendmail"];

/// The host's `sendmail`.
pub(super) fn find() -> Result<PathBuf, AlertError> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let named = std::env::split_paths(&path).map(|folder| folder.join("sendmail"));
    let mut candidates = named.chain(USUAL.map(PathBuf::from));
    candidates
        .find(|candidate| candidate.is_absolute() && candidate.is_file())
        .ok_or_else(|| AlertError::Sendmail(NO_SENDMAIL.into()))
}

/// Passes `mail` to `program` for these recipients.
pub(super) fn send(
    program: &Path,
    from: &str,
    to: &[String],
    mail: &[u8],
    timeout: Duration,
) -> Result<(), AlertError> {
    let words = ["-i", "-f", from, "--"];
    let order = ProgramSpec {
        program: program.as_os_str(),
        arguments: words.into_iter().map(OsString::from).chain(to.iter().map(OsString::from)).collect(),
        environment: Environment::Inherited,
        variables: Vec::new(),
        input: mail,
        is_foreground: false,
        timeout,
    };
    let ended = order.run().and_then(|ended| ended.well());
    ended.map_err(|why| AlertError::Sendmail(format!("{} {}", program.display(), Hidden::default().excerpt(&why))))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(script: &str, timeout: Duration) -> (Result<(), AlertError>, PathBuf, tempfile::TempDir) {
        let root = tempfile::tempdir().unwrap();
        let program = root.path().join("sendmail");
        let text = format!("#!/bin/sh\ncd '{}'\n{script}\n", root.path().display());
        crate::secure_fs::replace(&program, text.as_bytes(), crate::secure_fs::Access::Owner).unwrap();
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(&program, mode).unwrap();
        let sent = send(&program, "a@example.com", &["b@example.com".into()], &vec![b'x'; 200_000], timeout);
        (sent, root.path().to_owned(), root)
    }

    #[test]
    fn it_gets_the_addresses_as_arguments_and_the_mail_on_stdin() {
        let (sent, folder, _root) = run("echo \"$@\" > args; cat > mail", Duration::from_secs(20));
        sent.unwrap();
        assert_eq!(std::fs::read_to_string(folder.join("args")).unwrap(), "-i -f a@example.com -- b@example.com\n");
        assert_eq!(std::fs::read(folder.join("mail")).unwrap().len(), 200_000);
    }

    #[test]
    fn its_failure_is_told_in_its_words_and_its_hanging_ends() {
        let (sent, ..) = run("echo no such mailbox >&2; exit 67", Duration::from_secs(20));
        let error = sent.unwrap_err().to_string();
        assert!(error.contains("no such mailbox") && error.contains("67"), "{error}");
        let (sent, ..) = run("exec sleep 60", Duration::from_millis(100));
        assert!(sent.unwrap_err().to_string().contains("took longer"));
    }
}
