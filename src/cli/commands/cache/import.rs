//! `cache import`: stores the entries of an archive that the cache lacks.

use crate::app::Archive;
use crate::cache::Imported;
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::{entries, left_out, open_to_change};
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};
use clap::Args;
use serde_json::json;
use std::path::{Path, PathBuf};

/// Store the entries of an archive that the cache lacks
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Store the entries of an archive that the cache lacks.\n\n\
        The file is verified to its last byte before anything is stored. Entries keep their times and their \
        instance. Expired entries, entries that a change has invalidated, and entries older than the \
        invalidation log are not imported. The author of the file determines your answers: import only archives \
        that you trust.",
    after_help = "Examples:\n  awsideman cache import cache.awsideman\n  \
        awsideman cache import cache.awsideman --dry-run"
)]
pub struct ImportArgs {
    /// The regular file, or `-` for stdin
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Say what would be done, and do nothing
    #[arg(long)]
    pub dry_run: bool,
}

pub(super) fn import(args: &ImportArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_to_change(globals, output)?;
    if let Some(disabled) = session.app.disabled() {
        let reason = disabled.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        return Err(session.cache_needed(format!("the cache is disabled{reason}: nothing is stored")));
    }
    if session.app.is_memory() {
        return Err(CliError::new(
            Code::CacheNeeded,
            "cache.backend is \"memory\": imported entries would be lost when this process exits",
        )
        .hint("set `cache.backend` to \"disk\""));
    }
    let (done, refusal): (Imported, Option<&str>) = if args.file == Path::new("-") {
        Archive::new(&session.app).import(&mut std::io::stdin().lock(), args.dry_run)?
    } else {
        Archive::new(&session.app).import_from(&args.file, args.dry_run)?
    };
    if let Some(reason) = refusal {
        output.talk().note(&format!(
            "the instance of this profile was not imported: {reason}; the next command asks AWS for it, and \
             `--cache-only` does not work before that"
        ));
    }
    let document = json!({
        "schema_version": 1, "entries": done.entries, "stored": done.stored, "skipped": done.skipped,
        "dry_run": args.dry_run, "instance_imported": refusal.is_none() && !args.dry_run,
    });
    let verb = if args.dry_run { "Would import" } else { "Imported" };
    let line = format!("{verb} {} of {}", done.stored, entries(done.entries));
    output.report(&document, &left_out(TextReport::new(), &done.skipped).line(line))
}
