//! The check of `doctor` for the log file.

use super::{App, Check, CheckLevel};
use crate::log::{self, LevelFilter};

impl App {
    /// Whether log lines can be written.
    pub(super) fn log_check(&self) -> Check {
        let settings = self.log_settings();
        if settings.level == LevelFilter::OFF {
            return Check::new("log", CheckLevel::Ok, "off (`log.level`)");
        }
        match log::problem(&settings.path) {
            None => Check::new("log", CheckLevel::Ok, settings.path.display().to_string()),
            Some(problem) => {
                let message = format!("nothing is logged: {problem}");
                Check::new("log", CheckLevel::Warn, message).hint("move it away, or name another file with `log.file`")
            }
        }
    }
}
