//! What each kind of job does: the one implementation of [`JobHandler`].
//!
//! A job of a kind and the command of that name are the same function; work ends soon after it is asked to stop,
//! and what it had read by then is in the cache.

use crate::alerts;
use crate::app::account::AwsAccount;
use crate::app::core::App;
use crate::app::digest::Digest;
use crate::app::health_inputs::HealthInputs;
use crate::app::job_outcome::{failed, swept, warm_work};
use crate::app::maintenance::Maintenance;
use crate::app::ping::Pinger;
use crate::app::recovery::{Recovery, RecoveryRequest};
use crate::app::stack::StoreStack;
use crate::app::verify::EntryVerifier;
use crate::app::warm::{CacheWarmer, WarmRequest};
use crate::app::watched::watched;
use crate::config::{Job, JobKind, WarmTarget};
use crate::gateway::Renew;
use crate::health::{Finding, Level};
use crate::jobs::{JobHandler, JobResult, Run, RunReport, Stop};
use crate::progress::NoProgress;
use crate::progress::Progress;
use crate::store::{Disk, Select, Store, StoreError};
use async_trait::async_trait;
use serde_json::{Map, json};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::task::JoinHandle;

/// The key of the finding about a recovery.
const RECOVERED: &str = "cache-recovered";

type Pings = HashMap<(String, Option<String>), JoinHandle<()>>;

/// Runs each kind of job with the operations of the application.
pub(super) struct Joined {
    app: Arc<App>,
    /// The calls for starts that may not have ended yet, by job and profile.
    pings: Mutex<Pings>,
}

impl Joined {
    pub(super) fn of(app: Arc<App>) -> Joined {
        Joined { app, pings: Mutex::default() }
    }
}

#[async_trait]
impl JobHandler for Joined {
    async fn perform(&self, job: &Job, run: &Run, progress: &dyn Progress, stop: &Stop) -> JobResult {
        // An app for each run: it reads the switch again, and its store is opened and closed with it.
        let app = match self.app.with_profile(run.profile.as_deref()) {
            Ok(app) => Arc::new(app),
            Err(error) => return failed(&error),
        };
        if let Some(notice) = AwsAccount::new(&app).notice() {
            progress.notice(&notice);
        }
        let work = match &job.kind {
            JobKind::Warm { resources, budget } => {
                JobWork::new(&app).warm(resources, *budget, run, progress, stop).await
            }
            JobKind::Cleanup => aside(&app, stop, |app| swept(Maintenance::new(app).cleanup(false))).await,
            JobKind::EnforceLimits => aside(&app, stop, |app| swept(Maintenance::new(app).enforce_limits(false))).await,
            JobKind::HealthCheck => aside(&app, stop, |app| JobWork::new(app).health()).await,
            JobKind::Recover => aside(&app, stop, |app| JobWork::new(app).recover()).await,
            JobKind::Digest => {
                let (job, run) = (job.clone(), run.clone());
                aside(&app, stop, move |app| Digest::new(app).make(&job, &run)).await
            }
            JobKind::Verify { budget } => EntryVerifier::new(&app).job(*budget, progress, stop).await,
        };
        StoreStack::new(&app).finish();
        JobWork::new(&app).name_login(work)
    }

    async fn begun(&self, job: &Job, run: &Run) {
        if let Some(ping) = Pinger::new(&self.app).begun(job, run) {
            let mut pings = self.pings.lock().unwrap_or_else(PoisonError::into_inner);
            pings.insert((job.name.clone(), run.profile.clone()), ping);
        }
    }

    async fn ended(&self, job: &Job, report: &RunReport) {
        let start = {
            let mut pings = self.pings.lock().unwrap_or_else(PoisonError::into_inner);
            pings.remove(&(job.name.clone(), report.profile.clone()))
        };
        Pinger::new(&self.app).ended(job, report, start).await;
    }
}

/// Work that waits for the disk, on a thread where nothing else waits for it. The thread keeps its copy of the request to
/// stop, and with it the job's lock, until it has finished: it cannot be aborted.
async fn aside(app: &Arc<App>, stop: &Stop, work: impl FnOnce(&App) -> JobResult + Send + 'static) -> JobResult {
    let (app, stop) = (app.clone(), stop.clone());
    let working = move || {
        let _held = stop;
        work(&app)
    };
    match tokio::task::spawn_blocking(working).await {
        Ok(work) => work,
        Err(error) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        Err(_) => JobResult::failed_for_now("its thread was stopped", 1),
    }
}

/// The work of each kind of job.
pub(super) struct JobWork<'a> {
    app: &'a App,
}

