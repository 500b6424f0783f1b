//! Silences: alerts that match a pattern are suppressed until a time.
//!
//! Each has an end, a reason and an author, and survives restarts.

use super::history::{self, AlertEvent};
use crate::alerts::error::AlertError;
use crate::clock::{self, UnixMillis};
use crate::model::one_line;
use crate::sqlite::{self, Connection, StatementError, Transaction, params};
use crate::state::Database;
use serde::Serialize;

/// A silence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Silence {
    /// Its id.
    pub id: i64,
    /// A glob over whole keys: `hit_rate`, `job:*`, `*`.
    pub pattern: String,
    /// When it was created.
    #[serde(serialize_with = "clock::serialize")]
    pub created_at: UnixMillis,
    /// Its end.
    #[serde(serialize_with = "clock::serialize")]
    pub until: UnixMillis,
    /// The reason.
    pub reason: String,
    /// The author.
    pub author: String,
}

const COLUMNS: &str = "id, pattern, created_at, until, reason, author";

/// Creates a silence from `now` until a time. Foreign text is stored as one line.
pub fn silence(
    database: &mut Database,
    pattern: &str,
    until: UnixMillis,
    reason: &str,
    author: &str,
    now: UnixMillis,
) -> Result<Silence, AlertError> {
    let (pattern, reason, author) = (one_line(pattern), one_line(reason), one_line(author));
    let silence = sqlite::write(database.connection(), |t| {
        t.execute(
            "INSERT INTO silences(pattern, created_at, until, reason, author) VALUES(?, ?, ?, ?, ?)",
            params![pattern, now, until, reason, author],
        )?;
        let id = t.last_insert_rowid();
        let message = format!("{reason} ({author})");
        history::record(
            t,
            &AlertEvent { lasted_ms: Some(until - now), ..AlertEvent::new(&pattern, "silenced", &message, now) },
        )?;
        Ok::<_, StatementError>(Silence { id, pattern: pattern.clone(), created_at: now, until, reason, author })
    })?;
    Ok(silence)
}

/// Ends the active silences with this id or exactly this pattern, and returns them.
pub fn unsilence(
    database: &mut Database,
    which: &str,
    author: &str,
    now: UnixMillis,
) -> Result<Vec<Silence>, AlertError> {
    let author = one_line(author);
    Ok(sqlite::write(database.connection(), |t| {
        let mut ended = active(t, now)?;
        ended.retain(|silence| silence.id.to_string() == which || silence.pattern == which);
        for silence in &ended {
            t.execute("UPDATE silences SET until = ? WHERE id = ?", params![now, silence.id])?;
            history::record(t, &AlertEvent::new(&silence.pattern, "unsilenced", &author, now))?;
        }
        Ok::<_, StatementError>(ended)
    })?)
}

/// Corrects silences that were created while the clock was ahead of `now`: each keeps its length, counted from now.
pub(super) fn correct_clock(t: &Transaction<'_>, now: UnixMillis) -> Result<(), StatementError> {
    t.execute(
        "UPDATE silences SET until = ?1 + max(until - created_at, 0), created_at = ?1 WHERE created_at > ?2 AND until > ?1",
        params![now, now.saturating_add(clock::TOLERANCE)],
    )
    .map(drop)
}

/// The active silences at `now`, oldest first.
pub fn silences(database: &Database, now: UnixMillis) -> Result<Vec<Silence>, AlertError> {
    Ok(active(database.reader(), now)?)
}

pub(super) fn active(connection: &Connection, now: UnixMillis) -> Result<Vec<Silence>, StatementError> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM silences WHERE until > ? ORDER BY id"))?;
    let read = |row: &sqlite::Row<'_>| {
        let (made_at, until): (UnixMillis, UnixMillis) = (row.get(2)?, row.get(3)?);
        // The next pass of jobs stores the correction.
        let (created_at, until) = if clock::is_ahead(made_at, now) {
            (now, now.saturating_add(until.saturating_sub(made_at)))
        } else {
            (made_at, until)
        };
        let (reason, author) = (row.get(4)?, row.get(5)?);
        Ok(Silence { id: row.get(0)?, pattern: row.get(1)?, created_at, until, reason, author })
    };
    statement.query_map([now], read)?.collect()
}
