//! Cold misses: the first time that a command asks for a key that is not stored. No cache can answer these, so health
//! does not judge them.
//!
//! A key counts as cold once: what is removed and asked for again is an ordinary miss.

use super::database::Database;
use super::error::StateError;
use crate::clock::UnixMillis;
use crate::sqlite::{Transaction, params};
use crate::state::lookup_record::cache_number;
use std::collections::HashMap;
use std::path::Path;

/// Records a miss of `entry` (the id of its address); only the first one counts.
pub(super) fn note(transaction: &Transaction<'_>, cache: u32, entry: u64, at: UnixMillis) -> Result<(), StateError> {
    let mut statement = transaction.prepare("INSERT OR IGNORE INTO cold_misses(cache, entry, at) VALUES(?, ?, ?)")?;
    statement.execute(params![cache, entry.cast_signed(), at])?;
    Ok(())
}

/// Forgets what was asked for in `cache`: after a clear or a recovery every key is cold again.
pub(super) fn forget(transaction: &Transaction<'_>, cache: u32) -> Result<(), StateError> {
    transaction.execute("DELETE FROM cold_misses WHERE cache = ?", [cache])?;
    Ok(())
}

/// Forgets keys that were cold before or after these moments.
pub(super) fn forget_outside(transaction: &Transaction<'_>, bounds: [UnixMillis; 2]) -> Result<(), StateError> {
    transaction.execute("DELETE FROM cold_misses WHERE at < ?1 OR at > ?2", bounds)?;
    Ok(())
}

/// The cold misses in `cache` since `since`; `unfolded` are the misses of keys that were not stored and that no fold has
/// counted yet, by entry with the earliest time.
pub(super) fn count(
    database: Option<&Database>,
    cache: &Path,
    since: UnixMillis,
    unfolded: &HashMap<u64, UnixMillis>,
) -> Result<u64, StateError> {
    let later = |at: &UnixMillis| *at >= since;
    let Some(database) = database.filter(|database| database.has_table("cold_misses").unwrap_or(false)) else {
        return Ok(length(unfolded.values().filter(|at| later(at)).count()));
    };
    let cache = cache_number(cache);
    let find = "SELECT count(*) FROM cold_misses WHERE cache = ? AND at >= ?";
    let folded: i64 = database.reader().query_row(find, params![cache, since], |row| row.get(0))?;
    let mut known =
        database.reader().prepare("SELECT EXISTS(SELECT 1 FROM cold_misses WHERE cache = ? AND entry = ?)")?;
    let mut cold = u64::try_from(folded).unwrap_or_default();
    for (entry, _) in unfolded.iter().filter(|(_, at)| later(at)) {
        let is_known: bool = known.query_row(params![cache, entry.cast_signed()], |row| row.get(0))?;
        cold += u64::from(!is_known);
    }
    Ok(cold)
}

fn length(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
