//! Times as texts: RFC 3339 in UTC for programs, local time with its offset and ages for people.
//!
//! Neighbours: every command that prints a time. Promise: a time that no calendar has is printed as its number, never a
//! panic.

use crate::clock::UnixMillis;
use crate::model::format_duration;
use chrono::{DateTime, Local, SecondsFormat, TimeZone, Utc};
use std::time::Duration;

/// `2026-11-23T06:06:02Z`
pub fn utc(at: UnixMillis) -> String {
    match Utc.timestamp_millis_opt(at).single() {
        Some(time) => time.to_rfc3339_opts(SecondsFormat::Secs, true),
        None => at.to_string(),
    }
}

/// `2026-11-23 07:06:02 +01:00`, in the zone of this host.
pub fn local(at: UnixMillis) -> String {
    match Utc.timestamp_millis_opt(at).single() {
        Some(time) => zoned(&time.with_timezone(&Local)),
        None => at.to_string(),
    }
}

/// `3m ago`, `in 2h 5m`, `just now`.
pub fn age(at: UnixMillis, now: UnixMillis) -> String {
    let apart = Duration::from_millis(now.abs_diff(at));
    if apart < Duration::from_secs(1) {
        "just now".into()
    } else if at <= now {
        format!("{} ago", format_duration(apart))
    } else {
        format!("in {}", format_duration(apart))
    }
}

/// What is left until `until`: `12m 30s`, or `expired`.
pub fn left(until: UnixMillis, now: UnixMillis) -> String {
    if until <= now { "expired".into() } else { format_duration(Duration::from_millis(until.abs_diff(now))) }
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
    fn programs_get_utc_and_people_their_offset() {
        assert_eq!(utc(1_000), "1970-01-01T00:00:01Z");
        let zone = FixedOffset::east_opt(3_600).unwrap();
        assert_eq!(zoned(&zone.timestamp_opt(0, 0).unwrap()), "1970-01-01 01:00:00 +01:00");
        assert_eq!(local(i64::MAX), i64::MAX.to_string());
    }

    #[test]
    fn ages_look_back_and_ahead() {
        assert_eq!(age(0, 180_000), "3m ago");
        assert_eq!(age(7_500_000, 0), "in 2h 5m");
        assert_eq!(age(5, 400), "just now");
        assert_eq!(age(i64::MIN, i64::MAX).split(' ').next_back(), Some("ago"));
        assert_eq!(left(90_000, 0), "1m 30s");
        assert_eq!(left(0, 0), "expired");
    }
}
