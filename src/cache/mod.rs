//! Meaning on top of bytes: keys, freshness, coherence and invalidation.
//!
//! What [`Cache::view`] shows was stored whole for exactly this space and key, is fresh by today's configuration,
//! and was not fetched before a write that covers it; a fault of the backend is a miss and a count, never an error
//! of the command and never a wrong answer.

mod archive;
mod custom;
mod entry;
mod error;
mod explain;
mod fence;
mod fill;
mod freshness;
mod invalidation;
mod key;
mod lookup;
mod put_many;
mod salvage;

pub use archive::{Exported, Imported, Verified};
pub use custom::BY_PROGRAM;
pub use custom::CUSTOM;
pub use custom::OWN_TIME;
pub use custom::UpdatePayload;
pub use custom::covered_by;
pub use custom::has_own_time;
pub use entry::{FRAME_BYTES, SCHEMA};
pub use error::CacheError;
pub use explain::InvalidatingChange;
pub use explain::dirtied_by;
pub use fence::{FENCE, Fences, RecordedInvalidation, SharedStore, Witness};
pub use fill::{Fresh, Ticket};
pub use freshness::{Allowance, Usability, fresh_until, judge};
pub use invalidation::{ChangeEvent, Dirt, Operation, dirty};
pub use key::{Key, decode, operation_of, pattern};
pub use lookup::ChecksumState;
pub use lookup::EntrySink;
pub use lookup::Lookup;
pub use lookup::Miss;
pub use lookup::Provenance;
pub use lookup::ReadOptions;
pub use put_many::Put;
pub use salvage::{SalvageTarget, Salvaged};

use crate::clock::Clock;
use crate::config::Ttls;
use crate::model::Resource;
use crate::store::{Meta, Store};
use std::sync::Arc;
use std::time::Duration;

/// What of the configuration shapes entries.
#[derive(Debug, Clone)]
pub struct EntrySettings {
    /// How long answers live.
    pub ttls: Ttls,
    /// How long "not found" is believed.
    pub not_found_ttl: Duration,
    /// How long an expired entry may stand in for a silent AWS.
    pub stale_if_error: Duration,
    /// The oldest that any answer may get, whatever its TTL.
    pub max_age: Option<Duration>,
    /// Whether frames are compressed.
    pub compression: bool,
}

/// The cache: a store and the rules for using it.
#[derive(Clone)]
pub struct Cache {
    store: Arc<dyn Store>,
    clock: Arc<dyn Clock>,
    settings: Arc<EntrySettings>,
}

impl Cache {
    /// A cache over `store`.
    pub fn new(store: Arc<dyn Store>, clock: Arc<dyn Clock>, settings: EntrySettings) -> Cache {
        Cache { store, clock, settings: Arc::new(settings) }
    }

    /// The store, for what is about bytes and not about meaning (sizes, sweeps, scans).
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.store
    }

    /// The clock that entries are judged by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The TTL of an operation today.
    pub fn ttl(&self, resource: Resource, operation: &str) -> Duration {
        self.settings.ttls.duration(resource, operation)
    }

    /// What an entry is good for today, by its metadata alone.
    pub fn verdict(&self, meta: &Meta) -> Usability {
        judge(meta, self.allowance(&meta.key, None), self.clock.now())
    }

    fn allowance(&self, key: &str, max_age: Option<Duration>) -> Allowance {
        let ttl = self.ttl(Resource::of_key(key), operation_of(key));
        let max_age = [max_age, self.settings.max_age].into_iter().flatten().min();
        Allowance { ttl, stale_if_error: self.settings.stale_if_error, max_age }
    }
}
