//! `cache ...`
//!
//! What an on-call engineer types in an emergency (status, health, clear, disable, enable, recover) needs neither
//! AWS nor a sound configuration.

mod breaker;
mod encryption;
mod inspect;
mod recover;
mod verify;

pub use breaker::BreakerCommand;
pub use encryption::{EnableArgs, EncryptionCommand, RotateArgs};
pub use inspect::CheckArgs;
pub use inspect::ExportArgs;
pub use inspect::ImportArgs;
pub use inspect::InspectArgs;
pub use inspect::WhyArgs;
pub use recover::InitArgs;
pub use recover::RecoverArgs;
pub use verify::InvalidateArgs;
pub use verify::VerifyArgs;

use crate::cli::args::read_flags::count;
use crate::cli::args::read_flags::positive_duration;
use crate::config::WarmTarget;
use crate::model::parse_duration;
use clap::{Args, Subcommand};
use std::time::Duration;

/// `cache ...`
#[derive(Debug, Clone, Subcommand)]
pub enum CacheCommand {
    /// Show what the cache holds and how well it does
    Status(StatusArgs),
    /// Remove entries, of this profile or of all
    Clear(ClearArgs),
    /// Remove what a change made elsewhere has made false
    Invalidate(InvalidateArgs),
    /// Compare entries with AWS, and mend those that are wrong
    Verify(VerifyArgs),
    /// Fill the cache ahead of time
    Warm(WarmArgs),
    /// Remove entries that have expired
    #[command(after_help = "Examples:\n  awsideman cache cleanup\n  awsideman cache cleanup --dry-run --json")]
    Cleanup(SweepArgs),
    /// Remove the least recently used entries until the limits hold
    #[command(after_help = "Examples:\n  awsideman cache enforce-limits\n  \
        awsideman cache enforce-limits --dry-run")]
    EnforceLimits(SweepArgs),
    /// Judge the cache: one line for each check
    #[command(
        long_about = "Judge the cache: one line for each check.\n\n\
            The exit code is 0 when no check is critical and 6 otherwise. With --nagios one line is printed, and the \
            exit code is 0 (ok), 1 (warning), 2 (critical) or 3 (unknown).",
        after_help = "Examples:\n  awsideman cache health\n  awsideman cache health --json\n  \
            awsideman cache health --nagios"
    )]
    Health {
        /// Print one line and exit as a Nagios plugin does
        #[arg(long, conflicts_with_all = ["json", "output"])]
        nagios: bool,
    },
    /// Show entries from all sides, their checksums verified
    Inspect(InspectArgs),
    /// Say why a key is or is not answered from the cache
    Why(WhyArgs),
    /// Look whether all that is stored is sound
    Check(CheckArgs),
    /// Write the fresh entries to a file
    Export(ExportArgs),
    /// Store what a file of `cache export` holds and the cache lacks
    Import(ImportArgs),
    /// Seal entries on the disk: how that stands, and from one key to another
    #[command(subcommand)]
    Encryption(EncryptionCommand),
    /// Store, read, expire and delete a private entry, and time it
    #[command(after_help = "Examples:\n  awsideman cache test\n  awsideman cache test --json")]
    Test,
    /// Print the key under which an answer is stored
    #[command(after_help = "Examples:\n  awsideman cache key user list all\n  \
        awsideman cache key user list all --param identity_store_id=d-1234567890")]
    Key(KeyArgs),
    /// Neither use nor fill the cache for a while, in every process
    #[command(
        long_about = "Neither use nor fill the cache for a while, in every process.\n\n\
            The switch is kept in the state directory, holds for everyone who uses it and ends by itself. \
            Invalidations go on.",
        after_help = "Examples:\n  awsideman cache disable\n  \
            awsideman cache disable --for 30m --reason 'wrong group lists, see INC-1234'"
    )]
    Disable(DisableArgs),
    /// Use the cache again
    #[command(after_help = "Examples:\n  awsideman cache enable")]
    Enable,
    /// Close the circuit breaker after a probe
    #[command(subcommand)]
    Breaker(BreakerCommand),
    /// Begin a new cache beside a damaged one with what is sound of it, and test it
    Recover(RecoverArgs),
    /// Set up the directories, for you alone or for a group
    Init(InitArgs),
    /// Print where the cache lives
    #[command(after_help = "Examples:\n  awsideman cache path\n  du -sh \"$(awsideman cache path)\"")]
    Path,
}

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

