//! The status document: what `cache status` prints and scripts read.
//!
//! The names in the JSON form stay and only grow; a number is never null; asking does not move the statistics.

use crate::app::core::App;
use crate::app::health_inputs::Measured;
use crate::app::limits::{CacheLimits, LimitUse};
use crate::app::usage::{CacheUsage, RecentEntry, ResourceReport, SpaceReport};
use crate::clock::{self};
use crate::host;
use crate::store::{EvictionTotal, Swept};
use serde::Serialize;
use std::collections::BTreeMap;

/// The version of the document.
const SCHEMA_VERSION: u32 = 1;

/// The parts of the status to add to the summary.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Detail {
    /// Figures for each resource and space.
    pub resources: bool,
    /// This many entries, the last used first.
    pub recent: Option<usize>,
    /// Where the bytes are.
    pub memory: bool,
}

/// The status of the cache.
#[derive(Debug, Clone, Serialize)]
#[expect(clippy::struct_excessive_bools, reason = "independent facts of one document")]
pub struct Status {
    /// The version of this document.
    pub schema_version: u32,
    /// Whether entries may answer.
    pub enabled: bool,
    /// `disk` or `memory`.
    pub backend: String,
    /// The cache directory.
    pub directory: String,
    /// When it is enabled again by itself (RFC 3339); null when it is enabled or has no end.
    pub disabled_until: Option<String>,
    /// Why it is disabled.
    pub disabled_reason: Option<String>,
    /// Who disabled it: `user@host`, or where it is configured.
    pub disabled_by: Option<String>,
    /// Hits in percent of lookups within the window; 100 when there were none.
    pub hit_rate_percentage: f64,
    /// How many lookups that is.
    pub hit_rate_samples: u64,
    /// The window in seconds.
    pub window_seconds: u64,
    /// Hits within the window.
    pub hit_count: u64,
    /// Misses within the window.
    pub miss_count: u64,
    /// The misses among them of keys that no command had asked for before; health does not judge them.
    pub cold_miss_count: u64,
    /// Lookups within the window at which the cache failed.
    pub error_count: u64,
    /// The same by kind: `breaker_open`, `damaged`, `busy`, `disk_full`, `key`, `permission`, `other`.
    pub errors_by_kind: BTreeMap<&'static str, u64>,
    /// Whether a recovery or a clear restarted the window and it has fewer lookups besides cold misses than
    /// `health.min_samples`: then the hit rate is unknown.
    pub new_window: bool,
    /// The same since the statistics began.
    pub lifetime: Lifetime,
    /// Whether the cache database could be read; otherwise the counts and sizes of entries are 0 and unknown.
    pub readable: bool,
    /// Why it could not be read.
    pub error: Option<String>,
    /// Whether the state database could be read; otherwise lookups, errors and throttled calls are unknown.
    pub statistics_readable: bool,
    /// Entries.
    pub total_entries: u64,
    /// What the entries hold, in MiB.
    pub memory_usage_mb: f64,
    /// The limit on that, in MiB.
    pub max_size_mb: f64,
    /// Size on disk in bytes, including metadata and log.
    pub size_bytes: u64,
    /// Every limit on size and number of entries, with its use and which one evicts first.
    pub limits: Vec<LimitUse>,
    /// Calls that AWS throttled within the last hour.
    pub throttled_last_hour: u64,
    /// The breaker.
    pub circuit_breaker: CircuitBreaker,
    /// Whether no check is critical.
    pub healthy: bool,
    /// What is critical.
    pub issues: Vec<String>,
    /// What is worth a look.
    pub warnings: Vec<String>,
    /// Further notices for people.
    pub notices: Vec<String>,
    /// What left the cache without being asked to since it began, by reason.
    pub evictions: Vec<EvictionTotal>,
    /// What `--enforce-limits` removed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub removed: Option<Swept>,
    /// By resource, with `--detailed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resources: Option<Vec<ResourceReport>>,
    /// Entries by space, with `--detailed`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub spaces: Option<Vec<SpaceReport>>,
    /// With `--recent-entries`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub recent_entries: Option<Vec<RecentEntry>>,
    /// With `--memory-details`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory: Option<MemoryReport>,
}

/// Lookups since the statistics began.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Lifetime {
    /// Hits in percent; 100 when there were no lookups.
    pub hit_rate_percentage: f64,
    /// Hits.
    pub hit_count: u64,
    /// Misses.
    pub miss_count: u64,
    /// Faults.
    pub error_count: u64,
}

/// The breaker, in its literal words.
#[derive(Debug, Clone, Serialize)]
pub struct CircuitBreaker {
    /// `CLOSED`, `OPEN`, `HALF_OPEN`.
    pub state: String,
    /// Failures in a row.
    pub failure_count: u32,
    /// When the last one was (RFC 3339); null when there was none.
    pub last_failure_time: Option<String>,
    /// The same of what stores: while it alone is OPEN, answers are served and nothing new is stored.
    pub writes: CircuitBreakerWrites,
}

/// The side of the breaker that stores.
#[derive(Debug, Clone, Serialize)]
pub struct CircuitBreakerWrites {
    /// `CLOSED`, `OPEN`, `HALF_OPEN`.
    pub state: String,
    /// Failures in a row; one that timed out after `cache.busy_timeout` is enough to open it.
    pub failure_count: u32,
    /// When the last one was (RFC 3339); null when there was none.
    pub last_failure_time: Option<String>,
}

