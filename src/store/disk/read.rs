//! Reading a generation: entries with their frames, the log, pages of metadata, sizes.
//!
//! Nothing here writes, and a snapshot lasts for one view or one page, so that no reader holds back the log for
//! long.

use super::{DiskFault, schema};
use crate::clock::{self, UnixMillis};
use crate::sqlite::{self, Blob, Connection, OptionalExtension, StatementError, Value, params_from_iter};
use crate::store::invalidation_log;
use crate::store::invalidation_log::FillGuard;
use crate::store::invalidation_log::InvalidationRecord;
use crate::store::{Address, Frames, InvalidationState, Meta, Select, Size, StoreError, ViewCallback};
use std::path::Path;

/// How many entries a scan reads in one step.
pub(super) const PAGE: usize = 500;

/// From this length a frame is read as an incremental blob, several times faster than a column.
const LONG: u64 = 64 * 1024;

/// Shows the entry at `address` to `look` under its own snapshot.
pub(super) fn view(connection: &Connection, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, DiskFault> {
    sqlite::read(connection, |connection| show(connection, address, look))
}

/// Shows the entry at `address` to `look`, within the transaction that there is.
pub(super) fn show(connection: &Connection, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, DiskFault> {
    let sql = "SELECT space, key, schema, stored_at, fresh_until, stale_until, used_at, source, size, held, \
               frames, seal, version FROM e WHERE id = ?1 AND space = ?2 AND key = ?3";
    let mut statement = connection.prepare_cached(sql)?;
    let found = statement
        .query_row((address.id().cast_signed(), address.space, address.key), |row| {
            Ok((schema::meta(row)?, row.get::<_, i64>(12)?))
        })
        .optional()?;
    let Some((meta, version)) = found else { return Ok(false) };
    look(&meta, &mut frames(connection, version, &meta))?;
    Ok(true)
}

/// The frames of a version, as its entry describes them.
pub(super) fn frames<'c>(connection: &'c Connection, version: i64, meta: &'c Meta) -> impl Frames + 'c {
    let long = meta.held / u64::from(meta.frames.max(1)) >= LONG;
    DiskView { connection, version, count: meta.frames, key: &meta.key, long, blob: None }
}

struct DiskView<'c> {
    connection: &'c Connection,
    version: i64,
    count: u32,
    key: &'c str,
    long: bool,
    blob: Option<Blob<'c>>,
}

impl DiskView<'_> {
    fn damaged(&self, reason: &'static str) -> StoreError {
        StoreError::Damaged { key: self.key.into(), reason }
    }

    fn fetch(&mut self, id: i64, buffer: &mut Vec<u8>) -> Result<bool, StatementError> {
        if !self.long {
            let mut statement = self.connection.prepare_cached("SELECT data FROM v WHERE id = ?")?;
            let mut rows = statement.query([id])?;
            let Some(row) = rows.next()? else { return Ok(false) };
            buffer.clear();
            buffer.extend_from_slice(row.get_ref(0)?.as_blob()?);
            return Ok(true);
        }
        match &mut self.blob {
            Some(blob) => blob.reopen(id)?,
            None => self.blob = Some(sqlite::blob(self.connection, "v", "data", id)?),
        }
        if let Some(blob) = &self.blob {
            buffer.resize(blob.len(), 0);
            blob.read_at_exact(buffer, 0)?;
        }
        Ok(true)
    }
}

impl Frames for DiskView<'_> {
    fn read(&mut self, index: u32, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        if index >= self.count || index >= 1 << schema::FRAME_BITS {
            return Err(self.damaged("it has fewer frames than were asked for"));
        }
        match self.fetch(first_frame(self.version) + i64::from(index), buffer) {
            Ok(true) => Ok(()),
            Ok(false) => Err(self.damaged("a frame is missing")),
            // A single frame that cannot be read is the entry's fault; reading on shows whether more is damaged.
            Err(_) => Err(self.damaged("a frame cannot be read")),
        }
    }
}

/// The id of the first frame of a version.
pub(super) fn first_frame(version: i64) -> i64 {
    version << schema::FRAME_BITS
}

