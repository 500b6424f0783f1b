//! `jobs daemon`: stays, and runs jobs as they fall due.
//!
//! A pass that did nothing says nothing; a configuration or a job file that is broken when it is read again leaves
//! the last good ones in use, and that is said.

use crate::app::{App, Dashboard, JobFiles, JobRunner, Overview};
use crate::cli::args::GlobalArgs;
use crate::cli::args::jobs::DaemonArgs;
use crate::cli::commands::jobs::run::runtime;
use crate::cli::commands::jobs::took;
use crate::cli::commands::jobs::with_profile;
use crate::cli::exit_code::CliError;
use crate::cli::exit_code::Code;
use crate::cli::output::{Output, Stderr};
use crate::cli::progress::Notices;
use crate::cli::session::{Need, Session};
use crate::clock::UnixMillis;
use crate::config::{self, Broken, Job};
use crate::daemon::{
    self, DaemonSettings, DaemonStatus, HttpServer, ListenPlace, LoopCounters, StatusSource, Worker, textfile,
};
use crate::jobs::{JobSelection, MISCONFIGURED, RunReport, Slots, Stop};
use crate::progress::Progress;
use async_trait::async_trait;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::{Duration, Instant};

/// Passes may take this much longer than the grace of their jobs: mails are sent after it.
const AFTER_GRACE: Duration = Duration::from_secs(5);
/// A mail that could not leave is tried again after this, also when no job ran.
const RETRY: Duration = Duration::from_secs(60);
/// Without somebody who watches, the loop need not turn more often than this.
const PULSE: Duration = Duration::from_secs(60);

/// What passes work with until a reload.
#[derive(Clone)]
struct Duty {
    app: Arc<App>,
    jobs: Arc<Vec<Job>>,
    /// The broken job files that have no good version; their jobs do not run.
    broken: Arc<Vec<Broken>>,
    /// The broken job files whose last good version is in use.
    kept: Arc<Vec<Broken>>,
    slots: Slots,
}

impl Duty {
    /// The jobs whose files can be used. A file that was intact before and is broken now keeps its last good version.
    fn of(app: Arc<App>, before: &[Job]) -> Result<Duty, CliError> {
        let (mut jobs, broken) = JobFiles::new(&app).valid()?;
        let last_good = |file: &Broken| before.iter().find(|job| job.name == file.name);
        let (kept, broken): (Vec<_>, Vec<_>) = broken
            .into_iter()
            .partition(|file| last_good(file).is_some() && jobs.iter().all(|job| job.name != file.name));
        for job in kept.iter().filter_map(last_good) {
            if jobs.iter().all(|other| other.name != job.name) {
                jobs.push(job.clone());
            }
        }
        let slots = Slots::new(app.config().jobs.parallel);
        Ok(Duty { app, jobs: Arc::new(jobs), broken: Arc::new(broken), kept: Arc::new(kept), slots })
    }

    /// A warning for each broken job file.
    fn warnings(&self) -> impl Iterator<Item = String> + '_ {
        let each = |files: &'_ [Broken], what: &'static str| -> Vec<String> {
            let problems = |file: &Broken| file.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ");
            let line =
                |file: &Broken| format!("the file of the job `{}` is broken, {what}: {}", file.name, problems(file));
            files.iter().map(line).collect()
        };
        let kept = each(&self.kept, "its last good version is in use");
        each(&self.broken, "it does not run until SIGHUP finds it fixed").into_iter().chain(kept)
    }
}

/// The shift that `daemon::serve` runs.
struct OnDuty {
    duty: Mutex<Duty>,
    read: Box<dyn Fn() -> Result<Arc<App>, CliError> + Send + Sync>,
    stop: Stop,
    progress: Arc<dyn Progress>,
    talk: Stderr,
    /// About what every pass begins with: the state directory, the time zone.
    ground: Mutex<Said>,
    /// About what jobs led to: mails, mostly.
    outcome: Mutex<Said>,
    mail: Mutex<MailWatch>,
    started_at: UnixMillis,
    passes: AtomicU64,
    /// Why the configuration on disk is not in use.
    refused: Mutex<Option<String>>,
    /// The run that ended last, in words.
    last: Mutex<Option<String>>,
    /// Where the status page is, in words.
    place: OnceLock<String>,
}

/// When waiting mails were last tried: a pass comes every few seconds, a mail server stays away for hours.
#[derive(Debug, Default)]
struct MailWatch {
    tried: Option<Instant>,
}

/// What was last said, so that a trouble that lasts is said once.
#[derive(Debug, Default)]
struct Said(Vec<String>);

impl MailWatch {
    fn is_time(&mut self, now: Instant) -> bool {
        let is_time = self.tried.is_none_or(|tried| now.duration_since(tried) >= RETRY);
        if is_time {
            self.tried = Some(now);
        }
        is_time
    }
}

