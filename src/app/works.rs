//! What each kind of job does, and what a pass of jobs leads to: one look at the alerts, at most one mail.
//!
//! Neighbours: `jobs/` says when and how, `gateway/` warms, `upkeep.rs` and `measure.rs` do the rest, `alerts/` writes.
//! Promise: `cache warm` and the warm job are the same function; a mail that cannot leave is said, shows in the exit
//! code and is sent by a later pass.

use super::verdict::{failed, swept, warm_work, worst};
use super::warming::Warming;
use super::{App, AppError};
use crate::alerts::{self, Delivered, Post};
use crate::config::{AlertWhen, Job, Kind, WarmTarget, load_jobs};
use crate::gateway::Renew;
use crate::health::Finding;
use crate::host;
use crate::jobs::{self, Context, Ledger, Outcome, Report, Run, Slots, Stop, Wanted, Work, Works};
use crate::model::Zone;
use crate::report::Progress;
use crate::state::Database;
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
    async fn perform(&self, job: &Job, run: &Run, progress: &dyn Progress, stop: &Stop) -> Work {
        // An app for each run: it reads the switch anew, and its store is opened and closed with it.
        let app = match self.0.with_profile(run.profile.as_deref()) {
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
        work
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
            works: Arc::new(Joined(self.clone())),
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
                    let kept = "the mail is kept and the next run tries again";
                    let hint = if mail.hint.is_empty() { kept } else { &mail.hint };
                    done.notices.push(format!("a mail could not be sent: {failed}; {hint}"));
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

    async fn look_at_alerts(
        self: &Arc<App>,
        jobs: &[Job],
        reports: &[Report],
        stop: &Stop,
    ) -> Result<Delivered, AppError> {
        let (mut database, _) = self.database()?;
        let names: Vec<String> = jobs.iter().filter(|job| tells(job, reports)).flat_map(alert_names).collect();
        alerts::forget_jobs(&mut database, &names.iter().map(String::as_str).collect::<Vec<_>>())?;
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
        // Who wants this process to end shall not wait for a mail server: the mail is kept for the next run.
        if !self.config().alerts.email.enabled || stop.is_set() {
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

/// Whether anybody will ever say that this job's alert is over: not of one that never mails, nor of one that is not
/// enabled and was not asked for.
fn tells(job: &Job, reports: &[Report]) -> bool {
    job.alert != AlertWhen::Never && (job.enabled || reports.iter().any(|report| report.job == job.name))
}

/// The names under which a job's own alerts are kept: one, or one for each of its profiles.
fn alert_names(job: &Job) -> Vec<String> {
    if job.profiles.is_empty() {
        return vec![job.name.clone()];
    }
    job.profiles.iter().map(|profile| alert_name(&job.name, Some(profile))).collect()
}

fn alert_name(job: &str, profile: Option<&str>) -> String {
    profile.map_or_else(|| job.to_owned(), |profile| format!("{job}@{profile}"))
}

/// What the alerts are told of a pass: the checks of health jobs, and for each job and profile whether it worked.
fn findings(jobs: &[Job], reports: &[Report]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for job in jobs.iter().filter(|job| job.alert != AlertWhen::Never) {
        let own: Vec<&Report> = reports.iter().filter(|report| report.job == job.name).collect();
        findings.extend(own.iter().flat_map(|report| report.findings.iter().cloned()));
        let mut told: Vec<Option<&str>> = Vec::new();
        // The last word counts: an occurrence that was missed and then caught up is nobody's trouble. A run that was
        // stopped because somebody wanted it says nothing about the job.
        let says = |report: &&&Report| !matches!(report.outcome, Outcome::Skipped | Outcome::Cancelled);
        for report in own.iter().rev().filter(says) {
            if told.contains(&report.profile.as_deref()) {
                continue;
            }
            told.push(report.profile.as_deref());
            let trouble =
                (report.outcome != Outcome::Done).then(|| format!("{}: {}", report.outcome.as_str(), report.reason));
            let mut finding =
                alerts::job_finding(&alert_name(&job.name, report.profile.as_deref()), trouble.as_deref());
            if trouble.is_some() {
                finding.hint = format!("awsideman jobs run {}", job.name);
            }
            findings.push(finding);
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn report(profile: &str, outcome: Outcome) -> Report {
        Report {
            job: "warm".into(),
            kind: "warm".into(),
            profile: Some(profile.into()),
            outcome,
            reason: "r".into(),
            took_ms: 0,
            calls: 0,
            scheduled_at: None,
            started_at: 0,
            attempt: 1,
            exit: 0,
            retryable: false,
            findings: Vec::new(),
            detail: Map::new(),
        }
    }

    #[test]
    fn each_profile_has_an_alert_of_its_own_and_the_last_word_counts() {
        let mut job = load_jobs(None).unwrap().remove(0);
        job.profiles = vec!["a".into(), "b".into(), "c".into()];
        let reports = [
            report("a", Outcome::Missed),
            report("a", Outcome::Done),
            report("b", Outcome::Failed),
            report("c", Outcome::Cancelled),
        ];
        let found = findings(std::slice::from_ref(&job), &reports);
        let mut keys: Vec<_> = found.iter().map(|finding| (finding.key.as_str(), finding.recovered)).collect();
        keys.sort_unstable();
        assert_eq!(keys, [("job:warm@a", true), ("job:warm@b", false)]);
        assert!(found.iter().any(|finding| finding.hint == "awsideman jobs run warm"));
        assert_eq!(alert_names(&job), ["warm@a", "warm@b", "warm@c"]);
    }
}
