//! Inspects one entry, and explains why a key is or is not a hit.
//!
//! Guarantee: it changes no entry, not even a damaged one, and does not call AWS. Facts without a record are
//! reported as unknown.

use crate::app::breaker_memory::BreakerMemory;
use crate::app::core::App;
use crate::app::encryption_keys::EncryptionKeys;
use crate::app::error::AppError;
use crate::app::maintenance::Maintenance;
use crate::app::naming;
use crate::app::stack::StoreStack;
use crate::cache::{CUSTOM, Cache, ChecksumState, Dirt, InvalidatingChange, Usability, covered_by, dirtied_by};
use crate::cache::{fresh_until, has_own_time, operation_of};
use crate::clock::{self, UnixMillis};
use crate::config::Ttl;
use crate::model::{Resource, format_duration};
use crate::store::{Address, EvictedEntry, InvalidationRecord, Meta, Select, Store};
use serde::Serialize;
use std::ops::ControlFlow;
use std::time::Duration;

/// All that is known of one entry.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Inspected {
    /// Its key.
    pub key: String,
    /// Its space, as it is stored.
    pub space: String,
    /// `fresh`, `stale` (stands in for a silent AWS), `expired`, `from the future`.
    pub verdict: &'static str,
    /// `sound`, `damaged`, `other_version`.
    pub checksum: ChecksumState,
    /// When AWS gave it.
    pub stored_at: String,
    /// How old it is.
    pub age_seconds: i64,
    /// How long it is still fresh; negative when that is over.
    pub left_seconds: i64,
    /// The time to live of its operation today.
    pub ttl_seconds: u64,
    /// The key of the configuration that says so.
    pub ttl_key: String,
    /// Where that is set.
    pub ttl_origin: String,
    /// When it was last used, as far as is known.
    pub last_used: String,
    /// The call that gave it.
    pub source: String,
    /// Bytes of its answer.
    pub size_bytes: u64,
    /// Bytes that it takes at rest.
    pub held_bytes: u64,
    /// The version of its form.
    pub schema: u32,
    /// The changes through awsideman that remove it.
    pub dirtied_by: Vec<String>,
}

/// A record that removed entries under a key, or keeps it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Invalidation {
    /// When.
    pub at: String,
    /// Its number in the log.
    pub number: u64,
    /// The key, glob, space, or everything.
    pub what: String,
    /// Until when it keeps everything out as a fence; null when it is none.
    pub fence_until: Option<String>,
    /// Whether it does so now.
    pub stands: bool,
}

/// Something that went without a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvictionReport {
    /// When.
    pub at: String,
    /// `expired`, `too old`, `least recently used`, `no room` (the whole cache went), `dropped` (damaged, or found wrong).
    pub reason: &'static str,
    /// When AWS had given it.
    pub stored_at: String,
    /// When it was last used, as far as was known.
    pub last_used: String,
    /// Bytes that it held.
    pub held_bytes: u64,
}

/// Why a key is or is not a hit.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reasons {
    /// The version of this document.
    pub schema_version: u32,
    /// The key.
    pub key: String,
    /// The space; null when it is not known which one this profile belongs to.
    pub space: Option<String>,
    /// Whether a command would be answered from the cache.
    pub hit: bool,
    /// Why, or why not: one sentence.
    pub why: String,
    /// The entry, when it is there.
    pub entry: Option<Inspected>,
    /// The records that cover it, the latest first.
    pub invalidations: Vec<Invalidation>,
    /// What went without a record, the latest first.
    pub evictions: Vec<EvictionReport>,
    /// From when on every change is known.
    pub log_since: Option<String>,
    /// When the live database was made.
    pub began: Option<String>,
}

/// Explains single entries.
pub struct Inspector<'a> {
    app: &'a App,
}

