//! What is wrong now, in sentences, each with the command to type.
//!
//! Neighbours: `overview.rs` gathers what is judged here; the page begins with it. Promise: one trouble is told once,
//! however many checks, jobs and alerts speak of it; the worst comes first, then the oldest; every problem has a command.

use super::{Kept, time_or_null};
use crate::app::Measured;
use crate::clock::{self, UnixMillis};
use crate::health::{Finding, Level};
use crate::jobs::{Listed, Outcome, PartialRuns};
use serde::Serialize;
use std::cmp::Reverse;

/// A job that has been due for so long is not about to be run: nobody is there to run it.
const OVERDUE: i64 = 15 * 60_000;

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Problem {
    /// What it is about (`hit_rate`, `job:warm`): stable while it lasts.
    pub key: String,
    /// How bad it is.
    pub level: Level,
    /// One sentence.
    pub message: String,
    /// Since when, where that is known.
    #[serde(serialize_with = "time_or_null")]
    pub since: Option<UnixMillis>,
    /// The command to type.
    pub command: String,
}

/// All problems in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// Nothing is wrong.
    Well,
    /// Something is worth a look.
    Attention,
    /// Somebody must act.
    Wrong,
}

impl Verdict {
    /// The worst of all problems.
    pub fn of(problems: &[Problem]) -> Verdict {
        match problems.iter().map(|problem| problem.level).max() {
            Some(Level::Critical) => Verdict::Wrong,
            Some(Level::Warn) => Verdict::Attention,
            Some(Level::Ok) | None => Verdict::Well,
        }
    }

    /// `well`, `attention`, `wrong`.
    pub fn as_str(self) -> &'static str {
        match self {
            Verdict::Well => "well",
            Verdict::Attention => "attention",
            Verdict::Wrong => "wrong",
        }
    }
}

/// Everything that is wrong, and the sentences about what could not be read.
pub(super) fn find(measured: &Measured, kept: &Kept, unread: Vec<String>, now: UnixMillis) -> Vec<Problem> {
    let mut problems: Vec<Problem> = Vec::new();
    let mut add = |problem: Problem| {
        if problems.iter().all(|known| known.key != problem.key && known.message != problem.message) {
            problems.push(problem);
        }
    };
    for text in unread {
        let message = format!("The job ledger cannot be read: {text}");
        add(problem("ledger", Level::Critical, message, None, "awsideman doctor"));
    }
    let since = |key: &str| kept.alerts.iter().find(|alert| alert.key == key).map(|alert| alert.since);
    for check in &measured.health.checks {
        if let Some(found) = of_check(check, measured, since(&check.key)) {
            add(found);
        }
    }
    for job in kept.jobs.iter().filter(|job| job.enabled) {
        if let Some(found) = of_job(job, kept, now) {
            add(found);
        }
    }
    for alert in kept.alerts.iter().filter(|alert| alert.state != "pending") {
        let command = if alert.hint.is_empty() { "awsideman jobs history" } else { &alert.hint };
        add(problem(&alert.key, Level::Critical, alert.message.clone(), Some(alert.since), command));
    }
    mute(&mut problems, kept);
    let mut add = |problem| problems.push(problem);
    if kept.mails_waiting > 0 {
        let messages =
            if kept.mails_waiting == 1 { "1 message".into() } else { format!("{} messages", kept.mails_waiting) };
        let message = format!("{messages} about alerts could not be sent yet");
        add(problem("mail", Level::Warn, message, None, "awsideman alerts test"));
    }
    for notice in &measured.notices {
        add(problem("notice", Level::Warn, notice.clone(), None, "awsideman doctor"));
    }
    sort(&mut problems);
    problems
}

/// What follows from another trouble is not told beside it; what somebody silenced is told quietly.
fn mute(problems: &mut Vec<Problem>, kept: &Kept) {
    let state = |key: &str| kept.alerts.iter().find(|alert| alert.key == key);
    problems.retain(|problem| state(&problem.key).is_none_or(|alert| alert.state != "inhibited"));
    for problem in problems {
        if let Some(silenced) = state(&problem.key).filter(|alert| alert.state == "silenced") {
            problem.level = Level::Warn;
            problem.message = format!("{} ({})", problem.message, silenced.next);
        }
    }
}

/// The worst first, then the oldest; what has no beginning comes last.
pub(super) fn sort(problems: &mut [Problem]) {
    problems.sort_by_key(|problem| (Reverse(problem.level), problem.since.unwrap_or(UnixMillis::MAX)));
}

