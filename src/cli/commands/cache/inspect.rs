//! `cache inspect`, `cache why`, `cache check`: what lies in the cache, and whether it is sound.
//!
//! Nothing is changed and AWS is not asked; a damage is told with what mends it, and ends with 12.

use crate::app::{CheckReport, Inspected, Inspector, Integrity, Reasons};
use crate::cache::{Soundness, pattern};
use crate::cli::args::GlobalArgs;
use crate::cli::args::cache::{CheckArgs, InspectArgs, WhyArgs};
use crate::cli::commands::cache::entries;
use crate::cli::commands::cache::named;
use crate::cli::commands::cache::open_loudly;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, Style, TextReport};
use crate::model::{format_duration, format_size};
use crate::progress::Progress;
use serde_json::json;
use std::time::Duration;

pub(super) fn inspect(args: &InspectArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    let wanted = match (&args.key, &args.pattern) {
        (Some(key), _) => named::key(&session.app, key, &mut |text| session.progress.notice(text))?.to_string(),
        (None, glob) => pattern(glob.as_deref().unwrap_or_default())?,
    };
    let found = Inspector::new(&session.app).inspect(&wanted)?;
    if args.key.is_some() && found.is_empty() {
        return Err(CliError::new(Code::NotFound, format!("the cache does not hold {wanted}"))
            .hint(format!("`awsideman cache why {wanted}` says what is known of it")));
    }
    let page = match found.as_slice() {
        [one] if args.key.is_some() => fields(TextReport::new().field("Key", &one.key), one),
        many => table(many),
    };
    output.report(&json!({"schema_version": 1, "entries": found}), &page)?;
    if found.iter().any(|entry| entry.checksum == Soundness::Damaged) {
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

fn fields(page: TextReport, entry: &Inspected) -> TextReport {
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

pub(super) fn why(args: &WhyArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = open_loudly(globals, output)?;
    let key = named::key(&session.app, &args.key, &mut |text| session.progress.notice(text))?;
    let reasons: Reasons = Inspector::new(&session.app).why(key.as_str())?;
    let (style, mark) = if reasons.hit { (Style::Good, "hit") } else { (Style::Warn, "no hit") };
    let mut page = TextReport::new().marked(style, mark, &reasons.why);
    if let Some(entry) = &reasons.entry {
        page = fields(page.title("Entry"), entry);
    }
    if !reasons.invalidations.is_empty() {
        let rows = reasons.invalidations.iter().map(|one| {
            let fence = match (&one.fence_until, one.stands) {
                (Some(until), true) => format!("until {until}"),
                (Some(_), false) => "ended".to_owned(),
                (None, _) => String::new(),
            };
            vec![one.at.clone(), one.number.to_string(), one.what.clone(), fence]
        });
        page = page.title("Changes").table(&["At", "Number", "What", "Fence"], rows.collect());
    }
    if !reasons.evictions.is_empty() {
        let rows = reasons
            .evictions
            .iter()
            .map(|one| vec![one.at.clone(), one.reason.to_owned(), one.last_used.clone(), format_size(one.held_bytes)]);
        page = page.title("Removed by sweeps").table(&["At", "Reason", "Last used", "Size"], rows.collect());
    }
    if let (Some(since), Some(began)) = (&reasons.log_since, &reasons.began) {
        page = page.title("Memory").field("Changes known since", since).field("This cache began", began);
    }
    output.report(&reasons, &page)
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
    page = page.line(if checkup.sound { "The cache is sound" } else { "The cache is damaged" });
    output.report(&checkup, &page)?;
    if checkup.sound { Ok(()) } else { Err(CliError::quiet(Code::Integrity)) }
}

fn checksum(soundness: Soundness) -> &'static str {
    match soundness {
        Soundness::Sound => "sound",
        Soundness::OtherVersion => "of another version",
        Soundness::Damaged => "damaged",
    }
}

fn span(seconds: i64) -> String {
    format_duration(Duration::from_secs(seconds.unsigned_abs()))
}
