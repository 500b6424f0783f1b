//! From one key to another, into the clear or out of it, while others read and write.
//!
//! Neighbours: `app/encryption.rs` says when; the disk exchanges a row for its successor in one transaction. Promise: an
//! entry is exchanged only if it still is the one that was read, so that no invalidation is lost and no younger answer
//! replaced; whenever it is ended, every entry is whole under one key or the other, and another run goes on with the rest.

use super::key::SealKey;
use super::{Ring, Sealed, name, wrap};
use crate::store::tongue::{self, CLEAR};
use crate::store::{Address, Fill, Meta, Select, Store, StoreError};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Entries, or bytes of them, that one transaction exchanges.
const ENTRIES: usize = 200;
const BYTES: u64 = 4 * 1024 * 1024;

/// What lies under which key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Census {
    /// Entries in clear, and their bytes; `None` when nobody stores in clear here any more.
    pub clear: Option<(u64, u64)>,
    /// The id of each key that is known here, entries, bytes.
    pub keys: Vec<(String, u64, u64)>,
    /// Databases of this directory that are not live, and may hold older entries.
    pub others: Vec<PathBuf>,
}

/// What an exchange did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Exchanged {
    /// Entries that lie under the wanted key now and did not before.
    pub exchanged: u64,
    /// Entries that went, or were replaced by younger ones, while they were being read.
    pub gone: u64,
    /// Entries that were damaged, and are dropped.
    pub dropped: u64,
    /// Entries under keys that this process does not have; they are left alone.
    pub unknown: u64,
    /// Whether the database was written anew, so that nothing of what was before is left in it.
    pub scoured: bool,
}

impl Sealed {
    /// What lies under which key. Needs none.
    pub fn census(&self) -> Result<Census, StoreError> {
        let mut census = Census { others: self.disk.others()?, ..Census::default() };
        for (tongue, entries, held) in self.disk.census()? {
            if tongue == CLEAR {
                census.clear = Some((entries, held));
            } else {
                census.keys.push((format!("{tongue:08x}"), entries, held));
            }
        }
        Ok(census)
    }

    /// Writes every entry that can be read with `old` (and with the ring of this layer) anew as this layer writes.
    /// `advanced` is told of each batch, and ends it by `false`.
    pub fn exchange(&self, old: &Ring, advanced: &mut dyn FnMut(u64) -> bool) -> Result<Exchanged, StoreError> {
        let wanted = match &self.ring {
            Ring::Clear => None,
            Ring::Keys(keys) => Some(keys.newest()),
            Ring::Locked(reason) => return Err(StoreError::Key(reason.clone())),
        };
        let target = wanted.map_or(CLEAR, SealKey::tongue);
        let mut done = Exchanged::default();
        // Entries that others store in an old tongue meanwhile are met in another round; a few are enough.
        for round in 0..4 {
            let (mut rest, mut left) = (Vec::new(), 0);
            let mut unknown = 0;
            self.disk.scan(&Select::All, &mut |meta| {
                let tongue = tongue::of(&meta.key);
                if tongue != target {
                    if self.reader(old, tongue).is_some() {
                        rest.push((meta.space.clone(), meta.key.clone()));
                    } else {
                        unknown += 1;
                    }
                }
                ControlFlow::Continue(())
            })?;
            done.unknown = unknown;
            if rest.is_empty() || round == 3 {
                break;
            }
            let mut batch: Vec<(Meta, Fill)> = Vec::new();
            let mut bytes = 0;
            for (space, stored) in &rest {
                match self.opened(old, space, stored)? {
                    Some((meta, Some(fill))) => {
                        bytes += meta.held;
                        let fill = wanted.map_or_else(|| Ok(fill.clone()), |with| wrap(with, &fill))?;
                        batch.push((meta, fill));
                    }
                    Some((meta, None)) => {
                        self.disk.erase(&meta)?;
                        done.dropped += 1;
                    }
                    None => done.gone += 1,
                }
                left += 1;
                if batch.len() == ENTRIES || bytes > BYTES {
                    self.hand_over(&mut batch, &mut done)?;
                    bytes = 0;
                    if !advanced(std::mem::take(&mut left)) {
                        return Ok(done);
                    }
                }
            }
            self.hand_over(&mut batch, &mut done)?;
            if !advanced(left) {
                return Ok(done);
            }
        }
        self.disk.forget_tongues(target)?;
        done.scoured = self.disk.scour()?;
        Ok(done)
    }

    fn hand_over(&self, batch: &mut Vec<(Meta, Fill)>, done: &mut Exchanged) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (put, gone) = self.disk.exchange(batch)?;
        batch.clear();
        done.exchanged += put;
        done.gone += gone;
        Ok(())
    }

    /// How entries of a tongue are read: `Some(None)` as they are.
    fn reader<'a>(&'a self, old: &'a Ring, tongue: u64) -> Option<Option<&'a SealKey>> {
        if tongue == CLEAR {
            return matches!(old, Ring::Clear).then_some(None);
        }
        let of = |ring: &'a Ring| match ring {
            Ring::Keys(keys) => keys.speaks(tongue),
            Ring::Clear | Ring::Locked(_) => None,
        };
        of(&self.ring).or_else(|| of(old)).map(Some)
    }

    /// The row under `stored` and the entry that it holds: without one when it is damaged. `None` when it is not there.
    fn opened(&self, old: &Ring, space: &str, stored: &str) -> Result<Option<(Meta, Option<Fill>)>, StoreError> {
        let Some(reader) = self.reader(old, tongue::of(stored)) else { return Ok(None) };
        let address = Address { space, key: stored };
        let mut row = None;
        self.disk.view(address, &mut |meta, _| {
            row = Some(meta.clone());
            Ok(())
        })?;
        let Some(row) = row else { return Ok(None) };
        let mut fill = None;
        let mut same = false;
        let mut take = |meta: &Meta, frames: &mut dyn super::Frames| {
            same = meta.stored_at == row.stored_at;
            let mut all = Vec::new();
            for index in 0..meta.frames {
                let mut frame = Vec::new();
                frames.read(index, &mut frame)?;
                all.push(frame);
            }
            fill = Some(Fill { meta: meta.clone(), frames: all });
            Ok(())
        };
        let shown = match reader {
            None => self.disk.view(address, &mut take),
            Some(with) => match name::open(with, space, stored) {
                Some(key) => self.look(with, address, &key, &mut take),
                None => Ok(true),
            },
        };
        match shown {
            // One that was replaced meanwhile is not what was read.
            Ok(_) if fill.is_some() && !same => Ok(None),
            Ok(false) => Ok(None),
            Ok(true) | Err(StoreError::Damaged { .. }) => Ok(Some((row, fill))),
            Err(error) => Err(error),
        }
    }
}
