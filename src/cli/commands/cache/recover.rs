//! `cache recover`: replaces a damaged cache, and lists what earlier recoveries set aside.
//!
//! Needs neither AWS nor a valid configuration. Prints where the quarantined databases are, and removes them only on request.

use crate::app::{Recovered, Recovery, RecoveryRequest, SetAside};
use crate::cache::Salvaged;
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::{entries, open_to_change};
use crate::cli::confirm::ask;
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};
use crate::model::format_size;
use clap::Args;
use serde_json::json;

/// Rebuild a damaged cache from its intact entries
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Rebuild a damaged cache from its intact entries.\n\n\
        Other processes can keep running: they switch to the new cache immediately. Entries of the old cache are \
        copied with their times if they can be read, their checksums are correct, they have not expired and no \
        recorded change covers them. The old cache stays in place as evidence, with a marker next to it. A \
        damaged state.db is set aside and replaced, and the circuit breaker is closed.\n\n\
        If you doubt the answers rather than the disk: --no-salvage, or `awsideman cache clear`.",
    after_help = "Examples:\n  awsideman cache recover\n  awsideman cache recover --dry-run --json\n  \
        awsideman cache recover --no-salvage\n  awsideman cache recover --prune"
)]
pub struct RecoverArgs {
    /// Begin empty: take nothing over from the old cache
    #[arg(long)]
    pub no_salvage: bool,
    /// Only remove what earlier recoveries set aside, after asking
    #[arg(long, conflicts_with = "no_salvage")]
    pub prune: bool,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

pub(super) fn recover(args: &RecoverArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    if args.prune {
        return prune(args, globals, output);
    }
    let session = open_to_change(globals, output)?;
    let request = RecoveryRequest { salvage: !args.no_salvage, dry_run: args.dry_run };
    let recovered = Recovery::new(&session.app).recover(request, session.progress.as_ref())?;
    output.report(&recovered, &page(&recovered))?;
    let works = recovered.test.as_ref().is_none_or(|test| test.ok);
    if works { Ok(()) } else { Err(CliError::quiet(Code::Failed)) }
}

fn page(recovered: &Recovered) -> TextReport {
    let mut page = TextReport::new();
    if let Some(old) = &recovered.old {
        page = page.line(if recovered.dry_run {
            format!("Would put a new cache in the place of {old}, which would stay as evidence")
        } else {
            format!("The old cache stays in place as evidence: {old}")
        });
    } else if recovered.dry_run {
        page = page.line("Would begin a new cache; there is none now");
    }
    if let Some(marker) = &recovered.marker {
        page = page.line(format!("Its marker: {marker}"));
    }
    if recovered.by_another {
        page = page.line("Another process has just recovered the cache; this one changed nothing");
    }
    if let Some(new) = &recovered.new {
        page = page.line(format!("The new cache: {new}"));
    }
    if let Some(salvaged) = &recovered.salvaged {
        page = salvage_lines(page, salvaged, recovered.dry_run);
    }
    if let Some(state) = &recovered.state {
        page = page.line(state);
    }
    let Some(test) = &recovered.test else { return page };
    page.line(if test.ok {
        "The new cache was tested: ok"
    } else {
        "The new cache was tested: it does not work; see `awsideman cache test`"
    })
    .line("Running processes move to it by themselves. Next: awsideman cache warm")
}

fn salvage_lines(mut page: TextReport, salvaged: &Salvaged, dry_run: bool) -> TextReport {
    if salvaged.read > 0 || salvaged.ended.is_none() {
        let verb = if dry_run { "Would take over" } else { "Taken over" };
        let read = entries(salvaged.read);
        page = page.line(format!("{verb}: {} of {read} that can be read", salvaged.stored));
    }
    for (reason, n) in &salvaged.left_out {
        page = page.line(format!("Left out: {n} ({reason})"));
    }
    match (salvaged.unreadable, &salvaged.ended) {
        (_, Some(reason)) if salvaged.read == 0 => page.line(format!("Nothing is taken over from it: {reason}")),
        (_, Some(reason)) => page.line(format!("Not all of it was gone through: {reason}")),
        (0, None) => page,
        (n, None) => page.line(format!("Parts of it could not be read: {n}")),
    }
}

fn prune(args: &RecoverArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change(globals, output)?;
    let found = Recovery::new(&session.app).evidence()?;
    let bytes: u64 = found.iter().map(|one| one.bytes).sum();
    let rows = |found: &[SetAside]| found.iter().map(|one| vec![one.path.clone(), format_size(one.bytes)]).collect();
    let document = json!({"schema_version": 1, "dry_run": args.dry_run, "removed": found, "bytes": bytes});
    if found.is_empty() {
        return output.report(&document, &TextReport::new().line("Nothing is set aside"));
    }
    let count = if found.len() == 1 { "1 database".to_owned() } else { format!("{} databases", found.len()) };
    let page = TextReport::new().table(&["Set aside", "Size"], rows(&found));
    if args.dry_run {
        return output.report(&document, &page.line(format!("Would remove {count} ({})", format_size(bytes))));
    }
    if !globals.yes {
        for one in &found {
            output.talk().note(&format!("{} ({})", one.path, format_size(one.bytes)));
        }
    }
    ask(&format!("remove {count} that earlier recoveries set aside ({})", format_size(bytes)), globals.yes, output)?;
    Recovery::new(&session.app).prune(&found)?;
    output.report(&document, &page.line(format!("Removed {count} ({})", format_size(bytes))))
}
