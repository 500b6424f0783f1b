//! `cache check`: verifies the integrity of databases, files and entries.
//!
//! Guarantee: nothing is changed; damage ends with exit code 12.

use crate::app::{CheckReport, Integrity};
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::{entries, open_loudly};
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, Style, TextReport};
use crate::model::format_size;
use clap::Args;

/// Verify the integrity of the cache
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Verify the integrity of the cache.\n\n\
        Checks the database with SQLite, CURRENT, the switch, the lookup log and state.db; with --full also \
        every byte of every entry. Nothing is changed. The exit code is 12 if anything is damaged.",
    after_help = "Examples:\n  awsideman cache check\n  awsideman cache check --full --json"
)]
pub struct CheckArgs {
    /// Check databases and files only (default)
    #[arg(long, conflicts_with = "full")]
    pub quick: bool,
    /// Verify every byte of every entry too
    #[arg(long)]
    pub full: bool,
}

pub(super) fn check(args: &CheckArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    let checkup: CheckReport = Integrity::new(&session.app).check(args.full, session.progress.as_ref())?;
    let mut page = TextReport::new();
    for finding in &checkup.findings {
        let (style, mark) = if finding.damaged { (Style::Bad, "damaged") } else { (Style::Good, "ok") };
        let hint = if finding.hint.is_empty() { String::new() } else { format!("  ->  {}", finding.hint) };
        page = page.marked(style, mark, format!("{:<9} {}{hint}", finding.what, finding.detail));
    }
    if let Some(verified) = &checkup.entries {
        page = verified.damaged_keys.iter().fold(page, |page, key| page.line(format!("    {key}")));
        let all = verified.sound + verified.damaged + verified.other_version;
        page = page.line(format!("Verified {} ({})", entries(all), format_size(verified.bytes)));
    }
    page = page.line(if checkup.sound { "The cache is intact" } else { "The cache is damaged" });
    output.report(&checkup, &page)?;
    if checkup.sound { Ok(()) } else { Err(CliError::quiet(Code::Integrity)) }
}
