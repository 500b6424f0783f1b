//! The shape of a checked job.
//!
//! What stands here can be run; every mistake was found while reading, with its file and key.

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
    /// A job that is not enabled runs only by name.
    pub enabled: bool,
    /// What it does.
    pub kind: JobKind,
    /// When it is due.
    pub schedule: Schedule,
    /// At most this much later, stable for each host and job.
    pub jitter: Duration,
    /// It is stopped after this.
    pub timeout: Duration,
    /// What happens when it is due and still runs.
    pub overlap: Overlap,
    /// What happens with occurrences that nobody was there for.
    pub catch_up: CatchUp,
    /// An occurrence older than this is missed; zero: never.
    pub start_deadline: Duration,
    /// How often a retryable failure is tried again.
    pub retry: Retry,
    /// When it mails.
    pub alert: AlertWhen,
    /// The AWS profiles it runs for; empty: the one in use.
    pub profiles: Vec<String>,
    /// URLs of its own to call when a run begins and ends; those of `[alerts.ping]` serve for what it does not name.
    pub ping: JobPing,
}

/// `[ping]` of a job file.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobPing {
    /// Called when a run begins.
    pub start: Option<Secret>,
    /// Called when it ended well.
    pub success: Option<Secret>,
    /// Called when it did not.
    pub failure: Option<Secret>,
}

/// What a job does, with the settings of its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum JobKind {
    /// Fills the cache with what would expire before the next run.
    Warm {
        /// What to warm, in this order.
        resources: Vec<WarmTarget>,
        /// The most calls it may spend; 0 is no limit.
        budget: u64,
    },
    /// Drops expired entries.
    Cleanup,
    /// Holds the cache to its limits.
    EnforceLimits,
    /// Judges the cache and mails what changed.
    HealthCheck,
    /// Mails how the cache does and what changed since the last such mail.
    Digest,
    /// Compares stored answers with AWS and says how many are wrong.
    Verify {
        /// The most calls it may spend.
        budget: u64,
    },
    /// Begins a new cache when the present one is damaged.
    Recover,
}

impl JobKind {
    /// Every word that a job file may name.
    pub const WORDS: [&'static str; 7] =
        ["warm", "cleanup", "enforce-limits", "health-check", "digest", "verify", "recover"];

    /// The word in the job file.
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

    /// Whether its runs say of the cache what is well and what is not.
    pub fn judges(&self) -> bool {
        matches!(self, JobKind::HealthCheck | JobKind::Verify { .. } | JobKind::Recover)
    }

    /// Whether it asks AWS for longer than a moment.
    pub fn is_long(&self) -> bool {
        matches!(self, JobKind::Warm { .. } | JobKind::Verify { .. })
    }
}

/// What can be warmed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum WarmTarget {
    /// The user list, and with it every user.
    Users,
    /// The group list, and with it every group.
    Groups,
    /// Who is in which group.
    Memberships,
    /// All permission sets.
    PermissionSets,
    /// The accounts of the organization.
    Accounts,
    /// Who has which permission set where.
    Assignments,
}

impl WarmTarget {
    /// Everything, in the order in which one helps the next.
    pub const ALL: [WarmTarget; 6] = [
        WarmTarget::Users,
        WarmTarget::Groups,
        WarmTarget::Memberships,
        WarmTarget::PermissionSets,
        WarmTarget::Accounts,
        WarmTarget::Assignments,
    ];

    /// The word in job files and on the command line.
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

    /// Singular or plural, dashes or underscores.
    pub fn parse(word: &str) -> Option<WarmTarget> {
        let plain = word.trim().to_ascii_lowercase().replace('_', "-");
        WarmTarget::ALL.into_iter().find(|t| t.as_str() == plain || t.as_str().strip_suffix('s') == Some(&plain))
    }

    /// The resource and operation whose TTL bounds how often it must be warmed.
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

/// What happens when a job is due and still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Overlap {
    /// The new occurrence is skipped, and that is recorded.
    Forbid,
    /// One occurrence waits.
    QueueOne,
    /// The running one is stopped.
    Replace,
}

/// What happens with occurrences that nobody was there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// They are recorded as missed.
    None,
    /// The latest runs, the others are recorded as missed.
    Latest,
    /// At most `limit` of those within `window` run.
    All {
        /// How many.
        limit: u32,
        /// How far back.
        window: Duration,
    },
}

/// How often a retryable failure is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retry {
    /// Attempts in all, the first included.
    pub attempts: u32,
    /// Before the second attempt; doubled each time.
    pub delay: Duration,
}

/// When a job mails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AlertWhen {
    /// When something begins or is over.
    OnChange,
    /// After every run.
    Always,
    /// Never.
    Never,
}
