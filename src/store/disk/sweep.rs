//! Sweeping a generation: victims in slices, orphaned frames, free pages and the log.
//!
//! Neighbours: `eviction.rs` says what goes. Promise: no transaction of more than a slice, and on a full disk smaller
//! ones, because even a deletion needs room in the log.

use super::Fault;
use super::ring::{self, Gone};
use super::write::{SLICE, drop_version, free};
use crate::sqlite::{self, Connection, SqliteError, StatementError, params};
use crate::store::eviction::{Candidate, victims};
use crate::store::{Sweep, Swept};
use std::time::Duration;

/// How long a checkpoint waits for readers.
const PATIENCE: Duration = Duration::from_millis(250);

/// Pages given back in one transaction.
const PAGES: i64 = 512;

/// A slice this small that does not fit either is given up.
const SMALLEST: usize = 8;

/// A database that nobody names is kept for so long after its last write.
pub(super) const LEFTOVER: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Clone, Copy)]
struct Handle {
    id: i64,
    version: i64,
    frames: i64,
}

/// Drops what the sweep names, then gives back the space.
pub(super) fn sweep(connection: &mut Connection, sweep: &Sweep) -> Result<Swept, Fault> {
    let mut swept = Swept::default();
    let victims = victims(candidates(connection)?, sweep);
    if sweep.dry_run {
        for (candidate, reason) in victims {
            swept.count(reason, candidate.held);
        }
        return Ok(swept);
    }
    let mut slice = SLICE;
    let mut rest = victims.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(slice.min(rest.len()));
        let done = sqlite::write(connection, |transaction| {
            let (mut gone, mut noted) = (Swept::default(), Vec::new());
            for (Candidate { handle, held, stored_at, used_at, .. }, reason) in now {
                // One that was replaced since it was judged stays.
                let mut delete = transaction.prepare_cached("DELETE FROM e WHERE id = ? AND version = ?")?;
                if delete.execute(params![handle.id, handle.version])? > 0 {
                    drop_version(transaction, handle.version, handle.frames)?;
                    gone.count(*reason, *held);
                    let (stored_at, used_at) = (*stored_at, *used_at);
                    noted.push(Gone { id: handle.id, reason: Some(*reason), stored_at, used_at, held: *held });
                }
            }
            Ok::<_, Fault>((gone, noted))
        });
        match done {
            Ok((gone, noted)) => {
                // Why something is gone is worth a try, and no more.
                let _ = ring::note(connection, sweep.now, &noted);
                swept = Swept {
                    expired: swept.expired + gone.expired,
                    aged: swept.aged + gone.aged,
                    evicted: swept.evicted + gone.evicted,
                    bytes: swept.bytes + gone.bytes,
                };
                rest = later;
            }
            Err(fault) if is_full(&fault) && slice > SMALLEST => {
                // The log may be what takes the room.
                let _ = sqlite::checkpoint(connection);
                slice /= 8;
            }
            Err(fault) => return Err(fault),
        }
    }
    free(connection, sweep.now, slice)?;
    shrink(connection)?;
    sqlite::checkpoint(connection)?;
    Ok(swept)
}

fn candidates(connection: &Connection) -> Result<Vec<Candidate<Handle>>, StatementError> {
    connection
        .prepare_cached("SELECT id, version, frames, stored_at, stale_until, used_at, held FROM e")?
        .query_map([], |row| {
            Ok(Candidate {
                handle: Handle { id: row.get(0)?, version: row.get(1)?, frames: row.get(2)? },
                stored_at: row.get(3)?,
                stale_until: row.get(4)?,
                used_at: row.get(5)?,
                held: row.get::<_, i64>(6)?.cast_unsigned(),
            })
        })?
        .collect()
}

fn is_full(fault: &Fault) -> bool {
    matches!(fault, Fault::Statement(error) if SqliteError::is_full_statement(error))
}

/// Gives free pages back to the file system, some at a time.
fn shrink(connection: &Connection) -> Result<(), StatementError> {
    let free = || connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    let mut left = free()?;
    while left > 0 {
        connection.execute_batch(&format!("PRAGMA incremental_vacuum({PAGES})"))?;
        let now = free()?;
        if now >= left {
            break;
        }
        left = now;
    }
    Ok(())
}

/// Gives back free pages and folds the log into the database. A reader who holds that back is not waited for.
pub(super) fn settle(connection: &Connection, busy: Duration) -> Result<(), Fault> {
    connection.busy_timeout(PATIENCE.min(busy))?;
    let done = shrink(connection).and_then(|()| sqlite::checkpoint(connection));
    connection.busy_timeout(busy)?;
    match done {
        Err(error) if !SqliteError::is_busy_statement(&error) => Err(error.into()),
        _ => Ok(()),
    }
}
