//! The ledger: when each job was last due, and every run.
//!
//! Guarantee: each call is one transaction. A run has a row before its work starts, so a runner that dies leaves a
//! trace. Reads (`peek`, `history`) never write.

use super::bounds::{MOST_REASON, bounded};
use crate::clock::{self, UnixMillis};
use crate::jobs::error::JobError;
use crate::jobs::outcome::RunOutcome;
use crate::model::cut;
use crate::sqlite::{self, Connection, OptionalExtension, StatementError, Transaction, params};
use crate::state::Database;
use serde_json::{Map, Value};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// The name that pauses all jobs; no job can have it.
const ALL_JOBS: &str = "*";
/// The schedule of a disabled job.
pub(super) const DISABLED: &str = "disabled";

/// The ledger of one state directory. Clones share it.
#[derive(Debug, Clone)]
pub struct Ledger(Arc<Mutex<Database>>);

/// The row of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LedgerRow {
    /// When a runner first saw the job.
    pub first_seen: UnixMillis,
    /// The newest occurrence that is done, skipped or missed.
    pub last_occurrence: Option<UnixMillis>,
}

/// A pause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Its end; `None` until it is resumed.
    pub until: Option<UnixMillis>,
    /// The reason.
    pub reason: String,
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.until {
            Some(until) => write!(f, "paused until {}", clock::utc(until))?,
            None => f.write_str("paused until it is resumed")?,
        }
        if !self.reason.is_empty() {
            write!(f, " ({})", self.reason)?;
        }
        f.write_str("; `awsideman jobs resume` ends it")
    }
}

/// The start of a run, or a run that did not happen.
#[derive(Debug, Clone, Copy)]
pub(super) struct LedgerEntry<'a> {
    pub(super) job: &'a str,
    pub(super) profile: &'a str,
    pub(super) kind: &'a str,
    pub(super) scheduled_at: Option<UnixMillis>,
    pub(super) at: UnixMillis,
    /// The new last occurrence of the job.
    pub(super) reference: Option<UnixMillis>,
    pub(super) host: &'a str,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub(super) struct End<'a> {
    pub(super) at: UnixMillis,
    pub(super) outcome: RunOutcome,
    pub(super) reason: &'a str,
    pub(super) exit: u8,
    pub(super) took_ms: u64,
    pub(super) calls: u64,
    pub(super) attempt: u32,
    pub(super) detail: &'a Map<String, Value>,
}

impl Ledger {
    /// The ledger in this database.
    pub fn new(database: Arc<Mutex<Database>>) -> Self {
        Self(database)
    }

    /// Pauses `job`, or all jobs, until a time or until [`Ledger::resume`].
    pub fn pause(
        &self,
        job: Option<&str>,
        until: Option<UnixMillis>,
        reason: &str,
        now: UnixMillis,
    ) -> Result<(), JobError> {
        self.write(|t| {
            t.execute(
                "INSERT INTO jobs(name, profile, schedule, first_seen, paused_until, paused_reason, paused_at)
                 VALUES(?1, '', '', ?2, ?3, ?4, ?2)
                 ON CONFLICT DO UPDATE SET paused_until = ?3, paused_reason = ?4, paused_at = ?2",
                params![job.unwrap_or(ALL_JOBS), now, until.unwrap_or(i64::MAX), reason],
            )
        })?;
        Ok(())
    }

    /// Ends the pause of `job`; with `None`, of all jobs, also of those that were paused by name. Returns the number
    /// of pauses.
    pub fn resume(&self, job: Option<&str>, now: UnixMillis) -> Result<usize, JobError> {
        self.write(|t| {
            t.execute(
                "UPDATE jobs SET paused_until = NULL, paused_reason = NULL
                 WHERE paused_until > ?2 AND (?1 IS NULL OR name = ?1)",
                params![job, now],
            )
        })
    }

