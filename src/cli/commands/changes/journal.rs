//! `journal list` and `show`: what was changed from here.
//!
//! Neighbours: `gateway/journal.rs` keeps it in `state.db`. Promise: needs no AWS; a change whose process ended before it
//! knew how it went is shown as such, with what to look at.

use crate::cli::args::GlobalArgs;
use crate::cli::args::changes::JournalCommand;
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, Page};
use crate::cli::session::{Need, Session};
use crate::cli::times;
use crate::gateway::{Entry, journal_entry, journal_list, operation_words};
use serde_json::{Value, json};

/// Entries that are listed when nobody says how many.
const FEW: u64 = 20;

/// `journal ...`
pub(crate) fn journal(command: &JournalCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = Session::open(globals, Need::Anything, output)?;
    session.say_notices();
    let database = session.app.state().database_read_only()?;
    match command {
        JournalCommand::List { limit } => {
            let entries = match &database {
                Some(database) => journal_list(database, None, limit.unwrap_or(FEW))?,
                None => Vec::new(),
            };
            let rows = entries
                .iter()
                .map(|entry| {
                    let outcome = entry.outcome.clone().unwrap_or_else(|| "ended without a word".to_owned());
                    vec![
                        entry.id.to_string(),
                        times::local(entry.at),
                        operation_words(&entry.operation),
                        target(entry),
                        outcome,
                    ]
                })
                .collect();
            let page = if entries.is_empty() {
                Page::new().line("No change was made from here")
            } else {
                Page::new().table(&["No", "When", "Operation", "Target", "Outcome"], rows)
            };
            let all: Vec<Value> = entries.iter().map(document).collect();
            output.report(&json!({"schema_version": 1, "entries": all}), &page)
        }
        JournalCommand::Show { id } => {
            let entry = database.as_ref().map(|database| journal_entry(database, *id)).transpose()?.flatten();
            let Some(entry) = entry else {
                return Err(Failure::new(Code::NotFound, format!("the journal has no change {id}"))
                    .hint("`awsideman journal list` shows the newest"));
            };
            let mut page = Page::new()
                .field("No", entry.id.to_string())
                .field("When", times::local(entry.at))
                .field("Who", entry.who.clone())
                .field("Where", entry.space.clone())
                .field("Operation", operation_words(&entry.operation))
                .field("Request", entry.request.to_string())
                .field("Before", entry.before.to_string());
            if let Some(request) = &entry.request_id {
                page = page.field("Request id", request.clone());
            }
            page = match &entry.outcome {
                Some(outcome) => page.field("Outcome", outcome.clone()),
                None => page.field("Outcome", "ended without a word: look at AWS with --refresh whether it was made"),
            };
            output.report(&document(&entry), &page)
        }
    }
}

fn document(entry: &Entry) -> Value {
    let mut document = json!(entry);
    document["at"] = json!(times::utc(entry.at));
    document["schema_version"] = json!(1);
    document
}

/// What a change was about, in ids.
fn target(entry: &Entry) -> String {
    let fields =
        ["UserName", "UserId", "DisplayName", "GroupId", "Name", "PermissionSetArn", "TargetId", "PrincipalId"];
    let found: Vec<&str> = fields.iter().filter_map(|field| entry.request[*field].as_str()).collect();
    found.join(" ")
}
