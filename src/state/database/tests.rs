//! `state.db` opened, migrated, refused and replaced.

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
fn many_that_find_the_damage_set_it_aside_once_and_share_the_new_one() {
    let root = tempfile::tempdir().unwrap();
    let directory = &root.path().join("state");
    secure_fs::directory(directory, Access::Owner).unwrap();
    std::fs::write(directory.join("state.db"), "garbage ".repeat(1_000)).unwrap();
    let notices: Vec<String> = std::thread::scope(|scope| {
        let all: Vec<_> = (0..8)
            .map(|n| {
                scope.spawn(move || {
                    let (mut database, notice) = open(directory).unwrap();
                    database
                        .write(|t| Ok(t.execute("INSERT INTO aggregated_logs VALUES(?, 0)", [n.to_string()])?))
                        .unwrap();
                    notice
                })
            })
            .collect();
        all.into_iter().filter_map(|one| one.join().unwrap()).collect()
    });
    assert_eq!((notices.len(), evidence(directory)), (1, 1), "{notices:?}");
    let (database, _) = open(directory).unwrap();
    let rows: i64 = database.reader().query_row("SELECT count(*) FROM aggregated_logs", [], |row| row.get(0)).unwrap();
    assert_eq!(rows, 8);
}

#[test]
fn damage_below_the_header_is_found_by_renew_and_an_intact_one_is_kept() {
    let root = tempfile::tempdir().unwrap();
    secure_fs::directory(root.path(), Access::Owner).unwrap();
    let (database, _) = open(root.path()).unwrap();
    let find = "SELECT rootpage FROM sqlite_schema WHERE name = 'aggregated_logs'";
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
    let error = database.write(|t| Ok(t.execute("INSERT INTO aggregated_logs VALUES('a', 0)", [])?)).unwrap_err();
    assert!(error.is_damage() && error.hint().is_some_and(|hint| hint.contains("cache recover")), "{error:?}");
    drop(database);
    let (mut database, notice) = Database::renew(root.path(), Access::Owner, BUSY, 2).unwrap();
    assert!(notice.expect("a notice").contains("state.db.damaged.2"));
    database.write(|t| Ok(t.execute("INSERT INTO aggregated_logs VALUES('a', 0)", [])?)).unwrap();
}

