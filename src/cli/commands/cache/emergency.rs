//! `cache health`, `test`, `disable`, `enable`: the emergency commands.
//!
//! None of them needs AWS or a valid configuration. Each prints the next step.

use crate::app::{HealthInputs, KillSwitch, SelfTester, StoreStack};
use crate::cli::args::GlobalArgs;
use crate::cli::args::cache::DisableArgs;
use crate::cli::commands::cache::open_loudly;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, Style, TextReport};
use crate::cli::session::{Need, Session};
use crate::cli::times;
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

pub(super) fn test(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    // Whatever the reason is, the test has failed.
    let trial = SelfTester::new(&session.app).run().map_err(|error| CliError { code: Code::Failed, ..error.into() })?;
    StoreStack::new(&session.app).finish();
    let rows = trial.steps.iter().map(|step| {
        let outcome = step.error.clone().unwrap_or_else(|| "ok".to_owned());
        vec![step.step.to_owned(), outcome, format!("{} µs", step.took_us)]
    });
    let mut page = TextReport::new().table(&["Step", "Outcome", "Took"], rows.collect());
    if !trial.enabled {
        page = page.line("The cache is disabled; the store was tested all the same");
    }
    page = page.line(format!("Cache test {} ({})", if trial.ok { "passed" } else { "failed" }, trial.backend));
    output.report(&trial, &page)?;
    if trial.ok { Ok(()) } else { Err(CliError::quiet(Code::Failed)) }
}

pub(super) fn disable(args: &DisableArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    if args.duration.is_some_and(|duration| duration.is_zero()) {
        return Err(CliError::new(Code::Usage, "--for: 0 would end immediately, so nothing was changed")
            .hint("name how long, as in 30m or 4h; `awsideman cache enable` ends it sooner"));
    }
    let session = open_to_change_state(globals, output)?;
    let replaced = session.app.disabled().filter(|earlier| earlier.until != i64::MAX);
    let (disabled, notice) = KillSwitch::new(&session.app).disable(args.duration, args.reason.as_deref())?;
    if let Some(notice) = notice {
        output.talk().warning(&notice);
    }
    if let Some(earlier) = replaced {
        let reason = earlier.reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        let until = times::local(earlier.until);
        output.talk().note(&format!("this replaces what {} set until {until}{reason}", earlier.by));
    }
    let end = disabled.end();
    let document = json!({
        "schema_version": 1,
        "enabled": false,
        "disabled_until": end.map(times::utc),
        "disabled_reason": disabled.reason,
        "by": disabled.by,
    });
    let page = TextReport::new()
        .line("Cache disabled. All operations will bypass cache.")
        .line(end.map_or_else(
            || "It does not end by itself".to_owned(),
            |end| format!("It ends by itself at {} (in {})", times::local(end), times::left(end, disabled.since)),
        ))
        .line("To re-enable: awsideman cache enable");
    output.report(&document, &page)
}

pub(super) fn enable(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change_state(globals, output)?;
    let was = KillSwitch::new(&session.app).enable()?;
    let document = json!({
        "schema_version": 1,
        "enabled": !session.app.config().cache.disabled,
        "was_disabled_by": was.as_ref().map(|was| &was.by),
        "was_disabled_reason": was.as_ref().and_then(|was| was.reason.as_ref()),
    });
    let mut page = TextReport::new();
    page = match &was {
        Some(was) => {
            let reason = was.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
            page.line(format!("Cache enabled. It had been disabled by {}{reason}", was.by))
        }
        None => page.line("The cache was not disabled by the switch"),
    };
    if session.app.config().cache.disabled {
        let origin = session.app.loaded().origins.get("cache.disabled").cloned().unwrap_or_default();
        page = page.line(format!("It is still disabled by the configuration: {origin}"));
    }
    output.report(&document, &page)
}

fn open_to_change_state(globals: &GlobalArgs, output: &mut Output) -> Result<Session, CliError> {
    let session = Session::open_to_change_state(globals, Need::Anything, output)?;
    session.say_notices();
    Ok(session)
}
