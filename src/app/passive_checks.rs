//! Checks that any command may report next to its own work: overdue jobs.
//!
//! Files and the state database are read, nothing is written, AWS is not asked; never on the path of a cached
//! answer.

use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::job_files::JobFiles;
use crate::clock;
use crate::host;
use crate::jobs::{self, Ledger};
use crate::model::Zone;
use std::sync::{Arc, Mutex};

/// Checks that any command may report next to its own work.
pub struct PassiveChecks<'a> {
    app: &'a App,
}

impl<'a> PassiveChecks<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> PassiveChecks<'a> {
        PassiveChecks { app }
    }

    /// Jobs that were due long ago and did not run, one sentence each.
    pub fn overdue_jobs(&self) -> Result<Vec<String>, AppError> {
        // No scheduler runs the jobs of a sandbox.
        if self.app.is_sandbox() || matches!(self.app.state_dir().try_exists(), Ok(false)) {
            return Ok(Vec::new());
        }
        let Some(database) = self.app.state().database_read_only()? else { return Ok(Vec::new()) };
        let ledger = Ledger::new(Arc::new(Mutex::new(database)));
        let zone = host::local_zone().unwrap_or(Zone::UTC);
        let late = jobs::overdue(
            &JobFiles::new(self.app).valid()?.0,
            &ledger,
            &zone,
            &host::host_name(),
            self.app.clock().now(),
        )?;
        let sentence = |late: jobs::OverdueJob| {
            let profile = late.profile.map(|profile| format!(" ({profile})")).unwrap_or_default();
            format!("{}{profile} was due at {} and did not run", late.job, clock::local(late.due_at))
        };
        Ok(late.into_iter().map(sentence).collect())
    }

    /// The same as one notice, with what to do; a fault is a notice too.
    pub fn overdue_jobs_notice(&self) -> Option<String> {
        match self.overdue_jobs() {
            Ok(late) if late.is_empty() => None,
            Ok(late) => Some(format!(
                "jobs do not run: {}; is cron, the timer or `awsideman jobs daemon` on? `awsideman jobs run` runs them now",
                late.join("; ")
            )),
            Err(error) => Some(format!("whether jobs are late could not be seen: {error}")),
        }
    }
}
