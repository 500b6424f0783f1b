//! Errors of alerts and notifiers, each with a hint.

use crate::secure_fs::PrivateError;
use crate::sqlite::StatementError;
use std::path::PathBuf;

/// The host has no `sendmail`.
pub(super) const NO_SENDMAIL: &str = "there is no such program on this host";

/// An error of alerts or notifiers.
#[derive(Debug, thiserror::Error)]
pub enum AlertError {
    /// A statement on `state.db` failed.
    #[error("the state database: {0}")]
    Statement(#[from] StatementError),
    /// A file or directory has wrong permissions.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// The lock of the outbox cannot be taken.
    #[error("cannot lock {}: {source}", path.display())]
    Lock {
        /// The lock file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A setting cannot be used.
    #[error("{key}: {problem}")]
    Setting {
        /// The key, `alerts.email.password_file`.
        key: &'static str,
        /// What is wrong with its value.
        problem: String,
        /// What to do.
        hint: String,
    },
    /// The server cannot be reached.
    #[error("the mail server {server} cannot be reached: {reason}")]
    Unreachable {
        /// `host:port`.
        server: String,
        /// The reason of the system.
        reason: String,
    },
    /// The server did not answer in time.
    #[error("the mail server {server} did not answer in time")]
    TimedOut {
        /// `host:port`.
        server: String,
    },
    /// The server's certificate is not trusted.
    #[error("the certificate of the mail server {server} is not trusted: {reason}")]
    Certificate {
        /// `host:port`.
        server: String,
        /// What is wrong with it.
        reason: String,
    },
    /// TLS could not be negotiated.
    #[error("no TLS with the mail server {server}: {reason}")]
    Tls {
        /// `host:port`.
        server: String,
        /// The reason.
        reason: String,
    },
    /// The server refused the host name in EHLO.
    #[error("the mail server {server} refused the host name `{helo}`: {reason}")]
    Hello {
        /// `host:port`.
        server: String,
        /// The name, or the address in brackets.
        helo: String,
        /// The answer of the server.
        reason: String,
    },
    /// The server refused the login.
    #[error("the mail server {server} refused to log in {username}: {reason}")]
    Login {
        /// `host:port`.
        server: String,
        /// The user name.
        username: String,
        /// The server's message, and the mechanisms that it offers.
        reason: String,
        /// What to do.
        hint: String,
    },
    /// The server refused the sender.
    #[error("the mail server {server} refused the sender {sender}: {reason}")]
    Sender {
        /// `host:port`.
        server: String,
        /// The address.
        sender: String,
        /// The answer of the server.
        reason: String,
    },
    /// The server refused a recipient.
    #[error("the mail server {server} refused the recipient {recipient}: {reason}")]
    Recipient {
        /// `host:port`.
        server: String,
        /// The address.
        recipient: String,
        /// The answer of the server.
        reason: String,
    },
    /// The server refused the mail.
    #[error("the mail server {server} refused the mail: {reason}")]
    Refused {
        /// `host:port`.
        server: String,
        /// The answer of the server.
        reason: String,
    },
    /// The server does not speak SMTP, or closed the connection.
    #[error("the mail server {server} broke the protocol: {reason}")]
    Protocol {
        /// `host:port`.
        server: String,
        /// What it did.
        reason: String,
    },
    /// The whole mail was sent, and the server did not say whether it accepted it.
    #[error("the mail server {server} did not confirm the mail, which may have arrived: {reason}")]
    Unconfirmed {
        /// `host:port`.
        server: String,
        /// What happened in place of the confirmation.
        reason: String,
    },
    /// The host's `sendmail` is missing or failed.
    #[error("sendmail: {0}")]
    Sendmail(String),
    /// The webhook did not accept the message.
    #[error("the webhook: {reason}")]
    Webhook {
        /// The host with its answer, or the reason why it is unreachable.
        reason: String,
        /// Whether only this message is affected.
        is_about_the_mail: bool,
    },
    /// The command did not accept the message.
    #[error("the command: {0}")]
    Command(String),
    /// The mail could not be composed.
    #[error("cannot compose the mail: {0}")]
    Compose(String),
}

impl AlertError {
    /// The action that fixes it.
    pub fn hint(&self) -> String {
        match self {
            AlertError::Setting { hint, .. } | AlertError::Login { hint, .. } => hint.clone(),
            AlertError::Unreachable { .. } => {
                "check alerts.email.host and alerts.email.port, and that the server is running".into()
            }
            AlertError::TimedOut { .. } => {
                "check alerts.email.host and alerts.email.port, or raise alerts.email.timeout".into()
            }
            AlertError::Certificate { .. } => {
                "name the server as its certificate does, or its authority in alerts.email.ca_file".into()
            }
            AlertError::Tls { .. } => {
                "set alerts.email.tls to what the port speaks: starttls (587) or implicit (465)".into()
            }
            AlertError::Hello { .. } => {
                "set alerts.email.helo to the full name of this host, such as mail.example.com".into()
            }
            AlertError::Sender { .. } => "check alerts.email.from; the server may not accept this sender".into(),
            AlertError::Recipient { .. } => "check alerts.email.to".into(),
            AlertError::Refused { .. } => "the reason comes from the server; `awsideman alerts test` tries again".into(),
            AlertError::Protocol { .. } => {
                "check alerts.email.host and alerts.email.port: another service may listen there".into()
            }
            AlertError::Unconfirmed { .. } => {
                "raise alerts.email.timeout if the server is slow; a mail that is sent again has the same Message-ID".into()
            }
            AlertError::Sendmail(_) => {
                "install a mail transfer agent, or set alerts.email.transport to smtp or file".into()
            }
            AlertError::Webhook { .. } => {
                "check that the URL of alerts.webhook is right and accepts JSON; `awsideman alerts test --channel webhook` tries it".into()
            }
            AlertError::Command(why) if why.contains("of PATH (") => {
                "write the full path of the program in alerts.command.argv: cron and systemd have a short PATH".into()
            }
            AlertError::Command(_) => "try it with `awsideman alerts test --channel command`".into(),
            AlertError::Statement(_) | AlertError::Private(_) | AlertError::Lock { .. } => "awsideman doctor".into(),
            AlertError::Compose(_) => "awsideman alerts test".into(),
        }
    }

    /// The reason from the other party or the system; empty if there is none.
    pub(super) fn reason(&self) -> &str {
        match self {
            AlertError::Unreachable { reason, .. }
            | AlertError::Certificate { reason, .. }
            | AlertError::Tls { reason, .. }
            | AlertError::Hello { reason, .. }
            | AlertError::Login { reason, .. }
            | AlertError::Sender { reason, .. }
            | AlertError::Recipient { reason, .. }
            | AlertError::Refused { reason, .. }
            | AlertError::Protocol { reason, .. }
            | AlertError::Unconfirmed { reason, .. } => reason,
            _ => "",
        }
    }

    /// The same error with its reason rewritten.
    pub(super) fn with_reason(mut self, rewrite: impl FnOnce(&str) -> String) -> AlertError {
        if let AlertError::Unreachable { reason, .. }
        | AlertError::Certificate { reason, .. }
        | AlertError::Tls { reason, .. }
        | AlertError::Hello { reason, .. }
        | AlertError::Login { reason, .. }
        | AlertError::Sender { reason, .. }
        | AlertError::Recipient { reason, .. }
        | AlertError::Refused { reason, .. }
        | AlertError::Protocol { reason, .. }
        | AlertError::Unconfirmed { reason, .. } = &mut self
        {
            *reason = rewrite(reason);
        }
        self
    }

    /// Whether the settings cannot work for any server: nothing was sent, and a retry sends nothing.
    pub fn is_configuration(&self) -> bool {
        match self {
            AlertError::Setting { .. } => true,
            AlertError::Sendmail(why) => why == NO_SENDMAIL,
            AlertError::Command(why) => why.contains("of PATH ("),
            _ => false,
        }
    }

    /// Whether only this mail is affected, so that the next one may be sent.
    pub(super) fn is_about_the_mail(&self) -> bool {
        match self {
            AlertError::Recipient { .. } | AlertError::Refused { .. } | AlertError::Compose(_) => true,
            AlertError::Webhook { is_about_the_mail, .. } => *is_about_the_mail,
            _ => false,
        }
    }
}
