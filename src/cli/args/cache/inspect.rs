//! `cache inspect`, `why`, `check`, `export`, `import`: what lies in the cache, and whether it is sound.
//!
//! None of them asks AWS, and only `import` changes the cache.

use clap::{ArgGroup, Args};
use std::path::PathBuf;

/// `cache inspect`
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["key", "pattern"]),
    long_about = "Show entries from all sides, their checksums verified.\n\n\
        Age, time to live and where that is set, size, the call that gave it, its last use, and the changes that remove it. \
        Nothing is changed, not even what is damaged. The exit code is 5 when KEY is not there, and 12 when one is damaged.",
    after_help = "Examples:\n  awsideman cache inspect user:list:all\n  \
        awsideman cache inspect --pattern 'group:*' --json"
)]
pub struct InspectArgs {
    /// The key of one entry
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Only the keys that this glob matches; `*` crosses colons
    #[arg(long, value_name = "GLOB")]
    pub pattern: Option<String>,
}

/// `cache why`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Say why a key is or is not answered from the cache.\n\n\
        One sentence, then what it rests on: the entry, the changes in the log that cover it, and what sweeps have \
        removed. Changes are remembered for an hour, sweeps for some thousand entries.",
    after_help = "Examples:\n  awsideman cache why user:list:all\n  awsideman cache why group:list:all --json"
)]
pub struct WhyArgs {
    /// The key of one entry
    #[arg(value_name = "KEY")]
    pub key: String,
}

/// `cache check`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Look whether all that is stored is sound.\n\n\
        The database as SQLite sees it, CURRENT, the switch, the tally and state.db; with --full every byte of every entry \
        too. Nothing is changed. The exit code is 12 when anything is damaged.",
    after_help = "Examples:\n  awsideman cache check\n  awsideman cache check --full --json"
)]
pub struct CheckArgs {
    /// Look at databases and files only, as without a flag
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Verify every byte of every entry too
    #[arg(long)]
    pub full: bool,
}

/// `cache export`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Write the fresh entries to a file.\n\n\
        The file is readable by you alone and appears whole or not at all; `-` writes to stdout, and a pipe or a device is \
        written into. It has a manifest and a \
        checksum. Entries keep their times, so that it is of use for as long as they are fresh.",
    after_help = "Examples:\n  awsideman cache export cache.awsideman\n  \
        awsideman cache export - | ssh bastion awsideman cache import -"
)]
pub struct ExportArgs {
    /// The file, or `-`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Take all there are, not only those chosen by default
    #[arg(long)]
    pub all: bool,
}

/// `cache import`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Store what a file of `cache export` holds and the cache lacks.\n\n\
        The file is verified to its last byte before anything is stored. Entries keep their times and their instance. What \
        has expired, what a change has overtaken, and what is older than the log of changes remembers stays out. Whoever \
        made the file is believed: import only what you trust.",
    after_help = "Examples:\n  awsideman cache import cache.awsideman\n  \
        awsideman cache import cache.awsideman --dry-run"
)]
pub struct ImportArgs {
    /// The regular file, or `-` for stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}
