//! The last resort of a sweep: the live generation is dropped as a whole where not even one entry can be deleted.
//!
//! It needs no byte. `CURRENT` is renamed, so that in one step the generation is live no longer and a mark stands
//! in its place, whose *name* says until when one of its fences lasts. A process that is killed at any moment leaves the
//! one or the other; only then is the database deleted. A new generation of any version keeps everything
//! out until then. The same holds for unreferenced databases that are deleted early.

use crate::clock::{Clock, SystemClock, UnixMillis};
use crate::secure_fs;
use crate::secure_fs::Open;
use crate::sqlite::{self, Connection, DatabaseSpec};
use crate::store::Select;
use crate::store::StoreError;
use crate::store::disk::Options;
use crate::store::disk::generation;
use crate::store::disk::generation::CURRENT;
use crate::store::disk::schema;
use crate::store::invalidation_log::InvalidationRecord;
use crate::store::invalidation_log::KEEP_MILLIS;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What the name of a mark begins with; three numbers follow.
const NAME: &str = "dropped-";

/// What a generation that was dropped leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Tombstone {
    /// Until when a fence of it stood; in the past when none did.
    pub(super) until: UnixMillis,
    /// Its newest number.
    pub(super) sequence: u64,
    /// When it was dropped.
    pub(super) at: UnixMillis,
}

impl Tombstone {
    /// Of what a generation holds at this moment.
    fn of(connection: &Connection, at: UnixMillis) -> Result<Tombstone, sqlite::StatementError> {
        let sql = "SELECT sequence, (SELECT coalesce(max(deadline), 0) FROM r) FROM c";
        connection.query_row(sql, [], |row| {
            Ok(Tombstone { until: row.get(1)?, sequence: row.get::<_, i64>(0)?.cast_unsigned(), at })
        })
    }

    /// Puts the mark in the place of `pointer`, or makes it where there is none. Needs no lock.
    pub(super) fn replace(self, options: &Options, pointer: &Path) -> Result<(), StoreError> {
        let path = options.dir.join(self.name());
        if std::fs::rename(pointer, &path).is_err() {
            secure_fs::open(&path, Open::ReadWrite, options.access)?;
            generation::unlink(pointer)?;
        }
        // After a power cut the old generation may be live again, as without a mark.
        let _ = sync(options);
        Ok(())
    }

    /// Lets the mark end with `until`, if it is still there. One that keeps its name only lasts longer.
    pub(super) fn shorten(self, options: &Options, until: UnixMillis) {
        let _ = rename(options, &self.name(), &Tombstone { until, ..self }.name());
    }

    pub(super) fn name(self) -> String {
        format!("{NAME}{}-{}-{}", self.at.max(0), self.sequence, self.until.max(0))
    }

    fn parse(name: &str) -> Option<Tombstone> {
        let mut numbers = name.strip_prefix(NAME)?.splitn(3, '-');
        let (at, sequence, until) = (numbers.next()?, numbers.next()?, numbers.next()?);
        Some(Tombstone { until: until.parse().ok()?, sequence: sequence.parse().ok()?, at: at.parse().ok()? })
    }

    /// The same mark, dated `now` if the clock was ahead when it was left.
    fn dated_by(self, now: UnixMillis) -> Tombstone {
        let fence = InvalidationRecord {
            sequence: self.sequence,
            select: Select::All,
            deadline: Some(self.until),
            at: self.at,
        };
        let dated = fence.dated_by(now);
        Tombstone { until: dated.deadline.unwrap_or(now), at: dated.at, ..self }
    }

    /// Whether no reader needs it any more: neither a fence nor the history of changes.
    fn is_over(self, now: UnixMillis) -> bool {
        self.until <= now && self.at <= now.saturating_sub(KEEP_MILLIS)
    }
}

/// The marks of a directory, the one that stands longest last.
pub(super) fn marks(options: &Options) -> Result<Vec<Tombstone>, StoreError> {
    let mut marks: Vec<Tombstone> =
        generation::names(&options.dir)?.iter().filter_map(|name| Tombstone::parse(name)).collect();
    marks.sort_unstable();
    Ok(marks)
}

/// Removes the marks whose time is over.
pub(super) fn forget(options: &Options, now: UnixMillis) -> Result<(), StoreError> {
    for mark in marks(options)? {
        let dated = mark.dated_by(now);
        if dated != mark {
            rename(options, &mark.name(), &dated.name())?;
        }
    }
    let over = marks(options)?.into_iter().filter(|mark| mark.is_over(now));
    over.map(|mark| options.dir.join(mark.name())).try_for_each(|path| generation::unlink(&path))
}

