//! The check of `doctor` for the log file.

use crate::app::core::App;
use crate::app::doctor::check::{Check, CheckLevel};
use crate::app::log_settings::log_settings;
use crate::log::{self, LevelFilter};

/// Whether log lines can be written.
pub(super) fn log_check(app: &App) -> Check {
    let settings = log_settings(app);
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
