//! The types of configuration values, and their checks.
//!
//! Guarantee: the type of a key decides how a variable's text is read, so `AWSIDEMAN_PROFILE=012345678901` keeps its
//! leading zero. Every error contains the expected form.

use crate::config::diagnostic::ValueFault;
use crate::config::diagnostic::suggestion;
use crate::config::schema::Sharing;
use crate::model::{Mailbox, MailboxError, decimal, exact_duration, format_duration, parse_duration, parse_size};
use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::time::Duration;

const MIB: f64 = 1024.0 * 1024.0;
const SIZE_HINT: &str = "write a number above 0 or a size, as in 200 or \"200MB\"";

/// The type of a key.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Type {
    /// Any text.
    Text,
    /// `http://` or `https://`.
    Url,
    /// An address with a port: `127.0.0.1:9464`, `[::1]:9464`, `localhost:9464`.
    Address,
    /// A secret text. It may be set only by a variable.
    Secret,
    /// A secret URL.
    SecretUrl,
    /// A path. `~/` is the home directory; a relative path is relative to the file that contains it.
    Path,
    /// true or false.
    Flag,
    /// true or false. Any other value of the variable means true, with a warning.
    Switch,
    /// A duration within bounds, in seconds.
    Time(u64, u64),
    /// A duration in seconds up to a bound, negative for the past.
    Offset(u64),
    /// A number within bounds.
    Number(f64, f64),
    /// A whole number within bounds.
    Whole(u64, u64),
    /// MiB: a number, or text with a unit.
    Size,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list of texts; in a variable, separated by commas.
    Words,
    /// A mail address, or nothing.
    Mailbox,
    /// A list of mail addresses; in a variable, separated by commas outside of quotes.
    Mailboxes,
    /// `private` or `group:NAME`.
    Sharing,
}

/// A checked value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Setting {
    Text(String),
    Flag(bool),
    Number(f64),
    Whole(u64),
    Time(Duration),
    Words(Vec<String>),
}

