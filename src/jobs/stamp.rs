//! Times in documents and durations in sentences.
//!
//! RFC 3339 in UTC with milliseconds, null for a time that is not there.

use crate::clock::{self, UnixMillis};
use crate::model::exact_duration;
use serde::Serializer;
use std::time::Duration;

/// A duration for a sentence (`1h 5m`).
pub(super) fn duration(length: Duration) -> String {
    exact_duration(length)
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
pub(super) fn json<S: Serializer>(at: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&clock::utc_exact(*at))
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference")]
pub(super) fn json_or_null<S: Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => json(at, serializer),
        None => serializer.serialize_none(),
    }
}
