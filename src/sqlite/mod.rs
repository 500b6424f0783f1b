//! Opens and migrates SQLite databases; only this folder imports rusqlite.
//!
//! Any number of processes may open a new database concurrently and all succeed; every write is one BEGIN IMMEDIATE that
//! waits its turn; an older database is migrated in one transaction if steps lead to the current schema; one that is
//! newer than this binary or damaged is refused with an error of its kind.

mod error;
mod patience;

use crate::limits;
use crate::lock::{self, Guard};
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use crate::secure_fs::PrivateError;
pub use error::SqliteError;
pub use patience::set_patience;
pub use rusqlite::{
    Connection, Error as StatementError, ErrorCode, OptionalExtension, Row, Transaction, blob::Blob, named_params,
    params, params_from_iter, types::Value, types::ValueRef,
};
use rusqlite::{OpenFlags, TransactionBehavior, config::DbConfig};
use rustix::fs::Access as Right;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What stands for itself in the path of a URI; everything else is percent-encoded.
const URI_PATH: &percent_encoding::AsciiSet = &percent_encoding::NON_ALPHANUMERIC.remove(b'/');

/// The files of an open database: its pages, its log and the shared memory.
const DESCRIPTORS: usize = 3;

/// How much a commit waits for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Synchronous {
    /// A power cut loses nothing that was committed.
    Full,
    /// A power cut may lose the last commits, never the database.
    Normal,
    /// For what may be lost as a whole.
    Off,
}

impl Synchronous {
    fn word(self) -> &'static str {
        match self {
            Synchronous::Full => "FULL",
            Synchronous::Normal => "NORMAL",
            Synchronous::Off => "OFF",
        }
    }
}

/// What a database must be like.
#[derive(Debug, Clone, Copy)]
pub struct DatabaseSpec<'a> {
    /// Its file; the directory exists.
    pub path: &'a Path,
    /// The statements that make an empty database ours, as far as the first of the `steps`.
    pub schema: &'a str,
    /// The statements that lead from there to `version`, one number each. A database that is already on the way is
    /// brought forward by those it has not seen, so a step that was shipped never changes.
    pub steps: &'a [&'a str],
    /// The number of the schema after the last step, kept in `user_version`; the first is at least 1.
    pub version: i32,
    /// How much a commit waits.
    pub synchronous: Synchronous,
    /// How long an operation waits for another process.
    pub busy: Duration,
    /// Bytes a page, for a new database.
    pub page_size: u32,
    /// Who may use it.
    pub access: Access,
}

impl DatabaseSpec<'_> {
    /// The number of the schema that the steps begin at.
    fn first(&self) -> i32 {
        self.version - i32::try_from(self.steps.len()).unwrap_or(i32::MAX)
    }

    /// Whether the steps lead from the schema `found` to this one.
    fn leads_from(&self, found: i32) -> bool {
        (self.first()..self.version).contains(&found)
    }

    /// The steps that the schema `found` has not seen.
    fn steps_from(&self, found: i32) -> impl Iterator<Item = &str> {
        let seen = usize::try_from(found.saturating_sub(self.first())).unwrap_or(0);
        self.steps.iter().skip(seen).copied()
    }
}

/// Makes an empty database in memory.
pub fn in_memory(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    let connection = Connection::open_in_memory().map_err(at(plan.path))?;
    for statements in std::iter::once(plan.schema).chain(plan.steps.iter().copied()) {
        connection.execute_batch(statements).map_err(at(plan.path))?;
    }
    Ok(connection)
}

/// Opens the database, making it first when it is not there and bringing it forward when it is older.
///
/// Both happen under a lock file next to it, and the schema number is read again inside BEGIN IMMEDIATE: without
/// either, processes that open a new database concurrently fail on each other's tables. A step that fails leaves the
/// database as it was.
pub fn open(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    open_or_make(plan).map_err(|error| blame(error, plan.path))
}

