//! The rules of `sqlite.rs`, told as tests; its promises stand there.

use super::*;

fn plan(path: &Path) -> Plan<'_> {
    Plan {
        path,
        schema: "CREATE TABLE t(a INTEGER PRIMARY KEY)",
        version: 2,
        synchronous: Synchronous::Normal,
        busy: Duration::from_secs(5),
        page_size: 4096,
        access: Access::Owner,
    }
}

#[test]
fn many_threads_open_a_new_database_at_once() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.db");
    std::thread::scope(|scope| {
        for i in 0..16 {
            let path = &path;
            scope.spawn(move || {
                let mut connection = open(&plan(path)).unwrap();
                write(&mut connection, |t| t.execute("INSERT INTO t VALUES(?)", [i])).unwrap();
            });
        }
    });
    let count: i64 = open(&plan(&path)).unwrap().query_row("SELECT count(*) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 16);
}

#[test]
fn a_database_that_nobody_writes_is_read_under_any_name() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a b?c=%41#&ä.db");
    drop(open(&plan(&path)).unwrap());
    let connection = open_immutable(&plan(&path)).unwrap();
    assert_eq!(version(&connection, &path).unwrap(), 2);
    assert!(connection.execute("INSERT INTO t VALUES(1)", []).is_err());
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2, "the database and its lock");
}

#[test]
fn newer_older_and_foreign_files_are_told_apart() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.db");
    drop(open(&plan(&path)).unwrap());
    assert!(matches!(open(&Plan { version: 1, ..plan(&path) }), Err(SqliteError::Newer { found: 2, known: 1, .. })));
    let older = open(&Plan { version: 3, ..plan(&path) }).unwrap_err();
    assert!(older.is_damage(), "{older}");
    let foreign = root.path().join("b.db");
    std::fs::write(&foreign, "not a database, and long enough to have a header of its own.".repeat(20)).unwrap();
    assert!(open(&plan(&foreign)).unwrap_err().is_damage());
}
