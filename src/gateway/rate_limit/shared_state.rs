//! Where the rows of the limits are kept: one small database in the state directory, shared by every process.
//!
//! A database that cannot be had never fails a call: the same rules then hold within this process, from where all
//! processes were. A damaged one is deleted and created again, one that was moved or removed is left, and what this
//! process knows goes into the new one.

use crate::gateway::rate_limit::limiter::LimiterState;
use crate::lock::{self, Guard};
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use crate::sqlite::{
    self, Connection, DatabaseSpec, OptionalExtension, SqliteError, StatementError, Synchronous, params,
};
use std::collections::HashMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

const SCHEMA: &str = "CREATE TABLE pace(
    limit_key TEXT PRIMARY KEY,
    next INTEGER NOT NULL,
    factor REAL NOT NULL,
    cut_at INTEGER NOT NULL,
    not_before INTEGER NOT NULL
) WITHOUT ROWID";

/// The longest that a call waits for another process's transaction, which takes microseconds.
const BUSY: Duration = Duration::from_millis(500);

/// All rows.
#[derive(Debug)]
pub(crate) struct LimiterTable {
    path: Option<PathBuf>,
    access: Access,
    kept: Mutex<SavedRow>,
}

#[derive(Debug, Default)]
struct SavedRow {
    shared: SharedFile,
    /// The rows as this process last saw them.
    local: HashMap<String, LimiterState>,
}

#[derive(Debug, Default)]
enum SharedFile {
    #[default]
    Unopened,
    Open(Connection, FileId),
    /// Not to be had: this process paces itself alone.
    Without,
}

/// Which file it is, whatever its name: device and inode; `None` when nothing is there.
type FileId = Option<(u64, u64)>;

impl LimiterTable {
    /// Rows in the database at `path`, opened when the first is needed; `None` keeps them in this process.
    pub(crate) fn new(path: Option<PathBuf>, access: Access) -> Self {
        Self { path, access, kept: Mutex::default() }
    }

    /// Changes the row of `key` in one transaction and returns what `change` returned.
    ///
    /// `change` runs again, on the row of this process, where the database refused.
    pub(crate) fn change<T>(&self, key: &str, mut change: impl FnMut(&mut LimiterState) -> T) -> T {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let SavedRow { shared, local } = &mut *kept;
        let known = local.entry(key.to_owned()).or_default();
        if let Some(path) = &self.path {
            // The second round is for a database that was damaged and has just been created again.
            for _ in 0..2 {
                if matches!(shared, SharedFile::Open(_, opened) if *opened != file(path)) {
                    *shared = SharedFile::Unopened;
                }
                if matches!(shared, SharedFile::Unopened) {
                    *shared = self.open(path).map_or(SharedFile::Without, |open| SharedFile::Open(open, file(path)));
                }
                let SharedFile::Open(connection, _) = shared else { break };
                match changed(connection, key, known, &mut change).map_err(sqlite::at(path)) {
                    Ok(done) => return done,
                    Err(error) if error.is_damage() => *shared = SharedFile::Unopened,
                    Err(error) => {
                        tracing::debug!(%error, "the pace is kept in this process");
                        if !error.is_temporary() {
                            *shared = SharedFile::Without;
                        }
                        break;
                    }
                }
            }
        }
        change(known)
    }

    /// The row of `key` as it is now.
    pub(crate) fn look(&self, key: &str) -> LimiterState {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let SharedFile::Open(connection, _) = &kept.shared
            && let Ok(Some(row)) = selected(connection, key)
        {
            return row;
        }
        kept.local.get(key).copied().unwrap_or_default()
    }

    fn open(&self, path: &Path) -> Option<Connection> {
        let plan = DatabaseSpec {
            path,
            schema: SCHEMA,
            steps: &[],
            version: 1,
            synchronous: Synchronous::Off,
            busy: BUSY,
            page_size: 4096,
            access: self.access,
        };
        // On a new host this is the first that anybody writes there.
        let prepared =
            path.parent().map_or(Ok(secure_fs::Prepared::Found), |dir| secure_fs::directory(dir, self.access));
        let opened = match prepared.map_err(SqliteError::from).and_then(|_| sound(&plan)) {
            Err(error) if error.is_damage() => self.renew(&plan),
            other => other,
        };
        opened.map_err(|error| tracing::debug!(%error, "the pace is kept in this process")).ok()
    }

    /// Replaces a damaged database, under a lock and after a second check: another process may have just
    /// done it, and must not lose the new one.
    fn renew(&self, plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
        let lock_path = sqlite::sidecar(plan.path, ".renew");
        let lock = secure_fs::open(&lock_path, Open::ReadWrite, self.access)?;
        lock::acquire(&lock, &lock_path, Guard::PaceRenewal, BUSY)
            .map_err(|source| SqliteError::Lock { path: lock_path, source })?
            .map_err(SqliteError::Busy)?;
        match sound(plan) {
            Err(error) if error.is_damage() => {
                tracing::debug!(%error, "the database of the rate limiter is created again");
                for ending in ["-wal", "-shm", ""] {
                    // What cannot be removed shows when it is opened again.
                    let _ = std::fs::remove_file(sqlite::sidecar(plan.path, ending));
                }
                sound(plan)
            }
            other => other,
        }
    }
}

