//! Exit codes, and the error type that every other error is converted into.
//!
//! Guarantee: a code never changes its meaning. An error has a hint that names what to do.

pub(crate) mod failed;

use crate::model::cut;
use serde_json::{Value, json};
use std::fmt::Write;

/// The remedy for a permission that is missing.
pub(crate) const DOCTOR: &str =
    "`awsideman doctor` shows which reads are allowed, `awsideman doctor --iam-policy` what is needed";

/// The exit code of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(u8)]
pub enum Code {
    /// All was done; also when there was nothing to do.
    Ok = 0,
    /// It failed for a reason without a separate code.
    Failed = 1,
    /// The command line or the configuration is wrong.
    Usage = 2,
    /// Part of the answer is missing.
    Partial = 3,
    /// AWS refused: no credentials, an expired login, a denial.
    Refused = 4,
    /// What was named does not exist.
    NotFound = 5,
    /// A health check found something critical.
    Critical = 6,
    /// The cache was needed, and is disabled or does not hold the answer.
    CacheNeeded = 10,
    /// Another process holds a lock for too long.
    Locked = 11,
    /// Stored data is damaged, or an invalidation failed after a change.
    Integrity = 12,
    /// AWS throttled or could not be reached.
    Unavailable = 13,
    /// Interrupted from the keyboard or by a signal.
    Interrupted = 130,
}

impl Code {
    /// Every code, in numerical order.
    pub const ALL: [Code; 12] = [
        Code::Ok,
        Code::Failed,
        Code::Usage,
        Code::Partial,
        Code::Refused,
        Code::NotFound,
        Code::Critical,
        Code::CacheNeeded,
        Code::Locked,
        Code::Integrity,
        Code::Unavailable,
        Code::Interrupted,
    ];

    /// The order in which several failures of one run decide its code.
    const PRECEDENCE: [Code; 7] =
        [Code::Usage, Code::Integrity, Code::Refused, Code::Unavailable, Code::Failed, Code::Partial, Code::Critical];

    /// The number.
    pub fn number(self) -> u8 {
        self as u8
    }

    /// The code behind a number; one that is not in the list means no more than that it failed.
    pub fn from_number(number: u8) -> Code {
        Code::ALL.into_iter().find(|code| code.number() == number).unwrap_or(Code::Failed)
    }

    /// The word for it in JSON.
    pub fn name(self) -> &'static str {
        match self {
            Code::Ok => "ok",
            Code::Failed => "failed",
            Code::Usage => "usage",
            Code::Partial => "partial",
            Code::Refused => "refused",
            Code::NotFound => "not-found",
            Code::Critical => "critical",
            Code::CacheNeeded => "cache-needed",
            Code::Locked => "locked",
            Code::Integrity => "integrity",
            Code::Unavailable => "unavailable",
            Code::Interrupted => "interrupted",
        }
    }

    /// What it means, for the help text.
    pub fn meaning(self) -> &'static str {
        match self {
            Code::Ok => "done, or nothing to do",
            Code::Failed => "failed",
            Code::Usage => "wrong command line or configuration",
            Code::Partial => "part of the answer is missing",
            Code::Refused => "AWS refused: credentials, login or permission",
            Code::NotFound => "what was named does not exist",
            Code::Critical => "a health check is critical",
            Code::CacheNeeded => "the cache was needed, and is disabled or cold",
            Code::Locked => "another process holds the lock",
            Code::Integrity => "stored data is damaged, or the cache missed a change",
            Code::Unavailable => "AWS throttled, cannot be reached, or gave an unusable answer",
            Code::Interrupted => "interrupted",
        }
    }

    /// The code of a run in which several things failed: the first of 2, 12, 4, 13, 1, 3, 6, else the largest.
    pub fn of_several(codes: impl IntoIterator<Item = Code>) -> Code {
        let codes: Vec<Code> = codes.into_iter().collect();
        let first = Code::PRECEDENCE.into_iter().find(|code| codes.contains(code));
        first.or_else(|| codes.into_iter().max()).unwrap_or(Code::Ok)
    }
}

/// The end of the top-level help: examples and the list of codes.
pub fn help() -> String {
    let mut text = String::from(
        "Examples:\n  awsideman user list\n  awsideman user get alice --json\n  awsideman cache status --detailed\n  \
         awsideman --sandbox jobs run --all\n\nExit codes:",
    );
    for code in Code::ALL {
        let _ = write!(text, "\n  {:>3}  {}", code.number(), code.meaning());
    }
    text
}

/// The most lines that belong to a failure, and the most bytes of one.
const MOST_DETAILS: usize = 200;
const LONGEST_DETAIL: usize = 1024;

/// Why a run did not do what it was asked to, in words for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CliError {
    /// What went wrong: a fragment that begins in lower case and has no full stop.
    pub message: String,
    /// What belongs to it line by line: the choices of an ambiguous name, the targets that failed.
    pub details: Vec<String>,
    /// What to do now; several lines when there are several ways.
    pub hint: Option<String>,
    /// What the run ends with.
    pub code: Code,
}

