//! Opens the store as configured: memory or disk, encryption, breaker.
//!
//! A command goes on with live answers if the store cannot be opened or the cache is disabled.

use crate::app::account::AwsAccount;
use crate::app::breaker_memory::BreakerMemory;
use crate::app::core::App;
use crate::app::encryption_keys::EncryptionKeys;
use crate::app::error::AppError;
use crate::app::limits::CacheLimits;
use crate::app::opened_store::{OpenedStore, OpenedStores, mark};
use crate::cache::{Cache, EntrySettings};
use crate::config::{Backend, Loaded};
use crate::secure_fs::Prepared;
use crate::sqlite;
use crate::store::{self, BreakerLayer, Disk, Encrypted, Memory, Size, Store, StoreError, StoreFault, Tiered};
use std::sync::Arc;

/// A database log of this many bytes is folded by the command that grew it: a few dozen pages.
const LOG_WORTH_FOLDING: u64 = 256 * 1024;

/// Opens the store, and the layers over it.
pub struct StoreStack<'a> {
    app: &'a App,
}

impl<'a> StoreStack<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> StoreStack<'a> {
        StoreStack { app }
    }

    /// The disk store as it is configured, without a breaker.
    pub(super) fn open_disk(&self) -> Result<Encrypted, StoreError> {
        Ok(Encrypted::new(Disk::open(&self.disk_options())?, EncryptionKeys::new(self.app).state().clone()))
    }

    /// The store to look at; `None` when nothing has been cached yet, which looking does not change.
    pub(super) fn existing_store(&self) -> Result<Option<&'a dyn Store>, StoreError> {
        // A directory that cannot even be looked at is not an empty one: opening it says why.
        if !self.app.is_memory() && matches!(self.app.cache_dir().try_exists(), Ok(false)) {
            return Ok(None);
        }
        Ok(Some(self.app.store()?.as_ref()))
    }

    /// How much the store holds; nothing when nothing has been cached yet.
    pub fn size(&self) -> Result<Size, StoreError> {
        self.existing_store()?.map_or(Ok(Size::default()), Store::size)
    }

    /// This profile's space, as the disk remembers it.
    pub(super) fn namespace_on(&self, disk: &Arc<Encrypted>) -> Option<String> {
        AwsAccount::new(self.app).selection().remembered(&self.cache_on(disk)).map(|space| space.text())
    }

    pub(super) fn cache_on(&self, disk: &Arc<Encrypted>) -> Cache {
        Cache::new(disk.clone(), self.app.clock().clone(), self.cache_settings())
    }

    /// The disk store as configured, without a breaker in front; `None` where there is no cache directory.
    pub(super) fn existing_disk(&self) -> Result<Option<Arc<Encrypted>>, StoreError> {
        if !self.app.cache_dir().is_dir() {
            return Ok(None);
        }
        Ok(Some(Arc::new(self.open_disk()?)))
    }

    /// How the disk store is opened.
    pub(super) fn disk_options(&self) -> store::Options {
        store::Options {
            dir: self.app.cache_dir().to_owned(),
            access: self.app.access(),
            busy: self.app.config().cache.busy_timeout,
        }
    }

    /// The same for a program that stays: one that cannot be opened counts for the breaker, and is left alone while that
    /// is OPEN.
    pub fn reopened(&self) -> Result<&'a Arc<dyn Store>, StoreError> {
        if self.app.stores.live().is_some_and(OpenedStore::is_usable) {
            return self.app.store();
        }
        let before = BreakerMemory::new(self.app).recorded_now();
        if before.reads.state == store::BreakerState::Open {
            return Err(StoreError::BreakerOpen);
        }
        self.app.store().inspect_err(|error| {
            if !error.is_harmless() {
                let threshold = self.app.config().cache.breaker.failure_threshold;
                let failed =
                    mark(&before.failed(self.app.clock().now(), threshold, error.fault() == StoreFault::DiskFull));
                self.app.stores.set_unopened(failed);
            }
        })
    }

    /// What a command goes on with that has no store.
    fn without(&self, error: &StoreError) -> OpenedStore {
        let (now, threshold) = (self.app.clock().now(), self.app.config().cache.breaker.failure_threshold);
        let counts = !error.is_harmless();
        OpenedStore {
            store: Arc::new(Memory::new(CacheLimits::new(self.app).bytes(), 0)),
            breaker: None,
            failed: counts.then(|| {
                mark(&BreakerMemory::new(self.app).recorded_now().failed(
                    now,
                    threshold,
                    error.fault() == StoreFault::DiskFull,
                ))
            }),
            problem: Some(error.to_string()),
            fault: Some(error.fault()),
            is_damaged: error.is_damage(),
            is_locked: false,
        }
    }

    /// Why the store could not be opened for a command that went on without it.
    pub fn problem(&self) -> Option<&'a str> {
        self.app.stores.first.get().and_then(|opened| opened.problem.as_deref())
    }

    /// The command to type about [`StoreStack::problem`].
    pub fn remedy(&self) -> &'static str {
        if self.app.stores.first.get().is_some_and(|opened| opened.is_locked) {
            "`awsideman cache encryption status` says what is wrong with the key"
        } else if self.app.stores.first.get().is_some_and(|opened| opened.is_damaged) {
            "`awsideman cache recover` starts a new cache and keeps this one as evidence"
        } else {
            "`awsideman cache health` judges it, `awsideman doctor` says what to fix"
        }
    }

    /// After the last use of the store: what its breaker learned is kept for the next process.
    pub fn finish(&self) {
        let Some(after) = self.app.stores.live().and_then(OpenedStore::learned) else { return };
        let before = BreakerMemory::new(self.app).recorded();
        if before != after {
            // Not keeping it costs the next process the same timeout, nothing else.
            let now = self.app.clock().now();
            let _ = self.app.state().set_breaker(self.app.cache_dir(), after, now);
        }
    }

    /// Folds the log of the cache's database when it has grown, after the answer has been given.
    ///
    /// The first process to open a database reads its whole log: what one command leaves there, every cached answer
    /// after it would pay for.
    pub fn fold_log(&self) {
        let Some(breaker) = self.app.stores.disk() else { return };
        let Ok(path) = breaker.inner().path() else { return };
        let grown = std::fs::metadata(sqlite::sidecar(&path, "-wal")).is_ok_and(|log| log.len() > LOG_WORTH_FOLDING);
        if grown {
            // One that cannot be folded now costs time, nothing else.
            let _ = breaker.settle();
        }
    }

    /// What the opening of the cache directory changed about it, for people.
    pub fn notice(&self) -> Option<String> {
        match self.app.stores.disk()?.inner().prepared() {
            Prepared::Tightened(mode) => Some(format!(
                "{} could be used by others (mode {mode:04o}); its mode was put right",
                self.app.cache_dir().display()
            )),
            Prepared::Found | Prepared::Created => None,
        }
    }

    fn open(&self) -> Result<OpenedStore, StoreError> {
        let cache = &self.app.config().cache;
        if cache.backend == Backend::Memory {
            let store = Arc::new(Memory::new(CacheLimits::new(self.app).bytes(), cache.max_entries));
            return Ok(OpenedStore {
                store,
                breaker: None,
                failed: None,
                problem: None,
                fault: None,
                is_damaged: false,
                is_locked: false,
            });
        }
        let disk = self.open_disk()?;
        let problem = disk.locked().map(|reason| StoreError::Key(reason.to_owned()).to_string());
        let settings = &cache.breaker;
        let breaker = Arc::new(BreakerLayer::new(
            disk,
            self.app.clock().clone(),
            settings.failure_threshold,
            settings.recovery_timeout,
            BreakerMemory::new(self.app).remembered(),
        ));
        let store: Arc<dyn Store> = match self.app.memory_tier {
            0 => breaker.clone(),
            bytes => Arc::new(Tiered::new(breaker.clone(), bytes, self.app.clock().clone())),
        };
        let is_locked = problem.is_some();
        let fault = is_locked.then_some(StoreFault::Key);
        Ok(OpenedStore { store, breaker: Some(breaker), failed: None, problem, fault, is_damaged: false, is_locked })
    }

    pub(super) fn detached_cache(&self) -> Cache {
        Cache::new(
            Arc::new(Memory::new(CacheLimits::new(self.app).bytes(), 0)),
            self.app.clock().clone(),
            self.cache_settings(),
        )
    }

    pub(super) fn cache_settings(&self) -> EntrySettings {
        let cache = &self.app.config().cache;
        EntrySettings {
            ttls: cache.ttl.clone(),
            not_found_ttl: cache.not_found_ttl,
            stale_if_error: cache.stale_if_error,
            max_age: (!cache.max_age.is_zero()).then_some(cache.max_age),
            compression: cache.compression,
        }
    }
}

