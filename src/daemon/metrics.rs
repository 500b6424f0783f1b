//! The overview as Prometheus metrics.
//!
//! Guarantee: every name starts with `awsideman_` and is in [`NAMES`]. A counter only grows. Labels are jobs,
//! profiles, resources, operations and fixed words, never a person.

use crate::app::Overview;
use crate::daemon::status::DaemonStatus;
use crate::gateway::{Api, api_of};
use crate::health::Level;
use crate::jobs::RunOutcome;
use crate::state;
use crate::store::REASONS;
use prometheus::core::Collector;
use prometheus::{GaugeVec, IntCounterVec, IntGaugeVec, Opts, Registry, TextEncoder};

/// A metric family: name and help.
type Family = (&'static str, &'static str);

const BUILD: Family = ("awsideman_build_info", "1, with the version of awsideman.");
const GATHERED: Family = ("awsideman_gathered_timestamp_seconds", "When these metrics were collected.");
const HITS: Family = ("awsideman_cache_hits_total", "Command lookups that were cache hits.");
const MISSES: Family = ("awsideman_cache_misses_total", "Command lookups that were cache misses, by reason.");
const ERRORS: Family = ("awsideman_cache_errors_total", "Command lookups at which the cache failed, by kind of error.");
const RATIO: Family = (
    "awsideman_cache_hit_ratio",
    "Hits of lookups within health.window, 0 to 1; 1 without any. See awsideman_cache_hit_ratio_samples.",
);
const SAMPLES: Family = ("awsideman_cache_hit_ratio_samples", "Lookups within health.window.");
const ENTRIES: Family = ("awsideman_cache_entries", "Entries.");
const BYTES: Family = ("awsideman_cache_bytes", "Size of all entries in bytes.");
const OLDEST: Family = ("awsideman_cache_oldest_entry_timestamp_seconds", "When the oldest entry was stored.");
const DISK: Family = ("awsideman_cache_disk_bytes", "Size on disk in bytes, including metadata and log.");
const LIMIT: Family = ("awsideman_cache_limit_bytes", "Limit of the size of all entries in bytes; 0 is no limit.");
const LIMIT_USE: Family =
    ("awsideman_cache_limit_use_ratio", "Use of each configured limit, by setting; 1 is the limit.");
const LIMIT_EVICTS: Family =
    ("awsideman_cache_limit_evicts_first", "1 for the limit that evicts first, 0 for other configured limits.");
const EVICTIONS: Family =
    ("awsideman_cache_evictions_total", "Entries that sweeps removed since this cache was created, by reason.");
const DISABLED: Family = ("awsideman_cache_disabled", "1 while the cache is disabled.");
const BREAKER_WRITES: Family = (
    "awsideman_cache_breaker_writes_state",
    "State of the circuit breaker of writes: OPEN serves cached entries and stores nothing.",
);
const BREAKER: Family = ("awsideman_cache_breaker_state", "1 for the current state of the circuit breaker.");
const CHECK: Family = ("awsideman_health_check_level", "The level of each check: 0 ok, 1 warn, 2 critical.");
const CALLS: Family = ("awsideman_aws_calls_total", "Calls to AWS, retries included, by API and operation.");
const THROTTLES: Family = ("awsideman_aws_throttles_total", "Calls that AWS throttled.");
const THROTTLES_HOUR: Family = ("awsideman_aws_throttles_last_hour", "Calls that AWS throttled within the last hour.");
const RUNS: Family = ("awsideman_job_runs_total", "Runs, skips and misses of jobs, by outcome.");
const SECONDS: Family = ("awsideman_job_run_seconds_total", "Total duration of runs, by outcome.");
const JOB_CALLS: Family = ("awsideman_job_aws_calls_total", "Calls to AWS by runs.");
const SUCCESS: Family = (
    "awsideman_job_last_success_timestamp_seconds",
    "Start of the last run with the outcome done; a partial run does not count.",
);
const COMPLETE: Family = ("awsideman_job_last_complete_timestamp_seconds", "End of the last run that lost no target.");
const PARTIAL: Family = ("awsideman_job_partial_runs", "Consecutive runs that lost a target; 0 after a complete run.");
const LAST: Family = ("awsideman_job_last_run_timestamp_seconds", "When a run last started or was skipped.");
const DURATION: Family = ("awsideman_job_last_duration_seconds", "Duration of the last finished run.");
const NEXT: Family =
    ("awsideman_job_next_due_timestamp_seconds", "When the job is next due; in the past if it is due now.");
