//! `jobs ...`
//!
//! Neighbours: `args.rs` holds it in the tree; `commands/jobs.rs` carries it out. Promise: by hand, by cron and by the
//! daemon the same jobs run the same way.

use clap::{Args, Subcommand};
use std::net::SocketAddr;

/// `jobs ...`
#[derive(Debug, Clone, Subcommand)]
pub enum JobsCommand {
    /// List the jobs, when each ran last and when it is due
    #[command(after_help = "Examples:\n  awsideman jobs list\n  awsideman jobs list --json")]
    List,
    /// Run the jobs that are due, or those that are named
    Run(RunArgs),
    /// Show past runs, newest first
    History(HistoryArgs),
    /// Check the job files, and whether each warm keeps up with its TTLs
    #[command(after_help = "Examples:\n  awsideman jobs validate\n  awsideman jobs validate --json")]
    Validate,
    /// Stay and run jobs as they fall due, until told to end
    Daemon(DaemonArgs),
}

/// `jobs daemon`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Stay and run jobs as they fall due, until told to end.\n\n\
        SIGTERM and SIGINT let running jobs finish, SIGHUP reads the configuration again. With an address to listen on it \
        serves a status page (/), /metrics, /healthz, /readyz and /api/status, read-only.",
    after_help = "Examples:\n  awsideman jobs daemon\n  awsideman jobs daemon --listen 127.0.0.1:9464\n  \
        awsideman jobs daemon --config /etc/awsideman/prod.toml"
)]
pub struct DaemonArgs {
    /// Serve the status page and the metrics here (default: `daemon.listen`)
    #[arg(long, value_name = "ADDRESS:PORT", help_heading = "Status page")]
    pub listen: Option<SocketAddr>,
    /// Let that be an address that other hosts reach
    #[arg(long, help_heading = "Status page")]
    pub allow_remote: bool,
}

/// `jobs run`
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Run the jobs that are due, or those that are named.\n\n\
        Never sleeps: it runs what is due now and ends. A job that another process is running is left alone. Run from \
        cron it is silent while all goes well.",
    after_help = "Examples:\n  awsideman jobs run\n  awsideman jobs run warm --verbose\n  \
        awsideman jobs run --all --dry-run"
)]
pub struct RunArgs {
    /// Run these jobs now, due or not
    #[arg(value_name = "NAME", conflicts_with_all = ["all", "due"])]
    pub names: Vec<String>,
    /// Take all there are, not only those chosen by default
    #[arg(long, conflicts_with = "due")]
    pub all: bool,
    /// Run what is due (as without names)
    #[arg(long)]
    pub due: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// `jobs history`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  awsideman jobs history\n  awsideman jobs history warm -n 20\n  \
    awsideman jobs history --json")]
pub struct HistoryArgs {
    /// Only the runs of this job
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Print at most this many
    #[arg(short = 'n', long, value_name = "N", help_heading = "Selection")]
    pub limit: Option<u64>,
}
