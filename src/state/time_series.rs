//! Figures of charts and counters besides lookups: samples of the size, calls to AWS by hour, totals of runs.
//!
//! Counts only grow while the database lives; samples and hours older than 31 days go, the calls of such hours stay
//! in the sum.

use crate::clock::UnixMillis;
use crate::sqlite::params;
use crate::state::database::Database;
use crate::state::error::StateError;
use crate::state::lookup_record::cache_number;
use crate::state::statistics::HOUR;
use crate::state::statistics::KEPT;
use crate::state::statistics::hour_of;
use std::path::Path;

/// Samples are at least this far apart: twelve in an hour show all that a chart can.
const APART: i64 = HOUR / 12;
/// Under this name the throttled calls are kept; no operation of AWS's is called so.
pub const THROTTLED: &str = "";

/// What a cache held at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct UsageSample {
    /// The moment.
    pub at: UnixMillis,
    /// Its entries.
    pub entries: u64,
    /// The bytes that they held.
    pub held: u64,
}

/// Calls of one operation; those that AWS refused for its quota, of all operations, have no name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CallCount {
    /// `AWSIdentityStore.ListUsers`; empty for the throttled ones.
    pub operation: String,
    /// How many, retries included.
    pub sent: u64,
}

/// The runs of a job and profile that ended in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunTotal {
    /// The job's name.
    pub job: String,
    /// The AWS profile; empty when the job names none.
    pub profile: String,
    /// The word of the outcome (`done`).
    pub outcome: String,
    /// How many.
    pub runs: u64,
    /// How long they took together, in milliseconds.
    pub took_ms: u64,
    /// The AWS calls that they made.
    pub calls: u64,
}

/// Keeps a sample of `cache`, unless one was kept minutes ago. Says whether it was kept.
pub fn add_sample(database: &mut Database, cache: &Path, sample: &UsageSample) -> Result<bool, StateError> {
    let cache = cache_number(cache);
    let (entries, held) = (signed(sample.entries), signed(sample.held));
    database.write(|transaction| {
        // A clock that was ahead must not leave samples that keep later ones away.
        transaction.execute("DELETE FROM size_samples WHERE at < ? OR at > ?", params![sample.at - KEPT, sample.at])?;
        let kept = transaction.execute(
            "INSERT INTO size_samples(cache, at, entries, bytes) SELECT ?1, ?2, ?3, ?4
             WHERE NOT EXISTS (SELECT 1 FROM size_samples WHERE cache = ?1 AND at > ?5)",
            params![cache, sample.at, entries, held, sample.at - APART],
        )?;
        Ok(kept > 0)
    })
}

