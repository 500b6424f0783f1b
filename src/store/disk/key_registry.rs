//! The key ids that a generation knows: the keys under which its entries may be named, or plaintext.
//!
//! An invalidation that cannot be expressed under a known key id widens to all entries that it may match. A key id is
//! admitted from the moment on at which it is recorded, so it never gets a fill that an earlier record would have kept out.
//!
//! The table is created by the first encrypted fill: a generation without it is in plaintext, and earlier binaries never look for it.

use crate::clock::UnixMillis;
use crate::sqlite::{self, Connection, OptionalExtension, StatementError, Transaction, params};
use crate::store::disk::DiskFault;
use crate::store::disk::read;
use crate::store::disk::read::first_frame;
use crate::store::disk::schema;
use crate::store::key_id;
use crate::store::key_id::CLEAR;
use crate::store::key_id::ID;
use crate::store::key_id::MARK;
use crate::store::{Address, Fill, Frames, Meta, Select};

/// Whether the generation has the table at all.
fn is_kept(connection: &Connection) -> Result<bool, StatementError> {
    let sql = "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'k'";
    Ok(connection.prepare_cached(sql)?.query_row([], |_| Ok(())).optional()?.is_some())
}

fn make(transaction: &Transaction<'_>) -> Result<(), StatementError> {
    transaction.execute_batch(
        "CREATE TABLE IF NOT EXISTS k(tongue INTEGER PRIMARY KEY, since INTEGER NOT NULL, begun INTEGER NOT NULL) STRICT",
    )
}

/// Whether a fill under `key_id` that started at `since` and was `begun` then may be stored. Admits the key id from now on.
pub(super) fn admit(
    transaction: &Transaction<'_>,
    key_id: u64,
    since: u64,
    begun: UnixMillis,
) -> Result<bool, StatementError> {
    if !is_kept(transaction)? {
        if key_id == CLEAR {
            return Ok(true);
        }
        begin(transaction)?;
    }
    let sql = "SELECT since, begun FROM k WHERE tongue = ?";
    let known = transaction.prepare_cached(sql)?.query_row([key_id.cast_signed()], from).optional()?;
    let (first, from) = match known {
        Some(known) => known,
        None => register(transaction, key_id)?,
    };
    Ok(since.cast_signed() >= first && begun >= from)
}

/// Starts the registry. Existing entries are in plaintext, and their writers knew every record; without entries,
/// no key id is admitted yet.
fn begin(transaction: &Transaction<'_>) -> Result<(), StatementError> {
    make(transaction)?;
    transaction.execute("INSERT INTO k SELECT 0, ?1, ?1 WHERE EXISTS(SELECT 1 FROM e)", [i64::MIN]).map(drop)
}

/// Registers a key id: records of before say nothing of it, so that what began before them stays out, and as long as a
/// fence of before stands everything does.
fn register(transaction: &Transaction<'_>, key_id: u64) -> Result<(i64, UnixMillis), StatementError> {
    make(transaction)?;
    transaction
        .prepare_cached(
            "INSERT INTO k SELECT ?, sequence, (SELECT coalesce(max(deadline), ?) FROM r) FROM c RETURNING since, begun",
        )?
        .query_row(params![key_id.cast_signed(), i64::MIN], from)
}

/// Admits every key id from the end of the last fence on, after the fences of a clock that was ahead were shortened.
pub(super) fn date(transaction: &Transaction<'_>, now: UnixMillis) -> Result<(), StatementError> {
    if !is_kept(transaction)? {
        return Ok(());
    }
    let sql = "UPDATE k SET begun = (SELECT max(coalesce(max(deadline), ?1), ?1) FROM r) WHERE begun > ?1";
    transaction.prepare_cached(sql)?.execute([now]).map(drop)
}

fn from(row: &crate::sqlite::Row<'_>) -> Result<(i64, i64), StatementError> {
    Ok((row.get(0)?, row.get(1)?))
}

