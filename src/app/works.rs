//! What each kind of job does, and what a pass of jobs leads to: one look at the alerts, at most one mail.
//!
//! Neighbours: `jobs/` says when and how, `gateway/` warms, `upkeep.rs` and `measure.rs` do the rest, `alerts/` writes.
//! Promise: `cache warm` and the warm job are the same function; a mail that cannot leave is said, shows in the exit
//! code and is sent by a later pass.

use super::verdict::{failed, swept, warm_work, worst};
use super::warming::Warming;
use super::{App, AppError};
use crate::alerts::Delivered;
use crate::config::{AlertWhen, Job, Kind, WarmTarget, load_jobs};
use crate::gateway::Renew;
use crate::host;
use crate::jobs::{self, Context, Ledger, Report, Run, Slots, Stop, Wanted, Work, Works};
use crate::model::Zone;
use crate::report::Progress;
use async_trait::async_trait;
use serde_json::{Map, json};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// What came of a pass.
#[derive(Debug, Default)]
pub struct RunDone {
    /// Every run, skip and miss.
    pub reports: Vec<Report>,
    /// What became of mails.
    pub mail: Delivered,
    /// The exit code that speaks of all of it.
    pub exit: u8,
    /// What a person should know beside it.
    pub notices: Vec<String>,
}

type Pings = HashMap<(String, Option<String>), JoinHandle<()>>;

/// The kinds of jobs, joined to the rooms that do them.
struct Joined {
    app: Arc<App>,
    /// The calls for starts that may not have ended yet, by job and profile.
    pings: Mutex<Pings>,
}

#[async_trait]
impl Works for Joined {
    async fn perform(&self, job: &Job, run: &Run, progress: &dyn Progress, stop: &Stop) -> Work {
        // An app for each run: it reads the switch anew, and its store is opened and closed with it.
        let app = match self.app.with_profile(run.profile.as_deref()) {
            Ok(app) => Arc::new(app),
            Err(error) => return failed(&error),
        };
        let work = match &job.kind {
            Kind::Warm { resources, budget } => app.warm_job(resources, *budget, run, progress, stop).await,
            Kind::Cleanup => aside(&app, |app| swept(app.cleanup(false))).await,
            Kind::EnforceLimits => aside(&app, |app| swept(app.enforce_limits(false))).await,
            Kind::HealthCheck => aside(&app, App::health_job).await,
        };
        app.finish();
        app.name_login(work)
    }

    async fn begun(&self, job: &Job, run: &Run) {
        if let Some(ping) = self.app.ping_begun(job, run) {
            let mut pings = self.pings.lock().unwrap_or_else(PoisonError::into_inner);
            pings.insert((job.name.clone(), run.profile.clone()), ping);
        }
    }

    async fn ended(&self, job: &Job, report: &Report) {
        let start = {
            let mut pings = self.pings.lock().unwrap_or_else(PoisonError::into_inner);
            pings.remove(&(job.name.clone(), report.profile.clone()))
        };
        self.app.ping_ended(job, report, start).await;
    }
}

/// Work that waits for the disk, on a thread where nothing else waits for it.
async fn aside(app: &Arc<App>, work: impl FnOnce(&App) -> Work + Send + 'static) -> Work {
    let app = app.clone();
    match tokio::task::spawn_blocking(move || work(&app)).await {
        Ok(work) => work,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => Work::failed_for_now("its thread was stopped", 1),
    }
}

impl App {
    /// The jobs that are configured: those of `jobs.dir`, or those that are compiled in.
    pub fn jobs(&self) -> Result<Vec<Job>, AppError> {
        let mut jobs = load_jobs(self.config().jobs.dir.as_deref())?;
        if self.is_sandbox() {
            for job in jobs.iter_mut().filter(|job| job.kind == Kind::HealthCheck) {
                job.alert = AlertWhen::Always;
            }
        }
        Ok(jobs)
    }

