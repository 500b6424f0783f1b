//! Durations and sizes: `15m`, `1h 30m`, `200MB`; a plain number is seconds or bytes.
//!
//! One grammar for flags, configuration, variables and job files, and nothing outside it: `5M` and `1y` are refused instead of
//! read as five months and a year. [`parse_duration`] reads what [`format_duration`] and [`exact_duration`] write.

use std::time::Duration;

/// A text that is no duration or no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a duration.
    #[error("`{}` is not a duration: {}", .0.text, .0.hint(DURATION))]
    Duration(Refused),
    /// Not a size.
    #[error("`{}` is not a size: {}", .0.text, .0.hint(SIZE))]
    Size(Refused),
}

const DURATION: &str = "write a number of seconds or a number with a unit, as in 90, 15m or 2h30m";
const SIZE: &str = "write a number of bytes or a number with a unit, as in 500KB, 100MB or 2GB";

/// A refused text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    text: String,
    reason: Option<String>,
}

impl Refused {
    fn hint<'a>(&'a self, otherwise: &'a str) -> &'a str {
        self.reason.as_deref().unwrap_or(otherwise)
    }
}

impl QuantityError {
    /// What to write instead, where the text has a mistake that is known: "did you mean `5m`?".
    pub fn reason(&self) -> Option<&str> {
        let (QuantityError::Duration(refused) | QuantityError::Size(refused)) = self;
        refused.reason.as_deref()
    }
}

/// The units of durations, in milliseconds, the largest first.
const UNITS: [(u64, &str); 6] =
    [(604_800_000, "w"), (86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s"), (1, "ms")];

/// Other names of units; they are refused, and serve suggestions.
const OTHER_NAMES: [(&[&str], u64); 7] = [
    (&["y", "yr", "yrs", "year", "years"], 31_536_000_000),
    (&["w", "wk", "wks", "week", "weeks"], 604_800_000),
    (&["d", "day", "days"], 86_400_000),
    (&["h", "hr", "hrs", "hour", "hours"], 3_600_000),
    (&["m", "min", "mins", "minute", "minutes"], 60_000),
    (&["s", "sec", "secs", "second", "seconds"], 1_000),
    (&["ms", "msec", "millis", "millisecond", "milliseconds"], 1),
];

/// Reads `90`, `90s`, `15m`, `1h30m`, `1h 30m`, `2w`. Plain numbers are seconds.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    strict(text.trim_matches(' ')).map_err(|reason| {
        let reason = reason.or_else(|| Some(format!("did you mean `{}`?", lenient(text)?)));
        QuantityError::Duration(Refused { text: text.to_owned(), reason })
    })
}

/// A duration, or what is wrong with it if that is more than a misspelling.
fn strict(text: &str) -> Result<Duration, Option<String>> {
    let too_long = || Some("it is too long".to_owned());
    if is_digits(text) {
        let seconds: u64 = text.parse().map_err(|_| too_long())?;
        return seconds.checked_mul(1_000).map(Duration::from_millis).ok_or_else(too_long);
    }
    let (mut rest, mut total, mut last) = (text, 0_u64, None);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit()).ok_or(None)?;
        let (number, after) = rest.split_at(end);
        if number.is_empty() {
            return Err(None);
        }
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let place = UNITS.iter().position(|(_, unit)| *unit == name).ok_or(None)?;
        match last {
            Some(last) if last == place => return Err(Some(format!("the unit `{name}` appears twice"))),
            Some(last) if last > place => return Err(Some("write the largest unit first, as in 1h 30m".into())),
            _ => last = Some(place),
        }
        let number: u64 = number.parse().map_err(|_| too_long())?;
        let part = number.checked_mul(UNITS[place].0).ok_or_else(too_long)?;
        total = total.checked_add(part).ok_or_else(too_long)?;
        rest = after.trim_start_matches(' ');
    }
    last.map(|_| Duration::from_millis(total)).ok_or(None)
}

