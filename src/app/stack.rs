//! The store as it is stacked, and the gateway over it.
//!
//! A store that cannot be opened, or a cache that is disabled, leaves commands with live answers; what a command
//! looked up is counted, what a job does is not.

use crate::app::App;
use crate::app::OpenedStore;
use crate::app::lazy_api::LazyApi;
use crate::cache::{Cache, EntrySettings, Miss};
use crate::clock::UnixMillis;
use crate::config::Backend;
use crate::gateway::{AwsApi, CachePolicy, Gateway, Looked, PaceSettings, RateLimited, Rates, Recorder, Selection};
use crate::progress::Calls;
use crate::secure_fs::Prepared;
use crate::sqlite;
use crate::state::{BreakerStatus, LookupOutcome, PersistedBreaker, WritesMark};
use crate::store::Encrypted;
use crate::store::{self, BreakerLayer, BreakerSide, BreakerSnapshot, Memory, Store, StoreError, StoreFault, Tiered};
use std::sync::{Arc, PoisonError};

/// Free bytes from which on a store that a full disk stopped is tried again.
const ROOM: u64 = 1024 * 1024;
/// A log of this many bytes is folded by the command that let it grow: a few dozen pages.
const LOG_WORTH_FOLDING: u64 = 256 * 1024;

/// The disk store, sealed where that is configured, behind its breaker.
pub(super) type DiskBreaker = BreakerLayer<Encrypted>;

/// Who asks: decides about pace and statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// An interactive command: one slot at a time, and the lookup counts. At most this many calls.
    Command {
        /// The most calls; `None` is no limit.
        budget: Option<u64>,
    },
    /// Nobody waits: several slots ahead, a share of the quota, at most this many calls; lookups do not count.
    Background {
        /// The most calls; `None` is no limit.
        budget: Option<u64>,
    },
}

/// A gateway and the counter of its calls.
pub struct Reading {
    /// The gateway.
    pub gateway: Gateway,
    late: Arc<LazyApi>,
}

impl Reading {
    /// The calls to AWS that were made through it.
    pub fn calls(&self) -> Calls {
        self.late.calls()
    }

    /// What the calls wait for at this moment.
    pub(super) fn waits(&self) -> Option<String> {
        self.late.waits()
    }
}

impl Caller {
    /// A command whose calls are not limited.
    pub const COMMAND: Caller = Caller::Command { budget: None };
}

impl App {
    /// How the disk store is opened.
    pub(super) fn disk_options(&self) -> store::Options {
        store::Options {
            dir: self.cache_dir().to_owned(),
            access: self.access(),
            busy: self.config().cache.busy_timeout,
        }
    }

    /// The store for the cache's own commands: an error when it cannot be opened.
    pub fn store(&self) -> Result<&Arc<dyn Store>, StoreError> {
        if let Some(opened) = self.live().filter(|opened| opened.problem.is_none() || opened.is_locked) {
            return Ok(&opened.store);
        }
        let opened = self.open()?;
        // Not in the place of a first try that failed: whoever went on without a store has one of its own there.
        Ok(&self.insisted.get_or_init(|| opened).store)
    }

    /// The same for a program that stays: one that cannot be opened counts for the breaker, and is left alone while that
    /// is OPEN.
    pub fn store_again(&self) -> Result<&Arc<dyn Store>, StoreError> {
        if self.live().is_some_and(|opened| opened.problem.is_none() || opened.is_locked) {
            return self.store();
        }
        let before = self.mark_now();
        if before.reads.state == store::BreakerState::Open {
            return Err(StoreError::BreakerOpen);
        }
        self.store().inspect_err(|error| {
            if !error.is_harmless() {
                let threshold = self.config().cache.breaker.failure_threshold;
                let failed = mark(&before.failed(self.clock().now(), threshold, error.fault() == StoreFault::DiskFull));
                *self.unopened.lock().unwrap_or_else(PoisonError::into_inner) = Some(failed);
            }
        })
    }

    /// The store that is in use.
    pub(super) fn live(&self) -> Option<&OpenedStore> {
        self.insisted.get().or_else(|| self.opened.get())
    }

