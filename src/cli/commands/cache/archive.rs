//! `cache export`, `cache import`: the cache in a file, and back.
//!
//! With `-` stdout carries the archive and nothing else, and no archive goes to a terminal; what was left out is
//! told by reason.

use super::{entries, open_loudly, open_to_change};
use crate::app::{Archive, Scope};
use crate::cache::{Exported, Imported};
use crate::cli::args::GlobalArgs;
use crate::cli::args::cache::{ExportArgs, ImportArgs};
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport, is_stdout};
use crate::model::format_size;
use serde_json::json;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) fn export(args: &ExportArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let to_stdout = is_stdout(&args.file);
    if to_stdout && globals.out_file().is_some() {
        return Err(CliError::new(Code::Usage, "the argument '--out' cannot be used with '-'").hint("name the file"));
    }
    let session = open_loudly(globals, output)?;
    let (done, scope): (Exported, Scope) = if to_stdout {
        Archive::new(&session.app).export(args.all, output.bytes("an archive")?)?
    } else {
        Archive::new(&session.app).export_to(args.all, &args.file)?
    };
    let of = match &scope {
        Scope::Space(space) => format!("of {space}"),
        Scope::Everything { asked: true } => "of every instance".to_owned(),
        Scope::Everything { asked: false } => {
            "of the one instance in this cache; it is not known which one this profile belongs to".to_owned()
        }
    };
    if session.app.config().cache.encryption.enabled {
        output.talk().warning("the archive is not encrypted: whoever can read it can read the entries");
    }
    let line = format!("Exported {} {of} ({})", entries(done.entries), format_size(done.bytes));
    if to_stdout {
        output.talk().note(&line);
        return Ok(());
    }
    let document = json!({
        "schema_version": 1, "file": args.file, "entries": done.entries, "bytes": done.bytes, "skipped": done.skipped,
    });
    output.report(&document, &left_out(TextReport::new(), &done.skipped).line(line))
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
            "cache.backend is \"memory\": what is imported would end with this process",
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

fn left_out(page: TextReport, skipped: &BTreeMap<&'static str, u64>) -> TextReport {
    skipped.iter().fold(page, |page, (reason, n)| page.line(format!("Left out: {n} ({reason})")))
}
