//! Reads the encryption keys from their file or program.
//!
//! A key is never an argument of a program or part of a message, and is wiped after use.

use crate::app::core::App;
use crate::config::Encryption;
use crate::program::{Environment, ProgramSpec};
use crate::secure_fs;
use crate::store::{KeyRing, KeyState};
use std::ffi::OsStr;
use std::sync::Arc;
use std::time::Duration;
use zeroize::Zeroizing;

/// The largest key file in bytes.
pub(super) const LARGEST_KEY_FILE: u64 = 4_096;
/// The time limit of the program that prints the key: it may wait for the touch of a hardware token.
const KEY_COMMAND_TIMEOUT: Duration = Duration::from_secs(30);

/// The keys of an encrypted cache.
pub struct EncryptionKeys<'a> {
    app: &'a App,
}

impl<'a> EncryptionKeys<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> EncryptionKeys<'a> {
        EncryptionKeys { app }
    }

    /// What this process can do with encrypted entries.
    pub(super) fn state(&self) -> &'a KeyState {
        self.app.keys.get_or_init(|| {
            if !self.app.config().cache.encryption.enabled {
                return KeyState::Clear;
            }
            match self.read() {
                Ok(keys) => KeyState::Keys(Arc::new(keys)),
                Err(problem) => KeyState::Locked(problem),
            }
        })
    }

    /// Why the key of an encrypted cache cannot be used.
    pub fn problem(&self) -> Option<&'a str> {
        match self.state() {
            KeyState::Locked(problem) => Some(problem),
            KeyState::Clear | KeyState::Keys(_) => None,
        }
    }

    /// The keys, whether encryption is enabled or not; an error says what is wrong and holds nothing of them.
    pub(super) fn read(&self) -> Result<KeyRing, String> {
        let Encryption { key_file, key_command, .. } = &self.app.config().cache.encryption;
        let (text, place) = match (key_file, key_command.as_slice()) {
            (Some(path), []) => {
                let read = secure_fs::secret(path, LARGEST_KEY_FILE).map_err(|error| error.to_string())?;
                (Zeroizing::new(read), path.display().to_string())
            }
            (None, [program, arguments @ ..]) => {
                let printed = printed(program, arguments).map_err(|why| format!("key_command: {program} {why}"))?;
                (printed, format!("what `{program}` prints"))
            }
            (None, []) => return Err("neither key_file nor key_command is set in [cache.encryption]".into()),
            (Some(_), _) => return Err("key_file and key_command are both set in [cache.encryption]".into()),
        };
        KeyRing::parse(&text).map_err(|bad| format!("{place}: {bad}"))
    }

    /// Where the key comes from, in words.
    pub(super) fn source(&self) -> Option<String> {
        let Encryption { key_file, key_command, .. } = &self.app.config().cache.encryption;
        match (key_file, key_command.first()) {
            (Some(path), _) => Some(format!("key_file {}", path.display())),
            (None, Some(program)) => Some(format!("key_command {program}")),
            (None, None) => None,
        }
    }
}

/// The output of a program. No shell reads its arguments, and nothing that it prints reaches a disk.
fn printed(program: &str, arguments: &[String]) -> Result<Zeroizing<Vec<u8>>, String> {
    let order = ProgramSpec {
        program: OsStr::new(program),
        arguments: arguments.iter().map(Into::into).collect(),
        environment: Environment::Inherited,
        variables: Vec::new(),
        input: b"",
        // It may ask for a passphrase on the terminal.
        is_foreground: true,
        timeout: KEY_COMMAND_TIMEOUT,
    };
    let ended = order.run()?;
    let text = Zeroizing::new(ended.out);
    if !ended.status.success() {
        return Err(format!("ended with {}; run it by hand, as the user who runs awsideman", ended.status));
    }
    if text.len() as u64 > LARGEST_KEY_FILE {
        return Err("prints more than a key".to_owned());
    }
    Ok(text)
}