    /// Corrects pauses that were recorded while the clock was ahead of `now`: each keeps its length, counted from
    /// now.
    pub fn correct_clock(&self, now: UnixMillis) -> Result<(), JobError> {
        let ahead = now.saturating_add(clock::TOLERANCE);
        let find = "SELECT EXISTS(SELECT 1 FROM jobs WHERE paused_at > ?)";
        if !self.read(|c| c.query_row(find, [ahead], |row| row.get::<_, bool>(0)))? {
            return Ok(());
        }
        self.write(|t| {
            t.execute(
                "UPDATE jobs SET paused_at = ?1,
                   paused_until = CASE paused_until WHEN ?3 THEN ?3 ELSE ?1 + max(paused_until - paused_at, 0) END
                 WHERE paused_at > ?2 AND paused_until IS NOT NULL",
                params![now, ahead, i64::MAX],
            )?;
            t.execute("UPDATE jobs SET paused_at = NULL WHERE paused_at > ?", [ahead])
        })?;
        Ok(())
    }

    /// The pause that covers `job` at `now`.
    pub fn paused(&self, job: &str, now: UnixMillis) -> Result<Option<Pause>, JobError> {
        self.read(|c| {
            c.query_row(
                "SELECT paused_until, coalesce(paused_reason, '') FROM jobs
                 WHERE name IN (?1, ?2) AND paused_until > ?3 ORDER BY paused_until DESC LIMIT 1",
                params![job, ALL_JOBS, now],
                |row| {
                    let until: i64 = row.get(0)?;
                    Ok(Pause { until: (until != i64::MAX).then_some(until), reason: row.get(1)? })
                },
            )
            .optional()
        })
    }

    /// The row of a job at `now`, or the row that it would get. Nothing is written.
    pub(super) fn peek(
        &self,
        job: &str,
        profile: &str,
        schedule: &str,
        now: UnixMillis,
    ) -> Result<LedgerRow, JobError> {
        Ok(self.read(|c| row(c, job, profile))?.map_or(
            LedgerRow { first_seen: now, last_occurrence: None },
            |(known, row)| {
                if known == schedule { row } else { LedgerRow { last_occurrence: Some(now), ..row } }
            },
        ))
    }

    /// The row of a job, inserted if it is new. A changed schedule counts from `now`.
    pub(super) fn register(
        &self,
        job: &str,
        profile: &str,
        schedule: &str,
        now: UnixMillis,
    ) -> Result<LedgerRow, JobError> {
        // Usually there is nothing to write, and a read waits for no other process.
        if let Some((known, row)) = self.read(|c| row(c, job, profile))?
            && known == schedule
        {
            return Ok(row);
        }
        self.write(|t| {
            t.execute(
                "INSERT INTO jobs(name, profile, schedule, first_seen) VALUES(?1, ?2, ?3, ?4)
                 ON CONFLICT DO UPDATE SET schedule = ?3, last_occurrence = ?4 WHERE schedule <> ?3",
                params![job, profile, schedule, now],
            )?;
            let (_, row) =
                row(t, job, profile)?.unwrap_or((String::new(), LedgerRow { first_seen: now, last_occurrence: None }));
            Ok(row)
        })
    }

    /// Records that a job is disabled, so that it counts from the time it is enabled again.
    pub(super) fn record_disabled(&self, job: &str, profile: &str) -> Result<(), JobError> {
        let known = self.read(|c| row(c, job, profile))?;
        if known.is_some_and(|(schedule, _)| schedule != DISABLED) {
            self.write(|t| {
                t.execute(
                    "UPDATE jobs SET schedule = ?3 WHERE name = ?1 AND profile = ?2",
                    params![job, profile, DISABLED],
                )
            })?;
        }
        Ok(())
    }

    /// Records the last occurrence of a job.
    pub(super) fn record_occurrence(&self, job: &str, profile: &str, reference: UnixMillis) -> Result<(), JobError> {
        self.write(|t| record_occurrence(t, job, profile, Some(reference)))
    }

    /// Records the start of a run and returns its id.
    pub(super) fn begin(&self, entry: &LedgerEntry<'_>) -> Result<i64, JobError> {
        self.write(|t| {
            record_occurrence(t, entry.job, entry.profile, entry.reference)?;
            insert(t, entry)
        })
    }