/// The samples of `cache` since `since`, the oldest first.
pub fn samples(database: &Database, cache: &Path, since: UnixMillis) -> Result<Vec<UsageSample>, StateError> {
    let mut statement = database
        .reader()
        .prepare("SELECT at, entries, bytes FROM size_samples WHERE cache = ? AND at >= ? ORDER BY at")?;
    let rows = statement.query_map(params![cache_number(cache), since], |row| {
        Ok(UsageSample { at: row.get(0)?, entries: unsigned(row.get(1)?), held: unsigned(row.get(2)?) })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Adds calls that were made in the hour of `now`.
pub fn add_calls(database: &mut Database, calls: &[CallCount], now: UnixMillis) -> Result<(), StateError> {
    database.write(|transaction| {
        let statement = "INSERT INTO aws_calls(hour, operation, sent) VALUES(?, ?, ?)
            ON CONFLICT DO UPDATE SET sent = sent + excluded.sent";
        for call in calls {
            transaction.execute(statement, params![hour_of(now), call.operation, signed(call.sent)])?;
        }
        let before = now - KEPT;
        transaction.execute(
            "INSERT INTO aws_calls(hour, operation, sent)
             SELECT 0, operation, sum(sent) FROM aws_calls WHERE hour > 0 AND (hour < ?1 OR hour > ?2) GROUP BY operation
             ON CONFLICT DO UPDATE SET sent = sent + excluded.sent",
            [before, now],
        )?;
        // A clock that was ahead must not leave calls in hours that every day includes.
        transaction.execute("DELETE FROM aws_calls WHERE hour > 0 AND (hour < ?1 OR hour > ?2)", [before, now])?;
        Ok(())
    })
}

/// All calls since they are counted, by operation.
pub fn call_totals(database: &Database) -> Result<Vec<CallCount>, StateError> {
    calls_since(database, UnixMillis::MIN)
}

/// The calls since the hour of `since`, by operation.
pub fn calls_since(database: &Database, since: UnixMillis) -> Result<Vec<CallCount>, StateError> {
    let mut statement = database
        .reader()
        .prepare("SELECT operation, sum(sent) FROM aws_calls WHERE hour >= ? GROUP BY operation ORDER BY operation")?;
    let rows = statement
        .query_map([hour_of(since)], |row| Ok(CallCount { operation: row.get(0)?, sent: unsigned(row.get(1)?) }))?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Every run that ended, by job, profile and outcome.
pub fn run_totals(database: &Database) -> Result<Vec<RunTotal>, StateError> {
    let mut statement = database
        .reader()
        .prepare("SELECT job, profile, outcome, runs, took_ms, calls FROM run_totals ORDER BY job, profile, outcome")?;
    let rows = statement.query_map([], |row| {
        Ok(RunTotal {
            job: row.get(0)?,
            profile: row.get(1)?,
            outcome: row.get(2)?,
            runs: unsigned(row.get(3)?),
            took_ms: unsigned(row.get(4)?),
            calls: unsigned(row.get(5)?),
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}

fn signed(n: u64) -> i64 {
    i64::try_from(n).unwrap_or(i64::MAX)
}

fn unsigned(n: i64) -> u64 {
    u64::try_from(n).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secure_fs::Access;
    use std::time::Duration;

    fn database() -> (tempfile::TempDir, Database) {
        let root = tempfile::tempdir().unwrap();
        let (database, _) = Database::open(root.path(), Access::Owner, Duration::from_secs(5), 0).unwrap();
        (root, database)
    }

    #[test]
    fn samples_are_minutes_apart_and_go_after_a_month() {
        let (_root, mut database) = database();
        let cache = Path::new("/a");
        let mut add = |at| add_sample(&mut database, cache, &UsageSample { at, entries: 3, held: 9 }).unwrap();
        let begin = 100 * 24 * HOUR;
        assert!(add(begin) && !add(begin + APART - 1) && add(begin + APART));
        assert!(add(begin + KEPT + APART), "the first has gone by then");
        assert!(add(begin + 2 * APART), "and a sample of a clock that was ahead blocks no later one");
        let kept: Vec<i64> = samples(&database, cache, 0).unwrap().iter().map(|sample| sample.at).collect();
        assert_eq!(kept, [begin + APART, begin + 2 * APART]);
        assert!(samples(&database, Path::new("/b"), 0).unwrap().is_empty());
    }

    #[test]
    fn calls_are_summed_by_operation_and_none_is_ever_lost() {
        let (_root, mut database) = database();
        let count = |operation: &str, sent| CallCount { operation: operation.into(), sent };
        let calls = [count("X.ListUsers", 2), count(THROTTLED, 1)];
        for hour in [1, 1, 5, 40 * 24] {
            add_calls(&mut database, &calls, hour * HOUR + 7).unwrap();
        }
        assert_eq!(call_totals(&database).unwrap(), [count("", 4), count("X.ListUsers", 8)]);
        assert_eq!(calls_since(&database, 40 * 24 * HOUR).unwrap(), [count("", 1), count("X.ListUsers", 2)]);
        let rows: i64 = database.reader().query_row("SELECT count(*) FROM aws_calls", [], |row| row.get(0)).unwrap();
        assert_eq!(rows, 4, "old hours are one");
    }

    #[test]
    fn runs_are_counted_when_they_end_and_stay_counted_when_they_are_forgotten() {
        let (_root, mut database) = database();
        let begin = "INSERT INTO runs(job, profile, kind, started_at, pid) VALUES('w', '', 'warm', 1, 1)";
        database
            .write(|t| {
                for (outcome, took) in [("done", 5), ("done", 7), ("failed", 1)] {
                    t.execute(begin, [])?;
                    let id = t.last_insert_rowid();
                    t.execute(
                        "UPDATE runs SET outcome = ?, took_ms = ?, calls = 2 WHERE id = ?",
                        params![outcome, took, id],
                    )?;
                    t.execute("UPDATE runs SET outcome = outcome WHERE id = ?", [id])?;
                }
                t.execute(begin, [])?;
                t.execute("DELETE FROM runs", [])?;
                Ok(())
            })
            .unwrap();
        let found: Vec<_> =
            run_totals(&database).unwrap().into_iter().map(|t| (t.outcome, t.runs, t.took_ms, t.calls)).collect();
        assert_eq!(found, [("done".to_owned(), 2, 12, 4), ("failed".to_owned(), 1, 1, 2)]);
    }
}
