//! The shape of a checked configuration.
//!
//! Each field stands in `config/default.toml` with its default and a sentence; tests hold the three together.

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

/// Everything that can be configured.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The AWS profile, when one is chosen.
    #[serde(default, deserialize_with = "non_empty")]
    pub profile: Option<String>,
    /// The region of Identity Center, when it is not the profile's.
    #[serde(default, deserialize_with = "non_empty")]
    pub region: Option<String>,
    /// How AWS is reached.
    pub aws: AwsConfig,
    /// The shared cache.
    pub cache: CacheConfig,
    /// Ledger, locks, switch and statistics.
    pub state: StateConfig,
    /// The share of AWS's quota that is used.
    pub pace: RateLimitConfig,
    /// Walks over the organization.
    pub access: AccessConfig,
    /// When measurements become findings.
    pub health: HealthConfig,
    /// How findings leave the host.
    pub alerts: Alerts,
    /// The job runner.
    pub jobs: Jobs,
    /// The daemon's page and metrics on the network.
    pub daemon: Daemon,
    /// Metrics as a file.
    #[serde(default)]
    pub metrics: Metrics,
    /// The log.
    pub log: LogConfig,
    /// How answers are printed.
    pub output: OutputConfig,
    /// For tests and rehearsals.
    pub debug: Debug,
}

/// `[aws]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AwsConfig {
    /// The ARN or `ssoins-` id of the instance, where a region has several.
    #[serde(default, deserialize_with = "non_empty")]
    pub instance: Option<String>,
    /// An endpoint for every service, in place of AWS's own.
    #[serde(default, deserialize_with = "non_empty")]
    pub endpoint_url: Option<String>,
    /// How long one connection attempt may take.
    #[serde(deserialize_with = "duration")]
    pub connect_timeout: Duration,
    /// How long one call may take, answer included.
    #[serde(deserialize_with = "duration")]
    pub operation_timeout: Duration,
    /// How often one call is tried in all.
    pub max_attempts: u32,
    /// How long AWS may go on with an accepted change before we stop asking.
    #[serde(deserialize_with = "duration")]
    pub change_timeout: Duration,
}

/// `[cache]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CacheConfig {
    /// Neither hits nor fills; invalidations go on.
    pub disabled: bool,
    /// Where entries live.
    pub backend: Backend,
    /// The directory of the disk backend; resolved, absolute.
    pub dir: PathBuf,
    /// The most bytes that entries may hold, in MiB.
    pub max_size_mb: f64,
    /// What a cleanup goes down to, in percent of `max_size_mb`.
    pub low_water_percent: f64,
    /// The most entries; 0 is no limit.
    pub max_entries: u64,
    /// The most that entries may hold of the disk they lie on, in percent of its size; 0 is no limit.
    pub max_disk_percent: f64,
    /// The most that one process keeps of entries in its own memory, in MiB.
    pub max_memory_mb: f64,
    /// What goes when a limit is passed.
    pub eviction_policy: EvictionPolicy,
    /// The oldest an entry may get whatever its TTL; zero is no limit.
    #[serde(deserialize_with = "duration")]
    pub max_age: Duration,
    /// Whether frames are compressed.
    pub compression: bool,
    /// The time to live of what has no TTL of its own.
    #[serde(deserialize_with = "duration")]
    pub default_ttl: Duration,
    /// TTLs by resource and by operation, and the default.
    pub ttl: Ttls,
    /// How long an expired entry may still be served when AWS cannot answer.
    #[serde(deserialize_with = "duration")]
    pub stale_if_error: Duration,
    /// How long "not found" is believed.
    #[serde(deserialize_with = "duration")]
    pub not_found_ttl: Duration,
    /// How long a fence stays after a write.
    #[serde(deserialize_with = "duration")]
    pub settle: Duration,
    /// How long an operation waits for another process's lock.
    #[serde(deserialize_with = "duration")]
    pub busy_timeout: Duration,
    /// `disable` without `--for` ends after this.
    #[serde(deserialize_with = "duration")]
    pub disable_for: Duration,
    /// Who may use the directories.
    pub sharing: Sharing,
    /// `[cache.breaker]`
    pub breaker: BreakerConfig,
    /// `[cache.encryption]`
    pub encryption: Encryption,
}

/// Where entries live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Backend {
    /// `SQLite` in `cache.dir`, shared by the host.
    Disk,
    /// This process only.
    Memory,
}

/// What goes when a limit is passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum EvictionPolicy {
    /// What was least recently used.
    Lru,
}

/// Who may use the directories.
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
    /// Consecutive backend failures that open the breaker.
    pub failure_threshold: u32,
    /// How long it stays open before one operation may try again.
    #[serde(deserialize_with = "duration")]
    pub recovery_timeout: Duration,
}

