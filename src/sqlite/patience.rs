//! How long a database is waited for: once for its whole bound, then not at all until it could be written.

use super::{Connection, ErrorCode, SqliteError, StatementError, resolved};
use crate::lock::{self, Guard, Held};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The byte of the `-shm` file that the writer of a database in WAL mode locks.
const WRITER: u64 = 120;
/// `SQLITE_BUSY_SNAPSHOT`: refused without a wait.
const SNAPSHOT: i32 = 517;

/// Sets how long statements of this connection wait for another process.
pub fn set_patience(connection: &Connection, most: Duration) -> Result<(), StatementError> {
    let most = place(connection).map_or(most, |path| lock::patience(&path, most));
    connection.busy_timeout(most)
}

/// Before a write: a wait that another connection timed out on is not repeated.
pub(super) fn recall(connection: &Connection) {
    let Some(path) = place(connection) else { return };
    let wanted = wanted(connection);
    if !wanted.is_zero() && lock::patience(&path, wanted).is_zero() {
        let _ = connection.busy_timeout(Duration::ZERO);
    }
}

/// After a write began: the next one may wait again.
pub(super) fn succeeded(connection: &Connection) {
    if let Some(before) = place(connection).and_then(|path| lock::restored(&path)) {
        let _ = connection.busy_timeout(before);
    }
}

/// After a statement that another process did not let begin.
pub(super) fn failed(connection: &Connection, error: &StatementError) {
    if let (true, Some(path)) = (is_wait(error), path_of(connection)) {
        let wanted = wanted(connection);
        note(&path, Some(wanted));
        let _ = connection.busy_timeout(Duration::ZERO);
    }
}

/// The error of a statement, with the process that was in its way.
pub(super) fn error(path: &Path, source: StatementError) -> SqliteError {
    if !is_busy(&source) {
        return SqliteError::Database { path: path.into(), source };
    }
    let path = resolved(path);
    if is_wait(&source) {
        note(&path, None);
    }
    SqliteError::Busy(Box::new(held(&path)))
}

pub(super) fn is_busy(error: &StatementError) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked))
}

fn is_wait(error: &StatementError) -> bool {
    is_busy(error) && error.sqlite_error().is_some_and(|error| error.extended_code != SNAPSHOT)
}

fn note(path: &Path, wanted: Option<Duration>) {
    if lock::remember(path, wanted) {
        held(path).report(guard(path));
    }
}

fn held(path: &Path) -> Held {
    let process = lock::of_record(&super::sidecar(path, "-shm"), WRITER);
    Held { path: path.into(), waited: Duration::ZERO, process, note: None }
}

fn guard(path: &Path) -> Guard {
    match path.file_name().and_then(|name| name.to_str()) {
        Some("state.db") => Guard::State,
        Some("pace.db") => Guard::Pace,
        _ => Guard::Cache,
    }
}

/// The file of a connection; `None` as long as no wait timed out, so that a write costs nothing here.
fn place(connection: &Connection) -> Option<PathBuf> {
    if lock::any() { path_of(connection) } else { None }
}

fn path_of(connection: &Connection) -> Option<PathBuf> {
    connection.path().filter(|path| !path.is_empty()).map(PathBuf::from)
}

fn wanted(connection: &Connection) -> Duration {
    let millis = connection.query_row("PRAGMA busy_timeout", [], |row| row.get::<_, u32>(0));
    Duration::from_millis(millis.unwrap_or(0).into())
}
