//! `cache recover`, `cache init`: what mends a cache, and what sets one up.
//!
//! Evidence is removed by `--prune` alone, and only after a question.

use clap::Args;

/// `cache recover`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Begin a new cache beside a damaged one with what is sound of it, and test it.\n\n\
        Works under running processes and ends none of them: they move to the new cache at once. Then every entry of the \
        old one that can be read, whose checksums are right, that has not expired and that no change was about is taken \
        over, with its times. The old cache stays where it is, as evidence, with a marker beside it. A damaged state.db is \
        set aside and begun anew, and the circuit breaker is closed.\n\n\
        If it is the answers that you do not trust, rather than the disk: --no-salvage, or `awsideman cache clear`.",
    after_help = "Examples:\n  awsideman cache recover\n  awsideman cache recover --dry-run --json\n  \
        awsideman cache recover --no-salvage\n  awsideman cache recover --prune"
)]
pub struct RecoverArgs {
    /// Begin empty: take nothing over from the old cache
    #[arg(long)]
    pub no_salvage: bool,
    /// Only remove what earlier recoveries set aside, after asking
    #[arg(long, conflicts_with = "no_salvage")]
    pub prune: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `cache init`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Set up the directories of the cache and the state, for you alone or for a group.\n\n\
        With --shared they, and all that is in them, are for the members of --group: a service user and people, say. A \
        directory that nobody has configured is then /var/cache/awsideman or /var/lib/awsideman. Prints what to write into \
        the configuration. Nothing is changed when anything stands in the way.",
    after_help = "Examples:\n  awsideman cache init\n  awsideman cache init --shared --group awsideman --dry-run\n  \
        sudo awsideman cache init --shared --group awsideman"
)]
pub struct InitArgs {
    /// For the members of a group
    #[arg(long, requires = "group")]
    pub shared: bool,
    /// The group
    #[arg(long, value_name = "GROUP", requires = "shared")]
    pub group: Option<String>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
