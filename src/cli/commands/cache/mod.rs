//! `cache ...`: look at it, fill it, clean it, switch it off, repair it.
//!
//! What is typed at night needs neither AWS nor a sound configuration, changes only what it says, and names the
//! next step.

mod archive;
mod breaker;
mod emergency;
mod encryption;
mod init;
mod inspect;
mod named;
mod recover;
mod status;
mod verify;
pub(crate) mod warm;

use crate::app::{
    Cleared, Detail, HealthInputs, Maintenance, NameResolver, PassiveChecks, Scope, StatusReader, StoreStack,
};
use crate::cli::args::GlobalArgs;
use crate::cli::args::cache::{BreakerCommand, CacheCommand, ClearArgs, KeyArgs, StatusArgs, SweepArgs};
use crate::cli::commands::cache::warm::warm;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use crate::config::{Format, nearest};
use crate::model::{Resource, format_size};
use crate::progress::Progress;
use crate::store::Swept;
use serde_json::{Map, Value, json};

/// `cache ...`
pub(crate) fn cache(command: CacheCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        CacheCommand::Status(args) => status(&args, globals, output),
        CacheCommand::Invalidate(args) => verify::invalidate(&args, globals, output),
        CacheCommand::Verify(args) => verify::verify(&args, globals, output),
        CacheCommand::Inspect(args) => inspect::inspect(&args, globals, output),
        CacheCommand::Why(args) => inspect::why(&args, globals, output),
        CacheCommand::Check(args) => inspect::check(&args, globals, output),
        CacheCommand::Export(args) => archive::export(&args, globals, output),
        CacheCommand::Import(args) => archive::import(&args, globals, output),
        CacheCommand::Encryption(command) => encryption::encryption(&command, globals, output),
        CacheCommand::Clear(args) => clear(&args, globals, output),
        CacheCommand::Warm(args) => warm(&args, globals, output),
        CacheCommand::Cleanup(args) => sweep(&args, "expired", globals, output),
        CacheCommand::EnforceLimits(args) => sweep(&args, "limits", globals, output),
        CacheCommand::Health { nagios } => emergency::health(nagios, globals, output),
        CacheCommand::Test => emergency::test(globals, output),
        CacheCommand::Key(args) => key(&args, globals, output),
        CacheCommand::Disable(args) => emergency::disable(&args, globals, output),
        CacheCommand::Enable => emergency::enable(globals, output),
        CacheCommand::Breaker(BreakerCommand::Reset) => breaker::reset(globals, output),
        CacheCommand::Recover(args) => recover::recover(&args, globals, output),
        CacheCommand::Init(args) => init::init(&args, globals, output),
        CacheCommand::Path => path(globals, output),
    }
}

fn status(args: &StatusArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open(globals, Need::Anything, output)?;
    // A status is given in any case; that the limits could not be held is said after it.
    let enforced = args.enforce_limits.then(|| Maintenance::new(&session.app).enforce_limits(false));
    let (removed, failed) = match enforced {
        Some(Ok(swept)) => (Some(swept), None),
        Some(Err(error)) => (None, Some(error)),
        None => (None, None),
    };
    if args.recent_entries.is_some() {
        // When entries were last used is known only once the tally is folded in.
        Maintenance::new(&session.app).fold_lookups();
    }
    let mut measured = HealthInputs::new(&session.app).measure();
    measured.notices.splice(0..0, session.notices.iter().cloned());
    if measured.measurements.late_jobs.as_ref().is_some_and(|late| !late.is_empty()) {
        measured.notices.extend(PassiveChecks::new(&session.app).overdue_jobs_notice());
    }
    measured.notices.extend(removed.as_ref().and_then(Swept::notice));
    let detail = Detail {
        resources: args.detailed,
        recent: args.recent_entries.map(|n| usize::try_from(n).unwrap_or(usize::MAX)),
        memory: args.memory_details,
    };
    let status = StatusReader::new(&session.app).status(&measured, detail, removed);
    if output.format() == Format::Table {
        // In a document the notices stand in it; people find them beside the page.
        for notice in &status.notices {
            output.talk().warning(notice);
        }
    }
    let page = status::page(&status, session.app.clock().now());
    output.report(&status, &page)?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

fn clear(args: &ClearArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change(globals, output)?;
    let scope = Maintenance::new(&session.app).scope(args.all);
    let cleared: Cleared = Maintenance::new(&session.app).clear(&scope, args.pattern.as_deref(), args.dry_run)?;
    StoreStack::new(&session.app).finish();
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
    output.report(&cleared, &TextReport::new().line(line))
}

fn sweep(args: &SweepArgs, what: &str, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change(globals, output)?;
    let swept = if what == "limits" {
        Maintenance::new(&session.app).enforce_limits(args.dry_run)?
    } else {
        Maintenance::new(&session.app).cleanup(args.dry_run)?
    };
    StoreStack::new(&session.app).finish();
    if let Some(notice) = swept.notice() {
        output.talk().warning(&notice);
    }
    let document = json!({"schema_version": 1, "dry_run": args.dry_run, "removed": swept});
    output.report(&document, &TextReport::new().line(swept_line(&swept, args.dry_run)))
}

/// What a sweep removed, in one line.
pub(super) fn swept_line(swept: &Swept, dry_run: bool) -> String {
    let verb = if dry_run { "Would remove" } else { "Removed" };
    let no_room = if swept.no_room > 0 { format!(", {} for want of room", swept.no_room) } else { String::new() };
    format!(
        "{verb} {} ({} expired, {} too old, {} least recently used{no_room}), {} freed",
        entries(swept.entries()),
        swept.expired,
        swept.aged,
        swept.evicted,
        format_size(swept.bytes)
    )
}

fn key(args: &KeyArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let Some(resource) = Resource::parse(&args.resource) else {
        let known = Resource::ALL.map(Resource::as_str);
        let near = nearest(&args.resource, known).map(|near| format!("did you mean `{near}`? ")).unwrap_or_default();
        return Err(CliError::new(Code::Usage, format!("`{}` is not a resource", args.resource))
            .hint(format!("{near}the resources are {}", known.join(", "))));
    };
    let operation = named::known_operation(resource, &args.operation)?;
    let session = open_loudly(globals, output)?;
    let parameters: Map<String, Value> =
        args.parameters.iter().map(|(name, value)| (name.clone(), Value::String(value.clone()))).collect();
    let identifiers: Vec<String> = std::iter::once(&args.identifier).chain(&args.sub_identifier).cloned().collect();
    let mut notice = |text: &str| session.progress.notice(text);
    let key = named::key_of(&NameResolver::new(&session.app), resource, &operation, &identifiers, &mut notice)?;
    let key = key.params(&Value::Object(parameters));
    output.report(&json!({"key": key.as_str()}), &TextReport::new().line(key.as_str()))
}

fn path(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    let path = session.app.cache_dir().display().to_string();
    output.report(&json!({"path": path}), &TextReport::new().line(path.clone()))
}

/// The same for one that changes something.
fn open_to_change(globals: &GlobalArgs, output: &mut Output) -> Result<Session, CliError> {
    let session = Session::open_to_change(globals, Need::Anything, output)?;
    session.say_notices();
    Ok(session)
}

/// A session of an emergency command that says at once what is wrong with the configuration.
fn open_loudly(globals: &GlobalArgs, output: &mut Output) -> Result<Session, CliError> {
    let session = Session::open(globals, Need::Anything, output)?;
    session.say_notices();
    Ok(session)
}

fn entries(n: u64) -> String {
    if n == 1 { "1 entry".to_owned() } else { format!("{n} entries") }
}
