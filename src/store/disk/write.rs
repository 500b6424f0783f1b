//! Writing a generation: fills, removals with their records, uses.
//!
//! Whether a fill is kept out is judged in the transaction that stores it; a removal takes its number, records and
//! deletes in one.
//!
//! A removal deletes all metadata it covers in that one transaction, however much it is: rows of `e` are small, so
//! 200,000 of them are a matter of a second, and no reader can see a covered entry afterwards. The frames of many
//! versions are only listed in `g` and freed in transactions of at most [`SLICE`] rows later.

use super::DeleteRequest;
use super::DiskFault;
use super::read::{self, first_frame, gate};
use super::schema;
use crate::clock::{self, UnixMillis};
use crate::sqlite::{self, Connection, OptionalExtension, StatementError, Synchronous, Transaction, Value};
use crate::sqlite::{params, params_from_iter};
use crate::store::disk::eviction_log::Gone;
use crate::store::disk::key_registry;
use crate::store::disk::salvage_guard;
use crate::store::invalidation_log;
use crate::store::invalidation_log::FillGuard;
use crate::store::key_id;
use crate::store::{Address, Fill, Meta, Removed, Revise, Select, StoreError, Stored};
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

/// The most rows that one transaction changes, where it may be divided.
pub(super) const SLICE: usize = 5_000;

/// Versions of at most so many frames are freed where they are removed.
const FEW_FRAMES: i64 = 16;

/// Removals of at most so many entries free the frames themselves.
const FEW_ENTRIES: usize = 500;

/// Stores what nothing keeps out.
pub(super) fn put<'f>(
    transaction: &Transaction<'_>,
    fills: impl IntoIterator<Item = &'f Fill>,
    since: u64,
    begun: UnixMillis,
) -> Result<Stored, DiskFault> {
    let mut done = Stored::default();
    let mut order: Vec<(i64, &Fill)> =
        fills.into_iter().map(|fill| (address(&fill.meta).id().cast_signed(), fill)).collect();
    let Some(gate) = judge(transaction, since, begun)? else {
        done.refused = order.len() as u64;
        return Ok(done);
    };
    let mut admitted = BTreeMap::new();
    for (_, fill) in &order {
        let key_id = key_id::of(&fill.meta.key);
        if let Entry::Vacant(vacant) = admitted.entry(key_id) {
            vacant.insert(key_registry::admit(transaction, key_id, since, begun)?);
        }
    }
    // Rows in the order of their ids touch each page once; of two fills of one address the later one stays.
    order.sort_by_key(|(id, _)| *id);
    for (id, fill) in order {
        if !admitted[&key_id::of(&fill.meta.key)] || gate.refuses(address(&fill.meta)) {
            done.refused += 1;
            continue;
        }
        if fill.frames.len() >> schema::FRAME_BITS > 0 {
            return Err(StoreError::Damaged { key: fill.meta.key.clone(), reason: "it has too many frames" }.into());
        }
        let version = next_version(transaction)?;
        let mut insert = transaction.prepare_cached("INSERT INTO v(id, data) VALUES(?, ?)")?;
        for (frame, index) in fill.frames.iter().zip(0_i64..) {
            insert.execute(params![first_frame(version) + index, frame])?;
        }
        show(transaction, id, &fill.meta, version)?;
        done.stored += 1;
    }
    Ok(done)
}

/// Stores what `revise` makes of the entry that is there, unless a fence covers it.
pub(super) fn revise(
    transaction: &Transaction<'_>,
    address: Address<'_>,
    now: UnixMillis,
    revise: Revise<'_>,
) -> Result<bool, DiskFault> {
    let sequence = read::sequence(transaction)?;
    if judge(transaction, sequence, now)?.is_none_or(|gate| gate.refuses(address)) {
        return Ok(false);
    }
    let mut fill = None;
    let found = read::show(transaction, address, &mut |meta, frames| {
        fill = revise(Some((meta, frames)))?;
        Ok(())
    })?;
    if !found {
        fill = revise(None)?;
    }
    let Some(fill) = fill else { return Ok(false) };
    Ok(put(transaction, &[fill], sequence, now)?.stored == 1)
}

