//! The ways that a message leaves by, and what a delivery needs to know.
//!
//! A channel that is switched on gets every message that is decided while it is, once, whatever the others do.

use crate::alerts::error::AlertError;
use crate::alerts::mail::Mail;
use crate::config;
use crate::secure_fs::Access;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// A way that messages leave by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Channel {
    /// `[alerts.email]`
    Mail,
    /// `[alerts.webhook]`
    Webhook,
    /// `[alerts.command]`
    Command,
}

impl Channel {
    /// Every channel.
    pub const ALL: [Channel; 3] = [Channel::Mail, Channel::Webhook, Channel::Command];

    /// `mail`, `webhook`, `command`.
    pub fn as_str(self) -> &'static str {
        match self {
            Channel::Mail => "mail",
            Channel::Webhook => "webhook",
            Channel::Command => "command",
        }
    }

    /// The channel behind a word.
    pub fn parse(word: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.as_str() == word)
    }

    /// Whether messages leave by it.
    pub fn is_enabled(self, settings: &config::Alerts) -> bool {
        match self {
            Channel::Mail => settings.email.enabled,
            Channel::Webhook => settings.webhook.enabled,
            Channel::Command => settings.command.enabled,
        }
    }
}

/// The channels that are switched on.
pub fn channels(settings: &config::Alerts) -> Vec<Channel> {
    Channel::ALL.into_iter().filter(|channel| channel.is_enabled(settings)).collect()
}

/// What a delivery needs to know.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryContext<'a> {
    /// `[alerts]`
    pub settings: &'a config::Alerts,
    /// The state directory: it holds the lock of the sender and, unless set, the folder of the file transport.
    pub state_dir: &'a Path,
    /// Who may use that directory.
    pub access: Access,
}

impl DeliveryContext<'_> {
    /// The longest that one delivery may take.
    pub(super) fn patience(&self) -> Duration {
        let settings = self.settings;
        settings.email.timeout.max(settings.webhook.timeout).max(settings.command.timeout)
    }
}

/// What became of a message that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The way it left by.
    pub channel: Channel,
    /// Where it went: a file, `smtp.example.com:587`, `/usr/sbin/sendmail`, `hooks.example.com`.
    pub place: String,
    /// Recipients that were refused while others were accepted, one sentence.
    pub complaint: Option<String>,
}

/// A way for messages to leave.
pub trait Notifier {
    /// Hands over one message. Called again with the same message after an error.
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError>;
}
