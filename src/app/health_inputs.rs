//! Measuring: what the store holds, what commands looked up, how the host is.
//!
//! Measuring changes no figure, works with a store or state that cannot be read (and says so), and needs nothing of
//! AWS.

use crate::app::account::AwsAccount;
use crate::app::breaker_memory::BreakerMemory;
use crate::app::core::App;
use crate::app::encryption::EncryptionAdmin;
use crate::app::encryption_keys::EncryptionKeys;
use crate::app::error::AppError;
use crate::app::health_states::{HealthStates, aws_reading};
use crate::app::kill_switch::KillSwitch;
use crate::app::limits::{CacheLimits, LimitUse};
use crate::app::passive_checks::PassiveChecks;
use crate::app::stack::StoreStack;
use crate::app::state_reader::StateReader;
use crate::clock::{UnixMillis, millis};
use crate::health::{BreakerReading, HealthReport, Measurements, WritesReading, examine};
use crate::model::format_size;
use crate::state::{Database, HitWindow, LookupCounts, PersistedBreaker, StateError, throttles_of_last_hour};
use crate::store::{Select, Size, StoreError};
use std::ops::ControlFlow;

/// Everything that is known about the cache at one moment.
#[derive(Debug, Clone)]
pub struct Measured {
    /// What the store holds; zero when it cannot be read.
    pub size: Size,
    /// Why the store could not be read.
    pub unread: Option<String>,
    /// When the oldest entry was stored.
    pub oldest: Option<UnixMillis>,
    /// Lookups of commands within `health.window`.
    pub window: LookupCounts,
    /// Lookups of commands since the statistics began.
    pub lifetime: LookupCounts,
    /// The limits with their use.
    pub limits: Vec<LimitUse>,
    /// The measurements as health wants them.
    pub measurements: Measurements,
    /// The verdict.
    pub health: HealthReport,
    /// Further notices for people.
    pub notices: Vec<String>,
}

/// Measures the cache and its host, and judges them.
pub struct HealthInputs<'a> {
    app: &'a App,
}

