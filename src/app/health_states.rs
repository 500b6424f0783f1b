//! Measures the states that health judges: directories, disk, state database, job files, notifiers, past runs, AWS.
//!
//! Measuring changes nothing and makes no call to AWS. A state that cannot be read is itself a finding.

use crate::alerts;
use crate::app::core::App;
use crate::app::directories;
use crate::app::job_files::JobFiles;
use crate::clock::{self, UnixMillis};
use crate::health::{AwsReading, DirectoryReading, JobFilesReading, JobRunReading, Level};
use crate::host::{self, DiskSpace};
use crate::jobs::{LastRun, Ledger, RunOutcome, last_runs, stuck};
use crate::state::{self, Database};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// Measures the states that health judges, apart from the store.
pub(super) struct HealthStates<'a> {
    app: &'a App,
}

impl<'a> HealthStates<'a> {
    /// The same operations for this application.
    pub(super) fn new(app: &'a App) -> HealthStates<'a> {
        HealthStates { app }
    }

    /// The number of partial runs in a row that alerts; at most as many as the ledger keeps.
    pub(super) fn alarming_partial_runs(&self) -> u32 {
        self.app.config().alerts.partial_runs.min(self.app.config().jobs.history).max(1)
    }

    /// The cache directory, unless entries are kept in memory, and the state directory.
    pub(super) fn directories(&self) -> Vec<DirectoryReading> {
        let homeless = self.app.homeless.as_ref().map(|why| DirectoryReading {
            name: "home directory",
            level: Level::Critical,
            message: why.clone(),
            hint: "set HOME, or the directories that the message names".to_owned(),
        });
        let cache = (!self.app.is_memory()).then(|| ("cache directory", self.app.cache_dir()));
        let all = cache.into_iter().chain([("state directory", self.app.state_dir())]);
        let judged = all.map(|(name, path)| directories::directory(name, path, self.app.access()));
        homeless.into_iter().chain(judged).collect()
    }

    /// The free space of the fuller of the disks of cache and state, and the directory that is on it.
    pub(super) fn fullest_disk(&self) -> (Option<DiskSpace>, &'a Path) {
        let dirs = [self.app.cache_dir(), self.app.state_dir()];
        let spaces = dirs.into_iter().filter_map(|dir| Some((host::free_space(dir).ok()?, dir)));
        match spaces.min_by_key(|(space, _)| space.free) {
            Some((space, dir)) => (Some(space), dir),
            None => (None, self.app.cache_dir()),
        }
    }

    /// Runs past their timeout, each with the command that ends it.
    pub(super) fn stuck_jobs(&self, now: UnixMillis) -> Vec<(String, String)> {
        // Unreadable job files have their own finding.
        let jobs = JobFiles::new(self.app).valid().map(|(jobs, _)| jobs).unwrap_or_default();
        let stuck = stuck(&jobs, self.app.state_dir(), self.app.config().jobs.grace, now);
        stuck.iter().map(|stuck| (stuck.sentence(), stuck.hint())).collect()
    }

    /// The number of valid job files, and the problems of the others or of their directory.
    pub(super) fn job_files(&self) -> JobFilesReading {
        let folder = self.app.config().jobs.dir.as_deref();
        let (jobs, broken) = match JobFiles::new(self.app).valid() {
            Ok(read) => read,
            Err(error) => return JobFilesReading { problems: vec![error.to_string()], ..JobFilesReading::default() },
        };
        let mut problems: Vec<String> = broken
            .iter()
            .map(|file| file.problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
            .collect();
        if let (true, Some(folder)) = (jobs.is_empty() && broken.is_empty(), folder) {
            problems.push(format!("jobs.dir: {} has no *.toml file, so no job runs", folder.display()));
        }
        let enabled = jobs.iter().filter(|job| job.enabled).count();
        JobFilesReading { jobs: jobs.len(), enabled, problems }
    }

    /// Enabled notifiers whose program does not exist, or lacks variables that it is likely to need.
    pub(super) fn notifier_problems(&self) -> Vec<String> {
        let settings = &self.app.config().alerts;
        let mut problems = alerts::missing_programs(settings);
        problems.extend(settings.command.warning());
        problems
    }

    /// How each job ended last.
    pub(super) fn job_runs(&self, database: Option<Database>) -> Result<Vec<JobRunReading>, String> {
        let (Some(database), Ok((jobs, _))) = (database, JobFiles::new(self.app).valid()) else {
            return Ok(Vec::new());
        };
        let ledger = Ledger::new(Arc::new(Mutex::new(database)));
        let runs = last_runs(&jobs, &ledger, self.app.state_dir()).map_err(|error| error.to_string())?;
        Ok(runs.iter().map(|run| reading_of(run, self.alarming_partial_runs())).collect())
    }
}

/// The last contact with AWS, if it failed.
pub(super) fn aws_reading(database: &Database) -> Result<Option<AwsReading>, state::StateError> {
    Ok(state::failed_contact(database)?.map(|(at, reason)| AwsReading { at, reason }))
}

fn reading_of(run: &LastRun, alarming_partial_runs: u32) -> JobRunReading {
    let (name, job) = (run.name(), &run.job);
    let (level, command) = match run.outcome {
        RunOutcome::Done | RunOutcome::Skipped | RunOutcome::Cancelled => {
            let message = format!("{} at {}", run.outcome.as_str(), clock::local(run.at));
            return JobRunReading { name, level: Level::Ok, message, hint: String::new() };
        }
        RunOutcome::Partial if run.partial_in_a_row < alarming_partial_runs => (Level::Warn, "logs"),
        RunOutcome::Partial => (Level::Critical, "logs"),
        RunOutcome::Failed | RunOutcome::TimedOut | RunOutcome::Missed | RunOutcome::Crashed => {
            (Level::Critical, "run")
        }
    };
    let times = match run.partial_in_a_row {
        0 | 1 => String::new(),
        n => format!(" {n} times in a row"),
    };
    let hint = quoted_command(&run.reason).map_or_else(|| format!("awsideman jobs {command} {job}"), str::to_owned);
    JobRunReading { name, level, message: format!("{}{times}: {}", run.outcome.verb(), run.reason), hint }
}

/// A sentence often ends with a command (`log in with ``aws sso login --profile p`` `): that helps more than running
/// the job again.
fn quoted_command(text: &str) -> Option<&str> {
    text.split('`').skip(1).step_by(2).find(|word| word.starts_with("aws ") || word.starts_with("awsideman "))
}
