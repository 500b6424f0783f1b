//! Words in: the whole tree of commands, flags and help texts.
//!
//! One flag has one meaning everywhere, every command shows an example, and a test walks the tree to see to both.

pub mod alerts;
pub mod assignment;
pub mod directory;
pub mod global;
pub mod identity_store;
pub mod jobs;
pub mod journal;
pub mod meta;
pub mod permission_set;
pub mod read_flags;
pub mod sandbox_faults;
pub mod time;

pub use global::{ColorChoice, FormatChoice, GlobalArgs};
pub use read_flags::ChangeArgs;
pub use read_flags::ColumnFilter;
pub use read_flags::FilterOperator;
pub use read_flags::FreshnessArgs;
pub use read_flags::ListArgs;
pub use read_flags::ReadArgs;
pub use read_flags::Sort;

use crate::cli::commands::cache::CacheCommand;
use crate::cli::exit_code;
use clap::{CommandFactory, Parser, Subcommand};

/// IAM Identity Center from a shared cache that is kept true.
#[derive(Debug, Clone, Parser)]
#[command(
    name = "awsideman",
    version,
    about = "Query AWS IAM Identity Center from a shared, coherent cache",
    long_about = "Query AWS IAM Identity Center from a shared, coherent cache.\n\n\
        Users, groups, permission sets, accounts and assignments are answered from a cache that every process of \
        this host shares. Jobs keep that cache warm, small and healthy. Data goes to stdout, everything else to \
        stderr.",
    after_help = exit_code::help(),
    subcommand_required = true,
    arg_required_else_help = true,
    max_term_width = 100
)]
pub struct Cli {
    /// The flags that every command takes.
    #[command(flatten)]
    pub globals: GlobalArgs,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Everything awsideman does.
#[derive(Debug, Clone, Subcommand)]
#[expect(missing_docs, reason = "the arguments of a command have its help")]
pub enum Command {
    /// Look up and change users and their groups
    #[command(subcommand, visible_alias = "users")]
    User(directory::UserCommand),
    /// Look up and change groups and their members
    #[command(subcommand, visible_alias = "groups")]
    Group(directory::GroupCommand),
    /// Look up and change permission sets and their policies
    #[command(
        subcommand,
        visible_aliases = ["permission-sets", "ps"],
        aliases = ["permission_set", "permission_sets", "permissionset", "permissionsets"]
    )]
    PermissionSet(directory::PermissionSetCommand),
    /// Look up the accounts of the organization
    #[command(subcommand, visible_alias = "accounts")]
    Account(directory::AccountCommand),
    /// Look up organizational units
    #[command(subcommand, visible_alias = "ous")]
    Ou(directory::OuCommand),
    /// Look up and change who has which permission set in which account
    #[command(subcommand, visible_alias = "assignments")]
    Assignment(directory::AssignmentCommand),
    /// Look up instances of IAM Identity Center
    #[command(subcommand, visible_alias = "instances")]
    Instance(directory::InstanceCommand),
    /// Inspect, fill, clean, disable and repair the cache
    #[command(subcommand)]
    Cache(CacheCommand),
    /// Run the jobs that keep the cache warm and healthy
    #[command(subcommand, visible_alias = "job")]
    Jobs(jobs::JobsCommand),
    /// Show the changes recorded in the journal
    #[command(subcommand)]
    Journal(journal::JournalCommand),
    /// Show, check and write the configuration
    #[command(subcommand)]
    Config(meta::ConfigCommand),
    /// See alerts, silence them, and try out how they are sent
    #[command(subcommand, visible_alias = "alert")]
    Alerts(alerts::AlertsCommand),
    /// Run a local Identity Center to try things on
    #[command(subcommand)]
    Sandbox(meta::SandboxCommand),
    /// Show the profile, region, instance and directories in use
    #[command(after_help = "Examples:\n  awsideman info\n  awsideman info --profile prod --json")]
    Info(FreshnessArgs),
    Doctor(meta::DoctorArgs),
    /// Print the version
    #[command(after_help = "Examples:\n  awsideman version\n  awsideman version --json")]
    Version,
    /// Print the completion script of a shell
    Completions(meta::CompletionsArgs),
    /// Print the manual page, or write the pages of all commands
    Man(meta::ManArgs),
}

/// The tree, built: for manual pages, completions and the tests that walk it.
pub fn tree() -> clap::Command {
    let mut tree = Cli::command().disable_help_subcommand(true);
    tree.build();
    tree
}

#[cfg(test)]
mod tests;