impl CliError {
    /// A failure without hint.
    pub fn new(code: Code, message: impl Into<String>) -> CliError {
        CliError { message: message.into(), details: Vec::new(), hint: None, code }
    }

    /// The same with what to do about it.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> CliError {
        self.hint = Some(hint.into());
        self
    }

    /// The same with lines that belong to it.
    #[must_use]
    pub fn details(mut self, details: impl IntoIterator<Item = String>) -> CliError {
        let mut details = details.into_iter();
        let first = details.by_ref().take(MOST_DETAILS);
        self.details.extend(first.map(|line| cut(&line, LONGEST_DETAIL).into_owned()));
        let more = details.count();
        if more > 0 {
            self.details.push(format!("... and {more} more"));
        }
        self
    }

    /// The end of a run that has printed its result, but whose code is not 0 (`cache health`, `jobs run`).
    pub fn quiet(code: Code) -> CliError {
        CliError::new(code, String::new())
    }

    /// Whether there is nothing to print.
    pub fn is_quiet(&self) -> bool {
        self.message.is_empty()
    }

    /// An answer that could not be written. A reader that went away (`| head`) had enough: that is no failure, so it
    /// is quiet and its code is 0.
    pub fn writing(error: &std::io::Error) -> CliError {
        match error.kind() {
            std::io::ErrorKind::BrokenPipe => CliError::quiet(Code::Ok),
            std::io::ErrorKind::StorageFull => CliError::new(Code::Failed, format!("cannot write the answer: {error}"))
                .hint("make room on that disk, or write the answer elsewhere with `--out FILE`"),
            _ => CliError::new(Code::Failed, format!("cannot write the answer: {error}")),
        }
    }

    /// A runtime that cannot be made.
    pub(crate) fn cannot_start(error: &std::io::Error) -> CliError {
        let failure = CliError::new(Code::Failed, format!("cannot start: {error}"));
        match crate::host::limit_hint(error) {
            Some(hint) => failure.hint(hint),
            None => failure,
        }
    }

    /// The document that `--output json` prints on stderr.
    pub fn document(&self) -> Value {
        let mut error = json!({
            "code": self.code.number(),
            "name": self.code.name(),
            "message": self.message,
            "hint": self.hint,
        });
        if !self.details.is_empty() {
            error["details"] = json!(self.details);
        }
        json!({ "error": error })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_codes_are_those_that_scripts_rely_on() {
        assert_eq!(Code::ALL.map(Code::number), [0, 1, 2, 3, 4, 5, 6, 10, 11, 12, 13, 130]);
        assert_eq!(Code::ALL.iter().map(|code| code.name()).collect::<BTreeSet<_>>().len(), Code::ALL.len());
    }

    #[test]
    fn every_number_leads_back_to_its_code() {
        for code in Code::ALL {
            assert_eq!(Code::from_number(code.number()), code);
        }
        assert_eq!(Code::from_number(77), Code::Failed);
    }

    #[test]
    fn the_help_lists_every_code_with_its_meaning() {
        for code in Code::ALL {
            assert!(help().contains(&format!("{:>3}  {}", code.number(), code.meaning())));
        }
    }

    #[test]
    fn of_several_failures_the_one_to_look_at_first_decides() {
        assert_eq!(Code::of_several([]), Code::Ok);
        assert_eq!(Code::of_several([Code::Critical, Code::Ok]), Code::Critical);
        assert_eq!(Code::of_several([Code::Failed, Code::Refused, Code::Unavailable]), Code::Refused);
        assert_eq!(Code::of_several([Code::Refused, Code::Integrity]), Code::Integrity);
        assert_eq!(Code::of_several([Code::Integrity, Code::Usage]), Code::Usage);
        assert_eq!(Code::of_several([Code::Ok, Code::CacheNeeded]), Code::CacheNeeded);
    }

    #[test]
    fn a_reader_that_went_away_is_no_failure() {
        let failure = CliError::writing(&std::io::ErrorKind::BrokenPipe.into());
        assert!(failure.is_quiet());
        assert_eq!(failure.code, Code::Ok);
        let failure = CliError::writing(&std::io::ErrorKind::StorageFull.into());
        assert_eq!(failure.code, Code::Failed);
        assert!(failure.hint.unwrap().contains("--out"));
    }

    #[test]
    fn the_json_document_has_code_message_and_hint() {
        let document = CliError::new(Code::NotFound, "user x was not found").hint("look").document();
        assert_eq!(document["error"]["code"], 5);
        assert_eq!(document["error"]["name"], "not-found");
        assert_eq!(document["error"]["message"], "user x was not found");
        assert_eq!(document["error"]["hint"], "look");
        assert!(document["error"].get("details").is_none());
    }
}
