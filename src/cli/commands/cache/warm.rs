//! `cache warm`: fill the cache ahead of time, or say what that would cost.
//!
//! Guarantee: what could not be read or stored is named, with the reason and when to repeat it, and ends with exit
//! code 3; a warm that cannot store anything ends with 10 unless `--if-enabled` is given.

use crate::app;
use crate::app::{CacheWarmer, Shortage, WarmDone, WarmRequest};
use crate::cli::args::GlobalArgs;
use crate::cli::args::read_flags::count;
use crate::cli::exit_code::{CliError, Code, failed};
use crate::cli::output::{Output, TextReport, text};
use crate::cli::session::{Need, Session};
use crate::cli::times;
use crate::config::WarmTarget;
use crate::gateway::{ChangedNames, GatewayError, ListDiff, Renew, Traversal, WalkPlan, Warmed};
use crate::model::{format_duration, format_size, parse_duration};
use crate::progress;
use clap::Args;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Fetch entries in advance
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Fetch entries in advance.\n\n\
        Without names: users, groups, memberships, permission sets, accounts and assignments. Everything is \
        fetched, whatever its age; an interrupted warm (killed, out of budget, or with targets that could not be \
        read) is continued. Assignments are read by account and permission set or by user and group, whichever \
        takes fewer calls. Part of the AWS quota stays free for other commands.\n\n\
        Concurrent warms share the work: a warm waits for an answer that another process is fetching. It also \
        waits for a change to settle, because an earlier answer cannot be stored: `not kept`, exit code 3.",
    after_help = "Examples:\n  awsideman cache warm\n  awsideman cache warm --plan\n  \
        awsideman cache warm users groups --diff\n  awsideman cache warm assignments --budget 500\n  \
        awsideman cache warm --if-older 10m\n  awsideman cache warm users --if-enabled"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a separate flag")]
pub struct WarmArgs {
    /// What to fill: users, groups, memberships, permission-sets, accounts, assignments
    #[arg(value_name = "RESOURCE", value_parser = warm_target)]
    pub resources: Vec<WarmTarget>,
    /// Say how many calls, how long and how many bytes, and warm nothing
    #[arg(long)]
    pub plan: bool,
    /// Make at most this many calls to AWS
    #[arg(long, value_name = "CALLS", value_parser = count, allow_negative_numbers = true)]
    pub budget: Option<u64>,
    /// Only what is older than this, as in 90, 15m or 2h
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub if_older: Option<Duration>,
    /// Only what has less than a quarter of its time to live before it
    #[arg(long, conflicts_with = "if_older")]
    pub refresh_ahead: bool,
    /// Wait for what another awsideman is doing, rather than leave it out
    #[arg(long, conflicts_with = "no_wait")]
    pub wait: bool,
    /// Do not wait for other processes or for changes to settle
    #[arg(long)]
    pub no_wait: bool,
    /// Exit with 0 if the cache is disabled or keeps nothing
    #[arg(long)]
    pub if_enabled: bool,
    /// Name what changed since the last warm
    #[arg(long)]
    pub diff: bool,
}

fn warm_target(word: &str) -> Result<WarmTarget, String> {
    WarmTarget::parse(word).ok_or_else(|| {
        let known: Vec<&str> = WarmTarget::ALL.iter().map(|target| target.as_str()).collect();
        format!("nothing of that name can be warmed; there are {}", known.join(", "))
    })
}

/// `cache warm`
pub(crate) fn warm(args: &WarmArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open_to_change(globals, Need::Sound, output)?;
    if let Some(reason) = CacheWarmer::new(&session.app).useless_reason() {
        return useless(reason, args, &session, output);
    }
    let renew = match args.if_older {
        Some(age) => Renew::Older(age),
        None if args.refresh_ahead => Renew::Ahead,
        None => Renew::All,
    };
    let wish = WarmRequest {
        targets: if args.resources.is_empty() { WarmTarget::ALL.to_vec() } else { args.resources.clone() },
        renew,
        budget: args.budget,
        wait: !args.no_wait,
        names: args.diff,
    };
    if args.plan { plan(&wish, &session, output) } else { carry_out(&wish, &session, output) }
}