    /// Records the end of a run, and deletes the oldest runs of its job beyond `keep`.
    pub(super) fn finish(&self, id: i64, end: &End<'_>, keep: u32) -> Result<(), JobError> {
        self.write(|t| {
            close(t, id, end)?;
            prune(t, id, keep)
        })
    }

    /// Records that a run was stopped because its runner shut down, and makes its occurrence due again. `previous` is
    /// the last occurrence before the run. A later occurrence that was recorded meanwhile stays.
    pub(super) fn return_occurrence(
        &self,
        id: i64,
        end: &End<'_>,
        keep: u32,
        previous: Option<UnixMillis>,
    ) -> Result<(), JobError> {
        self.write(|t| {
            t.execute(
                "UPDATE jobs SET last_occurrence = ?2
                 WHERE (name, profile) = (SELECT job, profile FROM runs WHERE id = ?1)
                   AND last_occurrence IS (SELECT scheduled_at FROM runs WHERE id = ?1)",
                params![id, previous],
            )?;
            close(t, id, end)?;
            prune(t, id, keep)
        })
    }

    /// Records a run that did not happen (skipped, missed).
    pub(super) fn record(&self, entry: &LedgerEntry<'_>, end: &End<'_>, keep: u32) -> Result<(), JobError> {
        self.write(|t| {
            record_occurrence(t, entry.job, entry.profile, entry.reference)?;
            let id = insert(t, entry)?;
            close(t, id, end)?;
            prune(t, id, keep)
        })
    }

    /// Records that an occurrence is skipped because a run of its job is ongoing. The caller does not hold the lock.
    /// If the last occurrence has changed since `seen`, nothing is written: the occurrence was not skipped.
    pub(super) fn record_skipped(
        &self,
        entry: &LedgerEntry<'_>,
        end: &End<'_>,
        keep: u32,
        seen: Option<UnixMillis>,
    ) -> Result<bool, JobError> {
        self.write(|t| {
            let unmoved = t.execute(
                "UPDATE jobs SET last_occurrence = ?3 WHERE name = ?1 AND profile = ?2 AND last_occurrence IS ?4",
                params![entry.job, entry.profile, entry.reference, seen],
            )?;
            if unmoved == 0 {
                return Ok(false);
            }
            let id = insert(t, entry)?;
            close(t, id, end)?;
            prune(t, id, keep)?;
            Ok(true)
        })
    }

    pub(super) fn read<T>(&self, work: impl FnOnce(&Connection) -> Result<T, StatementError>) -> Result<T, JobError> {
        let mut database = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(work(database.connection())?)
    }

