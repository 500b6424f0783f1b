//! Looking an entry up: hit, stale, or a miss with its reason.
//!
//! Every frame is verified before the first byte is shown; a damaged entry is a miss and is dropped; another
//! version's is left alone.

use crate::cache::Cache;
use crate::cache::CacheError;
use crate::cache::Key;
use crate::cache::entry;
use crate::cache::entry::Payload;
use crate::cache::freshness::Usability;
use crate::cache::freshness::judge;
use crate::clock::UnixMillis;
use crate::store::{Address, Frames, Meta, StoreError};
use serde::Serialize;
use std::io::{self, Read};
use std::time::Duration;

/// Where an answer comes from and how old it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// `true` when no call was made for it.
    pub cached: bool,
    /// `true` when it has expired and stands in for a silent AWS.
    pub stale: bool,
    /// When AWS gave it.
    pub stored_at: UnixMillis,
    /// How old it is, in milliseconds.
    pub age_ms: i64,
    /// How long it is still fresh, in milliseconds.
    pub left_ms: i64,
}

impl Provenance {
    /// That of an answer which AWS gave at `now`.
    pub fn live(now: UnixMillis) -> Provenance {
        Provenance { cached: false, stale: false, stored_at: now, age_ms: 0, left_ms: 0 }
    }

    /// That of an answer made of this part and another: as old as the older, fresh as long as each that is from the cache.
    #[must_use]
    pub fn and(self, other: Provenance) -> Provenance {
        let left_ms = match (self.cached, other.cached) {
            (true, true) => self.left_ms.min(other.left_ms),
            (false, _) => other.left_ms,
            (true, false) => self.left_ms,
        };
        Provenance {
            cached: self.cached || other.cached,
            stale: self.stale || other.stale,
            stored_at: self.stored_at.min(other.stored_at),
            age_ms: self.age_ms.max(other.age_ms),
            left_ms,
        }
    }
}

/// What a read accepts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ReadOptions {
    /// Nothing older than this.
    pub max_age: Option<Duration>,
    /// Also what has expired, within `stale_if_error`.
    pub stale: bool,
}

/// Why there was no hit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Miss {
    /// It is not there.
    Absent,
    /// It has expired.
    Expired,
    /// It is older than the read accepts.
    TooOld,
    /// It was damaged, and is dropped.
    Corrupt,
    /// It was stored by another version, and is left alone.
    OtherVersion,
    /// The backend failed.
    Fault,
}

/// What a lookup came to.
#[derive(Debug)]
pub enum Lookup {
    /// The entry was shown.
    Hit(Provenance),
    /// Nothing was shown.
    Miss(Miss, Option<StoreError>),
}

/// Whether an entry holds what it says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ChecksumState {
    /// Every checksum is correct. The name in JSON is older than this one.
    #[serde(rename = "sound")]
    Intact,
    /// Another version stored it; this one cannot verify it.
    OtherVersion,
    /// It does not.
    Damaged,
}

/// Receives an answer: where it is from, and its bytes.
pub type EntrySink<'a> = &'a mut (dyn FnMut(&Provenance, &mut dyn Read) -> io::Result<()> + Send);

impl Cache {
    /// Shows the entry under `key` to `show` if it is acceptable. `Err` only when `show` fails on its own account.
    pub fn view(&self, space: &str, key: &Key, accept: ReadOptions, show: EntrySink<'_>) -> Result<Lookup, CacheError> {
        let address = Address { space, key: key.as_str() };
        let now = self.clock.now();
        let mut outcome = Ok(Miss::Absent);
        let mut damaged = None;
        let mut begun = false;
        let looked = self.store.view(address, &mut |meta, frames| {
            if meta.schema != entry::SCHEMA {
                outcome = Ok(Miss::OtherVersion);
                return Ok(());
            }
            if !entry::is_intact(meta) {
                outcome = Ok(Miss::Corrupt);
                damaged = Some(meta.checksum);
                return Ok(());
            }
            let (stale, left_ms) = match judge(meta, self.allowance(&meta.key, accept.max_age), now) {
                Usability::Fresh { left_ms } => (false, left_ms),
                Usability::Stale if accept.stale => (true, 0),
                Usability::TooOld => {
                    outcome = Ok(Miss::TooOld);
                    return Ok(());
                }
                Usability::Stale | Usability::Expired | Usability::FromTheFuture => {
                    outcome = Ok(Miss::Expired);
                    return Ok(());
                }
            };
            let age_ms = now.saturating_sub(meta.stored_at).max(0);
            let provenance = Provenance { cached: true, stale, stored_at: meta.stored_at, age_ms, left_ms };
            let mut payload = Payload::new(meta, frames);
            if let Err(error) = payload.verify() {
                if matches!(error, StoreError::Damaged { .. }) {
                    damaged = Some(meta.checksum);
                }
                return Err(error);
            }
            begun = true;
            match show(&provenance, &mut payload) {
                Ok(()) => {
                    outcome = Err(provenance);
                    Ok(())
                }
                Err(error) => Err(payload.into_failure().unwrap_or(StoreError::Output(error))),
            }
        });
        if let Some(checksum) = damaged {
            // The entry is of no use to anyone; failing to drop it only costs the next reader the same check.
            let _ = self.store.discard(address, checksum);
        }
        match (looked, outcome) {
            (Ok(_), Err(provenance)) => Ok(Lookup::Hit(provenance)),
            (Ok(_), Ok(miss)) => Ok(Lookup::Miss(miss, None)),
            // Part of it may have been shown: another answer after it would be a wrong one.
            (Err(error), _) if begun => Err(error.into()),
            (Err(error @ StoreError::Damaged { .. }), _) => Ok(Lookup::Miss(Miss::Corrupt, Some(error))),
            (Err(error), _) => Ok(Lookup::Miss(Miss::Fault, Some(error))),
        }
    }