/// Nothing can be warmed: an error, unless `--if-enabled` is given.
fn useless(reason: String, args: &WarmArgs, session: &Session, output: &mut Output) -> Result<(), CliError> {
    if args.if_enabled {
        let document = json!({"schema_version": 1, "outcome": "skipped", "skipped": reason, "targets": [], "calls": 0});
        return output.report(&document, &TextReport::new().line(format!("Cache warming skipped: {reason}")));
    }
    if session.app.disabled().is_some() {
        return Err(session.cache_needed(reason));
    }
    Err(CliError::new(Code::CacheNeeded, reason)
        .hint("set `cache.backend = \"disk\"`, or pass `--if-enabled` to do nothing where nothing can be kept"))
}

fn plan(wish: &WarmRequest, session: &Session, output: &mut Output) -> Result<(), CliError> {
    let (plan, findings) = session.wait(CacheWarmer::new(&session.app).plan(wish, session.progress.as_ref()))??;
    session.close(Vec::new());
    let mut document = serde_json::to_value(&plan).unwrap_or_default();
    document["schema_version"] = json!(1);
    document["budget"] = json!(wish.budget);
    document["findings"] = json!(findings);
    tell(&findings, output);
    output.report(&document, &plan_page(&plan, wish.budget))
}

fn plan_page(plan: &WalkPlan, budget: Option<u64>) -> TextReport {
    let counted = |exact: bool, n: u64| if exact { n.to_string() } else { format!("at least {n}") };
    let rows = plan.targets.iter().map(|target| {
        vec![
            target.target.to_owned(),
            counted(target.exact, target.calls),
            counted(target.exact, target.entries),
            format!("about {}", format_size(target.bytes)),
        ]
    });
    let mut page = TextReport::new().table(&["Target", "Calls", "Entries", "Size"], rows.collect());
    let at_least = if plan.exact { "" } else { "at least " };
    page = page.line(format!(
        "{at_least}{}, {at_least}{} at the quota, about {} in the cache",
        calls_to_aws(plan.calls),
        for_people(plan.seconds),
        format_size(plan.bytes)
    ));
    if let Some(walk) = plan.walk {
        page = page.line(match walk {
            Traversal::Pairs => "Assignments are asked by account and permission set",
            Traversal::Principals => {
                "Assignments are asked by user and group; those of deleted ones are not found that way"
            }
        });
    }
    if let Some(budget) = budget.filter(|budget| *budget > 0 && *budget < plan.calls) {
        page = page
            .line(format!("With --budget {budget} that is {} runs", counted(plan.exact, plan.calls.div_ceil(budget))));
    }
    page.line(format!("Nothing was warmed; the plan took {}", calls_to_aws(plan.spent)))
}

/// `1 call to AWS`, `2 calls to AWS`.
pub(crate) fn calls_to_aws(n: u64) -> String {
    if n == 1 { "1 call to AWS".into() } else { format!("{n} calls to AWS") }
}

/// Seconds as people say them.
pub(crate) fn for_people(seconds: f64) -> String {
    // Whole seconds are enough for a plan, and less than one is one.
    let whole = Duration::try_from_secs_f64(seconds.max(0.0).ceil()).unwrap_or(Duration::MAX);
    format_duration(whole)
}