    pub(super) fn write<T>(
        &self,
        work: impl FnOnce(&Transaction<'_>) -> Result<T, StatementError>,
    ) -> Result<T, JobError> {
        let mut database = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(sqlite::write(database.connection(), work)?)
    }
}

fn row(connection: &Connection, job: &str, profile: &str) -> Result<Option<(String, LedgerRow)>, StatementError> {
    connection
        .query_row(
            "SELECT schedule, first_seen, last_occurrence FROM jobs WHERE name = ? AND profile = ?",
            params![job, profile],
            |row| Ok((row.get(0)?, LedgerRow { first_seen: row.get(1)?, last_occurrence: row.get(2)? })),
        )
        .optional()
}

fn record_occurrence(
    t: &Transaction<'_>,
    job: &str,
    profile: &str,
    reference: Option<UnixMillis>,
) -> Result<(), StatementError> {
    if let Some(reference) = reference {
        t.execute(
            "UPDATE jobs SET last_occurrence = ?3 WHERE name = ?1 AND profile = ?2",
            params![job, profile, reference],
        )?;
    }
    Ok(())
}

fn insert(t: &Transaction<'_>, entry: &LedgerEntry<'_>) -> Result<i64, StatementError> {
    t.execute(
        "INSERT INTO runs(job, profile, kind, scheduled_at, started_at, pid, host) VALUES(?, ?, ?, ?, ?, ?, ?)",
        params![entry.job, entry.profile, entry.kind, entry.scheduled_at, entry.at, std::process::id(), entry.host],
    )?;
    Ok(t.last_insert_rowid())
}

fn close(t: &Transaction<'_>, id: i64, end: &End<'_>) -> Result<(), StatementError> {
    t.execute(
        "UPDATE runs SET ended_at = ?, outcome = ?, reason = ?, exit_code = ?, took_ms = ?, calls = ?, attempt = ?, detail = ?
         WHERE id = ?",
        params![
            end.at,
            end.outcome.as_str(),
            cut(end.reason, MOST_REASON),
            end.exit,
            i64::try_from(end.took_ms).unwrap_or(i64::MAX),
            i64::try_from(end.calls).unwrap_or(i64::MAX),
            end.attempt,
            bounded(end.detail),
            id
        ],
    )?;
    Ok(())
}

/// Keeps unfinished runs and the last success of each job and profile. Runs that did not happen are counted
/// separately, so that a job that is paused for a week loses none of its real runs.
fn prune(t: &Transaction<'_>, id: i64, keep: u32) -> Result<(), StatementError> {
    t.execute(
        "WITH mine AS (
           SELECT r.*, row_number() OVER (PARTITION BY r.outcome IN ('skipped', 'missed') ORDER BY r.id DESC) AS nth
           FROM runs r, runs this WHERE this.id = ?1 AND r.job = this.job AND r.profile = this.profile)
         DELETE FROM runs WHERE id IN (SELECT id FROM mine WHERE ended_at IS NOT NULL AND nth > ?2)
           AND id NOT IN (SELECT max(id) FROM mine WHERE outcome = 'done')",
        params![id, keep.max(1)],
    )?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::end;
    use crate::jobs::testing::entry;
    use crate::jobs::testing::ledger;

    #[test]
    fn a_job_is_seen_once_and_a_changed_schedule_counts_from_now() {
        let (_root, ledger) = ledger();
        let row = |first_seen, last_occurrence| LedgerRow { first_seen, last_occurrence };
        assert_eq!(ledger.peek("a", "", "x", 5).unwrap(), row(5, None));
        assert_eq!(ledger.register("a", "", "x", 10).unwrap(), row(10, None));
        assert_eq!(ledger.register("a", "", "x", 20).unwrap(), row(10, None));
        ledger.record_occurrence("a", "", 15).unwrap();
        assert_eq!(ledger.register("a", "", "x", 30).unwrap(), row(10, Some(15)));
        assert_eq!(ledger.peek("a", "", "y", 40).unwrap(), row(10, Some(40)));
        assert_eq!(ledger.register("a", "", "y", 40).unwrap(), row(10, Some(40)));
        assert_eq!(ledger.register("a", "other profile", "y", 50).unwrap(), row(50, None));
    }

    #[test]
    fn a_job_that_is_enabled_again_counts_from_then() {
        let (_root, ledger) = ledger();
        ledger.record_disabled("a", "").unwrap();
        ledger.register("a", "", "x", 10).unwrap();
        ledger.record_disabled("a", "").unwrap();
        assert_eq!(ledger.register("a", "", "x", 90).unwrap().last_occurrence, Some(90));
    }

    #[test]
    fn an_occurrence_is_skipped_only_if_the_job_has_not_run_meanwhile() {
        let (_root, ledger) = ledger();
        ledger.register("a", "", "x", 10).unwrap();
        let record_skipped = |seen, reference| {
            let entry = LedgerEntry { reference: Some(reference), ..entry("a", 31) };
            ledger.record_skipped(&entry, &end(RunOutcome::Skipped, "it runs"), 9, seen).unwrap()
        };
        assert!(record_skipped(None, 20));
        ledger.record_occurrence("a", "", 40).unwrap();
        assert!(!record_skipped(Some(20), 30), "another runner went on to 40 since");
        assert_eq!(ledger.register("a", "", "x", 50).unwrap().last_occurrence, Some(40));
        assert_eq!(ledger.history(Some("a"), 9).unwrap().len(), 1);
    }