/// Opens the database and reads all of it: it is a few pages.
fn sound(plan: &DatabaseSpec<'_>) -> Result<Connection, SqliteError> {
    let connection = sqlite::open(plan)?;
    connection
        .query_row("SELECT count(*) FROM pace WHERE factor IS NULL", [], |row| row.get::<_, i64>(0))
        .map_err(sqlite::at(plan.path))?;
    Ok(connection)
}

fn file(path: &Path) -> FileId {
    std::fs::metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn selected(connection: &Connection, key: &str) -> Result<Option<LimiterState>, StatementError> {
    let mut select =
        connection.prepare_cached("SELECT next, factor, cut_at, not_before FROM pace WHERE limit_key = ?")?;
    let found = select.query_row([key], |row| {
        Ok(LimiterState { next: row.get(0)?, factor: row.get(1)?, cut_at: row.get(2)?, not_before: row.get(3)? })
    });
    found.optional()
}

/// Changes the row and leaves it in `known`, which stands for one that the database does not have.
fn changed<T>(
    connection: &mut Connection,
    key: &str,
    known: &mut LimiterState,
    change: &mut impl FnMut(&mut LimiterState) -> T,
) -> Result<T, StatementError> {
    let (done, row) = sqlite::write(connection, |transaction| {
        let found = selected(transaction, key)?;
        let mut row = found.unwrap_or(*known);
        let done = change(&mut row);
        if found != Some(row) {
            let mut upsert = transaction.prepare_cached("INSERT OR REPLACE INTO pace VALUES(?, ?, ?, ?, ?)")?;
            upsert.execute(params![key, row.next, row.factor, row.cut_at, row.not_before])?;
        }
        Ok::<_, StatementError>((done, row))
    })?;
    *known = row;
    Ok(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bump(row: &mut LimiterState) -> i64 {
        row.next += 1;
        row.next
    }

    #[test]
    fn two_openers_see_one_row_and_keys_are_apart() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pace.db");
        let (a, b) =
            (LimiterTable::new(Some(path.clone()), Access::Owner), LimiterTable::new(Some(path), Access::Owner));
        assert_eq!((a.change("x", bump), b.change("x", bump), a.change("x", bump)), (1, 2, 3));
        assert_eq!(b.change("y", bump), 1);
    }

    #[test]
    fn on_a_new_host_the_first_processes_share_their_rows_as_all_later_ones_do() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("state/awsideman/pace.db");
        let all: Vec<LimiterTable> = (0..8).map(|_| LimiterTable::new(Some(path.clone()), Access::Owner)).collect();
        let mut given: Vec<i64> = std::thread::scope(|scope| {
            let threads: Vec<_> = all.iter().map(|rows| scope.spawn(|| rows.change("x", bump))).collect();
            threads.into_iter().map(|thread| thread.join().unwrap()).collect()
        });
        given.sort_unstable();
        assert_eq!(given, (1..=8).collect::<Vec<i64>>());
    }

    #[test]
    fn without_a_database_the_process_keeps_its_own_rows() {
        for path in [None, Some("/proc/none/pace.db".into())] {
            let rows = LimiterTable::new(path, Access::Owner);
            assert_eq!((rows.change("x", bump), rows.change("x", bump)), (1, 2));
        }
    }

    #[test]
    fn a_damaged_database_is_made_anew_and_shared_again() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pace.db");
        std::fs::write(&path, "this is no database at all, however long one looks at it ".repeat(200)).unwrap();
        let (a, b) =
            (LimiterTable::new(Some(path.clone()), Access::Owner), LimiterTable::new(Some(path), Access::Owner));
        assert_eq!((a.change("x", bump), b.change("x", bump)), (1, 2));
    }
    #[test]
    fn a_database_that_is_moved_away_is_left_and_nothing_is_forgotten() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pace.db");
        let (a, b) = (
            LimiterTable::new(Some(path.clone()), Access::Owner),
            LimiterTable::new(Some(path.clone()), Access::Owner),
        );
        assert_eq!((a.change("x", bump), b.change("x", bump)), (1, 2));
        let away = root.path().join("away");
        std::fs::create_dir(&away).unwrap();
        for name in ["pace.db", "pace.db-wal", "pace.db-shm"] {
            std::fs::rename(root.path().join(name), away.join(name)).unwrap();
        }
        assert_eq!((b.change("x", bump), a.change("x", bump), b.change("x", bump)), (3, 4, 5));
        assert_eq!(a.look("x").next, 5);
    }

    #[test]
    fn a_database_that_breaks_under_a_process_costs_it_nothing_it_knew() {
        let root = tempfile::tempdir().unwrap();
        let path = root.path().join("pace.db");
        let rows = LimiterTable::new(Some(path.clone()), Access::Owner);
        assert_eq!(rows.change("x", bump), 1);
        Connection::open(&path).unwrap().execute_batch("DROP TABLE pace").unwrap();
        assert_eq!((rows.change("x", bump), rows.change("x", bump)), (2, 3));
    }

    #[test]
    fn a_shared_database_is_the_group_s_with_all_its_files() {
        let root = tempfile::tempdir().unwrap();
        let group = root.path().metadata().unwrap().gid();
        let rows = LimiterTable::new(Some(root.path().join("pace.db")), Access::Group(group));
        rows.change("x", bump);
        for name in ["pace.db", "pace.db-wal", "pace.db-shm", "pace.db.lock"] {
            let file = root.path().join(name).metadata().unwrap();
            assert_eq!((file.mode() & 0o777, file.gid()), (0o660, group), "{name}");
        }
    }
}
