//! Times and durations as text.
//!
//! Neighbours: everything here that becomes JSON or a sentence. Promise: RFC 3339 in UTC, with milliseconds in JSON
//! and whole seconds in sentences.

use crate::clock::UnixMillis;
use chrono::{DateTime, SecondsFormat, Utc};
use serde::Serializer;
use std::time::Duration;

/// A time for a sentence.
pub(super) fn time(at: UnixMillis) -> String {
    text(at, SecondsFormat::Secs)
}

/// A duration for a sentence (`1h 5m`).
pub(super) fn duration(length: Duration) -> String {
    humantime::format_duration(length).to_string()
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(super) fn json<S: Serializer>(at: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&text(*at, SecondsFormat::Millis))
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference")]
pub(super) fn json_or_null<S: Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => json(at, serializer),
        None => serializer.serialize_none(),
    }
}

fn text(at: UnixMillis, precision: SecondsFormat) -> String {
    match DateTime::<Utc>::from_timestamp_millis(at) {
        Some(time) => time.to_rfc3339_opts(precision, true),
        None => format!("{at} ms"),
    }
}