/// `cache clear`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Remove entries, of this profile or of all.\n\n\
        Without flags, everything that belongs to the Identity Center of this profile goes; when it is not known which \
        that is, everything goes, and that is said. AWS is not asked. Nothing is asked back.",
    after_help = "Examples:\n  awsideman cache clear\n  awsideman cache clear --pattern 'user:*'\n  \
        awsideman cache clear --pattern '*:list:*' --dry-run\n  awsideman cache clear --all"
)]
pub struct ClearArgs {
    /// Only the keys that this glob matches; `*` crosses colons
    #[arg(long, value_name = "GLOB")]
    pub pattern: Option<String>,
    /// Take all there are, not only those chosen by default
    #[arg(long)]
    pub all: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cache warm`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Fill the cache ahead of time.\n\n\
        Without names: users, groups, memberships, permission sets, accounts and assignments. All of it is asked of AWS \
        anew, whatever its age; a warm that was ended before its end (killed, out of budget, or with something that \
        could not be read) is gone on with. Assignments are asked by account and permission set or by user and group, \
        whichever takes fewer calls. A part of AWS's quota is kept free for others.\n\n\
        Concurrent warms share the work: a warm waits for an answer that another process is fetching. It also waits for \
        a change to settle, because an answer read before that cannot be kept: `not kept`, exit code 3.",
    after_help = "Examples:\n  awsideman cache warm\n  awsideman cache warm --plan\n  \
        awsideman cache warm users groups --diff\n  awsideman cache warm assignments --budget 500\n  \
        awsideman cache warm --if-older 10m\n  awsideman cache warm users --if-enabled"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct WarmArgs {
    /// What to fill: users, groups, memberships, permission-sets, accounts, assignments
    #[arg(value_name = "RESOURCE", value_parser = warm_target)]
    pub resources: Vec<WarmTarget>,
    /// Say how many calls, how long and how many bytes, and warm nothing
    #[arg(long)]
    pub plan: bool,
    /// Make at most this many calls to AWS
    #[arg(long, value_name = "CALLS", value_parser = count, allow_negative_numbers = true)]
    pub budget: Option<u64>,
    /// Only what is older than this, as in 90, 15m or 2h
    #[arg(long, value_name = "AGE", value_parser = parse_duration)]
    pub if_older: Option<Duration>,
    /// Only what has less than a quarter of its time to live before it
    #[arg(long, conflicts_with = "if_older")]
    pub refresh_ahead: bool,
    /// Wait for what another awsideman is doing, rather than leave it out
    #[arg(long, conflicts_with = "no_wait")]
    pub wait: bool,
    /// Do not wait for other processes or for changes to settle
    #[arg(long)]
    pub no_wait: bool,
    /// Exit with 0 if the cache is disabled or keeps nothing
    #[arg(long)]
    pub if_enabled: bool,
    /// Name what changed since the last warm
    #[arg(long)]
    pub diff: bool,
}

/// `cache cleanup`, `cache enforce-limits`
#[derive(Debug, Clone, Args)]
pub struct SweepArgs {
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cache key`
#[derive(Debug, Clone, Args)]
pub struct KeyArgs {
    /// The resource, as in user or permission-set
    pub resource: String,
    /// The operation, as in list or describe
    pub operation: String,
    /// The id or name, or all
    pub identifier: String,
    /// The second id or name, as in `assignment list ACCOUNT PERMISSION_SET`
    #[arg(value_name = "SUB")]
    pub sub_identifier: Option<String>,
    /// A parameter of the request (can be repeated)
    #[arg(long = "param", value_name = "NAME=VALUE", value_parser = parameter)]
    pub parameters: Vec<(String, String)>,
}

/// `cache disable`
#[derive(Debug, Clone, Args)]
pub struct DisableArgs {
    /// End by itself after this long, as in 30m or 4h
    #[arg(long = "for", value_name = "DURATION", value_parser = positive_duration)]
    pub duration: Option<Duration>,
    /// Why; shown beside it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

fn warm_target(word: &str) -> Result<WarmTarget, String> {
    WarmTarget::parse(word).ok_or_else(|| {
        let known: Vec<&str> = WarmTarget::ALL.iter().map(|target| target.as_str()).collect();
        format!("nothing of that name can be warmed; there are {}", known.join(", "))
    })
}

fn parameter(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err(format!("`{text}` is not a parameter: write NAME=VALUE")),
    }
}
