//! Time zones by their IANA name, in the form that chrono and croner can reckon with; the only file that names jiff.
//!
//! Neighbours: `config/` reads names, `host.rs` finds the host's, `jobs/occurrence.rs` reckons. Promise: the zones are
//! those that were built in, whatever the host has; they are read from compact bytes when first asked for, so that a
//! start that needs none pays for none.

use chrono::{FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use jiff::Timestamp;
use jiff::tz::{self, AmbiguousOffset, TimeZoneDatabase};
use std::fmt;
use std::str::FromStr;

/// A time zone; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone(tz::TimeZone);

/// A name that is no IANA time zone, letter for letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no time zone")]
pub struct NoZone(pub String);

/// How far a zone is from UTC at some moment.
#[derive(Clone, PartialEq, Eq)]
pub struct ZoneOffset {
    zone: Zone,
    fixed: FixedOffset,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone(tz::TimeZone::UTC);

    /// Its IANA name.
    pub fn name(&self) -> &str {
        self.0.iana_name().unwrap_or("UTC")
    }

    /// The names of all zones.
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect()
    }

    fn offset(&self, offset: tz::Offset) -> ZoneOffset {
        // No zone is a day away from UTC.
        let fixed = FixedOffset::east_opt(offset.seconds()).unwrap_or_else(|| Utc.fix());
        ZoneOffset { zone: self.clone(), fixed }
    }
}

impl FromStr for Zone {
    type Err = NoZone;

    fn from_str(name: &str) -> Result<Self, NoZone> {
        let found = TimeZoneDatabase::bundled().get(name).ok();
        // jiff overlooks upper and lower case, and has a zone for not knowing.
        found
            .filter(|zone| zone.iana_name() == Some(name) && !zone.is_unknown())
            .map(Zone)
            .ok_or_else(|| NoZone(name.to_owned()))
    }
}

impl fmt::Display for Zone {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Offset for ZoneOffset {
    fn fix(&self) -> FixedOffset {
        self.fixed
    }
}

impl fmt::Display for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.fixed.fmt(f)
    }
}

impl fmt::Debug for ZoneOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.fixed, self.zone)
    }
}

impl TimeZone for Zone {
    type Offset = ZoneOffset;

    fn from_offset(offset: &ZoneOffset) -> Self {
        offset.zone.clone()
    }

    fn offset_from_local_date(&self, local: &NaiveDate) -> LocalResult<ZoneOffset> {
        self.offset_from_local_datetime(&local.and_time(NaiveTime::MIN))
    }

    fn offset_from_local_datetime(&self, local: &NaiveDateTime) -> LocalResult<ZoneOffset> {
        let wall = tz::Offset::UTC.to_datetime(instant(local));
        match self.0.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => LocalResult::Single(self.offset(offset)),
            AmbiguousOffset::Gap { .. } => LocalResult::None,
            AmbiguousOffset::Fold { before, after } => LocalResult::Ambiguous(self.offset(before), self.offset(after)),
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        self.offset(self.0.to_offset(instant(utc)))
    }
}

/// The moment at which UTC shows `utc`, to the second; years jiff does not know are the nearest one it does.
fn instant(utc: &NaiveDateTime) -> Timestamp {
    let second = utc.and_utc().timestamp().clamp(Timestamp::MIN.as_second(), Timestamp::MAX.as_second());
    Timestamp::from_second(second).unwrap_or(Timestamp::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_exact_name_of_a_zone_is_one() {
        assert_eq!("Europe/Berlin".parse::<Zone>().unwrap().to_string(), "Europe/Berlin");
        assert_eq!("UTC".parse(), Ok(Zone::UTC));
        for name in ["europe/berlin", "", "CET-1CEST", "Mars/Base", "Etc/Unknown", "../etc/passwd"] {
            assert_eq!(name.parse::<Zone>(), Err(NoZone(name.into())));
        }
        assert!(Zone::names().iter().any(|name| name == "Asia/Kolkata"));
    }

    #[test]
    fn a_gap_has_no_moment_and_a_repeated_hour_has_two_the_earlier_first() {
        let berlin: Zone = "Europe/Berlin".parse().unwrap();
        assert_eq!(berlin.with_ymd_and_hms(2026, 3, 29, 2, 30, 0), LocalResult::None);
        let LocalResult::Ambiguous(first, second) = berlin.with_ymd_and_hms(2026, 10, 25, 2, 30, 0) else { panic!() };
        assert_eq!(first.to_rfc3339(), "2026-10-25T02:30:00+02:00");
        assert_eq!(second.to_rfc3339(), "2026-10-25T02:30:00+01:00");
    }

    #[test]
    fn moments_beyond_every_calendar_are_no_panic() {
        let zone: Zone = "Asia/Tokyo".parse().unwrap();
        for far in [NaiveDateTime::MIN, NaiveDateTime::MAX] {
            zone.offset_from_utc_datetime(&far);
            zone.offset_from_local_datetime(&far);
        }
    }
}
