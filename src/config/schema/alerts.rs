//! The shape of `[alerts]`: when a finding becomes a word, and the ways that words leave by.
//!
//! What must not be seen is a [`Secret`], which no debug text and no error shows.

use super::fields::{duration, non_empty};
use serde::{Deserialize, Deserializer};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `[alerts]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// How long a finding must last before it mails.
    #[serde(deserialize_with = "duration")]
    pub hold: Duration,
    /// How long it must be gone before it is over.
    #[serde(deserialize_with = "duration")]
    pub recovery_delay: Duration,
    /// How long the first finding waits for others, so that they leave together.
    #[serde(deserialize_with = "duration")]
    pub group_wait: Duration,
    /// A finding that lasts mails again after this; zero never.
    #[serde(deserialize_with = "duration")]
    pub repeat: Duration,
    /// A job alerts after this many partial runs in a row.
    pub partial_runs: u32,
    /// `[alerts.email]`
    pub email: EmailConfig,
    /// `[alerts.webhook]`
    pub webhook: Webhook,
    /// `[alerts.command]`
    pub command: CommandConfig,
    /// `[alerts.ping]`
    pub ping: PingConfig,
}

/// `[alerts.email]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EmailConfig {
    /// Whether mails are sent.
    pub enabled: bool,
    /// How they leave.
    pub transport: MailTransport,
    /// The SMTP server.
    pub host: String,
    /// Its port; unset: 587, 465 or 25 by `tls`.
    pub port: Option<u16>,
    /// How the connection is protected.
    pub tls: Tls,
    /// A PEM file of certificates to trust beside the host's own.
    pub ca_file: Option<PathBuf>,
    /// The host name in EHLO; unset: the full name of this host, or its address in brackets.
    #[serde(default, deserialize_with = "non_empty")]
    pub helo: Option<String>,
    /// How the user logs in.
    pub auth: Auth,
    /// The SMTP user name.
    #[serde(default, deserialize_with = "non_empty")]
    pub username: Option<String>,
    /// The password itself, from a variable.
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<Secret>,
    /// The file that holds the password.
    pub password_file: Option<PathBuf>,
    /// The command that prints the password; empty: none.
    pub password_command: Vec<String>,
    /// The command that prints an access token, for `auth = "xoauth2"`; empty: none.
    pub token_command: Vec<String>,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// Where the `file` transport writes; unset: `mail` in the state directory.
    pub dir: Option<PathBuf>,
    /// How long one delivery may take.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// How mails leave.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTransport {
    /// To a server.
    Smtp,
    /// Through the host's `sendmail`.
    Sendmail,
    /// Into a directory, one `.eml` each.
    File,
}

/// How the user of a mail server logs in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// With a password: PLAIN or LOGIN.
    Password,
    /// With an OAuth 2.0 access token: XOAUTH2.
    Xoauth2,
}

/// How an SMTP connection is protected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// STARTTLS, required.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// Not at all; refused together with a password.
    None,
}

/// `[alerts.webhook]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Whether documents are posted.
    pub enabled: bool,
    /// The URL itself, from a variable: who knows it may post.
    #[serde(default, deserialize_with = "secret")]
    pub url: Option<Secret>,
    /// The file that holds the URL.
    pub url_file: Option<PathBuf>,
    /// The command that prints the URL; empty: none.
    pub url_command: Vec<String>,
    /// Whether `text` is posted alone, for a chat that refuses fields it does not know.
    pub only_text: bool,
    /// A PEM file of certificates to trust beside the host's own.
    pub ca_file: Option<PathBuf>,
    /// How long one delivery may take.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// `[alerts.command]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// Whether it is run.
    pub enabled: bool,
    /// The program and its arguments; no shell reads them.
    pub argv: Vec<String>,
    /// Names of variables that it gets in addition to PATH, HOME, LANG and TZ.
    pub env: Vec<String>,
    /// It is stopped after this.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

impl CommandConfig {
    /// Why the program may fail for lack of variables, if that is likely.
    pub fn warning(&self) -> Option<String> {
        let program = Path::new(self.argv.first()?).file_name()?;
        (self.enabled && program == "aws" && self.env.is_empty()).then(|| {
            "alerts.command.argv: `aws` gets PATH, HOME, LANG and TZ alone, no AWS_ variable; if it needs others, name them in \
             alerts.command.env, as in [\"AWS_PROFILE\", \"AWS_REGION\"]"
                .to_owned()
        })
    }
}

/// `[alerts.ping]`, and `[ping]` of a job file: URLs that are called when a run begins and ends.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingConfig {
    /// Called when a run begins.
    #[serde(default, deserialize_with = "secret")]
    pub start: Option<Secret>,
    /// Called when it ended well.
    #[serde(default, deserialize_with = "secret")]
    pub success: Option<Secret>,
    /// Called when it did not.
    #[serde(default, deserialize_with = "secret")]
    pub failure: Option<Secret>,
    /// How long one call may take.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// Text that must not be shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Hides `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The text itself.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

fn secret<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Secret>, D::Error> {
    Ok(non_empty(from)?.map(Secret))
}
