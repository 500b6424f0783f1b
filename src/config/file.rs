//! Parses one TOML file into checked entries with their lines, and collects its problems.
//!
//! A mistake in one line affects only that line, so emergency commands can use the rest.

use super::keys::{Catalogue, KeyMatch};
use crate::config::diagnostic::Problem;
use crate::config::diagnostic::ValueFault;
use crate::config::types::BaseDirs;
use crate::config::types::RawValue;
use crate::config::types::Setting;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// A key, its checked value and its line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ConfigEntry {
    pub(super) key: String,
    pub(super) setting: Setting,
    pub(super) line: Option<usize>,
}

/// The entries of one file, variable or flag.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Layer {
    pub(super) source: String,
    pub(super) entries: Vec<ConfigEntry>,
}

/// Reads `text` from `source`.
pub(super) fn read(text: &str, source: &str, catalogue: &Catalogue, base: BaseDirs<'_>) -> (Layer, Vec<Problem>) {
    let (table, errors) = DeTable::parse_recoverable(text);
    let line_ends = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n').map(|(at, _)| at).collect();
    let mut reader = FileReader { line_ends, source, catalogue, base, entries: Vec::new(), problems: Vec::new() };
    let mut broken = Vec::new();
    for error in errors {
        let line = error.span().map(|span| reader.line(span.start));
        // The parser only guesses the rest of a broken line: one problem per line is enough.
        if line.is_none() || !broken.contains(&line) {
            let what = format!("this is not TOML: {}", error.message().replace('\n', ", "));
            reader.problems.push(Problem {
                source: source.into(),
                line,
                key: String::new(),
                what,
                hint: String::new(),
            });
        }
        broken.push(line);
    }
    reader.table("", table.get_ref());
    reader.problems.retain(|problem| problem.key.is_empty() || !broken.contains(&problem.line));
    reader.entries.retain(|entry| !broken.contains(&entry.line));
    reader.problems.sort_by_key(|problem| problem.line);
    (Layer { source: source.into(), entries: reader.entries }, reader.problems)
}

struct FileReader<'a> {
    line_ends: Vec<usize>,
    source: &'a str,
    catalogue: &'a Catalogue,
    base: BaseDirs<'a>,
    entries: Vec<ConfigEntry>,
    problems: Vec<Problem>,
}

impl FileReader<'_> {
    fn table(&mut self, prefix: &str, table: &DeTable<'_>) {
        for (name, value) in table {
            let key = path(prefix, name.get_ref());
            let (start, given) = (name.span().start, value.get_ref());
            match (self.catalogue.find(&key), given) {
                (KeyMatch::Section, DeValue::Table(inner)) => self.table(&key, inner),
                (KeyMatch::Section, _) => {
                    let fault =
                        ValueFault::new("is a section, not a value", format!("write [{key}] and its keys below it"));
                    self.problem(key, start, fault);
                }
                (KeyMatch::Key(kind), value) => match kind.check(&given_as(value), self.base) {
                    Ok(setting) => {
                        let line = Some(self.line(start));
                        self.entries.push(ConfigEntry { key, setting, line });
                    }
                    Err(fault) => self.problem(key, start, fault),
                },
                (KeyMatch::Unknown, _) => {
                    let fault = ValueFault::new("unknown key", self.catalogue.remedy(&key));
                    self.problem(key, start, fault);
                }
            }
        }
    }

    fn problem(&mut self, key: String, start: usize, fault: ValueFault) {
        let line = Some(self.line(start));
        self.problems.push(Problem { source: self.source.into(), line, key, what: fault.what, hint: fault.hint });
    }

    fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|end| *end < offset)
    }
}

/// `cache.ttl."user:list"`: quoted where TOML requires it.
pub(super) fn path(prefix: &str, name: &str) -> String {
    let bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-');
    let dot = if prefix.is_empty() { "" } else { "." };
    let quote = if bare { "" } else { "\"" };
    format!("{prefix}{dot}{quote}{name}{quote}")
}

fn given_as<'v>(value: &'v DeValue<'_>) -> RawValue<'v> {
    match value {
        DeValue::String(text) => RawValue::Text(text),
        DeValue::Integer(digits) => match i64::from_str_radix(digits.as_str(), digits.radix()) {
            Ok(number) => RawValue::Integer(number),
            Err(_) => RawValue::Other("a number that is too large"),
        },
        DeValue::Float(digits) => digits.as_str().parse().map_or(RawValue::Other("no number"), RawValue::Float),
        DeValue::Boolean(value) => RawValue::Bool(*value),
        DeValue::Datetime(_) => RawValue::Other("a date"),
        DeValue::Array(items) => RawValue::List(items.iter().map(|item| given_as(Spanned::get_ref(item))).collect()),
        DeValue::Table(_) => RawValue::Other("a table"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::keys::CONFIG;
    use super::*;
    use std::path::Path;

    fn read_text(text: &str) -> (Vec<(String, Option<usize>)>, Vec<String>) {
        let base = BaseDirs { directory: Path::new("/etc"), home: None };
        let (layer, problems) = read(text, "f.toml", &CONFIG, base);
        let entries = layer.entries.into_iter().map(|entry| (entry.key, entry.line)).collect();
        (entries, problems.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn a_wrong_line_costs_that_line_only() {
        let (entries, problems) = read_text(
            "region = \"eu-west-1\"\n[cache]\nmax_size = 3\ndefault_ttl = \"soon\"\n\"a\\nb\" = 1\ncompression = true\n",
        );
        let keys: Vec<_> = entries.iter().map(|(key, line)| (key.as_str(), *line)).collect();
        assert_eq!(keys, [("cache.compression", Some(6)), ("region", Some(1))]);
        assert_eq!(problems.len(), 3, "{problems:?}");
        assert!(problems[0].starts_with("f.toml:3: cache.max_size: unknown key; did you mean `cache.max_size_mb`?"));
        assert!(problems[1].starts_with("f.toml:4: cache.default_ttl: `soon` is not a duration"));
    }

    #[test]
    fn a_syntax_error_has_its_line_and_the_rest_is_read() {
        let (entries, problems) =
            read_text("region = \"eu-west-1\"\n[cache]\ncompression = = true\nbackend = \"memory\"\n");
        assert!(problems[0].starts_with("f.toml:3: this is not TOML"), "{problems:?}");
        assert!(entries.iter().any(|(key, _)| key == "region"), "{entries:?}");
        assert!(entries.iter().any(|(key, _)| key == "cache.backend"), "{entries:?}");
    }
}
