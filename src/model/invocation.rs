//! The account and configuration of this call, as flags of the commands that its hints name.
//!
//! A hint is copied into a shell. Without the flags of the failing call its command would use another account.

use super::shell_word;
use serde_json::Value;
use std::borrow::Cow;

/// The commands that read an account or a configuration.
pub(crate) const COMMANDS: &[&str] = &[
    "account",
    "alerts",
    "assignment",
    "cache",
    "config",
    "doctor",
    "group",
    "info",
    "instance",
    "jobs",
    "journal",
    "ou",
    "permission-set",
    "user",
];
/// The keys of JSON documents whose text comes from this program and may name commands.
const KEYS: &[&str] = &["command", "details", "hint", "message", "next", "notices", "remedy"];
const PROGRAM: &str = "awsideman ";

/// The flags that a suggested command needs to use the account and configuration of this call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation {
    /// Each flag as typed, and its name.
    flags: Vec<(String, &'static str)>,
}

impl Invocation {
    /// Those of a call: the name of each flag, and the flag with its value as it is typed.
    pub fn new(flags: Vec<(&'static str, String)>) -> Invocation {
        Invocation { flags: flags.into_iter().map(|(name, flag)| (flag, name)).collect() }
    }

    /// The same for another AWS profile.
    #[must_use]
    pub fn with_profile(&self, profile: &str) -> Invocation {
        let mut flags = self.flags.clone();
        flags.retain(|(_, name)| *name != "--profile");
        flags.push((format!("--profile {}", shell_word(profile)), "--profile"));
        Invocation { flags }
    }

    /// The text with these flags in each command of this program that it names: in backquotes, at the beginning of a
    /// line, or after a colon. A flag that a command has already is left as it is.
    pub fn copyable<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if self.flags.is_empty() || !text.contains(PROGRAM) {
            return Cow::Borrowed(text);
        }
        let mut copyable = String::with_capacity(text.len() + 64);
        let mut rest = text;
        while let Some((before, after)) = rest.split_once(PROGRAM) {
            copyable.push_str(before);
            copyable.push_str("awsideman");
            let quoted = copyable.matches('`').count() % 2 == 1;
            let line = before.rsplit('\n').next().unwrap_or_default();
            let starts = (before.len() == line.len() && copyable == "awsideman")
                || (line.is_empty() && before.ends_with('\n'))
                || before.ends_with(": ");
            let command = after.split(['`', '\n']).next().unwrap_or_default();
            let word = command.split_whitespace().next().unwrap_or_default();
            if (quoted || starts) && COMMANDS.contains(&word) {
                let given = |name: &str| command.split([' ', '=']).any(|word| word == name);
                for (flag, _) in self.flags.iter().filter(|(_, name)| !given(name)) {
                    copyable.push(' ');
                    copyable.push_str(flag);
                }
            }
            copyable.push(' ');
            rest = after;
        }
        copyable.push_str(rest);
        Cow::Owned(copyable)
    }

    /// The same for the commands in a document.
    pub fn copyable_in(&self, document: &mut Value) {
        if self.flags.is_empty() {
            return;
        }
        self.walk(document, false);
    }

    fn walk(&self, value: &mut Value, speaks: bool) {
        match value {
            Value::Object(fields) => {
                fields.iter_mut().for_each(|(key, value)| self.walk(value, KEYS.contains(&key.as_str())));
            }
            Value::Array(items) => items.iter_mut().for_each(|item| self.walk(item, speaks)),
            Value::String(text) if speaks => *text = self.copyable(text).into_owned(),
            _ => {}
        }
    }
}
