//! `cache ...`: look at it, fill it, clean it, switch it off, repair it.
//!
//! Neighbours: `app/` does the work, `cache_status.rs` lays out the status. Promise: what is typed at night needs neither AWS
//! nor a sound configuration, changes only what it says, and names the next step.

use super::cache_status;
use super::warm::warm;
use crate::app::{Cleared, Detail, Scope};
use crate::cache::Key;
use crate::cli::args::GlobalArgs;
use crate::cli::args::cache::{CacheCommand, ClearArgs, DisableArgs, KeyArgs, StatusArgs, SweepArgs};
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, Page, Style};
use crate::cli::session::{Need, Session};
use crate::cli::times;
use crate::config::Format;
use crate::health::Level;
use crate::model::{Resource, format_duration, format_size};
use crate::store::Swept;
use serde_json::{Map, Value, json};
use std::time::Duration;

/// `cache ...`
pub(crate) fn cache(command: CacheCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    match command {
        CacheCommand::Status(args) => status(&args, globals, output),
        CacheCommand::Clear(args) => clear(&args, globals, output),
        CacheCommand::Warm(args) => warm(&args, globals, output),
        CacheCommand::Cleanup(args) => sweep(&args, "expired", globals, output),
        CacheCommand::EnforceLimits(args) => sweep(&args, "limits", globals, output),
        CacheCommand::Health { nagios } => health(nagios, globals, output),
        CacheCommand::Test => test(globals, output),
        CacheCommand::Key(args) => key(&args, output),
        CacheCommand::Disable(args) => disable(&args, globals, output),
        CacheCommand::Enable => enable(globals, output),
        CacheCommand::Recover => recover(globals, output),
        CacheCommand::Path => path(globals, output),
    }
}