    /// The whole entry under `key` if it is acceptable, for answers that are small.
    pub fn get(&self, space: &str, key: &Key, accept: ReadOptions) -> Result<(Lookup, Vec<u8>), CacheError> {
        let mut bytes = Vec::new();
        let lookup = self.view(space, key, accept, &mut |_, body| body.read_to_end(&mut bytes).map(|_| ()))?;
        Ok((lookup, bytes))
    }

    /// Where the entry under `key` is from and how long it is still fresh; `None` when it is not there, not usable or
    /// not fresh. Its payload is not read.
    pub fn freshness(&self, space: &str, key: &Key) -> Option<Provenance> {
        let mut found = None;
        let now = self.clock.now();
        let looked = self.store.view(Address { space, key: key.as_str() }, &mut |meta, _| {
            if meta.schema == entry::SCHEMA
                && entry::is_intact(meta)
                && let Usability::Fresh { left_ms } = judge(meta, self.allowance(&meta.key, None), now)
            {
                let age_ms = now.saturating_sub(meta.stored_at).max(0);
                found = Some(Provenance { cached: true, stale: false, stored_at: meta.stored_at, age_ms, left_ms });
            }
            Ok(())
        });
        looked.ok().and(found)
    }

    /// Shows what is stored under `key` whatever its age, for comparing and counting: never as an answer. `false` when
    /// nothing usable is there, or when `show` did not go to its end.
    pub fn last(&self, space: &str, key: &Key, show: &mut dyn FnMut(&mut dyn Read) -> io::Result<()>) -> bool {
        let looked = self.store.view(Address { space, key: key.as_str() }, &mut |meta, frames| {
            if meta.schema != entry::SCHEMA || !entry::is_intact(meta) {
                return Err(StoreError::Damaged { key: meta.key.clone(), reason: "it is not of this version" });
            }
            let mut payload = Payload::new(meta, frames);
            payload.verify()?;
            show(&mut payload).map_err(StoreError::Output)
        });
        looked.unwrap_or(false)
    }

    /// Verifies every byte of the entry under `key`, fresh or not, and drops nothing; `None` when it is not there.
    pub fn examine(&self, space: &str, key: &str) -> Result<Option<(Meta, ChecksumState)>, StoreError> {
        let mut found = None;
        let looked = self.store.view(Address { space, key }, &mut |meta, frames| {
            let integrity = if meta.schema != entry::SCHEMA {
                ChecksumState::OtherVersion
            } else if entry::is_intact(meta) && is_whole(meta, frames)? {
                ChecksumState::Intact
            } else {
                ChecksumState::Damaged
            };
            found = Some((meta.clone(), integrity));
            Ok(())
        });
        looked.map(|_| found)
    }

    /// Removes the entry under `key` if it still is the one that was fetched at `stored_at`: for what turned out to be
    /// wrong. `true` when it was there. No record: nothing that is being fetched is kept out.
    pub fn withdraw(&self, space: &str, key: &Key, stored_at: UnixMillis) -> Result<bool, StoreError> {
        let address = Address { space, key: key.as_str() };
        let mut checksum = None;
        self.store.view(address, &mut |meta, _| {
            checksum = (meta.stored_at == stored_at).then_some(meta.checksum);
            Ok(())
        })?;
        let Some(checksum) = checksum else { return Ok(false) };
        self.store.discard(address, checksum)?;
        Ok(true)
    }
}

/// Whether all frames are right and add up to what the metadata says. An error is the backend's.
pub(super) fn is_whole(meta: &Meta, frames: &mut dyn Frames) -> Result<bool, StoreError> {
    let mut payload = Payload::new(meta, frames);
    let read = payload.verify().and_then(|()| match io::copy(&mut payload, &mut io::sink()) {
        Ok(n) => Ok(n == meta.size),
        Err(error) => Err(payload.into_failure().unwrap_or(StoreError::Output(error))),
    });
    match read {
        Err(StoreError::Damaged { .. }) => Ok(false),
        read => read,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_as_old_as_its_oldest_part() {
        let part =
            |age_ms, left_ms| Provenance { cached: true, stale: false, stored_at: 1_000 - age_ms, age_ms, left_ms };
        let (old, young, live) = (part(500, 100), part(10, 90), Provenance::live(1_000));
        let whole = Provenance { cached: true, stale: false, stored_at: 500, age_ms: 500, left_ms: 90 };
        for parts in [[old, young, live], [live, young, old], [young, live, old]] {
            assert_eq!(parts[0].and(parts[1]).and(parts[2]), whole);
        }
        assert_eq!(live.and(live), live);
        assert!(young.and(Provenance { stale: true, ..old }).stale);
    }
}