/// Deletes the databases that are neither referenced nor kept as evidence, however young, and leaves a mark for what may stand
/// in them. Whether there were any. One that cannot be asked stays.
pub(super) fn drop_leftovers(options: &Options) -> Result<bool, StoreError> {
    // No process is creating one.
    let _lock = generation::lock(options)?;
    let now = SystemClock::default().now();
    let mut mark = Tombstone { until: 0, sequence: 0, at: now };
    let mut asked = Vec::new();
    for path in generation::leftovers(options, SystemTime::now())? {
        if let Some(one) = left_in(options, &path, now) {
            mark = Tombstone { until: mark.until.max(one.until), sequence: mark.sequence.max(one.sequence), at: now };
            asked.push(path);
        }
    }
    if asked.is_empty() {
        return Ok(false);
    }
    secure_fs::open(&options.dir.join(mark.name()), Open::ReadWrite, options.access)?;
    sync(options)?;
    asked.iter().try_for_each(|path| generation::delete(path))?;
    Ok(true)
}

/// What a database leaves that is not live; `None` when it cannot be asked.
fn left_in(options: &Options, path: &Path, at: UnixMillis) -> Option<Tombstone> {
    let number = generation::number_of(path)?;
    match sqlite::schema_of(path)? {
        // No process uses it yet.
        0 => Some(Tombstone { until: 0, sequence: number, at }),
        version => Tombstone::of(&open(options, path, version).ok()?, at).ok(),
    }
}

/// A connection to a database of this schema, on a disk without room for its companion too.
fn open(options: &Options, path: &Path, version: i32) -> Result<Connection, StoreError> {
    let plan = DatabaseSpec { version, ..generation::plan(options, path, "") };
    let connection = match sqlite::open_existing(&plan) {
        Err(error) if error.is_cramped() => sqlite::open_cramped(&plan),
        opened => opened,
    }?;
    sqlite::leave_log(&connection, schema::LOG_PAGES).map_err(sqlite::at(path))?;
    Ok(connection)
}

/// Drops the generation whose database this is; `false` when it is not the live one. Its room is free once the last process
/// that has it open has noticed, which each does at its next operation.
pub(super) fn shed(options: &Options, path: &Path, now: UnixMillis) -> Result<bool, StoreError> {
    // One that cannot be deleted is a leftover, and goes with those.
    drop_live(options, path, now, || {}, |path| drop(generation::delete(path)))
}

/// The same, with what comes between the look at the fences and the mark, and what is done to the database once it stands.
fn drop_live(
    options: &Options,
    path: &Path,
    now: UnixMillis,
    meanwhile: impl FnOnce(),
    delete: impl FnOnce(&Path),
) -> Result<bool, StoreError> {
    let _lock = generation::lock(options)?;
    // Another process may have been faster: its successor has space.
    if generation::current(options)?.is_none_or(|(_, live)| live != path) {
        return Ok(false);
    }
    let failed = sqlite::at(path);
    let (connection, mut holder) = (open(options, path, schema::VERSION)?, open(options, path, schema::VERSION)?);
    // A process that is about to record a fence waits here, and then finds that the generation is not live. One that does
    // not let go in time is not waited for: what he wrote is looked for once more, and after that he sees it himself.
    let held = sqlite::hold(&mut holder);
    let mark = Tombstone::of(&connection, now).map_err(&failed)?;
    meanwhile();
    rename(options, CURRENT, &mark.name())?;
    if held.is_err() {
        let late = Tombstone::of(&connection, now).map_err(&failed)?;
        if late != mark {
            rename(options, &mark.name(), &late.name())?;
        }
    }
    tracing::warn!("CacheError CacheBackendError: {} was dropped whole: the disk has no room", path.display());
    delete(path);
    Ok(true)
}

/// Renames a file of the directory, so that a power cut does not undo it.
fn rename(options: &Options, from: &str, to: &str) -> Result<(), StoreError> {
    let from: PathBuf = options.dir.join(from);
    std::fs::rename(&from, options.dir.join(to)).map_err(|source| StoreError::Io {
        action: "rename",
        path: from,
        source,
    })?;
    sync(options)
}

/// What was made or renamed in the directory is there after a power cut too.
fn sync(options: &Options) -> Result<(), StoreError> {
    let synced = File::open(&options.dir).and_then(|folder| folder.sync_all());
    synced.map_err(|source| StoreError::Io { action: "sync", path: options.dir.clone(), source })
}

#[cfg(test)]
mod tests;
