//! The section of jobs: state, timeline and runs.
//!
//! Outcomes differ by shape and word, not by color alone. Everything in the timeline is in the table too.

use super::chart::{self, Axis, percent};
use crate::clock;
use crate::daemon::page::format::counted;
use crate::daemon::page::format::grouped;
use crate::daemon::page::format::moment;
use crate::daemon::page::format::prose;
use crate::daemon::page::format::took;
use crate::daemon::page::view::PageView;
use crate::jobs::{JobRow, RunOutcome, RunRow};
use maud::{Markup, html};

/// The most runs in the table.
const LISTED: usize = 25;
/// The height of a lane, in pixels.
const LANE: u32 = 24;

pub(super) fn section(view: &PageView<'_>) -> Markup {
    let overview = view.overview;
    html! {
        section aria-labelledby="jobs" {
            h2 id="jobs" { "Jobs" }
            @if overview.jobs.is_empty() {
                p.soft { "No jobs: the folder that " code { "jobs.dir" } " names holds no *.toml, or cannot be read." }
            } @else {
                table {
                    thead { tr { th scope="col" { "Job" } th scope="col" { "Last run" } th.slim scope="col" { "Next" } } }
                    tbody { @for job in &overview.jobs { (row(job, view)) } }
                }
                (timeline(view))
                (runs(view))
            }
        }
    }
}

fn row(job: &JobRow, view: &PageView<'_>) -> Markup {
    let now = view.overview.now;
    html! {
        tr {
            th scope="row" {
                (name(&job.job, job.profile.as_deref()))
                small { (job.schedule) @if let Some(zone) = &job.timezone { " " (zone) } }
            }
            td {
                @match (job.last_outcome, job.last_at) {
                    (Some(outcome), Some(at)) => {
                        span.(class(Some(outcome))) { (outcome.as_str()) } " " span.soft { (moment(at, now)) }
                        @if let Some(reason) = job.last_reason.as_ref().filter(|reason| !reason.is_empty()) {
                            small { (prose(reason)) }
                        }
                    }
                    _ => span.soft { "never" },
                }
            }
            td {
                @if let Some(by) = &job.running { "runs now" small { (by) } }
                @else if let Some(paused) = &job.paused { span.warn { "paused" } small { (prose(paused)) } }
                @else if let Some(due) = job.next_due { (moment(due, now)) }
                @else { span.soft { "on request only" } }
            }
        }
    }
}

fn timeline(view: &PageView<'_>) -> Markup {
    let axis = view.axis();
    let ran = |job: &JobRow| view.overview.runs.iter().any(|run| is_of(run, job) && run.started_at >= axis.from);
    // A disabled job without runs has no lane.
    let shown: Vec<&JobRow> = view.overview.jobs.iter().filter(|job| job.enabled || ran(job)).collect();
    html! {
        section aria-labelledby="timeline" {
            h2 id="timeline" { "Runs over " (view.range.words()) }
            div.lanes {
                @for (n, job) in shown.iter().enumerate() { (lane(n, job, axis, view)) }
                div.lane { span aria-hidden="true" {} (chart::times_row(axis)) }
            }
            ul.key {
                @for (class, words) in
                    [("done", "done"), ("partial", "partial"), ("failed", "failed, timed out, crashed"), ("missed", "missed"), ("skipped", "skipped"), ("running", "runs now")]
                {
                    li { svg aria-hidden="true" { (mark(class, "50%", 16)) } (words) }
                }
            }
        }
    }
}

