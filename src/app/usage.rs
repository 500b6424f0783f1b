//! What is in the cache: by resource, by space, and which entries were used last.
//!
//! No payload is touched, and at most the requested number of entries is in memory.

use crate::app::core::App;
use crate::app::stack::StoreStack;
use crate::cache::{CUSTOM, fresh_until, operation_of};
use crate::clock::{self, UnixMillis};
use crate::config::Ttl;
use crate::model::{Namespace, Resource};
use crate::state::{LookupCounts, LookupOutcome};
use crate::store::{Meta, Select, StoreError};
use serde::Serialize;
use std::cmp::{Ordering, Reverse};
use std::collections::{BTreeMap, BinaryHeap};
use std::ops::ControlFlow;

/// One resource.
#[derive(Debug, Clone, Serialize)]
pub struct ResourceReport {
    /// `user`, `group` ...
    pub resource: String,
    /// Its entries.
    pub entries: u64,
    /// What they hold.
    pub bytes: u64,
    /// Hits within the window.
    pub hits: u64,
    /// Misses within the window, all reasons.
    pub misses: u64,
    /// The same by reason.
    pub misses_by_reason: BTreeMap<&'static str, u64>,
    /// When the oldest entry was stored (RFC 3339).
    pub oldest: Option<String>,
    /// The same as a number.
    #[serde(skip)]
    pub oldest_at: Option<UnixMillis>,
    /// The TTLs of its operations, with where they come from.
    pub ttls: Vec<TtlReport>,
}

/// One TTL.
#[derive(Debug, Clone, Serialize)]
pub struct TtlReport {
    /// `list`, `describe` ...
    pub operation: String,
    /// In seconds.
    pub seconds: u64,
    /// The key that decides.
    pub key: String,
    /// The layer that the key comes from.
    pub origin: String,
}

/// One space.
#[derive(Debug, Clone, Serialize)]
pub struct SpaceReport {
    /// Its instance, identity store, region and endpoint.
    pub space: String,
    /// Its entries.
    pub entries: u64,
    /// What they hold.
    pub bytes: u64,
}

/// One entry.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RecentEntry {
    /// Its key.
    pub key: String,
    /// When it was last used (RFC 3339).
    pub used: String,
    /// When it was stored (RFC 3339).
    pub stored: String,
    /// How old it is, in seconds.
    pub age_seconds: i64,
    /// How long it is fresh, in seconds; negative when it has expired.
    pub left_seconds: i64,
    /// What it holds.
    pub bytes: u64,
    /// The call that gave it.
    pub source: String,
}

/// What the cache holds.
pub(super) struct CacheUsage<'a> {
    app: &'a App,
}