/// Whether entries may be there, or come, under a key id that is not among `own`; unknown without a key. A process that removes
/// in his own (the first is the one that he stores in) is admitted: from here on the log is complete for him.
pub(super) fn has_foreign(transaction: &Transaction<'_>, own: &[u64]) -> Result<bool, StatementError> {
    if own.is_empty() {
        return Ok(true);
    }
    if !is_kept(transaction)? {
        if own.contains(&CLEAR) {
            return Ok(false);
        }
        begin(transaction)?;
    }
    if let Some(first) = own.first().filter(|first| **first != CLEAR) {
        let known = transaction.prepare_cached("SELECT 1 FROM k WHERE tongue = ?")?.exists([first.cast_signed()])?;
        if !known {
            register(transaction, *first)?;
        }
    }
    Ok(known(transaction)?.iter().any(|key_id| !own.contains(key_id)))
}

/// The key ids that a generation knows, each with the earliest start of an admitted fetch; `None` without a registry.
pub(super) fn known_keys(connection: &Connection) -> Result<Option<Vec<(i64, UnixMillis)>>, StatementError> {
    if !is_kept(connection)? {
        return Ok(None);
    }
    let mut statement = connection.prepare("SELECT tongue, begun FROM k")?;
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>().map(Some)
}

/// Lets a generation that begins at `start` know the same key ids as its predecessor, whose active fences it has: they
/// are said in all of them.
pub(super) fn inherit(
    transaction: &Transaction<'_>,
    known_keys: &[(i64, UnixMillis)],
    start: u64,
) -> Result<(), StatementError> {
    make(transaction)?;
    for (key_id, begun) in known_keys {
        transaction.execute("INSERT INTO k VALUES(?, ?, ?)", params![key_id, start.cast_signed(), begun])?;
    }
    Ok(())
}

/// The known key ids; none if nothing was ever encrypted.
pub(super) fn known(connection: &Connection) -> Result<Vec<u64>, StatementError> {
    if !is_kept(connection)? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached("SELECT tongue FROM k")?;
    statement.query_map([], |row| row.get::<_, i64>(0).map(i64::cast_unsigned))?.collect()
}

/// How many entries and bytes there are under each key id that has any or is known.
pub(super) fn census(connection: &Connection) -> Result<Vec<(u64, u64, u64)>, StatementError> {
    let mut found: std::collections::BTreeMap<u64, (u64, u64)> = std::collections::BTreeMap::new();
    for key_id in known(connection)? {
        found.insert(key_id, (0, 0));
    }
    let start = MARK.len();
    let sql = format!(
        "SELECT CASE instr(key, '{MARK}') WHEN 0 THEN '' ELSE substr(key, instr(key, '{MARK}'), {start} + {ID}) END, \
         count(*), sum(held) FROM e GROUP BY 1"
    );
    let mut statement = connection.prepare(&sql)?;
    let rows =
        statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, i64>(1)?, row.get::<_, i64>(2)?)))?;
    for row in rows {
        let (name, entries, held) = row?;
        let so_far = found.entry(key_id::of(&name)).or_default();
        *so_far = (so_far.0 + entries.cast_unsigned(), so_far.1 + held.cast_unsigned());
    }
    Ok(found.into_iter().map(|(key_id, (entries, held))| (key_id, entries, held)).collect())
}

/// Forgets the key ids, other than `kept`, without entries. Their processes are admitted again on their next fill.
pub(super) fn forget_empty(transaction: &Transaction<'_>, kept: u64) -> Result<(), DiskFault> {
    if !is_kept(transaction)? {
        return Ok(());
    }
    let census = census(transaction)?;
    // A key id is registered as soon as not every process uses the same one.
    if !census.iter().any(|(key_id, ..)| *key_id == kept) {
        register(transaction, kept)?;
    }
    for (key_id, entries, _) in census {
        if key_id != kept && entries == 0 {
            transaction.execute("DELETE FROM k WHERE tongue = ?", [key_id.cast_signed()])?;
        }
    }
    Ok(())
}

