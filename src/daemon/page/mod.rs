//! The status page: problems with the command that fixes each, then the figures.
//!
//! One document without scripts and external resources. maud escapes every text. Control and bidirectional characters
//! are escaped. It works on a phone, in dark mode and with a screen reader.

mod alerts;
mod cache;
mod chart;
mod format;
mod jobs;
mod view;

pub use view::{PageView, Range};

use crate::app::{DashboardProblem, OverallState, Overview};
use crate::clock;
use crate::health::Level;
use crate::model::{format_size, visible_lines};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use format::counted;
use format::grouped;
use format::lasting;
use format::moment;
use format::prose;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("style.css");
/// The reload interval of a live page, in seconds. It is off by default: a reload would move a screen reader, or a
/// reader with an open section, back to the top.
const REFRESH: u32 = 30;

/// The style sheet's hash for the content security policy.
pub fn style_hash() -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(STYLE)))
}

/// The icon in the color of a state; `None` for an unknown one.
pub fn icon(name: &str) -> Option<String> {
    let fill = match name.strip_suffix(".svg")? {
        "well" => "#2e9e5b",
        "attention" => "#d99a1c",
        "wrong" => "#d6382e",
        _ => return None,
    };
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 16 16\"><circle cx=\"8\" cy=\"8\" r=\"7\" fill=\"{fill}\"/></svg>"
    ))
}

/// The document.
pub fn draw(view: &PageView<'_>) -> String {
    let overview = view.overview;
    let document = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if view.refreshes { meta http-equiv="refresh" content=(REFRESH); }
                title { (headline(overview)) " - awsideman on " (overview.host) }
                link rel="icon" type="image/svg+xml" href={ "/icon/" (overview.verdict.as_str()) ".svg" };
                style { (PreEscaped(STYLE)) }
            }
            body {
                a.skip href="#main" { "Skip to the summary" }
                header.top {
                    span { strong { "awsideman" } " on " (overview.host) }
                    span { "As of " time datetime=(clock::utc(overview.now)) { (clock::local(overview.now)) } }
                }
                main id="main" {
                    (verdict(view))
                    (metrics_endpoint(overview))
                    (cache::section(view))
                    (jobs::section(view))
                    (alerts::section(view))
                }
                (foot(view))
            }
        }
    };
    visible_lines(&document.into_string())
}

fn verdict(view: &PageView<'_>) -> Markup {
    let overview = view.overview;
    html! {
        section.verdict.(overview.verdict.as_str()) aria-labelledby="verdict" {
            h1 id="verdict" { (headline(overview)) }
            p { (subline(view)) }
            @if !overview.problems.is_empty() {
                ol.problems {
                    @for found in &overview.problems { (problem(found, overview.now)) }
                }
            }
        }
    }
}

/// The headline: the number of problems and their severity.
fn headline(overview: &Overview) -> String {
    let count = |level, name: &str| match overview.problems.iter().filter(|problem| problem.level == level).count() {
        0 => None,
        1 => Some(format!("1 {name}")),
        n => Some(format!("{n} {name}s")),
    };
    match (count(Level::Critical, "problem"), count(Level::Warn, "warning")) {
        (None, None) => "All is well".to_owned(),
        (Some(problems), Some(warnings)) => format!("{problems}, {warnings}"),
        (Some(counted), None) | (None, Some(counted)) => counted,
    }
}

fn subline(view: &PageView<'_>) -> String {
    let overview = view.overview;
    if view.standing.ending {
        return "The daemon is shutting down and waits for running jobs.".to_owned();
    }
    match overview.verdict {
        OverallState::Wrong => "Each problem has a command to run; start with the first.".to_owned(),
        OverallState::Attention => "No problem is critical; each warning has a command to run.".to_owned(),
        OverallState::Well => {
            let jobs = overview.jobs.iter().filter(|job| job.enabled).count() as u64;
            let checks = counted(overview.checks.len() as u64, "check", "checks");
            format!("{checks} of the cache are ok, and no job has a problem ({} enabled).", grouped(jobs))
        }
    }
}

fn problem(found: &DashboardProblem, now: i64) -> Markup {
    let (class, word) = match found.level {
        Level::Critical => ("critical", "Wrong"),
        Level::Warn | Level::Ok => ("warning", "Look"),
    };
    html! {
        li.(class) {
            p { span.level { (word) } @if let Some(since) = found.since { span.soft { " " (lasting(since, now)) } } }
            p.what { (prose(&found.message)) }
            pre.command { code { (found.command) } }
        }
    }
}

fn metrics_endpoint(overview: &Overview) -> Markup {
    let (status, calls) = (&overview.status, &overview.calls);
    let held = status.resources.iter().flatten().map(|resource| resource.bytes).sum();
    let window = format::span(status.window_seconds.saturating_mul(1_000));
    html! {
        section aria-label="Figures" {
            dl.figures {
                div {
                    dt { "Hit rate" }
                    dd {
                        @if status.new_window { div.n { "unknown" } }
                        @else if status.hit_rate_samples == 0 { div.n { "none yet" } }
                        @else { div.n { (status.hit_rate_percentage) small { " %" } } }
                        small {
                            "of " (counted(status.hit_rate_samples, "lookup", "lookups")) " in "
                            @if status.new_window { "a new window" } @else { (window) }
                        }
                    }
                }
                div {
                    dt { "Calls saved" }
                    dd {
                        div.n { (grouped(status.hit_count)) }
                        small { "at least, in " (window) "; " (grouped(status.lifetime.hit_count)) " ever" }
                    }
                }
                div {
                    dt { "Calls made" }
                    dd {
                        div.n { (grouped(calls.last_day)) }
                        small { "in 1d; " (grouped(calls.total)) " ever, " (grouped(calls.throttled)) " throttled" }
                    }
                }
                div {
                    dt { "Size" }
                    dd {
                        @let held = format_size(held);
                        @let (n, unit) = held.split_once(' ').unwrap_or((&held, ""));
                        div.n { (n) small { " " (unit) } }
                        small { "of " (status.max_size_mb) " MB; " (counted(status.total_entries, "entry", "entries")) }
                    }
                }
                div {
                    dt { "Cache" }
                    dd {
                        @if status.enabled { div.n { "enabled" } } @else { div.n { "disabled" } }
                        small {
                            "breaker " (status.circuit_breaker.state)
                            @if status.circuit_breaker.writes.state != "CLOSED" {
                                ", " (status.circuit_breaker.writes.state) " for writes"
                            }
                        }
                    }
                }
            }
        }
    }
}

fn foot(view: &PageView<'_>) -> Markup {
    let (overview, standing) = (view.overview, view.standing);
    html! {
        footer {
            p {
                "awsideman " (overview.version) ", daemon started " (moment(standing.started_at, overview.now)) ", "
                (counted(standing.passes, "look", "looks")) " at the ledger. Times are those of the host."
            }
            p {
                @if view.refreshes {
                    "This page reloads every " (REFRESH) " seconds. "
                    a href=(PageView::address(view.range, false)) { "Stop refreshing" }
                } @else {
                    "This page does not reload. "
                    a href=(PageView::address(view.range, true)) { "Refresh automatically" }
                }
            }
            nav aria-label="For programs" {
                a href="/api/status" { "JSON" }
                a href="/metrics" { "Prometheus metrics" }
                a href="/readyz" { "Readiness" }
                a href="/healthz" { "Liveness" }
            }
        }
    }
}

#[cfg(test)]
mod tests;
