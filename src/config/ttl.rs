//! The TTL of answers: by operation, by resource, or the default.
//!
//! An operation's TTL takes precedence over its resource's, and that over the default, from whatever layer.

use crate::model::Resource;
use crate::model::parse_duration;
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};
use std::collections::BTreeMap;
use std::time::Duration;

/// All TTLs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Ttls {
    /// `cache.default_ttl`
    pub default: Duration,
    /// `[cache.ttl] user = ...`
    pub by_resource: BTreeMap<Resource, Duration>,
    /// `[cache.ttl] "user:list" = ...`
    pub by_operation: BTreeMap<String, Duration>,
}

/// A TTL and its configuration key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ttl {
    /// The TTL.
    pub duration: Duration,
    /// `cache.ttl."user:list"`, `cache.ttl.user` or `cache.default_ttl`.
    pub key: String,
}

/// The operations of a resource that may have a TTL; `None` for any (custom entries of the library).
pub fn operations(resource: Resource) -> Option<&'static [&'static str]> {
    Some(match resource {
        Resource::User => &["list", "describe", "by_name", "groups"],
        Resource::Group => &["list", "describe", "by_name", "members"],
        Resource::PermissionSet => &["list", "describe", "by_name", "policies", "accounts"],
        Resource::Assignment => &["list", "by_principal"],
        Resource::Account => &["list", "describe", "by_name", "permission_sets", "parents"],
        Resource::Ou => &["list", "describe", "accounts", "children"],
        Resource::Instance => &["list", "describe"],
        Resource::Custom => return None,
    })
}

/// Checks a key of `[cache.ttl]`: `user` or `user:list`. The error is the problem.
pub(super) fn check_key(key: &str) -> Result<(), String> {
    let (name, operation) = key.split_once(':').map_or((key, None), |(name, operation)| (name, Some(operation)));
    let Some(resource) = Resource::ALL.into_iter().find(|r| r.as_str() == name) else {
        return Err(format!("`{name}` is not a resource"));
    };
    let word = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    match (operation, operations(resource)) {
        (Some(operation), Some(known)) if !known.contains(&operation) => {
            Err(format!("`{operation}` is not an operation of {resource}"))
        }
        (Some(operation), None) if !word(operation) => Err(format!("`{operation}` is not an operation")),
        _ => Ok(()),
    }
}

/// Every possible key of `[cache.ttl]`, for suggestions.
pub(super) fn all_keys() -> impl Iterator<Item = String> {
    Resource::ALL.into_iter().flat_map(|resource| {
        let operations = operations(resource).unwrap_or_default().iter();
        std::iter::once(resource.to_string()).chain(operations.map(move |o| format!("{resource}:{o}")))
    })
}

impl<'de> Deserialize<'de> for Ttls {
    /// Deserializes the table `[cache.ttl]`, which does not contain `default`.
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let mut ttls = Ttls::default();
        for (key, text) in BTreeMap::<String, String>::deserialize(from)? {
            check_key(&key).map_err(D::Error::custom)?;
            let duration = parse_duration(&text).map_err(D::Error::custom)?;
            if key.contains(':') {
                ttls.by_operation.insert(key, duration);
            } else {
                ttls.by_resource.insert(Resource::of_key(&key), duration);
            }
        }
        Ok(ttls)
    }
}

impl Ttls {
    /// The TTL of `operation` on `resource`.
    pub fn duration(&self, resource: Resource, operation: &str) -> Duration {
        self.operation(resource, operation).or_else(|| self.by_resource.get(&resource).copied()).unwrap_or(self.default)
    }

    /// The same with its key.
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
