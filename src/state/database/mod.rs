//! Opens and migrates `state.db`, and replaces a damaged one.
//!
//! A database that a newer awsideman made is refused, a damaged one is kept as evidence next to its successor; of
//! many processes that find the damage, one replaces it and all continue.

use crate::clock::UnixMillis;
use crate::lock::Guard;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Prepared;
use crate::sqlite::{self, Connection, DatabaseSpec, ErrorCode, SqliteError, Synchronous, Transaction};
use crate::state::error::{StateError, io_error};
use crate::state::locks::FileLock;
use crate::state::schema::{self, SCHEMA, STEPS, VERSION};
use crate::state::spare;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Less free space than this stays in the file, for what comes next.
const WORTH_GIVING_BACK: u64 = 1024 * 1024;

/// The state database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens `state.db` in `directory`, making both when absent. The notice says that a damaged one was set aside, or
    /// that the directory was tightened.
    pub fn open(
        directory: &Path,
        access: Access,
        busy: Duration,
        now: UnixMillis,
    ) -> Result<(Database, Option<String>), StateError> {
        let tightened = match secure_fs::directory(directory, access)? {
            Prepared::Tightened(mode) => {
                Some(format!("{} could be read by others (mode {mode:04o}); now it cannot", directory.display()))
            }
            Prepared::Found | Prepared::Created => None,
        };
        let path = directory.join("state.db");
        let opened = sqlite::expect_files(&path).and_then(|()| sqlite::open(&plan(&path, access, busy)));
        match opened {
            Ok(connection) => {
                spare::allocate(directory, access);
                Ok((Database { connection, path }, tightened))
            }
            // It cannot be opened in the moment in which another process sets it aside; renewing waits for that.
            Err(error) if error.is_damage() || cannot_open(&error) => {
                let (database, notice) = Database::renew(directory, access, busy, now)?;
                let both: Vec<String> = tightened.into_iter().chain(notice).collect();
                Ok((database, (!both.is_empty()).then(|| both.join("; "))))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Opens `state.db` as a user who may not write it does; `None` when there is none, or none yet: one whose making was
    /// cut off holds nothing, and the next writer completes it.
    pub fn open_read_only(directory: &Path, busy: Duration) -> Result<Option<Database>, StateError> {
        let path = directory.join("state.db");
        match std::fs::symlink_metadata(&path) {
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(source) => return Err(io_error("look at", &path)(source)),
        }
        let plan = plan(&path, Access::Owner, busy);
        let opened = match sqlite::open_read_only(&plan) {
            // Without room for the companion files, what is in the log is read into memory.
            Err(error) if error.is_cramped() => sqlite::open_cramped(&plan),
            opened => opened,
        };
        let opened = match opened {
            // No process writes to it now, and this user may not make the files by which readers and writers meet.
            Err(error) if error.is_read_only() || error.is_full() || cannot_open(&error) => {
                sqlite::open_immutable(&plan)
            }
            opened => opened,
        };
        let connection = match opened {
            Err(SqliteError::Older { found: 0, .. }) => return Ok(None),
            opened => opened?,
        };
        let version: i32 =
            connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(sqlite::at(&path))?;
        if version < schema::NAMED {
            schema::older_names(&connection).map_err(sqlite::at(&path))?;
        }
        Ok(Some(Database { connection, path }))
    }

    /// Checks the whole of `state.db` and, if it is damaged, sets it aside as `state.db.damaged.<now>` and begins a new
    /// one; the notice says so. For `cache recover`, and for statements that failed with [`StateError::is_damage`].
    pub fn renew(
        directory: &Path,
        access: Access,
        busy: Duration,
        now: UnixMillis,
    ) -> Result<(Database, Option<String>), StateError> {
        secure_fs::directory(directory, access)?;
        let lock = directory.join("state.db.renew");
        let _lock = FileLock::wait_for(&lock, Guard::StateRenewal, access, busy, now)?.map_err(StateError::Busy)?;
        let path = directory.join("state.db");
        let plan = plan(&path, access, busy);
        // The previous holder of the lock may have replaced it. A damaged one is closed before its file is renamed.
        let found = sqlite::open(&plan).and_then(|connection| match check(&connection, &path)? {
            None => Ok(Ok(connection)),
            Some(fault) => Ok(Err(fault)),
        });
        let (kind, reason) = match found {
            Ok(Ok(connection)) => return Ok((Database { connection, path }, None)),
            Ok(Err(fault)) => ("damaged", format!("was damaged ({fault})")),
            Err(SqliteError::Older { found, known, .. }) => {
                ("older", format!("was made by an older awsideman (schema {found}, this one needs {known})"))
            }
            Err(error) if error.is_damage() => ("damaged", format!("was damaged ({error})")),
            Err(error) => return Err(error.into()),
        };
        let aside = set_aside(directory, &path, kind, now)?;
        let connection = sqlite::open(&plan)?;
        let notice = format!("state.db {reason}; it was set aside as {} and replaced by an empty one", aside.display());
        Ok((Database { connection, path }, Some(notice)))
    }

    /// Gives the file system back what the database no longer uses, when that is worth it; the bytes given back.
    pub fn give_back(&mut self) -> Result<u64, StateError> {
        let number = |name: &str| -> Result<u64, StateError> {
            let found: i64 = self.connection.query_row(&format!("PRAGMA {name}"), [], |row| row.get(0))?;
            Ok(found.unsigned_abs())
        };
        let page = number("page_size")?;
        let (free, all) = (number("freelist_count")? * page, number("page_count")? * page);
        if free < WORTH_GIVING_BACK || free < all / 4 {
            return Ok(0);
        }
        sqlite::give_back(&self.connection, i64::from(i32::MAX))?;
        // The file is cut when the log is folded in; a reader may delay that until the next time.
        sqlite::checkpoint(&self.connection)?;
        Ok(free)
    }

    /// What `SQLite` finds wrong with the content, if anything. Changes nothing.
    pub fn damage(&self) -> Result<Option<String>, StateError> {
        Ok(check(&self.connection, &self.path)?)
    }

    /// Whether the table exists, or a view with its name: an earlier version that is opened read-only is not migrated.
    pub(super) fn has_table(&self, name: &str) -> Result<bool, StateError> {
        let find = "SELECT EXISTS(SELECT 1 FROM pragma_table_list WHERE name = ?)";
        Ok(self.connection.query_row(find, [name], |row| row.get(0))?)
    }

    /// An empty database in memory: for reading where there is none and none can be made.
    pub fn in_memory() -> Result<Database, StateError> {
        let path = PathBuf::from(":memory:");
        let connection = sqlite::in_memory(&plan(&path, Access::Owner, Duration::ZERO))?;
        Ok(Database { connection, path })
    }

    /// The connection, to run statements on.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The connection, to ask.
    pub fn reader(&self) -> &Connection {
        &self.connection
    }

    /// Runs `work` in one BEGIN IMMEDIATE and commits it; an error rolls everything back.
    pub fn write<T>(&mut self, work: impl FnOnce(&Transaction<'_>) -> Result<T, StateError>) -> Result<T, StateError> {
        let path = &self.path;
        sqlite::write(&mut self.connection, work).map_err(|error| match error {
            StateError::Statement(source) if SqliteError::is_busy_statement(&source) => sqlite::at(path)(source).into(),
            other => other,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn plan(path: &Path, access: Access, busy: Duration) -> DatabaseSpec<'_> {
    DatabaseSpec {
        path,
        schema: SCHEMA,
        steps: STEPS,
        version: VERSION,
        synchronous: Synchronous::Full,
        busy,
        page_size: 4096,
        access,
    }
}

fn cannot_open(error: &SqliteError) -> bool {
    matches!(error, SqliteError::Database { source, .. } if source.sqlite_error_code() == Some(ErrorCode::CannotOpen))
}

/// What `SQLite` finds wrong with the content, if anything.
fn check(connection: &Connection, path: &Path) -> Result<Option<String>, SqliteError> {
    let verdict: String =
        connection.query_row("PRAGMA quick_check(1)", [], |row| row.get(0)).map_err(sqlite::at(path))?;
    Ok((verdict != "ok").then_some(verdict))
}

/// Renames the database, its log first: a log that stays behind would be replayed into the successor.
fn set_aside(directory: &Path, path: &Path, kind: &str, now: UnixMillis) -> Result<PathBuf, StateError> {
    let name = |n: u32| match n {
        0 => format!("state.db.{kind}.{now}"),
        n => format!("state.db.{kind}.{now}.{n}"),
    };
    let free = (0..u32::MAX).map(|n| directory.join(name(n))).find(|aside| aside.symlink_metadata().is_err());
    let aside = free.unwrap_or_else(|| directory.join(name(0)));
    for ending in ["-wal", "-shm"] {
        let companion = sqlite::sidecar(path, ending);
        match std::fs::rename(&companion, sqlite::sidecar(&aside, ending)) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(io_error("set aside", &companion)(error));
            }
            _ => {}
        }
    }
    std::fs::rename(path, &aside).map_err(io_error("set aside", path))?;
    Ok(aside)
}

#[cfg(test)]
mod tests;
