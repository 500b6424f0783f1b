//! The tables of a generation, and how their rows become values.
//!
//! Metadata and payload are in separate tables, so that counting, matching and sweeping never read a
//! frame.

use crate::sqlite::{Row, StatementError, Value, ValueRef};
use crate::store::invalidation_log::InvalidationRecord;
use crate::store::{Address, Meta, SCHEMA, Select};

/// The number of this schema.
///
/// A later schema keeps its live generation in `CURRENT.v<number>` instead of `CURRENT`, so that two versions share a
/// directory without dropping each other's entries; a removal by either retires the generation of the other. What the
/// other then starts takes over the standing fences of both: the tables `c` and `r` are in every version what they
/// are in the first.
pub(super) const VERSION: i32 = SCHEMA.cast_signed();

/// The file that names the live database of this schema.
pub(super) const CURRENT: &str = match SCHEMA {
    1 => POINTER,
    2 => "CURRENT.v2",
    _ => panic!("a schema of a new number needs its own file"),
};

/// What the files that name live databases begin with.
const POINTER: &str = "CURRENT";

/// Whether a file of this name names the live database of some schema.
pub(super) fn is_pointer(name: &str) -> bool {
    name.strip_prefix(POINTER).is_some_and(|rest| rest.is_empty() || rest.starts_with(".v"))
}

/// Bytes a page: long lists are read a third faster than with 4 KiB.
pub(super) const PAGE_SIZE: u32 = 16_384;

/// The log is folded into the database when it holds so many pages (8 MiB).
pub(super) const LOG_PAGES: u32 = 512;

/// Up to 16 MiB of pages a connection; memory is taken as pages are read.
pub(super) const CACHE: &str = "PRAGMA cache_size=-16384";

/// Frames of a version have the ids `version << FRAME_BITS | index`.
pub(super) const FRAME_BITS: u32 = 20;

/// The columns that [`meta`] reads.
pub(super) const META: &str =
    "space, key, schema, stored_at, fresh_until, stale_until, used_at, source, size, held, frames, seal";

/// The columns that [`record`] reads.
pub(super) const RECORD: &str = "sequence, form, space, pattern, deadline, at";

/// The statements that make an empty database a generation whose numbers begin at `start`.
pub(super) fn statements(start: i64) -> String {
    format!(
        "
-- Entries. The id is a hash of space and key; `version` is where its frames are.
CREATE TABLE e(
  id INTEGER PRIMARY KEY, space TEXT NOT NULL, key TEXT NOT NULL, version INTEGER NOT NULL, schema INTEGER NOT NULL,
  stored_at INTEGER NOT NULL, fresh_until INTEGER NOT NULL, stale_until INTEGER NOT NULL, used_at INTEGER NOT NULL,
  source TEXT NOT NULL, size INTEGER NOT NULL, held INTEGER NOT NULL, frames INTEGER NOT NULL, seal INTEGER NOT NULL,
  UNIQUE(space, key)
) STRICT;
-- Frames.
CREATE TABLE v(id INTEGER PRIMARY KEY, data BLOB NOT NULL) STRICT;
-- Versions that no entry shows: drafts until they are due, and what removals left for later.
CREATE TABLE g(version INTEGER PRIMARY KEY, due INTEGER NOT NULL) STRICT;
-- The log of records; `space` is NULL for every space.
CREATE TABLE r(
  id INTEGER PRIMARY KEY, sequence INTEGER NOT NULL, form TEXT NOT NULL, space TEXT, pattern TEXT,
  deadline INTEGER, at INTEGER NOT NULL
) STRICT;
CREATE INDEX r_sequence ON r(sequence);
CREATE INDEX r_deadline ON r(deadline) WHERE deadline IS NOT NULL;
-- The newest number, the newest that may be forgotten, the newest version.
CREATE TABLE c(id INTEGER PRIMARY KEY CHECK(id = 1), sequence INTEGER NOT NULL, floor INTEGER NOT NULL,
  version INTEGER NOT NULL) STRICT;
INSERT INTO c VALUES(1, {start}, {start}, 0);
"
    )
}

/// The metadata in a row of [`META`]. Damage may have put any value there: the checksum detects it.
pub(super) fn meta(row: &Row<'_>) -> Result<Meta, StatementError> {
    Ok(Meta {
        space: text(row, 0)?,
        key: text(row, 1)?,
        schema: u32::try_from(number(row, 2)?).unwrap_or(u32::MAX),
        stored_at: number(row, 3)?,
        fresh_until: number(row, 4)?,
        stale_until: number(row, 5)?,
        used_at: number(row, 6)?,
        source: text(row, 7)?,
        size: number(row, 8)?.cast_unsigned(),
        held: number(row, 9)?.cast_unsigned(),
        frames: u32::try_from(number(row, 10)?).unwrap_or(u32::MAX),
        checksum: number(row, 11)?.cast_unsigned(),
    })
}

/// The text in a column.
pub(super) fn text(row: &Row<'_>, column: usize) -> Result<String, StatementError> {
    Ok(match row.get_ref(column)? {
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        _ => String::new(),
    })
}

