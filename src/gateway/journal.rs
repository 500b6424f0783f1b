//! The journal: records every change before the call to AWS, and its outcome after it.
//!
//! Guarantee: a change whose process died is in the journal with its before-image, so that it can be
//! undone by hand. If the journal cannot be written, a notice is printed and the change is made.

use crate::clock::UnixMillis;
use crate::model::cut;
use crate::sqlite::{OptionalExtension, Row, StatementError, params};
use crate::state::{Database, StateError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::sync::{Mutex, PoisonError};

/// How a change ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case", tag = "outcome", content = "reason")]
pub enum MutationOutcome {
    /// AWS did it.
    Done,
    /// AWS refused it, or accepted it and failed; nothing was changed.
    Failed(String),
    /// It is unknown whether AWS did it: the answer was lost, or AWS had not finished.
    Unknown(String),
}

impl MutationOutcome {
    fn text(&self) -> String {
        match self {
            MutationOutcome::Done => "done".to_owned(),
            MutationOutcome::Failed(reason) => format!("failed: {reason}"),
            MutationOutcome::Unknown(reason) => format!("unknown: {reason}"),
        }
    }
}

/// One line of the journal.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JournalEntry {
    /// Its number.
    pub id: i64,
    /// When the change started.
    pub at: UnixMillis,
    /// The text of the namespace that it changed.
    pub space: String,
    /// Who: user, host and AWS profile.
    pub who: String,
    /// The operation as on the wire (`AWSIdentityStore.CreateUser`).
    pub operation: String,
    /// What was asked for, with the field names of the API.
    pub request: Value,
    /// The before-image as AWS returned it; null if there was none, the start of its text if it was truncated.
    pub before: Value,
    /// The length of the whole text of `before`, in bytes, if it was truncated: then it cannot be restored.
    pub before_cut_of: Option<u64>,
    /// The request id of an asynchronous request.
    pub request_id: Option<String>,
    /// `done`, `failed: ...`, `unknown: ...`; null if the process ended before the outcome was known.
    pub outcome: Option<String>,
}

/// The journal of one state directory.
pub struct Journal {
    database: Mutex<Database>,
    who: String,
    begun: Mutex<Vec<i64>>,
}

/// The most bytes of an outcome.
const LONGEST: usize = 8 * 1024;
/// The most bytes of a before-image.
const LONGEST_IMAGE: usize = 256 * 1024;

/// A truncated before-image. No answer of AWS has these names.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct CutImage {
    #[serde(rename = "awsideman:cut_of")]
    cut_of: u64,
    #[serde(rename = "awsideman:start")]
    start: String,
}

const FIELDS: &str = "id, at, namespace, author, operation, target, before, request_id, outcome";

impl Journal {
    /// The journal in `database`, written on behalf of `who`.
    pub fn new(database: Database, who: String) -> Journal {
        Journal { database: Mutex::new(database), who, begun: Mutex::default() }
    }

    /// Records a change before the call to AWS; returns its number.
    pub fn begin(
        &self,
        at: UnixMillis,
        space: &str,
        operation: &str,
        request: &Value,
        before: &Value,
    ) -> Result<i64, StateError> {
        let (request, before) = (request.to_string(), (!before.is_null()).then(|| bounded(before.to_string())));
        let id = self.database().write(|transaction| {
            transaction.execute(
                "INSERT INTO journal(at, namespace, author, operation, target, before) VALUES(?, ?, ?, ?, ?, ?)",
                params![at, space, self.who, operation, request, before],
            )?;
            Ok(transaction.last_insert_rowid())
        })?;
        self.begun.lock().unwrap_or_else(PoisonError::into_inner).push(id);
        Ok(id)
    }

    /// The changes of this process that have no outcome yet, for the message after an interruption.
    pub fn unfinished(&self) -> Result<Vec<JournalEntry>, StateError> {
        let begun = self.begun.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let database = self.database();
        let entries = begun.into_iter().map(|id| journal_entry(&database, id)).collect::<Result<Vec<_>, _>>()?;
        Ok(entries.into_iter().flatten().filter(|entry| entry.outcome.is_none()).collect())
    }