/// What a misspelled duration was meant to be: `5M`, `5 min` and `1.5h` have a meaning that is only not written as it must be.
fn lenient(text: &str) -> Option<String> {
    let lower = text.trim().to_ascii_lowercase();
    let (mut rest, mut total) = (lower.as_str(), 0.0_f64);
    while !rest.is_empty() {
        let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.')?;
        let (number, after) = rest.split_at(end);
        let after = after.trim_start();
        let end = after.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(after.len());
        let (name, after) = after.split_at(end);
        let (_, size) = OTHER_NAMES.iter().find(|(names, _)| names.contains(&name))?;
        #[expect(clippy::cast_precision_loss, reason = "a unit is far below 2^53 milliseconds")]
        let part = number.parse::<f64>().ok()? * *size as f64;
        total += part;
        rest = after.trim_start();
    }
    // Beyond this a text is a mistake of another kind.
    let most = 100.0 * 366.0 * 86_400.0;
    let meant = (0.001..=most).contains(&(total / 1_000.0)).then(|| Duration::from_secs_f64(total / 1_000.0))?;
    Some(exact_duration(meant))
}

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Reads `1048576`, `512KB`, `100 MB`, `2GiB`. K, M and G are powers of 1024, as in the limits of caches.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    let refused = |reason| QuantityError::Size(Refused { text: text.to_owned(), reason });
    let trimmed = text.trim_matches(' ');
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let unit = unit.trim_start_matches(' ');
    let factor: f64 = match unit {
        "" | "B" => 1.0,
        "KB" | "KiB" => 1024.0,
        "MB" | "MiB" => 1024.0 * 1024.0,
        "GB" | "GiB" => 1024.0 * 1024.0 * 1024.0,
        "TB" | "TiB" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        other => {
            let meant = ["KB", "MB", "GB", "TB", "B"].into_iter().find(|known| is_spelled(known, other));
            return Err(refused(
                meant.filter(|_| decimal(number).is_some()).map(|known| format!("did you mean `{number}{known}`?")),
            ));
        }
    };
    let bytes = decimal(number).ok_or_else(|| refused(None))? * factor;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: finite, not negative, below 2^63"
    )]
    if bytes.is_finite() && (0.0..9.2e18).contains(&bytes) {
        Ok(bytes.round() as u64)
    } else {
        Err(refused(Some("it is too large".into())))
    }
}

/// `mb`, `M` and `mib` are spellings of `MB` that the manual does not have.
fn is_spelled(known: &str, unit: &str) -> bool {
    let lower = known.to_ascii_lowercase();
    let unit = unit.to_ascii_lowercase();
    unit == lower
        || unit == lower.replace('b', "ib")
        || unit == lower.replace('b', "")
        || unit == lower.replace('b', "i")
}

/// A number in digits, perhaps with a point and digits behind it: no sign, no exponent, no `inf`.
pub fn decimal(text: &str) -> Option<f64> {
    let is_decimal = match text.split_once('.') {
        Some((whole, part)) => is_digits(whole) && is_digits(part),
        None => is_digits(text),
    };
    text.parse().ok().filter(|_| is_decimal)
}

/// `1d 1h 1m 1s`: a duration to the millisecond.
pub fn exact_duration(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut parts = Vec::new();
    // Weeks are parsed, but days are printed.
    for (size, unit) in &UNITS[1..] {
        if rest >= *size {
            parts.push(format!("{}{unit}", rest / size));
            rest %= size;
        }
    }
    if parts.is_empty() { "0s".into() } else { parts.join(" ") }
}

/// `1h 30m`, `45s`, `250ms`: at most two units, the largest first.
pub fn format_duration(duration: Duration) -> String {
    let units = &UNITS[1..5];
    let total = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if total < 1_000 {
        return if total == 0 { "0s".into() } else { format!("{total}ms") };
    }
    let first = units.iter().position(|(size, _)| total >= *size).unwrap_or(units.len() - 1);
    let (size, unit) = units[first];
    let mut text = format!("{}{unit}", total / size);
    if let Some((smaller, unit)) = units.get(first + 1) {
        let rest = total % size / smaller;
        if rest > 0 {
            text = format!("{text} {rest}{unit}");
        }
    }
    text
}