#[test]
fn a_newer_one_is_refused_with_a_hint_and_an_older_one_is_set_aside() {
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
fn a_database_of_version_1_keeps_its_rows_under_concurrent_opens() {
    let root = tempfile::tempdir().unwrap();
    secure_fs::directory(root.path(), Access::Owner).unwrap();
    let path = root.path().join("state.db");
    let first = DatabaseSpec { steps: &[], version: 1, ..plan(&path, Access::Owner, BUSY) };
    let rows = "INSERT INTO job(name, profile, schedule, first_seen) VALUES('warm', '', 'x', 5);
                INSERT INTO outbox(message_id, created_at, subject, body) VALUES('<1@h>', 1, 's', 'b');";
    sqlite::open(&first).unwrap().execute_batch(rows).unwrap();
    let seen = |database: &Database| -> i64 {
        database.reader().query_row("SELECT first_seen FROM jobs WHERE name = 'warm'", [], |row| row.get(0)).unwrap()
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
        "SELECT count(*) FROM outbox JOIN deliveries ON message = id WHERE channel = 'mail' AND sent_at IS NULL";
    let (database, _) = open(root.path()).unwrap();
    let waiting: i64 = database.reader().query_row(waits, [], |row| row.get(0)).unwrap();
    assert_eq!(waiting, 1, "a mail that waited waits still");
}

/// Every table and column of the current schema.
fn columns(database: &Database) -> std::collections::BTreeSet<(String, String)> {
    let find = "SELECT t.name, c.name FROM pragma_table_list t JOIN pragma_table_xinfo(t.name, t.schema) c
                WHERE t.name NOT LIKE 'sqlite_%'";
    let mut statement = database.reader().prepare(find).unwrap();
    statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
}

/// `state.db` as version 7 made it, with one row in each of its tables.
fn version_7(directory: &Path) -> PathBuf {
    secure_fs::directory(directory, Access::Owner).unwrap();
    let path = directory.join("state.db");
    let spec = DatabaseSpec { steps: &STEPS[..6], version: 7, ..plan(&path, Access::Owner, BUSY) };
    let rows = "
        INSERT INTO hourly VALUES(3600000, 1, 'user', 'hit', 4);
        INSERT INTO lifetime VALUES(1, 'user', 'hit', 40);
        INSERT INTO folded VALUES('tally.1', 1);
        INSERT INTO job(name, profile, schedule, first_seen) VALUES('warm', '', 'x', 5);
        INSERT INTO run(job, profile, kind, started_at, pid, exit) VALUES('warm', '', 'warm', 1, 1, 6);
        UPDATE run SET outcome = 'failed', took_ms = 9, ended_at = 2;
        INSERT INTO alert VALUES('k', 'critical', 'firing', 'm', 'h', 1, 1, 1, NULL, NULL);
        INSERT INTO silence(pattern, created_at, until, reason, author) VALUES('k*', 1, 2, 'r', 'a');
        INSERT INTO alert_event(at, key, what, message) VALUES(1, 'k', 'fired', 'm');
        INSERT INTO outbox(id, message_id, created_at, subject, body) VALUES(1, '<1@h>', 1, 's', 'b');
        INSERT INTO delivery(message, channel) VALUES(1, 'mail');
        INSERT INTO journal(at, space, who, operation, target) VALUES(1, 'aws', 'alice', 'o', '{}');
        INSERT INTO sample VALUES(1, 1, 3, 900);
        INSERT INTO call VALUES(3600000, 'ListUsers', 7);
        INSERT INTO aws_failure VALUES(1, 'no route');
        INSERT INTO throttle VALUES(60000, 2);
        INSERT INTO hit_window VALUES(1, 5);
        INSERT INTO hit_window_before VALUES(1, 'user', 'hit', 1);
        INSERT INTO cold_miss VALUES(1, 11, 5);";
    sqlite::open(&spec).unwrap().execute_batch(rows).unwrap();
    path
}

/// One figure of each renamed table, by its current name.
fn figures(database: &Database) -> Vec<String> {
    let sql = [
        "SELECT lookups FROM lookups_by_hour",
        "SELECT lookups FROM lookup_totals",
        "SELECT name FROM aggregated_logs",
        "SELECT name FROM jobs",
        "SELECT exit_code FROM runs",
        "SELECT key FROM alerts",
        "SELECT pattern FROM silences",
        "SELECT event FROM alert_events",
        "SELECT channel FROM deliveries",
        "SELECT namespace || author FROM journal",
        "SELECT bytes FROM size_samples",
        "SELECT sum(sent) FROM aws_calls",
        "SELECT runs || outcome || took_ms FROM run_totals",
        "SELECT reason FROM last_aws_failure",
        "SELECT calls FROM throttled_calls",
        "SELECT began_at FROM hit_rate_windows",
        "SELECT lookups FROM hit_rate_baselines",
        "SELECT entry FROM cold_misses",
    ];
    let read = |sql: &str| -> String {
        database.reader().query_row(&format!("SELECT CAST(({sql}) AS TEXT)"), [], |row| row.get(0)).unwrap()
    };
    sql.into_iter().map(read).collect()
}

const FIGURES: [&str; 18] = [
    "4", "40", "tally.1", "warm", "6", "k", "k*", "fired", "mail", "awsalice", "900", "7", "1failed9", "no route", "2",
    "5", "1", "11",
];

#[test]
fn a_database_of_version_7_gets_the_plain_names_and_keeps_its_rows() {
    let root = tempfile::tempdir().unwrap();
    version_7(root.path());
    let reader = Database::open_read_only(root.path(), BUSY).unwrap().expect("a database");
    assert_eq!(figures(&reader), FIGURES, "a reader that cannot migrate it reads the current names");
    let as_views = columns(&reader);
    drop(reader);
    let (mut database, notice) = open(root.path()).unwrap();
    assert_eq!((notice, figures(&database)), (None, FIGURES.map(String::from).to_vec()));
    let current = columns(&database);
    let missing: Vec<_> = current.difference(&as_views).collect();
    assert!(missing.is_empty(), "not readable in an earlier version: {missing:?}");
    let empty = tempfile::tempdir().unwrap();
    assert_eq!(columns(&open(empty.path()).unwrap().0), current, "a migrated database is a new one");
    let end = "INSERT INTO runs(job, profile, kind, started_at, pid) VALUES('warm', '', 'warm', 3, 1);
               UPDATE runs SET outcome = 'failed', took_ms = 1 WHERE outcome IS NULL;";
    database.connection().execute_batch(end).unwrap();
    assert_eq!(figures(&database)[12], "2failed10", "runs are still counted");
}

#[test]
fn a_migration_that_fails_leaves_the_old_names_and_an_older_binary_is_refused_after_one() {
    let root = tempfile::tempdir().unwrap();
    let path = version_7(root.path());
    let mut steps = STEPS.to_vec();
    steps.push("SELECT * FROM no_such_table;");
    let failing = DatabaseSpec { steps: &steps, version: VERSION + 1, ..plan(&path, Access::Owner, BUSY) };
    assert!(sqlite::open(&failing).is_err());
    let older = DatabaseSpec { steps: &STEPS[..6], version: 7, ..plan(&path, Access::Owner, BUSY) };
    let old: i64 = sqlite::open(&older).unwrap().query_row("SELECT count(*) FROM run", [], |row| row.get(0)).unwrap();
    assert_eq!(old, 1, "nothing was renamed");
    drop(open(root.path()).unwrap());
    for opened in [sqlite::open(&older), sqlite::open_read_only(&older)] {
        let error = StateError::from(opened.unwrap_err());
        assert!(error.to_string().contains("newer awsideman (schema 8, this one knows 7)"), "{error}");
        assert!(error.hint().expect("a hint").contains("state.dir"));
    }
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
    assert_eq!(texts("SELECT reason FROM runs"), ["(30000000 bytes, too long to be kept)", "short", "short"]);
    assert_eq!(texts("SELECT detail FROM runs"), ["{}", r#"{"too_long": true}"#, r#"{"a": 1}"#]);
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
    assert!(database.write(|t| Ok(t.execute("INSERT INTO aggregated_logs VALUES('a', 0)", [])?)).is_err());
}

#[test]
fn a_readable_directory_is_tightened_and_that_is_said() {
    let root = tempfile::tempdir().unwrap();
    std::fs::set_permissions(root.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let notice = open(root.path()).unwrap().1.expect("a notice");
    assert!(notice.contains("0755"), "{notice}");
    assert_eq!(open(root.path()).unwrap().1, None);
}
