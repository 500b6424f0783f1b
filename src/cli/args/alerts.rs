//! `alerts ...`
//!
//! None of them asks AWS, and none moves an alert: that is done by runs of jobs alone.

use crate::cli::args::read_flags::count;
use crate::cli::args::read_flags::positive_duration;
use crate::cli::args::time::Moment;
use crate::cli::args::time::moment;
use clap::{Args, Subcommand, ValueEnum};
use std::time::Duration;

/// `alerts ...`
#[derive(Debug, Clone, Subcommand)]
#[expect(missing_docs, reason = "the arguments of a command have its help")]
pub enum AlertsCommand {
    /// List alerts by state, and when each is sent next
    #[command(after_help = "Examples:\n  awsideman alerts list\n  awsideman alerts list --json")]
    List,
    /// Send a test message
    #[command(after_help = "Examples:\n  awsideman alerts test\n  awsideman alerts test --channel webhook\n  \
        awsideman alerts test --config new.toml")]
    Test {
        /// Send by this way alone, also when it is not switched on
        #[arg(long, value_name = "CHANNEL")]
        channel: Option<ChannelWord>,
    },
    Silence(SilenceArgs),
    /// End silences early
    #[command(
        long_about = "End silences early.\n\n\
            Name a silence by its number or by its exact pattern. The next run of a job sends the alerts that \
            still fire.",
        after_help = "Examples:\n  awsideman alerts unsilence hit_rate\n  awsideman alerts unsilence 3"
    )]
    Unsilence {
        /// The silence: its number or its pattern
        #[arg(value_name = "KEY")]
        key: String,
    },
    /// Show the history of alerts and silences, newest first
    History(AlertHistoryArgs),
}

/// A way that messages leave by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum ChannelWord {
    /// `[alerts.email]`
    Mail,
    /// `[alerts.webhook]`
    Webhook,
    /// `[alerts.command]`
    Command,
}

/// Silence an alert, or list active silences
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Silence an alert, or list active silences.\n\n\
        KEY is a key as `alerts list` shows it, or a glob over keys (`job:*`). A silence survives restarts and \
        ends by itself; alerts that still fire then are sent. If the start of an alert was sent, its resolution \
        is sent too, even during a silence.",
    after_help = "Examples:\n  awsideman alerts silence hit_rate --for 2h --reason 'migration, INC-1234'\n  \
        awsideman alerts silence 'job:*' --until 18:00 --reason 'patch day'\n  awsideman alerts silence --list"
)]
pub struct SilenceArgs {
    /// The key of an alert, or a glob over keys
    #[arg(value_name = "KEY", required_unless_present = "list", conflicts_with = "list")]
    pub key: Option<String>,
    /// End by itself after this long, as in 30m or 4h
    #[arg(long = "for", value_name = "DURATION", value_parser = positive_duration, conflicts_with = "until",
        required_unless_present_any = ["list", "until"])]
    pub duration: Option<Duration>,
    /// End by itself at this time, as in 18:00 or 2026-12-24T18:00
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub until: Option<Moment>,
    /// The reason; shown next to it
    #[arg(long, value_name = "TEXT", required_unless_present = "list")]
    pub reason: Option<String>,
    /// List the silences that hold
    #[arg(long)]
    pub list: bool,
}

/// `alerts history`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  awsideman alerts history\n  awsideman alerts history 'job:*' -n 20\n  \
    awsideman alerts history --json")]
pub struct AlertHistoryArgs {
    /// Only what happened to this key, or to keys that match this glob
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Print at most this many
    #[arg(short = 'n', long, value_name = "N", value_parser = count, allow_negative_numbers = true,
        help_heading = "Selection")]
    pub limit: Option<u64>,
}
