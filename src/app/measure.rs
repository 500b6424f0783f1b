//! Measuring: what the store holds, what commands looked up, how the host is.
//!
//! Neighbours: `health/` judges what is measured here; `status.rs` shows it. Promise: measuring changes no figure, works
//! with a store or state that cannot be read (and says so), and needs nothing of AWS.

use super::App;
use crate::clock::{UnixMillis, millis};
use crate::health::{BreakerReading, Disabled, Health, Measurements, WritesReading, examine};
use crate::host;
use crate::private;
use crate::state::Counts;
use crate::store::{Select, Size, Store, StoreError};
use std::ops::ControlFlow;

/// Everything that is known about the cache at one moment.
#[derive(Debug, Clone)]
pub struct Measured {
    /// What the store holds; zero when it cannot be read.
    pub size: Size,
    /// When the oldest entry was stored.
    pub oldest: Option<UnixMillis>,
    /// Lookups of commands within `health.window`.
    pub window: Counts,
    /// Lookups of commands since the statistics began.
    pub lifetime: Counts,
    /// The measurements as health wants them.
    pub measurements: Measurements,
    /// The verdict.
    pub health: Health,
    /// What a person should know beside it.
    pub notices: Vec<String>,
}

impl App {
    /// Measures and judges, and sees whether anybody runs the jobs.
    pub fn measure(&self) -> Measured {
        let (late, problem) = match self.late_jobs() {
            Ok(late) => (Some(late), None),
            Err(error) => (None, Some(format!("whether jobs are late could not be seen: {error}"))),
        };
        let mut measured = self.measure_with(late);
        measured.notices.extend(problem);
        measured
    }

    /// The same for the one who runs the jobs: what is late then is told by its runner.
    pub(super) fn measure_in_run(&self) -> Measured {
        self.measure_with(None)
    }

    fn measure_with(&self, late_jobs: Option<Vec<String>>) -> Measured {
        let now = self.clock().now();
        let mut notices = Vec::new();
        if let Some(problem) = &self.switch().1 {
            notices.push(problem.clone());
        }
        // Before the store is looked at: that may be the trial, and is no reason to say anything else.
        let mark = self.breaker();
        let (size, oldest, store_problem) = self.measure_store();
        notices.extend(self.store_notice());
        let (window, lifetime) = self.counts(now, &mut notices);
        let space = host::free_space(self.cache_dir()).ok();
        let measurements = Measurements {
            window_hits: window.hits(),
            window_misses: window.misses(),
            window_errors: window.errors(),
            window: self.config().health.window,
            held_bytes: size.held,
            limit_bytes: self.limit_bytes(),
            entries: size.entries,
            oldest_stored_at: oldest,
            free_disk_bytes: space.map(|space| space.free),
            total_disk_bytes: space.map(|space| space.total),
            disabled: self.disabled_reading(),
            breaker: BreakerReading {
                state: mark.state.as_str().to_owned(),
                failure_count: mark.failure_count,
                last_failure_time: mark.last_failure_time,
                writes: WritesReading {
                    state: mark.writes.state.as_str().to_owned(),
                    failure_count: mark.writes.failure_count,
                    last_failure_time: mark.writes.last_failure_time,
                },
            },
            store_problem,
            foreign: self.foreign_entries(),
            directory_problems: self.directory_problems(),
            login: self.login_reading(),
            late_jobs,
            now,
        };
        let health = examine(&measurements, &self.config().health, &self.config().cache);
        Measured { size, oldest, window, lifetime, measurements, health, notices }
    }

    /// The store to look at; `None` when nothing has been cached yet, which looking does not change.
    pub(super) fn store_to_look_at(&self) -> Result<Option<&dyn Store>, StoreError> {
        // A directory that cannot even be looked at is not an empty one: opening it says why.
        if !self.is_memory() && matches!(self.cache_dir().try_exists(), Ok(false)) {
            return Ok(None);
        }
        Ok(Some(self.store()?.as_ref()))
    }

    /// How much the store holds; nothing when nothing has been cached yet.
    pub fn store_size(&self) -> Result<Size, StoreError> {
        self.store_to_look_at()?.map_or(Ok(Size::default()), Store::size)
    }

    fn measure_store(&self) -> (Size, Option<UnixMillis>, Option<String>) {
        let measured = self.store_to_look_at().and_then(|store| {
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
            Ok((size, oldest)) if !self.is_memory() => {
                let problem = self.key_problem().map(|problem| StoreError::Key(problem.to_owned()).to_string());
                (size, oldest, problem)
            }
            Ok((size, oldest)) => (size, oldest, None),
            Err(error) => (Size::default(), None, Some(error.to_string())),
        }
    }

    /// What is wrong with the directories that we own.
    fn directory_problems(&self) -> Vec<String> {
        let cache = (!self.is_memory()).then(|| self.cache_dir());
        let judged = cache.into_iter().chain([self.state_dir()]).map(|path| private::judge(path, self.access()));
        let problems = judged.filter_map(Result::err).map(|problem| problem.to_string());
        problems.chain(self.switch().1.clone()).collect()
    }

    /// Since and until when the cache is disabled, as far as the switch tells; a configuration knows no times.
    fn disabled_reading(&self) -> Option<Disabled> {
        let disabled = self.disabled()?;
        let by_switch = self.switch().1.is_none() && self.switch().0.disabled(self.clock().now()).is_some();
        Some(Disabled { since: by_switch.then_some(disabled.since), until: disabled.end(), reason: disabled.reason })
    }

    /// What commands looked up, what is not folded yet included. Nothing is written for it.
    fn counts(&self, now: UnixMillis, notices: &mut Vec<String>) -> (Counts, Counts) {
        let state = self.state();
        if matches!(self.state_dir().try_exists(), Ok(false)) {
            return (Counts::default(), Counts::default());
        }
        let database = state.database_read_only().unwrap_or_else(|error| {
            notices.push(format!("the statistics could not be read: {error}"));
            None
        });
        let since = now - millis(self.config().health.window);
        let window = state.window(database.as_ref(), self.cache_dir(), since);
        let lifetime = state.lifetime(database.as_ref(), self.cache_dir());
        match (window, lifetime) {
            (Ok(window), Ok(lifetime)) => (window, lifetime),
            (Err(error), _) | (_, Err(error)) => {
                notices.push(format!("the statistics could not be read: {error}"));
                (Counts::default(), Counts::default())
            }
        }
    }
}