impl<'a> JobWork<'a> {
    /// The same operations for this application.
    pub(super) fn new(app: &'a App) -> JobWork<'a> {
        JobWork { app }
    }

    /// The work with the login named that is behind its failure.
    pub(super) fn name_login(&self, mut work: JobResult) -> JobResult {
        for finding in work.findings.iter_mut().filter(|finding| finding.key == alerts::LOGIN) {
            let login = AwsAccount::new(self.app).login();
            finding.key = format!("{}{}", alerts::LOGIN, login.name);
            finding.message = format!("The AWS login {} has expired, or was never made on this host", login.name);
            finding.hint = AwsAccount::new(self.app).login_renewal();
        }
        work
    }

    async fn warm(
        &self,
        targets: &[WarmTarget],
        budget: u64,
        run: &Run,
        progress: &dyn Progress,
        stop: &Stop,
    ) -> JobResult {
        if let Some(reason) = CacheWarmer::new(self.app).useless_reason() {
            return JobResult::skipped(reason);
        }
        let now = self.app.clock().now();
        let until_next = run.next_due.map(|due| Duration::from_millis((due - now).max(0).unsigned_abs()));
        let mut request = WarmRequest::of(targets, until_next.map_or(Renew::All, Renew::Expiring));
        request.budget = (budget > 0).then_some(budget);
        let (reading, plan) = match CacheWarmer::new(self.app).prepared(&request) {
            Ok(ready) => ready,
            Err(error) => return failed(&error),
        };
        let (warmed, ended) = tokio::select! {
            biased;
            done = watched(&reading, progress, reading.gateway.warmer().warm(&plan, progress)) => done,
            () = stop.wait() => {
                return JobResult::failed_for_now("what was read by then is in the cache", 1)
                    .with_calls(reading.calls().total);
            }
        };
        let mut detail = Map::new();
        detail.insert("targets".into(), json!(warmed));
        let mut work = warm_work(&warmed, ended.as_ref(), &reading.gateway.take_faults());
        match CacheWarmer::new(self.app).within_limits(&reading) {
            Ok((dropped, shortages)) => {
                for shortage in &shortages {
                    work.reason = format!("{}; {shortage}", work.reason);
                }
                detail.insert("dropped".into(), json!(dropped));
                detail.insert("shortages".into(), json!(shortages));
            }
            Err(error) => work.reason = format!("{}; the limits could not be held: {error}", work.reason),
        }
        work.with_calls(reading.calls().total).with_detail(detail)
    }

    fn health(&self) -> JobResult {
        Maintenance::new(self.app).fold_lookups();
        let measured = HealthInputs::new(self.app).measure_in_run();
        let mut detail = Map::new();
        detail.insert("health".into(), json!(measured.health));
        let text = match (measured.health.issues.as_slice(), measured.health.warnings.as_slice()) {
            ([], []) => "healthy".to_owned(),
            ([], warnings) => warnings.join("; "),
            (issues, _) => issues.join("; "),
        };
        let exit = if measured.health.level == Level::Critical { 6 } else { 0 };
        JobResult::done(text).with_exit(exit).with_findings(measured.health.checks).with_detail(detail)
    }

    /// Begins a new cache when the present one is damaged. The damage is a finding: a person should check the disk.
    fn recover(&self) -> JobResult {
        if self.app.is_memory() {
            return JobResult::skipped("cache.backend is memory: there is nothing on disk to recover");
        }
        let damage = match self.damage() {
            Ok(None) => {
                let well = recovery_finding(Level::Ok, "the cache is not damaged".to_owned());
                return JobResult::done("the cache is not damaged").with_findings(vec![well]);
            }
            Ok(Some(damage)) => damage,
            Err(error) => return failed(&error.into()),
        };
        let recovered =
            match Recovery::new(self.app).recover(RecoveryRequest { salvage: true, dry_run: false }, &NoProgress) {
                Ok(recovered) => recovered,
                Err(error) => return failed(&error),
            };
        let kept = recovered.old.as_ref().map(|old| format!(", the damaged one is kept in {old}")).unwrap_or_default();
        let text = format!("the cache was damaged ({damage}); a new one was begun{kept}");
        let mut detail = Map::new();
        detail.insert("recovered".into(), json!(recovered));
        JobResult::done(text.clone())
            .with_exit(6)
            .with_findings(vec![recovery_finding(Level::Critical, text)])
            .with_detail(detail)
    }

    /// What is damaged about the cache on disk; `None` when it can be opened and its index read through, or is not there
    /// yet. The disk itself is looked at: an open breaker would keep quiet about it.
    fn damage(&self) -> Result<Option<String>, StoreError> {
        if matches!(self.app.cache_dir().try_exists(), Ok(false)) {
            return Ok(None);
        }
        let read_through = |disk: Disk| {
            disk.size()?;
            disk.scan(&Select::All, &mut |_| ControlFlow::Continue(()))
        };
        match Disk::open(&StoreStack::new(self.app).disk_options()).and_then(read_through) {
            Ok(()) => Ok(None),
            Err(error) if error.is_damage() => Ok(Some(error.to_string())),
            Err(error) => Err(error),
        }
    }
}

fn recovery_finding(level: Level, message: String) -> Finding {
    let hint = if level == Level::Ok { String::new() } else { "awsideman doctor".to_owned() };
    Finding { key: RECOVERED.to_owned(), level, message, hint, recovered: level == Level::Ok }
}
