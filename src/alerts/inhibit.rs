//! Decides whether a firing alert is suppressed: by a silence, or by inhibition through the alert that causes it.
//!
//! Guarantee: suppression changes no state. When it ends, an alert that still fires is sent, and an alert that was sent as
//! firing is sent as resolved.

use crate::alerts::alert::{Alert, Mute};
use crate::alerts::silence;
use crate::alerts::silence::Silence;
use crate::clock::UnixMillis;
use crate::model::matches;
use crate::sqlite::{Connection, StatementError};
use std::collections::BTreeMap;

/// The alert that AWS does not answer; jobs that fail by that come from it.
pub const AWS: &str = "aws";
/// What the keys of logins that are over begin with; the rest names the login.
pub const LOGIN: &str = "login:";

/// While an alert under the first glob fires, those under the second say nothing new.
const RULES: &[(&str, &str)] = &[
    // Nothing can be read anew, so that answers get old and misses many.
    (AWS, "oldest"),
    (AWS, "hit_rate"),
    ("login:*", "oldest"),
    ("login:*", "hit_rate"),
    ("disabled", "hit_rate"),
    // What was about to happen has happened.
    ("login:*", "login"),
    // A store that cannot be used has neither hits nor a size.
    ("store", "hit_rate"),
    ("store", "error_rate"),
];

/// Whether a key belongs to an alert that others come from.
pub(super) fn is_cause(key: &str) -> bool {
    key == AWS || key.starts_with(LOGIN)
}

/// All that mutes at one moment.
pub(super) struct Mutes {
    silences: Vec<Silence>,
    /// The keys of what is so, each with its own cause.
    sources: BTreeMap<String, Option<String>>,
}

impl Mutes {
    /// What mutes at `now`, with the alerts as they stand in the book.
    pub(super) fn read(
        connection: &Connection,
        alerts: &[Alert],
        is_disabled: bool,
        now: UnixMillis,
    ) -> Result<Mutes, StatementError> {
        let mut sources: BTreeMap<_, _> =
            alerts.iter().filter(|alert| alert.firing).map(|alert| (alert.key.clone(), alert.cause.clone())).collect();
        if is_disabled {
            // Long before it has been so for too long.
            sources.entry("disabled".into()).or_default();
        }
        Ok(Mutes { silences: silence::active(connection, now)?, sources })
    }

    /// Why nothing is told of this alert; the silence that lasts longest before everything else.
    pub(super) fn why(&self, alert: &Alert) -> Option<Mute> {
        let silences = self.silences.iter().filter(|silence| matches(&silence.pattern, &alert.key));
        if let Some(silence) = silences.max_by_key(|silence| silence.until) {
            return Some(Mute::Silenced(silence.clone()));
        }
        let cause = alert.cause.iter().find(|cause| self.sources.contains_key(*cause)).cloned();
        let ruled = |source: &&String| {
            let applies = |(from, to): &(&str, &str)| matches(from, source) && matches(to, &alert.key);
            **source != alert.key && RULES.iter().any(applies)
        };
        cause.or_else(|| self.sources.keys().find(ruled).cloned()).map(Mute::Inhibited)
    }
}