impl<'a> Inspector<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> Inspector<'a> {
        Inspector { app }
    }

    /// The entries under a key or glob, in this profile's space and among what programs keep; in all spaces when this
    /// profile's is not known.
    pub fn inspect(&self, pattern: &str) -> Result<Vec<Inspected>, AppError> {
        Maintenance::new(self.app).fold_lookups();
        let Some(disk) = StoreStack::new(self.app).existing_disk()? else { return Ok(Vec::new()) };
        let mut keys = Vec::new();
        for select in
            covered_by(&[Dirt::Glob(pattern.to_owned())], StoreStack::new(self.app).namespace_on(&disk).as_deref())
        {
            disk.scan(&select, &mut |meta| {
                keys.push((meta.space.clone(), meta.key.clone()));
                ControlFlow::Continue(())
            })?;
        }
        let cache = StoreStack::new(self.app).cache_on(&disk);
        let mut found = Vec::new();
        for (space, key) in keys {
            // One that went meanwhile is not there any more.
            if let Some((meta, integrity)) = cache.examine(&space, &key)? {
                found.push(self.inspected(&cache, &meta, integrity));
            }
        }
        Ok(found)
    }

    /// Why `key` is or is not a hit.
    pub fn why(&self, key: &str) -> Result<Reasons, AppError> {
        Maintenance::new(self.app).fold_lookups();
        let now = self.app.clock().now();
        let mut reasons = Reasons {
            schema_version: 1,
            key: key.to_owned(),
            space: None,
            hit: false,
            why: String::new(),
            entry: None,
            invalidations: Vec::new(),
            evictions: Vec::new(),
            log_since: None,
            began: None,
        };
        let Some(disk) = StoreStack::new(self.app).existing_disk()? else {
            reasons.why = format!("there is no cache in {}", self.app.cache_dir().display());
            return Ok(reasons);
        };
        let history = disk.history(now)?;
        reasons.log_since = Some(clock::utc(history.whole_since));
        reasons.began = Some(clock::utc(history.began));
        let Some(space) = StoreStack::new(self.app).namespace_on(&disk) else {
            reasons.why = "it is not remembered which instance this profile belongs to; a read asks AWS first".into();
            if let Some(other) = naming::space_holding(disk.as_ref(), key, None).filter(|other| other != CUSTOM) {
                reasons.why = format!("{}; it is stored for {}", reasons.why, naming::shown(&other));
            }
            return Ok(reasons);
        };
        let address = Address { space: &space, key };
        let cache = StoreStack::new(self.app).cache_on(&disk);
        let entry = cache.examine(&space, key)?.map(|(meta, integrity)| self.inspected(&cache, &meta, integrity));
        let covering: Vec<&InvalidationRecord> =
            history.records.iter().rev().filter(|r| r.select.covers(address)).collect();
        let evictions = disk.evictions(address)?;
        let elsewhere = match (&entry, covering.is_empty()) {
            (None, true) => naming::space_holding(disk.as_ref(), key, Some(&space)).filter(|other| other != CUSTOM),
            _ => None,
        };
        (reasons.hit, reasons.why) = match elsewhere {
            Some(other) if self.app.disabled().is_none() => {
                let (ours, theirs) = (naming::shown(&space), naming::shown(&other));
                (false, format!("it is stored for another instance, {theirs}; this profile's is {ours}"))
            }
            _ => self.judgment(entry.as_ref(), &covering, &evictions, history.whole_since),
        };
        reasons.invalidations = covering.into_iter().map(|record| invalidation(record, now)).collect();
        reasons.evictions = evictions.iter().map(departure).collect();
        reasons.entry = entry;
        reasons.space = Some(space);
        Ok(reasons)
    }

    fn judgment(
        &self,
        entry: Option<&Inspected>,
        covering: &[&InvalidationRecord],
        evictions: &[EvictedEntry],
        whole_since: UnixMillis,
    ) -> (bool, String) {
        let now = self.app.clock().now();
        if let Some(disabled) = self.app.disabled() {
            let reason = disabled.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            return (false, format!("the cache is disabled by {}{reason}", disabled.by));
        }
        if self.app.is_memory() {
            return (false, "cache.backend is \"memory\": each process reads what it fetched itself".into());
        }
        if let Some(problem) = EncryptionKeys::new(self.app).problem() {
            return (false, format!("the encryption key cannot be used: {problem}"));
        }
        let breaker = BreakerMemory::new(self.app).current();
        if breaker.state == crate::state::BreakerStatus::Open {
            return (false, "the circuit breaker is OPEN; `awsideman cache health` says why".into());
        }
        if let Some(entry) = entry {
            return match (entry.checksum, entry.verdict) {
                (ChecksumState::OtherVersion, _) => (false, "another version of awsideman stored it".into()),
                (ChecksumState::Damaged, _) => (false, "it is damaged; the next read drops it and asks AWS".into()),
                (ChecksumState::Intact, "fresh") => (true, "it is there, intact and fresh".into()),
                (ChecksumState::Intact, "from the future") => {
                    (false, "its time is in the future: a clock was wrong".into())
                }
                (ChecksumState::Intact, _) => (false, expired(entry)),
            };
        }
        let fenced = covering.iter().find(|record| record.stands(now));
        let newest = covering.first().map(|record| record.at);
        let evicted = evictions.first();
        let why = match (fenced, newest, evicted) {
            (Some(record), ..) => {
                let until =
                    record.deadline.map(|at| format!("fenced until {}: ", clock::local(at))).unwrap_or_default();
                format!("{until}a change to it is in progress or has just ended; reads go to AWS and store nothing")
            }
            (None, Some(at), evicted) if evicted.is_none_or(|evicted| evicted.at <= at) => {
                "a change removed it, and it was not read since".into()
            }
            (None, _, Some(evicted)) => {
                format!("a sweep removed it ({}), and it was not read since", evicted.reason)
            }
            (None, ..) => format!(
                "it was never stored, or removed before {}, where the record of removals starts",
                clock::local(whole_since)
            ),
        };
        (false, why)
    }

    fn inspected(&self, cache: &Cache, meta: &Meta, checksum: ChecksumState) -> Inspected {
        let now = self.app.clock().now();
        let Ttl { mut duration, mut key } =
            self.app.config().cache.ttl.of(Resource::of_key(&meta.key), operation_of(&meta.key));
        let mut ttl_origin = self.app.loaded().origins.get(&key).cloned().unwrap_or_else(|| "default".into());
        if has_own_time(meta) {
            duration = Duration::from_millis(meta.fresh_until.saturating_sub(meta.stored_at).max(0).unsigned_abs());
            (key, ttl_origin) = ("its own".into(), "the program that stored it".into());
        }
        Inspected {
            key: meta.key.clone(),
            space: meta.space.clone(),
            verdict: match cache.verdict(meta) {
                Usability::Fresh { .. } => "fresh",
                Usability::Stale => "stale",
                Usability::Expired | Usability::TooOld => "expired",
                Usability::FromTheFuture => "from the future",
            },
            checksum,
            stored_at: clock::utc(meta.stored_at),
            age_seconds: now.saturating_sub(meta.stored_at) / 1000,
            left_seconds: fresh_until(meta, duration).saturating_sub(now) / 1000,
            ttl_seconds: duration.as_secs(),
            ttl_key: key,
            ttl_origin,
            last_used: clock::utc(meta.used_at),
            source: meta.source.clone(),
            size_bytes: meta.size,
            held_bytes: meta.held,
            schema: meta.schema,
            dirtied_by: dirtied_by(&meta.key).iter().map(InvalidatingChange::to_string).collect(),
        }
    }
}

