//! What each kind of job does, and what a pass of jobs leads to: one look at the alerts, at most one mail.
//!
//! Neighbours: `jobs/` says when and how, `gateway/` warms, `upkeep.rs` and `measure.rs` do the rest, `alerts/` writes.
//! Promise: `cache warm` and the warm job are the same function; a mail that cannot leave is said, shows in the exit
//! code and is sent by a later pass.

use super::reading::Asker;
use super::{App, AppError};
use crate::alerts::{self, Delivered, Post};
use crate::config::{AlertWhen, Job, Kind, WarmTarget, load_jobs};
use crate::gateway::{GatewayError, WarmPlan, Warmed};
use crate::health::Finding;
use crate::host;
use crate::jobs::{self, Context, Ledger, Outcome, Report, Run, Slots, Stop, Wanted, Work, Works};
use crate::report::Progress;
use crate::state::Database;
use crate::store::Swept;
use async_trait::async_trait;
use serde_json::{Map, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;

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

/// The kinds of jobs, joined to the rooms that do them.
struct Joined(Arc<App>);

#[async_trait]
impl Works for Joined {
    async fn perform(&self, job: &Job, run: &Run, progress: &dyn Progress, _: &Stop) -> Work {
        let app = match self.0.with_profile(run.profile.as_deref()) {
            Ok(app) => app,
            Err(error) => return failed(&error),
        };
        let work = match &job.kind {
            Kind::Warm { resources, budget } => app.warm_job(resources, *budget, run, progress).await,
            Kind::Cleanup => app.cleanup(false).map_or_else(|error| failed(&error), |swept| swept_work(&swept)),
            Kind::EnforceLimits => {
                app.enforce_limits(false).map_or_else(|error| failed(&error), |swept| swept_work(&swept))
            }
            Kind::HealthCheck => app.health_job(),
        };
        app.finish();
        work
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
            chrono_tz::Tz::UTC
        });
        let config = self.config();
        Ok(Context {
            state_dir: self.state_dir().to_owned(),
            access: self.access(),
            ledger: Ledger::new(Arc::new(Mutex::new(database))),
            clock: self.clock().clone(),
            zone,
            host: host::host_name(),
            works: Arc::new(Joined(self.clone())),
            slots: Slots::new(config.jobs.parallel),
            keep: config.jobs.history,
            grace: config.jobs.grace,
            progress,
            stop,
        })
    }

    /// One pass: runs what is wanted, then looks at the alerts once and sends what is waiting.
    pub async fn run_jobs(self: &Arc<App>, wanted: &Wanted, context: &Context) -> Result<RunDone, AppError> {
        let jobs = self.jobs()?;
        let reports = jobs::run(&jobs, wanted, context).await?;
        let mut done = RunDone { exit: jobs::exit_code(&reports), reports, ..RunDone::default() };
        match self.look_at_alerts(&jobs, &done.reports).await {
            Ok(mail) => {
                if let Some(failed) = &mail.failed {
                    done.notices.push(format!(
                        "a mail could not be sent ({failed}); it is kept and tried again by the next run{}",
                        if mail.hint.is_empty() { String::new() } else { format!(": {}", mail.hint) }
                    ));
                    done.exit = worst(done.exit, 1);
                }
                done.notices.extend(mail.sent.iter().filter_map(|receipt| receipt.complaint.clone()));
                done.mail = mail;
            }
            Err(error) => {
                done.notices.push(format!("the alerts could not be looked at: {error}"));
                done.exit = worst(done.exit, 1);
            }
        }
        Ok(done)
    }

    async fn look_at_alerts(self: &Arc<App>, jobs: &[Job], reports: &[Report]) -> Result<Delivered, AppError> {
        let (mut database, _) = self.database()?;
        let names: Vec<&str> = jobs.iter().map(|job| job.name.as_str()).collect();
        alerts::forget_jobs(&mut database, &names)?;
        let findings = findings(jobs, reports);
        let when = |report: &Report| jobs.iter().find(|job| job.name == report.job).map(|job| job.alert);
        let ran = || reports.iter().filter(|report| !matches!(report.outcome, Outcome::Skipped | Outcome::Missed));
        let always = ran().any(|report| when(report) == Some(AlertWhen::Always));
        let (host, now) = (host::host_name(), self.clock().now());
        if !findings.is_empty() || always {
            let summary = summary(reports);
            let run = alerts::Run {
                findings: &findings,
                note: Some(&summary),
                when: if always { AlertWhen::Always } else { AlertWhen::OnChange },
                host: &host,
                cache_dir: self.cache_dir(),
            };
            alerts::observe(&mut database, &run, &self.config().alerts, now)?;
        }
        if !self.config().alerts.email.enabled {
            return Ok(Delivered::default());
        }
        let app = self.clone();
        let sending = tokio::task::spawn_blocking(move || app.send_mail(&mut database));
        match sending.await {
            Ok(delivered) => delivered,
            Err(panicked) => {
                Ok(Delivered { failed: Some(format!("the sender stopped: {panicked}")), ..Delivered::default() })
            }
        }
    }

    fn send_mail(&self, database: &mut Database) -> Result<Delivered, AppError> {
        Ok(alerts::deliver(database, &self.post(), self.clock().now())?)
    }

    /// How mails leave.
    pub fn post(&self) -> Post<'_> {
        Post { email: &self.config().alerts.email, state_dir: self.state_dir(), access: self.access() }
    }

    /// Warms the cache: the whole of `cache warm` and of the warm job.
    pub async fn warm(
        &self,
        targets: &[WarmTarget],
        budget: Option<u64>,
        fresh_for: Option<Duration>,
        progress: &dyn Progress,
    ) -> Result<(Vec<Warmed>, Option<GatewayError>, u64), AppError> {
        // A store that cannot be opened cannot be warmed: here the cache is what the command is about.
        self.store()?;
        let reading = self.reading(Asker::Background { budget });
        let plan = WarmPlan { targets: targets.to_vec(), fresh_for };
        let (warmed, ended) = reading.gateway.warm(&plan, progress).await;
        for fault in reading.gateway.take_faults() {
            progress.notice(&format!("the cache could not store everything: {fault}"));
        }
        Ok((warmed, ended, reading.calls().total))
    }

    /// Why a warm would be of no use; `None` when it would be.
    pub fn warm_is_useless(&self) -> Option<String> {
        if let Some(disabled) = self.disabled() {
            let reason = disabled.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            return Some(format!("the cache is disabled{reason}"));
        }
        self.is_memory().then(|| "cache.backend is memory: what is warmed would end with this process".into())
    }

    async fn warm_job(&self, targets: &[WarmTarget], budget: u64, run: &Run, progress: &dyn Progress) -> Work {
        if let Some(reason) = self.warm_is_useless() {
            return Work::skipped(reason);
        }
        let now = self.clock().now();
        let until_next = run.next_due.map(|due| Duration::from_millis((due - now).max(0).unsigned_abs()));
        let (warmed, ended, calls) =
            match self.warm(targets, (budget > 0).then_some(budget), until_next, progress).await {
                Ok(done) => done,
                Err(error) => return failed(&error),
            };
        let failures: usize = warmed.iter().map(|target| target.failures.len()).sum();
        let stopped =
            warmed.iter().filter_map(|target| Some(format!("{}: {}", target.target, target.stopped.as_ref()?)));
        let stopped: Vec<String> = stopped.collect();
        let mut detail = Map::new();
        detail.insert("targets".into(), json!(warmed));
        let work = match ended {
            Some(error @ GatewayError::Budget { .. }) => Work::done(error.to_string()).with_exit(3),
            Some(error) if error.is_temporary() => {
                let exit = exit_of(&error);
                Work::failed_for_now(error.to_string(), exit)
            }
            Some(error) => {
                let exit = exit_of(&error);
                Work::failed(error.to_string(), exit)
            }
            None if !stopped.is_empty() && stopped.len() == warmed.len() => {
                Work::failed_for_now(stopped.join("; "), 13)
            }
            None if !stopped.is_empty() => Work::done(stopped.join("; ")).with_exit(3),
            None if failures > 0 => {
                Work::done(format!("{}; {failures} targets could not be read", warm_text(&warmed))).with_exit(3)
            }
            None => Work::done(warm_text(&warmed)),
        };
        work.with_calls(calls).with_detail(detail)
    }

    fn health_job(&self) -> Work {
        self.fold_tally();
        let measured = self.measure();
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

/// What the alerts are told of a pass: the checks of health jobs, and for each job whether it worked.
fn findings(jobs: &[Job], reports: &[Report]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for job in jobs.iter().filter(|job| job.alert != AlertWhen::Never) {
        let own: Vec<&Report> = reports.iter().filter(|report| report.job == job.name).collect();
        findings.extend(own.iter().flat_map(|report| report.findings.iter().cloned()));
        // The last word counts: an occurrence that was missed and then caught up is nobody's trouble.
        let Some(last) = own.iter().rev().find(|report| report.outcome != Outcome::Skipped) else { continue };
        let name = match &last.profile {
            Some(profile) => format!("{}@{profile}", job.name),
            None => job.name.clone(),
        };
        let trouble = (last.outcome != Outcome::Done).then(|| format!("{}: {}", last.outcome.as_str(), last.reason));
        findings.push(alerts::job_finding(&name, trouble.as_deref()));
    }
    findings
}

fn summary(reports: &[Report]) -> String {
    let line = |report: &Report| {
        let profile = report.profile.as_ref().map(|profile| format!(" ({profile})")).unwrap_or_default();
        format!("{}{profile}: {}, {}", report.job, report.outcome.as_str(), report.reason)
    };
    reports.iter().map(line).collect::<Vec<_>>().join("\n")
}

fn warm_text(warmed: &[Warmed]) -> String {
    let part = |target: &Warmed| match (target.fetched, target.fresh) {
        (0, _) => format!("{} fresh", target.target),
        _ => format!("{} {}", target.items, target.target),
    };
    warmed.iter().map(part).collect::<Vec<_>>().join(", ")
}

fn swept_work(swept: &Swept) -> Work {
    let mut detail = Map::new();
    detail.insert("removed".into(), json!(swept));
    let text = match swept.entries() {
        0 => "nothing to remove".to_owned(),
        n => format!("{n} entries removed, {} freed", crate::model::format_size(swept.bytes)),
    };
    Work::done(text).with_detail(detail)
}

fn failed(error: &AppError) -> Work {
    match error {
        AppError::Gateway(gateway) if gateway.is_temporary() => {
            Work::failed_for_now(error.to_string(), exit_of(gateway))
        }
        AppError::Gateway(gateway) => Work::failed(error.to_string(), exit_of(gateway)),
        AppError::Store(store) if store.is_temporary() => Work::failed_for_now(error.to_string(), 1),
        _ => Work::failed(error.to_string(), 1),
    }
}

/// The exit code that a failure of AWS's stands for (the full list is the command line's).
fn exit_of(error: &GatewayError) -> u8 {
    match error {
        GatewayError::Throttled { .. } | GatewayError::Unreachable { .. } => 13,
        GatewayError::Configuration { .. } | GatewayError::ChooseInstance { .. } | GatewayError::NoInstance { .. } => 2,
        GatewayError::NoCredentials { .. } | GatewayError::LoginExpired { .. } | GatewayError::AccessDenied { .. } => 4,
        GatewayError::Partial { .. } | GatewayError::Budget { .. } => 3,
        _ => 1,
    }
}

fn worst(a: u8, b: u8) -> u8 {
    const ORDER: [u8; 7] = [2, 12, 4, 13, 1, 3, 6];
    ORDER.into_iter().find(|code| *code == a || *code == b).unwrap_or(a.max(b))
}
