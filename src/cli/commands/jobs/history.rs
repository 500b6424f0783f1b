//! `jobs history` and `jobs logs`: what was.
//!
//! Newest first, and a job whose file is gone keeps its past.

use crate::app::StateReader;
use crate::cli::args::GlobalArgs;
use crate::cli::args::jobs::{HistoryArgs, LogsArgs};
use crate::cli::commands::cache::warm;
use crate::cli::commands::jobs::JobsSession;
use crate::cli::commands::jobs::say;
use crate::cli::commands::jobs::took;
use crate::cli::commands::jobs::with_profile;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, Style, TextReport};
use crate::cli::times;
use crate::clock::UnixMillis;
use crate::config::Job;
use crate::jobs::{self, Context, JobError, JobSelection, LiveRun, RunOutcome, RunRow};
use crate::lock;
use crate::model::format_duration;
use serde_json::{Value, json};
use std::time::Duration;

/// Runs that `jobs history` shows unless a number is given.
const SHOWN: u64 = 20;
/// Runs that `jobs logs` shows unless a number is given.
const LOGGED: u64 = 5;

/// `jobs history`
pub(crate) fn history(arguments: &HistoryArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let JobsSession { app, jobs, context, mut notices } = JobsSession::back(globals, output)?;
    notices.extend(StateReader::new(&app).set_aside_notice());
    let runs = runs_of(arguments.name.as_deref(), arguments.limit.unwrap_or(SHOWN), &jobs, &context)?;
    let now = app.clock().now();
    let rows = runs.iter().map(|run| past(run, now)).collect();
    let mut page = TextReport::new().table(&["BEGAN", "JOB", "OUTCOME", "TOOK", "CALLS", "WHAT"], rows);
    if runs.is_empty() {
        page = page.line("no job ran yet; `awsideman jobs run --all` runs them all");
    }
    say(&notices, output);
    output.report(&json!({ "schema_version": 1, "runs": runs, "notices": notices }), &page)
}

/// `jobs logs`
pub(crate) fn logs(arguments: &LogsArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let JobsSession { app, jobs, context, notices } = JobsSession::back(globals, output)?;
    let runs = runs_of(Some(&arguments.name), arguments.limit.unwrap_or(LOGGED), &jobs, &context)?;
    let now = app.clock().now();
    let mut page = TextReport::new();
    let live = |run: &RunRow| {
        run.outcome.is_none().then(|| jobs::live(&context.state_dir, &run.job, &run.profile).unwrap_or_default())
    };
    let mut documents = Vec::new();
    for run in &runs {
        let live = live(run);
        page = detailed(page, run, live.as_ref(), now);
        let stopped =
            run.outcome.is_none().then(|| jobs::stopped(&context.state_dir, &run.job, &run.profile)).flatten();
        if let Some(process) = stopped {
            page = page.marked(Style::Warn, "stopped", lock::stopped_hint(process.pid));
        }
        let mut document = json!(run);
        document["live"] = json!(live);
        documents.push(document);
    }
    if runs.is_empty() {
        page = page.line(format!("{} did not run yet", arguments.name));
    }
    say(&notices, output);
    output.report(&json!({ "schema_version": 1, "runs": documents, "notices": notices }), &page)
}

fn runs_of(name: Option<&str>, limit: u64, jobs: &[Job], context: &Context) -> Result<Vec<RunRow>, CliError> {
    let mut runs = context.ledger.history(name, u32::try_from(limit).unwrap_or(u32::MAX))?;
    for run in runs.iter_mut().filter(|run| run.outcome.is_none()) {
        if let Some(live) = jobs::live(&context.state_dir, &run.job, &run.profile) {
            run.calls = i64::try_from(live.calls).unwrap_or(i64::MAX);
        } else if !jobs::is_running(&context.state_dir, &run.job, &run.profile) {
            (run.outcome, run.reason) = (Some(RunOutcome::Crashed), "its runner died".to_owned());
        }
    }
    if let (Some(name), true) = (name, runs.is_empty()) {
        // A job whose file is gone keeps its history; a name that has neither is a slip of the finger.
        known(name, jobs, context)?;
    }
    Ok(runs)
}

fn known(name: &str, jobs: &[Job], context: &Context) -> Result<(), JobError> {
    jobs::dry_run(jobs, &JobSelection::Named(vec![name.to_owned()]), context).map(drop)
}

fn past(run: &RunRow, now: UnixMillis) -> Vec<String> {
    vec![
        times::local(run.started_at),
        with_profile(&run.job, Some(&run.profile)),
        outcome(run).to_owned(),
        duration(run, now),
        run.calls.to_string(),
        run.reason.clone(),
    ]
}

fn outcome(run: &RunRow) -> &'static str {
    run.outcome.map_or("running", RunOutcome::as_str)
}

fn duration(run: &RunRow, now: UnixMillis) -> String {
    match run.outcome {
        None => format_duration(Duration::from_secs(now.saturating_sub(run.started_at).max(0).unsigned_abs() / 1_000)),
        Some(RunOutcome::Skipped | RunOutcome::Missed) => String::new(),
        Some(_) => took(run.took_ms.unsigned_abs()),
    }
}

/// Duration, calls and attempt of a run that took place.
fn spent(run: &RunRow, now: UnixMillis) -> String {
    let calls = if run.calls == 1 { "call" } else { "calls" };
    match duration(run, now) {
        none if none.is_empty() => "-".to_owned(),
        took => format!("{took}, {} {calls}, attempt {}", run.calls, run.attempt),
    }
}

/// One run: its outcome, output and counts; of an ongoing run, its progress.
fn detailed(page: TextReport, run: &RunRow, live: Option<&LiveRun>, now: UnixMillis) -> TextReport {
    let name = with_profile(&run.job, Some(&run.profile));
    let asked = || "asked for by hand".to_owned();
    let mut page = page.title(format!("{}  {name}: {}", times::local(run.started_at), outcome(run)));
    if let Some(live) = live {
        let shown = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
        return page
            .field("Since", format!("{} ({})", times::local(run.started_at), duration(run, now)))
            .field("For", run.scheduled_at.map_or_else(asked, times::local))
            .field("Calls so far", live.calls.to_string())
            .field("Doing", shown(&live.doing))
            .field("Waits for", shown(&live.waits_for))
            .field("By", format!("pid {} on {}", run.pid, run.host))
            .field("To end it", format!("awsideman jobs cancel {}", run.job));
    }
    page = page
        .field("What", &run.reason)
        .field("For", run.scheduled_at.map_or_else(asked, times::local))
        .field("Took", spent(run, now))
        .field("By", format!("pid {} on {}", run.pid, run.host));
    let Value::Object(detail) = &run.detail else { return page };
    for (key, value) in detail.iter().filter(|(key, _)| *key != "log") {
        page = match value {
            Value::String(text) if text.contains('\n') => page.field(key, "").line(indented(text)),
            Value::String(text) => page.field(key, text),
            Value::Array(targets) if key == "targets" && targets.iter().all(Value::is_object) => {
                warm::targets_table(page, targets)
            }
            other => page.field(key, other.to_string()),
        };
    }
    for line in detail.get("log").and_then(Value::as_array).into_iter().flatten() {
        let word = |key: &str| line[key].as_str().unwrap_or_default();
        page = page.line(format!("  {}  {}", word("at"), word("text")));
    }
    page
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("    {line}")).collect::<Vec<_>>().join("\n")
}
