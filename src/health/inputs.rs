//! The input of the health checks: plain values, read by the caller.

use crate::clock::UnixMillis;
use crate::health::finding::Level;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The figures of the checks. Rates count only reads by commands: warms and reads around the cache do not count.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurements {
    /// Command reads that were hits within the window.
    pub window_hits: u64,
    /// Command reads that were misses within the window.
    pub window_misses: u64,
    /// Command reads at which the cache failed within the window.
    pub window_errors: u64,
    /// The same, by kind.
    pub window_errors_by_kind: BTreeMap<&'static str, u64>,
    /// Cold misses within the window: misses of keys that no command had requested before. The hit rate does not
    /// count them.
    pub window_cold_misses: u64,
    /// The length of the window.
    pub window: Duration,
    /// Whether a recovery or a clear restarted the counts within the window.
    pub window_is_new: bool,
    /// The size of all entries in bytes.
    pub held_bytes: u64,
    /// The limit of the size in bytes; 0 is no limit.
    pub limit_bytes: u64,
    /// The number of entries.
    pub entries: u64,
    /// When the oldest entry was stored; `None` without entries.
    pub oldest_stored_at: Option<UnixMillis>,
    /// Free bytes on the fuller disk of cache and state; `None` if unknown.
    pub free_disk_bytes: Option<u64>,
    /// The size of that disk in bytes.
    pub total_disk_bytes: Option<u64>,
    /// The directory on it.
    pub free_disk_path: PathBuf,
    /// Set if the cache is disabled.
    pub disabled: Option<DisabledCache>,
    /// The circuit breaker.
    pub breaker: BreakerReading,
    /// The reason why the cache cannot be opened or read.
    pub store_problem: Option<String>,
    /// A key that is not available, and the number of entries under such keys.
    pub foreign: Option<(String, u64)>,
    /// The cache directory and the state directory.
    pub directories: Vec<DirectoryReading>,
    /// The reason why the kill switch cannot be read.
    pub switch_problem: Option<String>,
    /// The reason why the state database cannot be read.
    pub state_problem: Option<String>,
    /// The newest quarantined state database, if it still exists.
    pub state_set_aside: Option<String>,
    /// The job files.
    pub job_files: JobFilesReading,
    /// Enabled notifiers that cannot be used, one sentence each.
    pub notifier_problems: Vec<String>,
    /// Fences that were recorded while the clock was ahead and still keep answers out of the cache.
    pub fences_ahead: u64,
    /// Calls that AWS throttled within the last hour.
    pub throttles: u64,
    /// The limits of the size, each as one phrase with its use.
    pub limit_uses: Vec<String>,
    /// The last contact with AWS, if it failed.
    pub aws: Option<AwsReading>,
    /// The last outcome of each job; empty for the job runner.
    pub job_runs: Vec<JobRunReading>,
    /// The login to AWS, if its expiry is known.
    pub login: Option<LoginReading>,
    /// Overdue jobs, one sentence each; `None` for the job runner itself.
    pub late_jobs: Option<Vec<String>>,
    /// Runs past their timeout: one sentence and the command that ends the run.
    pub stuck_jobs: Vec<(String, String)>,
    /// The time of the readings.
    pub now: UnixMillis,
}

/// A disabled cache.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DisabledCache {
    /// The start; `None` if configuration or environment disables it.
    pub since: Option<UnixMillis>,
    /// The end; `None` without one.
    pub until: Option<UnixMillis>,
    /// The reason.
    pub reason: Option<String>,
}

/// One directory of awsideman.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryReading {
    /// `cache directory`, `state directory`.
    pub name: &'static str,
    /// Critical if it cannot be used.
    pub level: Level,
    /// The state, as one sentence without a full stop.
    pub message: String,
    /// The action that fixes it; empty if none is needed.
    pub hint: String,
}

/// The job files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilesReading {
    /// The number of valid files.
    pub jobs: usize,
    /// The number of enabled jobs.
    pub enabled: usize,
    /// The problems (a missing or empty directory, broken files), one sentence each.
    pub problems: Vec<String>,
}

/// A failed contact with AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsReading {
    /// The time.
    pub at: UnixMillis,
    /// The reason, in one sentence.
    pub reason: String,
}

/// The last outcome of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRunReading {
    /// The job's name, with `@profile` if it names profiles.
    pub name: String,
    /// Critical if it failed.
    pub level: Level,
    /// The text after the name in a sentence (`failed: no login`).
    pub message: String,
    /// The command to run next.
    pub hint: String,
}

/// A login with a known expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginReading {
    /// The name of the session.
    pub name: String,
    /// The command that logs in again.
    pub command: String,
    /// The expiry.
    pub ends_at: UnixMillis,
    /// The start, if it is known.
    pub began_at: Option<UnixMillis>,
}

/// The circuit breaker of reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerReading {
    /// `CLOSED`, `OPEN` or `HALF_OPEN`, in any case.
    pub state: String,
    /// Consecutive failures.
    pub failure_count: u32,
    /// The latest of them.
    pub last_failure_time: Option<UnixMillis>,
    /// The circuit breaker of writes.
    pub writes: WritesReading,
}

/// The circuit breaker of writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WritesReading {
    /// `CLOSED`, `OPEN` or `HALF_OPEN`.
    pub state: String,
    /// Consecutive failures.
    pub failure_count: u32,
    /// The latest of them.
    pub last_failure_time: Option<UnixMillis>,
}

impl Default for BreakerReading {
    fn default() -> Self {
        BreakerReading {
            state: "CLOSED".into(),
            failure_count: 0,
            last_failure_time: None,
            writes: WritesReading::default(),
        }
    }
}

impl Default for WritesReading {
    fn default() -> Self {
        WritesReading { state: "CLOSED".into(), failure_count: 0, last_failure_time: None }
    }
}

impl Measurements {
    /// Hits and misses of the window.
    pub fn samples(&self) -> u64 {
        self.window_hits.saturating_add(self.window_misses)
    }

    /// Hits in percent of hits and misses; `None` without samples.
    pub fn hit_rate(&self) -> Option<f64> {
        (self.samples() > 0).then(|| percent(self.window_hits, self.samples()))
    }

    /// Hits and misses without cold misses, as the hit rate counts them.
    pub fn judged_samples(&self) -> u64 {
        self.window_hits.saturating_add(self.window_misses.saturating_sub(self.window_cold_misses))
    }

    /// Hits in percent of these; `None` without any.
    pub fn judged_hit_rate(&self) -> Option<f64> {
        (self.judged_samples() > 0).then(|| percent(self.window_hits, self.judged_samples()))
    }

    /// Errors in percent of hits and misses, at most 100. Errors without a single hit or miss are 100 %; nothing at all is `None`.
    pub fn error_rate(&self) -> Option<f64> {
        match (self.samples(), self.window_errors) {
            (0, 0) => None,
            (0, _) => Some(100.0),
            (samples, errors) => Some(percent(errors, samples).min(100.0)),
        }
    }
}

/// Bytes as MiB.
#[expect(clippy::cast_precision_loss, reason = "sizes are judged and printed to one decimal")]
pub(super) fn mib(bytes: u64) -> f64 {
    bytes as f64 / (1024.0 * 1024.0)
}

#[expect(clippy::cast_precision_loss, reason = "rates are judged and printed to one decimal")]
fn percent(part: u64, whole: u64) -> f64 {
    part as f64 / whole as f64 * 100.0
}
