//! `cache status`: what the cache holds and how it performs.
//!
//! Guarantee: a part that cannot be read is reported as unknown, and the rest is still printed.

use crate::app::{
    Detail, HealthInputs, Maintenance, MemoryReport, PassiveChecks, RecentEntry, ResourceReport, Status, StatusReader,
};
use crate::cli::args::GlobalArgs;
use crate::cli::args::read_flags::count;
use crate::cli::commands::cache::sweep::swept_line;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, TextReport};
use crate::cli::session::{Need, Session};
use crate::cli::times;
use crate::clock::UnixMillis;
use crate::config::Format;
use crate::model::{format_duration, format_size};
use crate::store::{EvictionTotal, Swept};
use clap::Args;
use std::time::Duration;

/// `cache status`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  awsideman cache status\n  awsideman cache status --detailed\n  \
    awsideman cache status --recent-entries 20\n  awsideman cache status --json | jq .hit_rate_percentage")]
pub struct StatusArgs {
    /// Show each resource: entries, bytes, hits, misses, oldest, TTL and its origin
    #[arg(long)]
    pub detailed: bool,
    /// Show the entries used last, newest use first
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub recent_entries: Option<u64>,
    /// Show where memory and disk go
    #[arg(long)]
    pub memory_details: bool,
    /// Hold the cache to its limits first, and say what went
    #[arg(long)]
    pub enforce_limits: bool,
}

pub(super) fn status(args: &StatusArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
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
        // JSON carries the notices; for the page they go to stderr.
        for notice in &status.notices {
            output.talk().warning(notice);
        }
    }
    let page = page(&status, session.app.clock().now());
    output.report(&status, &page)?;
    failed.map_or(Ok(()), |error| Err(error.into()))
}

/// The page of a status.
fn page(status: &Status, now: UnixMillis) -> TextReport {
    let mut page = TextReport::new().title("Cache");
    page = page.field("State", state(status, now)).field("Backend", backend(status));
    page = page
        .field("Entries", entries(status))
        .field("Hit rate", counted(status, hit_rate(status)))
        .field("Errors", counted(status, errors(status)))
        .field("Breaker", breaker(status))
        .field("Throttle", counted(status, calls_in_the_last_hour(status.throttled_last_hour)))
        .field("Evicts", evicts_first(status))
        .field("Health", health(status));
    if let Some(removed) = &status.removed {
        page = page.field("Limits", swept_line(removed, false));
    }
    if let Some(resources) = &status.resources {
        page = resource_table(page.title("Resources"), resources, now);
    }
    if let Some(spaces) = &status.spaces {
        let rows = spaces.iter().map(|s| vec![s.space.clone(), s.entries.to_string(), format_size(s.bytes)]);
        page = page.title("Instances").table(&["Instance", "Entries", "Size"], rows.collect());
    }
    if let Some(recent) = &status.recent_entries {
        page = recent_table(page.title("Recent entries"), recent, now);
    }
    if let Some(memory) = &status.memory {
        page = memory_fields(page.title("Memory"), memory, &status.evictions);
    }
    page
}

fn entries(status: &Status) -> String {
    match &status.error {
        Some(error) => format!("unknown: {error}"),
        None => format!("{}, {:.2} of {} MB", status.total_entries, status.memory_usage_mb, status.max_size_mb),
    }
}

/// A figure of the state database.
fn counted(status: &Status, figure: String) -> String {
    if status.statistics_readable { figure } else { "unknown: the state database cannot be read".to_owned() }
}

fn state(status: &Status, now: UnixMillis) -> String {
    if status.enabled {
        return "enabled".into();
    }
    let reason = status.disabled_reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    let Some(until) = &status.disabled_until else {
        return format!("disabled{reason}; all operations bypass it");
    };
    let by = status.disabled_by.as_ref().map(|by| format!(" by {by}")).unwrap_or_default();
    let until = moment(until)
        .map_or_else(|| until.clone(), |at| format!("{} ({} left)", times::local(at), times::left(at, now)));
    format!("disabled until {until}{by}{reason}; all operations bypass it (to end that: awsideman cache enable)")
}

/// The moment that a time of the document names.
fn moment(rfc3339: &str) -> Option<UnixMillis> {
    chrono::DateTime::parse_from_rfc3339(rfc3339).ok().map(|at| at.timestamp_millis())
}

fn backend(status: &Status) -> String {
    if status.backend == "memory" {
        "memory, of this process alone".into()
    } else {
        format!("disk, {}", status.directory)
    }
}

fn calls_in_the_last_hour(calls: u64) -> String {
    if calls == 1 { "1 call in the last hour".into() } else { format!("{calls} calls in the last hour") }
}

fn hit_rate(status: &Status) -> String {
    let window = format_duration(Duration::from_secs(status.window_seconds));
    let ever = status.lifetime.hit_count + status.lifetime.miss_count;
    if status.new_window {
        let lookups = if status.hit_rate_samples == 1 { "lookup" } else { "lookups" };
        return format!("unknown (new window): {} {lookups} since it started", status.hit_rate_samples);
    }
    if status.hit_rate_samples == 0 {
        return format!("no lookups in the last {window}");
    }
    let cold = match status.cold_miss_count {
        0 => String::new(),
        1 => "; 1 cold miss".into(),
        n => format!("; {n} cold misses"),
    };
    format!(
        "{:.1}% of {} lookups in the last {window} ({:.1}% of {ever} ever){cold}",
        status.hit_rate_percentage, status.hit_rate_samples, status.lifetime.hit_rate_percentage
    )
}

