//! A pass of jobs, and what it leads to: one look at the alerts, at most one mail about them.
//!
//! `cache warm` and the warm job are the same function; a mail that cannot leave is said, shows in the exit code
//! and is sent by a later pass; a broken job file is a failed run of its own job and stops no other.

use crate::alerts::Delivered;
use crate::app::App;
use crate::app::AppError;
use crate::app::job_handlers::Joined;
use crate::app::job_outcome::worst;
use crate::config::{AlertWhen, Broken, Job, JobKind, load_jobs, read_jobs};
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
        for job in jobs.iter_mut().filter(|job| self.is_sandbox() && job.kind == JobKind::HealthCheck) {
            job.alert = AlertWhen::Always;
        }
        jobs
    }

    /// Everything that a pass of jobs needs.
    pub fn job_context(self: &Arc<App>, progress: Arc<dyn Progress>, stop: Stop) -> Result<Context, AppError> {
        let found = self.database()?;
        Ok(self.context_over(found, progress, stop))
    }

    /// The same for reads: if the state database cannot be created, an empty one in memory takes its place.
    pub fn job_context_to_read(self: &Arc<App>, progress: Arc<dyn Progress>) -> Result<Context, AppError> {
        let found = self.database_to_read()?;
        Ok(self.context_over(found, progress, Stop::new()))
    }

    fn context_over(
        self: &Arc<App>,
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
        let config = self.config();
        Context {
            state_dir: self.state_dir().to_owned(),
            access: self.access(),
            ledger: Ledger::new(Arc::new(Mutex::new(database))),
            clock: self.clock().clone(),
            zone,
            host: host::host_name(),
            handler: Arc::new(Joined::of(self.clone())),
            slots: Slots::new(config.jobs.parallel),
            wait: false,
            keep: config.jobs.history,
            grace: config.jobs.grace,
            progress,
            stop,
        }
    }

    /// One pass over `jobs`: runs what is wanted, then looks at the alerts once and sends what is waiting. A pass in
    /// which no job ran tries mails that wait since an earlier one only with `retries_mail`. Each broken file that was
    /// wanted is a failed run.
    pub async fn run_jobs(
        self: &Arc<App>,
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
            // Of an app of its own: this one may have opened a store that was replaced since.
            self.with_profile(None)?.take_sample();
        }
        match self.look_at_alerts(jobs, &done.reports, context).await {
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

/// What of the wish is for the sound jobs, and the broken files that it is about.
fn apart<'a>(jobs: &[Job], broken: &'a [Broken], wanted: &JobSelection) -> (JobSelection, Vec<&'a Broken>) {
    let JobSelection::Named(names) = wanted else { return (wanted.clone(), broken.iter().collect()) };
    let is_sound = |name: &str| jobs.iter().any(|job| job.name == name);
    let named: Vec<&Broken> = broken.iter().filter(|file| names.contains(&file.name)).collect();
    let left = names.iter().filter(|name| is_sound(name) || !named.iter().any(|file| file.name == **name));
    (JobSelection::Named(left.cloned().collect()), named)
}
