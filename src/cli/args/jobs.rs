//! `jobs ...`
//!
//! By hand, by cron and by the daemon the same jobs run the same way.

use crate::cli::args::read_flags::count;
use crate::cli::args::read_flags::positive_duration;
use crate::cli::args::time::Moment;
use crate::cli::args::time::moment;
use clap::{Args, Subcommand};
use std::net::SocketAddr;
use std::time::Duration;

/// `jobs ...`
#[derive(Debug, Clone, Subcommand)]
#[expect(missing_docs, reason = "the arguments of a command have its help")]
pub enum JobsCommand {
    /// List jobs with their last and next run
    #[command(after_help = "Examples:\n  awsideman jobs list\n  awsideman jobs list --json")]
    List,
    Run(RunArgs),
    /// Show past runs, newest first
    History(HistoryArgs),
    Next(NextArgs),
    Simulate(SimulateArgs),
    Pause(PauseArgs),
    /// Resume paused jobs
    #[command(
        long_about = "Resume paused jobs.\n\n\
            Without a name, the pause of all jobs ends, and the pause of each single job.",
        after_help = "Examples:\n  awsideman jobs resume\n  awsideman jobs resume warm"
    )]
    Resume {
        /// Only this job
        #[arg(value_name = "NAME")]
        name: Option<String>,
    },
    /// Show output and counts of the runs of a job
    Logs(LogsArgs),
    /// Cancel a run of a job in any process
    #[command(
        long_about = "Cancel a run of a job in any process.\n\n\
            Sends a request to the process that holds the job's lock, and waits until the run has ended with the outcome \
            `cancelled`. Entries that a warm has fetched by then are kept. No signal is sent. The id of a process that \
            does not answer is printed. A job that is not running is not an error.",
        after_help = "Examples:\n  awsideman jobs cancel warm\n  awsideman jobs cancel warm --json"
    )]
    Cancel {
        /// The job
        #[arg(value_name = "NAME")]
        name: String,
    },
    Install(InstallArgs),
    /// Validate job files and the intervals of warms
    #[command(after_help = "Examples:\n  awsideman jobs validate\n  awsideman jobs validate --json")]
    Validate,
    Daemon(DaemonArgs),
}

/// Run jobs when they are due, until stopped
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Run jobs when they are due, until stopped.\n\n\
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

/// Run due jobs, or the named ones
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Run due jobs, or the named ones.\n\n\
        Never sleeps: it runs what is due now and ends. A job that another process is running is skipped, or \
        with --wait waited for. A broken job file fails only its own job. From cron it prints nothing if \
        everything succeeds.",
    after_help = "Examples:\n  awsideman jobs run\n  awsideman jobs run warm --verbose\n  \
        awsideman jobs run --all --dry-run\n  awsideman jobs run warm --wait --output json"
)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
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
    /// Wait for what another awsideman is doing, rather than leave it out
    #[arg(long, conflicts_with = "dry_run")]
    pub wait: bool,
    /// Run at most this many jobs at the same time
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1_000))]
    pub parallel: Option<u16>,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

/// Show when jobs are due next
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Show when jobs are due next.\n\n\
        Without -n, the next run of each job; with it, that many runs of all jobs in order. Times are in the \
        time zone of the schedule and include the jitter of this host.",
    after_help = "Examples:\n  awsideman jobs next\n  awsideman jobs next warm -n 5\n  awsideman jobs next -n 20 --json"
)]
pub struct NextArgs {
    /// Only these jobs
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Print at most this many
    #[arg(short = 'n', long, value_name = "N", value_parser = count, allow_negative_numbers = true,
        help_heading = "Selection")]
    pub limit: Option<u64>,
}

/// Show what would run and be skipped in a period
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Show what would run and be skipped in a period.\n\n\
        Applies the rules of the runner as if a runner were always active: schedules and their time zones, \
        jitter, pauses, a disabled cache, and overlaps if each job takes as long as its last run. Nothing is run \
        or written.",
    after_help = "Examples:\n  awsideman jobs simulate\n  \
        awsideman jobs simulate --from 2026-10-25T00:00 --to 2026-10-25T06:00\n  \
        awsideman jobs simulate --to 7d --json | jq -r '.runs[].job'"
)]
pub struct SimulateArgs {
    /// Only these jobs
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,
    /// Begin at this time (now unless given)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub from: Option<Moment>,
    /// End at this time, or this long after the beginning (a day unless given)
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub to: Option<Moment>,
}

/// Pause all jobs, or one job, for a time
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Pause all jobs, or one job, for a time.\n\n\
        Applies to cron, systemd, the daemon and calls by hand, until it ends by itself or with `jobs resume`. \
        Running jobs continue. Occurrences during a pause are recorded as skipped. Works without AWS and with an \
        invalid configuration.",
    after_help = "Examples:\n  awsideman jobs pause\n  awsideman jobs pause warm --until 18:00\n  \
        awsideman jobs pause --for 2h --reason 'directory migration, CHG-77'"
)]
pub struct PauseArgs {
    /// Only this job
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// End by itself at this time, as in 18:00 or 2026-12-24T18:00
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "duration")]
    pub until: Option<Moment>,
    /// End by itself after this long, as in 30m or 4h
    #[arg(long = "for", value_name = "DURATION", value_parser = positive_duration)]
    pub duration: Option<Duration>,
    /// The reason; shown next to it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
}

/// `jobs logs`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  awsideman jobs logs warm\n  awsideman jobs logs warm -n 1 --json")]
pub struct LogsArgs {
    /// The job
    #[arg(value_name = "NAME")]
    pub name: String,
    /// Print at most this many
    #[arg(short = 'n', long, value_name = "N", value_parser = count, allow_negative_numbers = true,
        help_heading = "Selection")]
    pub limit: Option<u64>,
}

/// Install a systemd or cron schedule that runs due jobs
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Install a systemd or cron schedule that runs due jobs.\n\n\
        Shows the files first and asks before it writes them. systemd gets a hardened service and a timer that \
        runs every minute, cron one line, --daemon a service that keeps running; the job files decide what runs. \
        Checks that the service user can run the program and read the configuration, and lists the variables and \
        the directories of PATH that this shell has and the service lacks. A profile that needs a browser login \
        or an MFA code is refused.",
    after_help = "Examples:\n  awsideman jobs install --systemd --dry-run\n  \
        awsideman jobs install --systemd --user\n  sudo awsideman jobs install --cron --profile reader\n  \
        awsideman jobs install --daemon --dry-run"
)]
#[command(group = clap::ArgGroup::new("service").required(true))]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag of its own")]
pub struct InstallArgs {
    /// Write a systemd service and timer
    #[arg(long, group = "service")]
    pub systemd: bool,
    /// Write a line for cron
    #[arg(long, group = "service")]
    pub cron: bool,
    /// Write a systemd service for `jobs daemon`
    #[arg(long, group = "service")]
    pub daemon: bool,
    /// For this user alone, not for the whole host
    #[arg(long)]
    pub user: bool,
    /// Accept a profile whose login ends within hours
    #[arg(long)]
    pub allow_sso_login: bool,
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
    #[arg(short = 'n', long, value_name = "N", value_parser = count, allow_negative_numbers = true,
        help_heading = "Selection")]
    pub limit: Option<u64>,
}
