//! Configuring the handle from the program: over the files and variables, for this process alone.
//!
//! A value that is not accepted changes nothing; an accepted one acts at once, for every thread that has the
//! handle, and for no other process.

use crate::config;
use crate::library::cache_manager::CacheManager;
use crate::library::error::LibraryError;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

impl CacheManager {
    /// How long entries live for which nothing more precise is configured (15 minutes). A shorter time acts at once, also
    /// on what is held; what was stored for a time of its own keeps it.
    pub fn set_default_ttl(&self, ttl: Duration) -> Result<(), LibraryError> {
        self.configure(&[("cache.default_ttl", seconds(ttl))])
    }

    /// The same for one operation (`user:list`) or all of a resource (`user`), which wins over the default.
    pub fn set_ttl(&self, operation: &str, ttl: Duration) -> Result<(), LibraryError> {
        let name = if operation.contains(':') { format!("\"{operation}\"") } else { operation.to_owned() };
        self.configure(&[(&format!("cache.ttl.{name}"), seconds(ttl))])
    }

    /// Where this process keeps entries: `"disk"`, shared with every process of the host, or `"memory"`, its own; how many
    /// at most (0 is no limit); and what goes when there are more: `"lru"`, the least recently used. What the store before
    /// held in memory is gone.
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

    /// After so many failures in a row the store is left alone, and after so long one operation may try it again.
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

    /// Sets configuration keys as flags do; `config/default.toml` has their names and what they accept.
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

/// As the configuration takes it; what is no whole number of seconds is written as one of milliseconds.
fn seconds(time: Duration) -> String {
    if time.subsec_millis() == 0 { format!("{}s", time.as_secs()) } else { format!("{}ms", time.as_millis()) }
}
