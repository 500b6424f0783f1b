//! The schema of `[alerts]`: timing and notifiers.
//!
//! Secret values are [`Secret`], which no debug text and no error shows.

use super::fields::{duration, non_empty};
use serde::{Deserialize, Deserializer};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// `[alerts]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Alerts {
    /// How long a finding must last before it fires.
    #[serde(deserialize_with = "duration")]
    pub hold: Duration,
    /// How long a figure must be recovered before its alert is resolved.
    #[serde(deserialize_with = "duration")]
    pub recovery_delay: Duration,
    /// How long a message waits for further alerts.
    #[serde(deserialize_with = "duration")]
    pub group_wait: Duration,
    /// The interval of reminders about a firing alert; zero for none.
    #[serde(deserialize_with = "duration")]
    pub repeat: Duration,
    /// A job fires an alert after this many consecutive partial runs.
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
    /// The mail transport.
    pub transport: MailTransport,
    /// The SMTP server.
    pub host: String,
    /// Its port; unset: 587, 465 or 25 by `tls`.
    pub port: Option<u16>,
    /// The encryption of the connection.
    pub tls: Tls,
    /// A PEM file of certificates to trust in addition to the host's.
    pub ca_file: Option<PathBuf>,
    /// The host name in EHLO; by default the full name of this host, or its address in brackets.
    #[serde(default, deserialize_with = "non_empty")]
    pub helo: Option<String>,
    /// The login method.
    pub auth: Auth,
    /// The SMTP user name.
    #[serde(default, deserialize_with = "non_empty")]
    pub username: Option<String>,
    /// The password, from a variable.
    #[serde(default, deserialize_with = "secret")]
    pub password: Option<Secret>,
    /// The file that contains the password.
    pub password_file: Option<PathBuf>,
    /// The command that prints the password; empty for none.
    pub password_command: Vec<String>,
    /// The command that prints an access token, for `auth = "xoauth2"`; empty for none.
    pub token_command: Vec<String>,
    /// The sender.
    pub from: String,
    /// The recipients.
    pub to: Vec<String>,
    /// The directory of the `file` transport; by default `mail` in the state directory.
    pub dir: Option<PathBuf>,
    /// The timeout of one delivery.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// A mail transport.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum MailTransport {
    /// An SMTP server.
    Smtp,
    /// The host's `sendmail`.
    Sendmail,
    /// A directory with one `.eml` file per mail.
    File,
}

/// A login method of a mail server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Auth {
    /// With a password: PLAIN or LOGIN.
    Password,
    /// With an OAuth 2.0 access token: XOAUTH2.
    Xoauth2,
}

/// The encryption of an SMTP connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Tls {
    /// STARTTLS, required.
    Starttls,
    /// TLS from the first byte.
    Implicit,
    /// None; refused together with a password.
    None,
}

/// `[alerts.webhook]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Whether messages are posted.
    pub enabled: bool,
    /// The URL, from a variable. It is a credential.
    #[serde(default, deserialize_with = "secret")]
    pub url: Option<Secret>,
    /// The file that contains the URL.
    pub url_file: Option<PathBuf>,
    /// The command that prints the URL; empty for none.
    pub url_command: Vec<String>,
    /// Whether only `text` is posted, for a chat that refuses unknown fields.
    pub only_text: bool,
    /// A PEM file of certificates to trust in addition to the host's.
    pub ca_file: Option<PathBuf>,
    /// The timeout of one delivery.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// `[alerts.command]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommandConfig {
    /// Whether the command runs.
    pub enabled: bool,
    /// The program and its arguments, without a shell.
    pub argv: Vec<String>,
    /// Names of variables that it gets in addition to PATH, HOME, LANG and TZ.
    pub env: Vec<String>,
    /// The timeout of the command.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

impl CommandConfig {
    /// The reason why the program may lack variables, if that is likely.
    pub fn warning(&self) -> Option<String> {
        let program = Path::new(self.argv.first()?).file_name()?;
        (self.enabled && program == "aws" && self.env.is_empty()).then(|| {
            "alerts.command.argv: `aws` gets PATH, HOME, LANG and TZ alone, no AWS_ variable; if it needs others, name them in \
             alerts.command.env, as in [\"AWS_PROFILE\", \"AWS_REGION\"]"
                .to_owned()
        })
    }
}

/// `[alerts.ping]`, and `[ping]` of a job file: URLs that are called when a run starts and ends.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PingConfig {
    /// Called when a run starts.
    #[serde(default, deserialize_with = "secret")]
    pub start: Option<Secret>,
    /// Called when a run succeeds.
    #[serde(default, deserialize_with = "secret")]
    pub success: Option<Secret>,
    /// Called when a run fails.
    #[serde(default, deserialize_with = "secret")]
    pub failure: Option<Secret>,
    /// The timeout of one call.
    #[serde(deserialize_with = "duration")]
    pub timeout: Duration,
}

/// A secret text.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// Wraps `text`.
    pub fn new(text: impl Into<String>) -> Secret {
        Secret(text.into())
    }

    /// The secret.
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
