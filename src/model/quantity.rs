//! Durations and sizes as people write them: `15m`, `1h 30m`, `100MB`; plain numbers are seconds and bytes.
//!
//! Neighbours: configuration values, command-line flags and everything printed for people. Promise: what
//! [`format_duration`] writes, [`parse_duration`] reads.

use std::time::Duration;

/// A text that is no duration or no size.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// Not a duration.
    #[error("`{0}` is not a duration: write a number of seconds or a number with a unit, as in 90, 15m or 2h30m")]
    Duration(String),
    /// Not a size.
    #[error("`{0}` is not a size: write a number of bytes or a number with a unit, as in 500KB, 100MB or 2GB")]
    Size(String),
}

/// Reads `90`, `90s`, `15m`, `1h 30m`, `2days`. Plain numbers are seconds.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let trimmed = text.trim();
    if !trimmed.is_empty() && trimmed.bytes().all(|b| b.is_ascii_digit()) {
        return trimmed.parse().map(Duration::from_secs).map_err(|_| QuantityError::Duration(text.into()));
    }
    humantime::parse_duration(trimmed).map_err(|_| QuantityError::Duration(text.into()))
}

/// Reads `1048576`, `512KB`, `100 MB`, `2GiB`. K, M and G are powers of 1024, as in the limits of caches.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    let trimmed = text.trim();
    let split = trimmed.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(trimmed.len());
    let (number, unit) = trimmed.split_at(split);
    let factor: f64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1.0,
        "k" | "kb" | "kib" => 1024.0,
        "m" | "mb" | "mib" => 1024.0 * 1024.0,
        "g" | "gb" | "gib" => 1024.0 * 1024.0 * 1024.0,
        "t" | "tb" | "tib" => 1024.0 * 1024.0 * 1024.0 * 1024.0,
        _ => return Err(QuantityError::Size(text.into())),
    };
    let bytes = number.parse::<f64>().map_err(|_| QuantityError::Size(text.into()))? * factor;
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: finite, not negative, below 2^63"
    )]
    if bytes.is_finite() && (0.0..9.2e18).contains(&bytes) {
        Ok(bytes.round() as u64)
    } else {
        Err(QuantityError::Size(text.into()))
    }
}

/// `1h 30m`, `45s`, `250ms`: at most two units, the largest first.
pub fn format_duration(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400_000, "d"), (3_600_000, "h"), (60_000, "m"), (1_000, "s")];
    let total = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    if total < 1_000 {
        return if total == 0 { "0s".into() } else { format!("{total}ms") };
    }
    let first = UNITS.iter().position(|(size, _)| total >= *size).unwrap_or(UNITS.len() - 1);
    let (size, unit) = UNITS[first];
    let mut text = format!("{}{unit}", total / size);
    if let Some((smaller, unit)) = UNITS.get(first + 1) {
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
        for (text, seconds) in [("90", 90), ("15m", 900), ("1h 30m", 5_400), ("2h30m", 9_000), ("0", 0), ("1d", 86_400)]
        {
            let duration = parse_duration(text).expect("a duration");
            assert_eq!(duration.as_secs(), seconds, "{text}");
            assert_eq!(parse_duration(&format_duration(duration)), Ok(duration), "{text}");
        }
        for text in ["", "-5", "soon", "5 parsecs", "99999999999999999999"] {
            assert!(parse_duration(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn sizes_are_powers_of_1024() {
        assert_eq!(parse_size("100MB"), Ok(100 * 1024 * 1024));
        assert_eq!(parse_size("1.5 kib"), Ok(1536));
        assert_eq!(parse_size("7"), Ok(7));
        for text in ["", "MB", "1 elephant", "-1", "1e400GB"] {
            assert!(parse_size(text).is_err(), "{text:?}");
        }
        assert_eq!(format_size(300 * 1024 * 1024), "300.0 MB");
        assert_eq!(format_size(12), "12 B");
    }
}
