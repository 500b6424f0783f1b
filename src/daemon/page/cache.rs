//! The section of the cache: hit rate, size and age over time.
//!
//! Guarantee: a rate is drawn only for hours with lookups. Every chart is described in text too.

use super::chart::{self, Axis, ChartLine, ChartTitle};
use crate::app::{HourReport, ResourceReport, SampleReport};
use crate::clock::{self, UnixMillis};
use crate::daemon::page::format::DAY;
use crate::daemon::page::format::HOUR;
use crate::daemon::page::format::counted;
use crate::daemon::page::format::grouped;
use crate::daemon::page::format::moment;
use crate::daemon::page::format::span;
use crate::daemon::page::view::{PageView, Range};
use crate::health::Level;
use crate::model::format_size;
use maud::{Markup, html};

pub(super) fn section(view: &PageView<'_>) -> Markup {
    let (axis, hours) = (view.axis(), buckets(view));
    html! {
        section aria-labelledby="cache" {
            div.heading {
                h2 id="cache" { "The cache over " (view.range.words()) }
                nav.ranges aria-label="How far back" {
                    @for range in Range::ALL {
                        @let current = (range == view.range).then_some("page");
                        a href=(PageView::address(range, view.refreshes)) aria-current=[current] { (range.words()) }
                    }
                }
            }
            div.charts {
                figure { figcaption { h3 { "Hit rate" } } (rates(view, axis, &hours)) }
                figure {
                    figcaption { h3 { "Lookups" } }
                    (lookups(view, axis, &hours))
                    ul.key {
                        li { svg aria-hidden="true" { rect.hits width="16" height="16" rx="2" {} } "from the cache: calls saved" }
                        li { svg aria-hidden="true" { rect.misses width="16" height="16" rx="2" {} } "from AWS" }
                    }
                }
                figure { figcaption { h3 { "Size" } } (sizes(view, axis)) }
            }
            (ages(view))
            (checks(view))
        }
    }
}

/// The hours of the range, grouped into columns.
fn buckets(view: &PageView<'_>) -> Vec<HourReport> {
    let (axis, width) = (view.axis(), view.range.column());
    let mut columns: Vec<HourReport> = Vec::new();
    for hour in view.overview.history.hours.iter().filter(|hour| hour.at + HOUR > axis.from) {
        let at = hour.at - hour.at.rem_euclid(width);
        match columns.last_mut().filter(|last| last.at == at) {
            Some(last) => {
                last.hits += hour.hits;
                last.misses += hour.misses;
                last.errors += hour.errors;
            }
            None => columns.push(HourReport { at, ..*hour }),
        }
    }
    columns
}

fn rates(view: &PageView<'_>, axis: Axis, hours: &[HourReport]) -> Markup {
    let width = view.range.column();
    let points: Vec<(UnixMillis, f64)> =
        hours.iter().filter_map(|hour| Some(((hour.at + width / 2).min(axis.to), rate(hour)?))).collect();
    let limits = &view.overview.limits;
    let mut rules = vec![ChartLine { at: 1.0, label: "100%".into(), class: "grid" }];
    for (limit, word, class) in [(limits.hit_rate_warn, "look", "limit"), (limits.hit_rate_critical, "wrong", "floor")]
    {
        if limit > 0.0 {
            rules.push(ChartLine { at: limit / 100.0, label: format!("{word} below {limit}%"), class });
        }
    }
    let worst = hours.iter().filter_map(rate).fold(1.0_f64, f64::min) * 100.0;
    let (hits, all) = totals(hours);
    let words = format!(
        "{} of {} were answered from the cache in the last {}; the worst column was {worst:.0} percent.",
        grouped(hits),
        counted(all, "lookup", "lookups"),
        view.range.words()
    );
    let named = ChartTitle { id: "rate", title: "Hit rate", words };
    let marks = (!points.is_empty()).then(|| chart::curve(axis, &points, width + width / 2));
    chart::plot(&named, axis, &rules, marks, "No lookups in this period")
}

#[expect(clippy::cast_precision_loss, reason = "drawn to a pixel")]
fn rate(hour: &HourReport) -> Option<f64> {
    let all = hour.hits + hour.misses;
    (all > 0).then(|| hour.hits as f64 / all as f64)
}

fn totals(hours: &[HourReport]) -> (u64, u64) {
    hours.iter().fold((0, 0), |(hits, all), hour| (hits + hour.hits, all + hour.hits + hour.misses))
}

