//! Reads secrets from a file, a variable or a command, immediately before their use.
//!
//! Guarantee: a file that other users may read or write is refused. A secret is in no error and is not kept.

use super::hidden::Hidden;
use crate::alerts::error::AlertError;
use crate::config::Secret;
use crate::program::{Environment, ProgramSpec};
use crate::secure_fs::bounded;
use std::ffi::OsStr;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::time::Duration;

/// Longer than any password, token or URL, shorter than a file that is named by mistake.
const MOST_BYTES: u64 = 16_384;

/// The configured places of a secret, each with its key.
pub(super) struct Places<'a> {
    /// The kind of secret, for errors: `password`.
    pub(super) what: &'static str,
    pub(super) variable: (&'static str, Option<&'a Secret>),
    pub(super) file: (&'static str, Option<&'a Path>),
    pub(super) command: (&'static str, &'a [String]),
    pub(super) timeout: Duration,
}

impl Places<'_> {
    /// Whether a place is configured.
    pub(super) fn is_given(&self) -> bool {
        self.variable.1.is_some() || self.file.1.is_some() || !self.command.1.is_empty()
    }

    /// The secret from the variable, else the file, else the command.
    pub(super) fn read(&self) -> Result<Option<String>, AlertError> {
        let (key, found, place) = match (self.variable.1, self.file.1, self.command.1) {
            (Some(secret), ..) => (self.variable.0, secret.reveal().to_owned(), "the variable".to_owned()),
            (None, Some(path), _) => (self.file.0, read(self.file.0, self.what, path)?, path.display().to_string()),
            (None, None, [program, arguments @ ..]) => {
                let text = self.printed(program, arguments)?;
                (self.command.0, text, format!("what `{program}` prints"))
            }
            (None, None, []) => return Ok(None),
        };
        let line = found.strip_suffix('\n').map_or(found.as_str(), |text| text.strip_suffix('\r').unwrap_or(text));
        if line.is_empty() || found.len() as u64 > MOST_BYTES || line.contains(['\n', '\r', '\0']) {
            let problem = format!("{place} does not hold one line with a {}", self.what);
            let hint = format!("put the {} there and nothing else", self.what);
            return Err(AlertError::Setting { key, problem, hint });
        }
        Ok(Some(line.to_owned()))
    }

    fn printed(&self, program: &str, arguments: &[String]) -> Result<String, AlertError> {
        let order = ProgramSpec {
            program: OsStr::new(program),
            arguments: arguments.iter().map(Into::into).collect(),
            environment: Environment::Inherited,
            variables: Vec::new(),
            input: b"",
            is_foreground: false,
            timeout: self.timeout,
        };
        let hidden = Hidden::new(arguments.to_vec());
        let fault = |why: String| AlertError::Setting {
            key: self.command.0,
            problem: format!("{program} {}", hidden.excerpt(&why)),
            hint: "run it by hand, as the user who runs awsideman".into(),
        };
        let ended = order.run().map_err(fault)?;
        ended.well().map_err(fault)?;
        String::from_utf8(ended.out).map_err(|_| fault("prints what is not UTF-8".into()))
    }
}

/// Reads the file at `path`. Symbolic links are followed, as container secrets are links.
fn read(key: &'static str, what: &str, path: &Path) -> Result<String, AlertError> {
    let shown = path.display();
    let fault = |problem: String, hint: String| AlertError::Setting { key, problem, hint };
    let unreadable = |error: std::io::Error| {
        fault(format!("cannot read {shown}: {error}"), "name a file that the user running awsideman can read".into())
    };
    let file = bounded::open(path).map_err(unreadable)?;
    let found = file.metadata().map_err(unreadable)?;
    if !found.is_file() {
        return Err(fault(format!("{shown} is not a file"), format!("name a file with the {what} in its only line")));
    }
    let mode = found.mode() & 0o7777;
    if mode & 0o006 != 0 {
        return Err(fault(
            format!("{shown} may be read or written by others (mode {mode:04o})"),
            format!("chmod 600 {shown}"),
        ));
    }
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text).map_err(unreadable)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn places<'a>(variable: Option<&'a Secret>, file: Option<&'a Path>, command: &'a [String]) -> Places<'a> {
        let (variable, file, command) = (("x.password", variable), ("x.password_file", file), ("x.command", command));
        Places { what: "password", variable, file, command, timeout: Duration::from_secs(20) }
    }

    #[test]
    fn a_private_file_gives_its_only_line_and_any_other_is_refused() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("password");
        let with = |text: &str, mode: u32| {
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            places(None, Some(&path), &[]).read().map(Option::unwrap)
        };
        assert_eq!(with("s3cret \n", 0o600).unwrap(), "s3cret ");
        assert_eq!(with("s3cret\r\n", 0o440).unwrap(), "s3cret");
        assert_eq!(with("s3cret", 0o400).unwrap(), "s3cret");
        for (text, mode, words) in [
            ("s3cret\n", 0o644, "may be read or written by others (mode 0644)"),
            ("\n", 0o600, "one line"),
            ("s3cret\nmore\n", 0o600, "one line"),
            (&"s3cret".repeat(3_000), 0o600, "one line"),
        ] {
            let error = with(text, mode).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
            assert!(!error.to_string().contains("s3cret"), "{error}");
            assert!(!error.hint().is_empty());
        }
        let read = |path: &Path| places(None, Some(path), &[]).read().unwrap_err().to_string();
        assert!(read(root.path()).contains("is not a file"));
        assert!(read(&root.path().join("none")).starts_with("x.password_file"));
    }

    #[test]
    fn the_variable_wins_over_the_file_and_that_over_what_a_command_prints() {
        let words = |text: &[&str]| text.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        let (secret, echo) = (Secret::new("of the variable"), words(&["printf", "of the command\n"]));
        let missing = Path::new("/nowhere/at/all");
        assert_eq!(places(Some(&secret), Some(missing), &echo).read().unwrap().as_deref(), Some("of the variable"));
        assert!(places(None, Some(missing), &echo).read().is_err());
        assert_eq!(places(None, None, &echo).read().unwrap().as_deref(), Some("of the command"));
        assert_eq!(places(None, None, &[]).read().unwrap(), None);
        let failing = words(&["sh", "-c", "echo s3cret; echo no such entry >&2; exit 3"]);
        let error = places(None, None, &failing).read().unwrap_err().to_string();
        assert!(error.starts_with("x.command: sh ended with") && error.contains("no such entry"), "{error}");
        assert!(!error.contains("s3cret") && !format!("{secret:?}").contains("variable"));
    }
}