/// The limit that evicts first, with its use.
fn evicts_first(status: &Status) -> String {
    if !status.readable {
        return "unknown".into();
    }
    let Some(limit) = status.limits.iter().find(|limit| limit.evicts) else { return "no limit is set".into() };
    let amount = |n: u64| if limit.unit == "bytes" { format_size(n) } else { format!("{n} entries") };
    format!("{}: {} of {} ({:.0}%)", limit.setting, amount(limit.used), amount(limit.limit), limit.share() * 100.0)
}

fn errors(status: &Status) -> String {
    let kinds: Vec<String> = status.errors_by_kind.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    match kinds.as_slice() {
        [] => status.error_count.to_string(),
        kinds => format!("{} ({})", status.error_count, kinds.join(", ")),
    }
}

fn breaker(status: &Status) -> String {
    let breaker = &status.circuit_breaker;
    let reads = side(&breaker.state, breaker.failure_count, breaker.last_failure_time.as_ref());
    let writes = &breaker.writes;
    match writes.failure_count {
        0 => reads,
        n => format!("{reads}; writes {}", side(&writes.state, n, writes.last_failure_time.as_ref())),
    }
}

fn side(state: &str, failures: u32, last: Option<&String>) -> String {
    let last = last.map(|at| format!(", last failure {at}")).unwrap_or_default();
    match failures {
        0 => state.to_owned(),
        1 => format!("{state} (1 failure{last})"),
        n => format!("{state} ({n} failures{last})"),
    }
}

fn health(status: &Status) -> String {
    if !status.issues.is_empty() {
        return format!("{} (awsideman cache health)", status.issues.join("; "));
    }
    if !status.warnings.is_empty() {
        return status.warnings.join("; ");
    }
    "healthy".into()
}

fn resource_table(page: TextReport, resources: &[ResourceReport], now: UnixMillis) -> TextReport {
    let row = |resource: &ResourceReport| {
        let reasons: Vec<String> =
            resource.misses_by_reason.iter().map(|(reason, n)| format!("{n} {reason}")).collect();
        let misses = if reasons.is_empty() {
            resource.misses.to_string()
        } else {
            format!("{} ({})", resource.misses, reasons.join(", "))
        };
        vec![
            resource.resource.clone(),
            resource.entries.to_string(),
            format_size(resource.bytes),
            resource.hits.to_string(),
            misses,
            resource.oldest.as_deref().and_then(moment).map(|at| times::ago(at, now)).unwrap_or_default(),
        ]
    };
    let page = page
        .table(&["Resource", "Entries", "Size", "Hits", "Misses", "Oldest"], resources.iter().map(row).collect())
        .title("Time to live");
    let ttls = resources.iter().flat_map(|resource| {
        resource.ttls.iter().map(|ttl| {
            vec![
                format!("{}:{}", resource.resource, ttl.operation),
                format_duration(Duration::from_secs(ttl.seconds)),
                ttl.key.clone(),
                ttl.origin.clone(),
            ]
        })
    });
    page.table(&["Operation", "TTL", "Key", "Origin"], ttls.collect())
}

fn recent_table(page: TextReport, recent: &[RecentEntry], now: UnixMillis) -> TextReport {
    let row = |entry: &RecentEntry| {
        let left = if entry.left_seconds < 0 {
            "expired".to_owned()
        } else {
            format_duration(Duration::from_secs(entry.left_seconds.unsigned_abs()))
        };
        vec![
            entry.key.clone(),
            times::ago(moment(&entry.used).unwrap_or_default(), now),
            format_duration(Duration::from_secs(entry.age_seconds.max(0).unsigned_abs())),
            left,
            format_size(entry.bytes),
            entry.source.clone(),
        ]
    };
    let rows: Vec<_> = recent.iter().map(row).collect();
    if rows.is_empty() {
        return page.line("  none");
    }
    page.table(&["Key", "Used", "Age", "Left", "Size", "Source"], rows)
}

fn memory_fields(page: TextReport, memory: &MemoryReport, lost: &[EvictionTotal]) -> TextReport {
    let gone: Vec<String> = lost.iter().map(|lost| format!("{} {}", lost.entries, lost.reason)).collect();
    let limit = match memory.limit_entries {
        0 => "none".to_owned(),
        n => n.to_string(),
    };
    page.field("Entries hold", format_size(memory.entry_bytes))
        .field("Index and log", format_size(memory.index_bytes))
        .field("This process", format_size(memory.process_rss_bytes))
        .field(
            "Limit",
            format!(
                "{}, down to {} ({})",
                format_size(memory.limit_bytes),
                format_size(memory.low_water_bytes),
                memory.limit_setting
            ),
        )
        .field("Limit on entries", limit)
        .field("Removed by sweeps", if gone.is_empty() { "nothing".to_owned() } else { gone.join(", ") })
}