const RUNNING: Family = ("awsideman_job_running", "1 while the job runs.");
const ENABLED: Family = ("awsideman_job_enabled", "1 if the job is enabled.");
const PAUSED: Family = ("awsideman_job_paused", "1 while the job is paused.");
const ALERTS: Family = ("awsideman_alerts", "Alerts by state; an alert that another one causes is inhibited.");
const ALERT: Family = ("awsideman_alert_firing", "1 for each firing alert that is neither silenced nor inhibited.");
const MAILS: Family = ("awsideman_mails_waiting", "Alert messages that wait for delivery.");
const START: Family = ("awsideman_daemon_start_timestamp_seconds", "When the daemon started.");
const PASSES: Family = ("awsideman_daemon_passes_total", "Passes of the daemon.");
const RELOAD: Family = ("awsideman_daemon_reload_success", "0 while the configuration on disk is not the one in use.");

/// Every metric with its help.
pub const NAMES: [Family; 40] = [
    BUILD,
    GATHERED,
    HITS,
    MISSES,
    ERRORS,
    RATIO,
    SAMPLES,
    ENTRIES,
    BYTES,
    OLDEST,
    DISK,
    LIMIT,
    LIMIT_USE,
    LIMIT_EVICTS,
    EVICTIONS,
    DISABLED,
    BREAKER,
    BREAKER_WRITES,
    CHECK,
    CALLS,
    THROTTLES,
    THROTTLES_HOUR,
    RUNS,
    SECONDS,
    JOB_CALLS,
    SUCCESS,
    COMPLETE,
    PARTIAL,
    LAST,
    DURATION,
    NEXT,
    RUNNING,
    ENABLED,
    PAUSED,
    ALERTS,
    ALERT,
    MAILS,
    START,
    PASSES,
    RELOAD,
];

/// The media type of the text.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// The overview as text; with the status of the daemon that serves it.
pub fn text(overview: &Overview, standing: Option<&DaemonStatus>) -> Result<String, prometheus::Error> {
    let sheet = MetricFamilies(Registry::new());
    sheet.whole(BUILD, &["version"], [([overview.version], 1)])?;
    sheet.gauge(GATHERED, &[], [([], seconds(overview.now))])?;
    cache(&sheet, overview)?;
    calls(&sheet, overview)?;
    jobs(&sheet, overview)?;
    alerts(&sheet, overview)?;
    if let Some(standing) = standing {
        sheet.gauge(START, &[], [([], seconds(standing.started_at))])?;
        sheet.counter(PASSES, &[], [([], standing.passes)])?;
        sheet.whole(
            RELOAD,
            &[],
            [([], u64::from(standing.refused.is_none() && standing.broken_job_files.is_empty()))],
        )?;
    }
    TextEncoder::new().encode_to_string(&sheet.0.gather())
}

