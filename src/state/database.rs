//! `state.db`: opened, and when damaged set aside and made anew.
//!
//! Neighbours: `schema.rs` has its tables; `jobs/`, `alerts/` and the statistics run their statements on the
//! connection it lends. Promise: a database that a newer awsideman made is refused, a damaged one is kept as
//! evidence beside its successor.

use super::schema::{SCHEMA, VERSION};
use crate::clock::UnixMillis;
use crate::private::{self, Access, PrivateError};
use crate::sqlite::{self, Connection, Plan, SqliteError, StatementError, Synchronous};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What can go wrong with the state directory.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    /// The directory or a file in it is not as it must be.
    #[error(transparent)]
    Private(#[from] PrivateError),
    /// `state.db` says no.
    #[error(transparent)]
    Sqlite(#[from] SqliteError),
    /// A statement on `state.db` failed.
    #[error("the state database: {0}")]
    Statement(#[from] StatementError),
    /// A file in the state directory could not be read or written.
    #[error("cannot {action} {}: {source}", path.display())]
    Io {
        /// `lock`, `append to`, `rename`.
        action: &'static str,
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

/// The state database.
#[derive(Debug)]
pub struct Database {
    connection: Connection,
    path: PathBuf,
}

impl Database {
    /// Opens `state.db` in `directory`, making both when absent. The notice says that a damaged one was set aside.
    pub fn open(
        directory: &Path,
        access: Access,
        busy: Duration,
        now: UnixMillis,
    ) -> Result<(Database, Option<String>), StateError> {
        private::directory(directory, access)?;
        let path = directory.join("state.db");
        let plan = Plan {
            path: &path,
            schema: SCHEMA,
            version: VERSION,
            synchronous: Synchronous::Full,
            busy,
            page_size: 4096,
            access,
        };
        match sqlite::open(&plan) {
            Ok(connection) => Ok((Database { connection, path }, None)),
            Err(error) if error.is_damage() => {
                let aside = directory.join(format!("state.db.damaged.{now}"));
                for ending in ["-wal", "-shm"] {
                    let _ = std::fs::rename(sqlite::sidecar(&path, ending), sqlite::sidecar(&aside, ending));
                }
                std::fs::rename(&path, &aside).map_err(|source| StateError::Io {
                    action: "set aside",
                    path: path.clone(),
                    source,
                })?;
                let notice =
                    format!("state.db was damaged ({error}); it was set aside as {} and begun anew", aside.display());
                let connection = sqlite::open(&plan)?;
                Ok((Database { connection, path }, Some(notice)))
            }
            Err(error) => Err(error.into()),
        }
    }

    /// The connection, to run statements on.
    pub fn connection(&mut self) -> &mut Connection {
        &mut self.connection
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_damaged_database_is_set_aside_and_said() {
        let root = tempfile::tempdir().unwrap();
        let directory = root.path().join("state");
        let open = || Database::open(&directory, Access::Owner, Duration::from_secs(1), 7);
        assert_eq!(open().unwrap().1, None);
        std::fs::write(directory.join("state.db"), "garbage ".repeat(1_000)).unwrap();
        let notice = open().unwrap().1.expect("a notice");
        assert!(notice.contains("state.db.damaged.7"), "{notice}");
        assert!(directory.join("state.db.damaged.7").exists());
        assert_eq!(open().unwrap().1, None);
    }
}
