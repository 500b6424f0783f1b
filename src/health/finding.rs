//! A finding: one thing that is not as it should be, and the command for it.
//!
//! The key of a finding never changes while its cause lasts; its message may.

use crate::clock::UnixMillis;
use serde::Serialize;
use std::time::Duration;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// Worth a look.
    Warn,
    /// Somebody must act.
    Critical,
}

impl Level {
    /// `ok`, `warn`, `critical`.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Ok => "ok",
            Level::Warn => "warn",
            Level::Critical => "critical",
        }
    }
}

/// One check and its verdict.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// What was judged (`hit_rate`, `size`, `job:warm`): stable, and the key of its alert.
    pub key: String,
    /// The verdict.
    pub level: Level,
    /// One sentence, with the figure (`Low cache hit rate: 42.0%`). For [`Level::Ok`] the figure alone.
    pub message: String,
    /// The command to type next; empty when nothing needs doing.
    pub hint: String,
    /// Whether the figure has come back past its recovery value: a finding that fires is over only then.
    pub recovered: bool,
}

/// Warnings that are alerts as they are: what they announce comes by itself, and then it is too late.
const FORETELLING: [&str; 2] = ["disabled", "login"];

impl Finding {
    /// Whether somebody must be told: of what is critical, and of a warning that foretells something.
    pub fn alarms(&self) -> bool {
        match self.level {
            Level::Ok => false,
            Level::Warn => FORETELLING.contains(&self.key.as_str()),
            Level::Critical => true,
        }
    }
}

pub(super) fn grade(critical: bool, warn: bool) -> Level {
    match (critical, warn) {
        (true, _) => Level::Critical,
        (false, true) => Level::Warn,
        (false, false) => Level::Ok,
    }
}

pub(super) fn fine(key: &str, message: String) -> Finding {
    Finding { key: key.into(), level: Level::Ok, message, hint: String::new(), recovered: true }
}

/// The words when it is not fine, the bare figure when it is. What is critical has not recovered.
pub(super) fn finding(key: &str, level: Level, words: String, figure: String, hint: &str, recovered: bool) -> Finding {
    let recovered = recovered && level != Level::Critical;
    match level {
        Level::Ok => Finding { recovered, ..fine(key, figure) },
        _ => Finding { key: key.into(), level, message: words, hint: hint.into(), recovered },
    }
}

/// The time between two moments; none when the clock went back.
pub(super) fn since(from: UnixMillis, to: UnixMillis) -> Duration {
    Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}