/// The newest number.
pub(super) fn sequence(connection: &Connection) -> Result<u64, DiskFault> {
    let sequence: i64 = connection.prepare_cached("SELECT sequence FROM c")?.query_row([], |row| row.get(0))?;
    Ok(sequence.cast_unsigned())
}

/// Whether an unlapsed fence covers `address`.
pub(super) fn standing(
    connection: &Connection,
    address: Address<'_>,
    now: UnixMillis,
) -> Result<InvalidationState, DiskFault> {
    Ok(invalidation_log::standing(records(connection, "sequence > ?", 0)?, address, now))
}

/// How many standing fences were recorded while the clock was ahead.
pub(super) fn fences_ahead(connection: &Connection, now: UnixMillis) -> Result<u64, StatementError> {
    let sql = "SELECT count(*) FROM r WHERE deadline > ?1 AND (at > ?2 OR deadline > ?3)";
    let (ahead, longest) =
        (now.saturating_add(clock::TOLERANCE), now.saturating_add(invalidation_log::LONGEST_FENCE_MILLIS));
    let count: i64 = connection.prepare_cached(sql)?.query_row([now, ahead, longest], |row| row.get(0))?;
    Ok(count.cast_unsigned())
}

/// The records newer than `since`; `None` when the log cannot tell.
pub(super) fn records_after(connection: &Connection, since: u64) -> Result<Option<Vec<InvalidationRecord>>, DiskFault> {
    let (sequence, floor): (i64, i64) = connection
        .prepare_cached("SELECT sequence, floor FROM c")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if !invalidation_log::can_judge(since, floor.cast_unsigned(), sequence.cast_unsigned()) {
        return Ok(None);
    }
    let mut found = records(connection, "sequence > ?", since.cast_signed())?;
    found.sort_by_key(|record| record.sequence);
    Ok(Some(found))
}

/// All records, oldest first.
pub(super) fn all_records(connection: &Connection) -> Result<Vec<InvalidationRecord>, DiskFault> {
    let mut found = records(connection, "sequence > ?", i64::MIN)?;
    found.sort_by_key(|record| record.sequence);
    Ok(found)
}

/// What keeps out a fill that started at `since`, when it was `begun`.
pub(super) fn gate(connection: &Connection, since: u64, begun: UnixMillis) -> Result<FillGuard, DiskFault> {
    let mut found = records(connection, "sequence > ?", since.cast_signed())?;
    found.append(&mut records(connection, "deadline > ?", begun)?);
    Ok(FillGuard::new(found, since, begun))
}

fn records(connection: &Connection, condition: &str, than: i64) -> Result<Vec<InvalidationRecord>, StatementError> {
    let sql = format!("SELECT {} FROM r WHERE {condition}", schema::RECORD);
    connection.prepare_cached(&sql)?.query_map([than], schema::record)?.collect()
}

/// The next entries of the set in order of space and key, after the one named.
pub(super) fn page(
    connection: &Connection,
    selection: &Select,
    after: Option<&(String, String)>,
) -> Result<Vec<Meta>, DiskFault> {
    let (mut condition, mut values) = schema::condition(selection);
    if let Some((space, key)) = after {
        condition.push_str(" AND (space, key) > (?, ?)");
        values.push(Value::Text(space.clone()));
        values.push(Value::Text(key.clone()));
    }
    let sql = format!("SELECT {} FROM e WHERE {condition} ORDER BY space, key LIMIT {PAGE}", schema::META);
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_map(params_from_iter(values), schema::meta)?.collect::<Result<_, _>>()?)
}

/// How much is held, and what the file takes besides.
pub(super) fn size(connection: &Connection, path: &Path) -> Result<Size, DiskFault> {
    let (entries, held): (i64, i64) = connection
        .prepare_cached("SELECT count(*), coalesce(sum(held), 0) FROM e")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let (entries, held) = (entries.cast_unsigned(), held.cast_unsigned());
    let bytes = |path: &Path| std::fs::metadata(path).map_or(0, |found| found.len());
    let files = bytes(path) + bytes(&sqlite::sidecar(path, "-wal"));
    Ok(Size { entries, held, index: files.saturating_sub(held) })
}
