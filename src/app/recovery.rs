//! Disable, enable, recover: the emergency operations.
//!
//! Works under live processes and stops none of them; the damaged generation stays where it is, as evidence, until
//! somebody has it pruned; what is taken over from it is verified, and no change that is remembered was about it.

use super::recovery_turn::RecoveryTurn;
use super::{App, AppError, SelfTest};
use crate::cache::{SalvageTarget, Salvaged};
use crate::clock::millis;
use crate::config::Backend;
use crate::host;
use crate::progress::Progress;
use crate::state::{self, Disabled, PersistedBreaker};
use crate::store::{Disk, Remains, Store};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The descriptors that reading the old cache and making the new one need at most.
const SALVAGE_DESCRIPTORS: usize = 16;

/// What a recovery is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Recovery {
    /// Whether what is sound is taken over.
    pub salvage: bool,
    /// Whether it only says what it would do.
    pub dry_run: bool,
}

/// What a recovery did, or with a dry run would do.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recovered {
    /// The version of this document.
    pub schema_version: u32,
    /// Whether nothing was really done.
    pub dry_run: bool,
    /// Whether another process recovered the cache while this one waited for it.
    pub by_another: bool,
    /// The generation that was replaced; null when there was none.
    pub old: Option<String>,
    /// The marker that says since when it is no longer used.
    pub marker: Option<String>,
    /// The new generation; null with a dry run.
    pub new: Option<String>,
    /// What was taken over from the old one; null when that was not asked for, or there was none.
    pub salvaged: Option<Salvaged>,
    /// What was done about `state.db`; null when it is sound or not there.
    pub state: Option<String>,
    /// The self-test on the new generation; null with a dry run.
    pub test: Option<SelfTest>,
}

/// Something that an earlier recovery set aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SetAside {
    /// The database.
    pub path: String,
    /// Bytes of it and its companions.
    pub bytes: u64,
}

impl App {
    /// Disables the cache for every process of this state directory. Returns until when, and a notice.
    pub fn disable(
        &self,
        duration: Option<Duration>,
        reason: Option<&str>,
    ) -> Result<(Disabled, Option<String>), AppError> {
        let now = self.clock().now();
        let disabled = Disabled {
            since: now,
            until: now.saturating_add(millis(duration.unwrap_or(self.config().cache.disable_for))),
            reason: reason.map(str::to_owned),
            by: format!("{}@{}", host::user_name(), host::host_name()),
        };
        let notice = self.state().disable(disabled.clone(), now)?;
        // On a full disk the reason and the end may be lost: what the switch says now is what holds.
        let kept = notice.as_ref().and_then(|_| self.state().switch().0.disabled(now).cloned());
        Ok((kept.unwrap_or(disabled), notice))
    }

    /// Enables it again; gives back who had disabled it.
    pub fn enable(&self) -> Result<Option<Disabled>, AppError> {
        Ok(self.state().enable(self.clock().now())?)
    }

    /// Puts a new generation in place of the present one, takes over what is sound, closes the breaker and tests it; a
    /// damaged `state.db` is set aside and begun anew.
    ///
    /// Without the key of an encrypted cache there is nothing to take over, and what is sound would be set aside: that is
    /// an error, and only a cache that is begun empty on purpose is made.
    pub fn recover(&self, wish: Recovery, progress: &dyn Progress) -> Result<Recovered, AppError> {
        if let Some(problem) = self.key_problem().filter(|_| wish.salvage)
            && Disk::live_in(&self.disk_options())?.is_some()
        {
            return Err(AppError::SalvageWithoutKey(problem.to_owned()));
        }
        if wish.dry_run {
            return self.rehearse_recovery(wish, progress);
        }
        if wish.salvage {
            host::check_descriptors(SALVAGE_DESCRIPTORS).map_err(AppError::Limit)?;
        }
        let before = Disk::live_in(&self.disk_options())?;
        let turn = RecoveryTurn::take(&self.state(), self.clock().now(), progress);
        if let Some(live) = turn.recovered_by_another(before.as_deref(), Disk::live_in(&self.disk_options())?) {
            return self.test_recovered(&live);
        }
        let progress = turn.progress(progress);
        let progress = progress.as_ref();
        let now = self.clock().now();
        let state = self.recover_state();
        // First the flip: from here on every process reads and writes the new one.
        let flip = Disk::flip_in(&self.disk_options(), now)?;
        let salvaged = flip.old.as_ref().filter(|_| wish.salvage).map(|old| {
            let disk = match self.open_disk() {
                Ok(disk) => disk,
                Err(error) => return nothing(&error),
            };
            let heir = SalvageTarget { disk: Some(&disk), ring: self.ring(), since: flip.number, begun: now };
            let salvaged = self.salvage(old, heir, progress);
            // What could not be folded in now is by the next sweep.
            let _ = disk.settle();
            salvaged
        });
        self.state().set_breaker(self.cache_dir(), PersistedBreaker::default(), now)?;
        self.begin_hit_window();
        let test = self.test_disk()?;
        Ok(Recovered {
            schema_version: 1,
            dry_run: false,
            by_another: false,
            old: flip.old.map(|path| path.display().to_string()),
            marker: flip.marker.map(|path| path.display().to_string()),
            new: Some(flip.new.display().to_string()),
            salvaged,
            state,
            test: Some(test),
        })
    }