impl Said {
    /// Those that were not said by the pass before.
    fn news(&mut self, notices: Vec<String>) -> Vec<String> {
        let news = notices.iter().filter(|notice| !self.0.contains(notice)).cloned().collect();
        self.0 = notices;
        news
    }
}

#[async_trait]
impl Worker for OnDuty {
    async fn pass(&self) {
        self.passes.fetch_add(1, Ordering::Relaxed);
        let duty = locked(&self.duty).clone();
        let retries = locked(&self.mail).is_time(Instant::now());
        let heard = Arc::new(Notices::default());
        let context = match JobRunner::new(&duty.app).context(heard.clone(), self.stop.clone()) {
            Ok(mut context) => {
                context.slots = duty.slots;
                context.progress = self.progress.clone();
                context
            }
            Err(error) => return self.say(&self.ground, vec![format!("this pass was left out: {error}")]),
        };
        self.say(&self.ground, heard.take());
        match JobRunner::new(&duty.app).run(&duty.jobs, &duty.broken, &JobSelection::Due, &context, retries).await {
            Ok(mut done) => {
                // Broken files were reported when they were read.
                for report in done.reports.iter().filter(|report| report.kind != MISCONFIGURED) {
                    self.talk.line(&told(report));
                    *locked(&self.last) = Some(told(report));
                }
                if retries || !done.reports.is_empty() {
                    let (app, jobs) = (duty.app.clone(), duty.jobs.clone());
                    let written = tokio::task::spawn_blocking(move || publish(&app, &jobs)).await;
                    done.notices.extend(written.ok().flatten());
                }
                for receipt in &done.mail.sent {
                    self.talk.line(&format!("{}: {}", receipt.channel.as_str(), receipt.place));
                }
                if retries || !done.reports.is_empty() {
                    self.say(&self.outcome, done.notices);
                }
            }
            Err(error) => self.say(&self.outcome, vec![format!("this pass failed: {error}")]),
        }
    }

    async fn reload(&self) -> Result<(), String> {
        let before = locked(&self.duty).jobs.clone();
        let read = (self.read)().and_then(|app| Duty::of(app, &before)).map_err(|failure| in_one_line(&failure));
        *locked(&self.refused) = read.as_ref().err().cloned();
        let duty = read?;
        if duty.app.config().daemon != locked(&self.duty).app.config().daemon {
            self.progress.notice("`daemon.*` was changed; that acts when the daemon is started again");
        }
        duty.warnings().for_each(|warning| self.progress.notice(&warning));
        *locked(&self.duty) = duty;
        Ok(())
    }

    fn status(&self) -> String {
        let duty = locked(&self.duty).clone();
        let mut parts = vec![enabled(&duty.jobs)];
        if let Some(refused) = locked(&self.refused).as_ref() {
            parts.push(format!("the configuration on disk is broken and not in use: {refused}"));
        }
        parts.extend(duty.warnings());
        parts.extend(locked(&self.last).as_ref().map(|last| format!("last {last}")));
        parts.extend(self.place.get().map(|place| format!("status page at {place}")));
        parts.join("; ")
    }
}

impl StatusSource for OnDuty {
    fn overview(&self, depth: Duration) -> Overview {
        let duty = locked(&self.duty).clone();
        // A new application for each page, as for each run: it reads the kill switch again.
        Dashboard::new(&duty.app.with_profile(None).map_or(duty.app, Arc::new)).overview(&duty.jobs, depth)
    }

    fn standing(&self) -> DaemonStatus {
        let duty = locked(&self.duty).clone();
        DaemonStatus {
            started_at: self.started_at,
            passes: self.passes.load(Ordering::Relaxed),
            refused: locked(&self.refused).clone(),
            broken_job_files: duty.warnings().collect(),
            kept_jobs: duty.kept.iter().map(|file| file.name.clone()).collect(),
            invocation: duty.app.invocation().clone(),
            ending: self.stop.is_set(),
        }
    }

    fn not_ready(&self) -> Option<String> {
        let app = locked(&self.duty).app.clone();
        Dashboard::new(&app).not_ready()
    }
}

/// Writes the metrics where they are wanted as a file; the sentence says why that did not work.
pub(crate) fn publish(app: &Arc<App>, jobs: &[Job]) -> Option<String> {
    let path = app.config().metrics.textfile.as_ref()?;
    let fresh = app.with_profile(None).map_or_else(|_| app.clone(), Arc::new);
    textfile::write(path, &Dashboard::new(&fresh).overview(jobs, Duration::ZERO)).err().map(|error| error.to_string())
}

impl OnDuty {
    fn say(&self, said: &Mutex<Said>, notices: Vec<String>) {
        for notice in locked(said).news(notices) {
            self.progress.notice(&notice);
        }
    }
}

