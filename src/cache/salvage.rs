//! What of a cache that was set aside is still true, taken over into the one that took its place.
//!
//! Every byte is verified before it is stored; an entry keeps its times; an entry that a record of either cache covers stays
//! out, and so does one that has been fetched again meanwhile.

use super::{Cache, SCHEMA, Usability, entry};
use crate::cache::lookup::is_whole;
use crate::clock::UnixMillis;
use crate::progress::Progress;
use crate::store::{Encrypted, Fill, Frames, KeyState, Meta, Remains, StoreError};
use serde::Serialize;
use std::collections::BTreeMap;

/// The most entries, or bytes of entries, in one transaction.
const BATCH: usize = 500;
const BATCH_BYTES: u64 = 8 * 1024 * 1024;
/// The attempts to store one batch after the first, which waits for `cache.busy_timeout`.
const MOST_WAITS: u32 = 12;
/// The pause between them.
const PAUSE: std::time::Duration = std::time::Duration::from_millis(100);
const WHAT: &str = "entries";

/// What a salvage brought back.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Salvaged {
    /// Entries that could be read.
    pub read: u64,
    /// Entries that were stored, or with a dry run would be.
    pub stored: u64,
    /// Entries that were left out, by reason.
    pub left_out: BTreeMap<&'static str, u64>,
    /// Stretches of the old cache that could not be read.
    pub unreadable: u64,
    /// Why it brought back nothing, or not all; null when it went to its end.
    pub ended: Option<String>,
}

/// Where what is salvaged goes.
#[derive(Debug, Clone, Copy)]
pub struct SalvageTarget<'a> {
    /// The cache that took the place of the old one; `None` for a dry run.
    pub disk: Option<&'a Encrypted>,
    /// What can read the old one's entries.
    pub ring: &'a KeyState,
    /// The number at which it began.
    pub since: u64,
    /// When it began.
    pub begun: UnixMillis,
}

impl Cache {
    /// Carries over the intact entries. A failing store ends it; entries stored before stay.
    pub fn salvage(&self, remains: &Remains, target: SalvageTarget<'_>, progress: &dyn Progress) -> Salvaged {
        let mut done = Salvaged::default();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        progress.started(WHAT, remains.entries());
        let walked = remains.each(&mut |meta, covered, frames| {
            done.read += 1;
            progress.advanced(WHAT, 1);
            let sound = target.ring.revealed(meta, frames, |meta, frames| self.sound(covered, meta, frames));
            match sound
                .transpose()?
                .unwrap_or(Err("under another key, in plaintext where it is to be encrypted, or damaged"))
            {
                Ok(fill) => {
                    bytes += fill.meta.held;
                    batch.push(fill);
                }
                Err(reason) => *done.left_out.entry(reason).or_default() += 1,
            }
            if batch.len() >= BATCH || bytes > BATCH_BYTES {
                bytes = 0;
                store(&mut batch, target, &mut done)?;
            }
            Ok(())
        });
        match walked.and_then(|faults| store(&mut batch, target, &mut done).map(|()| faults)) {
            Ok(faults) => done.unreadable = faults,
            Err(error) => done.ended = Some(format!("it ended early: {error}")),
        }
        progress.finished(WHAT);
        done
    }

    /// The entry as a fill, or why it is left out. An error is not the entry's.
    fn sound(
        &self,
        covered: bool,
        meta: &Meta,
        frames: &mut dyn Frames,
    ) -> Result<Result<Fill, &'static str>, StoreError> {
        if meta.schema != SCHEMA {
            return Ok(Err("stored by another version"));
        }
        if !entry::is_intact(meta) {
            return Ok(Err("damaged"));
        }
        match self.verdict(meta) {
            Usability::Fresh { .. } | Usability::Stale => {}
            Usability::FromTheFuture => return Ok(Err("stored in the future")),
            Usability::Expired | Usability::TooOld => return Ok(Err("expired")),
        }
        if covered {
            return Ok(Err("a change was about it"));
        }
        if !is_whole(meta, frames)? {
            return Ok(Err("damaged"));
        }
        let mut all = Vec::new();
        for index in 0..meta.frames {
            let mut frame = Vec::new();
            match frames.read(index, &mut frame) {
                Err(StoreError::Damaged { .. }) => return Ok(Err("damaged")),
                read => read?,
            }
            all.push(frame);
        }
        Ok(Ok(Fill { meta: meta.clone(), frames: all }))
    }
}

fn store(batch: &mut Vec<Fill>, target: SalvageTarget<'_>, done: &mut Salvaged) -> Result<(), StoreError> {
    let fills = std::mem::take(batch);
    let Some(disk) = target.disk else {
        done.stored += fills.len() as u64;
        return Ok(());
    };
    if fills.is_empty() {
        return Ok(());
    }
    let mut waits = 0;
    let (stored, present) = loop {
        match disk.put_absent(&fills, target.since, target.begun) {
            // Others store as well meanwhile, each at his turn; what is not taken over now is lost to them all.
            Err(error) if error.is_busy() && waits < MOST_WAITS => {
                // After the first wait the store does not wait again by itself.
                std::thread::sleep(PAUSE);
                waits += 1;
            }
            put => break put?,
        }
    };
    done.stored += stored.stored;
    for (reason, n) in [("a change was about it", stored.refused), ("fetched again meanwhile", present)] {
        if n > 0 {
            *done.left_out.entry(reason).or_default() += n;
        }
    }
    Ok(())
}
