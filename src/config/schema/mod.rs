//! The schema of the configuration.
//!
//! Each field is in `config/default.toml` with its default and a description; tests compare the two.

use crate::config::ttl::Ttls;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

mod alerts;
mod fields;

pub use alerts::*;

use fields::{duration, non_empty, offset};

/// The configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The AWS profile, if one is set.
    #[serde(default, deserialize_with = "non_empty")]
    pub profile: Option<String>,
    /// The region of Identity Center, if it is not the profile's.
    #[serde(default, deserialize_with = "non_empty")]
    pub region: Option<String>,
    /// Access to AWS.
    pub aws: AwsConfig,
    /// The shared cache.
    pub cache: CacheConfig,
    /// Ledger, locks, kill switch and statistics.
    pub state: StateConfig,
    /// The share of AWS's quota.
    pub pace: RateLimitConfig,
    /// Walks over the organization.
    pub access: AccessConfig,
    /// The thresholds of health checks.
    pub health: HealthConfig,
    /// Alerts and their notifiers.
    pub alerts: Alerts,
    /// The job runner.
    pub jobs: Jobs,
    /// The status page and metrics of the daemon.
    pub daemon: Daemon,
    /// Metrics as a file.
    #[serde(default)]
    pub metrics: Metrics,
    /// The log.
    pub log: LogConfig,
    /// The output of answers.
    pub output: OutputConfig,
    /// For tests.
    pub debug: Debug,
}

/// `[aws]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsConfig {
    /// The ARN or `ssoins-` id of the instance, if a region has several.
    #[serde(default, deserialize_with = "non_empty")]
    pub instance: Option<String>,
    /// An endpoint for every service instead of AWS's.
    #[serde(default, deserialize_with = "non_empty")]
    pub endpoint_url: Option<String>,
    /// The timeout of one connection attempt.
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// The timeout of one call.
    #[serde(deserialize_with = "duration")]
    pub operation_timeout: Duration,
    /// The number of attempts of one call.
    pub max_attempts: u32,
    /// How long to wait for AWS to complete an accepted change.
    #[serde(deserialize_with = "duration")]
    pub change_timeout: Duration,
}

/// `[cache]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// Whether hits and fills are disabled; invalidations continue.
    pub disabled: bool,
    /// The storage of entries.
    pub backend: Backend,
    /// The directory of the disk backend, absolute.
    pub dir: PathBuf,
    /// The limit of the size of all entries, in MiB.
    pub max_size_mb: f64,
    /// The low-water mark of an eviction, in percent of `max_size_mb`.
    pub low_water_percent: f64,
    /// The limit of the number of entries; 0 is no limit.
    pub max_entries: u64,
    /// The limit of the size of all entries, in percent of their disk; 0 is no limit.
    pub max_disk_percent: f64,
    /// The limit of entries in the memory of one process, in MiB.
    pub max_memory_mb: f64,
    /// The entries that are evicted first.
    pub eviction_policy: EvictionPolicy,
    /// The largest age of an entry, whatever its TTL; zero is no limit.
    #[serde(deserialize_with = "duration")]
    pub max_age: Duration,
    /// Whether entries are compressed.
    pub compression: bool,
    /// The TTL of operations without one.
    #[serde(deserialize_with = "duration")]
    pub default_ttl: Duration,
    /// The TTLs by resource and by operation, and the default.
    pub ttl: Ttls,
    /// How long an expired entry may be served if AWS cannot answer (stale-if-error).
    #[serde(deserialize_with = "duration")]
    pub stale_if_error: Duration,
    /// How long "not found" is cached.
    #[serde(deserialize_with = "duration")]
    pub not_found_ttl: Duration,
    /// How long a fence lasts after a write.
    #[serde(deserialize_with = "duration")]
    pub settle: Duration,
    /// The longest wait for a lock of another process.
    #[serde(deserialize_with = "duration")]
    pub busy_timeout: Duration,
    /// The default duration of `disable`.
    #[serde(deserialize_with = "duration")]
    pub disable_for: Duration,
    /// The permissions of the directories.
    pub sharing: Sharing,
    /// `[cache.breaker]`
    pub breaker: BreakerConfig,
    /// `[cache.encryption]`
    pub encryption: Encryption,
}

/// The storage of entries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// `SQLite` in `cache.dir`, shared by the processes of the host.
    Disk,
    /// The memory of this process.
    Memory,
}

/// The entries that are evicted first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvictionPolicy {
    /// The least recently used ones.
    Lru,
}

/// The permissions of the directories.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sharing {
    /// The owner only: 0700 and 0600.
    Private,
    /// A Unix group: 2770 and 0660.
    Group(String),
}

/// `[cache.breaker]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BreakerConfig {
    /// Consecutive failures that open the breaker.
    pub failure_threshold: u32,
    /// How long it stays open before one operation tests recovery.
    #[serde(deserialize_with = "duration")]
    pub recovery_timeout: Duration,
}

/// `[cache.encryption]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// Whether entries are encrypted at rest.
    pub enabled: bool,
    /// The file that contains the keys, newest first.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The command that prints the keys, instead of the file.
    pub key_command: Vec<String>,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateConfig {
    /// The state directory, absolute.
    pub dir: PathBuf,
}

