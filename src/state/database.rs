//! `state.db`: opened, and when damaged set aside and made anew.
//!
//! A database that a newer awsideman made is refused, a damaged one is kept as evidence beside its successor; of
//! many processes that find the damage at once, one acts and all go on.

use super::error::{StateError, io_error};
use super::locks::FileLock;
use super::schema::{SCHEMA, STEPS, VERSION};
use super::spare;
use crate::clock::UnixMillis;
use crate::lock::Guard;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Prepared;
use crate::sqlite::{self, Connection, DatabaseSpec, ErrorCode, SqliteError, Synchronous, Transaction};
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
    /// cut off holds nothing, and whoever opens it to write makes it whole.
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
            // Nobody writes to it now, and we may not make the files by which readers and writers meet.
            Err(error) if error.is_read_only() || error.is_full() || cannot_open(&error) => {
                sqlite::open_immutable(&plan)
            }
            opened => opened,
        };
        let connection = match opened {
            Err(SqliteError::Older { found: 0, .. }) => return Ok(None),
            opened => opened?,
        };
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
        // Whoever had the lock before may have done it. A faulty one is closed before its file is renamed.
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
        let notice = format!("state.db {reason}; it was set aside as {} and begun anew", aside.display());
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

    /// Whether the table is there: a database of an earlier version that is only read is not brought forward.
    pub(super) fn has_table(&self, name: &str) -> Result<bool, StateError> {
        let find = "SELECT EXISTS(SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?)";
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
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    const BUSY: Duration = Duration::from_secs(30);

    fn open(directory: &Path) -> Result<(Database, Option<String>), StateError> {
        Database::open(directory, Access::Owner, BUSY, 7)
    }

    fn evidence(directory: &Path) -> usize {
        let names = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name());
        names.filter(|name| name.to_string_lossy().starts_with("state.db.damaged")).count()
    }

    #[test]
    fn a_damaged_database_is_set_aside_and_said() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("state");
        for aside in ["state.db.damaged.7", "state.db.damaged.7.1"] {
            assert_eq!(open(&directory).unwrap().1, None);
            std::fs::write(directory.join("state.db"), "garbage ".repeat(1_000)).unwrap();
            let notice = open(&directory).unwrap().1.expect("a notice");
            assert!(notice.contains(aside) && notice.contains("damaged"), "{notice}");
            assert!(directory.join(aside).exists());
        }
        assert_eq!(open(&directory).unwrap().1, None);
    }

    #[test]
    fn many_that_find_the_damage_at_once_set_it_aside_once_and_share_the_new_one() {
        let root = tempfile::tempdir().unwrap();
        let directory = &root.path().join("state");
        secure_fs::directory(directory, Access::Owner).unwrap();
        std::fs::write(directory.join("state.db"), "garbage ".repeat(1_000)).unwrap();
        let notices: Vec<String> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|n| {
                    scope.spawn(move || {
                        let (mut database, notice) = open(directory).unwrap();
                        database.write(|t| Ok(t.execute("INSERT INTO folded VALUES(?, 0)", [n.to_string()])?)).unwrap();
                        notice
                    })
                })
                .collect();
            all.into_iter().filter_map(|one| one.join().unwrap()).collect()
        });
        assert_eq!((notices.len(), evidence(directory)), (1, 1), "{notices:?}");
        let (database, _) = open(directory).unwrap();
        let rows: i64 = database.reader().query_row("SELECT count(*) FROM folded", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 8);
    }

    #[test]
    fn damage_below_the_header_is_found_by_renew_and_soundness_left_alone() {
        let root = tempfile::tempdir().unwrap();
        secure_fs::directory(root.path(), Access::Owner).unwrap();
        let (database, _) = open(root.path()).unwrap();
        let find = "SELECT rootpage FROM sqlite_schema WHERE name = 'folded'";
        let page: u32 = database.reader().query_row(find, [], |row| row.get(0)).unwrap();
        drop(database);
        assert_eq!(Database::renew(root.path(), Access::Owner, BUSY, 1).unwrap().1, None);
        let path = root.path().join("state.db");
        let mut bytes = std::fs::read(&path).unwrap();
        let page = usize::try_from(page).unwrap();
        bytes[(page - 1) * 4096..page * 4096].fill(0xA5);
        std::fs::write(&path, bytes).unwrap();
        let (mut database, notice) = open(root.path()).unwrap();
        assert_eq!(notice, None, "opening reads the header only");
        let error = database.write(|t| Ok(t.execute("INSERT INTO folded VALUES('a', 0)", [])?)).unwrap_err();
        assert!(error.is_damage() && error.hint().is_some_and(|hint| hint.contains("cache recover")), "{error:?}");
        drop(database);
        let (mut database, notice) = Database::renew(root.path(), Access::Owner, BUSY, 2).unwrap();
        assert!(notice.expect("a notice").contains("state.db.damaged.2"));
        database.write(|t| Ok(t.execute("INSERT INTO folded VALUES('a', 0)", [])?)).unwrap();
    }

    #[test]
    fn a_newer_one_is_refused_with_a_hint_and_an_older_one_is_kept_beside() {
        let root = tempfile::tempdir().unwrap();
        let (database, _) = open(root.path()).unwrap();
        database.reader().execute_batch("PRAGMA user_version = 99").unwrap();
        drop(database);
        let error = open(root.path()).unwrap_err();
        assert!(error.to_string().contains("newer awsideman"), "{error}");
        assert!(error.hint().expect("a hint").contains("state.dir"));
        assert_eq!(evidence(root.path()), 0);
        let connection =
            sqlite::open(&DatabaseSpec { version: 99, ..plan(&root.path().join("state.db"), Access::Owner, BUSY) });
        connection.unwrap().execute_batch("PRAGMA user_version = -1").unwrap();
        let notice = open(root.path()).unwrap().1.expect("a notice");
        assert!(notice.contains("older awsideman") && notice.contains("state.db.older.7"), "{notice}");
    }

    #[test]
    fn a_database_of_version_1_keeps_its_rows_whoever_opens_it_first() {
        let root = tempfile::tempdir().unwrap();
        secure_fs::directory(root.path(), Access::Owner).unwrap();
        let path = root.path().join("state.db");
        let first = DatabaseSpec { steps: &[], version: 1, ..plan(&path, Access::Owner, BUSY) };
        let rows = "INSERT INTO job(name, profile, schedule, first_seen) VALUES('warm', '', 'x', 5);
                    INSERT INTO outbox(message_id, created_at, subject, body) VALUES('<1@h>', 1, 's', 'b');";
        sqlite::open(&first).unwrap().execute_batch(rows).unwrap();
        let seen = |database: &Database| -> i64 {
            database.reader().query_row("SELECT first_seen FROM job WHERE name = 'warm'", [], |row| row.get(0)).unwrap()
        };
        let reader = Database::open_read_only(root.path(), BUSY).unwrap().expect("a database");
        assert_eq!(seen(&reader), 5, "who only reads takes it as it stands");
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    let (database, notice) = open(root.path()).unwrap();
                    assert_eq!((notice, seen(&database)), (None, 5));
                });
            }
        });
        let version: i32 =
            open(root.path()).unwrap().0.reader().query_row("PRAGMA user_version", [], |row| row.get(0)).unwrap();
        assert_eq!((version, evidence(root.path())), (VERSION, 0));
        let waits =
            "SELECT count(*) FROM outbox JOIN delivery ON message = id WHERE channel = 'mail' AND sent_at IS NULL";
        let (database, _) = open(root.path()).unwrap();
        let waiting: i64 = database.reader().query_row(waits, [], |row| row.get(0)).unwrap();
        assert_eq!(waiting, 1, "a mail that waited waits still");
    }

    #[test]
    fn a_text_of_any_size_of_an_earlier_version_is_dropped_and_its_room_given_back() {
        let root = tempfile::tempdir().unwrap();
        secure_fs::directory(root.path(), Access::Owner).unwrap();
        let path = root.path().join("state.db");
        let before = DatabaseSpec { steps: &STEPS[..3], version: 4, ..plan(&path, Access::Owner, BUSY) };
        let rows = "
            INSERT INTO run(job, profile, kind, started_at, pid, reason, detail)
              VALUES('w', '', 'warm', 1, 1, printf('%.*c', 30000000, 'x'), '{}'),
                    ('w', '', 'warm', 2, 1, 'short', printf('%.*c', 10000000, 'x')),
                    ('w', '', 'warm', 3, 1, 'short', '{\"a\": 1}');
            INSERT INTO alert_event(at, key, what, message) VALUES(1, 'k', 'fired', printf('%.*c', 9000000, 'x'));
            INSERT INTO journal(at, space, who, operation, target, outcome)
              VALUES(1, 's', 'w', 'o', '{}', 'failed: ' || printf('%.*c', 9000000, 'x'));";
        sqlite::open(&before).unwrap().execute_batch(rows).unwrap();
        let size = || std::fs::metadata(&path).unwrap().len();
        assert!(size() > 50_000_000, "{}", size());
        let (mut database, notice) = open(root.path()).unwrap();
        assert_eq!(notice, None);
        let texts = |sql: &str| -> Vec<String> {
            let mut statement = database.reader().prepare(sql).unwrap();
            statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert_eq!(texts("SELECT reason FROM run"), ["(30000000 bytes, too long to be kept)", "short", "short"]);
        assert_eq!(texts("SELECT detail FROM run"), ["{}", r#"{"too_long": true}"#, r#"{"a": 1}"#]);
        assert_eq!(texts("SELECT outcome FROM journal"), ["failed:  (9000008 bytes, too long to be kept)"]);
        assert!(database.give_back().unwrap() > 50_000_000);
        assert!(size() < 1_000_000, "{}", size());
        assert_eq!(database.give_back().unwrap(), 0);
    }

    #[test]
    fn a_reader_sees_what_is_there_and_makes_nothing() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("state");
        assert!(Database::open_read_only(&directory, BUSY).unwrap().is_none());
        assert!(!directory.exists());
        drop(open(&directory).unwrap());
        let mut database = Database::open_read_only(&directory, BUSY).unwrap().expect("a database");
        assert!(database.write(|t| Ok(t.execute("INSERT INTO folded VALUES('a', 0)", [])?)).is_err());
    }

    #[test]
    fn a_readable_directory_is_tightened_and_that_is_said() {
        let root = tempfile::tempdir().unwrap();
        std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let notice = open(root.path()).unwrap().1.expect("a notice");
        assert!(notice.contains("0755"), "{notice}");
        assert_eq!(open(root.path()).unwrap().1, None);
    }
}
