//! Maintenance and statistics.
//!
//! Each call does what the command of the same name does. Only the figures of [`Stats`] are those of this process.

use crate::app::{App, AppError, BreakerMemory, HealthInputs, Invalidator, Maintenance, StoreStack};
use crate::cache::Operation;
use crate::health::HealthReport;
use crate::library::cache_manager::CacheManager;
use crate::library::error::LibraryError;
use crate::model::Resource;
use crate::state::PersistedBreaker;
use crate::store::Swept;
use std::sync::atomic::{AtomicU64, Ordering};

/// The statistics of the handle and its store.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Stats {
    /// Hits in percent of lookups through this handle; 100 without lookups.
    pub hit_rate_percentage: f64,
    /// Lookups with a value.
    pub hit_count: u64,
    /// Lookups without a value, including faults.
    pub miss_count: u64,
    /// Operations that failed with a fault of the cache.
    pub error_count: u64,
    /// The entries in the store, of all processes; 0 if it cannot be read.
    pub total_entries: u64,
    /// Their size in bytes.
    pub memory_usage_bytes: u64,
    /// The circuit breaker.
    pub circuit_breaker: PersistedBreaker,
}

impl CacheManager {
    /// The application, with a kill switch that is not read yet.
    fn app_now(&self) -> Result<App, AppError> {
        let app = self.app();
        app.configured(app.loaded().clone())
    }

    /// The statistics of this handle and of the store. Those of all commands on this host are in `awsideman cache
    /// status`, and [`CacheManager::health`] uses them.
    pub fn stats(&self) -> Stats {
        let app = self.app();
        let size = StoreStack::new(&app).size();
        let size = self.ended(&app, size).unwrap_or_default();
        let count = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let counters = &self.inner.counters;
        let (hit_count, miss_count) = (count(&counters.hits), count(&counters.misses));
        Stats {
            hit_rate_percentage: percentage(hit_count, hit_count + miss_count),
            hit_count,
            miss_count,
            error_count: count(&counters.errors),
            total_entries: size.entries,
            memory_usage_bytes: size.held,
            circuit_breaker: BreakerMemory::new(&app).current(),
        }
    }

    /// The circuit breaker: its state `CLOSED`, `OPEN` or `HALF_OPEN`, its consecutive failures and the last one.
    /// While it is open the store is not used, and every lookup is a miss.
    pub fn circuit_breaker(&self) -> PersistedBreaker {
        BreakerMemory::new(&self.app()).current()
    }

    /// The health report of this host's cache, as in `awsideman cache health`.
    pub fn health(&self) -> Result<HealthReport, LibraryError> {
        // The configuration and the kill switch are read again.
        Ok(HealthInputs::new(&self.app_now()?).measure().health)
    }

    /// Deletes expired entries, as `awsideman cache cleanup` does.
    pub fn cleanup_expired(&self) -> Result<Swept, LibraryError> {
        let app = self.app();
        let swept = Maintenance::new(&app).cleanup(false);
        self.keep_mark(&app);
        Ok(swept?)
    }

    /// Enforces the limits of the store, down to the low-water mark, least recently used first, as `awsideman cache
    /// enforce-limits` does.
    pub fn enforce_limits(&self) -> Result<Swept, LibraryError> {
        let app = self.app();
        self.inner.uses.flush(app.store()?.as_ref());
        let swept = Maintenance::new(&app).enforce_limits(false);
        self.keep_mark(&app);
        Ok(swept?)
    }

    /// Invalidates the entries that `operation` on the resource with this id affects, as `awsideman cache invalidate` does, and
    /// returns their number. It works while the cache is disabled and while the breaker is open.
    ///
    /// ```
    /// # use awsideman::library::CacheManager;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let home = tempfile::tempdir()?;
    /// # let cache = CacheManager::in_home(home.path())?;
    /// cache.set("user:describe:user-123", &serde_json::json!({"UserId": "user-123"}))?;
    /// let count = cache.invalidate_for_operation("update", "user", "user-123")?;
    /// println!("Invalidated {count} entries");
    /// assert_eq!(count, 1);
    /// # Ok(())
    /// # }
    /// ```
    pub fn invalidate_for_operation(&self, operation: &str, resource: &str, id: &str) -> Result<u64, LibraryError> {
        let word = |word: &str, what, known: Vec<&str>| LibraryError::Word {
            word: word.to_owned(),
            what,
            hint: format!("there are {}", known.join(", ")),
        };
        let operations = || Operation::ALL.iter().map(|operation| operation.as_str()).collect();
        let happens =
            Operation::parse(operation).ok_or_else(|| word(operation, "what happens to a resource", operations()))?;
        let to = || happens.resources().iter().map(|resource| resource.as_str()).collect();
        let thing = Resource::parse(resource).filter(|thing| happens.resources().contains(thing));
        let thing = thing.ok_or_else(|| word(resource, "a resource that this happens to", to()))?;
        if id.trim().is_empty() {
            return Err(word(id, "the id of anything", vec!["ids, ARNs and account numbers"]));
        }
        Ok(Invalidator::new(&self.app_now()?).invalidate(happens, thing, id, false)?.invalidated)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a percentage of counts")]
fn percentage(hits: u64, lookups: u64) -> f64 {
    if lookups == 0 { 100.0 } else { hits as f64 / lookups as f64 * 100.0 }
}