/// `jobs daemon`
pub(crate) fn daemon(arguments: &DaemonArgs, globals: &GlobalArgs, output: &mut Output) -> Result<(), CliError> {
    let session = Session::open_to_change(globals, Need::Report, output)?;
    for notice in &session.notices {
        output.talk().note(notice);
    }
    let duty = Duty::of(session.app.clone(), &[])?;
    duty.warnings().for_each(|warning| output.talk().warning(&warning));
    let config = session.app.config();
    let settings = DaemonSettings {
        lanes: config.jobs.parallel.saturating_add(1),
        drain: config.jobs.grace + AFTER_GRACE,
        // Twice within the time that it may take: one sign of life may be late.
        pulse: daemon::watchdog().map_or(PULSE, |limit| limit / 3),
    };
    let place = place(arguments, &config.daemon);
    let stop = Stop::new();
    // Who cannot keep a ledger runs nothing, and whoever starts the daemon must hear of it.
    drop(JobRunner::new(&duty.app).context(Arc::new(Notices::default()), stop.clone())?);
    let talk = output.talk().clone();
    talk.line(&begins(&duty.jobs));
    let read = {
        let (globals, sandbox) = (globals.clone(), session.app.sandbox_host());
        Box::new(move || Session::read_again(&globals, sandbox.clone()))
    };
    let progress: Arc<dyn Progress> = session.progress.clone();
    let shift = Arc::new(OnDuty {
        duty: Mutex::new(duty),
        read,
        stop: stop.clone(),
        progress: progress.clone(),
        talk: talk.clone(),
        ground: Mutex::default(),
        outcome: Mutex::default(),
        mail: Mutex::default(),
        started_at: session.app.clock().now(),
        passes: AtomicU64::new(0),
        refused: Mutex::default(),
        last: Mutex::default(),
        place: OnceLock::new(),
    });
    let door = place.map(|place| HttpServer::open(&place, shift.clone())).transpose()?;
    if let Some(door) = &door {
        let address = format!("http://{}/", door.address());
        talk.line(&format!("the status page is at {address}"));
        if !door.address().ip().is_loopback() {
            talk.note("other hosts can reach the status page, and it requires no login");
        }
        let _ = shift.place.set(address);
    }
    let runtime = runtime()?;
    let tour = runtime.block_on(daemon::serve(shift, settings, stop, progress.as_ref(), door));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let tour = tour?;
    talk.line(&ends(&tour));
    if tour.aborted > 0 { Err(CliError::quiet(Code::Interrupted)) } else { Ok(()) }
}

/// Where the page is served: the flags win over the configuration.
fn place(arguments: &DaemonArgs, config: &config::Daemon) -> Option<ListenPlace> {
    let address = arguments.listen.or(config.listen)?;
    Some(ListenPlace { address, remote: arguments.allow_remote || config.allow_remote, hosts: config.hosts.clone() })
}

fn begins(jobs: &[Job]) -> String {
    let joint = if jobs.iter().any(|job| job.enabled) { "with" } else { "and" };
    format!("the daemon begins, {joint} {}", enabled(jobs))
}

/// `2 jobs: warm, health`
fn enabled(jobs: &[Job]) -> String {
    let enabled: Vec<&str> = jobs.iter().filter(|job| job.enabled).map(|job| job.name.as_str()).collect();
    if enabled.is_empty() {
        return "no job is enabled".into();
    }
    format!("{}: {}", counted(enabled.len() as u64, "job", "jobs"), enabled.join(", "))
}

fn ends(tour: &LoopCounters) -> String {
    let (passes, reloads) = (counted(tour.passes, "pass", "passes"), counted(tour.reloads, "reload", "reloads"));
    format!("the daemon ends: {passes}, {reloads}")
}

fn counted(n: u64, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// `warm: done, 300 users (1.2s, 15 calls)`
fn told(report: &RunReport) -> String {
    let name = with_profile(&report.job, report.profile.as_deref());
    let calls = counted(report.calls, "call", "calls");
    format!("{name}: {}, {} ({}, {calls})", report.outcome.as_str(), report.reason, took(report.took_ms))
}

fn in_one_line(failure: &CliError) -> String {
    let mut parts = vec![failure.message.clone()];
    parts.extend(failure.details.iter().cloned());
    parts.join("; ")
}

fn locked<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lasting_trouble_is_said_once_and_again_when_it_comes_back() {
        let mut watch = Said::default();
        let trouble = || vec!["the server is away".to_owned()];
        assert_eq!(watch.news(trouble()), trouble());
        assert!(watch.news(trouble()).is_empty());
        assert!(watch.news(Vec::new()).is_empty());
        assert_eq!(watch.news(trouble()), trouble());
    }

    #[test]
    fn waiting_mails_are_tried_once_a_minute() {
        let (mut watch, begin) = (MailWatch::default(), Instant::now());
        assert!(watch.is_time(begin));
        assert!(!watch.is_time(begin + Duration::from_secs(59)));
        assert!(watch.is_time(begin + RETRY));
    }

    #[test]
    fn a_broken_configuration_is_told_in_one_line() {
        let failure = CliError::new(Code::Usage, "2 mistakes").details(["a".to_owned(), "b".to_owned()]);
        assert_eq!(in_one_line(&failure), "2 mistakes; a; b");
    }
}