/// A value as written.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum RawValue<'a> {
    /// The text of a variable or flag, of any type.
    Raw(&'a str),
    Text(&'a str),
    Integer(i64),
    Float(f64),
    Bool(bool),
    List(Vec<RawValue<'a>>),
    /// An unsupported type, by name.
    Other(&'static str),
}

impl RawValue<'_> {
    fn described(&self) -> String {
        match self {
            RawValue::Raw(text) | RawValue::Text(text) => format!("`{}`", text.escape_debug()),
            RawValue::Integer(n) => format!("the number {n}"),
            RawValue::Float(n) => format!("the number {n}"),
            RawValue::Bool(b) => format!("`{b}`"),
            RawValue::List(_) => "a list".into(),
            RawValue::Other(name) => (*name).into(),
        }
    }

    fn text(&self) -> Option<&str> {
        match self {
            RawValue::Raw(text) | RawValue::Text(text) => Some(text),
            _ => None,
        }
    }

    #[expect(clippy::cast_precision_loss, reason = "no setting is near 2^53")]
    fn number(&self) -> Option<f64> {
        let number = match self {
            RawValue::Raw(text) => text.trim().parse().ok()?,
            RawValue::Integer(n) => *n as f64,
            RawValue::Float(n) => *n,
            _ => return None,
        };
        Some(number).filter(|n: &f64| n.is_finite())
    }
}

/// The base of relative paths and `~/`.
#[derive(Debug, Clone, Copy)]
pub(super) struct BaseDirs<'a> {
    /// An absolute directory.
    pub(super) directory: &'a Path,
    pub(super) home: Option<&'a Path>,
}

impl Type {
    /// The value, or its problem.
    pub(super) fn check(self, given: &RawValue<'_>, base: BaseDirs<'_>) -> Result<Setting, ValueFault> {
        let wrong = |hint: &str| ValueFault::new(format!("{} is not {}", given.described(), self.noun()), hint);
        match self {
            Type::Text => given.text().map(|t| Setting::Text(t.into())).ok_or_else(|| wrong("write it in quotes")),
            Type::Url => match given.text() {
                Some(url) if url.starts_with("http://") || url.starts_with("https://") => Ok(Setting::Text(url.into())),
                // The URL may contain a password.
                Some(url) if url.contains('@') => {
                    Err(ValueFault::new("is not a URL", "write one that begins with http:// or https://"))
                }
                _ => Err(wrong("write one that begins with http:// or https://")),
            },
            Type::Address => match given.text().map(|text| text.trim().replace("localhost:", "127.0.0.1:")) {
                Some(text) if text.parse::<SocketAddr>().is_ok() => Ok(Setting::Text(text)),
                _ => Err(wrong("write one such as \"127.0.0.1:9464\" or \"[::1]:9464\"")),
            },
            Type::Secret => match given {
                RawValue::Raw(text) => Ok(Setting::Text((*text).into())),
                _ => Err(ValueFault::new(
                    "is a secret and must not be in the configuration file",
                    "name its file with the key that ends in _file, or a command, or set the variable of this key",
                )),
            },
            Type::SecretUrl => match given.text() {
                Some(url) if url.starts_with("http://") || url.starts_with("https://") => Ok(Setting::Text(url.into())),
                _ => Err(ValueFault::new("is not a URL", "write one that begins with http:// or https://")),
            },
            Type::Path => match given.text() {
                Some(path) if !path.trim().is_empty() => resolve(path, base),
                _ => Err(wrong("write one in quotes, or leave the key out")),
            },
            Type::Flag | Type::Switch => match given {
                RawValue::Bool(value) => Ok(Setting::Flag(*value)),
                RawValue::Raw(text) => truth(text).map(Setting::Flag).ok_or_else(|| wrong("write true or false")),
                _ => Err(wrong("write true or false, without quotes")),
            },
            Type::Time(least, most) => time(given, least, most),
            Type::Offset(most) => offset(given, most),
            Type::Number(least, most) => match given.number() {
                Some(n) if (least..=most).contains(&n) => Ok(Setting::Number(n)),
                Some(_) => Err(outside(given, &least.to_string(), &most.to_string())),
                None => Err(wrong("write one such as 80 or 2.5, without quotes")),
            },
            Type::Whole(least, most) => {
                whole(given, least, most).map_err(|f| f.unwrap_or_else(|| wrong("write it in digits, without quotes")))
            }
            Type::Size => size(given).map(Setting::Number),
            Type::Choice(words) => match given.text().map(|t| t.trim().to_ascii_lowercase()) {
                Some(word) if words.contains(&word.as_str()) => Ok(Setting::Text(word)),
                Some(word) => {
                    Err(ValueFault::new(format!("{} is unknown", given.described()), suggestion(&word, words)))
                }
                None => Err(ValueFault::new(format!("{} is unknown", given.described()), suggestion("", words))),
            },
            Type::Words => list(given, commas).map(Setting::Words),
            Type::Mailbox => match given.text() {
                Some(text) if text.trim().is_empty() => Ok(Setting::Text(String::new())),
                Some(text) => mailbox(text).map(|()| Setting::Text(text.trim().into())),
                None => Err(wrong("write it in quotes")),
            },
            Type::Mailboxes => {
                let all = list(given, Mailbox::split)?;
                all.iter().try_for_each(|text| mailbox(text)).map(|()| Setting::Words(all))
            }
            Type::Sharing => match given.text() {
                Some(text) if Sharing::parse(text).is_some() => Ok(Setting::Text(text.into())),
                _ => Err(ValueFault::new(
                    format!("{} is unknown", given.described()),
                    "write \"private\" or \"group:NAME\"",
                )),
            },
        }
    }

    fn noun(self) -> &'static str {
        match self {
            Type::Text | Type::Mailbox => "text",
            Type::Address => "an address with a port",
            Type::Secret => "a secret",
            Type::Url | Type::SecretUrl => "a URL",
            Type::Path => "a path",
            Type::Flag | Type::Switch => "true or false",
            Type::Time(..) | Type::Offset(_) => "a duration",
            Type::Number(..) => "a number",
            Type::Whole(..) => "a whole number",
            Type::Size => "a size",
            Type::Choice(_) | Type::Sharing => "one of the words",
            Type::Words | Type::Mailboxes => "a list of texts",
        }
    }
}

impl Setting {
    /// A duration as text that parses to the same duration.
    pub(super) fn time_text(duration: Duration) -> String {
        let short = format_duration(duration);
        if parse_duration(&short) == Ok(duration) { short } else { exact_duration(duration) }
    }
}

/// 1, true, yes, on; 0, false, no, off; in any case.
pub(super) fn truth(text: &str) -> Option<bool> {
    match text.trim().to_ascii_lowercase().as_str() {
        "1" | "true" | "yes" | "on" => Some(true),
        "0" | "false" | "no" | "off" => Some(false),
        _ => None,
    }
}

fn outside(given: &RawValue<'_>, least: &str, most: &str) -> ValueFault {
    ValueFault::new(format!("{} is out of range", given.described()), format!("write a value from {least} to {most}"))
}

fn time(given: &RawValue<'_>, least: u64, most: u64) -> Result<Setting, ValueFault> {
    const HINT: &str = "write seconds or a number with a unit, as in 90, \"15m\" or \"1h 30m\"";
    let wrong = |hint: &str| ValueFault::new(format!("{} is not a duration", given.described()), hint);
    let duration = match given {
        RawValue::Raw(text) | RawValue::Text(text) => {
            parse_duration(text).map_err(|error| wrong(error.reason().unwrap_or(HINT)))?
        }
        RawValue::Integer(seconds) => u64::try_from(*seconds).map(Duration::from_secs).map_err(|_| wrong(HINT))?,
        // Rounded to milliseconds, as texts are.
        RawValue::Float(seconds) => match Duration::try_from_secs_f64((seconds * 1e3).round() / 1e3) {
            Ok(duration) if *seconds >= 0.0 => duration,
            _ => return Err(wrong(HINT)),
        },
        _ => return Err(wrong(HINT)),
    };
    let (least, most) = (Duration::from_secs(least), Duration::from_secs(most));
    if (least..=most).contains(&duration) {
        Ok(Setting::Time(duration))
    } else {
        Err(outside(given, &Setting::time_text(least), &Setting::time_text(most)))
    }
}

