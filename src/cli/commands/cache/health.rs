//! `cache health`: one line per check, for people, scripts and Nagios.
//!
//! Needs neither AWS nor a valid configuration.

use crate::app::HealthInputs;
use crate::cli::args::GlobalArgs;
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, Style, TextReport};
use crate::cli::session::{Need, Session};
use crate::config::Format;
use crate::health::Level;
use serde_json::json;

pub(super) fn health(nagios: bool, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let mut session = Session::open(globals, Need::Anything, output)?;
    let measured = HealthInputs::new(&session.app).measure();
    let health = &measured.health;
    if nagios {
        if globals.format().is_some() {
            return Err(CliError::new(Code::Usage, "the argument '--nagios' cannot be used with '--output'")
                .hint("leave one of them out"));
        }
        let (code, line) = health.nagios();
        output.text(&format!("{line}\n"))?;
        // Nagios has its own codes: they only look like ours.
        return match code {
            0 => Ok(()),
            1 => Err(CliError::quiet(Code::Failed)),
            2 => Err(CliError::quiet(Code::Usage)),
            _ => Err(CliError::quiet(Code::Partial)),
        };
    }
    session.notices.extend(measured.notices.iter().cloned());
    let mut document = serde_json::to_value(health).unwrap_or_default();
    document["schema_version"] = json!(1);
    document["notices"] = json!(session.notices);
    let mut page = TextReport::new();
    for check in &health.checks {
        let style = match check.level {
            Level::Ok => Style::Good,
            Level::Warn => Style::Warn,
            Level::Critical => Style::Bad,
        };
        let hint = if check.hint.is_empty() { String::new() } else { format!("  ->  {}", check.hint) };
        let mark = format!("{:<8}", check.level.as_str());
        page = page.marked(style, mark, format!("{:<12} {}{hint}", check.key, check.message));
    }
    page = page.line(health.sentence());
    if output.format() == Format::Table {
        session.notices.iter().for_each(|notice| output.talk().warning(notice));
    }
    output.report(&document, &page)?;
    if health.level == Level::Critical { Err(CliError::quiet(Code::Critical)) } else { Ok(()) }
}
