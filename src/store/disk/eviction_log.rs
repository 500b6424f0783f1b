//! The log of evictions: the last few thousand entries that a sweep removed, with the reason, and how many were removed in
//! total.
//!
//! It never costs a sweep its success: it is written after the deletion, in its own transaction, and a fault
//! of it is passed over; no read that hits touches it.
//!
//! It lies in the generation and not in `state.db`, because it is about this database's entries and goes with them, and
//! because a sweep that had to open a second database could be kept from freeing room by it. Its tables are made by the
//! first sweep that needs them: earlier binaries never look for them, so the number of the schema stays what it is.

use crate::clock::UnixMillis;
use crate::sqlite::{self, Connection, params};
use crate::store::Address;
use crate::store::disk::DiskFault;
use crate::store::eviction::Reason;

/// How many are remembered.
const KEEP: usize = 4_096;

/// Why entries leave without a record, by the number that stands for it; the first is for what is damaged or was found
/// wrong.
pub const REASONS: [&str; 5] = ["dropped", "expired", "too old", "least recently used", "no room"];

/// An entry that left without a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EvictedEntry {
    /// When.
    pub at: UnixMillis,
    /// `expired`, `too old`, `least recently used`, `no room` (the whole cache went), `dropped` (damaged, or found wrong).
    pub reason: &'static str,
    /// When its answer had been fetched.
    pub stored_at: UnixMillis,
    /// When it was last used, as far as was known.
    pub used_at: UnixMillis,
    /// Bytes that it held.
    pub held: u64,
}

/// How many entries left for one reason since the generation began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct EvictionTotal {
    /// As in [`EvictedEntry::reason`].
    pub reason: &'static str,
    /// How many.
    pub entries: u64,
    /// Bytes that they held.
    pub bytes: u64,
}

/// What is noted of one entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Gone {
    pub(super) id: i64,
    /// `None` for one that was dropped outside a sweep.
    pub(super) reason: Option<Reason>,
    pub(super) stored_at: UnixMillis,
    pub(super) used_at: UnixMillis,
    pub(super) held: u64,
}

/// Notes what went at `at`.
pub(super) fn note(connection: &mut Connection, at: UnixMillis, gone: &[Gone]) -> Result<(), DiskFault> {
    if gone.is_empty() {
        return Ok(());
    }
    let reasons = [Reason::Expired, Reason::Aged, Reason::Evicted, Reason::NoRoom].map(Some);
    let counts = std::iter::once(None).chain(reasons).map(|reason| {
        let those = || gone.iter().filter(|gone| gone.reason == reason);
        (number(reason), those().count(), those().map(|gone| gone.held).sum::<u64>())
    });
    // Of more than the ring holds only the last would stay.
    let gone = &gone[gone.len().saturating_sub(KEEP)..];
    sqlite::write(connection, |transaction| {
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS y(reason INTEGER PRIMARY KEY, entries INTEGER NOT NULL, held INTEGER NOT NULL) STRICT",
        )?;
        let sql = "INSERT INTO y VALUES(?1, ?2, ?3) ON CONFLICT DO UPDATE SET entries = entries + ?2, held = held + ?3";
        for (reason, entries, held) in counts.filter(|(_, entries, _)| *entries > 0) {
            let entries = i64::try_from(entries).unwrap_or(i64::MAX);
            transaction.execute(sql, params![reason, entries, held.cast_signed()])?;
        }
        transaction.execute_batch(
            "CREATE TABLE IF NOT EXISTS x(n INTEGER PRIMARY KEY, id INTEGER NOT NULL, at INTEGER NOT NULL, \
             reason INTEGER NOT NULL, stored_at INTEGER NOT NULL, used_at INTEGER NOT NULL, held INTEGER NOT NULL) STRICT",
        )?;
        let sql = "INSERT INTO x(id, at, reason, stored_at, used_at, held) VALUES(?, ?, ?, ?, ?, ?)";
        let mut insert = transaction.prepare_cached(sql)?;
        for gone in gone {
            let held = gone.held.cast_signed();
            insert.execute(params![gone.id, at, number(gone.reason), gone.stored_at, gone.used_at, held])?;
        }
        transaction.execute(
            "DELETE FROM x WHERE n <= (SELECT max(n) FROM x) - ?",
            [i64::try_from(KEEP).unwrap_or(i64::MAX)],
        )?;
        Ok(())
    })
}

/// What is remembered of the entry at `address`, the latest first.
pub(super) fn of(connection: &Connection, address: Address<'_>) -> Result<Vec<EvictedEntry>, DiskFault> {
    if !is_made(connection, "x")? {
        return Ok(Vec::new());
    }
    let sql = "SELECT at, reason, stored_at, used_at, held FROM x WHERE id = ? ORDER BY n DESC";
    let mut statement = connection.prepare(sql)?;
    let found = statement.query_map([address.id().cast_signed()], |row| {
        Ok(EvictedEntry {
            at: row.get(0)?,
            reason: word(row.get(1)?),
            stored_at: row.get(2)?,
            used_at: row.get(3)?,
            held: row.get::<_, i64>(4)?.cast_unsigned(),
        })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// How many have left, by reason.
pub(super) fn lost(connection: &Connection) -> Result<Vec<EvictionTotal>, DiskFault> {
    if !is_made(connection, "y")? {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare("SELECT reason, entries, held FROM y ORDER BY reason")?;
    let found = statement.query_map([], |row| {
        let count = |column| row.get::<_, i64>(column).map(i64::cast_unsigned);
        Ok(EvictionTotal { reason: word(row.get(0)?), entries: count(1)?, bytes: count(2)? })
    })?;
    Ok(found.collect::<Result<_, _>>()?)
}

/// Whether a sweep has made this table.
fn is_made(connection: &Connection, table: &str) -> Result<bool, DiskFault> {
    let sql = "SELECT count(*) FROM sqlite_schema WHERE name = ?";
    Ok(connection.query_row(sql, [table], |row| row.get::<_, i64>(0))? > 0)
}

fn number(reason: Option<Reason>) -> i64 {
    match reason {
        None => 0,
        Some(Reason::Expired) => 1,
        Some(Reason::Aged) => 2,
        Some(Reason::Evicted) => 3,
        Some(Reason::NoRoom) => 4,
    }
}

fn word(number: i64) -> &'static str {
    usize::try_from(number).ok().and_then(|number| REASONS.get(number)).unwrap_or(&REASONS[0])
}
