//! `jobs run`: what is due, what is named, or everything, once.
//!
//! As cron calls it, it says nothing while all goes well; asked for by name or with `--all` it ends with its table;
//! under JSON it prints one document, whatever ran.

use crate::alerts::{Channel, Delivered, Receipt};
use crate::app::{App, JobFiles, JobRunner, RunDone};
use crate::cli::args::GlobalArgs;
use crate::cli::args::jobs::RunArgs;
use crate::cli::commands::jobs::daemon;
use crate::cli::commands::jobs::say;
use crate::cli::commands::jobs::took;
use crate::cli::commands::jobs::with_profile;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::escape::visible;
use crate::cli::output::{Output, TextReport};
use crate::cli::progress::{JobLines, Notices};
use crate::cli::session::{Need, Session};
use crate::config::{Format, Job};
use crate::daemon::stop_on_signals;
use crate::jobs::{self, JobSelection, RunOutcome, RunReport, Slots, Stop};
use crate::model::format_duration;
use crate::progress::NoProgress;
use crate::progress::Progress;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::{Builder, Runtime};

/// What is still on a thread when the program ends gets this long.
const LAST_WORDS: Duration = Duration::from_secs(1);

/// How a run tells what it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Telling {
    /// One document.
    Document,
    /// A table, and lines about mails.
    Page,
    /// Nothing but what was not well.
    Trouble,
}

/// `jobs run`
pub(crate) fn run(arguments: &RunArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open_to_change(globals, Need::Report, output)?;
    let app = session.app.clone();
    let (jobs, broken) = JobFiles::new(&app).valid()?;
    let wanted = wanted(arguments);
    let telling = if output.format() != Format::Table {
        Telling::Document
    } else if wanted != JobSelection::Due || globals.verbose > 0 || arguments.dry_run || output.talk().is_terminal() {
        Telling::Page
    } else {
        Telling::Trouble
    };
    let heard = Arc::new(Notices::default());
    let lines = Arc::new(JobLines::new(output.talk().clone()));
    let progress: Arc<dyn Progress> = match telling {
        Telling::Page => lines.clone(),
        Telling::Document | Telling::Trouble => heard.clone(),
    };
    let stop = Stop::new();
    let mut notices = session.notices.clone();
    if telling == Telling::Page {
        say(&notices, output);
    }
    let mut context = JobRunner::new(&app).context(progress, stop.clone())?;
    if telling == Telling::Trouble {
        // What a job says on its way is kept with its run (`jobs logs`); here the outcome alone counts.
        context.progress = Arc::new(NoProgress);
    }
    context.wait = arguments.wait;
    if let Some(parallel) = arguments.parallel {
        context.slots = Slots::new(parallel.into());
    }
    if arguments.dry_run {
        notices.extend(heard.take());
        return plan(&jobs::dry_run(&jobs, &wanted, &context)?, &notices, output);
    }

    let runtime = runtime()?;
    let done = runtime.block_on(async {
        stop_on_signals(&stop)?;
        if output.talk().is_terminal() {
            tokio::spawn(tell_that_it_ends(stop.clone(), lines.clone(), context.grace));
        }
        Ok::<_, CliError>(JobRunner::new(&app).run(&jobs, &broken, &wanted, &context, true).await?)
    });
    runtime.shutdown_timeout(LAST_WORDS);
    lines.end();
    drop(session);
    let mut done = done?;
    done.notices.extend(daemon::publish(&app, &jobs));

    match telling {
        Telling::Document => {
            notices.extend(heard.take());
            notices.extend(done.notices.iter().cloned());
            output.report(&document(&done, &notices), &TextReport::new())?;
        }
        Telling::Page => {
            let is_tour = app.is_sandbox() && wanted == JobSelection::All;
            output.report(&Value::Null, &page(&done, is_tour.then(|| tour(&app)).flatten(), &jobs))?;
            say(&done.notices, output);
            if is_tour && done.exit == 0 {
                output.talk().note(&next_step(&app, globals));
            }
        }
        Telling::Trouble => {
            let notices = heard.take();
            for line in trouble(&done.reports).chain(notices).chain(done.notices.iter().cloned()) {
                output.talk().write(&format!("{}\n", visible(&output.talk().copyable(&line))));
            }
        }
    }
    if stop.is_set() {
        return Err(interrupted(&done, output));
    }
    let code = Code::from_number(done.exit);
    if code == Code::Ok { Ok(()) } else { Err(CliError::quiet(code)) }
}

/// The failure of an interrupted run: the report has the outcome of each job.
fn interrupted(done: &RunDone, output: &Output) -> CliError {
    let cancelled = done.reports.iter().filter(|report| report.outcome == RunOutcome::Cancelled).count();
    let runs = if cancelled == 1 { "1 run was".to_owned() } else { format!("{cancelled} runs were") };
    output.interrupts().leaves(&format!("{runs} cancelled"), None);
    output.interrupts().failure()
}

