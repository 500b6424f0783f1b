//! How long answers live: by operation, by resource, or by default.
//!
//! Neighbours: `load.rs` fills it, `cache/freshness.rs` asks it at every read, so a shorter TTL acts at once.
//! Promise: an operation's TTL beats its resource's, and that beats the default, whichever layer each is from.

use crate::model::Resource;
use std::collections::BTreeMap;
use std::time::Duration;

/// Every TTL that is set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ttls {
    /// `cache.default_ttl`
    pub default: Duration,
    /// `[cache.ttl] user = ...`
    pub by_resource: BTreeMap<Resource, Duration>,
    /// `[cache.ttl] "user:list" = ...`
    pub by_operation: BTreeMap<String, Duration>,
}

/// A TTL and the configuration key that it comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ttl {
    /// How long.
    pub duration: Duration,
    /// `cache.ttl."user:list"`, `cache.ttl.user` or `cache.default_ttl`.
    pub key: String,
}

impl Ttls {
    /// How long an answer of `operation` on `resource` lives.
    pub fn duration(&self, resource: Resource, operation: &str) -> Duration {
        self.operation(resource, operation).or_else(|| self.by_resource.get(&resource).copied()).unwrap_or(self.default)
    }

    /// The same with the key that decides.
    pub fn of(&self, resource: Resource, operation: &str) -> Ttl {
        if let Some(duration) = self.operation(resource, operation) {
            return Ttl { duration, key: format!("cache.ttl.\"{resource}:{operation}\"") };
        }
        match self.by_resource.get(&resource) {
            Some(duration) => Ttl { duration: *duration, key: format!("cache.ttl.{resource}") },
            None => Ttl { duration: self.default, key: "cache.default_ttl".into() },
        }
    }

    fn operation(&self, resource: Resource, operation: &str) -> Option<Duration> {
        if self.by_operation.is_empty() {
            return None;
        }
        self.by_operation.get(&format!("{resource}:{operation}")).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operation_beats_resource_beats_default() {
        let ttls = Ttls {
            default: Duration::from_secs(900),
            by_resource: [(Resource::User, Duration::from_secs(60))].into(),
            by_operation: [("user:list".to_owned(), Duration::from_secs(600))].into(),
        };
        for (resource, operation, seconds, key) in [
            (Resource::User, "list", 600, "cache.ttl.\"user:list\""),
            (Resource::User, "describe", 60, "cache.ttl.user"),
            (Resource::Group, "list", 900, "cache.default_ttl"),
        ] {
            let ttl = ttls.of(resource, operation);
            assert_eq!((ttl.duration.as_secs(), ttl.key.as_str()), (seconds, key));
            assert_eq!(ttls.duration(resource, operation).as_secs(), seconds);
        }
    }
}
