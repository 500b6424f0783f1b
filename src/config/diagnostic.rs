//! Problems of a configuration, and suggestions for misspelled names.
//!
//! A problem has a source, a line if there is one, the key, what is wrong and what to do. All problems are reported
//! together.

use std::fmt;

/// One problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The path of the file, the name of the variable, or `flag`.
    pub source: String,
    /// The line in that file, starting at 1.
    pub line: Option<usize>,
    /// The dotted key; empty if the problem concerns the whole file.
    pub key: String,
    /// What is wrong, as a clause.
    pub what: String,
    /// The action that fixes it; empty if it is obvious.
    pub hint: String,
}

impl Problem {
    /// Whether a directory without a setting has no usable home.
    pub fn is_missing_home(&self) -> bool {
        self.source == "HOME" && matches!(self.key.as_str(), "cache.dir" | "state.dir")
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.source)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.what)?;
        if !self.hint.is_empty() {
            write!(f, "; {}", self.hint)?;
        }
        Ok(())
    }
}

/// An invalid configuration or directory of jobs: all problems, in the order of the layers.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}", lines(.problems))]
pub struct ConfigError {
    /// Never empty.
    pub problems: Vec<Problem>,
}

fn lines(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
}

/// The problem of a value, before its source is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ValueFault {
    pub(super) what: String,
    pub(super) hint: String,
}

impl ValueFault {
    pub(super) fn new(what: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { what: what.into(), hint: hint.into() }
    }
}

/// The candidate most similar to `wrong`, if one is similar enough.
pub fn nearest<S: AsRef<str>>(wrong: &str, right: impl IntoIterator<Item = S>) -> Option<S> {
    let plain = wrong.to_lowercase();
    let scored = right.into_iter().map(|word| {
        let distance = strsim::damerau_levenshtein(&plain, &word.as_ref().to_lowercase());
        (distance, word)
    });
    let (distance, word) = scored.min_by_key(|(distance, _)| *distance)?;
    let longer = plain.chars().count().max(word.as_ref().chars().count());
    (distance <= (longer / 3).max(1)).then_some(word)
}

/// `did you mean X?`, or the choices if no candidate is similar.
pub(super) fn suggestion(wrong: &str, right: &[&str]) -> String {
    match nearest(wrong, right.iter().copied()) {
        Some(word) => format!("did you mean `{word}`?"),
        None => format!("write one of {}", right.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_word_is_found_and_a_far_one_is_not() {
        let words = ["max_size_mb", "max_entries", "dir"];
        assert_eq!(nearest("maxsize_mb", words), Some("max_size_mb"));
        assert_eq!(nearest("MAX_ENTRY", words), Some("max_entries"));
        assert_eq!(nearest("color", words), None);
        assert_eq!(nearest("x", [""; 0]), None);
    }

    #[test]
    fn a_problem_is_one_line_with_place_key_and_remedy() {
        let mut problem = Problem {
            source: "/etc/a.toml".into(),
            line: Some(3),
            key: "cache.dir".into(),
            what: "is a number".into(),
            hint: "write a path".into(),
        };
        assert_eq!(problem.to_string(), "/etc/a.toml:3: cache.dir: is a number; write a path");
        (problem.line, problem.key, problem.hint) = (None, String::new(), String::new());
        assert_eq!(problem.to_string(), "/etc/a.toml: is a number");
    }
}