    #[test]
    fn a_pause_holds_until_its_end_or_until_it_is_ended() {
        let (_root, ledger) = ledger();
        ledger.pause(Some("a"), Some(100), "maintenance", 1).unwrap();
        let pause = Pause { until: Some(100), reason: "maintenance".into() };
        assert_eq!(ledger.paused("a", 99).unwrap(), Some(pause));
        assert_eq!(ledger.paused("a", 100).unwrap(), None);
        assert_eq!(ledger.paused("b", 99).unwrap(), None);
        ledger.pause(None, None, "freeze", 1).unwrap();
        assert_eq!(ledger.paused("b", 1 << 50).unwrap().unwrap().until, None);
        assert_eq!(ledger.resume(None, 50).unwrap(), 2);
        assert_eq!(ledger.paused("a", 50).unwrap(), None);
    }

    #[test]
    fn a_pause_of_a_clock_that_was_ahead_lasts_for_its_own_length() {
        let (_root, ledger) = ledger();
        let year = 365 * 24 * 3_600_000;
        ledger.pause(Some("a"), Some(year + 500), "", year).unwrap();
        ledger.pause(Some("b"), None, "", year).unwrap();
        ledger.pause(Some("c"), Some(year), "", 1_000).unwrap();
        ledger.correct_clock(1_000).unwrap();
        let until = |job| ledger.paused(job, 1_000).unwrap().unwrap().until;
        assert_eq!((until("a"), until("b"), until("c")), (Some(1_500), None, Some(year)));
        ledger.correct_clock(1_400).unwrap();
        assert_eq!(ledger.paused("a", 1_500).unwrap(), None, "it is dated once");
    }

    #[test]
    fn the_oldest_runs_are_forgotten_but_never_the_last_success_nor_one_that_runs() {
        let (_root, ledger) = ledger();
        let running = ledger.begin(&entry("a", 1)).unwrap();
        let success = ledger.begin(&entry("a", 2)).unwrap();
        ledger.finish(success, &end(RunOutcome::Done, "ok"), 3).unwrap();
        for n in 3..20 {
            ledger.record(&entry("a", n), &end(RunOutcome::Skipped, "not now"), 3).unwrap();
        }
        ledger.record(&entry("b", 30), &end(RunOutcome::Skipped, "not now"), 3).unwrap();
        let ids: Vec<i64> = ledger.history(Some("a"), 100).unwrap().iter().map(|row| row.id).collect();
        assert_eq!(ids.len(), 5, "three that did not happen, the success and the one that runs");
        assert!(ids.contains(&running) && ids.contains(&success));
        assert_eq!(ledger.history(None, 100).unwrap().len(), 6);
    }

    #[test]
    fn an_occurrence_that_is_given_back_is_due_again_and_its_run_stays_in_the_history() {
        let (_root, ledger) = ledger();
        ledger.register("a", "", "x", 10).unwrap();
        ledger.record_occurrence("a", "", 20).unwrap();
        let begin = || {
            let entry = LedgerEntry { scheduled_at: Some(30), reference: Some(30), ..entry("a", 31) };
            ledger.begin(&entry).unwrap()
        };
        let last = || ledger.register("a", "", "x", 40).unwrap().last_occurrence;
        let id = begin();
        assert_eq!(last(), Some(30));
        ledger.return_occurrence(id, &end(RunOutcome::Cancelled, "asked to stop"), 9, Some(20)).unwrap();
        assert_eq!(last(), Some(20));
        let id = begin();
        ledger.record_occurrence("a", "", 35).unwrap();
        ledger.return_occurrence(id, &end(RunOutcome::Cancelled, "asked to stop"), 9, Some(20)).unwrap();
        assert_eq!(last(), Some(35), "the next one was skipped meanwhile");
        assert_eq!(ledger.last_ended("a", "").unwrap().unwrap().outcome, Some(RunOutcome::Cancelled));
    }
}
