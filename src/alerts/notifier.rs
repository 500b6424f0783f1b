//! Notification channels, and the trait of their notifiers.
//!
//! Guarantee: an enabled channel gets every message once, independent of the other channels.

use crate::alerts::error::AlertError;
use crate::alerts::mail::Mail;
use crate::config;
use crate::secure_fs::Access;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// A notification channel.
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

    /// Parses a channel name.
    pub fn parse(word: &str) -> Option<Channel> {
        Channel::ALL.into_iter().find(|channel| channel.as_str() == word)
    }

    /// Whether it is enabled.
    pub fn is_enabled(self, settings: &config::Alerts) -> bool {
        match self {
            Channel::Mail => settings.email.enabled,
            Channel::Webhook => settings.webhook.enabled,
            Channel::Command => settings.command.enabled,
        }
    }
}

/// The enabled channels.
pub fn channels(settings: &config::Alerts) -> Vec<Channel> {
    Channel::ALL.into_iter().filter(|channel| channel.is_enabled(settings)).collect()
}

/// The environment of a delivery.
#[derive(Debug, Clone, Copy)]
pub struct DeliveryContext<'a> {
    /// `[alerts]`
    pub settings: &'a config::Alerts,
    /// The state directory, with the lock of the outbox and the default folder of the file transport.
    pub state_dir: &'a Path,
    /// The permissions of new files.
    pub access: Access,
}

impl DeliveryContext<'_> {
    /// The longest duration of one delivery.
    pub(super) fn patience(&self) -> Duration {
        let settings = self.settings;
        settings.email.timeout.max(settings.webhook.timeout).max(settings.command.timeout)
    }
}

/// A delivered message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// The channel.
    pub channel: Channel,
    /// The destination: a file, `smtp.example.com:587`, `/usr/sbin/sendmail`, `hooks.example.com`.
    pub place: String,
    /// The refused recipients, if others were accepted, in one sentence.
    pub complaint: Option<String>,
}

/// Sends messages through one channel.
pub trait Notifier {
    /// Sends one message. After an error it is called again with the same message.
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError>;
}