#[expect(clippy::cast_precision_loss, reason = "drawn to a pixel")]
fn lookups(view: &PageView<'_>, axis: Axis, hours: &[HourReport]) -> Markup {
    let most = hours.iter().map(|hour| hour.hits + hour.misses).max().unwrap_or(0).max(1);
    let share = |n: u64| n as f64 / most as f64;
    let values: Vec<_> = hours
        .iter()
        .map(|hour| {
            let (hits, misses) = (grouped(hour.hits), grouped(hour.misses));
            let words = format!("{}: {hits} from the cache, {misses} from AWS", clock::local(hour.at));
            (hour.at, share(hour.hits), share(hour.misses), words)
        })
        .collect();
    let (hits, all) = totals(hours);
    let words = format!(
        "In the last {}, {} were answered from the cache and {} by AWS; the highest column has {}.",
        view.range.words(),
        grouped(hits),
        grouped(all - hits),
        grouped(most)
    );
    let named = ChartTitle { id: "lookups", title: "Lookups answered from the cache and by AWS", words };
    let rules = [ChartLine { at: 1.0, label: grouped(most), class: "grid" }];
    let marks = (all > 0).then(|| chart::columns(axis, view.range.column(), &values));
    chart::plot(&named, axis, &rules, marks, "No lookups in this period")
}

#[expect(clippy::cast_precision_loss, reason = "drawn to a pixel")]
fn sizes(view: &PageView<'_>, axis: Axis) -> Markup {
    let samples: Vec<&SampleReport> =
        view.overview.history.samples.iter().filter(|sample| sample.at >= axis.from).collect();
    let limit = view.overview.limits.max_bytes;
    let most = samples.iter().map(|sample| sample.bytes).max().unwrap_or(0);
    // The limit is drawn only if the size is near it: a small cache would otherwise be a flat line.
    let nears = limit > 0 && most.saturating_mul(4) > limit;
    let top = (if nears { most.max(limit) } else { most }).max(1);
    let share = |bytes: u64| bytes as f64 / top as f64;
    let mut rules = vec![ChartLine { at: 1.0, label: format_size(top), class: "grid" }];
    if nears {
        let label = format!("limit {}", format_size(limit));
        let is_top = limit == top;
        rules = if is_top { vec![] } else { rules };
        rules.push(ChartLine { at: share(limit), label, class: "limit" });
    }
    let points: Vec<(UnixMillis, f64)> = samples.iter().map(|sample| (sample.at, share(sample.bytes))).collect();
    let words = match (samples.first(), samples.last()) {
        (Some(first), Some(last)) => format!(
            "From {} to {} in {}; the limit is {}.",
            format_size(first.bytes),
            format_size(last.bytes),
            counted(last.entries, "entry", "entries"),
            if limit == 0 { "none".to_owned() } else { format_size(limit) }
        ),
        _ => String::new(),
    };
    let named = ChartTitle { id: "size", title: "Size of the cache", words };
    // Jobs take the samples: a night without a run is a gap, not a line.
    let gap = (view.range.column() * 3).max(DAY / 8);
    let marks = (!points.is_empty()).then(|| chart::curve(axis, &points, gap));
    chart::plot(&named, axis, &rules, marks, "No samples in this period")
}

fn ages(view: &PageView<'_>) -> Markup {
    let resources = view.overview.status.resources.as_deref().unwrap_or_default();
    let held: Vec<&ResourceReport> = resources.iter().filter(|resource| resource.entries > 0).collect();
    html! {
        section aria-labelledby="ages" {
            h2 id="ages" { "Age of entries" }
            @if held.is_empty() { p.soft { "The cache is empty; " code { "awsideman cache warm" } " fills it." } } @else {
                table {
                    thead { tr {
                        th scope="col" { "Resource" } th.r scope="col" { "Entries" }
                        th.r.wide scope="col" { "Size" } th scope="col" { "Oldest, of its time to live" }
                    } }
                    tbody { @for resource in held { (age(resource, view.overview.now)) } }
                }
            }
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "drawn to a pixel")]
fn age(resource: &ResourceReport, now: UnixMillis) -> Markup {
    let seconds = || resource.ttls.iter().map(|ttl| ttl.seconds);
    let (least, most) = (seconds().min().unwrap_or(0), seconds().max().unwrap_or(0));
    let old = resource.oldest_at.map_or(0, |at| now.saturating_sub(at).max(0));
    let lives =
        if least == most { span(most * 1_000) } else { format!("{} to {}", span(least * 1_000), span(most * 1_000)) };
    html! {
        tr {
            th scope="row" { (resource.resource) }
            td.r { (grouped(resource.entries)) }
            td.r.wide { (format_size(resource.bytes)) }
            td {
                @match resource.oldest_at { Some(at) => (moment(at, now)), None => "unknown" }
                span.soft { ", fresh for " (lives) }
                (chart::bar(old as f64 / (most.max(1) * 1_000) as f64))
            }
        }
    }
}

fn checks(view: &PageView<'_>) -> Markup {
    let checks = &view.overview.checks;
    let fine = checks.iter().filter(|check| check.level == Level::Ok).count() as u64;
    html! {
        details {
            summary { "All checks: " (fine) " of " (checks.len()) " fine" }
            table {
                thead { tr { th scope="col" { "Check" } th.slim scope="col" { "Level" } th scope="col" { "Finding" } } }
                tbody {
                    @for check in checks {
                        @let class = match check.level { Level::Ok => "well", Level::Warn => "warn", Level::Critical => "bad" };
                        tr {
                            th scope="row" { (check.key) }
                            td { span.(class) { (check.level.as_str()) } }
                            td { (check.message) }
                        }
                    }
                }
            }
        }
    }
}
