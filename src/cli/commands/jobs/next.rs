//! `jobs next` and `jobs simulate`: what lies ahead.
//!
//! Neither runs a job, writes a word, or asks AWS.

use crate::app::{App, CacheWarmer};
use crate::cli::args::GlobalArgs;
use crate::cli::args::jobs::{NextArgs, SimulateArgs};
use crate::cli::args::time::Moment;
use crate::cli::commands::jobs::JobsSession;
use crate::cli::commands::jobs::next_due;
use crate::cli::commands::jobs::say;
use crate::cli::commands::jobs::with_profile;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, TextReport};
use crate::clock::{UnixMillis, millis};
use crate::config::{Job, JobKind};
use crate::jobs::{self, ForecastObserver, NextRun, Simulated};
use crate::model::format_duration;
use serde_json::json;
use std::time::Duration;

/// A simulation looks this far unless told otherwise.
const DAY: Duration = Duration::from_secs(86_400);
/// Nobody reads more.
const MOST: usize = 100_000;

/// `jobs next`
pub(crate) fn next(arguments: &NextArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let JobsSession { app, jobs, context, notices } = JobsSession::open(globals, output)?;
    let limit = arguments.limit.map(|limit| usize::try_from(limit).unwrap_or(usize::MAX).min(MOST));
    let coming = jobs::next_runs(&jobs, &arguments.names, limit, &context)?;
    let now = app.clock().now();
    let page = match coming.len() {
        0 => TextReport::new().line("no job is due by itself; `awsideman jobs list` shows why"),
        _ => TextReport::new().table(
            &["AT", "IN", "JOB", "ZONE", "JITTER", "NOTE"],
            coming.iter().map(|coming| coming_row(coming, now)).collect(),
        ),
    };
    say(&notices, output);
    output.report(&json!({ "schema_version": 1, "next": coming, "notices": notices }), &page)
}

fn coming_row(coming: &NextRun, now: UnixMillis) -> Vec<String> {
    let jitter = Duration::from_millis(coming.jitter_ms.unsigned_abs());
    vec![
        on_the_clock(&coming.local),
        if coming.is_due { "now".to_owned() } else { next_due(coming.at, now) },
        with_profile(&coming.job, coming.profile.as_deref()),
        coming.timezone.clone(),
        if jitter.is_zero() { String::new() } else { format!("+{}", format_duration(seconds(jitter))) },
        coming.paused.clone().unwrap_or_default(),
    ]
}

/// RFC 3339 with a blank in place of the T, for people.
fn on_the_clock(local: &str) -> String {
    local.replacen('T', " ", 1)
}

fn seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs().max(1))
}

/// `jobs simulate`
pub(crate) fn simulate(arguments: &SimulateArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let JobsSession { app, jobs, context, notices } = JobsSession::open(globals, output)?;
    let now = context.clock.now();
    let meant = |moment: &Moment, from: UnixMillis| {
        moment.at(from, &context.zone).ok_or_else(|| CliError::new(Code::Usage, "the time is out of range"))
    };
    let from = arguments.from.as_ref().map_or(Ok(now), |moment| meant(moment, now))?;
    let to = arguments.to.as_ref().map_or(Ok(from.saturating_add(millis(DAY))), |moment| meant(moment, from))?;
    if to < from {
        return Err(CliError::new(Code::Usage, "--to is before --from").hint("swap the two"));
    }
    let view = ForecastView { app: &app };
    let runs = jobs::simulate(&jobs, &arguments.names, from, to, &context, &view)?;
    if runs.len() > MOST {
        return Err(CliError::new(Code::Usage, format!("too many occurrences: {}, at most {MOST}", runs.len()))
            .hint("name a job, or choose a shorter period with --from and --to"));
    }
    let page = match runs.len() {
        0 => TextReport::new().line("nothing would run"),
        _ => {
            TextReport::new().table(&["AT", "JOB", "OUTCOME", "MAIL", "WHY"], runs.iter().map(simulated_row).collect())
        }
    };
    say(&notices, output);
    output.report(&json!({ "schema_version": 1, "runs": runs }), &page)
}

fn simulated_row(event: &Simulated) -> Vec<String> {
    vec![
        crate::cli::times::local(event.at),
        with_profile(&event.job, event.profile.as_deref()),
        event.outcome.to_owned(),
        event.mail.to_owned(),
        event.reason.clone(),
    ]
}

/// What the configuration and the switch say of the future.
struct ForecastView<'a> {
    app: &'a App,
}

impl ForecastObserver for ForecastView<'_> {
    fn idle(&self, job: &Job, at: UnixMillis) -> Option<String> {
        if !matches!(job.kind, JobKind::Warm { .. } | JobKind::Verify { .. }) {
            return None;
        }
        if self.app.disabled().is_some_and(|disabled| at >= disabled.until) {
            return None;
        }
        CacheWarmer::new(self.app).useless_reason()
    }

    fn mails(&self) -> bool {
        self.app.config().alerts.email.enabled
    }
}
