//! The health checks of figures: thresholds and recovery.
//!
//! Guarantee: one finding for each check, in the order of [`judge`]. A figure near its threshold does not flap,
//! because it recovers only past a second value.

use crate::config;
use crate::health::finding::{Finding, Level, finding, grade, ok, since};
use crate::health::inputs::Measurements;
use crate::health::inputs::mib;
use crate::health::states;
use crate::model::{format_duration, format_size};

/// The smallest warning threshold of the size, in MiB.
const SIZE_WARN_MB: f64 = 100.0;
/// The smallest critical threshold of the size, in MiB.
const SIZE_CRITICAL_MB: f64 = 200.0;
/// Points above the critical hit rate at which it has recovered.
const HIT_RATE_RECOVERY_POINTS: f64 = 2.0;
/// The share of the critical size at which it has recovered.
const SIZE_RECOVERY: f64 = 0.95;
/// The share of the critical error rate at which it has recovered.
const ERROR_RATE_RECOVERY: f64 = 0.8;
/// The multiple of the critical free space at which it has recovered.
const FREE_DISK_RECOVERY: f64 = 1.1;

/// The checks whose figures are in the state database.
const FROM_STATE: [&str; 6] = ["hit_rate", "error_rate", "jobs", "stuck_jobs", "aws", "throttles"];
/// The checks whose figures are in the cache database.
const FROM_STORE: [&str; 3] = ["size", "oldest", "limits"];

/// Judges every check. Keys, in this order: `hit_rate`, `size`, `error_rate`, `free_disk`, `oldest`, `breaker`,
/// `disabled`, `store`, `directories`, `login`, `jobs`, `switch`, `state`, `job_files`, `notifiers`, `clock`,
/// `aws`, `throttles`, `limits`, then `job:NAME` for each job that has run.
pub fn judge(found: &Measurements, health: &config::HealthConfig) -> Vec<Finding> {
    let mut findings = vec![
        hit_rate(found, health),
        size(found, health),
        error_rate(found, health),
        free_disk(found, health),
        oldest(found, health),
        states::breaker(found),
        states::disabled(found, health),
        states::store(found),
        states::directories(found),
        states::login(found, health),
        states::jobs(found),
        states::stuck_jobs(found),
        states::switch(found),
        states::state(found),
        states::job_files(found),
        states::notifiers(found),
        states::clock(found),
        states::aws(found),
        ok("throttles", throttled(found.throttles)),
        ok("limits", if found.limit_uses.is_empty() { "none".into() } else { found.limit_uses.join("; ") }),
    ];
    findings.extend(states::runs(found));
    for finding in findings.iter_mut().filter(|finding| finding.level == Level::Ok) {
        if let Some(reason) = unread(found, &finding.key) {
            *finding = Finding { recovered: false, ..ok(&finding.key, format!("unknown: {reason}")) };
        }
    }
    findings
}

/// The reason why the input of a check could not be read: its figure would be that of an empty database.
fn unread(found: &Measurements, key: &str) -> Option<&'static str> {
    if let Some(problem) = found.state_problem.as_deref().filter(|_| FROM_STATE.contains(&key)) {
        return Some(if is_damage(problem) { "state.db is damaged" } else { "state.db cannot be read" });
    }
    // An encrypted store without its key can still be counted.
    let problem = found.store_problem.as_deref().filter(|problem| !problem.starts_with("the encryption key"));
    let problem = problem.filter(|_| FROM_STORE.contains(&key))?;
    Some(if is_damage(problem) { "the cache database is damaged" } else { "the cache database cannot be read" })
}

fn is_damage(problem: &str) -> bool {
    ["damaged", "malformed", "not a database"].iter().any(|word| problem.contains(word))
}

fn throttled(calls: u64) -> String {
    let s = if calls == 1 { "" } else { "s" };
    format!("{calls} call{s} throttled by AWS in the last hour")
}

/// The thresholds of the size, in MiB.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct SizeLimits {
    /// Warn above this.
    pub warn: f64,
    /// Critical above this.
    pub critical: f64,
}

impl SizeLimits {
    /// The configured values. By default the larger of 100 and 200 MiB, and of 90 and 100 % of the cache's limit, so
    /// that a cache at its limit raises no alert.
    pub fn of(health: &config::HealthConfig, limit_bytes: u64) -> SizeLimits {
        let limit = mib(limit_bytes);
        SizeLimits {
            warn: health.size_mb_warn.unwrap_or(SIZE_WARN_MB.max(limit * 0.9)),
            critical: health.size_mb_critical.unwrap_or(SIZE_CRITICAL_MB.max(limit)),
        }
    }
}