/// `[pace]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Calls per second to the sso-admin API (AWS: 20, all operations together).
    pub sso_admin_tps: f64,
    /// Calls per second to each identity store operation (AWS: 20 each).
    pub identity_store_tps: f64,
    /// Calls per second to Organizations (AWS publishes no limit).
    pub organizations_tps: f64,
    /// The share of each rate for warms and jobs: percent, or a fraction up to 1.
    pub background_share: f64,
}

impl RateLimitConfig {
    /// The fraction (above 0, to 1) of each rate for warms and jobs: 0.75 for both 75 and 0.75.
    pub fn background_part(&self) -> f64 {
        let share = self.background_share;
        (if share > 1.0 { share / 100.0 } else { share }).clamp(0.01, 1.0)
    }
}

/// `[access]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// The most AWS calls of one read without a confirmation.
    pub max_calls: u64,
}

/// `[health]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HealthConfig {
    /// Warn below this hit rate, in percent.
    pub hit_rate_warn: f64,
    /// Critical below this hit rate, in percent.
    pub hit_rate_critical: f64,
    /// Recovered at this hit rate; by default two points above critical.
    pub hit_rate_recovered: Option<f64>,
    /// Warn above this size in MiB; by default the larger of 100 MB and 90 % of `cache.max_size_mb`.
    pub size_mb_warn: Option<f64>,
    /// Critical above this size in MiB; by default the larger of 200 MB and 100 % of `cache.max_size_mb`.
    pub size_mb_critical: Option<f64>,
    /// Recovered at this size in MiB; by default 95 % of critical.
    pub size_mb_recovered: Option<f64>,
    /// Critical above this error rate, in percent of hits and misses.
    pub error_rate_critical: f64,
    /// Recovered at this error rate; by default 80 % of critical.
    pub error_rate_recovered: Option<f64>,
    /// Warn below this much free space on the cache's disk, in MiB.
    pub free_disk_mb_warn: f64,
    /// Critical below this much free space, in MiB.
    pub free_disk_mb_critical: f64,
    /// Recovered with this much free space; by default 110 % of critical.
    pub free_disk_mb_recovered: Option<f64>,
    /// Warn if the oldest entry is older; zero never warns.
    #[serde(deserialize_with = "duration")]
    pub oldest_warn: Duration,
    /// Warn if the cache is disabled for longer.
    #[serde(deserialize_with = "duration")]
    pub disabled_warn: Duration,
    /// Warn if the AWS login expires within this time; zero never warns.
    #[serde(deserialize_with = "duration")]
    pub login_warn: Duration,
    /// The fewest lookups for which a rate is evaluated.
    pub min_samples: u64,
    /// The window of rates.
    #[serde(deserialize_with = "duration")]
    pub window: Duration,
}

/// `[jobs]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// The directory of job files; by default the compiled-in jobs.
    pub dir: Option<PathBuf>,
    /// The number of concurrent jobs.
    pub parallel: usize,
    /// The number of runs that the ledger keeps for each job.
    pub history: u32,
    /// The time that a job has to stop.
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
}

/// `[daemon]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daemon {
    /// The address of the status page and the metrics; none by default.
    pub listen: Option<SocketAddr>,
    /// Whether the address may be reachable by other hosts.
    pub allow_remote: bool,
    /// Permitted names in the Host header, in addition to addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// The file to which job runs write the metrics; none by default.
    pub textfile: Option<PathBuf>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The file; by default in the host's log directory for root and in the state directory for others.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The log level.
    pub level: LogLevel,
    /// The format of lines.
    pub format: LogFormat,
}

/// The log level.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// Failures.
    Error,
    /// Faults of the cache too.
    Warn,
    /// Runs of jobs too.
    Info,
    /// Everything.
    Debug,
}

/// The format of log lines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people and grep.
    Text,
    /// One JSON object per line.
    Json,
}

/// `[output]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputConfig {
    /// The default of `--output`.
    pub format: Format,
}

/// An output format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Columns for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document per line.
    Jsonl,
    /// YAML.
    Yaml,
    /// Comma-separated values with a header.
    Csv,
}

/// `[debug]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Debug {
    /// Moves the clock, in milliseconds; negative into the past.
    #[serde(deserialize_with = "offset")]
    pub clock_offset: i64,
}

impl<'de> Deserialize<'de> for Sharing {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        Sharing::parse(&text).ok_or_else(|| D::Error::custom(format!("`{text}` is neither private nor group:NAME")))
    }
}

impl Sharing {
    /// Parses `private` or `group:NAME`.
    pub fn parse(text: &str) -> Option<Sharing> {
        match text.split_once(':') {
            None if text == "private" => Some(Sharing::Private),
            Some(("group", name)) if !name.is_empty() && !name.contains(char::is_whitespace) => {
                Some(Sharing::Group(name.to_owned()))
            }
            _ => None,
        }
    }
}

/// The layer of each key, for `config show --origin` and `cache status --detailed`.
pub type Origins = BTreeMap<String, String>;