/// `0 B`, `13.4 KB`, `1.2 GB`, in powers of 1024.
#[expect(clippy::cast_precision_loss, reason = "one decimal is printed")]
pub fn format_size(bytes: u64) -> String {
    let mut value = bytes as f64;
    for unit in ["B", "KB", "MB", "GB"] {
        if value < 1024.0 {
            return if unit == "B" { format!("{bytes} B") } else { format!("{value:.1} {unit}") };
        }
        value /= 1024.0;
    }
    format!("{value:.1} TB")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_back() {
        for (text, seconds) in [
            ("90", 90),
            ("15m", 900),
            ("1h 30m", 5_400),
            ("2h30m", 9_000),
            ("0", 0),
            ("1d", 86_400),
            ("2w", 1_209_600),
            (" 1w2d3h4m5s ", 788_645),
            ("007", 7),
        ] {
            let duration = parse_duration(text).expect("a duration");
            assert_eq!(duration.as_secs(), seconds, "{text}");
            assert_eq!(parse_duration(&exact_duration(duration)), Ok(duration), "{text}");
        }
        assert_eq!(parse_duration("1s 250ms"), Ok(Duration::from_millis(1_250)));
        for millis in [0, 1, 999, 1_000, 90_061_001, 31_622_400_000] {
            let duration = Duration::from_millis(millis);
            assert_eq!(parse_duration(&exact_duration(duration)), Ok(duration));
        }
        assert_eq!(exact_duration(Duration::from_secs(90_061)), "1d 1h 1m 1s");
    }

    #[test]
    fn what_the_manual_does_not_have_is_refused_with_what_was_meant() {
        for (text, meant) in [
            ("5M", "`5m`"),
            ("1H30M", "`1h 30m`"),
            ("1y", "`365d`"),
            ("5 m", "`5m`"),
            ("10 minutes", "`10m`"),
            ("1.5h", "`1h 30m`"),
            ("2days", "`2d`"),
        ] {
            let error = parse_duration(text).unwrap_err();
            assert_eq!(error.to_string(), format!("`{text}` is not a duration: did you mean {meant}?"));
        }
        for (text, reason) in [
            ("5m5m", "the unit `m` appears twice"),
            ("30m 1h", "the largest unit first"),
            ("99999999999999999999", "it is too long"),
            ("99999999999999999999d", "it is too long"),
            ("18446744073709551615", "it is too long"),
            ("1000000000000000w", "it is too long"),
        ] {
            assert!(parse_duration(text).unwrap_err().to_string().contains(reason), "{text}");
        }
        for text in ["", " ", "-5", "-5m", "+5m", "soon", "5 parsecs", "h", "5m,", "1e3", "\u{665}m", "５m", "5µs"] {
            let error = parse_duration(text).unwrap_err().to_string();
            assert!(error.contains("as in 90, 15m or 2h30m"), "{text:?}: {error}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_size("100MB"), Ok(100 * 1024 * 1024));
        assert_eq!(parse_size("1.5 KiB"), Ok(1536));
        assert_eq!(parse_size("7"), Ok(7));
        for text in
            ["", "MB", "1 elephant", "-1", "+1", "1e4GB", ".", "5.", ".5", "inf", "NaN", "１MB", "1..2", "1\tMB"]
        {
            let error = parse_size(text).unwrap_err();
            assert!(error.reason().is_none() && error.to_string().contains("500KB"), "{text:?}: {error}");
        }
        for (text, meant) in [("200mb", "200MB"), ("2g", "2GB"), ("1.5 kib", "1.5KB"), ("3M", "3MB")] {
            assert_eq!(parse_size(text).unwrap_err().reason(), Some(format!("did you mean `{meant}`?").as_str()));
        }
        assert_eq!(parse_size("99999999999999TB").unwrap_err().reason(), Some("it is too large"));
        assert_eq!(format_size(300 * 1024 * 1024), "300.0 MB");
        assert_eq!(parse_size(&format_size(300 * 1024 * 1024)), Ok(300 * 1024 * 1024));
        assert_eq!(format_size(12), "12 B");
    }
}
