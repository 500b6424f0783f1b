//! `journal ...`
//!
//! Neither AWS nor a login is needed.

use crate::cli::args::read_flags::count;
use clap::Subcommand;

/// `journal ...`
#[derive(Debug, Clone, Subcommand)]
pub enum JournalCommand {
    /// List changes made with awsideman, newest first
    #[command(
        long_about = "List changes made with awsideman, newest first.\n\n\
            Every change is recorded before AWS is called, with the state before it. A change that was \
            interrupted may have been made by AWS.",
        after_help = "Examples:\n  awsideman journal list\n  awsideman journal list --limit 100 --json\n  \
            awsideman journal list --all"
    )]
    List {
        /// Print at most this many
        #[arg(short = 'n', long, value_name = "N", value_parser = count, allow_negative_numbers = true,
            help_heading = "Selection", conflicts_with = "all")]
        limit: Option<u64>,
        /// Take all there are, not only those chosen by default
        #[arg(long)]
        all: bool,
    },
    /// Show one change: request, previous state, outcome
    #[command(after_help = "Examples:\n  awsideman journal show 12\n  awsideman journal show 12 --json")]
    Show {
        /// The number of the change
        number: i64,
    },
}
