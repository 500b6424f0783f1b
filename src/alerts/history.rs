//! The history of alerts and silences.
//!
//! Guarantee: an event and its change are one transaction. The newest events are kept.

use crate::alerts::error::AlertError;
use crate::clock::{self, UnixMillis};
use crate::model::cut;
use crate::sqlite::{self, StatementError, Transaction, params};
use crate::state::Database;
use serde::Serialize;

/// The number of events that are kept.
const KEPT: i64 = 2_000;

/// The most bytes of a stored message or error.
pub(super) const LONGEST: usize = 4096;

/// One event.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct AlertEvent {
    /// When.
    #[serde(serialize_with = "clock::serialize")]
    pub at: UnixMillis,
    /// The key of the alert, or the pattern of the silence; empty for an event about a message.
    pub key: String,
    /// `fired`, `told`, `reminded`, `resolved`, `silenced`, `unsilenced`, `given-up`.
    pub what: String,
    /// The message.
    pub message: String,
    /// How long the alert lasted, or how long the silence will last, in milliseconds.
    pub lasted_ms: Option<i64>,
    /// The Message-ID of the message about it.
    pub message_id: Option<String>,
}

impl AlertEvent {
    pub(super) fn new(key: &str, what: &str, message: &str, at: UnixMillis) -> AlertEvent {
        let (key, what, message) = (key.to_owned(), what.to_owned(), message.to_owned());
        AlertEvent { at, key, what, message, lasted_ms: None, message_id: None }
    }
}

/// The newest `limit` events, newest first; with a key, those of that key.
pub fn events(database: &Database, key: Option<&str>, limit: u64) -> Result<Vec<AlertEvent>, AlertError> {
    let mut statement = database.reader().prepare(
        "SELECT at, key, event, message, lasted_ms, message_id FROM alert_events
         WHERE ?1 IS NULL OR key GLOB ?1 ORDER BY id DESC LIMIT ?2",
    )?;
    let read = |row: &sqlite::Row<'_>| {
        Ok(AlertEvent {
            at: row.get(0)?,
            key: row.get(1)?,
            what: row.get(2)?,
            message: row.get(3)?,
            lasted_ms: row.get(4)?,
            message_id: row.get(5)?,
        })
    };
    let limit = i64::try_from(limit).unwrap_or(i64::MAX);
    Ok(statement.query_map(params![key, limit], read)?.collect::<Result<_, _>>()?)
}

pub(super) fn record(transaction: &Transaction<'_>, event: &AlertEvent) -> Result<(), StatementError> {
    transaction.execute(
        "INSERT INTO alert_events(at, key, event, message, lasted_ms, message_id) VALUES(?, ?, ?, ?, ?, ?)",
        params![event.at, event.key, event.what, cut(&event.message, LONGEST), event.lasted_ms, event.message_id],
    )?;
    transaction.execute("DELETE FROM alert_events WHERE id <= ?", [transaction.last_insert_rowid() - KEPT])?;
    Ok(())
}