    /// The result for a process that waited for the recovery of another one.
    fn test_recovered(&self, live: &Path) -> Result<Recovered, AppError> {
        Ok(Recovered {
            schema_version: 1,
            dry_run: false,
            by_another: true,
            old: None,
            marker: None,
            new: Some(live.display().to_string()),
            salvaged: None,
            state: None,
            test: Some(self.test_disk()?),
        })
    }

    /// Tests the disk as a new process would find it: the switch that this process read may still say that the breaker
    /// is open, and its backend may be another one.
    fn test_disk(&self) -> Result<SelfTest, AppError> {
        let mut loaded = self.loaded().clone();
        loaded.config.cache.backend = Backend::Disk;
        App::new(loaded, None)?.trial()
    }

    fn rehearse_recovery(&self, wish: Recovery, progress: &dyn Progress) -> Result<Recovered, AppError> {
        let old = Disk::live_in(&self.disk_options())?;
        let heir = SalvageTarget { disk: None, ring: self.ring(), since: 0, begun: self.clock().now() };
        let salvaged = old.as_ref().filter(|_| wish.salvage).map(|old| self.salvage(old, heir, progress));
        Ok(Recovered {
            schema_version: 1,
            dry_run: true,
            by_another: false,
            old: old.map(|path| path.display().to_string()),
            marker: None,
            new: None,
            salvaged,
            state: self.state_damage().map(|damage| format!("state.db is damaged ({damage}); it would be set aside")),
            test: None,
        })
    }

    fn salvage(&self, old: &Path, heir: SalvageTarget<'_>, progress: &dyn Progress) -> Salvaged {
        match Remains::open(&self.disk_options(), old) {
            Ok(remains) => self.detached_cache().salvage(&remains, heir, progress),
            Err(reason) => nothing(&reason),
        }
    }

    /// Sets a damaged `state.db` aside; what was done about it, or why nothing could be.
    fn recover_state(&self) -> Option<String> {
        if matches!(self.state_dir().join("state.db").try_exists(), Ok(false)) {
            return None;
        }
        match self.state().renew_database(self.clock().now()) {
            Ok((_, notice)) => notice,
            Err(error) => Some(format!("state.db was left as it is: {error}")),
        }
    }

    fn state_damage(&self) -> Option<String> {
        match self.state().database_read_only() {
            Ok(None) => None,
            Ok(Some(database)) => database.damage().unwrap_or_else(|error| Some(error.to_string())),
            Err(error) => Some(error.to_string()),
        }
    }

    /// What earlier recoveries set aside, of the cache and of the state.
    pub fn set_aside(&self) -> Result<Vec<SetAside>, AppError> {
        let caches = Disk::evidence(&self.disk_options())?.into_iter().map(|found| (found.path, found.bytes));
        let states = state::set_aside(self.state_dir())?;
        let told = |(path, bytes): (PathBuf, u64)| SetAside { path: path.display().to_string(), bytes };
        Ok(caches.chain(states).map(told).collect())
    }

    /// Removes those of them that are among `chosen`: what was set aside since they were shown stays.
    pub fn prune(&self, chosen: &[SetAside]) -> Result<(), AppError> {
        let is_chosen = |path: &Path| chosen.iter().any(|one| Path::new(&one.path) == path);
        for evidence in Disk::evidence(&self.disk_options())?.iter().filter(|found| is_chosen(&found.path)) {
            Disk::discard_evidence(&self.disk_options(), evidence)?;
        }
        for (path, _) in state::set_aside(self.state_dir())?.iter().filter(|(path, _)| is_chosen(path)) {
            state::remove_aside(path)?;
        }
        Ok(())
    }
}

fn nothing(reason: &dyn std::fmt::Display) -> Salvaged {
    Salvaged { ended: Some(reason.to_string()), ..Salvaged::default() }
}