impl App {
    /// The same with another configuration, for a process that stays. What is held in memory stays while the new one asks
    /// for the same memory.
    pub fn configured(&self, loaded: Loaded) -> Result<App, AppError> {
        let app = App::new(loaded, self.sandbox.clone())?;
        let memory =
            |app: &App| app.is_memory().then(|| (CacheLimits::new(app).bytes(), app.config().cache.max_entries));
        let same = memory(&app).is_some() && memory(&app) == memory(self);
        let stores = OpenedStores::taken_over(self.stores.live().filter(|_| same).cloned());
        Ok(App { stores, memory_tier: self.memory_tier, invocation: self.invocation.clone(), ..app })
    }

    /// The store for the cache's own commands: an error when it cannot be opened.
    pub fn store(&self) -> Result<&Arc<dyn Store>, StoreError> {
        if let Some(opened) = self.stores.live().filter(|opened| opened.is_usable()) {
            return Ok(&opened.store);
        }
        let opened = StoreStack::new(self).open()?;
        // A first attempt that failed keeps its empty store: commands use that one.
        Ok(&self.stores.retried.get_or_init(|| opened).store)
    }

    /// The cache for answering commands, whatever state the store is in; [`StoreStack::problem`] reports a fault.
    pub fn cache(&self) -> Cache {
        let opened = self.stores.retried.get().unwrap_or_else(|| {
            self.stores.first.get_or_init(|| {
                // What is left alone is not even opened: that may be what takes the time.
                if BreakerMemory::new(self).recorded_now().reads.state == store::BreakerState::Open {
                    return StoreStack::new(self).without(&StoreError::BreakerOpen);
                }
                StoreStack::new(self).open().unwrap_or_else(|error| {
                    error.log();
                    StoreStack::new(self).without(&error)
                })
            })
        });
        Cache::new(opened.store.clone(), self.clock().clone(), StoreStack::new(self).cache_settings())
    }
}