/// Where the bytes are.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct MemoryReport {
    /// What the entries hold.
    pub entry_bytes: u64,
    /// Metadata, indexes, free pages and log.
    pub index_bytes: u64,
    /// The memory of this process; 0 when the host does not tell.
    pub process_rss_bytes: u64,
    /// The most bytes that entries may hold: the smallest of the limits that are configured.
    pub limit_bytes: u64,
    /// The setting that it comes from.
    pub limit_setting: &'static str,
    /// What a cleanup goes down to.
    pub low_water_bytes: u64,
    /// `cache.max_entries`; 0 is no limit.
    pub limit_entries: u64,
}

/// Makes the status document.
pub struct StatusReader<'a> {
    app: &'a App,
}

impl<'a> StatusReader<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> StatusReader<'a> {
        StatusReader { app }
    }

    /// The status, from what was measured and (for details) one more look at the store. It answers whatever is broken;
    /// what could not be looked at is among the notices.
    pub fn status(&self, measured: &Measured, detail: Detail, removed: Option<Swept>) -> Status {
        let found = &measured.measurements;
        let (window, disabled) = (&measured.window, found.disabled.as_ref());
        let mut status = Status {
            schema_version: SCHEMA_VERSION,
            enabled: disabled.is_none(),
            backend: if self.app.is_memory() { "memory" } else { "disk" }.to_owned(),
            directory: self.app.cache_dir().display().to_string(),
            disabled_until: disabled.and_then(|disabled| disabled.until).map(clock::utc_exact),
            disabled_reason: disabled.and_then(|disabled| disabled.reason.clone()),
            disabled_by: disabled
                .and_then(|_| self.app.disabled())
                .map(|disabled| disabled.by)
                .filter(|by| !by.is_empty()),
            hit_rate_percentage: round(window.hit_rate_percentage()),
            hit_rate_samples: window.samples(),
            window_seconds: found.window.as_secs(),
            hit_count: window.hits(),
            miss_count: window.misses(),
            cold_miss_count: found.window_cold_misses,
            error_count: window.errors(),
            errors_by_kind: window.errors_by_kind(),
            new_window: found.window_is_new && found.judged_samples() < self.app.config().health.min_samples,
            lifetime: Lifetime {
                hit_rate_percentage: round(measured.lifetime.hit_rate_percentage()),
                hit_count: measured.lifetime.hits(),
                miss_count: measured.lifetime.misses(),
                error_count: measured.lifetime.errors(),
            },
            readable: measured.unread.is_none(),
            error: measured.unread.clone(),
            statistics_readable: found.state_problem.is_none(),
            total_entries: measured.size.entries,
            memory_usage_mb: megabytes(measured.size.held),
            max_size_mb: self.app.config().cache.max_size_mb,
            size_bytes: measured.size.held + measured.size.index,
            limits: measured.limits.clone(),
            throttled_last_hour: found.throttles,
            circuit_breaker: CircuitBreaker {
                state: found.breaker.state.clone(),
                failure_count: found.breaker.failure_count,
                last_failure_time: found.breaker.last_failure_time.map(clock::utc_exact),
                writes: CircuitBreakerWrites {
                    state: found.breaker.writes.state.clone(),
                    failure_count: found.breaker.writes.failure_count,
                    last_failure_time: found.breaker.writes.last_failure_time.map(clock::utc_exact),
                },
            },
            healthy: measured.health.healthy,
            issues: measured.health.issues.clone(),
            warnings: measured.health.warnings.clone(),
            notices: measured.notices.clone(),
            evictions: self.evictions(),
            removed,
            resources: None,
            spaces: None,
            recent_entries: None,
            memory: None,
        };
        if detail.resources {
            let (resources, spaces) = CacheUsage::new(self.app).by_resource(window).unwrap_or_else(|error| {
                status.notices.push(format!("the details could not be read: {error}"));
                Default::default()
            });
            status.resources = Some(resources);
            status.spaces = Some(spaces);
        }
        if let Some(n) = detail.recent {
            status.recent_entries = Some(CacheUsage::new(self.app).recent(n).unwrap_or_else(|error| {
                status.notices.push(format!("the entries could not be read: {error}"));
                Vec::new()
            }));
        }
        if detail.memory {
            status.memory = Some(self.memory(measured));
        }
        status
    }

    /// What sweeps have removed; nothing when the store cannot be looked at, which the notices say.
    fn evictions(&self) -> Vec<EvictionTotal> {
        match self.app.stores.disk() {
            Some(breaker) => breaker.inner().lost().unwrap_or_default(),
            None => Vec::new(),
        }
    }

    fn memory(&self, measured: &Measured) -> MemoryReport {
        let bounds = CacheLimits::new(self.app).bounds();
        MemoryReport {
            entry_bytes: measured.size.held,
            index_bytes: measured.size.index,
            process_rss_bytes: host::own_memory().unwrap_or(0),
            limit_bytes: bounds.bytes,
            limit_setting: bounds.setting,
            low_water_bytes: bounds.low_bytes,
            limit_entries: bounds.entries,
        }
    }
}

#[expect(clippy::cast_precision_loss, reason = "two decimals are kept")]
fn megabytes(bytes: u64) -> f64 {
    (bytes as f64 / 1024.0 / 1024.0 * 100.0).round() / 100.0
}

fn round(percentage: f64) -> f64 {
    (percentage * 10.0).round() / 10.0
}
