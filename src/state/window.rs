//! The beginning of a new window of the hit rate: counts from before a recovery or a clear do not apply to the
//! cache after it.
//!
//! Hours are counted whole. The counts that the hour of the beginning already has are kept apart and subtracted.

use super::cold;
use super::database::Database;
use super::error::StateError;
use super::statistics::{LookupCounts, collect, hour_of, read};
use crate::clock::UnixMillis;
use crate::sqlite::{OptionalExtension, params};
use crate::state::lookup_record::cache_number;
use std::path::Path;

/// Begins a new window of `cache` at `now`. Fold the tally before.
pub fn begin_window(database: &mut Database, cache: &Path, now: UnixMillis) -> Result<(), StateError> {
    let cache = cache_number(cache);
    database.write(|transaction| {
        transaction.execute("DELETE FROM hit_rate_windows WHERE cache = ?", [cache])?;
        transaction.execute("DELETE FROM hit_rate_baselines WHERE cache = ?", [cache])?;
        transaction.execute("INSERT INTO hit_rate_windows(cache, began_at) VALUES(?, ?)", params![cache, now])?;
        transaction.execute(
            "INSERT INTO hit_rate_baselines(cache, resource, outcome, lookups)
             SELECT cache, resource, outcome, lookups FROM lookups_by_hour WHERE hour = ? AND cache = ?",
            params![hour_of(now), cache],
        )?;
        cold::forget(transaction, cache)
    })
}

/// The start of the window of `cache`; `None` if it was never restarted.
pub fn window_began(database: &Database, cache: &Path) -> Result<Option<UnixMillis>, StateError> {
    if !database.has_table("hit_rate_windows")? {
        return Ok(None);
    }
    let find = "SELECT began_at FROM hit_rate_windows WHERE cache = ?";
    Ok(database.reader().query_row(find, [cache_number(cache)], |row| row.get(0)).optional()?)
}

/// The counts of the start hour of `cache`'s window from before the start.
pub(super) fn before(database: &Database, cache: &Path) -> Result<LookupCounts, StateError> {
    let mut counts = LookupCounts::default();
    let find = "SELECT resource, outcome, lookups FROM hit_rate_baselines WHERE cache = ?";
    let mut statement = database.reader().prepare(find)?;
    collect(&mut counts, statement.query_map([cache_number(cache)], read)?)?;
    Ok(counts)
}