/// Rewrites the records under other key ids than `kept` as widely as they may mean, and drops what the ring knows: both
/// would tell what entries were called.
pub(super) fn blur(transaction: &Transaction<'_>, kept: u64) -> Result<(), DiskFault> {
    let sql = "SELECT id, space, pattern FROM r WHERE form = 'exact'";
    let named: Vec<(i64, String, String)> = transaction
        .prepare(sql)?
        .query_map([], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    for (id, space, key) in named {
        if key_id::of(&key) == CLEAR && kept != CLEAR {
            let Select::Glob { pattern, .. } = key_id::widen(&Select::Exact { space, key }) else { continue };
            transaction.execute("UPDATE r SET form = 'glob', pattern = ? WHERE id = ?", params![pattern, id])?;
        }
    }
    let sql = "SELECT id, pattern FROM r WHERE form = 'glob'";
    let globs: Vec<(i64, String)> =
        transaction.prepare(sql)?.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    for (id, pattern) in globs.into_iter().filter(|_| kept != CLEAR) {
        if let Select::Glob { pattern, .. } = key_id::widen(&Select::Glob { space: None, pattern }) {
            transaction.execute("UPDATE r SET pattern = ? WHERE id = ?", params![pattern, id])?;
        }
    }
    if transaction.query_row("SELECT count(*) FROM sqlite_schema WHERE name = 'x'", [], |row| row.get::<_, i64>(0))? > 0
    {
        transaction.execute("DELETE FROM x", [])?;
    }
    Ok(())
}

/// A row as it lies there, with its frames, under one snapshot.
#[derive(Debug)]
pub(in crate::store) struct Lifted {
    pub(in crate::store) meta: Meta,
    /// The frames as they are stored; `None` when one is missing or cannot be read.
    pub(in crate::store) frames: Option<Vec<Vec<u8>>>,
    /// No two versions of an entry have the same.
    version: i64,
}

/// Reads the row at `address` as it lies there.
pub(super) fn lift(connection: &Connection, address: Address<'_>) -> Result<Option<Lifted>, DiskFault> {
    sqlite::read(connection, |connection| {
        let sql = format!("SELECT {}, version FROM e WHERE id = ?1 AND space = ?2 AND key = ?3", schema::META);
        let found = connection
            .prepare_cached(&sql)?
            .query_row((address.id().cast_signed(), address.space, address.key), |row| {
                Ok((schema::meta(row)?, row.get::<_, i64>(12)?))
            })
            .optional()?;
        let Some((meta, version)) = found else { return Ok(None) };
        let mut frames = Some(Vec::new());
        for index in 0..meta.frames {
            let mut frame = Vec::new();
            if read::frames(connection, version, &meta).read(index, &mut frame).is_err() {
                frames = None;
                break;
            }
            frames.get_or_insert_default().push(frame);
        }
        Ok(Some(Lifted { meta, frames, version }))
    })
}

/// Puts entries in place of others, each pair in the same breath: only if the old one still is what was read, and unless
/// a younger one stands where the new one belongs. How many were put, and how many of the old ones had gone.
pub(super) fn exchange(
    transaction: &Transaction<'_>,
    pairs: &[(Lifted, Option<Fill>)],
) -> Result<(u64, u64), DiskFault> {
    let (mut put, mut gone) = (0, 0);
    for (Lifted { meta: old, version, .. }, new) in pairs {
        let id = Address { space: &old.space, key: &old.key }.id().cast_signed();
        let sql = "DELETE FROM e WHERE id = ? AND version = ? RETURNING frames, used_at";
        let found: Option<(i64, i64)> = transaction
            .prepare_cached(sql)?
            .query_row([id, *version], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((frames, used_at)) = found else {
            gone += 1;
            continue;
        };
        crate::store::disk::write::drop_version(transaction, *version, frames)?;
        let Some(new) = new else { continue };
        let new_id = Address { space: &new.meta.space, key: &new.meta.key }.id().cast_signed();
        let sql = "SELECT 1 FROM e WHERE id = ? AND stored_at >= ?";
        if transaction.prepare_cached(sql)?.exists(params![new_id, old.stored_at])? {
            gone += 1;
            continue;
        }
        let version = crate::store::disk::write::next_version(transaction)?;
        let mut insert = transaction.prepare_cached("INSERT INTO v(id, data) VALUES(?, ?)")?;
        for (frame, index) in new.frames.iter().zip(0_i64..) {
            insert.execute(params![first_frame(version) + index, frame])?;
        }
        let meta = Meta { used_at: used_at.max(new.meta.used_at), ..new.meta.clone() };
        crate::store::disk::write::show(transaction, new_id, &meta, version)?;
        put += 1;
    }
    Ok((put, gone))
}