fn carry_out(wish: &WarmRequest, session: &Session, output: &mut Output) -> Result<(), CliError> {
    let WarmDone { targets: warmed, ended, calls, dropped, findings } = session.interrupts.wait_to_end(
        CacheWarmer::new(&session.app).warm(wish, session.progress.as_ref(), session.interrupts.stop()),
    )??;
    session.close(Vec::new());
    let all: Vec<progress::TargetFailure> = warmed.iter().flat_map(|target| target.failures.clone()).collect();
    let stopped = warmed.iter().filter_map(|target| Some(format!("{}: {}", target.target, target.stopped.as_ref()?)));
    let failures: Vec<String> = failed::lines(&all).into_iter().chain(stopped).collect();
    let unkept = || warmed.iter().flat_map(|target| &target.not_kept);
    let complete = failures.is_empty() && unkept().next().is_none();
    let mut page = warm_page(&warmed);
    if complete {
        page = page
            .line(format!("Cache warming completed ({calls} {} to AWS)", if calls == 1 { "call" } else { "calls" }));
    }
    tell(&findings, output);
    if let Some(left_out) = app::left_out(&warmed) {
        page = page.line(left_out);
    }
    let targets: Vec<_> = warmed.iter().map(document_of).collect();
    let document = json!({
        "schema_version": 1,
        "outcome": if complete && ended.is_none() { "done" } else { "partial" },
        "targets": targets,
        "calls": calls,
        "complete": complete,
        "dropped": dropped,
        "findings": findings,
    });
    // A bar that is cleared later would take the last rows of the table with it.
    session.progress.clear();
    output.report(&document, &page)?;
    match ended {
        Some(GatewayError::Interrupted) => return Err(interrupted(&warmed, session)),
        Some(error) => return Err(error.into()),
        None => {}
    }
    if complete {
        return Ok(());
    }
    let partial = partial(&warmed, failures, failed::hint(&all));
    // Nothing at all was read: that is not a partial answer, and the cause has its own code and hint.
    if warmed.iter().all(|target| target.cause.is_some() && target.fetched == 0 && target.fresh == 0) {
        let mut causes: Vec<_> = warmed.into_iter().filter_map(|target| target.cause).collect();
        // Several targets may share one.
        let cause = causes.pop().and_then(|cause| {
            causes.clear();
            Arc::into_inner(cause)
        });
        if let Some(cause) = cause {
            return Err(session.failed(cause));
        }
    }
    Err(partial)
}

/// What an interrupted warm kept, and the command that continues it.
fn interrupted(warmed: &[Warmed], session: &Session) -> CliError {
    let kept: u64 = warmed.iter().map(|target| target.fetched).sum();
    let ended = warmed.iter().filter(|target| target.stopped.is_none()).count();
    let answers = if kept == 1 { "1 answer".to_owned() } else { format!("{kept} answers") };
    let done = format!("stored {answers}, finished {ended} of {} targets", warmed.len());
    let hint = if kept == 0 { None } else { Some("`COMMAND` continues: what was kept is not fetched again") };
    session.interrupts.leaves(&done, hint);
    session.interrupts.failure()
}

/// The parts missing from the cache, and when to run the warm again.
fn partial(warmed: &[Warmed], mut details: Vec<String>, remedy: Option<String>) -> CliError {
    let repeat_at = warmed.iter().flat_map(|target| &target.not_kept).filter_map(|one| one.repeat_at).max();
    let message = match app::not_kept(warmed) {
        Some(unkept) if details.is_empty() => unkept,
        unkept => {
            details.extend(unkept);
            "part of the cache could not be warmed".to_owned()
        }
    };
    let hint = match repeat_at {
        None if remedy.is_some() => remedy.unwrap_or_default(),
        Some(at) => format!("run it again after {}; what was fetched is kept", times::local(at)),
        None if warmed.iter().all(|target| target.fetched == 0) => {
            "nothing was stored: `awsideman cache health` and `awsideman doctor` name the cause".to_owned()
        }
        None => "what was fetched is kept; run it again for the rest".to_owned(),
    };
    CliError::new(Code::Partial, message).details(details).hint(hint)
}

fn document_of(target: &Warmed) -> Value {
    let mut document = serde_json::to_value(target).unwrap_or_default();
    document["outcome"] = json!(outcome(&document));
    document
}

/// The outcome of a target, in one word.
fn outcome(target: &Value) -> &'static str {
    let has_some = number_of(target, "fetched") + number_of(target, "fresh") > 0;
    match (&target["stopped"], length(target, "failures"), length(target, "not_kept")) {
        (Value::String(_), ..) => "stopped",
        (_, 0, 0) if !has_some && length(target, "skipped") > 0 => "skipped",
        (_, 0, 0) => "done",
        (_, 0, _) if !has_some => "not kept",
        _ => "partial",
    }
}

fn number_of(of: &Value, field: &str) -> u64 {
    of[field].as_u64().unwrap_or_default()
}

fn length(of: &Value, field: &str) -> usize {
    of[field].as_array().map_or(0, Vec::len)
}

fn tell(findings: &[Shortage], output: &Output) {
    for finding in findings {
        output.talk().warning(&finding.to_string());
    }
}

