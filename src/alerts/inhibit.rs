//! Decides whether a firing alert is suppressed: by a silence, or by inhibition through the alert that causes it.
//!
//! Guarantee: suppression changes no state. When it ends, an alert that still fires is sent, and an alert that was sent as
//! firing is sent as resolved.

use crate::alerts::alert::{Alert, Suppression};
use crate::alerts::silence;
use crate::alerts::silence::Silence;
use crate::clock::UnixMillis;
use crate::model::matches;
use crate::sqlite::{Connection, StatementError};
use std::collections::BTreeMap;

/// The key of the alert that AWS does not answer. It causes the alerts of jobs that fail for this reason.
pub const AWS: &str = "aws";
/// The key prefix of alerts about expired logins; the rest names the login.
pub const LOGIN: &str = "login:";

/// While an alert of the first glob fires, alerts of the second are inhibited.
const RULES: &[(&str, &str)] = &[
    // Nothing can be refreshed, so entries become old and misses increase.
    (AWS, "oldest"),
    (AWS, "hit_rate"),
    ("login:*", "oldest"),
    ("login:*", "hit_rate"),
    ("disabled", "hit_rate"),
    // The login has expired, as announced.
    ("login:*", "login"),
    // An unusable store has neither hits nor a size.
    ("store", "hit_rate"),
    ("store", "error_rate"),
];

/// Whether a key belongs to an alert that causes others.
pub(super) fn is_cause(key: &str) -> bool {
    key == AWS || key.starts_with(LOGIN)
}

/// Everything that suppresses alerts at one moment.
pub(super) struct Suppressions {
    silences: Vec<Silence>,
    /// The keys of firing alerts, each with its cause.
    sources: BTreeMap<String, Option<String>>,
}

impl Suppressions {
    /// The suppressions at `now`, from the stored silences and alerts.
    pub(super) fn read(
        connection: &Connection,
        alerts: &[Alert],
        is_disabled: bool,
        now: UnixMillis,
    ) -> Result<Suppressions, StatementError> {
        let mut sources: BTreeMap<_, _> =
            alerts.iter().filter(|alert| alert.firing).map(|alert| (alert.key.clone(), alert.cause.clone())).collect();
        if is_disabled {
            // This is effective before the alert about it fires.
            sources.entry("disabled".into()).or_default();
        }
        Ok(Suppressions { silences: silence::active(connection, now)?, sources })
    }

    /// The reason why this alert is suppressed; the longest silence has precedence.
    pub(super) fn why(&self, alert: &Alert) -> Option<Suppression> {
        let silences = self.silences.iter().filter(|silence| matches(&silence.pattern, &alert.key));
        if let Some(silence) = silences.max_by_key(|silence| silence.until) {
            return Some(Suppression::Silenced(silence.clone()));
        }
        let cause = alert.cause.iter().find(|cause| self.sources.contains_key(*cause)).cloned();
        let ruled = |source: &&String| {
            let applies = |(from, to): &(&str, &str)| matches(from, source) && matches(to, &alert.key);
            **source != alert.key && RULES.iter().any(applies)
        };
        cause.or_else(|| self.sources.keys().find(ruled).cloned()).map(Suppression::Inhibited)
    }
}
