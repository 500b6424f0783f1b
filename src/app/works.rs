//! A pass of jobs, and what it leads to: one look at the alerts, at most one mail about them.
//!
//! Neighbours: `jobs/` says when and how, `kinds.rs` does the work of each kind, `alerts/` writes.
//! Promise: `cache warm` and the warm job are the same function; a mail that cannot leave is said, shows in the exit
//! code and is sent by a later pass.

use super::digest;
use super::kinds::Joined;
use super::reading::{Asker, Reading};
use super::verdict::worst;
use super::{App, AppError};
use crate::alerts::{self, Delivered, Post};
use crate::config::{AlertWhen, Broken, Job, Kind, WarmTarget, load_jobs, read_jobs};
use crate::gateway::{GatewayError, WarmPlan, Warmed};
use crate::health::Finding;
use crate::host;
use crate::jobs::{self, Context, Ledger, Outcome, Report, Slots, Stop, Wanted};
use crate::model::Zone;
use crate::report::Progress;
use crate::state::Database;
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

impl App {
    /// The jobs that are configured: those of `jobs.dir`, or those that are compiled in.
    pub fn jobs(&self) -> Result<Vec<Job>, AppError> {
        Ok(self.rehearsed(load_jobs(self.config().jobs.dir.as_deref())?))
    }

    /// The same for a pass that shall go on beside a broken file: the jobs that are sound, and the files that are not.
    pub fn jobs_that_can_run(&self) -> Result<(Vec<Job>, Vec<Broken>), AppError> {
        let (jobs, broken) = read_jobs(self.config().jobs.dir.as_deref())?;
        Ok((self.rehearsed(jobs), broken))
    }

    /// In the sandbox a newcomer sees a mail at once.
    fn rehearsed(&self, mut jobs: Vec<Job>) -> Vec<Job> {
        for job in jobs.iter_mut().filter(|job| self.is_sandbox() && job.kind == Kind::HealthCheck) {
            job.alert = AlertWhen::Always;
        }
        jobs
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
            wait: false,
            keep: config.jobs.history,
            grace: config.jobs.grace,
            progress,
            stop,
        })
    }

    /// One pass over `jobs`: runs what is wanted, then looks at the alerts once and sends what is waiting. A pass in
    /// which no job ran tries mails that wait since an earlier one only with `retries_mail`. Each broken file that was
    /// wanted is a failed run and stops no other.
    pub async fn run_jobs(
        self: &Arc<App>,
        jobs: &[Job],
        broken: &[Broken],
        wanted: &Wanted,
        context: &Context,
        retries_mail: bool,
    ) -> Result<RunDone, AppError> {
        let (wanted, broken) = apart(jobs, broken, wanted);
        let mut reports = Vec::new();
        for file in broken {
            let problems: Vec<String> = file.problems.iter().map(ToString::to_string).collect();
            reports.push(jobs::misconfigured(&file.name, &problems.join("; "), context)?);
        }
        reports.extend(jobs::run(jobs, &wanted, context).await?);
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
        let mut names: Vec<String> = jobs.iter().filter(|job| tells(job, reports)).flat_map(alert_names).collect();
        names.extend(reports.iter().filter(|report| is_broken(report)).map(|report| report.job.clone()));
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
        for report in reports.iter().filter(|report| report.outcome == Outcome::Done) {
            if let (true, Some(text)) = (self.config().alerts.email.enabled, digest::text_of(report)) {
                alerts::write(&mut database, digest::SUBJECT, text, &host, now)?;
            }
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

    /// Warms the cache: the whole of `cache warm` and of the warm job.
    pub async fn warm(
        &self,
        targets: &[WarmTarget],
        budget: Option<u64>,
        fresh_for: Option<Duration>,
        progress: &dyn Progress,
    ) -> Result<(Vec<Warmed>, Option<GatewayError>, u64), AppError> {
        let (reading, plan) = self.warming(targets, budget, fresh_for)?;
        let (warmed, ended) = reading.gateway.warm(&plan, progress).await;
        for fault in reading.gateway.take_faults() {
            progress.notice(&format!("the cache could not store everything: {fault}"));
        }
        Ok((warmed, ended, reading.calls().total))
    }

    pub(super) fn warming(
        &self,
        targets: &[WarmTarget],
        budget: Option<u64>,
        fresh_for: Option<Duration>,
    ) -> Result<(Reading, WarmPlan), AppError> {
        // A store that cannot be opened cannot be warmed: here the cache is what the command is about.
        self.store()?;
        Ok((self.reading(Asker::Background { budget }), WarmPlan { targets: targets.to_vec(), fresh_for }))
    }

    /// Why a warm would be of no use; `None` when it would be.
    pub fn warm_is_useless(&self) -> Option<String> {
        if let Some(disabled) = self.disabled() {
            let reason = disabled.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            return Some(format!("the cache is disabled{reason}"));
        }
        self.is_memory().then(|| "cache.backend is memory: what is warmed would end with this process".into())
    }
}

/// What of the wish is for the sound jobs, and the broken files that it is about.
fn apart<'a>(jobs: &[Job], broken: &'a [Broken], wanted: &Wanted) -> (Wanted, Vec<&'a Broken>) {
    let Wanted::Named(names) = wanted else { return (wanted.clone(), broken.iter().collect()) };
    let is_sound = |name: &str| jobs.iter().any(|job| job.name == name);
    let named: Vec<&Broken> = broken.iter().filter(|file| names.contains(&file.name)).collect();
    let left = names.iter().filter(|name| is_sound(name) || !named.iter().any(|file| file.name == **name));
    (Wanted::Named(left.cloned().collect()), named)
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
    for report in reports.iter().filter(|report| is_broken(report)) {
        let finding = alerts::job_finding(&report.job, Some(&format!("its file is broken: {}", report.reason)));
        findings.push(Finding { hint: "awsideman jobs validate".to_owned(), ..finding });
    }
    for job in jobs.iter().filter(|job| job.alert != AlertWhen::Never) {
        let own: Vec<&Report> = reports.iter().filter(|report| report.job == job.name && !is_broken(report)).collect();
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

fn is_broken(report: &Report) -> bool {
    report.kind == jobs::MISCONFIGURED
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
    use serde_json::Map;

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
        let mut job = load_jobs(None).unwrap().into_iter().find(|job| job.name == "warm").unwrap();
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