/// `it expired 3s ago: it is 10m 3s old, and cache.ttl."user:list" is 10m`.
fn expired(entry: &Inspected) -> String {
    let span = |seconds: i64| format_duration(Duration::from_secs(seconds.unsigned_abs()));
    format!(
        "it expired {} ago: it is {} old, and its time to live is {} ({})",
        span(entry.left_seconds.min(0)),
        span(entry.age_seconds),
        span(entry.ttl_seconds.cast_signed()),
        entry.ttl_key
    )
}

fn invalidation(record: &InvalidationRecord, now: UnixMillis) -> Invalidation {
    let what = match &record.select {
        Select::Exact { key, .. } => key.clone(),
        Select::Glob { pattern, .. } => pattern.clone(),
        Select::Space(_) => "all entries of the instance".into(),
        Select::All => "everything".into(),
    };
    Invalidation {
        at: clock::utc(record.at),
        number: record.sequence,
        what,
        fence_until: record.deadline.map(clock::utc),
        stands: record.stands(now),
    }
}

fn departure(eviction: &EvictedEntry) -> EvictionReport {
    EvictionReport {
        at: clock::utc(eviction.at),
        reason: eviction.reason,
        stored_at: clock::utc(eviction.stored_at),
        last_used: clock::utc(eviction.used_at),
        held_bytes: eviction.held,
    }
}
