//! Alerts and the changes of their state.

use crate::alerts::mail::Mail;
use crate::alerts::silence::Silence;
use crate::clock::UnixMillis;
use crate::config::AlertWhen;
use crate::health::Finding;
use serde::Serialize;
use std::path::Path;
use std::time::Duration;

/// The input of one evaluation: the checks and outcomes of one pass of jobs.
#[derive(Debug, Clone, Copy)]
pub struct JobPass<'a> {
    /// Every check of this pass, including those that are ok.
    pub findings: &'a [Finding],
    /// The causes of failed checks.
    pub causes: &'a [AlertCause],
    /// A sentence about the pass for the mail (`job health: done in 12 ms`).
    pub note: Option<&'a str>,
    /// When this job mails.
    pub when: AlertWhen,
    /// The name of this host.
    pub host: &'a str,
    /// The directory of the cache.
    pub cache_dir: &'a Path,
    /// Set if the cache is disabled: the author and the end. Every message contains it.
    pub disabled: Option<&'a str>,
    /// The command that shows more.
    pub more: &'a str,
}

/// The cause of findings: one alert, however many findings it causes. It is resolved when it causes none.
#[derive(Debug, Clone, PartialEq)]
pub struct AlertCause {
    /// The key of the finding that it causes (`job:warm`).
    pub of: String,
    /// The cause, as a finding under [`crate::alerts::AWS`] or [`crate::alerts::LOGIN`].
    pub finding: Finding,
}

/// The result of one evaluation.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// Alerts that start to fire.
    pub fired: Vec<AlertTransition>,
    /// Alerts that still fire and are due for a reminder.
    pub reminded: Vec<AlertTransition>,
    /// Alerts that are resolved.
    pub over: Vec<AlertTransition>,
    /// Alerts that still fire and were already sent, including those of other jobs.
    pub ongoing: Vec<AlertTransition>,
    /// Alerts that fire and are suppressed, with the reason.
    pub suppressed: Vec<(AlertTransition, Suppression)>,
    /// The message in the outbox.
    pub mail: Option<Mail>,
}

/// One alert in a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlertTransition {
    /// The key of its finding.
    pub key: String,
    /// The message of the finding; for a resolved alert, its last one.
    pub message: String,
    /// The command to run next.
    pub hint: String,
    /// The start of the problem.
    pub since: UnixMillis,
    /// How long it has lasted.
    pub lasted: Duration,
}

/// One alert that is pending or firing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The key of its finding.
    pub key: String,
    /// Whether it fires; otherwise it is pending.
    pub firing: bool,
    /// The last message of the finding.
    pub message: String,
    /// The command to run next.
    pub hint: String,
    /// The start of the problem.
    pub since: UnixMillis,
    /// When it started to fire.
    pub fired_at: Option<UnixMillis>,
    /// When the last message about it was created.
    pub notified_at: Option<UnixMillis>,
    /// The key of the alert that causes it.
    pub cause: Option<String>,
    pub(super) clear_since: Option<UnixMillis>,
}

/// The reason why an alert is suppressed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Suppression {
    /// A silence.
    Silenced(Silence),
    /// The key of the alert that inhibits it.
    Inhibited(String),
}
