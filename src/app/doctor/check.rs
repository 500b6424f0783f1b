//! The result of one check of `doctor`.

use crate::app::error::AppError;
use serde::Serialize;

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum CheckLevel {
    /// As it must be, or optional and unset.
    Ok,
    /// It works, and is worth a look.
    Warn,
    /// It does not work.
    Fail,
    /// It could not be tried, because something before it failed.
    Skipped,
}

/// One thing that was looked at.
#[derive(Debug)]
pub struct Check {
    /// What: `credentials`, `cache directory`.
    pub name: String,
    /// How it ended.
    pub level: CheckLevel,
    /// What was found, as one sentence without a full stop.
    pub message: String,
    /// What to do, where no fault says it.
    pub hint: Option<String>,
    /// The error behind a failure, which has the remedy and the exit code.
    pub fault: Option<AppError>,
    /// Whether it is a check of health: a failure is critical, as in `cache health`.
    pub is_health: bool,
}

impl Check {
    pub(super) fn new(name: impl Into<String>, level: CheckLevel, message: impl Into<String>) -> Check {
        Check { name: name.into(), level, message: message.into(), hint: None, fault: None, is_health: false }
    }

    pub(super) fn hint(self, hint: impl Into<String>) -> Check {
        Check { hint: Some(hint.into()), ..self }
    }

    pub(super) fn failed(name: impl Into<String>, fault: impl Into<AppError>) -> Check {
        let fault = fault.into();
        Check { fault: Some(fault), ..Check::new(name, CheckLevel::Fail, "") }.with_message_of_fault()
    }

    fn with_message_of_fault(mut self) -> Check {
        if let Some(fault) = &self.fault {
            self.message = fault.to_string();
        }
        self
    }
}