fn lane(n: usize, job: &JobRow, axis: Axis, view: &PageView<'_>) -> Markup {
    let own: Vec<&RunRow> =
        view.overview.runs.iter().filter(|run| is_of(run, job) && run.started_at >= axis.from).collect();
    let id = format!("lane-{n}");
    let name = name(&job.job, job.profile.as_deref());
    html! {
        div.lane {
            span { (name) }
            svg height=(LANE) role="img" aria-labelledby={ (id) "-t " (id) "-d" } {
                title id={ (id) "-t" } { "Runs of " (name) }
                desc id={ (id) "-d" } { (summary(&own)) }
                line.grid x1="0" x2="100%" y1=(LANE / 2) y2=(LANE / 2) {}
                // Failures are drawn last, over successes.
                @for bad in [false, true] {
                    @for run in own.iter().rev().filter(|run| is_bad(run.outcome) == bad) {
                        g {
                            title { (clock::local(run.started_at)) ": " (word(run)) ", " (run.reason) }
                            (mark(shape(run.outcome), &percent(axis.percent(run.started_at)), LANE))
                        }
                    }
                }
            }
        }
    }
}

/// Full height for a failure, three quarters for a partial run, half for success, short for a skip.
fn mark(class: &str, x: &str, height: u32) -> Markup {
    let from_middle = match class {
        "done" | "running" => height / 4,
        "partial" => height * 3 / 8,
        "skipped" => height / 8,
        _ => height / 2,
    };
    html! { line.(class) x1=(x) x2=(x) y1=(height / 2 - from_middle) y2=(height / 2 + from_middle) {} }
}

/// `288 runs: 285 done, 3 failed`
fn summary(runs: &[&RunRow]) -> String {
    if runs.is_empty() {
        return "no runs in this period".into();
    }
    let count = |outcome| runs.iter().filter(|run| run.outcome == outcome).count() as u64;
    let parts: Vec<String> = RunOutcome::ALL
        .into_iter()
        .map(|outcome| (count(Some(outcome)), outcome.as_str()))
        .chain([(count(None), "running")])
        .filter(|(n, _)| *n > 0)
        .map(|(n, word)| format!("{} {word}", grouped(n)))
        .collect();
    format!("{}: {}", counted(runs.len() as u64, "run", "runs"), parts.join(", "))
}

fn runs(view: &PageView<'_>) -> Markup {
    let (runs, now) = (&view.overview.runs, view.overview.now);
    html! {
        @if !runs.is_empty() {
            details {
                summary { "The last " (counted(runs.len().min(LISTED) as u64, "run", "runs")) }
                table {
                    thead { tr { th scope="col" { "Job" } th scope="col" { "Result" } th.r scope="col" { "Took" } } }
                    tbody {
                        @for run in runs.iter().take(LISTED) {
                            tr {
                                th scope="row" { (name(&run.job, Some(&run.profile))) small { (moment(run.started_at, now)) } }
                                td { span.(class(run.outcome)) { (word(run)) } small { (prose(&run.reason)) } }
                                td.r { (took(run.took_ms)) small { (counted(run.calls.unsigned_abs(), "call", "calls")) } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn is_of(run: &RunRow, job: &JobRow) -> bool {
    run.job == job.job && run.profile == job.profile.as_deref().unwrap_or_default()
}

fn is_bad(outcome: Option<RunOutcome>) -> bool {
    matches!(shape(outcome), "failed" | "missed" | "partial")
}

fn word(run: &RunRow) -> &'static str {
    run.outcome.map_or("running, or its runner died", RunOutcome::as_str)
}

fn shape(outcome: Option<RunOutcome>) -> &'static str {
    match outcome {
        Some(RunOutcome::Done) => "done",
        Some(RunOutcome::Partial) => "partial",
        Some(RunOutcome::Skipped | RunOutcome::Cancelled) => "skipped",
        Some(RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::Crashed) => "failed",
        Some(RunOutcome::Missed) => "missed",
        None => "running",
    }
}

fn class(outcome: Option<RunOutcome>) -> &'static str {
    match outcome {
        Some(RunOutcome::Done) => "well",
        Some(RunOutcome::Skipped | RunOutcome::Cancelled) | None => "soft",
        Some(RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::Crashed) => "bad",
        Some(RunOutcome::Partial | RunOutcome::Missed) => "warn",
    }
}

fn name(job: &str, profile: Option<&str>) -> String {
    match profile.filter(|profile| !profile.is_empty()) {
        Some(profile) => format!("{job} ({profile})"),
        None => job.to_owned(),
    }
}
