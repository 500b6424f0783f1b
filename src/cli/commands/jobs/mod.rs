//! `jobs list` and `jobs validate`: what there is, and whether it is sound; and the way to the other `jobs` commands.
//!
//! Neither of the two runs a job or makes one due.

pub(crate) mod cancel;
pub(crate) mod daemon;
pub(crate) mod history;
pub(crate) mod install;
pub(crate) mod next;
pub(crate) mod pause;
pub(crate) mod run;

use crate::app::{App, JobFiles, JobRunner, PassiveChecks};
use crate::cli::args::GlobalArgs;
use crate::cli::args::jobs::JobsCommand;
use crate::cli::exit_code::CliError;
use crate::cli::output::{Output, Style, TextReport};
use crate::cli::progress::Notices;
use crate::cli::session::{Need, Session};
use crate::cli::times;
use crate::clock::UnixMillis;
use crate::config::{Broken, Format, Job, schedule_warnings};
use crate::jobs::{self, Context, JobRow};
use crate::model::format_duration;
use serde_json::json;
use std::sync::Arc;
use std::time::Duration;

/// A time that is nearer than this is shown as a distance.
const NEAR: i64 = 24 * 3_600_000;

/// `jobs ...`
pub(crate) fn jobs(command: JobsCommand, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    match command {
        JobsCommand::List => list(globals, output),
        JobsCommand::Run(arguments) => run::run(&arguments, globals, output),
        JobsCommand::History(arguments) => history::history(&arguments, globals, output),
        JobsCommand::Next(arguments) => next::next(&arguments, globals, output),
        JobsCommand::Simulate(arguments) => next::simulate(&arguments, globals, output),
        JobsCommand::Pause(arguments) => pause::pause(&arguments, globals, output),
        JobsCommand::Resume { name } => pause::resume(name.as_deref(), globals, output),
        JobsCommand::Logs(arguments) => history::logs(&arguments, globals, output),
        JobsCommand::Cancel { name } => cancel::cancel(&name, globals, output),
        JobsCommand::Install(arguments) => install::install(&arguments, globals, output),
        JobsCommand::Validate => validate(globals, output),
        JobsCommand::Daemon(arguments) => daemon::daemon(&arguments, globals, output),
    }
}

/// A session that looks at jobs, with the notices that came up.
pub(super) struct JobsSession {
    pub(super) app: Arc<App>,
    pub(super) jobs: Vec<Job>,
    pub(super) context: Context,
    pub(super) notices: Vec<String>,
}

impl JobsSession {
    /// For what looks at every job: all of them must be sound.
    pub(super) fn open(globals: &GlobalArgs, output: &mut Output) -> Result<JobsSession, CliError> {
        JobsSession::at(globals, output, |app| Ok((JobFiles::new(app).all()?, Vec::new())))
    }

    /// For lists and histories: a broken file is a notice.
    pub(super) fn back(globals: &GlobalArgs, output: &mut Output) -> Result<JobsSession, CliError> {
        JobsSession::at(globals, output, |app| Ok(JobFiles::new(app).valid()?))
    }

    fn at(
        globals: &GlobalArgs,
        output: &mut Output,
        read: impl FnOnce(&App) -> Result<(Vec<Job>, Vec<Broken>), CliError>,
    ) -> Result<JobsSession, CliError> {
        let session = Session::open(globals, Need::Report, output)?;
        let heard = Arc::new(Notices::default());
        let (jobs, broken) = read(&session.app)?;
        let context = JobRunner::new(&session.app).context_to_read(heard.clone())?;
        let mut notices = session.notices;
        notices.extend(heard.take());
        if broken.is_empty() {
            notices.extend(PassiveChecks::new(&session.app).overdue_jobs_notice());
        }
        notices.extend(broken.iter().flat_map(|file| &file.problems).map(ToString::to_string));
        Ok(JobsSession { app: session.app, jobs, context, notices })
    }
}

/// Says notices beside a page; other formats carry them in their document.
pub(super) fn say(notices: &[String], output: &Output) {
    if output.format() == Format::Table {
        for notice in notices {
            output.talk().note(notice);
        }
    }
}

fn list(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let JobsSession { app, jobs, context, notices } = JobsSession::back(globals, output)?;
    let listed = jobs::list(&jobs, &context)?;
    let now = app.clock().now();
    let rows = listed.iter().map(|job| row(job, now)).collect();
    let mut page = TextReport::new().table(&["JOB", "KIND", "SCHEDULE", "NEXT DUE", "LAST RUN"], rows);
    for job in &listed {
        if let Some(paused) = &job.paused {
            page = page.marked(Style::Warn, &job.job, paused);
        }
    }
    if listed.is_empty() {
        page = page.line("no jobs: the folder that `jobs.dir` names holds no *.toml");
    }
    say(&notices, output);
    output.report(&json!({ "schema_version": 1, "jobs": listed, "notices": notices }), &page)
}

