//! The time of day, as a value that can be handed in, and as text.
//!
//! Nothing below floor 8 asks the operating system for the time in another way, so a test (or `debug.clock_offset`)
//! can move it. A time that no calendar has is written as its number, never a panic.

use chrono::{DateTime, Local, SecondsFormat, TimeZone, Utc};
use serde::Serializer;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970-01-01T00:00:00Z.
pub type UnixMillis = i64;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type UnixMicros = i64;

/// The host's own time to the microsecond, for turns in a queue that all its processes share.
pub fn micros() -> UnixMicros {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_micros()).unwrap_or(i64::MAX)
}

/// A source of the current time.
pub trait Clock: Send + Sync {
    /// The current time in milliseconds since the epoch.
    fn now(&self) -> UnixMillis;
}

/// The host's clock, moved by a fixed offset (zero in production).
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock {
    offset: i64,
}

impl SystemClock {
    /// A clock that runs so many milliseconds ahead of the host's; behind it with a negative number.
    pub fn moved_by(offset: i64) -> Self {
        Self { offset }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> UnixMillis {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        millis(since).saturating_add(self.offset)
    }
}

/// A clock that moves only when a test sets it.
#[derive(Debug)]
pub struct ManualClock(AtomicI64);

impl ManualClock {
    /// A clock that shows `now`.
    pub fn at(now: UnixMillis) -> Self {
        Self(AtomicI64::new(now))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(millis(by), Ordering::SeqCst);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, now: UnixMillis) {
        self.0.store(now, Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> UnixMillis {
        self.0.load(Ordering::SeqCst)
    }
}

/// Clocks of hosts that share a state may differ by this much, in milliseconds. What is dated later than this after the
/// present was written while the clock was ahead.
pub const TOLERANCE: i64 = 60_000;

/// Whether a time was written while the clock was ahead of `now`.
pub fn is_ahead(at: UnixMillis, now: UnixMillis) -> bool {
    at > now.saturating_add(TOLERANCE)
}

/// A duration in whole milliseconds, saturating.
pub fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

/// `2026-11-23T06:06:02Z`: RFC 3339 in UTC, for sentences.
pub fn utc(at: UnixMillis) -> String {
    written(at, |time| time.to_rfc3339_opts(SecondsFormat::Secs, true))
}

/// `2026-11-23T06:06:02.125Z`: the same to the millisecond, for documents.
pub fn utc_exact(at: UnixMillis) -> String {
    written(at, |time| time.to_rfc3339_opts(SecondsFormat::Millis, true))
}

/// `2026-11-23 07:06:02 +01:00`, in the zone of this host, for people.
pub fn local(at: UnixMillis) -> String {
    written(at, |time| zoned(&time.with_timezone(&Local)))
}

/// Serializes a time as [`utc_exact`] writes it.
pub fn serialize<S: Serializer>(at: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&utc_exact(*at))
}

/// Serializes a time as [`utc_exact`] writes it, and an absent one as `null`.
pub fn serialize_or_null<S: Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => serialize(at, serializer),
        None => serializer.serialize_none(),
    }
}

fn written(at: UnixMillis, words: impl Fn(DateTime<Utc>) -> String) -> String {
    DateTime::from_timestamp_millis(at).map_or_else(|| at.to_string(), words)
}

fn zoned<Zone: TimeZone>(time: &DateTime<Zone>) -> String
where
    Zone::Offset: std::fmt::Display,
{
    time.format("%Y-%m-%d %H:%M:%S %:z").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::FixedOffset;

    #[test]
    fn sentences_and_documents_get_utc_and_people_their_offset() {
        assert_eq!(
            (utc(1_125).as_str(), utc_exact(1_125).as_str()),
            ("1970-01-01T00:00:01Z", "1970-01-01T00:00:01.125Z")
        );
        let zone = FixedOffset::east_opt(3_600).unwrap();
        assert_eq!(zoned(&zone.timestamp_opt(0, 0).unwrap()), "1970-01-01 01:00:00 +01:00");
    }

    #[test]
    fn a_time_that_no_calendar_has_is_its_number() {
        let number = i64::MAX.to_string();
        assert_eq!([utc(i64::MAX), utc_exact(i64::MAX), local(i64::MAX)], [number.clone(), number.clone(), number]);
    }

    #[test]
    fn a_manual_clock_moves_only_when_set() {
        let clock = ManualClock::at(1_000);
        assert_eq!(clock.now(), 1_000);
        clock.advance(Duration::from_secs(2));
        assert_eq!(clock.now(), 3_000);
        clock.set(5);
        assert_eq!(clock.now(), 5);
    }
}
