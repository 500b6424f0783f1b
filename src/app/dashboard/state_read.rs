//! Reads the state directory for the status page: jobs, runs, alerts, calls, lookups.
//!
//! Guarantee: a part that cannot be read is reported and does not hide the others.

use crate::alerts;
use crate::app::core::App;
use crate::app::dashboard::history::{self, CallsReport, Lookups, UsageHistory};
use crate::app::job_pass::JobRunner;
use crate::clock::UnixMillis;
use crate::config::Job;
use crate::jobs::{self, JobRow, RunRow, Stop};
use crate::progress::NoProgress;
use crate::state::{Database, RunTotal, run_totals};
use std::sync::Arc;

/// The most past runs that are read.
const RUNS: u32 = 4_000;

/// The content of the state directory, as far as it could be read.
#[derive(Default)]
pub(super) struct StateRead {
    pub(super) jobs: Vec<JobRow>,
    pub(super) runs: Vec<RunRow>,
    pub(super) alerts: Vec<alerts::AlertStatus>,
    pub(super) silences: Vec<alerts::Silence>,
    pub(super) mails_waiting: u64,
    pub(super) calls: CallsReport,
    pub(super) history: UsageHistory,
    pub(super) lookups: Vec<Lookups>,
    pub(super) run_totals: Vec<RunTotal>,
}

/// Reads everything; each problem is one sentence in `unread`.
pub(super) fn read_state(
    app: &Arc<App>,
    jobs: &[Job],
    since: UnixMillis,
    now: UnixMillis,
    unread: &mut Vec<String>,
) -> StateRead {
    let mut state = StateRead::default();
    let context = match JobRunner::new(app).context(Arc::new(NoProgress), Stop::new()) {
        Ok(context) => context,
        Err(error) => {
            unread.push(error.to_string());
            return state;
        }
    };
    state.jobs = or_say(jobs::list(jobs, &context), unread);
    state.runs = or_say(context.ledger.history(None, RUNS), unread);
    match app.database() {
        Ok((mut database, _)) => fill(app, &mut state, &mut database, since, now, unread),
        Err(error) => unread.push(error.to_string()),
    }
    state
}

fn fill(
    app: &App,
    state: &mut StateRead,
    database: &mut Database,
    since: UnixMillis,
    now: UnixMillis,
    unread: &mut Vec<String>,
) {
    let is_disabled = app.disabled().is_some();
    state.alerts = or_say(alerts::statuses(database, &app.config().alerts, is_disabled, now), unread);
    state.silences = or_say(alerts::silences(database, now), unread);
    state.mails_waiting = or_say(alerts::waiting(database), unread);
    state.calls = or_say(history::calls(database, now), unread);
    state.history = or_say(history::history(database, app.cache_dir(), since), unread);
    state.lookups = or_say(history::lookups(database, app.cache_dir()), unread);
    state.run_totals = or_say(run_totals(database), unread);
}

/// The value, or its default and a sentence, each sentence once.
fn or_say<T: Default, E: std::fmt::Display>(found: Result<T, E>, unread: &mut Vec<String>) -> T {
    found.unwrap_or_else(|error| {
        let error = error.to_string();
        if !unread.contains(&error) {
            unread.push(error);
        }
        T::default()
    })
}