fn row(job: &JobRow, now: UnixMillis) -> Vec<String> {
    let last = match (job.last_outcome, job.last_at) {
        (Some(outcome), Some(at)) => {
            let in_a_row =
                if job.partial_runs > 1 { format!(" ({} in a row)", job.partial_runs) } else { String::new() };
            format!("{}{in_a_row}, {}", outcome.as_str(), times::ago(at, now))
        }
        _ => "never".into(),
    };
    let next = match (&job.running, job.next_due, &job.paused) {
        (Some(by), _, _) => format!("running: {by}"),
        (None, Some(_), Some(_)) => "paused".into(),
        (None, Some(due), None) => next_due(due, now),
        (None, None, _) if !job.enabled => "disabled: by name only".into(),
        (None, None, _) => "on request only".into(),
    };
    let zone = job.timezone.as_ref().map(|zone| format!(" {zone}")).unwrap_or_default();
    vec![
        with_profile(&job.job, job.profile.as_deref()),
        job.kind.clone(),
        format!("{}{zone}", job.schedule),
        next,
        last,
    ]
}

/// `now`, `in 4m`, and from a day on the time itself.
pub(super) fn next_due(due: UnixMillis, now: UnixMillis) -> String {
    match due.saturating_sub(now) {
        i64::MIN..=0 => "now".into(),
        near @ 1..NEAR => {
            let seconds = near.unsigned_abs().div_ceil(1_000);
            // Hours away, nobody counts seconds.
            let whole = if seconds > 3_600 { seconds.div_ceil(60) * 60 } else { seconds };
            format!("in {}", format_duration(Duration::from_secs(whole)))
        }
        _ => times::local(due),
    }
}

/// `warm`, or `warm (prod)` for a profile of its own.
pub(super) fn with_profile(job: &str, profile: Option<&str>) -> String {
    match profile.filter(|profile| !profile.is_empty()) {
        Some(profile) => format!("{job} ({profile})"),
        None => job.to_owned(),
    }
}

/// `340ms`, `1.2s`, `4m 3s`.
pub(super) fn took(ms: u64) -> String {
    #[expect(clippy::cast_precision_loss, reason = "below a minute")]
    match ms {
        0..1_000 => format!("{ms}ms"),
        1_000..60_000 => format!("{:.1}s", ms as f64 / 1_000.0),
        _ => format_duration(Duration::from_secs(ms / 1_000)),
    }
}

fn validate(globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open(globals, Need::Report, output)?;
    let jobs = JobFiles::new(&session.app).all()?;
    let config = session.app.config();
    let mut warnings = session.notices;
    warnings.extend(schedule_warnings(&jobs, &config.cache.ttl));
    if let (true, Some(folder)) = (jobs.is_empty(), &config.jobs.dir) {
        warnings
            .push(format!("{}: there is no job, nothing will ever run; jobs are files named *.toml", folder.display()));
    }
    let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
    let mut page = TextReport::new();
    for warning in &warnings {
        page = page.marked(Style::Warn, "warning", warning);
    }
    let place = match &config.jobs.dir {
        Some(folder) => format!("in {}", folder.display()),
        None => "compiled in; `jobs.dir` names a folder of your own".to_owned(),
    };
    let count = match jobs.len() {
        1 => "1 job is sound".to_owned(),
        n => format!("{n} jobs are sound"),
    };
    let page = page.line(format!("{count} ({place})"));
    output.report(&json!({ "schema_version": 1, "valid": true, "jobs": names, "warnings": warnings }), &page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_near_time_is_a_distance_and_a_far_one_a_date() {
        assert_eq!(next_due(5, 10), "now");
        assert_eq!(next_due(240_000, 0), "in 4m");
        assert_eq!(next_due(239_001, 0), "in 4m");
        assert_eq!(next_due(7_201_500, 0), "in 2h 1m");
        assert_eq!(next_due(NEAR, 0), times::local(NEAR));
    }

    #[test]
    fn durations_are_as_exact_as_they_are_short() {
        assert_eq!(took(340), "340ms");
        assert_eq!(took(1_234), "1.2s");
        assert_eq!(took(243_900), "4m 3s");
    }

    #[test]
    fn a_profile_of_its_own_is_named() {
        assert_eq!(with_profile("warm", Some("prod")), "warm (prod)");
        assert_eq!(with_profile("warm", Some("")), "warm");
        assert_eq!(with_profile("warm", None), "warm");
    }
}
