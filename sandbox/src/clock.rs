//! The two clocks of a sandbox: calendar time for records, monotonic time for waits.

use crate::records::Moment;
use chrono::{DateTime, SecondsFormat};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// A source of calendar time, in milliseconds since 1970-01-01T00:00:00Z.
pub trait Clock: Send + Sync {
    /// The current time.
    fn now(&self) -> i64;
}

/// The host's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }
}

/// The time of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Now {
    /// Time since the start of the sandbox, which never goes back.
    pub(crate) since: Duration,
    /// The time of day, for records.
    pub(crate) at: Moment,
}

/// `2026-11-23T06:06:02Z`; a time outside the calendar is its number.
pub(crate) fn utc(at: i64) -> String {
    let written = |time: DateTime<chrono::Utc>| time.to_rfc3339_opts(SecondsFormat::Secs, true);
    DateTime::from_timestamp_millis(at).map_or_else(|| at.to_string(), written)
}
