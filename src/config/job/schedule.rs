//! A checked schedule: a cron expression or an interval.
//!
//! Guarantee: it is valid and has future occurrences. Only croner parses cron expressions.

use crate::model::{Zone, format_duration};
use chrono::{DateTime, TimeDelta, TimeZone, Utc};
use croner::errors::CronError;
use croner::parser::{CronParser, Seconds, Year};
use std::fmt;
use std::time::Duration;

/// The schedule of a job.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// A cron expression with 5 or 6 fields, or `@hourly` and similar, in a time zone.
    Cron {
        /// The expression as written.
        text: String,
        /// The parsed expression.
        cron: Box<croner::Cron>,
        /// The time zone; `None` is the host's.
        timezone: Option<Zone>,
    },
    /// An interval, counted from the last run.
    Every(Duration),
}

impl Schedule {
    /// The problem of `0 0 31 2 *`.
    pub(crate) const NEVER: &'static str = "the time never occurs";

    /// Parses a cron expression.
    ///
    /// Five fields, or six with the seconds first. Day of month and day of week are alternatives if both are given,
    /// as in POSIX.
    pub fn cron(text: &str, timezone: Option<Zone>) -> Result<Schedule, String> {
        let parser = CronParser::builder().seconds(Seconds::Optional).year(Year::Disallowed).dom_and_dow(false).build();
        let text = text.trim();
        let cron = parser.parse(text).map_err(|error| reason(&error))?;
        if cron.find_next_occurrence(&reference(), false).is_err() {
            return Err(Self::NEVER.into());
        }
        Ok(Schedule::Cron { text: text.into(), cron: Box::new(cron), timezone })
    }

    /// A text that changes when the schedule changes. The ledger stores it to detect an edited file.
    pub fn fingerprint(&self) -> String {
        match self {
            Schedule::Cron { text, timezone, .. } => {
                let words: Vec<_> = text.split_whitespace().collect();
                format!("cron {} @{}", words.join(" "), timezone.as_ref().map_or("host", Zone::name))
            }
            Schedule::Every(interval) => format!("every {}ms", interval.as_millis()),
        }
    }

    /// The longest time between two occurrences in the nine days after the first one from a fixed Monday on.
    pub(crate) fn longest_gap(&self) -> Duration {
        let (cron, timezone) = match self {
            Schedule::Every(interval) => return *interval,
            Schedule::Cron { cron, timezone, .. } => (cron, timezone.clone().unwrap_or(Zone::UTC)),
        };
        let next = |after: &DateTime<Zone>| cron.find_next_occurrence(after, false).ok();
        let Some(first) = next(&reference().with_timezone(&timezone)) else { return Duration::MAX };
        let end = first.clone() + TimeDelta::days(9);
        let (mut last, mut longest) = (first, TimeDelta::zero());
        while last < end {
            let Some(following) = next(&last) else { return Duration::MAX };
            longest = longest.max(following.clone() - last);
            last = following;
        }
        longest.to_std().unwrap_or_default()
    }
}

/// The message of croner without its error class.
fn reason(error: &CronError) -> String {
    let told = match error {
        CronError::InvalidPattern(why) | CronError::IllegalCharacters(why) | CronError::ComponentError(why) => {
            why.clone()
        }
        other => other.to_string(),
    };
    told.trim_end_matches('.').to_owned()
}

/// The Monday from which expressions are evaluated.
fn reference() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 5, 0, 0, 0).single().unwrap_or_default()
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Schedule::Cron { text, timezone: Some(zone), .. } => write!(f, "{text} ({zone})"),
            Schedule::Cron { text, timezone: None, .. } => f.write_str(text),
            Schedule::Every(interval) => write!(f, "every {}", format_duration(*interval)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn five_fields_six_fields_and_names_are_read() {
        for text in ["*/5 * * * *", "30 */5 * * * *", "@hourly", "0 3 * * MON-FRI", " 7 * * * * ", "0 0 L * *"] {
            assert!(Schedule::cron(text, None).is_ok(), "{text}");
        }
        for text in ["", "* * *", "61 * * * *", "every hour", "0 0 0 1 1 * 2030", "0 0 31 2 *"] {
            assert!(Schedule::cron(text, None).is_err(), "{text}");
        }
        assert_eq!(Schedule::cron("0 0 31 2 *", None).unwrap_err(), "the time never occurs");
    }

    #[test]
    fn day_of_month_and_day_of_week_are_alternatives() {
        let Ok(Schedule::Cron { cron, .. }) = Schedule::cron("0 0 13 * FRI", None) else { panic!("it parses") };
        let tuesday_the_13th = Utc.with_ymd_and_hms(2026, 1, 13, 0, 0, 0).unwrap();
        let friday_the_9th = Utc.with_ymd_and_hms(2026, 1, 9, 0, 0, 0).unwrap();
        assert!(cron.is_time_matching(&tuesday_the_13th).unwrap() && cron.is_time_matching(&friday_the_9th).unwrap());
    }

    #[test]
    fn a_schedule_says_itself_and_its_fingerprint_ignores_spaces() {
        let berlin: Option<Zone> = "Europe/Berlin".parse().ok();
        let spaced = Schedule::cron("0  3 * * *", berlin.clone()).unwrap();
        assert_eq!(spaced.to_string(), "0  3 * * * (Europe/Berlin)");
        assert_eq!(spaced.fingerprint(), Schedule::cron("0 3 * * *", berlin).unwrap().fingerprint());
        assert_ne!(spaced.fingerprint(), Schedule::cron("0 3 * * *", None).unwrap().fingerprint());
        let every = Schedule::Every(Duration::from_secs(900));
        assert_eq!((every.to_string(), every.fingerprint()), ("every 15m".into(), "every 900000ms".into()));
    }

    #[test]
    fn the_longest_gap_sees_nights_and_weekends() {
        let hours = |text: &str| Schedule::cron(text, None).unwrap().longest_gap().as_secs_f64() / 3600.0;
        assert!((hours("@hourly") - 1.0).abs() < 1e-9);
        assert!((hours("0 * 9-17 * * MON-FRI") - 64.0).abs() < 1.0, "{}", hours("0 * 9-17 * * MON-FRI"));
        assert!(hours("0 0 1 * *") > 24.0 * 27.0);
    }
}
