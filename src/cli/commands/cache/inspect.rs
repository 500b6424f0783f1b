//! `cache inspect`: entries with their metadata and verified checksums.
//!
//! Guarantee: nothing is changed and AWS is not called; a damaged entry ends with exit code 12.

use crate::app::{Inspected, Inspector};
use crate::cache::{ChecksumState, pattern};
use crate::cli::args::GlobalArgs;
use crate::cli::commands::cache::named;
use crate::cli::commands::cache::open::{entries, open_loudly};
use crate::cli::exit_code::{CliError, Code};
use crate::cli::output::{Output, TextReport};
use crate::model::{format_duration, format_size};
use crate::progress::Progress;
use clap::{ArgGroup, Args};
use serde_json::json;
use std::time::Duration;

/// Show entries with their metadata and verified checksums
#[derive(Debug, Clone, Args)]
#[command(
    group = ArgGroup::new("which").required(true).args(["key", "pattern"]),
    long_about = "Show entries with their metadata and verified checksums.\n\n\
        Shows age, TTL and where it is set, size, the AWS call, the last use, and the changes that invalidate \
        the entry. Nothing is changed, not even a damaged entry. The exit code is 5 if KEY is not there, and 12 \
        if an entry is damaged.",
    after_help = "Examples:\n  awsideman cache inspect user:list:all\n  \
        awsideman cache inspect --pattern 'group:*' --json"
)]
pub struct InspectArgs {
    /// The key of one entry
    #[arg(value_name = "KEY")]
    pub key: Option<String>,
    /// Only the keys that this glob matches; `*` crosses colons
    #[arg(long, value_name = "GLOB")]
    pub pattern: Option<String>,
}

pub(super) fn inspect(args: &InspectArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    let wanted = match (&args.key, &args.pattern) {
        (Some(key), _) => named::key(&session.app, key, &mut |text| session.progress.notice(text))?.to_string(),
        (None, glob) => pattern(glob.as_deref().unwrap_or_default())?,
    };
    let found = Inspector::new(&session.app).inspect(&wanted)?;
    if args.key.is_some() && found.is_empty() {
        return Err(CliError::new(Code::NotFound, format!("the cache does not hold {wanted}"))
            .hint(format!("`awsideman cache why {wanted}` explains why")));
    }
    let page = match found.as_slice() {
        [one] if args.key.is_some() => fields(TextReport::new().field("Key", &one.key), one),
        many => table(many),
    };
    output.report(&json!({"schema_version": 1, "entries": found}), &page)?;
    if found.iter().any(|entry| entry.checksum == ChecksumState::Damaged) {
        return Err(CliError::quiet(Code::Integrity));
    }
    Ok(())
}

fn table(found: &[Inspected]) -> TextReport {
    let row = |entry: &Inspected| {
        vec![
            entry.key.clone(),
            entry.verdict.to_owned(),
            checksum(entry.checksum).to_owned(),
            span(entry.age_seconds),
            span(entry.left_seconds.max(0)),
            format_size(entry.held_bytes),
            entry.source.clone(),
        ]
    };
    TextReport::new()
        .table(&["Key", "Verdict", "Checksums", "Age", "Left", "Size", "Source"], found.iter().map(row).collect())
        .line(entries(found.len() as u64))
}

pub(super) fn fields(page: TextReport, entry: &Inspected) -> TextReport {
    let causes = if entry.dirtied_by.is_empty() {
        "no change that awsideman makes".to_owned()
    } else {
        entry.dirtied_by.join(", ")
    };
    page.field("Verdict", format!("{}, {} old", entry.verdict, span(entry.age_seconds)))
        .field("Stored at", &entry.stored_at)
        .field("Fresh for", span(entry.left_seconds.max(0)))
        .field(
            "Time to live",
            format!("{}  ({}, {})", span(entry.ttl_seconds.cast_signed()), entry.ttl_key, entry.ttl_origin),
        )
        .field("Last used", &entry.last_used)
        .field("Source", &entry.source)
        .field("Size", format!("{}, {} at rest", format_size(entry.size_bytes), format_size(entry.held_bytes)))
        .field("Schema", entry.schema.to_string())
        .field("Checksums", checksum(entry.checksum))
        .field("Would be removed by", causes)
        .field("Space", &entry.space)
}

fn checksum(integrity: ChecksumState) -> &'static str {
    match integrity {
        ChecksumState::Intact => "sound",
        ChecksumState::OtherVersion => "of another version",
        ChecksumState::Damaged => "damaged",
    }
}

fn span(seconds: i64) -> String {
    format_duration(Duration::from_secs(seconds.unsigned_abs()))
}
