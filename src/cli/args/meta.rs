//! `config`, `sandbox`, `doctor`, `completions` and `man`: the program itself.
//!
//! None of them changes AWS.

use crate::cli::args::sandbox_faults::FaultArgs;
use crate::model::parse_duration;
use clap::{Args, Subcommand};
use clap_complete::Shell;
use std::path::PathBuf;
use std::time::Duration;

/// `config ...`
#[derive(Debug, Clone, Subcommand)]
pub enum ConfigCommand {
    /// Show the configuration in use, with secrets hidden
    #[command(after_help = "Examples:\n  awsideman config show\n  awsideman config show --origin\n  \
        awsideman config show --json")]
    Show {
        /// Show where each value comes from
        #[arg(long)]
        origin: bool,
    },
    /// Check all configuration files and variables
    #[command(after_help = "Examples:\n  awsideman config validate\n  \
        awsideman config validate --config new.toml")]
    Validate,
    /// Write a configuration file with common keys as comments
    #[command(after_help = "Examples:\n  awsideman config init\n  awsideman config init --stdout\n  \
        awsideman config init --path /etc/awsideman/config.toml")]
    Init {
        /// Write to this file, not to that of the user
        #[arg(long, value_name = "FILE", conflicts_with = "stdout")]
        path: Option<PathBuf>,
        /// Print it, write nothing
        #[arg(long)]
        stdout: bool,
    },
    /// Print which configuration files are read, in order
    #[command(after_help = "Examples:\n  awsideman config path\n  awsideman config path --json")]
    Path,
}

/// `sandbox ...`
#[derive(Debug, Clone, Subcommand)]
#[expect(missing_docs, reason = "the arguments of a command have its help")]
pub enum SandboxCommand {
    Serve(Box<ServeArgs>),
    /// Print the directories and the content of the sandbox
    #[command(after_help = "Examples:\n  awsideman sandbox info\n  awsideman sandbox info --sandbox=7 --json")]
    Info,
}

/// Serve a generated Identity Center, until stopped
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Serve a generated Identity Center, until stopped.\n\n\
        It speaks the protocol of AWS, so that any AWS SDK can use it through its endpoint setting. The same \
        seed and sizes give the same organization. Changes are accepted, and lost when it ends. It listens on \
        the loopback interface only.\n\n\
        With --region the instance is in that region, and every other region answers as AWS does without an \
        instance. Without --region every region answers.",
    after_help = "Examples:\n  awsideman sandbox serve\n  \
        awsideman sandbox serve --port 9199 --users 5000 --tps 0\n  \
        awsideman sandbox serve --seed 7 --latency 80ms --read-lag 2s\n  \
        awsideman sandbox serve --region us-east-1 --additional-region eu-west-1\n  \
        awsideman sandbox serve --throttle-every 10 --reset-after CreateUser=1\n  \
        awsideman sandbox serve --faults '{\"hold\": [{\"operation\": \"ListUsers\"}]}'"
)]
pub struct ServeArgs {
    /// Listen on this port; 0 takes a free one, which is printed
    #[arg(long, value_name = "PORT", default_value_t = 0)]
    pub port: u16,
    /// Make up the organization from this number
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// How many users
    #[arg(long, value_name = "N", default_value_t = 300)]
    pub users: u32,
    /// How many groups
    #[arg(long, value_name = "N", default_value_t = 30)]
    pub groups: u32,
    /// How many accounts
    #[arg(long, value_name = "N", default_value_t = 12)]
    pub accounts: u32,
    /// How many permission sets
    #[arg(long, value_name = "N", default_value_t = 8)]
    pub permission_sets: u32,
    /// Add accounts in every state of AWS, and two with one name
    #[arg(long)]
    pub account_states: bool,
    /// Replicate the instance to this region (repeatable)
    #[arg(long, value_name = "REGION")]
    pub additional_region: Vec<String>,
    /// Wait this long before each answer
    #[arg(long, value_name = "DURATION", value_parser = parse_duration, default_value = "0")]
    pub latency: Duration,
    /// Throttle beyond this many calls a second; 0 never does
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub tps: u32,
    /// What goes wrong.
    #[command(flatten)]
    pub faults: FaultArgs,
}

/// Check everything that awsideman needs
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Check everything that awsideman needs.\n\n\
        Checks credentials and their expiry, region, instance, each read that is needed, directories, clock and \
        mail. The exit code is 0 if only optional parts are unset.",
    after_help = "Examples:\n  awsideman doctor\n  awsideman doctor --json\n  awsideman doctor --iam-policy\n  \
        awsideman doctor --iam-policy --writes"
)]
pub struct DoctorArgs {
    /// Print the IAM policy that is just enough, and check nothing
    #[arg(long)]
    pub iam_policy: bool,
    /// Let that policy allow changes too, not only reads
    #[arg(long, requires = "iam_policy")]
    pub writes: bool,
}

/// `completions`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  awsideman completions bash --out ~/.awsideman-completion\n  \
    awsideman completions zsh\n  awsideman completions fish")]
pub struct CompletionsArgs {
    /// The shell
    pub shell: Shell,
}

/// `man`
#[derive(Debug, Clone, Args)]
#[command(after_help = "Examples:\n  awsideman man | man -l -\n  awsideman man --dir ~/.local/share/man/man1")]
pub struct ManArgs {
    /// Write the pages of all commands into this directory
    #[arg(long, value_name = "DIR")]
    pub dir: Option<PathBuf>,
}