/// Whoever pressed ctrl-c learns that it was heard, and how long it may take.
async fn tell_that_it_ends(stop: Stop, lines: Arc<JobLines>, grace: Duration) {
    stop.wait().await;
    lines.notice(&format!("shutting down: no new jobs start; running jobs have {} to finish", format_duration(grace)));
}

/// The runtime on which jobs run: two threads, so that a walk does not keep a signal waiting.
pub(crate) fn runtime() -> Result<Runtime, CliError> {
    let runtime = crate::host::check_for_runtime(4)
        .and_then(|()| Builder::new_multi_thread().worker_threads(2).enable_all().build());
    runtime.map_err(|error| CliError::cannot_start(&error))
}

fn wanted(arguments: &RunArgs) -> JobSelection {
    if arguments.all {
        JobSelection::All
    } else if arguments.names.is_empty() {
        JobSelection::Due
    } else {
        JobSelection::Named(arguments.names.clone())
    }
}

/// The one document of a run.
fn document(done: &RunDone, notices: &[String]) -> Value {
    json!({
        "schema_version": 1,
        "runs": done.reports,
        "mail": {
            "sent": done.mail.sent.iter().map(|receipt| &receipt.place).collect::<Vec<_>>(),
            "waiting": done.mail.waiting,
            "failed": done.mail.failed,
            "hint": Some(&done.mail.hint).filter(|hint| !hint.is_empty()),
        },
        "notices": notices,
    })
}

fn page(done: &RunDone, title: Option<String>, jobs: &[Job]) -> TextReport {
    let page = title.map_or_else(TextReport::new, |title| TextReport::new().title(title));
    if done.reports.is_empty() {
        return mail_lines(page.line(why_nothing(jobs)), &done.mail);
    }
    let rows = done.reports.iter().map(row).collect();
    mail_lines(page.table(&["JOB", "OUTCOME", "WHAT", "TOOK", "CALLS"], rows), &done.mail)
}

/// Why nothing ran.
fn why_nothing(jobs: &[Job]) -> &'static str {
    if jobs.is_empty() {
        "there is no job: the folder that `jobs.dir` names holds no *.toml"
    } else if jobs.iter().any(|job| job.enabled) {
        "nothing is due; `awsideman jobs list` shows when"
    } else {
        "no job is enabled; `awsideman jobs run NAME` runs one all the same"
    }
}

fn row(report: &RunReport) -> Vec<String> {
    vec![
        with_profile(&report.job, report.profile.as_deref()),
        report.outcome.as_str().to_owned(),
        report.reason.clone(),
        took(report.took_ms),
        report.calls.to_string(),
    ]
}

fn mail_lines(mut page: TextReport, mail: &Delivered) -> TextReport {
    for receipt in &mail.sent {
        page = page.line(sent(receipt));
    }
    if mail.waiting > 0 {
        let what = if mail.waiting == 1 { "1 message is".to_owned() } else { format!("{} messages are", mail.waiting) };
        page = page.line(format!("Waiting: {what} kept for the next run"));
    }
    page
}

/// `Mail: smtp.example.com:587`
fn sent(receipt: &Receipt) -> String {
    let name = match receipt.channel {
        Channel::Mail => "Mail",
        Channel::Webhook => "Webhook",
        Channel::Command => "Command",
    };
    format!("{name}: {}", receipt.place)
}

/// One line for each run that was not well. One that was missed and then made up for is well.
pub(crate) fn trouble(reports: &[RunReport]) -> impl Iterator<Item = String> + '_ {
    let made_up = |missed: &RunReport, later: &[RunReport]| {
        later.iter().any(|r| {
            matches!(r.outcome, RunOutcome::Done | RunOutcome::Partial)
                && r.job == missed.job
                && r.profile == missed.profile
        })
    };
    reports.iter().enumerate().filter_map(move |(index, report)| {
        let is_well = match report.outcome {
            RunOutcome::Done | RunOutcome::Skipped => report.exit == 0,
            // The same targets as before: cron mailed about them when they changed.
            RunOutcome::Partial => report.is_repeated(),
            RunOutcome::Missed => made_up(report, &reports[index + 1..]),
            _ => false,
        };
        let name = with_profile(&report.job, report.profile.as_deref());
        (!is_well).then(|| format!("{name}: {}, {}", report.outcome.as_str(), report.reason))
    })
}

