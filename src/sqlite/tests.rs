//! Tests of `sqlite/mod.rs`.

use super::*;

fn plan(path: &Path) -> DatabaseSpec<'_> {
    DatabaseSpec {
        path,
        schema: "CREATE TABLE t(a INTEGER PRIMARY KEY)",
        steps: &[],
        version: 2,
        synchronous: Synchronous::Normal,
        busy: Duration::from_secs(5),
        page_size: 4096,
        access: Access::Owner,
    }
}

#[test]
fn many_threads_open_a_new_database_concurrently() {
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
fn a_database_without_a_writer_is_read_under_any_name() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a b?c=%41#&ä.db");
    drop(open(&plan(&path)).unwrap());
    let connection = open_immutable(&plan(&path)).unwrap();
    assert_eq!(version(&connection, &path).unwrap(), 2);
    assert!(connection.execute("INSERT INTO t VALUES(1)", []).is_err());
    assert_eq!(std::fs::read_dir(root.path()).unwrap().count(), 2, "the database and its lock");
}

#[test]
fn newer_older_and_foreign_files_are_distinguished() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("a.db");
    drop(open(&plan(&path)).unwrap());
    assert!(matches!(
        open(&DatabaseSpec { version: 1, ..plan(&path) }),
        Err(SqliteError::Newer { found: 2, known: 1, .. })
    ));
    let older = open(&DatabaseSpec { version: 3, ..plan(&path) }).unwrap_err();
    assert!(older.is_damage(), "{older}");
    let foreign = root.path().join("b.db");
    std::fs::write(&foreign, "not a database, and long enough to have its own header..".repeat(20)).unwrap();
    assert!(open(&plan(&foreign)).unwrap_err().is_damage());
}

#[test]
fn an_older_database_takes_the_steps_it_has_not_seen_and_a_new_one_all_of_them() {
    const STEPS: &[&str] =
        &["ALTER TABLE t ADD COLUMN b INTEGER", "CREATE TABLE u(c INTEGER); INSERT INTO u SELECT a FROM t"];
    let root = tempfile::tempdir().unwrap();
    let at = |path: &Path, steps: usize| {
        let plan = DatabaseSpec { steps: &STEPS[..steps], version: 2 + i32::try_from(steps).unwrap(), ..plan(path) };
        let connection = open(&plan).unwrap();
        (version(&connection, path).unwrap(), connection)
    };
    for begun in 0..=2 {
        let path = root.path().join(format!("{begun}.db"));
        let (found, connection) = at(&path, begun);
        assert_eq!(found, 2 + i32::try_from(begun).unwrap());
        connection.execute("INSERT INTO t(a) VALUES(7)", []).unwrap();
        drop(connection);
        let (found, connection) = at(&path, 2);
        let copied: i64 = connection.query_row("SELECT count(*) FROM u", [], |row| row.get(0)).unwrap();
        assert_eq!((found, copied), (4, i64::from(begun < 2)), "from {begun}");
        connection.execute("UPDATE t SET b = 1 WHERE a = 7", []).unwrap();
    }
    let path = root.path().join("broken.db");
    drop(open(&plan(&path)).unwrap());
    let broken = DatabaseSpec { steps: &["CREATE TABLE v(a); CREATE TABLE t(a)"], version: 3, ..plan(&path) };
    assert!(!open(&broken).unwrap_err().is_damage(), "a step that fails is no damage");
    let connection = open(&plan(&path)).unwrap();
    let left: i64 =
        connection.query_row("SELECT count(*) FROM sqlite_master WHERE name = 'v'", [], |row| row.get(0)).unwrap();
    assert_eq!(left, 0, "it is as it was");
}