    /// The entry of the change with this request id.
    pub fn of_request(&self, request_id: &str) -> Result<Option<JournalEntry>, StateError> {
        let sql = format!("SELECT {FIELDS} FROM journal WHERE request_id = ? ORDER BY id DESC LIMIT 1");
        Ok(self.database().reader().query_row(&sql, [request_id], entry).optional()?)
    }

    /// Records the request id of an accepted asynchronous change.
    pub fn accepted(&self, id: i64, request_id: &str) -> Result<(), StateError> {
        self.database().write(|transaction| {
            transaction.execute("UPDATE journal SET request_id = ? WHERE id = ?", params![request_id, id])?;
            Ok(())
        })
    }

    /// Records the outcome.
    pub fn end(&self, id: i64, outcome: &MutationOutcome) -> Result<(), StateError> {
        let text = outcome.text();
        let text = cut(&text, LONGEST);
        self.database().write(|transaction| {
            transaction.execute("UPDATE journal SET outcome = ? WHERE id = ?", params![text, id])?;
            Ok(())
        })
    }

    fn database(&self) -> std::sync::MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The newest entries of a journal, newest first; only those of `space` if it is given.
pub fn journal_list(database: &Database, space: Option<&str>, limit: u64) -> Result<Vec<JournalEntry>, StateError> {
    let sql = format!("SELECT {FIELDS} FROM journal WHERE ?1 IS NULL OR namespace = ?1 ORDER BY id DESC LIMIT ?2");
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    let mut statement = database.reader().prepare(&sql)?;
    let entries = statement.query_map(params![space, limit], entry)?.collect::<Result<_, _>>()?;
    Ok(entries)
}

/// One entry by its number.
pub fn journal_entry(database: &Database, id: i64) -> Result<Option<JournalEntry>, StateError> {
    let sql = format!("SELECT {FIELDS} FROM journal WHERE id = ?");
    Ok(database.reader().query_row(&sql, [id], entry).optional()?)
}

/// A before-image as it is kept.
fn bounded(text: String) -> String {
    if text.len() <= LONGEST_IMAGE {
        return text;
    }
    let start = text[..text.floor_char_boundary(LONGEST_IMAGE)].to_owned();
    let cut_of = u64::try_from(text.len()).unwrap_or(u64::MAX);
    // Text and a number are always JSON.
    serde_json::to_string(&CutImage { cut_of, start }).unwrap_or_default()
}

fn entry(row: &Row<'_>) -> Result<JournalEntry, StatementError> {
    let json =
        |text: Option<String>| text.map_or(Value::Null, |text| serde_json::from_str(&text).unwrap_or(text.into()));
    let before: Option<String> = row.get(6)?;
    let cut = before.as_deref().and_then(|text| serde_json::from_str::<CutImage>(text).ok());
    let (before, before_cut_of) = match cut {
        Some(cut) => (Value::String(cut.start), Some(cut.cut_of)),
        None => (json(before), None),
    };
    Ok(JournalEntry {
        id: row.get(0)?,
        at: row.get(1)?,
        space: row.get(2)?,
        who: row.get(3)?,
        operation: row.get(4)?,
        request: json(row.get(5)?),
        before,
        before_cut_of,
        request_id: row.get(7)?,
        outcome: row.get(8)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secure_fs::Access;
    use std::time::Duration;

    fn kept(before: &Value) -> JournalEntry {
        let folder = tempfile::tempdir().unwrap();
        let open = || Database::open(folder.path(), Access::Owner, Duration::from_secs(5), 0).unwrap().0;
        let id =
            Journal::new(open(), "a user".into()).begin(0, "a space", "AnOperation", &Value::Null, before).unwrap();
        journal_entry(&open(), id).unwrap().unwrap()
    }

    #[test]
    fn a_before_image_of_any_length_is_kept_up_to_its_limit_and_marked_as_cut() {
        let image = |length: usize| serde_json::json!({"Memberships": "ü".repeat(length)});
        let short = kept(&image(1_000));
        assert_eq!((&short.before, short.before_cut_of), (&image(1_000), None));
        let whole = image(LONGEST_IMAGE).to_string();
        let long = kept(&image(LONGEST_IMAGE));
        let start = long.before.as_str().unwrap();
        assert_eq!(long.before_cut_of, Some(whole.len() as u64));
        assert!(whole.starts_with(start) && (LONGEST_IMAGE - 4..=LONGEST_IMAGE).contains(&start.len()));
    }
}
