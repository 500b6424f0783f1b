//! The job files: which jobs are configured, and which files are invalid.

use crate::app::core::App;
use crate::app::error::AppError;
use crate::config::{AlertWhen, Broken, Job, JobKind, load_jobs, read_jobs};

/// Reads the job files.
pub struct JobFiles<'a> {
    app: &'a App,
}

impl<'a> JobFiles<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> JobFiles<'a> {
        JobFiles { app }
    }

    /// The jobs that are configured: those of `jobs.dir`, or those that are compiled in.
    pub fn all(&self) -> Result<Vec<Job>, AppError> {
        Ok(self.for_sandbox(load_jobs(self.app.config().jobs.dir.as_deref())?))
    }

    /// The valid jobs and the invalid files, for a pass that an invalid file must not stop.
    pub fn valid(&self) -> Result<(Vec<Job>, Vec<Broken>), AppError> {
        let (jobs, broken) = read_jobs(self.app.config().jobs.dir.as_deref())?;
        Ok((self.for_sandbox(jobs), broken))
    }

    /// In the sandbox the first run of a health check writes a mail.
    fn for_sandbox(&self, mut jobs: Vec<Job>) -> Vec<Job> {
        for job in jobs.iter_mut().filter(|job| self.app.is_sandbox() && job.kind == JobKind::HealthCheck) {
            job.alert = AlertWhen::Always;
        }
        jobs
    }
}
