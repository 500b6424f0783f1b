//! The state of all alerts, for lists and the status page.
//!
//! Guarantee: nothing is written, and the state is computed as for messages.

use crate::alerts::alert::Alert;
use crate::alerts::alert::Suppression;
use crate::alerts::engine;
use crate::alerts::error::AlertError;
use crate::alerts::inhibit::Suppressions;
use crate::alerts::message::why;
use crate::clock::{self, UnixMillis, millis};
use crate::config;
use crate::state::Database;
use serde::Serialize;

/// The state of one alert.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertStatus {
    /// The key of its finding.
    pub key: String,
    /// `pending`, `firing`, `silenced` or `inhibited`.
    pub state: &'static str,
    /// The last message of its finding.
    pub message: String,
    /// The command to run next; empty if there is none.
    pub hint: String,
    /// The start of the problem.
    #[serde(serialize_with = "clock::serialize")]
    pub since: UnixMillis,
    /// When the last message about it was created; `null` if there is none.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub notified_at: Option<UnixMillis>,
    /// When the next message about it is due, if it still fires then; `null` if none is.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub next_at: Option<UnixMillis>,
    /// The event that the next message waits for, in one sentence.
    pub next: String,
}

/// Every alert, the oldest first.
pub fn statuses(
    database: &Database,
    settings: &config::Alerts,
    is_disabled: bool,
    now: UnixMillis,
) -> Result<Vec<AlertStatus>, AlertError> {
    let alerts = engine::all(database.reader())?;
    let mutes = Suppressions::read(database.reader(), &alerts, is_disabled, now)?;
    Ok(alerts.iter().map(|alert| stands(alert, mutes.why(alert), settings)).collect())
}

fn stands(alert: &Alert, mute: Option<Suppression>, settings: &config::Alerts) -> AlertStatus {
    let mute = mute.filter(|_| alert.firing);
    let state = match &mute {
        Some(Suppression::Silenced(_)) => "silenced",
        Some(Suppression::Inhibited(_)) => "inhibited",
        None if alert.firing => "firing",
        None => "pending",
    };
    let repeats = !settings.repeat.is_zero();
    let (next_at, next) = match (&mute, alert.notified_at) {
        (Some(Suppression::Silenced(silence)), _) => (Some(silence.until), String::new()),
        (Some(mute @ Suppression::Inhibited(_)), _) => (None, why(mute)),
        _ if crate::alerts::notifier::channels(settings).is_empty() => (None, "no channel is enabled".into()),
        _ if alert.clear_since.is_some() => {
            let over = alert.clear_since.map(|from| from.saturating_add(millis(settings.recovery_delay)));
            (over, "if it stays recovered".into())
        }
        (None, _) if !alert.firing => (Some(alert.since.saturating_add(millis(settings.hold))), "if it lasts".into()),
        (None, None) => {
            let from = alert.fired_at.unwrap_or(alert.since);
            (Some(from.saturating_add(millis(settings.group_wait))), "at the next run".into())
        }
        (None, Some(told)) if repeats => (Some(told.saturating_add(millis(settings.repeat))), String::new()),
        (None, Some(_)) => (None, "when it is over".into()),
    };
    let next = match (&mute, next_at, next) {
        (Some(mute @ Suppression::Silenced(_)), ..) => why(mute),
        (_, Some(at), words) if words.is_empty() => clock::local(at),
        (_, Some(at), words) if words != "at the next run" => format!("{}, {words}", clock::local(at)),
        (_, _, words) => words,
    };
    let (notified_at, since) = (alert.notified_at, alert.since);
    AlertStatus {
        key: alert.key.clone(),
        state,
        message: alert.message.clone(),
        hint: alert.hint.clone(),
        since,
        notified_at,
        next_at,
        next,
    }
}
