//! From one key to another, into the clear or out of it, while others read and write.
//!
//! An entry is exchanged only if it still is the one that was read, so that no invalidation is lost and no younger
//! answer replaced; whenever it is ended, every entry is whole under one key or the other, and another run goes on
//! with the rest.

use crate::store::disk::Lifted;
use crate::store::encrypted::Encrypted;
use crate::store::encrypted::KeyState;
use crate::store::encrypted::blind_index;
use crate::store::encrypted::envelope;
use crate::store::encrypted::keyring::DataKey;
use crate::store::encrypted::wrap;
use crate::store::key_id;
use crate::store::key_id::CLEAR;
use crate::store::{Address, Fill, Meta, Select, Store, StoreError};
use std::ops::ControlFlow;
use std::path::PathBuf;

/// Entries, or bytes of them, that one transaction exchanges.
const ENTRIES: usize = 200;
const BYTES: u64 = 4 * 1024 * 1024;

/// What lies under which key.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct KeyUsage {
    /// Entries in plaintext, and their bytes; `None` if plaintext is no longer stored here.
    pub clear: Option<(u64, u64)>,
    /// The id of each key that is known here, entries, bytes.
    pub keys: Vec<(String, u64, u64)>,
    /// Databases of this directory that are not live, and may hold older entries.
    pub others: Vec<PathBuf>,
}

/// What an exchange did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RekeyReport {
    /// Entries that lie under the wanted key now and did not before.
    pub exchanged: u64,
    /// Entries that went, or were replaced by younger ones, while they were being read.
    pub gone: u64,
    /// Entries that were damaged, and are dropped.
    pub dropped: u64,
    /// Entries under keys that this process does not have; they are left alone.
    pub unknown: u64,
    /// Whether the database was rewritten, so that nothing of its former content is left in it.
    pub scoured: bool,
}

/// How the entries of a key id are read.
enum KeyHolder<'a> {
    /// With this key.
    With(&'a DataKey),
    /// Without a key: they are in plaintext.
    AsItIs,
    /// Not in this process.
    Unknown,
}

impl Encrypted {
    /// What lies under which key. Needs none.
    pub fn census(&self) -> Result<KeyUsage, StoreError> {
        let mut census = KeyUsage { others: self.disk.others()?, ..KeyUsage::default() };
        for (key_id, entries, held) in self.disk.census()? {
            if key_id == CLEAR {
                census.clear = Some((entries, held));
            } else {
                census.keys.push((format!("{key_id:08x}"), entries, held));
            }
        }
        Ok(census)
    }

    /// Rewrites every entry that can be read with `old` or with the keys of this layer, as this layer writes.
    /// Calls `advanced` after each batch; `false` stops it.
    pub fn exchange(&self, old: &KeyState, advanced: &mut dyn FnMut(u64) -> bool) -> Result<RekeyReport, StoreError> {
        let wanted = match &self.ring {
            KeyState::Clear => None,
            KeyState::Keys(keys) => Some(keys.newest()),
            KeyState::Locked(reason) => return Err(StoreError::Key(reason.clone())),
        };
        let target = wanted.map_or(CLEAR, DataKey::key_id);
        let mut done = RekeyReport::default();
        // Entries that other processes store under an old key id meanwhile are found in another round; a few are enough.
        for round in 0..4 {
            let (mut rest, mut left) = (Vec::new(), 0);
            let mut unknown = 0;
            self.disk.scan(&Select::All, &mut |meta| {
                let key_id = key_id::of(&meta.key);
                if key_id != target {
                    match self.reader(old, key_id) {
                        KeyHolder::Unknown => unknown += 1,
                        KeyHolder::With(_) | KeyHolder::AsItIs => rest.push((meta.space.clone(), meta.key.clone())),
                    }
                }
                ControlFlow::Continue(())
            })?;
            done.unknown = unknown;
            if rest.is_empty() || round == 3 {
                break;
            }
            let mut batch = Vec::new();
            let mut bytes = 0;
            for (space, stored) in &rest {
                match self.disk.lift(Address { space, key: stored })? {
                    None => done.gone += 1,
                    Some(mut lifted) => {
                        bytes += lifted.meta.held;
                        let fill = self.opened(old, &mut lifted);
                        done.dropped += u64::from(fill.is_none());
                        let encrypted = fill.map(|fill| wanted.map_or(Ok(fill.clone()), |with| wrap(with, &fill)));
                        batch.push((lifted, encrypted.transpose()?));
                    }
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
        self.disk.forget_key_ids(target)?;
        done.scoured = self.disk.scour()?;
        Ok(done)
    }

    /// Puts the entry under the stored name `old`, if it is there, under `with`.
    pub(crate) fn renew(&self, old: Address<'_>, with: &DataKey) -> Result<(), StoreError> {
        let Some(mut lifted) = self.disk.lift(old)? else { return Ok(()) };
        let fill = self.opened(&KeyState::Clear, &mut lifted).map(|fill| wrap(with, &fill)).transpose()?;
        self.disk.exchange(&[(lifted, fill)]).map(drop)
    }

    fn hand_over(&self, batch: &mut Vec<(Lifted, Option<Fill>)>, done: &mut RekeyReport) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let (put, gone) = self.disk.exchange(batch)?;
        batch.clear();
        done.exchanged += put;
        done.gone += gone;
        Ok(())
    }

    /// How entries of a key id are read.
    fn reader<'a>(&'a self, old: &'a KeyState, key_id: u64) -> KeyHolder<'a> {
        if key_id == CLEAR {
            return if matches!(old, KeyState::Clear) { KeyHolder::AsItIs } else { KeyHolder::Unknown };
        }
        let of = |ring: &'a KeyState| match ring {
            KeyState::Keys(keys) => keys.key(key_id),
            KeyState::Clear | KeyState::Locked(_) => None,
        };
        of(&self.ring).or_else(|| of(old)).map_or(KeyHolder::Unknown, KeyHolder::With)
    }

    /// The entry that a row holds; `None` when it is damaged. Takes the frames out of the row.
    fn opened(&self, old: &KeyState, lifted: &mut Lifted) -> Option<Fill> {
        let row = &lifted.meta;
        let mut frames = lifted.frames.take()?;
        let with = match self.reader(old, key_id::of(&row.key)) {
            KeyHolder::With(key) => key,
            KeyHolder::AsItIs => return Some(Fill { meta: row.clone(), frames }),
            KeyHolder::Unknown => return None,
        };
        let key = blind_index::open(with, &row.space, &row.key)?;
        let (entry, checksum) = envelope::open(with, row, &frames.pop()?)?;
        for (frame, index) in frames.iter_mut().zip(0..) {
            entry.open(index, frame).then_some(())?;
        }
        Some(Fill { meta: Meta { key, frames: row.frames - 1, checksum, ..row.clone() }, frames })
    }
}