/// The file that keeps a database from being opened, where it is one of its companions: `SQLite` names the database alone.
fn blame(error: SqliteError, path: &Path) -> SqliteError {
    match error.code() {
        Some(ErrorCode::CannotOpen | ErrorCode::SystemIoFailure | ErrorCode::ReadOnly) => {
            let usable = expect_descriptors(path).and_then(|()| expect_files(path)).and_then(|()| expect_usable(path));
            usable.err().unwrap_or(error)
        }
        _ => error,
    }
}

/// Finds that this process may not open as many files as a database needs: `SQLite` reports only that it cannot open it.
fn expect_descriptors(path: &Path) -> Result<(), SqliteError> {
    let open: std::io::Result<Vec<_>> = (0..DESCRIPTORS).map(|_| File::open("/dev/null")).collect();
    match open {
        Err(source) if limits::hint(&source).is_some() => {
            Err(PrivateError::Io { action: "open", path: path.into(), source }.into())
        }
        _ => Ok(()),
    }
}

/// Finds the companion that this user may not use though the database itself can be used.
fn expect_usable(path: &Path) -> Result<(), SqliteError> {
    let refusal = |path: &Path| match rustix::fs::access(path, Right::READ_OK | Right::WRITE_OK) {
        Err(error) if error != rustix::io::Errno::NOENT => Some(error),
        _ => None,
    };
    if refusal(path).is_some() {
        return Ok(());
    }
    for path in ["-wal", "-shm"].map(|ending| sidecar(path, ending)) {
        if let Some(error) = refusal(&path) {
            return Err(PrivateError::Io { action: "open", path, source: error.into() }.into());
        }
    }
    Ok(())
}

fn open_or_make(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    if secure_fs::is_file(plan.path)? {
        let connection = connect(plan)?;
        if version(&connection, plan.path)? == plan.version {
            return tune(connection, plan);
        }
    }
    let lock_path = sidecar(plan.path, ".lock");
    let lock = secure_fs::open(&lock_path, Open::ReadWrite, plan.access)?;
    lock::acquire(&lock, &lock_path, Guard::Schema, plan.busy)
        .map_err(|source| SqliteError::Lock { path: lock_path, source })?
        .map_err(SqliteError::Busy)?;
    drop(secure_fs::open(plan.path, Open::ReadWrite, plan.access)?);
    let mut connection = connect(plan)?;
    let fail = at(plan.path);
    let (found, known) = (version(&connection, plan.path)?, plan.version);
    match found {
        0 => {
            connection.pragma_update(None, "page_size", plan.page_size).map_err(fail)?;
            connection.pragma_update(None, "auto_vacuum", "INCREMENTAL").map_err(fail)?;
            connection.pragma_update(None, "journal_mode", "WAL").map_err(fail)?;
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
            if version(&transaction, plan.path)? == 0 {
                transaction.execute_batch(plan.schema).map_err(fail)?;
                forward(&transaction, plan, plan.first())?;
            }
            transaction.commit().map_err(fail)?;
        }
        found if plan.leads_from(found) => {
            let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(fail)?;
            // The previous holder of the lock may have migrated it, or be newer.
            let found = version(&transaction, plan.path)?;
            if plan.leads_from(found) {
                forward(&transaction, plan, found)?;
            }
            transaction.commit().map_err(fail)?;
            connection = known_to(connection, plan)?;
        }
        found if found > known => return Err(SqliteError::Newer { path: plan.path.into(), found, known }),
        found if found < known => return Err(SqliteError::Older { path: plan.path.into(), found, known }),
        _ => {}
    }
    tune(connection, plan)
}

/// Opens a database that is there, and makes nothing of one that is not ours.
pub fn open_existing(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    let opened = connect(plan).and_then(|connection| known_to(connection, plan));
    opened.and_then(|connection| tune(connection, plan)).map_err(|error| blame(error, plan.path))
}

/// Opens a database that is there for reading only, as a user who may not write it does. One that could be brought
/// forward is read as it stands: tables of later steps are missing in it.
pub fn open_read_only(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    expect_files(plan.path)?;
    let connection = Connection::open_with_flags(resolved(plan.path), flags).map_err(at(plan.path))?;
    known(connection, plan).map_err(|error| blame(error, plan.path))
}