/// What keeps out fills that started at `since`; `None` when the log cannot tell.
pub(super) fn judge(
    transaction: &Transaction<'_>,
    since: u64,
    begun: UnixMillis,
) -> Result<Option<FillGuard>, DiskFault> {
    let (sequence, floor): (i64, i64) = transaction
        .prepare_cached("SELECT sequence, floor FROM c")?
        .query_row([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if !invalidation_log::can_judge(since, floor.cast_unsigned(), sequence.cast_unsigned()) {
        return Ok(None);
    }
    gate(transaction, since, begun).map(Some)
}

/// Takes the next version.
pub(super) fn next_version(transaction: &Transaction<'_>) -> Result<i64, StatementError> {
    transaction.prepare_cached("UPDATE c SET version = version + 1 RETURNING version")?.query_row([], |row| row.get(0))
}

/// Makes `version` what the entry shows; what it showed before is dropped, its last use stays known.
pub(super) fn show(transaction: &Transaction<'_>, id: i64, meta: &Meta, version: i64) -> Result<(), DiskFault> {
    let mut used_at = meta.used_at;
    let before: Option<(i64, i64, bool, i64)> = transaction
        .prepare_cached("SELECT version, frames, space = ?2 AND key = ?3, used_at FROM e WHERE id = ?1")?
        .query_row(params![id, meta.space, meta.key], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .optional()?;
    if let Some((version, frames, same, used)) = before {
        drop_version(transaction, version, frames)?;
        if same {
            used_at = used_at.max(used);
        }
    }
    transaction
        .prepare_cached(
            "INSERT OR REPLACE INTO e(id, space, key, version, schema, stored_at, fresh_until, stale_until, used_at, \
             source, size, held, frames, seal) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        )?
        .execute(params![
            id,
            meta.space,
            meta.key,
            version,
            meta.schema,
            meta.stored_at,
            meta.fresh_until,
            meta.stale_until,
            used_at,
            meta.source,
            meta.size.cast_signed(),
            meta.held.cast_signed(),
            meta.frames,
            meta.checksum.cast_signed(),
        ])?;
    Ok(())
}

/// Frees the frames of a version that is no longer shown, or lists it to be freed when they are many.
pub(super) fn drop_version(transaction: &Transaction<'_>, version: i64, frames: i64) -> Result<(), StatementError> {
    if frames > FEW_FRAMES {
        transaction.prepare_cached("INSERT OR REPLACE INTO g(version, due) VALUES(?, 0)")?.execute([version])?;
    } else {
        transaction
            .prepare_cached("DELETE FROM v WHERE id >= ? AND id < ?")?
            .execute([first_frame(version), first_frame(version + 1)])?;
    }
    Ok(())
}

/// Runs `work` in a transaction whose commit a power cut does not undo.
pub(super) fn durably<T>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, DiskFault>,
) -> Result<T, DiskFault> {
    sqlite::synchronize(connection, Synchronous::Full)?;
    let done = sqlite::write(connection, work);
    sqlite::synchronize(connection, Synchronous::Normal)?;
    done
}

/// Takes the next number, records the selections, and deletes what they cover.
pub(super) fn remove(
    transaction: &Transaction<'_>,
    removal: &DeleteRequest<'_>,
    fence_until: Option<UnixMillis>,
    now: UnixMillis,
) -> Result<Removed, DiskFault> {
    let foreign = key_registry::has_foreign(transaction, &removal.own)?;
    let sequence: i64 = transaction
        .prepare_cached("UPDATE c SET sequence = sequence + 1 RETURNING sequence")?
        .query_row([], |row| row.get(0))?;
    let mut removed = Removed { sequence: sequence.cast_unsigned(), ..Removed::default() };
    let record = |select: &Select| {
        let (form, space, pattern) = schema::columns(select);
        transaction
            .prepare_cached("INSERT INTO r(sequence, form, space, pattern, deadline, at) VALUES(?, ?, ?, ?, ?, ?)")?
            .execute(params![sequence, form, space, pattern, fence_until, now])
    };
    let mut count = |(entries, bytes): (u64, u64)| {
        removed.entries += entries;
        removed.bytes += bytes;
    };
    for cut in &removal.cuts {
        record(&cut.select)?;
        count(match &cut.goes {
            None => delete(transaction, &cut.select)?,
            Some(goes) => delete_those(transaction, &cut.select, goes)?,
        });
    }
    if foreign {
        // Under an unknown key id, this process cannot compute the name of the entry.
        for wide in &removal.wide {
            record(wide)?;
            let foreign = |_: &str, key: &str| !removal.own.contains(&key_id::of(key));
            count(delete_those(transaction, wide, &foreign)?);
        }
    }
    prune(transaction, now)?;
    salvage_guard::note(transaction, sequence)?;
    Ok(removed)
}

/// Deletes those rows under a selection that `goes` names.
fn delete_those(
    transaction: &Transaction<'_>,
    select: &Select,
    goes: &dyn Fn(&str, &str) -> bool,
) -> Result<(u64, u64), DiskFault> {
    let (condition, values) = schema::condition(select);
    let sql = format!("SELECT id, version, frames, held, space, key FROM e WHERE {condition}");
    let mut statement = transaction.prepare_cached(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let mut found: Vec<(i64, i64, i64, i64)> = Vec::new();
    while let Some(row) = rows.next()? {
        if goes(&schema::text(row, 4)?, &schema::text(row, 5)?) {
            found.push((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?));
        }
    }
    let mut bytes = 0;
    for (id, version, frames, held) in &found {
        transaction.prepare_cached("DELETE FROM e WHERE id = ?")?.execute([id])?;
        drop_version(transaction, *version, if found.len() > FEW_ENTRIES { i64::MAX } else { *frames })?;
        bytes += held.cast_unsigned();
    }
    Ok((found.len() as u64, bytes))
}

fn delete(transaction: &Transaction<'_>, select: &Select) -> Result<(u64, u64), DiskFault> {
    let (condition, values) = schema::condition(select);
    let values = || params_from_iter(values.iter().map(Clone::clone).collect::<Vec<Value>>());
    let few = format!("SELECT id, version, frames, held FROM e WHERE {condition} LIMIT {}", FEW_ENTRIES + 1);
    let rows: Vec<(i64, i64, i64, i64)> = transaction
        .prepare_cached(&few)?
        .query_map(values(), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))?
        .collect::<Result<_, _>>()?;
    if rows.len() <= FEW_ENTRIES {
        let mut bytes = 0;
        for (id, version, frames, held) in &rows {
            transaction.prepare_cached("DELETE FROM e WHERE id = ?")?.execute([id])?;
            drop_version(transaction, *version, *frames)?;
            bytes += held.cast_unsigned();
        }
        return Ok((rows.len() as u64, bytes));
    }
    let (entries, bytes): (i64, i64) = transaction
        .prepare(&format!("SELECT count(*), coalesce(sum(held), 0) FROM e WHERE {condition}"))?
        .query_row(values(), |row| Ok((row.get(0)?, row.get(1)?)))?;
    transaction.execute(&format!("INSERT OR REPLACE INTO g SELECT version, 0 FROM e WHERE {condition}"), values())?;
    match select {
        // Without a condition a table is emptied page by page.
        Select::All => transaction.execute("DELETE FROM e", [])?,
        _ => transaction.execute(&format!("DELETE FROM e WHERE {condition}"), values())?,
    };
    Ok((entries.cast_unsigned(), bytes.cast_unsigned()))
}

/// Dates the records of a clock that was ahead by `now`, as [`invalidation_log::InvalidationRecord::dated_by`] does.
pub(super) fn date(transaction: &Transaction<'_>, now: UnixMillis) -> Result<(), StatementError> {
    let (ahead, longest) =
        (now.saturating_add(clock::TOLERANCE), now.saturating_add(invalidation_log::LONGEST_FENCE_MILLIS));
    let dated = transaction
        .prepare_cached(
            "UPDATE r SET deadline = ?1 + min(max(deadline - at, 0), ?4), at = ?1 WHERE at > ?2 OR deadline > ?3",
        )?
        .execute([now, ahead, longest, invalidation_log::LONGEST_FENCE_MILLIS])?;
    if dated > 0 {
        key_registry::date(transaction, now)?;
    }
    Ok(())
}

/// Forgets spent records; fills from before the newest of them can no longer be judged.
fn prune(transaction: &Transaction<'_>, now: UnixMillis) -> Result<(), StatementError> {
    let keep = i64::try_from(invalidation_log::KEEP_RECORDS).unwrap_or(i64::MAX);
    let spent: Option<i64> = transaction
        .prepare_cached(
            "DELETE FROM r WHERE (max(at, coalesce(deadline, at)) < ?1 OR id <= (SELECT max(id) FROM r) - ?2) AND (deadline IS NULL OR deadline <= ?3) \
             RETURNING sequence",
        )?
        .query_map([now - invalidation_log::KEEP_MILLIS, keep, now], |row| row.get::<_, i64>(0))?
        .try_fold(None, |most, sequence| sequence.map(|sequence| most.max(Some(sequence))))?;
    if let Some(spent) = spent {
        transaction.prepare_cached("UPDATE c SET floor = max(floor, ?)")?.execute([spent])?;
    }
    Ok(())
}

/// Lets the fences of one number stand until `until` at most.
pub(super) fn lower(transaction: &Transaction<'_>, fence: u64, until: UnixMillis) -> Result<(), DiskFault> {
    transaction
        .prepare_cached("UPDATE r SET deadline = min(deadline, ?2) WHERE sequence = ?1 AND deadline IS NOT NULL")?
        .execute([fence.cast_signed(), until])?;
    Ok(())
}

/// Deletes one entry if it still has this checksum; gives what is to be noted of it.
pub(super) fn discard(
    transaction: &Transaction<'_>,
    address: Address<'_>,
    checksum: u64,
) -> Result<Option<Gone>, DiskFault> {
    let id = address.id().cast_signed();
    let gone: Option<(i64, i64, Gone)> = transaction
        .prepare_cached(
            "DELETE FROM e WHERE id = ? AND space = ? AND key = ? AND seal = ? \
             RETURNING version, frames, stored_at, used_at, held",
        )?
        .query_row(params![id, address.space, address.key, checksum.cast_signed()], |row| {
            let held = row.get::<_, i64>(4)?.cast_unsigned();
            let gone = Gone { id, reason: None, stored_at: row.get(2)?, used_at: row.get(3)?, held };
            Ok((row.get(0)?, row.get(1)?, gone))
        })
        .optional()?;
    let Some((version, frames, gone)) = gone else { return Ok(None) };
    drop_version(transaction, version, frames)?;
    Ok(Some(gone))
}

/// Notes uses, at most [`SLICE`] in a transaction.
pub(super) fn touch(connection: &mut Connection, uses: &[(u64, UnixMillis)]) -> Result<(), DiskFault> {
    for slice in uses.chunks(SLICE) {
        sqlite::write(connection, |transaction| {
            let mut update = transaction.prepare_cached("UPDATE e SET used_at = ?2 WHERE id = ?1 AND used_at < ?2")?;
            for (id, at) in slice {
                update.execute([id.cast_signed(), *at])?;
            }
            Ok::<_, DiskFault>(())
        })?;
    }
    Ok(())
}

/// Frees the frames of versions that were due at `now` or begun while the clock was ahead, at most `slice` rows in a transaction.
pub(super) fn free(connection: &mut Connection, now: UnixMillis, slice: usize) -> Result<(), DiskFault> {
    // At 0 only what was removed is due; the present is not known.
    let ahead = if now == 0 { i64::MAX } else { now.saturating_add(invalidation_log::DRAFT_MILLIS + clock::TOLERANCE) };
    loop {
        let due: Vec<i64> = connection
            .prepare_cached("SELECT version FROM g WHERE due <= ?1 OR due > ?2 LIMIT ?3")?
            .query_map(params![now, ahead, i64::try_from(slice).unwrap_or(i64::MAX)], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        if due.is_empty() {
            return Ok(());
        }
        sqlite::write(connection, |transaction| {
            let mut left = slice;
            for version in due {
                let freed = transaction
                    .prepare_cached("DELETE FROM v WHERE id IN (SELECT id FROM v WHERE id >= ? AND id < ? LIMIT ?)")?
                    .execute(params![
                        first_frame(version),
                        first_frame(version + 1),
                        i64::try_from(left).unwrap_or(i64::MAX)
                    ])?;
                left -= freed;
                if left == 0 {
                    break;
                }
                transaction.prepare_cached("DELETE FROM g WHERE version = ?")?.execute([version])?;
            }
            Ok::<_, DiskFault>(())
        })?;
    }
}

fn address(meta: &Meta) -> Address<'_> {
    Address { space: &meta.space, key: &meta.key }
}
