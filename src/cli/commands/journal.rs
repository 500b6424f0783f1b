//! `journal list` and `journal show`: the changes that were made from here.
//!
//! Neither AWS nor a valid configuration is needed; a change whose process died is shown as such, with what to
//! check.

use crate::app::StateReader;
use crate::cli::args::GlobalArgs;
use crate::cli::args::journal::JournalCommand;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, Style, TextReport};
use crate::cli::session::{Need, Session};
use crate::cli::times::{local, utc};
use crate::gateway::{JournalEntry, journal_entry, journal_list, operation_words};
use crate::progress::Progress;
use serde_json::{Value, json};

/// How many are listed by default.
const NEWEST: u64 = 20;

/// `journal ...`
pub(crate) fn journal(command: &JournalCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open(globals, Need::Anything, output)?;
    session.say_notices();
    // One that is not there yet is made by the first change, not by a look.
    let database = session.app.state().database_read_only()?;
    match command {
        JournalCommand::List { limit, all } => {
            let limit = if *all { u64::MAX } else { limit.unwrap_or(NEWEST) };
            let entries = match &database {
                Some(database) => journal_list(database, None, limit)?,
                None => Vec::new(),
            };
            if let Some(notice) = StateReader::new(&session.app).set_aside_notice() {
                session.progress.notice(&notice);
            }
            if entries.is_empty() {
                session.progress.notice("no changes were made from here");
            }
            let rows = entries.iter().map(row).collect();
            let page = TextReport::new().table(&["Number", "When", "Who", "What", "Outcome"], rows);
            let entries: Vec<Value> = entries.iter().map(document).collect();
            output.report(&json!({"schema_version": 1, "entries": entries}), &page)
        }
        JournalCommand::Show { number } => {
            let entry = database.as_ref().map(|database| journal_entry(database, *number)).transpose()?.flatten();
            let entry = entry.ok_or_else(|| {
                CliError::new(Code::NotFound, format!("the journal has no change {number}"))
                    .hint("`awsideman journal list` shows what it has")
            })?;
            let mut document = document(&entry);
            document["schema_version"] = json!(1);
            output.report(&document, &shown(&entry))
        }
    }
}

/// How it ended, in words.
fn outcome(entry: &JournalEntry) -> &str {
    entry.outcome.as_deref().unwrap_or("interrupted")
}

/// What to do about a change of which it is not known whether AWS made it.
fn check(entry: &JournalEntry) -> Option<String> {
    let outcome = outcome(entry);
    let is_open = outcome.starts_with("unknown") || entry.outcome.is_none();
    let see = entry.request_id.as_ref().map_or_else(
        || "ask AWS what is there now, with `--refresh`".to_owned(),
        |id| format!("`awsideman assignment status {id}` shows how it ended"),
    );
    is_open.then(|| format!("it is not known whether AWS made it: {see}"))
}

/// The ids that a request names, in one line.
fn about(entry: &JournalEntry) -> String {
    let mut found = Vec::new();
    named(&entry.request, &mut found);
    found.join(" ")
}

fn named(value: &Value, into: &mut Vec<String>) {
    for (name, value) in value.as_object().into_iter().flatten() {
        match value {
            Value::String(text) if name != "InlinePolicy" => into.push(format!("{name}={text}")),
            Value::Object(_) => named(value, into),
            _ => {}
        }
    }
}

fn row(entry: &JournalEntry) -> Vec<String> {
    let what = format!("{} {}", operation_words(&entry.operation), about(entry));
    vec![entry.id.to_string(), local(entry.at), entry.who.clone(), what, outcome(entry).to_owned()]
}

fn document(entry: &JournalEntry) -> Value {
    let mut document = json!(entry);
    document["at"] = json!(utc(entry.at));
    document["check"] = json!(check(entry));
    document
}

fn shown(entry: &JournalEntry) -> TextReport {
    let style = match outcome(entry) {
        "done" => Style::Good,
        text if text.starts_with("failed") => Style::Bad,
        _ => Style::Warn,
    };
    let page = TextReport::new()
        .field("Number", entry.id.to_string())
        .field("When", local(entry.at))
        .field("Who", entry.who.clone())
        .field("What", operation_words(&entry.operation))
        .field("Request id", entry.request_id.clone().unwrap_or_else(|| "-".to_owned()))
        .field("Instance", entry.space.clone())
        .marked(style, "outcome", outcome(entry));
    let page = check(entry).map_or(page.clone(), |check| page.line(format!("hint: {check}")));
    let before = match (&entry.before, entry.before_cut_of) {
        (Value::Null, _) => "nothing was read".to_owned(),
        (Value::String(start), Some(of)) => format!("{start}\ncut at {} of {of} bytes", start.len()),
        (before, _) => format!("{before:#}"),
    };
    page.title("Asked for").line(format!("{:#}", entry.request)).title("There before").line(before)
}
