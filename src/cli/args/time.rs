//! A time as people write it: whole, without its zone, as a time of day, or as a distance.
//!
//! What is left out is never guessed from anything but the given present and zone.

use crate::clock::{UnixMillis, millis};
use crate::model::{Zone, parse_duration};
use chrono::{DateTime, Days, NaiveDate, NaiveDateTime, NaiveTime, TimeZone};
use std::time::Duration;

/// A time as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moment {
    /// With its offset from UTC: `2026-12-24T18:00:00Z`.
    Exact(UnixMillis),
    /// What the clocks of a zone show: `2026-12-24T18:00`.
    Wall(NaiveDateTime),
    /// The next time the clocks show this: `18:00`.
    TimeOfDay(NaiveTime),
    /// So long after something: `2h`.
    After(Duration),
}

/// Reads one; for clap.
pub fn moment(text: &str) -> Result<Moment, String> {
    let text = text.trim();
    if let Ok(exact) = DateTime::parse_from_rfc3339(text) {
        return Ok(Moment::Exact(exact.timestamp_millis()));
    }
    for form in ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"] {
        if let Ok(wall) = NaiveDateTime::parse_from_str(text, form) {
            return Ok(Moment::Wall(wall));
        }
    }
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(Moment::Wall(date.and_time(NaiveTime::MIN)));
    }
    if let Ok(time) = NaiveTime::parse_from_str(text, "%H:%M") {
        return Ok(Moment::TimeOfDay(time));
    }
    parse_duration(text).map(Moment::After).map_err(|error| {
        let forms = "write 18:00, 2026-12-24T18:00, 2026-12-24T18:00:00Z, or 2h for two hours on";
        format!("`{text}` is not a time: {}", error.reason().unwrap_or(forms))
    })
}

impl Moment {
    /// The moment that is meant, seen at `now` in `zone`; `None` when no calendar has it. A wall clock time that the
    /// spring change skips is the first one after the gap.
    pub fn at(&self, now: UnixMillis, zone: &Zone) -> Option<UnixMillis> {
        match self {
            Moment::Exact(at) => Some(*at),
            Moment::Wall(wall) => shown(*wall, zone),
            Moment::TimeOfDay(time) => {
                let today = DateTime::from_timestamp_millis(now)?.with_timezone(zone).date_naive();
                [today, today.checked_add_days(Days::new(1))?]
                    .into_iter()
                    .filter_map(|day| shown(day.and_time(*time), zone))
                    .find(|at| *at > now)
            }
            Moment::After(distance) => now.checked_add(millis(*distance)),
        }
    }
}

fn shown(wall: NaiveDateTime, zone: &Zone) -> Option<UnixMillis> {
    // No zone was ever moved by more than a day and two hours.
    (0..=26 * 60).find_map(|minutes| {
        let later = wall.checked_add_signed(chrono::TimeDelta::minutes(minutes))?;
        zone.from_local_datetime(&later).earliest().map(|at| at.timestamp_millis())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::utc;

    fn at(text: &str, now: &str) -> String {
        let now = DateTime::parse_from_rfc3339(now).unwrap().timestamp_millis();
        let berlin = "Europe/Berlin".parse().unwrap();
        utc(moment(text).unwrap().at(now, &berlin).unwrap())
    }

    #[test]
    fn times_are_read_as_they_are_written() {
        let now = "2026-06-01T12:00:00Z";
        for (text, expected) in [
            ("2026-12-24T18:00:00Z", "2026-12-24T18:00:00Z"),
            ("2026-12-24T18:00:00+05:00", "2026-12-24T13:00:00Z"),
            ("2026-12-24T18:00", "2026-12-24T17:00:00Z"),
            ("2026-12-24 18:00:30", "2026-12-24T17:00:30Z"),
            ("2026-12-24", "2026-12-23T23:00:00Z"),
            ("18:00", "2026-06-01T16:00:00Z"),
            ("13:30", "2026-06-02T11:30:00Z"),
            ("90m", "2026-06-01T13:30:00Z"),
            ("2026-03-29T02:30", "2026-03-29T01:00:00Z"),
        ] {
            assert_eq!(at(text, now), expected, "{text}");
        }
        for text in ["soon", "25:00", "2026-13-01", ""] {
            assert!(moment(text).unwrap_err().contains("is not a time"), "{text}");
        }
        assert_eq!(moment("2H").unwrap_err(), "`2H` is not a time: did you mean `2h`?");
    }
}