    /// Everything that a pass of jobs needs.
    pub fn job_context(self: &Arc<App>, progress: Arc<dyn Progress>, stop: Stop) -> Result<Context, AppError> {
        let (database, notice) = self.database()?;
        if let Some(notice) = notice {
            progress.notice(&notice);
        }
        let zone = host::local_zone().unwrap_or_else(|unknown| {
            progress.notice(&format!("{unknown}; UTC is taken until then"));
            Zone::UTC
        });
        let config = self.config();
        Ok(Context {
            state_dir: self.state_dir().to_owned(),
            access: self.access(),
            ledger: Ledger::new(Arc::new(Mutex::new(database))),
            clock: self.clock().clone(),
            zone,
            host: host::host_name(),
            works: Arc::new(Joined { app: self.clone(), pings: Mutex::default() }),
            slots: Slots::new(config.jobs.parallel),
            keep: config.jobs.history,
            grace: config.jobs.grace,
            progress,
            stop,
        })
    }

    /// One pass over `jobs`: runs what is wanted, then looks at the alerts once and sends what is waiting. A pass in
    /// which no job ran tries mails that wait since an earlier one only with `retries_mail`.
    pub async fn run_jobs(
        self: &Arc<App>,
        jobs: &[Job],
        wanted: &Wanted,
        context: &Context,
        retries_mail: bool,
    ) -> Result<RunDone, AppError> {
        let reports = jobs::run(jobs, wanted, context).await?;
        let mut done = RunDone { exit: jobs::exit_code(&reports), reports, ..RunDone::default() };
        if done.reports.is_empty() && !retries_mail {
            return Ok(done);
        }
        match self.look_at_alerts(jobs, &done.reports, &context.stop).await {
            Ok(mail) => {
                if let Some(failed) = &mail.failed {
                    let kept = "the message is kept and the next run tries again";
                    let hint = if mail.hint.is_empty() { kept } else { &mail.hint };
                    done.notices.push(format!("an alert could not be sent: {failed}; {hint}"));
                    done.exit = worst(done.exit, 1);
                }
                done.notices.extend(mail.sent.iter().filter_map(|receipt| receipt.complaint.clone()));
                done.notices.extend(mail.given_up.iter().cloned());
                done.mail = mail;
            }
            Err(error) => {
                done.notices.push(format!("the alerts could not be looked at: {error}"));
                done.exit = worst(done.exit, 1);
            }
        }
        Ok(done)
    }

    async fn warm_job(
        &self,
        targets: &[WarmTarget],
        budget: u64,
        run: &Run,
        progress: &dyn Progress,
        stop: &Stop,
    ) -> Work {
        if let Some(reason) = self.warm_is_useless() {
            return Work::skipped(reason);
        }
        let now = self.clock().now();
        let until_next = run.next_due.map(|due| Duration::from_millis((due - now).max(0).unsigned_abs()));
        let mut wish = Warming::of(targets, until_next.map_or(Renew::All, Renew::Expiring));
        wish.budget = (budget > 0).then_some(budget);
        let (reading, plan) = match self.warming(&wish) {
            Ok(ready) => ready,
            Err(error) => return failed(&error),
        };
        let (warmed, ended) = tokio::select! {
            biased;
            done = reading.gateway.warm(&plan, progress) => done,
            () = stop.wait() => {
                return Work::failed_for_now("what was read by then is in the cache", 1)
                    .with_calls(reading.calls().total);
            }
        };
        let mut detail = Map::new();
        detail.insert("targets".into(), json!(warmed));
        let work = warm_work(&warmed, ended.as_ref(), &reading.gateway.take_faults());
        work.with_calls(reading.calls().total).with_detail(detail)
    }

    fn health_job(&self) -> Work {
        self.fold_tally();
        let measured = self.measure_in_run();
        let mut detail = Map::new();
        detail.insert("health".into(), json!(measured.health));
        let text = match (measured.health.issues.as_slice(), measured.health.warnings.as_slice()) {
            ([], []) => "healthy".to_owned(),
            ([], warnings) => warnings.join("; "),
            (issues, _) => issues.join("; "),
        };
        let exit = if measured.health.healthy { 0 } else { 6 };
        Work::done(text).with_exit(exit).with_findings(measured.health.checks).with_detail(detail)
    }
}
