//! Formats numbers and times of the page for people.
//!
//! A time is relative, with the absolute time in its tooltip. Numbers have thousands separators.

use crate::clock::{self, UnixMillis};
use crate::model::format_duration;
use maud::{Markup, html};
use std::time::Duration;

/// A minute, an hour and a day, in milliseconds.
const MINUTE: u64 = 60_000;
pub(super) const HOUR: i64 = 3_600_000;
pub(super) const DAY: i64 = 24 * HOUR;

/// `3m ago`, `in 2h 5m`, `now`; the tooltip has the local time, and the element the time in UTC.
pub(super) fn moment(at: UnixMillis, now: UnixMillis) -> Markup {
    let words = match now.saturating_sub(at) {
        -999..=999 => "now".to_owned(),
        past @ 1_000.. => format!("{} ago", span(past.unsigned_abs())),
        ahead => format!("in {}", span(ahead.unsigned_abs())),
    };
    html! { time datetime=(clock::utc(at)) title=(clock::local(at)) { (words) } }
}

/// A sentence with the text between backticks marked as code.
pub(super) fn prose(text: &str) -> Markup {
    html! {
        @for (n, part) in text.split('`').enumerate() {
            @if n % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// `for 45m`, with the absolute time in its tooltip.
pub(super) fn lasting(since: UnixMillis, now: UnixMillis) -> Markup {
    let words = span(now.saturating_sub(since).max(0).unsigned_abs());
    html! { "for " time datetime=(clock::utc(since)) title={ "since " (clock::local(since)) } { (words) } }
}

/// `42s`, `3m`, `2h 5m`, `4d 3h`: two units at most.
pub(super) fn span(ms: u64) -> String {
    let whole = match ms {
        0..MINUTE => ms.div_ceil(1_000) * 1_000,
        MINUTE..3_600_000 => ms / MINUTE * MINUTE,
        3_600_000..86_400_000 => ms / (5 * MINUTE) * (5 * MINUTE),
        _ => ms / 3_600_000 * 3_600_000,
    };
    format_duration(Duration::from_millis(whole))
}

/// `340ms`, `1.2s`, `4m 3s`.
pub(super) fn took(ms: i64) -> String {
    let ms = ms.max(0).unsigned_abs();
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..MINUTE => format!("{}.{}s", ms / 1_000, ms % 1_000 / 100),
        _ => format_duration(Duration::from_secs(ms / 1_000)),
    }
}

/// `1,204,331`
pub(super) fn grouped(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 job`, `1,204 lookups`
pub(super) fn counted(n: u64, one: &str, more: &str) -> String {
    format!("{} {}", grouped(n), if n == 1 { one } else { more })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_as_fine_as_somebody_needs() {
        for (ms, words) in [
            (0, "0s"),
            (400, "1s"),
            (59_000, "59s"),
            (61_000, "1m"),
            (3_600_000, "1h"),
            (7_499_000, "2h"),
            (7_500_000, "2h 5m"),
            (90_000_000, "1d 1h"),
        ] {
            assert_eq!(span(ms), words, "{ms}");
        }
        assert!(moment(0, 180_000).into_string().contains(">3m ago</time>"));
        assert!(moment(180_000, 0).into_string().contains(">in 3m</time>"));
        assert_eq!([took(-1), took(340), took(1_290), took(243_000)], ["0ms", "340ms", "1.2s", "4m 3s"]);
    }

    #[test]
    fn numbers_are_grouped() {
        assert_eq!(
            [grouped(0), grouped(999), grouped(1_000), grouped(12_345_678)],
            ["0", "999", "1,000", "12,345,678"]
        );
        assert_eq!(counted(1, "job", "jobs"), "1 job");
    }
}