fn status(args: &StatusArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = Session::open(globals, Need::Anything, output)?;
    // A status is given in any case; that the limits could not be held is said after it.
    let enforced = args.enforce_limits.then(|| session.app.enforce_limits(false));
    let (removed, failed) = match enforced {
        Some(Ok(swept)) => (Some(swept), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    if args.recent_entries.is_some() {
        // When entries were last used is known only once the tally is folded in.
        session.app.fold_tally();
    }
    let mut measured = session.app.measure();
    measured.notices.splice(0..0, session.notices.iter().cloned());
    if measured.measurements.late_jobs.as_ref().is_some_and(|late| !late.is_empty()) {
        measured.notices.extend(session.app.late_jobs_notice());
    }
    let detail = Detail {
        resources: args.detailed,
        recent: args.recent_entries.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
        memory: args.memory_details,
    };
    let status = session.app.status(&measured, detail, removed);
    if output.format() == Format::Table {
        // In a document the notices stand in it; people find them beside the page.
        for notice in &status.notices {
            output.talk().warning(notice);
        }
    }
    let page = cache_status::page(&status, session.app.clock().now());
    output.report(&status, &page)?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn clear(args: &ClearArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = open_loudly(globals, output)?;
    let scope = session.app.scope(args.all);
    let cleared: Cleared = session.app.clear(&scope, args.pattern.as_deref(), args.dry_run)?;
    session.app.finish();
    let of = match (&scope, &args.pattern) {
        (Scope::Space(space), _) => format!("of {space}"),
        (Scope::Everything { asked: true }, _) => "of every instance".to_owned(),
        (Scope::Everything { asked: false }, _) => {
            "of every instance, since it is not known which one this profile belongs to".to_owned()
        }
    };
    let matching = args.pattern.as_ref().map(|pattern| format!(" that match {pattern}")).unwrap_or_default();
    let verb = if args.dry_run { "Would remove" } else { "Removed" };
    let line = format!("{verb} {} {of}{matching} ({})", entries(cleared.removed), format_size(cleared.bytes));
    output.report(&cleared, &Page::new().line(line))
}

fn sweep(args: &SweepArgs, what: &str, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = open_loudly(globals, output)?;
    let swept =
        if what == "limits" { session.app.enforce_limits(args.dry_run)? } else { session.app.cleanup(args.dry_run)? };
    session.app.finish();
    let document = json!({"schema_version": 1, "dry_run": args.dry_run, "removed": swept});
    output.report(&document, &Page::new().line(swept_line(&swept, args.dry_run)))
}

/// What a sweep removed, in one line.
pub(super) fn swept_line(swept: &Swept, dry_run: bool) -> String {
    let verb = if dry_run { "Would remove" } else { "Removed" };
    format!(
        "{verb} {} ({} expired, {} too old, {} least recently used), {} freed",
        entries(swept.entries()),
        swept.expired,
        swept.aged,
        swept.evicted,
        format_size(swept.bytes)
    )
}

fn health(nagios: bool, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let mut session = Session::open(globals, Need::Anything, output)?;
    let measured = session.app.measure();
    let health = &measured.health;
    if nagios {
        if globals.format().is_some() {
            return Err(Failure::new(Code::Usage, "the argument '--nagios' cannot be used with '--output'")
                .hint("leave one of them out"));
        }
        let (code, line) = health.nagios();
        output.text(&format!("{line}\n"))?;
        // Nagios has its own codes: they only look like ours.
        return match code {
            0 => Ok(()),
            1 => Err(Failure::quiet(Code::Failed)),
            2 => Err(Failure::quiet(Code::Usage)),
            _ => Err(Failure::quiet(Code::Partial)),
        };
    }
    session.notices.extend(measured.notices.iter().cloned());
    let mut document = serde_json::to_value(health).unwrap_or_default();
    document["schema_version"] = json!(1);
    document["notices"] = json!(session.notices);
    let mut page = Page::new();
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
    page = page.line(if health.healthy { "The cache is healthy" } else { "The cache is not healthy" });
    if output.format() == Format::Table {
        session.notices.iter().for_each(|notice| output.talk().warning(notice));
    }
    output.report(&document, &page)?;
    if health.healthy { Ok(()) } else { Err(Failure::quiet(Code::Critical)) }
}

fn test(globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = open_loudly(globals, output)?;
    // Whatever the reason is, the test has failed.
    let trial = session.app.trial().map_err(|error| Failure { code: Code::Failed, ..error.into() })?;
    session.app.finish();
    let rows = trial.steps.iter().map(|step| {
        let outcome = step.error.clone().unwrap_or_else(|| "ok".to_owned());
        vec![step.step.to_owned(), outcome, format!("{} µs", step.took_us)]
    });
    let mut page = Page::new().table(&["Step", "Outcome", "Took"], rows.collect());
    if !trial.enabled {
        page = page.line("The cache is disabled; the store was tested all the same");
    }
    page = page.line(format!("Cache test {} ({})", if trial.ok { "passed" } else { "failed" }, trial.backend));
    output.report(&trial, &page)?;
    if trial.ok { Ok(()) } else { Err(Failure::quiet(Code::Failed)) }
}

fn key(args: &KeyArgs, output: &mut Output) -> Result<(), Failure> {
    let Some(resource) = Resource::parse(&args.resource) else {
        let known = Resource::ALL.map(Resource::as_str).join(", ");
        return Err(Failure::new(Code::Usage, format!("`{}` is not a resource", args.resource))
            .hint(format!("the resources are {known}")));
    };
    let parameters: Map<String, Value> =
        args.parameters.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    let key = Key::new(resource, &args.operation, &args.identifier).params(&Value::Object(parameters));
    output.report(&json!({"key": key.as_str()}), &Page::new().line(key.as_str()))
}

fn disable(args: &DisableArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    if args.duration.is_some_and(|duration| duration.is_zero()) {
        return Err(Failure::new(Code::Usage, "--for: 0 would end at once, so nothing was changed")
            .hint("name how long, as in 30m or 4h; `awsideman cache enable` ends it sooner"));
    }
    let session = open_loudly(globals, output)?;
    let (disabled, notice) = session.app.disable(args.duration, args.reason.as_deref())?;
    if let Some(notice) = notice {
        output.talk().warning(&notice);
    }
    let duration = Duration::from_millis((disabled.until - disabled.since).unsigned_abs());
    let document = json!({
        "schema_version": 1,
        "enabled": false,
        "disabled_until": times::utc(disabled.until),
        "disabled_reason": disabled.reason,
        "by": disabled.by,
    });
    let page = Page::new()
        .line("Cache disabled. All operations will bypass cache.")
        .line(format!("It ends by itself at {} (in {})", times::local(disabled.until), format_duration(duration)))
        .line("To re-enable: awsideman cache enable");
    output.report(&document, &page)
}

fn enable(globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = open_loudly(globals, output)?;
    let was = session.app.enable()?;
    let document = json!({
        "schema_version": 1,
        "enabled": !session.app.config().cache.disabled,
        "was_disabled_by": was.as_ref().map(|was| &was.by),
        "was_disabled_reason": was.as_ref().and_then(|was| was.reason.as_ref()),
    });
    let mut page = Page::new();
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

fn recover(globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = open_loudly(globals, output)?;
    let recovered = session.app.recover()?;
    let mut page = Page::new();
    if let Some(old) = &recovered.old {
        page = page.line(format!("The old cache stays in place as evidence: {old}"));
    }
    if let Some(marker) = &recovered.marker {
        page = page.line(format!("Its marker: {marker}"));
    }
    page = page.line(format!("The new cache: {}", recovered.new)).line(if recovered.test.ok {
        "The new cache was tested: ok"
    } else {
        "The new cache was tested: it does not work; see `awsideman cache test`"
    });
    page = page.line("Running processes move to it by themselves. Next: awsideman cache warm");
    output.report(&recovered, &page)?;
    if recovered.test.ok { Ok(()) } else { Err(Failure::quiet(Code::Failed)) }
}

fn path(globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = open_loudly(globals, output)?;
    let path = session.app.cache_dir().display().to_string();
    output.report(&json!({"path": path}), &Page::new().line(path.clone()))
}

/// A session of an emergency command that says at once what is wrong with the configuration.
fn open_loudly(globals: &GlobalArgs, output: &mut Output) -> Result<Session, Failure> {
    let session = Session::open(globals, Need::Anything, output)?;
    session.say_notices();
    Ok(session)
}

fn entries(n: u64) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") }
}