fn cache(sheet: &MetricFamilies, overview: &Overview) -> Result<(), prometheus::Error> {
    let status = &overview.status;
    let lookups = |wanted: fn(state::LookupOutcome) -> bool| overview.lookups.iter().filter(move |l| wanted(l.outcome));
    let by_resource = |wanted| lookups(wanted).map(|l| ([l.resource.as_str()], l.count));
    sheet.counter(HITS, &["resource"], by_resource(|outcome| outcome == state::LookupOutcome::Hit))?;
    let misses = lookups(state::LookupOutcome::is_miss).map(|l| ([l.resource.as_str(), l.outcome.as_str()], l.count));
    sheet.counter(MISSES, &["resource", "reason"], misses)?;
    let errors = lookups(state::LookupOutcome::is_error)
        .filter_map(|l| Some(([l.resource.as_str(), l.outcome.error_kind()?], l.count)));
    sheet.counter(ERRORS, &["resource", "kind"], errors)?;
    sheet.gauge(RATIO, &[], [([], ratio(status.hit_count, status.hit_rate_samples))])?;
    sheet.whole(SAMPLES, &[], [([], status.hit_rate_samples)])?;
    let resources = || status.resources.iter().flatten();
    sheet.whole(ENTRIES, &["resource"], resources().map(|r| ([r.resource.as_str()], r.entries)))?;
    sheet.whole(BYTES, &["resource"], resources().map(|r| ([r.resource.as_str()], r.bytes)))?;
    let oldest = resources().filter_map(|r| Some(([r.resource.as_str()], seconds(r.oldest_at?))));
    sheet.gauge(OLDEST, &["resource"], oldest)?;
    sheet.whole(DISK, &[], [([], status.size_bytes)])?;
    sheet.whole(LIMIT, &[], [([], overview.limits.max_bytes)])?;
    let limits = || status.limits.iter().filter(|limit| limit.limit > 0);
    sheet.gauge(LIMIT_USE, &["setting"], limits().map(|limit| ([limit.setting], limit.share())))?;
    sheet.whole(LIMIT_EVICTS, &["setting"], limits().map(|limit| ([limit.setting], u64::from(limit.evicts))))?;
    let lost = REASONS.map(|reason| {
        let count = status.evictions.iter().find(|lost| lost.reason == reason).map_or(0, |lost| lost.entries);
        ([reason], count)
    });
    sheet.counter(EVICTIONS, &["reason"], lost)?;
    sheet.whole(DISABLED, &[], [([], u64::from(!status.enabled))])?;
    let breaker = &status.circuit_breaker;
    for (family, found) in [(BREAKER, &breaker.state), (BREAKER_WRITES, &breaker.writes.state)] {
        let states = ["CLOSED", "HALF_OPEN", "OPEN"].map(|state| ([state], u64::from(state == found)));
        sheet.whole(family, &["state"], states)?;
    }
    let level = |level| match level {
        Level::Ok => 0,
        Level::Warn => 1,
        Level::Critical => 2,
    };
    sheet.whole(CHECK, &["check"], overview.checks.iter().map(|check| ([check.key.as_str()], level(check.level))))
}

#[expect(clippy::cast_precision_loss, reason = "a ratio")]
fn ratio(part: u64, whole: u64) -> f64 {
    if whole == 0 { 1.0 } else { part as f64 / whole as f64 }
}

fn calls(sheet: &MetricFamilies, overview: &Overview) -> Result<(), prometheus::Error> {
    let calls = overview.calls.by_operation.iter().map(|(operation, n)| {
        let api = match api_of(operation) {
            Api::IdentityStore => "identitystore",
            Api::SsoAdmin => "sso-admin",
            Api::Organizations => "organizations",
            Api::Sts => "sts",
        };
        ([api, operation.split_once('.').map_or(operation.as_str(), |(_, name)| name)], *n)
    });
    sheet.counter(CALLS, &["api", "operation"], calls)?;
    sheet.counter(THROTTLES, &[], [([], overview.calls.throttled)])?;
    sheet.whole(THROTTLES_HOUR, &[], [([], overview.status.throttled_last_hour)])
}

fn jobs(sheet: &MetricFamilies, overview: &Overview) -> Result<(), prometheus::Error> {
    let labels = ["job", "profile", "outcome"];
    // A job's failures start at 0: a rate needs a first value.
    let zero = overview.jobs.iter().flat_map(|job| {
        RunOutcome::ALL
            .map(|outcome| ([job.job.as_str(), job.profile.as_deref().unwrap_or_default(), outcome.as_str()], 0))
    });
    let totals = || overview.run_totals.iter();
    let counted = totals().map(|t| ([t.job.as_str(), t.profile.as_str(), t.outcome.as_str()], t.runs));
    sheet.counter(RUNS, &labels, zero.chain(counted))?;
    #[expect(clippy::cast_precision_loss, reason = "seconds with a fraction")]
    let took = totals().map(|t| ([t.job.as_str(), t.profile.as_str(), t.outcome.as_str()], t.took_ms as f64 / 1000.0));
    sheet.sum(SECONDS, &labels, took)?;
    let calls = totals().map(|t| ([t.job.as_str(), t.profile.as_str()], t.calls));
    sheet.counter(JOB_CALLS, &labels[..2], calls)?;
    let each = || overview.jobs.iter().map(|job| (job, [job.job.as_str(), job.profile.as_deref().unwrap_or_default()]));
    let times = |sheet: &MetricFamilies, family, of: fn(&crate::jobs::JobRow) -> Option<i64>| {
        sheet.gauge(family, &labels[..2], each().filter_map(|(job, names)| Some((names, seconds(of(job)?)))))
    };
    times(sheet, SUCCESS, |job| job.last_success)?;
    times(sheet, COMPLETE, |job| job.last_complete)?;
    times(sheet, LAST, |job| job.last_at)?;
    times(sheet, NEXT, |job| job.next_due)?;
    let last = each().filter_map(|(job, names)| {
        let profile = job.profile.as_deref().unwrap_or_default();
        let run = overview
            .runs
            .iter()
            .find(|run| run.job == job.job && run.profile == profile && run.outcome.is_some_and(|o| !passed_over(o)))?;
        #[expect(clippy::cast_precision_loss, reason = "seconds with a fraction")]
        let took = run.took_ms as f64 / 1000.0;
        Some((names, took))
    });
    sheet.gauge(DURATION, &labels[..2], last)?;
    sheet.whole(PARTIAL, &labels[..2], each().map(|(job, names)| (names, u64::from(job.partial_runs))))?;
    let flags = |sheet: &MetricFamilies, family, of: fn(&crate::jobs::JobRow) -> bool| {
        sheet.whole(family, &labels[..2], each().map(|(job, names)| (names, u64::from(of(job)))))
    };
    flags(sheet, RUNNING, |job| job.running.is_some())?;
    flags(sheet, ENABLED, |job| job.enabled)?;
    flags(sheet, PAUSED, |job| job.paused.is_some())
}

