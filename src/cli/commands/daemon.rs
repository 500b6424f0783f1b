//! `jobs daemon`: stays, and runs jobs as they fall due.
//!
//! Neighbours: `daemon/` wakes it and stops it, `app/works.rs` does a pass. Promise: a pass that did nothing says nothing;
//! a configuration or a job file that is broken when it is read again leaves the last good ones in use, and that is said.

use super::jobs::{took, with_profile};
use super::runs::runtime;
use crate::app::App;
use crate::cli::args::GlobalArgs;
use crate::cli::exit::{Code, Failure};
use crate::cli::output::{Output, Talk};
use crate::cli::progress::Notices;
use crate::cli::session::{Need, Session};
use crate::config::Job;
use crate::daemon::{self, Settings, Shift, Tour};
use crate::jobs::{Report, Slots, Stop, Wanted};
use crate::report::Progress;
use async_trait::async_trait;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Passes may take this much longer than the grace of their jobs: mails are sent after it.
const AFTER_GRACE: Duration = Duration::from_secs(5);
/// A mail that could not leave is tried again after this, also when no job ran.
const RETRY: Duration = Duration::from_secs(60);

/// What passes work with until a reload.
#[derive(Clone)]
struct Duty {
    app: Arc<App>,
    jobs: Arc<Vec<Job>>,
    slots: Slots,
}

impl Duty {
    fn of(app: Arc<App>) -> Result<Duty, Failure> {
        let jobs = Arc::new(app.jobs()?);
        let slots = Slots::new(app.config().jobs.parallel);
        Ok(Duty { app, jobs, slots })
    }
}

/// The shift that `daemon::serve` runs.
struct OnDuty {
    duty: Mutex<Duty>,
    read: Box<dyn Fn() -> Result<Arc<App>, Failure> + Send + Sync>,
    stop: Stop,
    progress: Arc<dyn Progress>,
    talk: Talk,
    /// About what every pass begins with: the state directory, the time zone.
    ground: Mutex<Said>,
    /// About what jobs led to: mails, mostly.
    outcome: Mutex<Said>,
    mail: Mutex<MailWatch>,
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
impl Shift for OnDuty {
    async fn pass(&self) {
        let duty = locked(&self.duty).clone();
        let retries = locked(&self.mail).is_time(Instant::now());
        let heard = Arc::new(Notices::default());
        let context = match duty.app.job_context(heard.clone(), self.stop.clone()) {
            Ok(mut context) => {
                context.slots = duty.slots;
                context.progress = self.progress.clone();
                context
            }
            Err(error) => return self.say(&self.ground, vec![format!("this pass was left out: {error}")]),
        };
        self.say(&self.ground, heard.take());
        match duty.app.run_jobs(&duty.jobs, &Wanted::Due, &context, retries).await {
            Ok(done) => {
                for report in &done.reports {
                    self.talk.line(&told(report));
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
        let duty = (self.read)().and_then(Duty::of).map_err(|failure| in_one_line(&failure))?;
        *locked(&self.duty) = duty;
        Ok(())
    }
}

impl OnDuty {
    fn say(&self, said: &Mutex<Said>, notices: Vec<String>) {
        for notice in locked(said).news(notices) {
            self.progress.notice(&notice);
        }
    }
}

/// `jobs daemon`
pub(super) fn daemon(globals: &GlobalArgs, output: &mut Output) -> Result<(), Failure> {
    let session = Session::open(globals, Need::Report, output)?;
    for notice in &session.notices {
        output.talk().note(notice);
    }
    let duty = Duty::of(session.app.clone())?;
    let config = session.app.config();
    let settings = Settings { lanes: config.jobs.parallel.saturating_add(1), drain: config.jobs.grace + AFTER_GRACE };
    let stop = Stop::new();
    // Who cannot keep a ledger runs nothing, and whoever starts the daemon must hear of it.
    drop(duty.app.job_context(Arc::new(Notices::default()), stop.clone())?);
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
    });
    let runtime = runtime()?;
    let tour = runtime.block_on(daemon::serve(shift, settings, stop, progress.as_ref()));
    runtime.shutdown_timeout(Duration::from_secs(1));
    let tour = tour?;
    talk.line(&ends(&tour));
    if tour.aborted > 0 { Err(Failure::quiet(Code::Interrupted)) } else { Ok(()) }
}

fn begins(jobs: &[Job]) -> String {
    let enabled: Vec<&str> = jobs.iter().filter(|job| job.enabled).map(|job| job.name.as_str()).collect();
    if enabled.is_empty() {
        return "the daemon begins, and no job is enabled".into();
    }
    format!("the daemon begins, with {}: {}", counted(enabled.len() as u64, "job", "jobs"), enabled.join(", "))
}

fn ends(tour: &Tour) -> String {
    let (passes, reloads) = (counted(tour.passes, "pass", "passes"), counted(tour.reloads, "reload", "reloads"));
    format!("the daemon ends: {passes}, {reloads}")
}

fn counted(n: u64, one: &str, more: &str) -> String {
    format!("{n} {}", if n == 1 { one } else { more })
}

/// `warm: done, 300 users (1.2s, 15 calls)`
fn told(report: &Report) -> String {
    let name = with_profile(&report.job, report.profile.as_deref());
    let calls = counted(report.calls, "call", "calls");
    format!("{name}: {}, {} ({}, {calls})", report.outcome.as_str(), report.reason, took(report.took_ms))
}

fn in_one_line(failure: &Failure) -> String {
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
        let failure = Failure::new(Code::Usage, "2 mistakes").details(["a".to_owned(), "b".to_owned()]);
        assert_eq!(in_one_line(&failure), "2 mistakes; a; b");
    }
}
