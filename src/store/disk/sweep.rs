//! Sweeping a generation: victims in slices, orphaned frames, free pages and the log.
//!
//! No transaction of more than a slice, and on a full disk smaller ones, because even a deletion needs room in the
//! log; no reader waits for it, and it waits for no reader.

use super::write::{SLICE, drop_version, free};
use super::{DiskFault, GenerationConnection};
use crate::sqlite::{self, Connection, SqliteError, StatementError, params, params_from_iter};
use crate::store::disk::eviction_log;
use crate::store::disk::eviction_log::Gone;
use crate::store::eviction::{Candidate, Reason, victims};
use crate::store::{StoreError, Sweep, Swept};
use std::path::PathBuf;
use std::time::Duration;

/// How long a checkpoint waits for readers.
const PATIENCE: Duration = Duration::from_millis(250);

/// Pages given back in one transaction.
const PAGES: i64 = 512;

/// Pages given back in one transaction where there is little room.
const FEW_PAGES: i64 = 16;

/// From slices this small on single entries are tried.
const SMALLEST: usize = 8;

/// An unreferenced database is kept for so long after its last write.
pub(super) const LEFTOVER: Duration = Duration::from_secs(24 * 3_600);

#[derive(Debug, Clone, Copy)]
struct Handle {
    id: i64,
    version: i64,
    frames: i64,
}

/// What became of a sweep.
#[derive(Debug, Default)]
pub(super) struct SweepResult {
    pub(super) swept: Swept,
    /// What is over the limits cannot be deleted for want of room.
    pub(super) stuck: Option<SweepStuck>,
}

/// A sweep that cannot delete a single entry more.
#[derive(Debug)]
pub(super) struct SweepStuck {
    /// Why.
    pub(super) error: StoreError,
    /// The database.
    pub(super) path: PathBuf,
    /// All that is there.
    pub(super) all: Vec<Gone>,
}

/// Drops what the sweep names, then gives back the space. `relief` makes some room on a disk that has none, until it has
/// nothing more to give.
pub(super) fn sweep(
    live: &mut GenerationConnection,
    sweep: &Sweep,
    busy: Duration,
    relief: &mut dyn FnMut() -> bool,
) -> Result<SweepResult, DiskFault> {
    let GenerationConnection { connection, path, cramped, .. } = live;
    let mut swept = Swept::default();
    let victims = victims(candidates(connection, sweep.first)?, sweep);
    if sweep.dry_run {
        for (candidate, reason) in victims {
            swept.count(reason, candidate.held);
        }
        return Ok(SweepResult { swept, stuck: None });
    }
    let mut pace = BatchSize { slice: SLICE, busy, relief };
    let mut rest = victims.as_slice();
    while !rest.is_empty() {
        let (now, later) = rest.split_at(pace.slice.min(rest.len()));
        let (gone, those) = match pace.tried(connection, |connection| drop_slice(connection, now)) {
            Ok(Some(done)) => done,
            Ok(None) => continue,
            Err(fault) if (*cramped || is_full(&fault)) && is_worth_all(sweep, rest) => {
                let all = candidates(connection, &[])?.iter().map(|one| noted(one, Reason::NoRoom)).collect();
                return Ok(SweepResult {
                    swept,
                    stuck: Some(SweepStuck { error: fault.at(path), path: path.clone(), all }),
                });
            }
            Err(fault) => return Err(fault),
        };
        pace.relax(connection)?;
        // Why something is gone is worth a try, and no more.
        let _ = eviction_log::note(connection, sweep.now, &those);
        swept = Swept {
            no_room: 0,
            expired: swept.expired + gone.expired,
            aged: swept.aged + gone.aged,
            evicted: swept.evicted + gone.evicted,
            bytes: swept.bytes + gone.bytes,
        };
        rest = later;
    }
    let mut freed = None;
    while freed.is_none() {
        let slice = pace.slice;
        freed = pace.tried(connection, |connection| free(connection, sweep.now, slice))?;
    }
    pace.relax(connection)?;
    settle(connection, busy)?;
    Ok(SweepResult { swept, stuck: None })
}

/// Whether everything may go for the sake of what is left to delete: the limits are being enforced, and it is over
/// them. What merely has expired is no reason, nor a warm, which has just filled it.
fn is_worth_all(sweep: &Sweep, rest: &[(Candidate<Handle>, Reason)]) -> bool {
    sweep.first.is_empty() && rest.iter().any(|(_, reason)| *reason == Reason::Evicted)
}

fn noted(one: &Candidate<Handle>, reason: Reason) -> Gone {
    let Candidate { handle, held, stored_at, used_at, .. } = *one;
    Gone { id: handle.id, reason: Some(reason), stored_at, used_at, held }
}

