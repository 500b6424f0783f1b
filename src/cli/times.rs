//! Times as texts: RFC 3339 in UTC for programs, local time with its offset and ages for people.
//!
//! No distance between two times, however absurd, is a panic.

use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::clock::{self, UnixMillis};
pub use crate::clock::{local, utc};
use crate::host;
use crate::model::{Zone, format_duration};
use std::time::Duration;

/// The age of what has happened: `3m ago`, `just now`. A time in the future was written while the clock was ahead.
pub fn ago(at: UnixMillis, now: UnixMillis) -> String {
    if clock::is_ahead(at, now) { "in the future (the clock was ahead?)".into() } else { age(at.min(now), now) }
}

/// The zone in which a time without its offset counts. Where the host's is not known, the time has no meaning.
pub(crate) fn zone() -> Result<Zone, CliError> {
    host::local_zone().map_err(|unknown| {
        CliError::new(Code::Usage, unknown.to_string())
            .hint("write the time with its offset, as in 2026-12-24T18:00:00Z, or a duration")
    })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_look_back_and_ahead() {
        assert_eq!(age(0, 180_000), "3m ago");
        assert_eq!(age(7_500_000, 0), "in 2h 5m");
        assert_eq!(age(5, 400), "just now");
        assert_eq!(age(i64::MIN, i64::MAX).split(' ').next_back(), Some("ago"));
        assert_eq!([ago(0, 180_000), ago(500, 0)], ["3m ago", "just now"]);
        assert_eq!(ago(61_000, 0), "in the future (the clock was ahead?)");
        assert_eq!(left(90_000, 0), "1m 30s");
        assert_eq!(left(0, 0), "expired");
    }
}