impl<'a> CacheUsage<'a> {
    /// The same operations for this application.
    pub(super) fn new(app: &'a App) -> CacheUsage<'a> {
        CacheUsage { app }
    }

    /// Figures for each resource and space. A resource that was only looked up is there with no entries.
    pub(super) fn by_resource(
        &self,
        window: &LookupCounts,
    ) -> Result<(Vec<ResourceReport>, Vec<SpaceReport>), StoreError> {
        let mut resources: BTreeMap<Resource, (u64, u64, Option<UnixMillis>)> = BTreeMap::new();
        let mut spaces: BTreeMap<String, (u64, u64)> = BTreeMap::new();
        if let Some(store) = StoreStack::new(self.app).existing_store()? {
            store.scan(&Select::All, &mut |meta| {
                let (entries, bytes, oldest) = resources.entry(kind(meta)).or_default();
                *entries += 1;
                *bytes += meta.held;
                *oldest = Some(oldest.map_or(meta.stored_at, |known| known.min(meta.stored_at)));
                let (entries, bytes) = spaces.entry(meta.space.clone()).or_default();
                *entries += 1;
                *bytes += meta.held;
                ControlFlow::Continue(())
            })?;
        }
        let counts = window.by_resource();
        for resource in counts.keys() {
            resources.entry(*resource).or_default();
        }
        let reports = resources
            .into_iter()
            .map(|(resource, (entries, bytes, oldest))| {
                let counts = counts.get(&resource).cloned().unwrap_or_default();
                let reasons = LookupOutcome::ALL.into_iter().filter(|outcome| outcome.is_miss());
                ResourceReport {
                    resource: resource.to_string(),
                    entries,
                    bytes,
                    hits: counts.hits(),
                    misses: counts.misses(),
                    misses_by_reason: reasons
                        .map(|reason| (reason.as_str(), counts.of(reason)))
                        .filter(|(_, n)| *n > 0)
                        .collect(),
                    oldest: oldest.map(clock::utc_exact),
                    oldest_at: oldest,
                    ttls: self.ttls(resource),
                }
            })
            .collect();
        let spaces = spaces
            .into_iter()
            .map(|(space, (entries, bytes))| {
                let space = Namespace::parse(&space).map_or(space, |space| space.to_string());
                SpaceReport { space, entries, bytes }
            })
            .collect();
        Ok((reports, spaces))
    }

    fn ttls(&self, resource: Resource) -> Vec<TtlReport> {
        let operations = crate::config::operations(resource).unwrap_or(&["*"]);
        let ttls = &self.app.config().cache.ttl;
        let report = |operation: &&str| {
            let Ttl { duration, key } = ttls.of(resource, operation);
            let origin = self.app.loaded().origins.get(&key).cloned().unwrap_or_else(|| "default".into());
            TtlReport { operation: (*operation).to_owned(), seconds: duration.as_secs(), key, origin }
        };
        operations.iter().map(report).collect()
    }

    /// The entries that were used last, the latest first; equals by key.
    pub(super) fn recent(&self, n: usize) -> Result<Vec<RecentEntry>, StoreError> {
        let now = self.app.clock().now();
        let mut latest = Latest::new(n);
        if let Some(store) = StoreStack::new(self.app).existing_store()? {
            store.scan(&Select::All, &mut |meta| {
                latest.offer(meta);
                ControlFlow::Continue(())
            })?;
        }
        Ok(latest.in_order().map(|meta| self.entry(&meta, now)).collect())
    }

    fn entry(&self, meta: &Meta, now: UnixMillis) -> RecentEntry {
        let ttl = self.app.config().cache.ttl.duration(Resource::of_key(&meta.key), operation_of(&meta.key));
        RecentEntry {
            key: meta.key.clone(),
            used: clock::utc_exact(meta.used_at),
            stored: clock::utc_exact(meta.stored_at),
            age_seconds: (now - meta.stored_at) / 1000,
            left_seconds: (fresh_until(meta, ttl) - now) / 1000,
            bytes: meta.held,
            source: meta.source.clone(),
        }
    }
}

/// What an entry is counted as: what programs store is theirs, whatever its key looks like.
fn kind(meta: &Meta) -> Resource {
    if meta.space == CUSTOM { Resource::Custom } else { Resource::of_key(&meta.key) }
}

/// The `n` entries that were used last of all that are offered.
struct Latest {
    n: usize,
    kept: BinaryHeap<Reverse<Ranked>>,
}

/// Metadata in the order of use: later is more, among equals the smaller key is.
struct Ranked(Meta);

impl Ranked {
    fn rank(meta: &Meta) -> (UnixMillis, Reverse<(&str, &str)>) {
        (meta.used_at, Reverse((&meta.key, &meta.space)))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        Ranked::rank(&self.0).cmp(&Ranked::rank(&other.0))
    }
}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other) == Ordering::Equal
    }
}

impl Eq for Ranked {}

impl Latest {
    fn new(n: usize) -> Latest {
        Latest { n, kept: BinaryHeap::new() }
    }

    fn offer(&mut self, meta: &Meta) {
        if self.kept.len() == self.n {
            let beaten = self.kept.peek().is_some_and(|Reverse(least)| Ranked::rank(&least.0) < Ranked::rank(meta));
            if !beaten {
                return;
            }
            self.kept.pop();
        }
        self.kept.push(Reverse(Ranked(meta.clone())));
    }

    fn in_order(self) -> impl Iterator<Item = Meta> {
        self.kept.into_sorted_vec().into_iter().map(|Reverse(Ranked(meta))| meta)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meta(key: &str, used_at: UnixMillis) -> Meta {
        Meta {
            space: "s".into(),
            key: key.into(),
            schema: 1,
            stored_at: 0,
            fresh_until: 0,
            stale_until: 0,
            used_at,
            source: String::new(),
            size: 0,
            held: 0,
            frames: 0,
            checksum: 0,
        }
    }

    #[test]
    fn the_latest_come_first_and_equals_by_key() {
        let all = [("d", 5), ("a", 1), ("c", 9), ("b", 5), ("e", 5)];
        for (n, wanted) in [(0, ""), (1, "c"), (2, "cb"), (3, "cbd"), (9, "cbdea")] {
            let mut latest = Latest::new(n);
            for (key, used) in all {
                latest.offer(&meta(key, used));
            }
            assert_eq!(latest.in_order().map(|meta| meta.key).collect::<String>(), wanted, "{n}");
        }
    }
}