/// `[cache.encryption]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Encryption {
    /// Whether entries are sealed at rest.
    pub enabled: bool,
    /// The file that holds the keys, the newest first.
    #[serde(default)]
    pub key_file: Option<PathBuf>,
    /// The command that prints them, in place of the file.
    pub key_command: Vec<String>,
}

/// `[state]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StateConfig {
    /// The state directory; resolved, absolute.
    pub dir: PathBuf,
}

/// `[pace]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RateLimitConfig {
    /// Calls a second to the sso-admin API (AWS: 20, all operations together).
    pub sso_admin_tps: f64,
    /// Calls a second to each identity store operation (AWS: 20 each).
    pub identity_store_tps: f64,
    /// Calls a second to Organizations (AWS publishes none).
    pub organizations_tps: f64,
    /// What warms and jobs may use of each: percent, or up to 1 a part of everything.
    pub background_share: f64,
}

impl RateLimitConfig {
    /// The part (above 0, to 1) of each rate that warms and jobs may use: 0.75 for 75 as for 0.75, and all of it for 1.
    pub fn background_part(&self) -> f64 {
        let share = self.background_share;
        (if share > 1.0 { share / 100.0 } else { share }).clamp(0.01, 1.0)
    }
}

/// `[access]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AccessConfig {
    /// The most calls to AWS of one read without a confirmation.
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
    /// At this hit rate it has recovered; unset: two points above critical.
    pub hit_rate_recovered: Option<f64>,
    /// Warn above this size in MiB; unset: the larger of 100 MB and 90 % of `cache.max_size_mb`.
    pub size_mb_warn: Option<f64>,
    /// Critical above this size in MiB; unset: the larger of 200 MB and 100 % of `cache.max_size_mb`.
    pub size_mb_critical: Option<f64>,
    /// At this size in MiB it has recovered; unset: 95 % of critical.
    pub size_mb_recovered: Option<f64>,
    /// Critical above this error rate, in percent of hits and misses.
    pub error_rate_critical: f64,
    /// At this error rate it has recovered; unset: 80 % of critical.
    pub error_rate_recovered: Option<f64>,
    /// Warn below this much free space on the cache's disk, in MiB.
    pub free_disk_mb_warn: f64,
    /// Critical below this much.
    pub free_disk_mb_critical: f64,
    /// With this much it has recovered; unset: 110 % of critical.
    pub free_disk_mb_recovered: Option<f64>,
    /// Warn when the oldest entry is older than this; zero never warns.
    #[serde(deserialize_with = "duration")]
    pub oldest_warn: Duration,
    /// Warn when the cache has been disabled for longer than this.
    #[serde(deserialize_with = "duration")]
    pub disabled_warn: Duration,
    /// Warn when the AWS login ends within this; zero never warns.
    #[serde(deserialize_with = "duration")]
    pub login_warn: Duration,
    /// How many lookups a rate needs before it is judged.
    pub min_samples: u64,
    /// The time over which rates are taken.
    #[serde(deserialize_with = "duration")]
    pub window: Duration,
}

/// `[jobs]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Jobs {
    /// The directory of job files; unset: the jobs that are compiled in.
    pub dir: Option<PathBuf>,
    /// How many jobs run at once.
    pub parallel: usize,
    /// How many past runs of each job are kept.
    pub history: u32,
    /// How long a job that must stop has to end by itself.
    #[serde(deserialize_with = "duration")]
    pub grace: Duration,
}

/// `[daemon]`
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Daemon {
    /// Where the status page and the metrics are served; unset: nowhere.
    pub listen: Option<SocketAddr>,
    /// Whether that may be an address that other hosts reach.
    pub allow_remote: bool,
    /// The names under which it may be asked, beside addresses and `localhost`.
    pub hosts: Vec<String>,
}

/// `[metrics]`
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Metrics {
    /// Where job runs write the metrics; unset: nowhere.
    pub textfile: Option<PathBuf>,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogConfig {
    /// The file; unset, the host's log directory for root and the state directory for others.
    #[serde(default)]
    pub file: Option<PathBuf>,
    /// The least that is written.
    pub level: LogLevel,
    /// How lines look.
    pub format: LogFormat,
}

/// The least that is written into the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogLevel {
    /// Nothing.
    Off,
    /// What failed.
    Error,
    /// Faults of the cache too.
    Warn,
    /// What jobs do too.
    Info,
    /// Everything.
    Debug,
}

/// How lines of the log look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LogFormat {
    /// For people and grep.
    Text,
    /// One JSON object a line.
    Json,
}

/// `[output]`
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OutputConfig {
    /// The format when `--output` is not given.
    pub format: Format,
}

/// How answers are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Format {
    /// Columns for people.
    Table,
    /// One JSON document.
    Json,
    /// One JSON document a line.
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
    /// Moves the present time, in milliseconds; negative into the past.
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
    /// Reads `private` or `group:NAME`.
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

/// Which layer each key came from, for `config show --origin` and the `--detailed` status.
pub type Origins = BTreeMap<String, String>;