fn number(row: &Row<'_>, column: usize) -> Result<i64, StatementError> {
    Ok(match row.get_ref(column)? {
        ValueRef::Integer(number) => number,
        _ => 0,
    })
}

/// The record in a row of [`RECORD`]. A record that cannot be read covers every key.
pub(super) fn record(row: &Row<'_>) -> Result<InvalidationRecord, StatementError> {
    let space: Option<String> = row.get(2)?;
    let pattern: Option<String> = row.get(3)?;
    let select = match (row.get::<_, String>(1)?.as_str(), space, pattern) {
        ("exact", Some(space), Some(key)) => Select::Exact { space, key },
        ("glob", space, Some(pattern)) => Select::Glob { space, pattern },
        ("space", Some(space), _) => Select::Space(space),
        _ => Select::All,
    };
    Ok(InvalidationRecord {
        sequence: row.get::<_, i64>(0)?.cast_unsigned(),
        select,
        deadline: row.get(4)?,
        at: row.get(5)?,
    })
}

/// Form, space and pattern of a selection, as [`record`] reads them back.
pub(super) fn columns(select: &Select) -> (&'static str, Option<&str>, Option<&str>) {
    match select {
        Select::Exact { space, key } => ("exact", Some(space), Some(key)),
        Select::Glob { space, pattern } => ("glob", space.as_deref(), Some(pattern)),
        Select::Space(space) => ("space", Some(space), None),
        Select::All => ("all", None, None),
    }
}

/// The condition on `e` that is true for what `select` covers, and its values.
///
/// A bound GLOB alone does not use the index (statements are prepared without looking at values), so the literal part
/// of a pattern becomes a range of keys.
pub(super) fn condition(select: &Select) -> (String, Vec<Value>) {
    let text = |text: &str| Value::Text(text.into());
    match select {
        Select::Exact { space, key } => {
            let id = Address { space, key }.id().cast_signed();
            ("id = ? AND space = ? AND key = ?".into(), vec![Value::Integer(id), text(space), text(key)])
        }
        Select::Glob { space, pattern } => {
            let (mut sql, mut values) = (String::new(), Vec::new());
            if let Some(space) = space {
                sql.push_str("space = ? AND ");
                values.push(text(space));
            }
            let prefix = crate::model::literal_prefix(pattern);
            if !prefix.is_empty() {
                sql.push_str("key >= ? AND ");
                values.push(text(prefix));
                if let Some(end) = after(prefix) {
                    sql.push_str("key < ? AND ");
                    values.push(Value::Text(end));
                }
            }
            sql.push_str("key GLOB ?");
            values.push(text(pattern));
            (sql, values)
        }
        Select::Space(space) => ("space = ?".into(), vec![text(space)]),
        Select::All => ("TRUE".into(), Vec::new()),
    }
}

/// The smallest text above everything that begins with `prefix`; `None` when there is none.
fn after(prefix: &str) -> Option<String> {
    let mut kept = prefix.to_owned();
    while let Some(last) = kept.pop() {
        // The range of characters leaves out the surrogates, as their order in UTF-8 does.
        if let Some(next) = (last..=char::MAX).nth(1) {
            kept.push(next);
            return Some(kept);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_prefix_is_above_all_that_begin_with_it() {
        assert_eq!(after("user:").as_deref(), Some("user;"));
        assert_eq!(after("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(after("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(after("\u{10FFFF}"), None);
        assert_eq!(after(""), None);
    }

    #[test]
    fn keys_and_prefixes_are_found_by_index() {
        let connection = crate::sqlite::Connection::open_in_memory().unwrap();
        connection.execute_batch(&statements(1)).unwrap();
        let plan = |select: Select| {
            let (condition, values) = condition(&select);
            let sql = format!("EXPLAIN QUERY PLAN DELETE FROM e WHERE {condition}");
            let values = crate::sqlite::params_from_iter(values);
            connection.query_row(&sql, values, |row| row.get::<_, String>(3)).unwrap()
        };
        let space = || String::from("s");
        let exact = plan(Select::Exact { space: space(), key: "k".into() });
        assert!(exact.contains("INTEGER PRIMARY KEY"), "{exact}");
        let prefix = plan(Select::Glob { space: Some(space()), pattern: "user:*".into() });
        assert!(prefix.contains("(space=? AND key>? AND key<?)"), "{prefix}");
        let all = plan(Select::Space(space()));
        assert!(all.contains("(space=?)"), "{all}");
    }

    #[test]
    fn a_selection_reads_back_from_the_log() {
        let connection = crate::sqlite::Connection::open_in_memory().unwrap();
        for select in [
            Select::Exact { space: "s".into(), key: "k".into() },
            Select::Glob { space: Some("s".into()), pattern: "*".into() },
            Select::Glob { space: None, pattern: "*".into() },
            Select::Space("s".into()),
            Select::All,
        ] {
            let (form, space, pattern) = columns(&select);
            let read = connection.query_row("SELECT 7, ?, ?, ?, NULL, 9", (form, space, pattern), record).unwrap();
            assert_eq!(read, InvalidationRecord { sequence: 7, select, deadline: None, at: 9 });
        }
    }
}