/// A disabled cache is worth a line at once, long before the check warns of it.
fn of_check(check: &Finding, measured: &Measured, since: Option<UnixMillis>) -> Option<Problem> {
    let disabled = measured.measurements.disabled.as_ref().filter(|_| check.key == "disabled");
    if let Some(disabled) = disabled {
        let since = disabled.since.or(since);
        return Some(problem(&check.key, Level::Warn, check.message.clone(), since, "awsideman cache enable"));
    }
    let command = if check.hint.is_empty() { "awsideman cache health" } else { &check.hint };
    (check.level != Level::Ok).then(|| problem(&check.key, check.level, check.message.clone(), since, command))
}

fn of_job(job: &Listed, kept: &Kept, now: UnixMillis) -> Option<Problem> {
    let name = match &job.profile {
        Some(profile) => format!("{}@{profile}", job.job),
        None => job.job.clone(),
    };
    let key = format!("job:{name}");
    let bad = [Outcome::Failed, Outcome::TimedOut, Outcome::Crashed, Outcome::Missed];
    // The last word that says how the job is: a run that was passed over, or stopped on purpose, says nothing of it.
    let telling = kept.runs.iter().find(|run| {
        run.job == job.job
            && run.profile == job.profile.as_deref().unwrap_or_default()
            && run.outcome.is_some_and(|outcome| !matches!(outcome, Outcome::Skipped | Outcome::Cancelled))
    });
    let last = match (telling, job.last_outcome, job.last_at) {
        (_, Some(Outcome::Crashed), Some(at)) => {
            Some((Outcome::Crashed, job.last_reason.clone().unwrap_or_default(), at))
        }
        (Some(run), _, _) => run.outcome.map(|outcome| (outcome, run.reason.clone(), run.started_at)),
        (None, Some(outcome), Some(at)) => Some((outcome, job.last_reason.clone().unwrap_or_default(), at)),
        _ => None,
    };
    if let Some((outcome, reason, at)) = last.clone().filter(|(outcome, ..)| bad.contains(outcome)) {
        let since = kept.alerts.iter().find(|alert| alert.key == key).map_or(at, |alert| alert.since);
        let message = format!("Job {name} {}: {reason}", outcome.verb());
        let own = format!("awsideman jobs run {}", job.job);
        let command = quoted_command(&reason).unwrap_or(&own);
        return Some(problem(&key, Level::Critical, message, Some(since), command));
    }
    if let Some((Outcome::Partial, reason, _)) = &last {
        return Some(of_partial(job, &name, &key, reason, kept));
    }
    let due = job.next_due.filter(|due| now - due > OVERDUE && job.running.is_none() && job.paused.is_none())?;
    let message = format!("Job {name} has been due since {} and nobody ran it", clock::utc(due));
    Some(problem(&key, Level::Warn, message, Some(due), "awsideman jobs run"))
}

/// Worth a look; critical after so many in a row, and while its alert fires.
fn of_partial(job: &Listed, name: &str, key: &str, reason: &str, kept: &Kept) -> Problem {
    let profile = job.profile.as_deref().unwrap_or_default();
    let runs = PartialRuns::of(kept.runs.iter().filter(|run| run.job == job.job && run.profile == profile));
    let fires = kept.alerts.iter().any(|alert| alert.key == key && alert.state != "pending");
    let in_a_row = runs.as_ref().map_or(0, |runs| runs.in_a_row);
    let level = if fires || in_a_row >= kept.alarming_partial_runs { Level::Critical } else { Level::Warn };
    let times = if in_a_row > 1 { format!(" {in_a_row} times in a row") } else { String::new() };
    let own = format!("awsideman jobs logs {}", job.job);
    let message = format!("Job {name} was partial{times}: {reason}");
    problem(key, level, message, runs.map(|runs| runs.since), quoted_command(reason).unwrap_or(&own))
}

/// A sentence often ends with what to type (`log in with ``aws sso login --profile p`` `): that helps more than running
/// the job again.
fn quoted_command(text: &str) -> Option<&str> {
    text.split('`').skip(1).step_by(2).find(|word| word.starts_with("aws ") || word.starts_with("awsideman "))
}

fn problem(key: &str, level: Level, message: String, since: Option<UnixMillis>, command: &str) -> Problem {
    Problem { key: key.into(), level, message, since, command: command.into() }
}
