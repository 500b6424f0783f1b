//! `cache invalidate`, `cache verify`: whether the cache still tells the truth.
//!
//! What is named is a change in the words of the commands that make it, or a key as `cache key` prints it.

use crate::cli::args::read_flags::count;
use clap::{ArgGroup, Args};

/// `cache invalidate`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Remove what a change made elsewhere has made false.\n\n\
        For a change that awsideman did not make itself: the console, Terraform, an identity provider. Prints the keys, and \
        the globs where not enough is known for keys, and removes the entries under them, also while the cache is disabled, \
        bypassed or behind an open breaker. This makes no call to AWS: names are resolved in \
        the cache, and an unknown name is used as an id, with a notice. An answer that is being fetched meanwhile is not stored.",
    after_help = "Examples:\n  awsideman cache invalidate update user alice\n  \
        awsideman cache invalidate add-member group Developers --dry-run\n  \
        awsideman cache invalidate assign assignment ReadOnly --json"
)]
pub struct InvalidateArgs {
    /// What happened: create, update, delete, add-member, remove-member, set-policies, provision, assign, revoke
    #[arg(value_name = "OPERATION")]
    pub operation: String,
    /// To what: user, group, permission-set, assignment
    #[arg(value_name = "RESOURCE")]
    pub resource: String,
    /// Name, id or ARN; of the permission set for an assignment
    #[arg(value_name = "NAME")]
    pub id: String,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cache verify`
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("which").required(true).multiple(true).args(["key", "pattern", "sample"]),
    long_about = "Compare entries with AWS, and mend those that are wrong.\n\n\
        Each entry costs the calls that its answer takes. The order in which AWS lists things does not count, and what has \
        expired is left out. A wrong entry is replaced by what AWS says; one whose thing is gone is removed, and so is every \
        wrong one while the cache is disabled. The exit code is 6 when any was wrong, 5 when KEY is not there, 3 when AWS \
        could not be asked about some.",
    after_help = "Examples:\n  awsideman cache verify user:list:all\n  \
        awsideman cache verify --pattern 'group:members:*' --budget 200\n  awsideman cache verify --sample 50 --json"
)]
pub struct VerifyArgs {
    /// The key of one entry
    #[arg(value_name = "KEY", conflicts_with_all = ["pattern", "sample"])]
    pub key: Option<String>,
    /// Only the keys that this glob matches; `*` crosses colons
    #[arg(long, value_name = "GLOB")]
    pub pattern: Option<String>,
    /// Compare so many entries, taken at random
    #[arg(long, value_name = "N", value_parser = count, allow_negative_numbers = true)]
    pub sample: Option<u64>,
    /// Take the sample that an earlier run with this seed took
    #[arg(long, value_name = "SEED", requires = "sample")]
    pub sample_seed: Option<u64>,
    /// Make at most this many calls to AWS
    #[arg(long, value_name = "CALLS", value_parser = count, allow_negative_numbers = true)]
    pub budget: Option<u64>,
}