fn warm_page(warmed: &[Warmed]) -> TextReport {
    let documents: Vec<Value> = warmed.iter().map(document_of).collect();
    let mut page = table(TextReport::new(), &documents);
    for target in warmed {
        if let Some(names) = target.changes.names.as_ref().filter(|_| target.changes.any()) {
            page = changed_names(page.line(format!("{}:", target.target)), names, &target.changes);
        }
    }
    page
}

/// The targets of a recorded warm as a table, and what was not read.
pub(crate) fn targets_table(page: TextReport, targets: &[Value]) -> TextReport {
    let mut page = table(page, targets);
    for target in targets {
        let name = text(&target["target"]);
        if let Value::String(why) = &target["stopped"] {
            page = page.line(format!("{name} stopped: {why}"));
        }
        for failure in target["failures"].as_array().into_iter().flatten() {
            page = page.line(format!("{}: {}", text(&failure["target"]), text(&failure["error"])));
        }
    }
    page
}

fn table(page: TextReport, targets: &[Value]) -> TextReport {
    let header = ["Target", "Outcome", "Items", "Fetched", "Fresh", "Since the last"];
    page.table(&header, targets.iter().map(row).collect())
}

fn row(target: &Value) -> Vec<String> {
    let parts = [("failures", "failed"), ("not_kept", "not kept"), ("skipped", "skipped")];
    let parts = parts.map(|(field, word)| (length(target, field), word));
    let parts = parts.iter().filter(|(n, _)| *n > 0).map(|(n, word)| format!("{n} {word}")).collect::<Vec<_>>();
    let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
    let outcome = match outcome(target) {
        word @ ("partial" | "done") => format!("{word}{parts}"),
        word => word.to_owned(),
    };
    let number = |field: &str| number_of(target, field).to_string();
    let changes = changes(&target["changes"], number_of(target, "fetched"));
    vec![text(&target["target"]), outcome, number("items"), number("fetched"), number("fresh"), changes]
}

/// `first`, `nothing`, `+2 -1 ~3`; empty where nothing was fetched.
fn changes(changes: &Value, fetched: u64) -> String {
    if fetched == 0 {
        return String::new();
    }
    if changes["first"] == true {
        return "first".into();
    }
    let parts =
        [("+", "added"), ("-", "removed"), ("~", "changed")].map(|(sign, field)| (sign, number_of(changes, field)));
    let shown: Vec<String> = parts.iter().filter(|(_, n)| *n > 0).map(|(sign, n)| format!("{sign}{n}")).collect();
    if shown.is_empty() { "nothing".into() } else { shown.join(" ") }
}

fn changed_names(mut page: TextReport, names: &ChangedNames, counts: &ListDiff) -> TextReport {
    let kinds = [
        ("+", &names.added, counts.added),
        ("-", &names.removed, counts.removed),
        ("~", &names.changed, counts.changed),
    ];
    for (sign, names, count) in kinds {
        for name in names {
            page = page.line(format!("  {sign} {name}"));
        }
        let more = count.saturating_sub(names.len() as u64);
        if more > 0 {
            page = page.line(format!("  {sign} and {more} more"));
        }
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_shown_as_signs() {
        let shown =
            |added, removed, changed| changes(&json!(ListDiff { added, removed, changed, ..ListDiff::default() }), 1);
        assert_eq!((shown(2, 1, 3).as_str(), shown(0, 0, 1).as_str()), ("+2 -1 ~3", "~1"));
        assert_eq!(shown(0, 0, 0), "nothing");
        assert_eq!(changes(&json!(ListDiff { first: true, ..ListDiff::default() }), 1), "first");
        assert_eq!(changes(&json!(ListDiff { first: true, ..ListDiff::default() }), 0), "");
    }

    #[test]
    fn the_plan_says_what_is_estimated_and_how_many_runs_a_budget_makes() {
        let target = crate::gateway::TargetCost { target: "users", calls: 200, entries: 3, bytes: 2048, exact: false };
        let plan = WalkPlan {
            targets: vec![target],
            calls: 200,
            seconds: 13.3,
            bytes: 2048,
            entries: 3,
            exact: false,
            walk: Some(Traversal::Pairs),
            spent: 2,
            likely: 200,
        };
        let text = plan_page(&plan, Some(90)).text(None, false);
        for part in [
            "at least 200 calls to AWS, at least 14s at the quota",
            "With --budget 90 that is at least 3 runs",
            "took 2 calls to AWS",
        ] {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
}
