//! Reads past runs from the ledger, newest first. Only [`Ledger::crashed`] writes.

use crate::clock::{self, UnixMillis};
use crate::jobs::error::JobError;
use crate::jobs::ledger::Ledger;
use crate::jobs::outcome::RunOutcome;
use crate::sqlite::{OptionalExtension, Row, StatementError, params};
use serde::Serialize;
use serde_json::Value;

/// Rows of earlier versions may hold a reason or figures of any size. Those are not read: `octet_length` loads
/// neither.
pub(super) const COLUMNS: &str = "id, job, profile, kind, scheduled_at, started_at, ended_at, outcome, \
    CASE WHEN octet_length(reason) > 65536 THEN '(' || octet_length(reason) || ' bytes, too long to be shown)' \
         ELSE coalesce(reason, '') END, \
    exit_code, took_ms, calls, attempt, pid, host, \
    CASE WHEN octet_length(detail) > 262144 THEN '{\"too_long\": true}' ELSE detail END";

/// One run in the ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunRow {
    /// Its id.
    pub id: i64,
    /// The job's name.
    pub job: String,
    /// The AWS profile; empty when the job names none.
    pub profile: String,
    /// The job's kind.
    pub kind: String,
    /// The occurrence it ran for; `null` for a run on request.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub scheduled_at: Option<UnixMillis>,
    /// When it began.
    #[serde(serialize_with = "clock::serialize")]
    pub started_at: UnixMillis,
    /// When it ended; `null` while it runs, or if its runner died and its end is not recorded yet.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub ended_at: Option<UnixMillis>,
    /// How it ended; `null` like `ended_at`.
    pub outcome: Option<RunOutcome>,
    /// The result or the reason.
    pub reason: String,
    /// Its exit code.
    pub exit: u8,
    /// How long it ran, in milliseconds.
    pub took_ms: i64,
    /// AWS calls it made.
    pub calls: i64,
    /// The number of attempts.
    pub attempt: u32,
    /// The process that ran it.
    pub pid: u32,
    /// That process's host.
    pub host: String,
    /// Figures of its kind.
    pub detail: Value,
}

impl Ledger {
    /// The newest `limit` runs of `job`, or of all jobs.
    pub fn history(&self, job: Option<&str>, limit: u32) -> Result<Vec<RunRow>, JobError> {
        self.read(|c| {
            c.prepare(&format!("SELECT {COLUMNS} FROM runs WHERE ?1 IS NULL OR job = ?1 ORDER BY id DESC LIMIT ?2"))?
                .query_map(params![job, limit], read)?
                .collect()
        })
    }

    /// The newest finished run of a job and profile.
    pub fn last_ended(&self, job: &str, profile: &str) -> Result<Option<RunRow>, JobError> {
        self.one("AND ended_at IS NOT NULL ORDER BY id DESC", job, profile)
    }

    /// The newest run of a job and profile that shows whether the job works: neither skipped nor cancelled.
    pub(super) fn last_conclusive(&self, job: &str, profile: &str) -> Result<Option<RunRow>, JobError> {
        let telling = "AND ended_at IS NOT NULL AND outcome NOT IN ('skipped', 'cancelled') ORDER BY id DESC";
        self.one(telling, job, profile)
    }

    /// The newest run of a job and profile with the outcome `done`: it lost no target.
    pub fn last_success(&self, job: &str, profile: &str) -> Result<Option<RunRow>, JobError> {
        self.one("AND outcome = 'done' ORDER BY id DESC", job, profile)
    }

    /// The run with this id.
    pub(super) fn run(&self, id: i64) -> Result<Option<RunRow>, JobError> {
        self.read(|c| c.prepare(&format!("SELECT {COLUMNS} FROM runs WHERE id = ?"))?.query_row([id], read).optional())
    }

    /// The unfinished run of a job and profile.
    pub fn open_run(&self, job: &str, profile: &str) -> Result<Option<RunRow>, JobError> {
        self.one("AND ended_at IS NULL ORDER BY id DESC", job, profile)
    }

    /// Every job and profile with an unfinished run.
    pub(super) fn open_runs(&self) -> Result<Vec<(String, String)>, JobError> {
        self.read(|c| {
            c.prepare("SELECT DISTINCT job, profile FROM runs WHERE ended_at IS NULL ORDER BY job, profile")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        })
    }