fn passed_over(outcome: RunOutcome) -> bool {
    matches!(outcome, RunOutcome::Skipped | RunOutcome::Missed)
}

fn alerts(sheet: &MetricFamilies, overview: &Overview) -> Result<(), prometheus::Error> {
    let states = ["firing", "pending", "silenced", "inhibited"];
    let count = |state| overview.alerts.iter().filter(|alert| alert.state == state).count() as u64;
    sheet.whole(ALERTS, &["state"], states.map(|state| ([state], count(state))))?;
    let firing = overview.alerts.iter().filter(|alert| alert.state == "firing");
    sheet.whole(ALERT, &["key"], firing.map(|alert| ([alert.key.as_str()], 1)))?;
    sheet.whole(MAILS, &[], [([], overview.mails_waiting)])
}

/// Families that are filled once and then written.
struct MetricFamilies(Registry);

impl MetricFamilies {
    fn counter<'a, const N: usize>(
        &self,
        (name, help): Family,
        labels: &[&str],
        values: impl IntoIterator<Item = ([&'a str; N], u64)>,
    ) -> Result<(), prometheus::Error> {
        let family = IntCounterVec::new(Opts::new(name, help), labels)?;
        for (names, n) in values {
            family.get_metric_with_label_values(&names)?.inc_by(n);
        }
        self.add(family)
    }

    fn sum<'a, const N: usize>(
        &self,
        (name, help): Family,
        labels: &[&str],
        values: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) -> Result<(), prometheus::Error> {
        let family = prometheus::CounterVec::new(Opts::new(name, help), labels)?;
        for (names, n) in values {
            family.get_metric_with_label_values(&names)?.inc_by(n);
        }
        self.add(family)
    }

    fn whole<'a, const N: usize>(
        &self,
        (name, help): Family,
        labels: &[&str],
        values: impl IntoIterator<Item = ([&'a str; N], u64)>,
    ) -> Result<(), prometheus::Error> {
        let family = IntGaugeVec::new(Opts::new(name, help), labels)?;
        for (names, n) in values {
            family.get_metric_with_label_values(&names)?.set(i64::try_from(n).unwrap_or(i64::MAX));
        }
        self.add(family)
    }

    fn gauge<'a, const N: usize>(
        &self,
        (name, help): Family,
        labels: &[&str],
        values: impl IntoIterator<Item = ([&'a str; N], f64)>,
    ) -> Result<(), prometheus::Error> {
        let family = GaugeVec::new(Opts::new(name, help), labels)?;
        for (names, n) in values {
            family.get_metric_with_label_values(&names)?.set(n);
        }
        self.add(family)
    }

    fn add(&self, family: impl Collector + 'static) -> Result<(), prometheus::Error> {
        self.0.register(Box::new(family))
    }
}

#[expect(clippy::cast_precision_loss, reason = "milliseconds since 1970 fit")]
fn seconds(at: i64) -> f64 {
    at as f64 / 1000.0
}
