//! Configures the handle of this process, in addition to files and variables.
//!
//! An invalid value changes nothing. A valid one is effective immediately for all threads that share the handle, and
//! for no other process.

use crate::config;
use crate::library::cache_manager::CacheManager;
use crate::library::error::LibraryError;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl CacheManager {
    /// The TTL of entries without a more specific one (15 minutes by default). A shorter TTL applies to stored
    /// entries immediately; entries with an explicit TTL keep it.
    pub fn set_default_ttl(&self, ttl: Duration) -> Result<(), LibraryError> {
        self.configure(&[("cache.default_ttl", seconds(ttl))])
    }

    /// The TTL of one operation (`user:list`) or of a resource (`user`), which takes precedence over the default.
    pub fn set_ttl(&self, operation: &str, ttl: Duration) -> Result<(), LibraryError> {
        let name = if operation.contains(':') { format!("\"{operation}\"") } else { operation.to_owned() };
        self.configure(&[(&format!("cache.ttl.{name}"), seconds(ttl))])
    }

    /// The storage of this process: `"disk"`, shared with the processes of the host, or `"memory"`; the most entries
    /// (0 is no limit); and the eviction policy: `"lru"`, least recently used first. Entries in memory before are
    /// dropped.
    pub fn configure_storage(
        &self,
        backend: &str,
        max_entries: u64,
        eviction_policy: &str,
    ) -> Result<(), LibraryError> {
        self.configure(&[
            ("cache.backend", backend.to_owned()),
            ("cache.max_entries", max_entries.to_string()),
            ("cache.eviction_policy", eviction_policy.to_owned()),
        ])
    }

    /// The number of consecutive failures that open the breaker, and the time after which one operation tests
    /// recovery.
    pub fn configure_circuit_breaker(
        &self,
        failure_threshold: u32,
        recovery_timeout: Duration,
    ) -> Result<(), LibraryError> {
        self.configure(&[
            ("cache.breaker.failure_threshold", failure_threshold.to_string()),
            ("cache.breaker.recovery_timeout", seconds(recovery_timeout)),
        ])
    }

    /// Sets configuration keys as flags do; `config/default.toml` has their names and values.
    fn configure(&self, values: &[(&str, String)]) -> Result<(), LibraryError> {
        let mut sources = self.sources();
        let mut wanted = sources.clone();
        for (key, value) in values {
            wanted.overrides.retain(|(known, _)| known != key);
            wanted.overrides.push(((*key).to_owned(), value.clone()));
        }
        let app = self.app().configured(config::load(&wanted)?)?;
        *sources = wanted;
        *self.inner.app.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(app);
        Ok(())
    }
}

/// The time as the configuration accepts it: in milliseconds if it is not a whole number of seconds.
fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}
