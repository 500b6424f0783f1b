//! The gateway over the store, for commands and for background work.
//!
//! Lookups of commands are counted, those of jobs are not.

use crate::app::account::AwsAccount;
use crate::app::core::App;
use crate::app::lazy_api::LazyApi;
use crate::app::stack::StoreStack;
use crate::app::usage_samples::UsageSamples;
use crate::cache::{Cache, Miss};
use crate::gateway::{AwsApi, CachePolicy, Gateway, Looked, PaceSettings, RateLimited, Rates, Recorder, Selection};
use crate::progress::Calls;
use crate::state::LookupOutcome;
use crate::store::StoreFault;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The kind of caller: it decides about the rate and the statistics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller {
    /// An interactive command: one slot at a time, and the lookup counts. At most this many calls.
    Command {
        /// The most calls; `None` is no limit.
        budget: Option<u64>,
    },
    /// Background work: several slots ahead, a share of the quota, at most this many calls; lookups do not count.
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

/// Builds the gateway over a cache.
pub struct GatewayBuilder<'a> {
    app: &'a App,
}

impl<'a> GatewayBuilder<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> GatewayBuilder<'a> {
        GatewayBuilder { app }
    }

    /// Where long answers are spooled: the cache or state directory, or the temporary one of the system if there is none yet.
    ///
    /// With encryption, answers that are not stored yet stay in memory if the host has a memory file system.
    pub fn spool_dir(&self) -> PathBuf {
        let memory = Path::new("/dev/shm");
        if self.app.config().cache.encryption.enabled && memory.is_dir() {
            return memory.to_owned();
        }
        for directory in [self.app.cache_dir(), self.app.state_dir()] {
            if directory.is_dir() {
                return directory.to_owned();
            }
        }
        std::env::temp_dir()
    }

    /// What a read may do: what its flags say, and nothing with the cache when it is disabled.
    pub fn policy(&self, wanted: CachePolicy) -> CachePolicy {
        if self.app.disabled().is_some() {
            return CachePolicy { read: false, fill: false, ..wanted };
        }
        wanted
    }

    /// The gateway for `asker` over a cache of its choice.
    pub(super) fn over(&self, cache: Cache, asker: Caller) -> Reading {
        let selection = AwsAccount::new(self.app).selection();
        let late = Arc::new(self.lazy_api(asker, &selection));
        let recorder = matches!(asker, Caller::Command { .. }).then(|| self.recorder());
        let mut gateway = Gateway::new(cache, late.clone(), selection, self.spool_dir(), recorder);
        // A walk that is long enough for a forecast leaves the background share to others, in any command.
        gateway = gateway.at(Rates::new(&self.app.config().pace));
        if self.app.disabled().is_none() && !self.app.is_memory() {
            gateway = gateway.with_flights(self.app.state(), self.app.cache_dir());
        }
        Reading { gateway, late }
    }

    fn lazy_api(&self, asker: Caller, selection: &Selection) -> LazyApi {
        let (base, sandbox) = (AwsAccount::new(self.app).settings(), self.app.sandbox.clone());
        let (pace, aws, access) = (self.app.config().pace.clone(), &self.app.config().aws, self.app.access());
        let (max_attempts, operation_timeout) = (aws.max_attempts, aws.operation_timeout);
        // The quota belongs to the instance, whatever the login. Before it is known, what leads to it stands for it.
        let way = selection.endpoint.as_ref().unwrap_or(&selection.fingerprint);
        let region = selection.region.clone().unwrap_or_default();
        let (space, instances) = (format!("{region}|{way}"), selection.endpoint.is_none().then_some(region));
        let database = self.app.state_dir().join("pace.db");
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
        LazyApi::new(make, UsageSamples::new(self.app).call_counter())
    }

    fn recorder(&self) -> Recorder {
        let tally = self.app.state().tally(self.app.cache_dir());
        let clock = self.app.clock().clone();
        // Without its store a command has an empty store, which has no reasons for misses.
        let fault = self.app.stores.live().and_then(|opened| opened.fault);
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

impl App {
    /// The gateway for `asker`.
    pub fn reading(&self, asker: Caller) -> Reading {
        // A disabled cache is left alone altogether: nothing of it is even opened.
        let cache = if self.disabled().is_some() { StoreStack::new(self).detached_cache() } else { self.cache() };
        GatewayBuilder::new(self).over(cache, asker)
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
