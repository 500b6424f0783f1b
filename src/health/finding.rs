//! A finding: the result of one check, with the command that fixes it.
//!
//! The key of a finding never changes while its cause lasts; its message may.

use crate::clock::UnixMillis;
use serde::Serialize;
use std::time::Duration;

/// The level of a finding.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// No problem.
    Ok,
    /// A warning.
    Warn,
    /// A user must act.
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

/// The result of one check.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Finding {
    /// The check (`hit_rate`, `size`, `job:warm`): stable, and the key of its alert.
    pub key: String,
    /// Its level.
    pub level: Level,
    /// One sentence, with the figure (`Low cache hit rate: 42.0%`). For [`Level::Ok`] the figure alone.
    pub message: String,
    /// The command to run next; empty if no action is needed.
    pub hint: String,
    /// Whether the figure is past its recovery value: a firing alert is resolved only then.
    pub recovered: bool,
}

/// Warnings that fire alerts: the problem that they announce arrives without further notice.
const ANNOUNCING: [&str; 2] = ["disabled", "login"];

impl Finding {
    /// Whether the finding fires an alert: critical findings, and warnings that announce a problem.
    pub fn alarms(&self) -> bool {
        match self.level {
            Level::Ok => false,
            Level::Warn => ANNOUNCING.contains(&self.key.as_str()),
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

pub(super) fn ok(key: &str, message: String) -> Finding {
    Finding { key: key.into(), level: Level::Ok, message, hint: String::new(), recovered: true }
}

/// A finding with `words` if it is not ok, and the bare figure if it is. A critical figure has not recovered.
pub(super) fn finding(key: &str, level: Level, words: String, figure: String, hint: &str, recovered: bool) -> Finding {
    let recovered = recovered && level != Level::Critical;
    match level {
        Level::Ok => Finding { recovered, ..ok(key, figure) },
        _ => Finding { key: key.into(), level, message: words, hint: hint.into(), recovered },
    }
}

/// The time between two moments; zero if the clock went back.
pub(super) fn since(from: UnixMillis, to: UnixMillis) -> Duration {
    Duration::from_millis(u64::try_from(to.saturating_sub(from)).unwrap_or(0))
}
