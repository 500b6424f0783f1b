//! Reports a pass of jobs to the alerts: health checks, the outcome of each job, and the cause of a failure.
//!
//! Guarantee: alert state changes only here, inside a job run. A later pass sends a message that could not be sent.

use crate::alerts::{self, AlertCause, Delivered, DeliveryContext};
use crate::app::core::App;
use crate::app::digest;
use crate::app::error::AppError;
use crate::app::health_states::HealthStates;
use crate::app::kill_switch::KillSwitch;
use crate::clock;
use crate::config::{AlertWhen, Job};
use crate::gateway::GatewayError;
use crate::health::{Finding, Level};
use crate::host;
use crate::jobs::{Context, MISCONFIGURED, RunOutcome, RunReport};
use crate::model::{Invocation, one_line};
use crate::state::Database;
use chrono::DateTime;
use std::sync::Arc;

/// Updates the alerts after a pass of jobs, and sends messages.
pub struct Alerting<'a> {
    app: &'a Arc<App>,
}

impl<'a> Alerting<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a Arc<App>) -> Alerting<'a> {
        Alerting { app }
    }

    /// Updates the alerts once and sends waiting messages.
    pub(super) async fn update(
        &self,
        jobs: &[Job],
        reports: &[RunReport],
        context: &Context,
    ) -> Result<Delivered, AppError> {
        let (mut database, _) = self.app.database()?;
        let mut names: Vec<String> = jobs.iter().filter(|job| resolves(job, reports)).flat_map(alert_names).collect();
        names.extend(reports.iter().filter(|report| is_broken(report)).map(|report| report.job.clone()));
        let judges = jobs.iter().any(|job| job.kind.judges() && resolves(job, reports));
        alerts::forget_jobs(&mut database, &names.iter().map(String::as_str).collect::<Vec<_>>(), judges)?;
        let in_a_row = |report: &RunReport| {
            let profile = report.profile.as_deref().unwrap_or_default();
            Ok::<_, AppError>(context.ledger.partial_runs(&report.job, profile)?.map_or(0, |runs| runs.in_a_row))
        };
        let partial = reports.iter().filter(|report| report.outcome == RunOutcome::Partial);
        let partial = partial.map(|report| Ok((report, in_a_row(report)?))).collect::<Result<Vec<_>, AppError>>()?;
        let rows = EndedRows { partial, alarming: HealthStates::new(self.app).alarming_partial_runs() };
        let (findings, causes) = findings(jobs, reports, &rows, self.app.invocation());
        let more = self.app.invocation().copyable("awsideman cache health");
        let when = |report: &RunReport| jobs.iter().find(|job| job.name == report.job).map(|job| job.alert);
        let ran =
            || reports.iter().filter(|report| !matches!(report.outcome, RunOutcome::Skipped | RunOutcome::Missed));
        let always = ran().any(|report| when(report) == Some(AlertWhen::Always));
        let (host, now) = (host::host_name(), self.app.clock().now());
        let summary = self.app.invocation().copyable(&summary(reports)).into_owned();
        let disabled = KillSwitch::new(self.app).sentence();
        let run = alerts::JobPass {
            findings: &findings,
            causes: &causes,
            note: Some(summary.as_str()).filter(|note| !note.is_empty()),
            when: if always { AlertWhen::Always } else { AlertWhen::OnChange },
            host: &host,
            cache_dir: self.app.cache_dir(),
            disabled: disabled.as_deref(),
            more: &more,
        };
        // Also if no job ran: a message that waited for others or for the end of a silence may be due.
        alerts::observe(&mut database, &run, &self.app.config().alerts, now)?;
        for report in reports.iter().filter(|report| matches!(report.outcome, RunOutcome::Done | RunOutcome::Partial)) {
            if let (true, Some(text)) = (self.app.config().alerts.email.enabled, digest::text_of(report)) {
                alerts::write(&mut database, digest::SUBJECT, text, &host, now)?;
            }
        }
        // A process that must end does not wait for a mail server: the message is kept for the next run.
        if alerts::channels(&self.app.config().alerts).is_empty() || context.stop.is_set() {
            return Ok(Delivered::default());
        }
        let app = self.app.clone();
        let sending = tokio::task::spawn_blocking(move || Alerting::new(&app).send(&mut database));
        match sending.await {
            Ok(delivered) => delivered,
            Err(panicked) => {
                Ok(Delivered { failed: Some(format!("the sender stopped: {panicked}")), ..Delivered::default() })
            }
        }
    }

    fn send(&self, database: &mut Database) -> Result<Delivered, AppError> {
        Ok(alerts::deliver(database, &delivery(self.app), self.app.clock().now())?)
    }
}

