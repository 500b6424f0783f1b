//! What is wrong now, in sentences, each with the command to type.
//!
//! Each problem appears once, however many checks, jobs and alerts report it. The most severe comes first, then the
//! oldest. Every problem has a command.

use crate::alerts;
use crate::app::dashboard::state_read::StateRead;
use crate::app::health_inputs::Measured;
use crate::clock::{self, UnixMillis};
use crate::health::{Finding, Level};
use crate::model::Invocation;
use serde::Serialize;
use std::cmp::Reverse;

/// One trouble.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DashboardProblem {
    /// What it is about (`hit_rate`, `job:warm`): stable while it lasts.
    pub key: String,
    /// How bad it is.
    pub level: Level,
    /// One sentence.
    pub message: String,
    /// Since when, where that is known.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub since: Option<UnixMillis>,
    /// The command to type.
    pub command: String,
}

/// All problems in one word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OverallState {
    /// Nothing is wrong.
    Well,
    /// Something is worth a look.
    Attention,
    /// A person must act.
    Wrong,
}

impl OverallState {
    /// The worst of all problems.
    pub fn of(problems: &[DashboardProblem]) -> OverallState {
        match problems.iter().map(|problem| problem.level).max() {
            Some(Level::Critical) => OverallState::Wrong,
            Some(Level::Warn) => OverallState::Attention,
            Some(Level::Ok) | None => OverallState::Well,
        }
    }

    /// `well`, `attention`, `wrong`.
    pub fn as_str(self) -> &'static str {
        match self {
            OverallState::Well => "well",
            OverallState::Attention => "attention",
            OverallState::Wrong => "wrong",
        }
    }
}

/// Everything that is wrong, and the sentences about what could not be read.
pub(crate) fn find(
    measured: &Measured,
    state: &StateRead,
    unread: Vec<String>,
    call: &Invocation,
) -> Vec<DashboardProblem> {
    let mut problems: Vec<DashboardProblem> = Vec::new();
    let mut add = |problem: DashboardProblem| {
        if problems.iter().all(|known| known.key != problem.key && known.message != problem.message) {
            problems.push(problem);
        }
    };
    // If the state database cannot be read, its check reports that.
    if measured.measurements.state_problem.is_none() {
        for text in unread {
            let message = format!("The job ledger cannot be read: {text}");
            add(problem("ledger", Level::Critical, message, None, "awsideman doctor"));
        }
    }
    let ran = |key: &str| {
        let name = key.strip_prefix("job:")?;
        let run = state.runs.iter().find(|run| match run.profile.as_str() {
            "" => run.job == name,
            profile => name.strip_suffix(profile).and_then(|rest| rest.strip_suffix('@')) == Some(&run.job),
        });
        run.map(|run| run.started_at)
    };
    let since = |key: &str| {
        let alert = state.alerts.iter().find(|alert| alert.key == key).map(|alert| alert.since);
        alert.or_else(|| ran(key))
    };
    for check in &measured.health.checks {
        if let Some(found) = of_check(check, measured, since(&check.key)) {
            add(found);
        }
    }
    for alert in state.alerts.iter().filter(|alert| alert.state != "pending") {
        let command = if alert.hint.is_empty() { "awsideman jobs history" } else { &alert.hint };
        add(problem(&alert.key, Level::Critical, alert.message.clone(), Some(alert.since), command));
    }
    // A finding that follows from a cause is not shown next to it: the cause is at least as severe.
    for problem in problems.iter_mut().filter(|problem| is_cause(&problem.key)) {
        if state.alerts.iter().any(|alert| alert.key == problem.key && alert.state == "firing") {
            problem.level = Level::Critical;
        }
    }
    inhibit(&mut problems, state);
    let mut add = |problem| problems.push(problem);
    if state.mails_waiting > 0 {
        let messages =
            if state.mails_waiting == 1 { "1 message".into() } else { format!("{} messages", state.mails_waiting) };
        let message = format!("{messages} about alerts could not be sent yet");
        add(problem("mail", Level::Warn, message, None, "awsideman alerts test"));
    }
    for notice in &measured.notices {
        add(problem("notice", Level::Warn, notice.clone(), None, "awsideman doctor"));
    }
    for problem in &mut problems {
        problem.command = call.copyable(&problem.command).into_owned();
        problem.message = call.copyable(&problem.message).into_owned();
    }
    sort(&mut problems);
    problems
}

/// Drops inhibited problems, and lowers silenced ones to warnings.
fn inhibit(problems: &mut Vec<DashboardProblem>, state: &StateRead) {
    let alert_of = |key: &str| state.alerts.iter().find(|alert| alert.key == key);
    problems.retain(|problem| alert_of(&problem.key).is_none_or(|alert| alert.state != "inhibited"));
    for problem in problems {
        if let Some(silenced) = alert_of(&problem.key).filter(|alert| alert.state == "silenced") {
            problem.level = Level::Warn;
            problem.message = format!("{} ({})", problem.message, silenced.next);
        }
    }
}

/// The worst first, then the oldest; what has no beginning comes last.
pub(crate) fn sort(problems: &mut [DashboardProblem]) {
    problems.sort_by_key(|problem| (Reverse(problem.level), problem.since.unwrap_or(UnixMillis::MAX)));
}

/// A disabled cache is shown immediately, long before the check warns of it.
fn of_check(check: &Finding, measured: &Measured, since: Option<UnixMillis>) -> Option<DashboardProblem> {
    let disabled = measured.measurements.disabled.as_ref().filter(|_| check.key == "disabled");
    if let Some(disabled) = disabled {
        let since = disabled.since.or(since);
        return Some(problem(&check.key, Level::Warn, check.message.clone(), since, "awsideman cache enable"));
    }
    let command = if check.hint.is_empty() { "awsideman cache health" } else { &check.hint };
    (check.level != Level::Ok).then(|| problem(&check.key, check.level, check.message.clone(), since, command))
}

fn is_cause(key: &str) -> bool {
    key == alerts::AWS || key.starts_with(alerts::LOGIN)
}

fn problem(key: &str, level: Level, message: String, since: Option<UnixMillis>, command: &str) -> DashboardProblem {
    DashboardProblem { key: key.into(), level, message, since, command: command.into() }
}