/// Opens a database for reading on a disk that has no room for its companion files: what is in its log is kept in memory.
pub fn open_cramped(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    by_uri(plan, "mode=ro&readonly_shm=1")
}

/// Opens a database that no process has open, in a directory where this user may make no companion files. What is written
/// after the opening is not seen, so such a connection is for one operation. Nor is what is in its log: with a log the
/// database is refused.
pub fn open_immutable(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    let log = sidecar(plan.path, "-wal");
    if std::fs::metadata(&log).is_ok_and(|found| found.len() > 0) {
        let source = std::io::Error::new(
            std::io::ErrorKind::ReadOnlyFilesystem,
            "it has changes that can be read only with the right to write in its directory",
        );
        return Err(PrivateError::Io { action: "read", path: log, source }.into());
    }
    by_uri(plan, "immutable=1")
}

/// The number of the schema that a database was made in, whichever it is; `None` when it cannot be read. Nothing is made
/// next to it, nothing is locked, and what is in its log is not seen. `SQLite` is asked and not the file: a process that
/// closes a database file by itself loses the locks that it has on it.
pub fn schema_of(path: &Path) -> Option<i32> {
    version(&at_uri(path, "immutable=1").ok()?, path).ok()
}

fn by_uri(plan: &DatabaseSpec<'_>, parameters: &str) -> Result<Connection, SqliteError> {
    known(at_uri(plan.path, parameters)?, plan)
}

fn at_uri(path: &Path, parameters: &str) -> Result<Connection, SqliteError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI;
    expect_files(path)?;
    let resolved = resolved(path);
    let encoded = percent_encoding::percent_encode(resolved.as_os_str().as_encoded_bytes(), URI_PATH);
    Connection::open_with_flags(format!("file:{encoded}?{parameters}"), flags).map_err(at(path))
}

/// Refuses a database or companion that is not a regular file: opened for reading only, a pipe would wait for its writer.
pub fn expect_files(path: &Path) -> Result<(), SqliteError> {
    for ending in ["", "-wal", "-shm"] {
        secure_fs::is_file(&sidecar(path, ending))?;
    }
    Ok(())
}

fn known(connection: Connection, plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    set_patience(&connection, plan.busy).map_err(at(plan.path))?;
    match version(&connection, plan.path)? {
        found if plan.leads_from(found) => Ok(connection),
        _ => known_to(connection, plan),
    }
}

/// The connection, if its schema is the one of the plan.
fn known_to(connection: Connection, plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    match version(&connection, plan.path)? {
        found if found > plan.version => Err(SqliteError::Newer { path: plan.path.into(), found, known: plan.version }),
        found if found < plan.version => Err(SqliteError::Older { path: plan.path.into(), found, known: plan.version }),
        _ => Ok(connection),
    }
}

/// Takes the steps that the schema `found` has not seen.
fn forward(transaction: &Transaction<'_>, plan: &DatabaseSpec<'_>, found: i32) -> Result<(), SqliteError> {
    for step in plan.steps_from(found) {
        transaction.execute_batch(step).map_err(at(plan.path))?;
    }
    transaction.pragma_update(None, "user_version", plan.version).map_err(at(plan.path))
}

/// Runs `work` in one BEGIN IMMEDIATE and commits it; an error rolls everything back.
pub fn write<T, E: From<rusqlite::Error>>(
    connection: &mut Connection,
    work: impl FnOnce(&Transaction<'_>) -> Result<T, E>,
) -> Result<T, E> {
    let transaction = hold(connection)?;
    let done = work(&transaction)?;
    transaction.commit()?;
    Ok(done)
}

/// Runs `work` under one snapshot, which ends with it.
pub fn read<T, E: From<rusqlite::Error>>(
    connection: &Connection,
    work: impl FnOnce(&Connection) -> Result<T, E>,
) -> Result<T, E> {
    connection.prepare_cached("BEGIN")?.execute([])?;
    let done = work(connection);
    let ended = connection.prepare_cached("COMMIT").and_then(|mut statement| statement.execute([]));
    let done = done?;
    ended?;
    Ok(done)
}

/// Takes the write lock and keeps it until the value is dropped; nothing is written.
pub fn hold(connection: &mut Connection) -> Result<Transaction<'_>, rusqlite::Error> {
    patience::recall(connection);
    // The connection is ours alone, so there is no other transaction on it.
    match Transaction::new_unchecked(connection, TransactionBehavior::Immediate) {
        Ok(transaction) => {
            patience::succeeded(&transaction);
            Ok(transaction)
        }
        Err(error) => {
            patience::failed(connection, &error);
            Err(error)
        }
    }
}