fn plan(planned: &[jobs::PlannedRun], notices: &[String], output: &mut Output) -> Result<(), CliError> {
    let row = |job: &jobs::PlannedRun| {
        let would = if job.would_run { "yes" } else { "no" };
        vec![with_profile(&job.job, job.profile.as_deref()), job.kind.clone(), would.into(), job.reason.clone()]
    };
    let page = TextReport::new()
        .table(&["JOB", "KIND", "WOULD RUN", "WHY"], planned.iter().map(row).collect())
        .line("Dry run: nothing was done.");
    let document = json!({ "schema_version": 1, "dry_run": true, "planned": planned, "notices": notices });
    output.report(&document, &page)
}

/// What a newcomer looks at.
fn tour(app: &App) -> Option<String> {
    let host = app.sandbox_host()?;
    let shape = host.shape();
    Some(format!(
        "The jobs, on a made-up organization of {} users, {} groups, {} accounts and {} permission sets (no AWS)",
        shape.users, shape.groups, shape.accounts, shape.permission_sets
    ))
}

/// What a newcomer types next.
fn next_step(app: &App, globals: &GlobalArgs) -> String {
    let program = std::env::args().next().unwrap_or_else(|| "awsideman".into());
    let sandbox = match globals.sandbox.flatten() {
        Some(seed) => format!("--sandbox={seed}"),
        None => "--sandbox".into(),
    };
    if app.disabled().is_some() {
        return format!("the cache is disabled\nnext: `{program} {sandbox} cache status` says by whom and until when");
    }
    format!(
        "the cache is in {}\nnext: `{program} {sandbox} user list` is served from it immediately",
        app.cache_dir().display()
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Map;

    fn report(job: &str, outcome: RunOutcome, exit: u8) -> RunReport {
        RunReport {
            job: job.into(),
            kind: "warm".into(),
            profile: None,
            outcome,
            reason: "because".into(),
            took_ms: 12,
            calls: 3,
            scheduled_at: None,
            started_at: 0,
            attempt: 1,
            exit,
            retryable: false,
            findings: Vec::new(),
            detail: Map::new(),
        }
    }

    fn lines(reports: &[RunReport]) -> Vec<String> {
        trouble(reports).collect()
    }

    #[test]
    fn what_went_well_or_had_a_reason_is_not_told() {
        let well = [report("a", RunOutcome::Done, 0), report("b", RunOutcome::Skipped, 0)];
        assert!(lines(&well).is_empty());
        let bad = [report("a", RunOutcome::Failed, 13), report("b", RunOutcome::Done, 6)];
        assert_eq!(lines(&bad), ["a: failed, because", "b: done, because"]);
    }

    #[test]
    fn a_missed_run_is_told_unless_it_was_made_up_for() {
        let missed = report("a", RunOutcome::Missed, 0);
        assert_eq!(lines(std::slice::from_ref(&missed)), ["a: missed, because"]);
        assert_eq!(lines(&[missed.clone(), report("b", RunOutcome::Done, 0)]).len(), 1);
        assert!(lines(&[missed, report("a", RunOutcome::Done, 0)]).is_empty());
    }

    #[test]
    fn names_choose_and_nothing_means_what_is_due() {
        let arguments = |names: &[&str], all| RunArgs {
            names: names.iter().map(|&name| name.to_owned()).collect(),
            all,
            due: false,
            wait: false,
            parallel: None,
            dry_run: false,
        };
        assert_eq!(wanted(&arguments(&[], false)), JobSelection::Due);
        assert_eq!(wanted(&arguments(&[], true)), JobSelection::All);
        assert_eq!(wanted(&arguments(&["warm"], false)), JobSelection::Named(vec!["warm".into()]));
    }

    #[test]
    fn the_page_names_each_mail_and_those_that_wait() {
        let mut done = RunDone { reports: vec![report("a", RunOutcome::Done, 0)], ..RunDone::default() };
        done.mail.sent.push(crate::alerts::Receipt {
            channel: crate::alerts::Channel::Mail,
            place: "/m/1.eml".into(),
            complaint: None,
        });
        done.mail.waiting = 2;
        let text = page(&done, None, &[]).text(None, false);
        assert!(text.contains("Mail: /m/1.eml") && text.contains("2 messages are kept"), "{text}");
        let job = crate::config::load_jobs(None).unwrap().remove(1);
        let nothing = |jobs: &[Job]| page(&RunDone::default(), None, jobs).text(None, false);
        assert!(nothing(std::slice::from_ref(&job)).contains("nothing is due"));
        assert!(nothing(&[Job { enabled: false, ..job }]).contains("no job is enabled"));
        assert!(nothing(&[]).contains("there is no job"));
    }

    #[test]
    fn the_document_has_its_runs_even_when_there_are_none() {
        let document = document(&RunDone::default(), &[]);
        assert_eq!(document["runs"], json!([]));
        assert_eq!(document["mail"]["waiting"], 0);
    }
}
