//! A checked job.
//!
//! Guarantee: it can run. Problems were reported with file and key when it was read.

pub(crate) mod load;
pub(crate) mod parse;
pub(crate) mod schedule;

use super::schema::Secret;
use crate::config::job::schedule::Schedule;
use crate::model::Resource;
use std::time::Duration;

/// One job file.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    /// Its name; unique, `[a-z0-9-]`.
    pub name: String,
    /// The file, or `(compiled in) 10-warm.toml`.
    pub origin: String,
    /// One sentence for `jobs list`.
    pub description: String,
    /// A disabled job runs only on request.
    pub enabled: bool,
    /// Its kind.
    pub kind: JobKind,
    /// Its schedule.
    pub schedule: Schedule,
    /// The largest delay, stable for each host and job.
    pub jitter: Duration,
    /// The run is stopped after this time.
    pub timeout: Duration,
    /// The policy if it is due while it still runs.
    pub overlap: Overlap,
    /// The policy for occurrences without an active runner.
    pub catch_up: CatchUp,
    /// An older occurrence is missed; zero is no limit.
    pub start_deadline: Duration,
    /// The retries of a retryable failure.
    pub retry: Retry,
    /// When it sends mail.
    pub alert: AlertWhen,
    /// The AWS profiles it runs for; empty for the current one.
    pub profiles: Vec<String>,
    /// The ping URLs of this job; those of `[alerts.ping]` are the default.
    pub ping: JobPing,
}

/// `[ping]` of a job file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobPing {
    /// Called when a run starts.
    pub start: Option<Secret>,
    /// Called when a run succeeds.
    pub success: Option<Secret>,
    /// Called when a run fails.
    pub failure: Option<Secret>,
}

/// The kind of a job, with its settings.
#[derive(Debug, Clone, PartialEq)]
pub enum JobKind {
    /// Refreshes entries that expire before the next run.
    Warm {
        /// The targets, in order.
        resources: Vec<WarmTarget>,
        /// The most calls; 0 is no limit.
        budget: u64,
    },
    /// Deletes expired entries.
    Cleanup,
    /// Enforces the limits of the cache.
    EnforceLimits,
    /// Runs the health checks and mails changes.
    HealthCheck,
    /// Mails a summary of the cache and the changes since the last one.
    Digest,
    /// Compares stored answers with AWS and counts wrong ones.
    Verify {
        /// The most calls.
        budget: u64,
    },
    /// Creates a new cache if the current one is damaged.
    Recover,
}

impl JobKind {
    /// Every kind in job files.
    pub const WORDS: [&'static str; 7] =
        ["warm", "cleanup", "enforce-limits", "health-check", "digest", "verify", "recover"];

    /// The kind as written in a job file.
    pub fn as_str(&self) -> &'static str {
        match self {
            JobKind::Warm { .. } => "warm",
            JobKind::Cleanup => "cleanup",
            JobKind::EnforceLimits => "enforce-limits",
            JobKind::HealthCheck => "health-check",
            JobKind::Digest => "digest",
            JobKind::Verify { .. } => "verify",
            JobKind::Recover => "recover",
        }
    }

    /// Whether its runs evaluate the health of the cache.
    pub fn judges(&self) -> bool {
        matches!(self, JobKind::HealthCheck | JobKind::Verify { .. } | JobKind::Recover)
    }

    /// Whether it makes many AWS calls.
    pub fn is_long(&self) -> bool {
        matches!(self, JobKind::Warm { .. } | JobKind::Verify { .. })
    }
}

/// A target of a warm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarmTarget {
    /// The user list and every user.
    Users,
    /// The group list and every group.
    Groups,
    /// The memberships of every group.
    Memberships,
    /// All permission sets.
    PermissionSets,
    /// The accounts of the organization.
    Accounts,
    /// The assignments of every account.
    Assignments,
}

impl WarmTarget {
    /// Every target, in dependency order.
    pub const ALL: [WarmTarget; 6] = [
        WarmTarget::Users,
        WarmTarget::Groups,
        WarmTarget::Memberships,
        WarmTarget::PermissionSets,
        WarmTarget::Accounts,
        WarmTarget::Assignments,
    ];

    /// The name in job files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            WarmTarget::Users => "users",
            WarmTarget::Groups => "groups",
            WarmTarget::Memberships => "memberships",
            WarmTarget::PermissionSets => "permission-sets",
            WarmTarget::Accounts => "accounts",
            WarmTarget::Assignments => "assignments",
        }
    }

    /// Parses singular or plural, dashes or underscores.
    pub fn parse(word: &str) -> Option<WarmTarget> {
        let plain = word.trim().to_ascii_lowercase().replace('_', "-");
        WarmTarget::ALL.into_iter().find(|t| t.as_str() == plain || t.as_str().strip_suffix('s') == Some(&plain))
    }

    /// The resource and operation whose TTL limits the interval of its warms.
    pub fn governs(self) -> (Resource, &'static str) {
        match self {
            WarmTarget::Users => (Resource::User, "list"),
            WarmTarget::Groups => (Resource::Group, "list"),
            WarmTarget::Memberships => (Resource::Group, "members"),
            WarmTarget::PermissionSets => (Resource::PermissionSet, "list"),
            WarmTarget::Accounts => (Resource::Account, "list"),
            WarmTarget::Assignments => (Resource::Assignment, "list"),
        }
    }
}

/// The policy if a job is due while it still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// The occurrence is skipped and recorded.
    Forbid,
    /// One occurrence waits.
    QueueOne,
    /// The ongoing run is stopped.
    Replace,
}

/// The policy for occurrences without an active runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They are recorded as missed.
    None,
    /// The latest runs, the others are recorded as missed.
    Latest,
    /// At most `limit` occurrences within `window` run.
    All {
        /// The most occurrences.
        limit: u32,
        /// The window.
        window: Duration,
    },
}

/// The retries of a retryable failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// The number of attempts, including the first.
    pub attempts: u32,
    /// The delay before the second attempt; doubled each time.
    pub delay: Duration,
}

/// When a job sends mail.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertWhen {
    /// When an alert fires or is resolved.
    OnChange,
    /// After every run.
    Always,
    /// Never.
    Never,
}
