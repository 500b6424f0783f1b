//! How a run ends: a closed vocabulary, and the report that carries it.
//!
//! The outcome words are in the ledger and in JSON, and do not change.

use crate::clock::{self, UnixMillis};
use crate::health::Finding;
use serde::Serialize;
use serde_json::{Map, Value};

/// The priority of exit codes: the first one that a failed job has is the exit code of the pass.
const ORDER: [u8; 7] = [2, 12, 4, 13, 1, 3, 6];

/// The member of a run's figures that marks a repetition of the run before it.
pub(super) const REPEATED: &str = "repeated";

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunOutcome {
    /// It did all of its work.
    Done,
    /// It did part of its work: at least one target could not be read or stored.
    Partial,
    /// It did not run, for a reason that is no failure.
    Skipped,
    /// It failed.
    Failed,
    /// It exceeded its timeout.
    TimedOut,
    /// It was stopped because the runner shut down or a later run replaced it.
    Cancelled,
    /// No runner was active when it was due.
    Missed,
    /// Its runner died.
    Crashed,
}

impl RunOutcome {
    /// Every outcome.
    pub const ALL: [RunOutcome; 8] = [
        RunOutcome::Done,
        RunOutcome::Partial,
        RunOutcome::Skipped,
        RunOutcome::Failed,
        RunOutcome::TimedOut,
        RunOutcome::Cancelled,
        RunOutcome::Missed,
        RunOutcome::Crashed,
    ];

    /// The word in JSON and in the ledger.
    pub fn as_str(self) -> &'static str {
        match self {
            RunOutcome::Done => "done",
            RunOutcome::Partial => "partial",
            RunOutcome::Skipped => "skipped",
            RunOutcome::Failed => "failed",
            RunOutcome::TimedOut => "timed-out",
            RunOutcome::Cancelled => "cancelled",
            RunOutcome::Missed => "missed",
            RunOutcome::Crashed => "crashed",
        }
    }

    /// The outcome as a verb for sentences (`ran out of time`).
    pub fn verb(self) -> &'static str {
        match self {
            RunOutcome::Done => "is done",
            RunOutcome::Partial => "was partial",
            RunOutcome::Skipped => "was skipped",
            RunOutcome::Failed => "failed",
            RunOutcome::TimedOut => "ran out of time",
            RunOutcome::Cancelled => "was cancelled",
            RunOutcome::Missed => "was missed",
            RunOutcome::Crashed => "was killed",
        }
    }

    /// Parses an outcome word.
    pub fn parse(word: &str) -> Option<RunOutcome> {
        RunOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }
}

/// The report of one run of one job for one profile.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    /// The job's name.
    pub job: String,
    /// Its kind (`warm`).
    pub kind: String,
    /// The AWS profile, when the job names profiles.
    pub profile: Option<String>,
    /// How it ended.
    pub outcome: RunOutcome,
    /// The result or the reason, in one sentence.
    pub reason: String,
    /// How long it ran, in milliseconds.
    pub took_ms: u64,
    /// AWS calls it made.
    pub calls: u64,
    /// The occurrence it ran for; `null` for a run on request.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub scheduled_at: Option<UnixMillis>,
    /// When it began.
    #[serde(serialize_with = "clock::serialize")]
    pub started_at: UnixMillis,
    /// The number of attempts.
    pub attempt: u32,
    /// Its own exit code: 0 when all is well.
    pub exit: u8,
    /// Whether a later run may succeed without a change by a user.
    pub retryable: bool,
    /// Its findings.
    pub findings: Vec<Finding>,
    /// Figures of its kind.
    pub detail: Map<String, Value>,
}

impl RunReport {
    /// Whether it is partial and lost the same targets as the run before it.
    pub fn is_repeated(&self) -> bool {
        self.outcome == RunOutcome::Partial && self.detail.get(REPEATED).and_then(Value::as_bool) == Some(true)
    }
}

/// The exit code of a pass: 0, or the most severe of its failures.
pub fn exit_code(reports: &[RunReport]) -> u8 {
    let codes = || reports.iter().map(|report| report.exit).filter(|code| *code != 0);
    ORDER.into_iter().find(|code| codes().any(|c| c == *code)).or_else(|| codes().next()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::report;

    #[test]
    fn the_most_severe_failure_is_the_exit_code() {
        let exits = |codes: &[u8]| exit_code(&codes.iter().map(|code| report(*code)).collect::<Vec<_>>());
        for (codes, expected) in [
            (&[][..], 0),
            (&[0, 0], 0),
            (&[6, 0, 3], 3),
            (&[3, 1], 1),
            (&[1, 13], 13),
            (&[13, 4], 4),
            (&[4, 12], 12),
            (&[6, 12, 2, 1], 2),
            (&[0, 130], 130),
            (&[130, 6], 6),
        ] {
            assert_eq!(exits(codes), expected, "{codes:?}");
        }
    }

    #[test]
    fn the_outcomes_in_json_are_those_in_the_ledger() {
        for outcome in RunOutcome::ALL {
            assert_eq!(serde_json::to_value(outcome).unwrap(), outcome.as_str());
            assert_eq!(RunOutcome::parse(outcome.as_str()), Some(outcome));
        }
        let json = serde_json::to_value(RunReport { scheduled_at: None, started_at: 1_500, ..report(0) }).unwrap();
        assert_eq!(json["started_at"], "1970-01-01T00:00:01.500Z");
        assert!(json["scheduled_at"].is_null());
    }
}