impl<'a> HealthInputs<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> HealthInputs<'a> {
        HealthInputs { app }
    }

    /// Measures and judges, overdue jobs and past runs included.
    pub fn measure(&self) -> Measured {
        self.measure_for(false)
    }

    /// The same for a run of a job: its runner reports overdue and failed jobs.
    pub(super) fn measure_in_run(&self) -> Measured {
        self.measure_for(true)
    }

    fn measure_for(&self, is_run: bool) -> Measured {
        let now = self.app.clock().now();
        let mut notices = Vec::new();
        // Before the store is read: that may be the trial, and is no reason to report anything else.
        let mark = BreakerMemory::new(self.app).current();
        let (size, oldest, store_problem, unread) = self.measure_store();
        notices.extend(StoreStack::new(self.app).notice());
        let (database, mut state_problem) = StateReader::new(self.app).read_only();
        let mut or_problem = |error: String| {
            state_problem.get_or_insert(error);
        };
        let (window, lifetime) = self.counts(database.as_ref(), now).unwrap_or_else(|error| {
            or_problem(error.to_string());
            Default::default()
        });
        let aws = database.as_ref().map_or(Ok(None), aws_reading).unwrap_or_else(|error| {
            or_problem(error.to_string());
            None
        });
        let throttles = database.as_ref().map_or(Ok(0), |database| throttles_of_last_hour(database, now));
        let throttles = throttles.unwrap_or_default();
        let late_jobs = (!is_run).then(|| {
            PassiveChecks::new(self.app).overdue_jobs().unwrap_or_else(|error| {
                // Job files that cannot be read are a check of their own.
                if !matches!(error, AppError::Config(_)) {
                    or_problem(error.to_string());
                }
                Vec::new()
            })
        });
        let job_runs = if is_run { Ok(Vec::new()) } else { HealthStates::new(self.app).job_runs(database) };
        let job_runs = job_runs.unwrap_or_else(|error| {
            or_problem(error);
            Vec::new()
        });
        let (space, free_disk_path) = HealthStates::new(self.app).fullest_disk();
        let HitWindow { counts: window, cold_misses, is_new } = window;
        let limits = CacheLimits::new(self.app).uses(size.held, size.entries);
        let measurements = Measurements {
            window_hits: window.hits(),
            window_misses: window.misses(),
            window_errors: window.errors(),
            window_errors_by_kind: window.errors_by_kind(),
            window: self.app.config().health.window,
            window_cold_misses: cold_misses,
            window_is_new: is_new,
            held_bytes: size.held,
            limit_bytes: CacheLimits::new(self.app).bytes(),
            entries: size.entries,
            oldest_stored_at: oldest,
            free_disk_bytes: space.map(|space| space.free),
            total_disk_bytes: space.map(|space| space.total),
            free_disk_path: free_disk_path.to_owned(),
            disabled: KillSwitch::new(self.app).measured(),
            breaker: breaker_reading(&mark),
            store_problem,
            foreign: EncryptionAdmin::new(self.app).foreign_entries(),
            directories: HealthStates::new(self.app).directories(),
            switch_problem: self.app.switch().1.clone(),
            state_problem,
            state_set_aside: StateReader::new(self.app).set_aside(),
            job_files: HealthStates::new(self.app).job_files(),
            notifier_problems: HealthStates::new(self.app).notifier_problems(),
            fences_ahead: self.fences_ahead(now),
            throttles,
            limit_uses: limits.iter().map(limit_phrase).collect(),
            aws,
            job_runs,
            login: AwsAccount::new(self.app).login_reading(),
            late_jobs,
            stuck_jobs: HealthStates::new(self.app).stuck_jobs(now),
            now,
        };
        let health = examine(&measurements, &self.app.config().health);
        Measured { size, unread, oldest, window, lifetime, limits, measurements, health, notices }
    }

    /// Fences of a clock that was ahead; none where the store cannot be read, which has its own finding.
    fn fences_ahead(&self, now: UnixMillis) -> u64 {
        let store = StoreStack::new(self.app).existing_store().ok().flatten();
        store.and_then(|store| store.fences_ahead(now).ok()).unwrap_or_default()
    }

    /// Size, age of the oldest entry, a problem of the store, and the one for which the size is unknown.
    fn measure_store(&self) -> (Size, Option<UnixMillis>, Option<String>, Option<String>) {
        let measured = StoreStack::new(self.app).existing_store().and_then(|store| {
            let Some(store) = store else { return Ok((Size::default(), None)) };
            let size = store.size()?;
            let mut oldest: Option<UnixMillis> = None;
            store.scan(&Select::All, &mut |meta| {
                oldest = Some(oldest.map_or(meta.stored_at, |known| known.min(meta.stored_at)));
                ControlFlow::Continue(())
            })?;
            Ok((size, oldest))
        });
        match measured {
            // What is there can be counted without the key, and is of no use.
            Ok((size, oldest)) if !self.app.is_memory() => {
                let problem = EncryptionKeys::new(self.app)
                    .problem()
                    .map(|problem| StoreError::Key(problem.to_owned()).to_string());
                (size, oldest, problem, None)
            }
            Ok((size, oldest)) => (size, oldest, None, None),
            Err(error) => (Size::default(), None, Some(error.to_string()), Some(error.to_string())),
        }
    }

    /// The lookups of commands, unfolded records included. Writes nothing.
    fn counts(&self, database: Option<&Database>, now: UnixMillis) -> Result<(HitWindow, LookupCounts), StateError> {
        let (state, cache) = (self.app.state(), self.app.cache_dir());
        if matches!(self.app.state_dir().try_exists(), Ok(false)) {
            return Ok(Default::default());
        }
        let window = state.hit_window(database, cache, now - millis(self.app.config().health.window))?;
        Ok((window, state.lifetime(database, cache)?))
    }
}

/// `cache.max_size_mb 1.2 MB of 512.0 MB (0%), evicts first`.
fn limit_phrase(limit: &LimitUse) -> String {
    let amount = |n: u64| if limit.unit == "bytes" { format_size(n) } else { format!("{n} entries") };
    if limit.limit == 0 {
        return format!("{} not set", limit.setting);
    }
    let evicts = if limit.evicts { ", evicts first" } else { "" };
    let (used, whole, percent) = (amount(limit.used), amount(limit.limit), limit.share() * 100.0);
    format!("{} {used} of {whole} ({percent:.0}%){evicts}", limit.setting)
}

fn breaker_reading(mark: &PersistedBreaker) -> BreakerReading {
    BreakerReading {
        state: mark.state.as_str().to_owned(),
        failure_count: mark.failure_count,
        last_failure_time: mark.last_failure_time,
        writes: WritesReading {
            state: mark.writes.state.as_str().to_owned(),
            failure_count: mark.writes.failure_count,
            last_failure_time: mark.writes.last_failure_time,
        },
    }
}