/// Changes how much the commits that follow wait for the disk.
pub fn synchronize(connection: &Connection, synchronous: Synchronous) -> Result<(), rusqlite::Error> {
    connection.execute_batch(&format!("PRAGMA synchronous={}", synchronous.word()))
}

/// Leaves the log where it is when the connection closes, so that a command does not end with two waits for the disk.
/// What a killed process leaves is no different; the log is folded in when it has grown to `pages`.
pub fn leave_log(connection: &Connection, pages: u32) -> Result<(), rusqlite::Error> {
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, true)?;
    connection.execute_batch(&format!("PRAGMA wal_autocheckpoint={pages}"))
}

/// Folds the log into the database and empties it; `false` when a reader or writer held that back.
pub fn checkpoint(connection: &Connection) -> Result<bool, rusqlite::Error> {
    let done = connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get::<_, i64>(0));
    match done {
        Ok(busy) => Ok(busy == 0),
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => Ok(false),
        Err(error) => Err(error),
    }
}

/// Gives up to `pages` free pages back to the file system. The statement yields a row for each page, so that it must be
/// read to its end.
pub fn give_back(connection: &Connection, pages: i64) -> Result<(), rusqlite::Error> {
    let mut statement = connection.prepare(&format!("PRAGMA incremental_vacuum({pages})"))?;
    let mut rows = statement.query([])?;
    while rows.next()?.is_some() {}
    Ok(())
}

/// Puts the file's name to an error of `SQLite`'s.
pub fn at(path: &Path) -> impl Fn(rusqlite::Error) -> SqliteError + Copy + '_ {
    move |source| blame(patience::error(path, source), path)
}

/// An open blob of table `main.<table>`, column `column`, to read in place.
pub fn blob<'c>(connection: &'c Connection, table: &str, column: &str, row: i64) -> Result<Blob<'c>, rusqlite::Error> {
    connection.blob_open("main", table, column, row, true)
}

/// The path of a database's companion (`-wal`, `-shm`, `.lock`).
pub fn sidecar(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}

fn connect(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_NOFOLLOW;
    let fail = at(plan.path);
    let connection = Connection::open_with_flags(resolved(plan.path), flags).map_err(fail)?;
    set_patience(&connection, plan.busy).map_err(fail)?;
    Ok(connection)
}

/// The path with the links of its folder followed: `SQLITE_OPEN_NOFOLLOW` refuses a link anywhere in a path, we refuse
/// one only where our own file belongs.
fn resolved(path: &Path) -> PathBuf {
    match (path.parent().map(std::fs::canonicalize), path.file_name()) {
        (Some(Ok(folder)), Some(name)) => folder.join(name),
        _ => path.into(),
    }
}

fn version(connection: &Connection, path: &Path) -> Result<i32, SqliteError> {
    connection.query_row("PRAGMA user_version", [], |row| row.get(0)).map_err(at(path))
}

fn tune(connection: Connection, plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    let fail = at(plan.path);
    // Bound values must not make SQLite prepare a statement again (it is built with STAT4).
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).map_err(fail)?;
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true).map_err(fail)?;
    connection
        .execute_batch(&format!(
            "PRAGMA synchronous={}; PRAGMA temp_store=MEMORY; PRAGMA journal_size_limit=8388608;",
            plan.synchronous.word()
        ))
        .map_err(fail)?;
    Ok(connection)
}

#[cfg(test)]
mod tests;
