//! A pass over the jobs, followed by one evaluation of the alerts and at most one mail about them.
//!
//! A mail that cannot be sent is reported, is part of the exit code
//! and is sent by a later pass; a broken job file is a failed run of its job and stops no other.

use crate::alerts::Delivered;
use crate::app::alerting::Alerting;
use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::job_handlers::Joined;
use crate::app::job_outcome::worst;
use crate::app::state_reader::StateReader;
use crate::app::usage_samples::UsageSamples;
use crate::config::{Broken, Job};
use crate::host;
use crate::jobs::{self, Context, JobSelection, Ledger, RunReport, Slots, Stop};
use crate::model::Zone;
use crate::progress::Progress;
use crate::state::Database;
use std::sync::{Arc, Mutex};

/// What came of a pass.
#[derive(Debug, Default)]
pub struct RunDone {
    /// Every run, skip and miss.
    pub reports: Vec<RunReport>,
    /// What became of mails.
    pub mail: Delivered,
    /// The exit code that speaks of all of it.
    pub exit: u8,
    /// Further notices for people.
    pub notices: Vec<String>,
}

/// Runs jobs, and reports to the alerts.
pub struct JobRunner<'a> {
    app: &'a Arc<App>,
}

impl<'a> JobRunner<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a Arc<App>) -> JobRunner<'a> {
        JobRunner { app }
    }

    /// Everything that a pass of jobs needs.
    pub fn context(&self, progress: Arc<dyn Progress>, stop: Stop) -> Result<Context, AppError> {
        let found = self.app.database()?;
        Ok(self.context_over(found, progress, stop))
    }

    /// The same for reads: if the state database cannot be created, an empty one in memory takes its place.
    pub fn context_to_read(&self, progress: Arc<dyn Progress>) -> Result<Context, AppError> {
        let found = StateReader::new(self.app).readable()?;
        Ok(self.context_over(found, progress, Stop::new()))
    }

    fn context_over(
        &self,
        (database, notice): (Database, Option<String>),
        progress: Arc<dyn Progress>,
        stop: Stop,
    ) -> Context {
        if let Some(notice) = notice {
            progress.notice(&notice);
        }
        let zone = host::local_zone().unwrap_or_else(|unknown| {
            progress.notice(&format!("{unknown}; UTC is taken until then"));
            Zone::UTC
        });
        let config = self.app.config();
        Context {
            state_dir: self.app.state_dir().to_owned(),
            access: self.app.access(),
            ledger: Ledger::new(Arc::new(Mutex::new(database))),
            clock: self.app.clock().clone(),
            zone,
            host: host::host_name(),
            handler: Arc::new(Joined::of(self.app.clone())),
            slots: Slots::new(config.jobs.parallel),
            wait: false,
            keep: config.jobs.history,
            grace: config.jobs.grace,
            progress,
            stop,
        }
    }

    /// One pass over `jobs`: runs the selected jobs, then evaluates the alerts and sends waiting mails. A pass in
    /// which no job ran tries mails that wait since an earlier one only with `retries_mail`. Each broken file that was
    /// wanted is a failed run.
    pub async fn run(
        &self,
        jobs: &[Job],
        broken: &[Broken],
        wanted: &JobSelection,
        context: &Context,
        retries_mail: bool,
    ) -> Result<RunDone, AppError> {
        let (wanted, broken) = apart(jobs, broken, wanted);
        let mut reports = jobs::run(jobs, &wanted, context).await?;
        if reports.is_empty() && !retries_mail {
            return Ok(RunDone::default());
        }
        for file in broken.iter().rev() {
            let problems: Vec<String> = file.problems.iter().map(ToString::to_string).collect();
            reports.insert(0, jobs::misconfigured(&file.name, &problems.join("; "), context)?);
        }
        let mut done = RunDone { exit: jobs::exit_code(&reports), reports, ..RunDone::default() };
        if !done.reports.is_empty() {
            // A new application: this one may have a store open that was replaced since.
            UsageSamples::new(&self.app.with_profile(None)?).take();
        }
        match Alerting::new(self.app).update(jobs, &done.reports, context).await {
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
}

/// Splits a selection into valid jobs and broken files.
fn apart<'a>(jobs: &[Job], broken: &'a [Broken], wanted: &JobSelection) -> (JobSelection, Vec<&'a Broken>) {
    let JobSelection::Named(names) = wanted else { return (wanted.clone(), broken.iter().collect()) };
    let is_sound = |name: &str| jobs.iter().any(|job| job.name == name);
    let named: Vec<&Broken> = broken.iter().filter(|file| names.contains(&file.name)).collect();
    let left = names.iter().filter(|name| is_sound(name) || !named.iter().any(|file| file.name == **name));
    (JobSelection::Named(left.cloned().collect()), named)
}
