//! `cache init`: sets up the directories for one user or for a group.
//!
//! Prints what it changed and what to add to the configuration, which it does not edit.

use crate::app::{InitReport, Initializer};
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::open_loudly;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, TextReport};
use clap::Args;

/// Prepare the directories, for you or for a group
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Set up the directories of the cache and the state, for you alone or for a group.\n\n\
        With --shared the directories and their content belong to the members of --group, such as a service user \
        and administrators. If no directory is configured, they are /var/cache/awsideman and /var/lib/awsideman. \
        Prints the lines for the configuration. Nothing is changed if anything prevents it.",
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

pub(super) fn init(args: &InitArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    let done = Initializer::new(&session.app).init(args.group.as_deref(), args.dry_run)?;
    output.report(&done, &page(&done))
}

fn page(done: &InitReport) -> TextReport {
    let mut page = TextReport::new();
    for step in &done.steps {
        let verb = match (step.what, done.dry_run) {
            ("make", false) => "Made",
            ("make", true) => "Would make",
            (_, false) => "Changed",
            (_, true) => "Would change",
        };
        page = page.line(format!("{verb} {} (mode {})", step.path, step.mode));
    }
    if done.steps.is_empty() {
        page = page.line("The directories are as they must be");
    }
    if done.configured {
        return page.line("The configuration says so already");
    }
    page = page.line("Add to the configuration of every user, as in /etc/awsideman/config.toml:");
    let directory = |key: &str| done.directories.iter().find(|(name, _)| *name == key).map_or("", |(_, path)| path);
    page.line("")
        .line("[cache]")
        .line(format!("dir = {:?}", directory("cache.dir")))
        .line(format!("sharing = {:?}", done.sharing))
        .line("")
        .line("[state]")
        .line(format!("dir = {:?}", directory("state.dir")))
}
