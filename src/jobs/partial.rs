//! Partial runs: the lost targets, and the number of consecutive ones.
//!
//! A run that lost the same targets as the run before is marked as a repetition, so that cron and mail report it
//! once.

use super::history::{self, RunRow};
use crate::clock::UnixMillis;
use crate::jobs::error::JobError;
use crate::jobs::ledger::Ledger;
use crate::jobs::outcome::{REPEATED, RunOutcome};
use crate::sqlite::params;
use serde_json::{Map, Value, json};
use xxhash_rust::xxh3::xxh3_64;

/// The member of a run's figures that lists the lost targets.
const LOST: &str = "lost";
/// The most lost targets that are listed; all are counted.
const NAMED: usize = 20;
/// The most past runs that are read to count consecutive ones.
const COUNTED: u32 = 200;

/// The newest runs of one job and profile, all of them partial.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PartialRuns {
    /// The number of consecutive runs that lost a target; 0 if the newest was only stopped by its budget.
    pub in_a_row: u32,
    /// When the first of them began.
    pub since: UnixMillis,
    /// The reason of the newest.
    pub reason: String,
}

impl PartialRuns {
    /// Counts consecutive partial runs, newest first; `None` unless the newest is partial.
    pub fn of<'a>(newest_first: impl IntoIterator<Item = &'a RunRow>) -> Option<PartialRuns> {
        let mut found: Option<PartialRuns> = None;
        for run in newest_first {
            match run.outcome {
                Some(RunOutcome::Partial) => {
                    let runs = found.get_or_insert_with(|| PartialRuns {
                        in_a_row: 0,
                        since: run.started_at,
                        reason: run.reason.clone(),
                    });
                    if lost_something(&run.detail) {
                        runs.in_a_row += 1;
                        runs.since = run.started_at;
                    }
                }
                // These were ended from outside and show nothing about the targets.
                None | Some(RunOutcome::Skipped | RunOutcome::Missed | RunOutcome::Cancelled) => {}
                Some(RunOutcome::Done | RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::Crashed) => break,
            }
        }
        found
    }
}

impl Ledger {
    /// The partial runs of a job and profile since its last run that was not partial.
    pub fn partial_runs(&self, job: &str, profile: &str) -> Result<Option<PartialRuns>, JobError> {
        if self.last_run(job, profile)?.is_none_or(|run| run.outcome != Some(RunOutcome::Partial)) {
            return Ok(None);
        }
        Ok(PartialRuns::of(&self.last_runs(job, profile, COUNTED)?))
    }

    /// The newest run of a job and profile that was done or partial.
    pub fn last_result(&self, job: &str, profile: &str) -> Result<Option<RunRow>, JobError> {
        self.one("AND outcome IN ('done', 'partial') ORDER BY id DESC", job, profile)
    }

    /// The newest run of a job and profile that was not ended from outside.
    pub(super) fn last_run(&self, job: &str, profile: &str) -> Result<Option<RunRow>, JobError> {
        Ok(self.last_runs(job, profile, 1)?.pop())
    }

    fn last_runs(&self, job: &str, profile: &str, limit: u32) -> Result<Vec<RunRow>, JobError> {
        self.read(|c| {
            c.prepare(&format!(
                "SELECT {} FROM runs WHERE job = ? AND profile = ? AND ended_at IS NOT NULL
                   AND outcome NOT IN ('skipped', 'missed', 'cancelled') ORDER BY id DESC LIMIT ?",
                history::COLUMNS
            ))?
            .query_map(params![job, profile, limit], history::read)?
            .collect()
        })
    }
}

/// Adds what a partial run lost to its figures; `before` is the run before it.
pub(super) fn note(detail: &mut Map<String, Value>, lost: &[String], before: Option<&RunRow>) {
    let mut lost = lost.to_vec();
    lost.sort_unstable();
    lost.dedup();
    let digest = format!("{:016x}", xxh3_64(lost.join("\n").as_bytes()));
    let repeats = |run: &RunRow| run.outcome == Some(RunOutcome::Partial) && run.detail[LOST]["digest"] == digest;
    if before.is_some_and(repeats) {
        detail.insert(REPEATED.to_owned(), json!(true));
    }
    let count = lost.len();
    lost.truncate(NAMED);
    detail.insert(LOST.to_owned(), json!({ "count": count, "targets": lost, "digest": digest }));
}

fn lost_something(detail: &Value) -> bool {
    detail[LOST]["count"].as_u64().unwrap_or(0) > 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::end;
    use crate::jobs::testing::entry;
    use crate::jobs::testing::ledger;

    fn record(ledger: &Ledger, at: UnixMillis, outcome: RunOutcome, lost: &[&str]) -> Map<String, Value> {
        let before = ledger.last_run("a", "").unwrap();
        let id = ledger.begin(&entry("a", at)).unwrap();
        let mut detail = Map::new();
        if outcome == RunOutcome::Partial {
            let lost: Vec<String> = lost.iter().map(|&target| target.to_owned()).collect();
            note(&mut detail, &lost, before.as_ref());
        }
        let end = super::super::ledger::End { detail: &detail, ..end(outcome, "because") };
        ledger.finish(id, &end, 100).unwrap();
        detail
    }

    #[test]
    fn partial_runs_in_a_row_are_counted_past_skips_and_a_complete_one_ends_the_row() {
        let (_root, ledger) = ledger();
        let count = |ledger: &Ledger| ledger.partial_runs("a", "").unwrap().map(|runs| (runs.in_a_row, runs.since));
        assert_eq!(count(&ledger), None);
        for (at, outcome, lost, expected) in [
            (1, RunOutcome::Done, &[][..], None),
            (2, RunOutcome::Partial, &["x"], Some((1, 2))),
            (3, RunOutcome::Skipped, &[], Some((1, 2))),
            (4, RunOutcome::Partial, &["x", "y"], Some((2, 2))),
            // Its budget ended it: nothing is lost, and nothing is known to be readable again.
            (5, RunOutcome::Partial, &[], Some((2, 2))),
            (6, RunOutcome::Done, &[], None),
            (7, RunOutcome::Partial, &[], Some((0, 7))),
            (8, RunOutcome::Failed, &[], None),
            (9, RunOutcome::Partial, &["x"], Some((1, 9))),
        ] {
            record(&ledger, at, outcome, lost);
            assert_eq!(count(&ledger), expected, "after run {at}");
        }
    }

    #[test]
    fn a_run_that_lost_the_same_targets_as_the_one_before_is_a_repetition() {
        let (_root, ledger) = ledger();
        for (at, outcome, lost, expected) in [
            (1, RunOutcome::Partial, &["x", "y"][..], false),
            (2, RunOutcome::Partial, &["y", "x", "x"], true),
            (3, RunOutcome::Skipped, &[], false),
            (4, RunOutcome::Partial, &["x", "y"], true),
            (5, RunOutcome::Partial, &["x"], false),
            (6, RunOutcome::Done, &[], false),
            (7, RunOutcome::Partial, &["x"], false),
        ] {
            let detail = record(&ledger, at, outcome, lost);
            assert_eq!(detail.contains_key(REPEATED), expected, "run {at}");
        }
    }

    #[test]
    fn many_lost_targets_are_counted_and_some_are_named() {
        let lost: Vec<String> = (0..50).map(|n| format!("{n:02}")).collect();
        let mut detail = Map::new();
        note(&mut detail, &lost, None);
        assert_eq!((&detail["lost"]["count"], detail["lost"]["targets"].as_array().unwrap().len()), (&json!(50), 20));
    }
}
