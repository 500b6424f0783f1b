//! Alerts and the changes of their state.

use crate::alerts::mail::Mail;
use crate::alerts::silence::Silence;
use crate::clock::UnixMillis;
use crate::config::AlertWhen;
use crate::health::Finding;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// One run of jobs, as far as alerts are concerned.
#[derive(Debug, Clone, Copy)]
pub struct JobPass<'a> {
    /// Every check that this run made, the fine ones too.
    pub findings: &'a [Finding],
    /// What is behind those that failed by something else.
    pub causes: &'a [AlertCause],
    /// A sentence about the run for the mail (`job health: done in 12 ms`).
    pub note: Option<&'a str>,
    /// When this job mails.
    pub when: AlertWhen,
    /// The name of this host.
    pub host: &'a str,
    /// The directory of the cache.
    pub cache_dir: &'a Path,
    /// That the cache is disabled, by whom and until when: every message says so.
    pub disabled: Option<&'a str>,
    /// The command that shows more.
    pub more: &'a str,
}

/// What is behind a finding: one alert of its own, however many findings come from it. It is over when none does any
/// more.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertCause {
    /// The key of the finding that comes from it (`job:warm`).
    pub of: String,
    /// The cause, as a finding under [`crate::alerts::AWS`] or [`crate::alerts::LOGIN`].
    pub finding: Finding,
}

/// What one run changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What began to fire.
    pub began: Vec<AlertTransition>,
    /// What fires still and is due to be told again.
    pub reminded: Vec<AlertTransition>,
    /// What is over.
    pub over: Vec<AlertTransition>,
    /// What fires and needs no word, other jobs' alerts included.
    pub lasting: Vec<AlertTransition>,
    /// What fires and is held back, and why.
    pub muted: Vec<(AlertTransition, Mute)>,
    /// The message that was put into the outbox.
    pub mail: Option<Mail>,
}

/// One alert at the moment of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertTransition {
    /// The key of its finding.
    pub key: String,
    /// What the finding says; for what is over, what it said last.
    pub message: String,
    /// The command to type next.
    pub hint: String,
    /// Since when it is so.
    pub since: UnixMillis,
    /// How long it has lasted.
    pub lasted: Duration,
}

/// One alert that is pending or firing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The key of its finding.
    pub key: String,
    /// Whether it fires; otherwise it has not lasted long enough.
    pub firing: bool,
    /// What the finding said last.
    pub message: String,
    /// The command to type next.
    pub hint: String,
    /// Since when it is so.
    pub since: UnixMillis,
    /// Since when it has fired.
    pub fired_at: Option<UnixMillis>,
    /// When a message about it was last made.
    pub notified_at: Option<UnixMillis>,
    /// The key of the alert that it comes from.
    pub cause: Option<String>,
    pub(super) clear_since: Option<UnixMillis>,
}

/// Why nothing is told of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mute {
    /// Somebody said so.
    Silenced(Silence),
    /// This alert says it already, or makes it meaningless.
    Inhibited(String),
}