fn hit_rate(found: &Measurements, health: &config::HealthConfig) -> Finding {
    let (samples, judged) = (found.samples(), found.judged_samples());
    let unit = if samples == 1 { "sample" } else { "samples" };
    let recovery = health.hit_rate_recovered.unwrap_or(health.hit_rate_critical + HIT_RATE_RECOVERY_POINTS);
    if found.disabled.is_some() {
        // Unknown: a firing alert is evaluated again once the cache is enabled.
        return Finding { recovered: false, ..ok("hit_rate", "not judged while the cache is disabled".into()) };
    }
    let cold = match found.window_cold_misses {
        0 => String::new(),
        1 => " (1 cold miss not judged)".to_owned(),
        n => format!(" ({n} cold misses not judged)"),
    };
    if found.window_is_new && judged < health.min_samples {
        // An earlier alert does not apply to the new cache.
        let message = format!("unknown (new window): {samples} {unit}{cold}, fewer than {}", health.min_samples);
        return ok("hit_rate", message);
    }
    let Some(rate) = found.hit_rate() else {
        return ok("hit_rate", format!("0 samples, fewer than {}", health.min_samples));
    };
    let figure = format!("{rate:.1}% over {samples} {unit}");
    let rate = found.judged_hit_rate();
    let recovered = rate.is_none_or(|rate| rate >= recovery);
    let Some(rate) = rate.filter(|_| judged >= health.min_samples) else {
        let message = format!("{figure}{cold}, fewer than {}", health.min_samples);
        return Finding { recovered, ..ok("hit_rate", message) };
    };
    let level = grade(rate < health.hit_rate_critical, rate < health.hit_rate_warn);
    let words = format!("Low cache hit rate: {rate:.1}%{cold}");
    let figure = format!("{figure} in {}{cold}", format_duration(found.window));
    finding("hit_rate", level, words, figure, "awsideman cache status --detailed", recovered)
}

fn size(found: &Measurements, health: &config::HealthConfig) -> Finding {
    let limits = SizeLimits::of(health, found.limit_bytes);
    let held = mib(found.held_bytes);
    let level = grade(held > limits.critical, held > limits.warn);
    let limit = if found.limit_bytes == 0 { "no limit".into() } else { format_size(found.limit_bytes) };
    let figure = format!("{} in {} entries, limit {limit}", format_size(found.held_bytes), found.entries);
    let recovered = held <= health.size_mb_recovered.unwrap_or(limits.critical * SIZE_RECOVERY);
    let words = format!("High memory usage: {held:.1}MB");
    finding("size", level, words, figure, "awsideman cache enforce-limits", recovered)
}

fn error_rate(found: &Measurements, health: &config::HealthConfig) -> Finding {
    let samples = found.samples().max(found.window_errors);
    let rate = found.error_rate().unwrap_or(0.0);
    let recovered = rate <= health.error_rate_recovered.unwrap_or(health.error_rate_critical * ERROR_RATE_RECOVERY);
    if samples < health.min_samples {
        let message = format!("{} errors in {samples} samples, fewer than {}", found.window_errors, health.min_samples);
        return Finding { recovered, ..ok("error_rate", message) };
    }
    let level = grade(rate > health.error_rate_critical, false);
    let kinds: Vec<String> = found.window_errors_by_kind.iter().map(|(kind, n)| format!("{n} {kind}")).collect();
    let kinds = if kinds.is_empty() { String::new() } else { format!(" ({})", kinds.join(", ")) };
    let figure = format!("{rate:.1}% over {samples} samples in {}{kinds}", format_duration(found.window));
    finding("error_rate", level, format!("High error rate: {rate:.1}%"), figure, "awsideman cache test", recovered)
}

fn free_disk(found: &Measurements, health: &config::HealthConfig) -> Finding {
    let Some(bytes) = found.free_disk_bytes else {
        return ok("free_disk", "free space is not known".into());
    };
    let free = mib(bytes);
    let level = grade(free < health.free_disk_mb_critical, free < health.free_disk_mb_warn);
    let figure = match found.total_disk_bytes {
        Some(total) => format!("{} of {} free", format_size(bytes), format_size(total)),
        None => format!("{} free", format_size(bytes)),
    };
    let words = format!("Low disk space: {figure} on the disk of {}", found.free_disk_path.display());
    let recovered = free >= health.free_disk_mb_recovered.unwrap_or(health.free_disk_mb_critical * FREE_DISK_RECOVERY);
    finding("free_disk", level, words, figure, "awsideman cache enforce-limits", recovered)
}

fn oldest(found: &Measurements, health: &config::HealthConfig) -> Finding {
    let Some(stored_at) = found.oldest_stored_at else {
        return ok("oldest", "no entries".into());
    };
    let age = since(stored_at, found.now);
    let level = grade(false, !health.oldest_warn.is_zero() && age > health.oldest_warn);
    let words = format!("Old entries: the oldest is {} old", format_duration(age));
    finding("oldest", level, words, format_duration(age), "awsideman cache cleanup", level == Level::Ok)
}