    /// The cache for answering commands, whatever state the store is in; a fault is told by [`App::store_problem`].
    pub fn cache(&self) -> Cache {
        let opened = self.insisted.get().unwrap_or_else(|| {
            self.opened.get_or_init(|| {
                // What is left alone is not even opened: that may be what takes the time.
                if self.mark_now().reads.state == store::BreakerState::Open {
                    return self.without(&StoreError::BreakerOpen);
                }
                self.open().unwrap_or_else(|error| {
                    error.log();
                    self.without(&error)
                })
            })
        });
        Cache::new(opened.store.clone(), self.clock().clone(), self.cache_settings())
    }

    /// What a command goes on with that has no store.
    fn without(&self, error: &StoreError) -> OpenedStore {
        let (now, threshold) = (self.clock().now(), self.config().cache.breaker.failure_threshold);
        let counts = !error.is_harmless();
        OpenedStore {
            store: Arc::new(Memory::new(self.limit_bytes(), 0)),
            breaker: None,
            failed: counts
                .then(|| mark(&self.mark_now().failed(now, threshold, error.fault() == StoreFault::DiskFull))),
            problem: Some(error.to_string()),
            fault: Some(error.fault()),
            is_damaged: error.is_damage(),
            is_locked: false,
        }
    }

    /// Why the store could not be opened for a command that went on without it.
    pub fn store_problem(&self) -> Option<&str> {
        self.opened.get().and_then(|opened| opened.problem.as_deref())
    }

