//! `cache export`: writes fresh entries to an archive.
//!
//! Guarantee: stdout carries the archive and nothing else, and no archive goes to a terminal.

use crate::app::{Archive, Scope};
use crate::cache::Exported;
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::open::{entries, left_out, open_loudly};
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport, is_stdout};
use crate::model::format_size;
use clap::Args;
use serde_json::json;
use std::path::PathBuf;

/// Write the fresh entries to an archive
#[derive(Debug, Clone, Args)]
#[command(
    long_about = "Write the fresh entries to an archive.\n\n\
        The file is readable by you only and appears complete or not at all; `-` writes to stdout. It has a \
        manifest and a checksum. Entries keep their times, so it is useful as long as they are fresh.",
    after_help = "Examples:\n  awsideman cache export cache.awsideman\n  \
        awsideman cache export - | ssh bastion awsideman cache import -"
)]
pub struct ExportArgs {
    /// The file, or `-`
    #[arg(value_name = "FILE")]
    pub file: PathBuf,
    /// Take all there are, not only those chosen by default
    #[arg(long)]
    pub all: bool,
}

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
        output.talk().warning("the archive is not encrypted: a user who can read it can read the entries");
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