/// The channels for messages, and their files.
pub fn delivery(app: &App) -> DeliveryContext<'_> {
    DeliveryContext { settings: &app.config().alerts, state_dir: app.state_dir(), access: app.access() }
}

/// What is behind a failure of AWS's, when it is not the job's own: the login (still without its name), or AWS itself.
pub(super) fn behind(error: &GatewayError) -> Option<Finding> {
    let (key, message, hint) = match error {
        GatewayError::LoginExpired { .. } | GatewayError::NotLoggedIn { .. } | GatewayError::NoCredentials { .. } => {
            (alerts::LOGIN, error.to_string(), "aws sso login")
        }
        GatewayError::Throttled { .. } | GatewayError::Unreachable { .. } => {
            (alerts::AWS, format!("AWS does not answer: {error}"), "awsideman doctor")
        }
        _ => return None,
    };
    Some(Finding { key: key.into(), level: Level::Critical, message, hint: hint.into(), recovered: false })
}

/// Whether a later run can resolve the alert of this job: not if it never mails, or is not enabled and was not run.
fn resolves(job: &Job, reports: &[RunReport]) -> bool {
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

/// The findings of a pass: the checks of health jobs, the outcome of each job and profile, and the causes of failures.
fn findings(
    jobs: &[Job],
    reports: &[RunReport],
    rows: &EndedRows<'_>,
    call: &Invocation,
) -> (Vec<Finding>, Vec<AlertCause>) {
    let (mut findings, mut causes) = findings_as_typed(jobs, reports, rows, call);
    let causes_of = causes.iter_mut().map(|cause| &mut cause.finding);
    for finding in findings.iter_mut().chain(causes_of) {
        *finding = copyable(finding.clone(), call);
    }
    (findings, causes)
}

/// The finding with these flags in the commands that it names.
fn copyable(finding: Finding, call: &Invocation) -> Finding {
    let text = |text: &str| call.copyable(text).into_owned();
    Finding { message: text(&finding.message), hint: text(&finding.hint), ..finding }
}

/// The same; of the flags of the call only the profiles of jobs are in the hints.
fn findings_as_typed(
    jobs: &[Job],
    reports: &[RunReport],
    rows: &EndedRows<'_>,
    call: &Invocation,
) -> (Vec<Finding>, Vec<AlertCause>) {
    let is_cause = |finding: &&Finding| finding.key == alerts::AWS || finding.key.starts_with(alerts::LOGIN);
    let (mut findings, mut causes) = (Vec::new(), Vec::new());
    for report in reports.iter().filter(|report| is_broken(report)) {
        let finding = alerts::job_finding(&report.job, Some(&format!("failed: its file is broken: {}", report.reason)));
        findings.push(Finding { hint: "awsideman jobs validate".to_owned(), ..finding });
    }
    for job in jobs.iter().filter(|job| job.alert != AlertWhen::Never) {
        let own: Vec<&RunReport> =
            reports.iter().filter(|report| report.job == job.name && !is_broken(report)).collect();
        // The commands about a run use the account of its job.
        let of_run = |report: &RunReport, finding: Finding| match &report.profile {
            // A job's file names its account.
            Some(profile) if !finding.hint.contains("awsideman jobs ") => {
                copyable(finding, &call.with_profile(profile))
            }
            _ => finding,
        };
        let checks = own.iter().flat_map(|report| {
            let checks = report.findings.iter().filter(|f| !is_cause(f)).cloned();
            checks.map(|check| of_run(report, check))
        });
        findings.extend(checks);
        let mut seen: Vec<Option<&str>> = Vec::new();
        // The last outcome counts: an occurrence that was missed and then caught up is no problem. A run that a user
        // canceled says nothing about the job.
        let says = |report: &&&RunReport| !matches!(report.outcome, RunOutcome::Skipped | RunOutcome::Cancelled);
        for report in own.iter().rev().filter(says) {
            if seen.contains(&report.profile.as_deref()) {
                continue;
            }
            seen.push(report.profile.as_deref());
            let mut finding = job_finding(report, rows);
            if finding.level != Level::Ok {
                let behind = report.findings.iter().find(is_cause).cloned();
                let behind = behind.map(|cause| Finding { hint: hint_of_cause(&cause, report), ..cause });
                if report.outcome != RunOutcome::Partial {
                    finding.hint = behind.as_ref().map_or_else(|| next_step(report), |cause| cause.hint.clone());
                }
                let of = &finding.key;
                causes.extend(behind.map(|cause| AlertCause { of: of.clone(), finding: of_run(report, cause) }));
            }
            findings.push(of_run(report, finding));
        }
    }
    (findings, causes)
}

/// The number of partial runs in a row that each partial report ends, and the number that alerts.
struct EndedRows<'a> {
    partial: Vec<(&'a RunReport, u32)>,
    alarming: u32,
}

/// The finding of a run about its job. A partial run fires only after enough of them in a row, and never resolves an
/// alert.
fn job_finding(report: &RunReport, rows: &EndedRows<'_>) -> Finding {
    let name = alert_name(&report.job, report.profile.as_deref());
    let trouble = |what: &str| alerts::job_finding(&name, Some(&format!("{what}: {}", report.reason)));
    match report.outcome {
        RunOutcome::Done => alerts::job_finding(&name, None),
        RunOutcome::Partial => {
            let in_a_row = rows.partial.iter().find(|(other, _)| std::ptr::eq(*other, report)).map_or(0, |(_, n)| *n);
            let level = if in_a_row >= rows.alarming { Level::Critical } else { Level::Warn };
            let what = match in_a_row {
                0 | 1 => "was partial".to_owned(),
                n => format!("was partial {n} times in a row"),
            };
            Finding { level, hint: format!("awsideman jobs logs {}", report.job), ..trouble(&what) }
        }
        other => trouble(other.verb()),
    }
}

/// The next command for a run that failed for its own reason.
fn next_step(report: &RunReport) -> String {
    let job = &report.job;
    let profile = report.profile.as_ref().map(|profile| format!(" --profile {profile}")).unwrap_or_default();
    match (report.outcome, report.exit) {
        (RunOutcome::TimedOut | RunOutcome::Crashed, _) => format!("awsideman jobs logs {job}"),
        // An expired login has its own cause, so AWS denied this call.
        (RunOutcome::Failed, 4) => format!("awsideman doctor --iam-policy{profile}"),
        (RunOutcome::Failed, 12) => "awsideman cache recover".to_owned(),
        (RunOutcome::Failed, 2) => format!("awsideman doctor{profile}"),
        _ => match retried(report) {
            Some(when) => format!("{when}; to run it now: awsideman jobs run {job}"),
            None => format!("awsideman jobs run {job}"),
        },
    }
}

/// The next step for a cause; if AWS does not answer, when the job is retried.
fn hint_of_cause(cause: &Finding, report: &RunReport) -> String {
    match retried(report) {
        Some(when) if cause.key == alerts::AWS => format!("{when}; to check whether AWS answers: {}", cause.hint),
        _ => cause.hint.clone(),
    }
}

/// When a run that may succeed later is repeated.
fn retried(report: &RunReport) -> Option<String> {
    let at = DateTime::parse_from_rfc3339(report.detail.get("retried_at")?.as_str()?).ok()?;
    Some(format!("retried automatically at {}", clock::local(at.timestamp_millis())))
}

/// Whether it is of a file that cannot be run.
fn is_broken(report: &RunReport) -> bool {
    report.kind == MISCONFIGURED
}

fn summary(reports: &[RunReport]) -> String {
    let line = |report: &RunReport| {
        let profile = report.profile.as_ref().map(|profile| format!(" ({profile})")).unwrap_or_default();
        let text = format!("{}{profile}: {}, {}", report.job, report.outcome.as_str(), report.reason);
        // One line for each, whatever is in a name or in what AWS said.
        one_line(&text)
    };
    reports.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::load_jobs;
    use serde_json::Map;

    fn report(profile: &str, outcome: RunOutcome) -> RunReport {
        RunReport {
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
    fn the_next_step_fits_what_went_wrong() {
        let cause = |key: &str, hint: &str| Finding {
            key: key.into(),
            level: Level::Critical,
            message: "m".into(),
            hint: hint.into(),
            recovered: false,
        };
        let login = cause("login:corp", "aws sso login --profile prod");
        let aws = cause(alerts::AWS, "awsideman doctor");
        for (outcome, exit, cause, retried_at, expected) in [
            (RunOutcome::Failed, 4, None, None, "awsideman doctor --iam-policy --profile prod"),
            (RunOutcome::Failed, 4, Some(&login), None, "aws sso login --profile prod"),
            (
                RunOutcome::Failed,
                13,
                Some(&aws),
                Some("1970-01-01T00:05:00.000Z"),
                "retried automatically at 1970-01-01 00:05:00",
            ),
            (RunOutcome::Failed, 13, Some(&aws), None, "awsideman --profile prod doctor"),
            (RunOutcome::Failed, 12, None, None, "awsideman --profile prod cache recover"),
            (RunOutcome::Failed, 2, None, None, "awsideman doctor --profile prod"),
            (RunOutcome::Failed, 1, None, None, "awsideman jobs run warm"),
            (RunOutcome::Missed, 0, None, None, "awsideman jobs run warm"),
            (RunOutcome::TimedOut, 1, None, None, "awsideman jobs logs warm"),
            (RunOutcome::Crashed, 1, None, None, "awsideman jobs logs warm"),
        ] {
            let job = load_jobs(None).unwrap().into_iter().find(|job| job.name == "warm").unwrap();
            let mut report =
                RunReport { exit, findings: cause.cloned().into_iter().collect(), ..report("prod", outcome) };
            if let Some(at) = retried_at {
                report.detail.insert("retried_at".into(), at.into());
            }
            let (found, causes) = findings(
                std::slice::from_ref(&job),
                &[report],
                &EndedRows { partial: Vec::new(), alarming: 2 },
                &Invocation::default(),
            );
            let found = found.iter().find(|finding| finding.key.starts_with("job:")).unwrap();
            assert!(found.hint.starts_with(expected), "{outcome:?} {exit}: {}", found.hint);
            assert!(causes.iter().all(|cause| cause.finding.hint == found.hint));
        }
    }

    #[test]
    fn each_profile_has_its_own_alert_and_the_last_outcome_counts() {
        let mut job = load_jobs(None).unwrap().into_iter().find(|job| job.name == "warm").unwrap();
        job.profiles = vec!["a".into(), "b".into(), "c".into()];
        let reports = [
            report("a", RunOutcome::Missed),
            report("a", RunOutcome::Done),
            report("b", RunOutcome::Failed),
            report("c", RunOutcome::Cancelled),
        ];
        let (found, _) = findings(
            std::slice::from_ref(&job),
            &reports,
            &EndedRows { partial: Vec::new(), alarming: 2 },
            &Invocation::default(),
        );
        let mut keys: Vec<_> = found.iter().map(|finding| (finding.key.as_str(), finding.recovered)).collect();
        keys.sort_unstable();
        assert_eq!(keys, [("job:warm@a", true), ("job:warm@b", false)]);
        assert!(found.iter().any(|finding| finding.hint == "awsideman jobs run warm"));
        assert_eq!(alert_names(&job), ["warm@a", "warm@b", "warm@c"]);
    }
}