/// Any number of seconds that a clock can be moved by.
const LONGEST_OFFSET: u64 = u32::MAX as u64 * 1_000;

/// A duration with a sign, as text: `-1d`.
fn offset(given: &RawValue<'_>, most: u64) -> Result<Setting, ValueFault> {
    let (sign, size) = match *given {
        RawValue::Raw(text) => {
            text.trim().strip_prefix('-').map_or(("", RawValue::Raw(text)), |rest| ("-", RawValue::Raw(rest)))
        }
        RawValue::Text(text) => {
            text.trim().strip_prefix('-').map_or(("", RawValue::Text(text)), |rest| ("-", RawValue::Text(rest)))
        }
        RawValue::Integer(seconds) if seconds < 0 => ("-", RawValue::Integer(seconds.saturating_neg())),
        RawValue::Float(seconds) if seconds < 0.0 => ("-", RawValue::Float(-seconds)),
        ref other => ("", other.clone()),
    };
    let longest = Duration::from_secs(most);
    match time(&size, 0, LONGEST_OFFSET)? {
        Setting::Time(duration) if duration > longest => {
            let text = Setting::time_text(longest);
            Err(outside(given, &format!("-{text}"), &text))
        }
        Setting::Time(duration) => Ok(Setting::Text(format!("{sign}{}", Setting::time_text(duration)))),
        other => Ok(other),
    }
}

fn whole(given: &RawValue<'_>, least: u64, most: u64) -> Result<Setting, Option<ValueFault>> {
    let number: i128 = match given {
        RawValue::Raw(text) => text.trim().parse().map_err(|_| None)?,
        RawValue::Integer(n) => i128::from(*n),
        _ => return Err(None),
    };
    match u64::try_from(number) {
        Ok(n) if (least..=most).contains(&n) => Ok(Setting::Whole(n)),
        _ => Err(Some(outside(given, &least.to_string(), &most.to_string()))),
    }
}

fn size(given: &RawValue<'_>) -> Result<f64, ValueFault> {
    let wrong = |hint: &str| ValueFault::new(format!("{} is not a size", given.described()), hint);
    #[expect(clippy::cast_precision_loss, reason = "a limit is not near 2^53 bytes")]
    let with_unit = |text: &str| parse_size(text).map(|bytes| bytes as f64 / MIB);
    let mib = match given {
        RawValue::Raw(text) | RawValue::Text(text) => match decimal(text.trim_matches(' ')) {
            Some(number) => number,
            None => with_unit(text).map_err(|error| wrong(error.reason().unwrap_or(SIZE_HINT)))?,
        },
        other => other.number().ok_or_else(|| wrong(SIZE_HINT))?,
    };
    if mib.is_finite() && mib > 0.0 && mib <= 1e9 { Ok(mib) } else { Err(wrong(SIZE_HINT)) }
}

fn mailbox(text: &str) -> Result<(), ValueFault> {
    let wrong = |error: MailboxError| {
        ValueFault::new(format!("`{}` is not a mail address: {}", text.escape_debug(), error.problem), error.hint)
    };
    Mailbox::parse(text).map(drop).map_err(wrong)
}

fn commas(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|word| !word.is_empty()).collect()
}

fn list(given: &RawValue<'_>, split: fn(&str) -> Vec<&str>) -> Result<Vec<String>, ValueFault> {
    let wrong = |what: &RawValue<'_>, noun| {
        ValueFault::new(format!("{} is not {noun}", what.described()), "write texts in brackets, as in [\"a\", \"b\"]")
    };
    match given {
        RawValue::Raw(text) | RawValue::Text(text) => Ok(split(text).into_iter().map(str::to_owned).collect()),
        RawValue::List(items) => {
            items.iter().map(|item| item.text().map(str::to_owned).ok_or_else(|| wrong(item, "text"))).collect()
        }
        other => Err(wrong(other, "a list of texts")),
    }
}

fn resolve(text: &str, base: BaseDirs<'_>) -> Result<Setting, ValueFault> {
    let text = text.trim();
    let path = match (text.strip_prefix("~/").or((text == "~").then_some("")), base.home) {
        (Some(rest), Some(home)) => home.join(rest),
        (Some(_), None) => {
            return Err(ValueFault::new(
                "`~` stands for the home directory, and HOME is not set",
                "set HOME or write the absolute path",
            ));
        }
        (None, _) => base.directory.join(text),
    };
    let plain: PathBuf = path.components().filter(|c| *c != Component::CurDir).collect();
    Ok(Setting::Text(plain.to_string_lossy().into_owned()))
}

#[cfg(test)]
mod tests;
