//! `cache init`: the directories, for one user or for a group.
//!
//! Says what it changed and what to write into the configuration; the configuration itself is the reader's.

use super::open_loudly;
use crate::app::{InitReport, Initializer};
use crate::cli::args::GlobalArgs;
use crate::cli::args::cache::InitArgs;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, TextReport};

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
    page = page.line("Write into the configuration of everybody who is to use it, as in /etc/awsideman/config.toml:");
    let directory = |key: &str| done.directories.iter().find(|(name, _)| *name == key).map_or("", |(_, path)| path);
    page.line("")
        .line("[cache]")
        .line(format!("dir = {:?}", directory("cache.dir")))
        .line(format!("sharing = {:?}", done.sharing))
        .line("")
        .line("[state]")
        .line(format!("dir = {:?}", directory("state.dir")))
}