    /// What to type about [`App::store_problem`].
    pub fn store_remedy(&self) -> &'static str {
        if self.opened.get().is_some_and(|opened| opened.is_locked) {
            "`awsideman cache encryption status` says what is wrong with the key"
        } else if self.opened.get().is_some_and(|opened| opened.is_damaged) {
            "`awsideman cache recover` starts a new cache and keeps this one as evidence"
        } else {
            "`awsideman cache health` judges it, `awsideman doctor` says what to mend"
        }
    }

    /// What a read may do: what its flags say, and nothing with the cache when it is disabled.
    pub fn policy(&self, wanted: CachePolicy) -> CachePolicy {
        if self.disabled().is_some() {
            return CachePolicy { read: false, fill: false, ..wanted };
        }
        wanted
    }

    /// The gateway for `asker`.
    pub fn reading(&self, asker: Caller) -> Reading {
        // A disabled cache is left alone altogether: nothing of it is even opened.
        let cache = if self.disabled().is_some() { self.detached_cache() } else { self.cache() };
        self.reading_from(cache, asker)
    }

    /// The gateway for `asker` over a cache of its choice.
    pub(super) fn reading_from(&self, cache: Cache, asker: Caller) -> Reading {
        let selection = self.selection();
        let late = Arc::new(self.late(asker, &selection));
        let recorder = matches!(asker, Caller::Command { .. }).then(|| self.recorder());
        let mut gateway = Gateway::new(cache, late.clone(), selection, self.spool_dir(), recorder);
        // A walk that is long enough for a forecast leaves the background share to others, in any command.
        gateway = gateway.at(Rates::new(&self.config().pace));
        if self.disabled().is_none() && !self.is_memory() {
            gateway = gateway.with_flights(self.state(), self.cache_dir());
        }
        Reading { gateway, late }
    }

    /// After the last use of the store: what its breaker learned is kept for the next process.
    pub fn finish(&self) {
        let Some(after) = self.live().and_then(learned) else { return };
        let before = self.breaker_mark();
        if before != after {
            // Not keeping it costs the next process the same timeout, nothing else.
            let now = self.clock().now();
            let _ = self.state().set_breaker(self.cache_dir(), after, now);
        }
    }

    /// Folds the log of the cache's database when it has grown, after the answer has been given.
    ///
    /// The first process to open a database reads its whole log: what one command leaves there, every cached answer
    /// after it would pay for.
    pub fn fold_log(&self) {
        let Some(breaker) = self.live().and_then(|opened| opened.breaker.as_ref()) else { return };
        let Ok(path) = breaker.inner().path() else { return };
        let grown = std::fs::metadata(sqlite::sidecar(&path, "-wal")).is_ok_and(|log| log.len() > LOG_WORTH_FOLDING);
        if grown {
            // One that cannot be folded now costs time, nothing else.
            let _ = breaker.settle();
        }
    }

    /// What the opening of the cache directory changed about it, for people.
    pub fn store_notice(&self) -> Option<String> {
        match self.live()?.breaker.as_ref()?.inner().prepared() {
            Prepared::Tightened(mode) => Some(format!(
                "{} could be used by others (mode {mode:04o}); its mode was put right",
                self.cache_dir().display()
            )),
            Prepared::Found | Prepared::Created => None,
        }
    }

    /// The breaker as this process sees it.
    pub fn breaker(&self) -> PersistedBreaker {
        self.live().and_then(learned).unwrap_or_else(|| mark(&self.mark_now()))
    }

    /// What other processes kept of it, or this one learned since, as it looks now.
    fn mark_now(&self) -> BreakerSnapshot {
        let recovery = self.config().cache.breaker.recovery_timeout;
        self.remembered_breaker().at(self.clock().now(), recovery)
    }

    /// What is remembered of the breaker. One that a full disk opened is due for its trial as soon as there is room.
    fn remembered_breaker(&self) -> BreakerSnapshot {
        let found = snapshot(&self.known_mark());
        if !found.waits_for_room() {
            return found;
        }
        let free = crate::host::free_space(self.cache_dir()).map_or(0, |space| space.free);
        if free < ROOM { found } else { found.with_room() }
    }

    fn known_mark(&self) -> PersistedBreaker {
        let unopened = *self.unopened.lock().unwrap_or_else(PoisonError::into_inner);
        unopened.unwrap_or_else(|| self.breaker_mark())
    }

    pub(super) fn breaker_mark(&self) -> PersistedBreaker {
        self.switch().0.breaker(self.cache_dir())
    }

    fn open(&self) -> Result<OpenedStore, StoreError> {
        let cache = &self.config().cache;
        if cache.backend == Backend::Memory {
            let store = Arc::new(Memory::new(self.limit_bytes(), cache.max_entries));
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
            self.clock().clone(),
            settings.failure_threshold,
            settings.recovery_timeout,
            self.remembered_breaker(),
        ));
        let store: Arc<dyn Store> = match self.memory_tier {
            0 => breaker.clone(),
            bytes => Arc::new(Tiered::new(breaker.clone(), bytes, self.clock().clone())),
        };
        let is_locked = problem.is_some();
        let fault = is_locked.then_some(StoreFault::Key);
        Ok(OpenedStore { store, breaker: Some(breaker), failed: None, problem, fault, is_damaged: false, is_locked })
    }

    pub(super) fn detached_cache(&self) -> Cache {
        Cache::new(Arc::new(Memory::new(self.limit_bytes(), 0)), self.clock().clone(), self.cache_settings())
    }

    pub(super) fn cache_settings(&self) -> EntrySettings {
        let cache = &self.config().cache;
        EntrySettings {
            ttls: cache.ttl.clone(),
            not_found_ttl: cache.not_found_ttl,
            stale_if_error: cache.stale_if_error,
            max_age: (!cache.max_age.is_zero()).then_some(cache.max_age),
            compression: cache.compression,
        }
    }

    fn late(&self, asker: Caller, selection: &Selection) -> LazyApi {
        let (base, sandbox) = (self.aws_settings(), self.sandbox.clone());
        let (pace, aws, access) = (self.config().pace.clone(), &self.config().aws, self.access());
        let (max_attempts, operation_timeout) = (aws.max_attempts, aws.operation_timeout);
        // The quota belongs to the instance, whatever the login. Before it is known, what leads to it stands for it.
        let way = selection.endpoint.as_ref().unwrap_or(&selection.fingerprint);
        let region = selection.region.clone().unwrap_or_default();
        let (space, instances) = (format!("{region}|{way}"), selection.endpoint.is_none().then_some(region));
        let database = self.state_dir().join("pace.db");
        let (background, budget) = match asker {
            Caller::Command { budget } => (false, budget),
            Caller::Background { budget } => (true, budget),
        };
        let make = move || {
            let settings = match &sandbox {
                Some(sandbox) => sandbox.settings(&base)?,
                None => base.clone(),
            };
            let paced = PaceSettings {
                pace: pace.clone(),
                max_attempts,
                operation_timeout,
                space: space.clone(),
                instances: instances.clone(),
                background,
                budget,
                access,
            };
            Ok(RateLimited::new(Arc::new(AwsApi::new(settings)), paced, Some(database.clone())))
        };
        LazyApi::new(make, self.spending())
    }

    fn recorder(&self) -> Recorder {
        let tally = self.state().tally(self.cache_dir());
        let clock = self.clock().clone();
        // Without its store a command has an empty store, which has no reasons for misses.
        let fault = self.live().and_then(|opened| opened.fault);
        Arc::new(move |looked, resource, entry| {
            let outcome = match (looked, fault) {
                (Looked::Miss(_), Some(fault)) => outcome_of_fault(fault),
                _ => outcome(looked),
            };
            // A tally that cannot be written costs a statistic.
            let _ = tally.record(outcome, resource, entry, clock.now());
        })
    }
}