    /// Records unfinished runs as crashed. The caller must hold the lock of the job, so that no process runs it.
    pub(super) fn crashed(&self, job: &str, profile: &str, now: UnixMillis) -> Result<Vec<RunRow>, JobError> {
        if self.open_run(job, profile)?.is_none() {
            return Ok(Vec::new());
        }
        self.write(|t| {
            let mut rows: Vec<RunRow> = t
                .prepare(&format!(
                    "SELECT {COLUMNS} FROM runs WHERE job = ? AND profile = ? AND ended_at IS NULL ORDER BY id"
                ))?
                .query_map(params![job, profile], read)?
                .collect::<Result<_, _>>()?;
            for row in &mut rows {
                row.ended_at = Some(now);
                row.outcome = Some(RunOutcome::Crashed);
                row.exit = 1;
                row.took_ms = now.saturating_sub(row.started_at).max(0);
                row.reason =
                    format!("its runner (pid {} on {}) died after {}", row.pid, row.host, clock::utc(row.started_at));
                t.execute(
                    "UPDATE runs SET ended_at = ?, outcome = ?, reason = ?, exit_code = ?, took_ms = ? WHERE id = ?",
                    params![now, RunOutcome::Crashed.as_str(), row.reason, row.exit, row.took_ms, row.id],
                )?;
            }
            Ok(rows)
        })
    }

    pub(super) fn one(&self, rest: &str, job: &str, profile: &str) -> Result<Option<RunRow>, JobError> {
        self.read(|c| {
            c.prepare(&format!("SELECT {COLUMNS} FROM runs WHERE job = ? AND profile = ? {rest} LIMIT 1"))?
                .query_row(params![job, profile], read)
                .optional()
        })
    }
}

pub(super) fn read(row: &Row<'_>) -> Result<RunRow, StatementError> {
    let outcome: Option<String> = row.get(7)?;
    let detail: String = row.get(15)?;
    Ok(RunRow {
        id: row.get(0)?,
        job: row.get(1)?,
        profile: row.get(2)?,
        kind: row.get(3)?,
        scheduled_at: row.get(4)?,
        started_at: row.get(5)?,
        ended_at: row.get(6)?,
        outcome: outcome.and_then(|word| RunOutcome::parse(&word)),
        reason: row.get(8)?,
        exit: row.get(9)?,
        took_ms: row.get(10)?,
        calls: row.get(11)?,
        attempt: row.get(12)?,
        pid: row.get(13)?,
        host: row.get(14)?,
        detail: serde_json::from_str(&detail).unwrap_or(Value::Null),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::end;
    use crate::jobs::testing::entry;
    use crate::jobs::testing::ledger;

    #[test]
    fn the_newest_come_first_and_the_last_success_is_found_behind_later_failures() {
        let (_root, ledger) = ledger();
        for (at, outcome) in [(0, RunOutcome::Done), (1, RunOutcome::Failed), (2, RunOutcome::Skipped)] {
            let id = ledger.begin(&entry("a", at)).unwrap();
            ledger.finish(id, &end(outcome, "because"), 10).unwrap();
        }
        let rows = ledger.history(Some("a"), 2).unwrap();
        assert_eq!(
            rows.iter().map(|row| row.outcome).collect::<Vec<_>>(),
            [Some(RunOutcome::Skipped), Some(RunOutcome::Failed)]
        );
        assert_eq!(ledger.last_success("a", "").unwrap().unwrap().started_at, 0);
        assert_eq!(ledger.last_ended("a", "").unwrap().unwrap().reason, "because");
        assert_eq!(ledger.last_ended("b", "").unwrap(), None);
        assert_eq!(ledger.open_run("a", "").unwrap(), None);
    }

    #[test]
    fn a_run_without_an_end_is_recorded_as_crashed_once() {
        let (_root, ledger) = ledger();
        ledger.begin(&entry("a", 1_000)).unwrap();
        let crashed = ledger.crashed("a", "", 9_000).unwrap();
        assert_eq!((crashed.len(), crashed[0].outcome, crashed[0].took_ms), (1, Some(RunOutcome::Crashed), 8_000));
        assert!(crashed[0].reason.contains(") died after"), "{}", crashed[0].reason);
        assert!(ledger.crashed("a", "", 9_000).unwrap().is_empty());
        assert_eq!(ledger.last_ended("a", "").unwrap().unwrap(), crashed[0]);
    }
}
