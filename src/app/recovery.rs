//! Disable, enable, recover: the emergency operations.
//!
//! Works under live processes and stops none of them; the damaged generation stays where it is, as evidence, until
//! `--prune` removes it. Only verified entries are carried over, and none that a recorded change covers.

use crate::app::core::App;
use crate::app::encryption_keys::EncryptionKeys;
use crate::app::error::AppError;
use crate::app::maintenance::Maintenance;
use crate::app::recovery_turn::RecoveryTurn;
use crate::app::self_test::{SelfTest, SelfTester};
use crate::app::stack::StoreStack;
use crate::cache::{SalvageTarget, Salvaged};
use crate::config::Backend;
use crate::host;
use crate::progress::Progress;
use crate::state::{self, PersistedBreaker};
use crate::store::{Disk, Remains, Store};
use serde::Serialize;
use std::path::{Path, PathBuf};

/// The descriptors that reading the old cache and making the new one need at most.
const SALVAGE_DESCRIPTORS: usize = 16;

/// What a recovery does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RecoveryRequest {
    /// Whether intact entries are carried over.
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
    /// What was done about `state.db`; null if it is intact or absent.
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

/// Recovers a damaged cache, and removes what recoveries set aside.
pub struct Recovery<'a> {
    app: &'a App,
}

impl<'a> Recovery<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> Recovery<'a> {
        Recovery { app }
    }

    /// Starts a new generation, carries over the intact entries, closes the circuit breaker and tests it; a
    /// damaged `state.db` is set aside and replaced.
    ///
    /// Without the key of an encrypted cache, no entry can be carried over and intact ones would be set aside: this is
    /// an error, except for a recovery without salvage.
    pub fn recover(&self, request: RecoveryRequest, progress: &dyn Progress) -> Result<Recovered, AppError> {
        if let Some(problem) = EncryptionKeys::new(self.app).problem().filter(|_| request.salvage)
            && Disk::live_in(&StoreStack::new(self.app).disk_options())?.is_some()
        {
            return Err(AppError::SalvageWithoutKey(problem.to_owned()));
        }
        if request.dry_run {
            return self.rehearse(request, progress);
        }
        if request.salvage {
            host::check_descriptors(SALVAGE_DESCRIPTORS).map_err(AppError::Limit)?;
        }
        let turn = RecoveryTurn::take(&self.app.state(), self.app.clock().now(), progress);
        // A cache that is to begin empty is not one with the old entries.
        if request.salvage
            && let Some(live) = Disk::live_in(&StoreStack::new(self.app).disk_options())?
            && turn.was_recovered_by_another(&self.app.state(), &live)
        {
            return self.test_recovered(&live);
        }
        let progress = turn.progress(progress);
        let progress = progress.as_ref();
        let now = self.app.clock().now();
        let state = self.recover_state();
        // First the flip: from here on every process reads and writes the new one.
        let flip = Disk::flip_in(&StoreStack::new(self.app).disk_options(), now)?;
        let salvaged = flip.old.as_ref().filter(|_| request.salvage).map(|old| {
            let disk = match StoreStack::new(self.app).open_disk() {
                Ok(disk) => disk,
                Err(error) => return nothing(&error),
            };
            let target = SalvageTarget {
                disk: Some(&disk),
                ring: EncryptionKeys::new(self.app).state(),
                since: flip.number,
                begun: now,
            };
            let salvaged = self.salvage(old, target, progress);
            // What could not be folded in now is by the next sweep.
            let _ = disk.settle();
            salvaged
        });
        self.app.state().set_breaker(self.app.cache_dir(), PersistedBreaker::default(), now)?;
        Maintenance::new(self.app).begin_hit_window();
        let test = self.test_disk()?;
        let is_complete = salvaged.as_ref().is_none_or(|salvaged| salvaged.ended.is_none());
        if request.salvage && is_complete && test.ok {
            RecoveryTurn::record_end(&self.app.state(), &flip.new);
        }
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
        let mut loaded = self.app.loaded().clone();
        loaded.config.cache.backend = Backend::Disk;
        SelfTester::new(&App::new(loaded, None)?).run()
    }

    fn rehearse(&self, request: RecoveryRequest, progress: &dyn Progress) -> Result<Recovered, AppError> {
        let old = Disk::live_in(&StoreStack::new(self.app).disk_options())?;
        let target = SalvageTarget {
            disk: None,
            ring: EncryptionKeys::new(self.app).state(),
            since: 0,
            begun: self.app.clock().now(),
        };
        let salvaged = old.as_ref().filter(|_| request.salvage).map(|old| self.salvage(old, target, progress));
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

    fn salvage(&self, old: &Path, target: SalvageTarget<'_>, progress: &dyn Progress) -> Salvaged {
        match Remains::open(&StoreStack::new(self.app).disk_options(), old, target.begun) {
            Ok(remains) => StoreStack::new(self.app).detached_cache().salvage(&remains, target, progress),
            Err(reason) => nothing(&reason),
        }
    }

    /// Sets a damaged `state.db` aside; what was done about it, or why nothing could be.
    fn recover_state(&self) -> Option<String> {
        if matches!(self.app.state_dir().join("state.db").try_exists(), Ok(false)) {
            return None;
        }
        match self.app.state().renew_database(self.app.clock().now()) {
            Ok((_, notice)) => notice,
            Err(error) => Some(format!("state.db was left as it is: {error}")),
        }
    }

    fn state_damage(&self) -> Option<String> {
        match self.app.state().database_read_only() {
            Ok(None) => None,
            Ok(Some(database)) => database.damage().unwrap_or_else(|error| Some(error.to_string())),
            Err(error) => Some(error.to_string()),
        }
    }

    /// What earlier recoveries set aside, of the cache and of the state.
    pub fn evidence(&self) -> Result<Vec<SetAside>, AppError> {
        let caches = Disk::evidence(&StoreStack::new(self.app).disk_options())?
            .into_iter()
            .map(|found| (found.path, found.bytes));
        let states = state::set_aside(self.app.state_dir())?;
        let shown = |(path, bytes): (PathBuf, u64)| SetAside { path: path.display().to_string(), bytes };
        Ok(caches.chain(states).map(shown).collect())
    }

    /// Removes those of them that are among `chosen`: what was set aside since they were shown stays.
    pub fn prune(&self, chosen: &[SetAside]) -> Result<(), AppError> {
        let is_chosen = |path: &Path| chosen.iter().any(|one| Path::new(&one.path) == path);
        for evidence in
            Disk::evidence(&StoreStack::new(self.app).disk_options())?.iter().filter(|found| is_chosen(&found.path))
        {
            Disk::discard_evidence(&StoreStack::new(self.app).disk_options(), evidence)?;
        }
        for (path, _) in state::set_aside(self.app.state_dir())?.iter().filter(|(path, _)| is_chosen(path)) {
            state::remove_aside(path)?;
        }
        Ok(())
    }
}

fn nothing(reason: &dyn std::fmt::Display) -> Salvaged {
    Salvaged { ended: Some(reason.to_string()), ..Salvaged::default() }
}