fn outcome(looked: Looked) -> LookupOutcome {
    match looked {
        Looked::Hit => LookupOutcome::Hit,
        Looked::Miss(Miss::Absent) => LookupOutcome::MissAbsent,
        Looked::Miss(Miss::Expired) => LookupOutcome::MissExpired,
        Looked::Miss(Miss::TooOld) => LookupOutcome::MissAge,
        Looked::Miss(Miss::Corrupt) => LookupOutcome::MissCorrupt,
        Looked::Miss(Miss::OtherVersion) => LookupOutcome::MissOtherVersion,
        Looked::Miss(Miss::Fault) => LookupOutcome::Error,
        Looked::Fault(fault) => outcome_of_fault(fault),
    }
}

fn outcome_of_fault(fault: StoreFault) -> LookupOutcome {
    match fault {
        StoreFault::BreakerOpen => LookupOutcome::ErrorBreakerOpen,
        StoreFault::Damaged => LookupOutcome::ErrorDamaged,
        StoreFault::Busy => LookupOutcome::ErrorBusy,
        StoreFault::DiskFull => LookupOutcome::ErrorDiskFull,
        StoreFault::Key => LookupOutcome::ErrorKey,
        StoreFault::Permission => LookupOutcome::ErrorPermission,
        StoreFault::Other => LookupOutcome::Error,
    }
}

/// What this process knows of the breaker after its last use of the store.
fn learned(opened: &OpenedStore) -> Option<PersistedBreaker> {
    opened.breaker.as_ref().map(|breaker| mark(&breaker.snapshot())).or(opened.failed)
}

fn mark(snapshot: &BreakerSnapshot) -> PersistedBreaker {
    let word = |state| match state {
        store::BreakerState::Closed => BreakerStatus::Closed,
        store::BreakerState::Open => BreakerStatus::Open,
        store::BreakerState::HalfOpen => BreakerStatus::HalfOpen,
    };
    let BreakerSnapshot { reads, writes } = snapshot;
    PersistedBreaker {
        state: word(reads.state),
        failure_count: reads.failure_count,
        last_failure_time: reads.last_failure_time,
        is_full: reads.is_full,
        writes: WritesMark {
            state: word(writes.state),
            failure_count: writes.failure_count,
            last_failure_time: writes.last_failure_time,
            is_full: writes.is_full,
        },
    }
}

fn snapshot(mark: &PersistedBreaker) -> BreakerSnapshot {
    let side = |state, failure_count, last_failure_time: Option<UnixMillis>, is_full| BreakerSide {
        state: match state {
            BreakerStatus::Closed => store::BreakerState::Closed,
            BreakerStatus::Open => store::BreakerState::Open,
            BreakerStatus::HalfOpen => store::BreakerState::HalfOpen,
        },
        failure_count,
        last_failure_time,
        is_full,
    };
    let writes = &mark.writes;
    BreakerSnapshot {
        reads: side(mark.state, mark.failure_count, mark.last_failure_time, mark.is_full),
        writes: side(writes.state, writes.failure_count, writes.last_failure_time, writes.is_full),
    }
}