/// Deletes some entries in one transaction; gives what went and what is to be noted of it.
fn drop_slice(
    connection: &mut Connection,
    slice: &[(Candidate<Handle>, Reason)],
) -> Result<(Swept, Vec<Gone>), DiskFault> {
    sqlite::write(connection, |transaction| {
        let (mut gone, mut those) = (Swept::default(), Vec::new());
        for (one, reason) in slice {
            let handle = one.handle;
            // One that was replaced since it was judged stays.
            let mut delete = transaction.prepare_cached("DELETE FROM e WHERE id = ? AND version = ?")?;
            if delete.execute(params![handle.id, handle.version])? > 0 {
                drop_version(transaction, handle.version, handle.frames)?;
                gone.count(*reason, one.held);
                those.push(noted(one, *reason));
            }
        }
        Ok((gone, those))
    })
}

/// How much one transaction deletes: less, where there is little room for the log.
struct BatchSize<'a> {
    slice: usize,
    busy: Duration,
    relief: &'a mut dyn FnMut() -> bool,
}

impl BatchSize<'_> {
    /// Does `work`; `None` when there was no room for it and it is worth another try.
    fn tried<T>(
        &mut self,
        connection: &mut Connection,
        work: impl FnOnce(&mut Connection) -> Result<T, DiskFault>,
    ) -> Result<Option<T>, DiskFault> {
        match work(connection) {
            Ok(done) => Ok(Some(done)),
            Err(fault) if is_full(&fault) && self.slice > 1 => {
                // The log may be what takes the room.
                fold(connection, self.busy)?;
                self.slice = if self.slice > SMALLEST { (self.slice / 8).max(SMALLEST) } else { 1 };
                Ok(None)
            }
            Err(fault) if is_full(&fault) && (self.relief)() => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// After a deletion on a disk without room: what it freed is the room for the next.
    fn relax(&mut self, connection: &Connection) -> Result<(), DiskFault> {
        if self.slice < SLICE {
            fold(connection, self.busy)?;
            match shrink(connection, FEW_PAGES) {
                Err(error) if !SqliteError::is_full_statement(&error) => return Err(error.into()),
                _ => fold(connection, self.busy)?,
            }
            self.slice = (self.slice * 2).min(SLICE);
        }
        Ok(())
    }
}

/// Folds the log into the database. A reader who holds that back is not waited for.
fn fold(connection: &Connection, busy: Duration) -> Result<(), StatementError> {
    sqlite::set_patience(connection, PATIENCE.min(busy))?;
    let done = sqlite::checkpoint(connection);
    sqlite::set_patience(connection, busy)?;
    match done {
        Err(error) if !SqliteError::is_full_statement(&error) => Err(error),
        _ => Ok(()),
    }
}

fn candidates(connection: &Connection, first: &[&str]) -> Result<Vec<Candidate<Handle>>, StatementError> {
    let yields = if first.is_empty() { "FALSE".to_owned() } else { vec!["key GLOB ?"; first.len()].join(" OR ") };
    let sql = format!("SELECT id, version, frames, stored_at, stale_until, used_at, held, {yields} FROM e");
    connection
        .prepare_cached(&sql)?
        .query_map(params_from_iter(first), |row| {
            Ok(Candidate {
                handle: Handle { id: row.get(0)?, version: row.get(1)?, frames: row.get(2)? },
                stored_at: row.get(3)?,
                stale_until: row.get(4)?,
                used_at: row.get(5)?,
                held: row.get::<_, i64>(6)?.cast_unsigned(),
                yields: row.get(7)?,
            })
        })?
        .collect()
}

fn is_full(fault: &DiskFault) -> bool {
    matches!(fault, DiskFault::Statement(error) if SqliteError::is_full_statement(error))
}

/// Gives free pages back to the file system, so many at a time.
fn shrink(connection: &Connection, pages: i64) -> Result<(), StatementError> {
    let free = || connection.query_row("PRAGMA freelist_count", [], |row| row.get::<_, i64>(0));
    let mut left = free()?;
    while left > 0 {
        sqlite::give_back(connection, pages)?;
        let now = free()?;
        if now >= left {
            break;
        }
        left = now;
    }
    Ok(())
}

/// Gives back free pages and folds the log into the database. A reader who holds that back is not waited for.
pub(super) fn settle(connection: &Connection, busy: Duration) -> Result<(), DiskFault> {
    sqlite::set_patience(connection, PATIENCE.min(busy))?;
    let done = shrink(connection, PAGES);
    sqlite::set_patience(connection, busy)?;
    match done {
        // Without room for many pages in the log some may still go.
        Err(error) if SqliteError::is_full_statement(&error) => {
            fold(connection, busy)?;
            let _ = shrink(connection, FEW_PAGES);
        }
        Err(error) if !SqliteError::is_busy_statement(&error) => return Err(error.into()),
        _ => {}
    }
    Ok(fold(connection, busy)?)
}
