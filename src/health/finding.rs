//! A finding: one thing that is not as it should be, and the command for it.
//!
//! The key of a finding never changes while its cause lasts; its message may.

use serde::Serialize;

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
