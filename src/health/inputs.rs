//! What is known about the cache at one moment: the input of every check.
//!
//! Plain values, nothing is looked up here.

use crate::clock::UnixMillis;
use crate::health::finding::Level;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// The figures that are judged. Rates are over command reads only: warms and reads around the cache do not count.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Measurements {
    /// Command reads that the cache answered within the window.
    pub window_hits: u64,
    /// Command reads that it could not answer within the window.
    pub window_misses: u64,
    /// Command reads at which the cache itself failed within the window.
    pub window_errors: u64,
    /// The same by kind.
    pub window_errors_by_kind: BTreeMap<&'static str, u64>,
    /// The misses of the window of keys that no command had asked for before. The hit rate is judged without them.
    pub window_cold_misses: u64,
    /// The time the counts are over.
    pub window: Duration,
    /// Whether a recovery or a clear restarted the counts within that time.
    pub window_is_new: bool,
    /// The bytes that entries hold.
    pub held_bytes: u64,
    /// The most bytes that entries may hold; 0 is no limit.
    pub limit_bytes: u64,
    /// How many entries there are.
    pub entries: u64,
    /// When the oldest entry was stored; `None` without entries.
    pub oldest_stored_at: Option<UnixMillis>,
    /// Free bytes on the fuller of the disks of cache and state; `None` when they are unknown.
    pub free_disk_bytes: Option<u64>,
    /// All bytes of that disk.
    pub total_disk_bytes: Option<u64>,
    /// The directory that is on it.
    pub free_disk_path: PathBuf,
    /// Why nothing is cached right now, when somebody said so.
    pub disabled: Option<DisabledCache>,
    /// The circuit breaker.
    pub breaker: BreakerReading,
    /// Why the cache cannot be opened or read.
    pub store_problem: Option<String>,
    /// A key that is not at hand, and how many entries lie under keys that are not.
    pub foreign: Option<(String, u64)>,
    /// The cache directory and the state directory, as they were found.
    pub directories: Vec<DirectoryReading>,
    /// Why the kill switch cannot be read.
    pub switch_problem: Option<String>,
    /// Why the state database cannot be read.
    pub state_problem: Option<String>,
    /// The newest state database that was set aside as damaged and is still there.
    pub state_set_aside: Option<String>,
    /// The job files.
    pub job_files: JobFilesReading,
    /// Notifiers that are enabled and cannot be used, one sentence each.
    pub notifier_problems: Vec<String>,
    /// Fences that were recorded while the clock was ahead and still keep answers out of the cache.
    pub fences_ahead: u64,
    /// Calls that AWS throttled within the last hour.
    pub throttles: u64,
    /// The limits on the size, each as one phrase with its use.
    pub limit_uses: Vec<String>,
    /// The last contact with AWS, if it failed.
    pub aws: Option<AwsReading>,
    /// How each job ended last; empty for the runner of the jobs.
    pub job_runs: Vec<JobRunReading>,
    /// The login to AWS, when its end is known.
    pub login: Option<LoginReading>,
    /// Jobs that were due long ago and did not run, one sentence each; `None` when the one who runs them asks.
    pub late_jobs: Option<Vec<String>>,
    /// Runs past their timeout: one sentence and the command that ends the run.
    pub stuck_jobs: Vec<(String, String)>,
    /// The moment of all this.
    pub now: UnixMillis,
}

/// A cache that is switched off.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DisabledCache {
    /// Since when; `None` when configuration or environment says so.
    pub since: Option<UnixMillis>,
    /// When it ends by itself; `None` never.
    pub until: Option<UnixMillis>,
    /// What was given as the reason.
    pub reason: Option<String>,
}

/// One directory of awsideman.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DirectoryReading {
    /// `cache directory`, `state directory`.
    pub name: &'static str,
    /// Critical when it cannot be used.
    pub level: Level,
    /// What was found, as one sentence without a full stop.
    pub message: String,
    /// What to do; empty when nothing needs doing.
    pub hint: String,
}

/// The job files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFilesReading {
    /// How many are valid.
    pub jobs: usize,
    /// How many of these are enabled.
    pub enabled: usize,
    /// A directory that is gone or empty, files that are broken: one sentence each.
    pub problems: Vec<String>,
}

/// A contact with AWS that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsReading {
    /// When it was.
    pub at: UnixMillis,
    /// Why, as one sentence.
    pub reason: String,
}

/// How a job ended last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRunReading {
    /// The job's name, with `@profile` where it names profiles.
    pub name: String,
    /// Critical when it failed.
    pub level: Level,
    /// What follows the name in a sentence (`failed: no login`).
    pub message: String,
    /// The command to type next.
    pub hint: String,
}

/// A login with an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginReading {
    /// What one logs in to.
    pub name: String,
    /// What to type to log in again.
    pub command: String,
    /// When it ends.
    pub ends_at: UnixMillis,
    /// When it began, as far as known.
    pub began_at: Option<UnixMillis>,
}

/// The circuit breaker as status shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerReading {
    /// `CLOSED`, `OPEN` or `HALF_OPEN`, in any case.
    pub state: String,
    /// Consecutive failures.
    pub failure_count: u32,
    /// The latest of them.
    pub last_failure_time: Option<UnixMillis>,
    /// The same of what stores.
    pub writes: WritesReading,
}

/// The side of the circuit breaker that stores.
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

    /// Hits and misses that the hit rate is judged by: those without cold misses.
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
