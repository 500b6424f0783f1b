//! The limits that hold: the smallest of those that are configured, and what a sweep goes down to.
//!
//! Every limit names its setting, and has one value for all commands, checks and pages.

use crate::app::core::App;
use crate::config::EvictionPolicy;
use crate::host;
use serde::Serialize;

/// Bytes of a MiB.
const MIB: f64 = 1024.0 * 1024.0;

/// The limits of the backend that is in use. 0 is no limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// The most bytes that entries may hold.
    pub bytes: u64,
    /// What a sweep goes down to when they hold more.
    pub low_bytes: u64,
    /// The setting that `bytes` comes from.
    pub setting: &'static str,
    /// The most entries.
    pub entries: u64,
    /// What a sweep goes down to when there are more.
    pub low_entries: u64,
}

impl Bounds {
    /// The limit on bytes and its low-water mark, for a sweep.
    pub(super) fn of_bytes(&self) -> Option<(u64, u64)> {
        (self.bytes > 0).then_some((self.bytes, self.low_bytes))
    }

    /// The limit on entries and its low-water mark, for a sweep.
    pub(super) fn of_entries(&self) -> Option<(u64, u64)> {
        (self.entries > 0).then_some((self.entries, self.low_entries))
    }
}

/// A limit of the backend that is in use, and how much of it is used.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LimitUse {
    /// The setting (`cache.max_size_mb`).
    pub setting: &'static str,
    /// `bytes` or `entries`.
    pub unit: &'static str,
    /// The limit; 0 is no limit.
    pub limit: u64,
    /// The amount in use.
    pub used: u64,
    /// Whether it is the limit that evicts first.
    pub evicts: bool,
}

impl LimitUse {
    /// The used share of the limit, 0 to 1 and above; 0 without a limit.
    #[expect(clippy::cast_precision_loss, reason = "a share")]
    pub fn share(&self) -> f64 {
        if self.limit == 0 { 0.0 } else { self.used as f64 / self.limit as f64 }
    }
}

/// The limits of the cache.
pub struct CacheLimits<'a> {
    app: &'a App,
}

impl<'a> CacheLimits<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> CacheLimits<'a> {
        CacheLimits { app }
    }

    /// Every limit on size and number of entries, with its use. The one with the largest share used evicts first.
    pub fn uses(&self, held: u64, entries: u64) -> Vec<LimitUse> {
        let cache = &self.app.config().cache;
        let limit = |setting, unit, limit, used| LimitUse { setting, unit, limit, used, evicts: false };
        let second = if self.app.is_memory() {
            limit("cache.max_memory_mb", "bytes", mebibytes(cache.max_memory_mb), held)
        } else {
            limit("cache.max_disk_percent", "bytes", self.share_of_disk().map_or(0, mebibytes), held)
        };
        let mut all = vec![
            limit("cache.max_size_mb", "bytes", mebibytes(cache.max_size_mb), held),
            second,
            limit("cache.max_entries", "entries", cache.max_entries, entries),
        ];
        // Of limits that are used alike, as in an empty cache, the smaller one evicts first.
        let rank = |limit: &LimitUse| (limit.share(), -f64::from(u32::from(limit.unit == "entries")), limit.limit);
        let first = (0..all.len()).filter(|n| all[*n].limit > 0).max_by(|a, b| {
            let (a, b) = (rank(&all[*a]), rank(&all[*b]));
            a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)).then(b.2.cmp(&a.2))
        });
        if let Some(first) = first {
            all[first].evicts = true;
        }
        all
    }

    /// The limits that hold now. Asks the file system for its size when a part of it is the limit.
    pub fn bounds(&self) -> Bounds {
        let cache = &self.app.config().cache;
        // What goes first is a rule of the store's; another policy would have to be handed down here.
        let EvictionPolicy::Lru = cache.eviction_policy;
        let (mut mib, mut setting) = (cache.max_size_mb, "cache.max_size_mb");
        let other = if self.app.is_memory() {
            (cache.max_memory_mb > 0.0).then_some((cache.max_memory_mb, "cache.max_memory_mb"))
        } else {
            self.share_of_disk().map(|mib| (mib, "cache.max_disk_percent"))
        };
        if let Some((other, of)) = other.filter(|(other, _)| *other < mib || mib <= 0.0) {
            (mib, setting) = (other, of);
        }
        let share = cache.low_water_percent / 100.0;
        #[expect(clippy::cast_precision_loss, reason = "a share between 0 and 1 of a count")]
        let low_entries = whole(cache.max_entries as f64 * share);
        Bounds {
            bytes: mebibytes(mib),
            low_bytes: mebibytes(mib * share),
            setting,
            entries: cache.max_entries,
            low_entries,
        }
    }

    /// The limit on what entries hold, in bytes.
    pub fn bytes(&self) -> u64 {
        self.bounds().bytes
    }

    /// `cache.max_disk_percent` of the disk, in MiB; `None` when it is no limit, or the disk does not tell its size.
    fn share_of_disk(&self) -> Option<f64> {
        let percent = self.app.config().cache.max_disk_percent;
        if percent <= 0.0 {
            return None;
        }
        let total = host::free_space(self.app.cache_dir()).ok()?.total;
        #[expect(clippy::cast_precision_loss, reason = "a disk is measured in whole MiB")]
        (total > 0).then(|| total as f64 / MIB * percent / 100.0)
    }
}

/// MiB as configured (fractions allowed) in bytes.
pub(super) fn mebibytes(mib: f64) -> u64 {
    whole(mib * MIB)
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "checked by the configuration: not negative"
)]
fn whole(number: f64) -> u64 {
    number as u64
}
