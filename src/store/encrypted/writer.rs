//! Encrypts fills and drafts, and decrypts frames.
//!
//! An entry is written with its lid after its frames; frames are decrypted one by one as they are read.

use crate::store::encrypted::blind_index;
use crate::store::encrypted::envelope;
use crate::store::encrypted::envelope::EntryKey;
use crate::store::encrypted::envelope::NoRandom;
use crate::store::encrypted::keyring::DataKey;
use crate::store::encrypted::keyring::KeyRing;
use crate::store::{EntryWriter, Fill, Frames, Meta, StoreError};

/// What a row says of the entry `key`, and the key of its frames; `None` when its lid is not its own.
pub(crate) fn reveal(with: &DataKey, row: &Meta, key: &str, frames: &mut dyn Frames) -> Option<(Meta, EntryKey)> {
    let mut lid = Vec::new();
    frames.read(row.frames.checked_sub(1)?, &mut lid).ok()?;
    let (entry, checksum) = envelope::open(with, row, &lid)?;
    Some((Meta { key: key.to_owned(), frames: row.frames - 1, checksum, ..row.clone() }, entry))
}

/// The frames of an encrypted entry, decrypted as they are read.
pub(crate) struct DecryptedFrames<'a> {
    pub(crate) frames: &'a mut dyn Frames,
    pub(crate) entry: EntryKey,
    pub(crate) count: u32,
    pub(crate) key: &'a str,
}

impl Frames for DecryptedFrames<'_> {
    fn read(&mut self, index: u32, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        let damaged = |reason| StoreError::Damaged { key: self.key.to_owned(), reason };
        if index >= self.count {
            return Err(damaged("it has fewer frames than were asked for"));
        }
        match self.frames.read(index, buffer) {
            Ok(()) if self.entry.open(index, buffer) => Ok(()),
            Ok(()) => Err(damaged("a frame fails authentication")),
            Err(StoreError::Damaged { reason, .. }) => Err(damaged(reason)),
            Err(error) => Err(error),
        }
    }
}

/// Fills, encrypted with the newest key.
pub(crate) fn wrapped(keys: &KeyRing, fills: &[Fill]) -> Result<Vec<Fill>, StoreError> {
    fills.iter().map(|fill| wrap(keys.newest(), fill)).collect()
}

/// The row and frames of a fill, encrypted.
pub(crate) fn wrap(with: &DataKey, fill: &Fill) -> Result<Fill, StoreError> {
    let entry = EntryKey::new().map_err(no_random)?;
    let mut frames: Vec<Vec<u8>> =
        fill.frames.iter().zip(0..).map(|(frame, index)| entry.encrypt(index, frame)).collect();
    // A fill that promises more frames than it has keeps its lid where it is looked for.
    frames.resize(fill.meta.frames as usize, Vec::new());
    let meta = row(with, &fill.meta);
    frames.push(envelope::close(with, &entry, &meta, fill.meta.checksum).map_err(no_random)?);
    Ok(Fill { meta, frames })
}

/// The row of an entry whose frames are encrypted.
pub(crate) fn row(with: &DataKey, meta: &Meta) -> Meta {
    let key = blind_index::encrypt(with, &meta.space, &meta.key);
    let checksum = envelope::mark(with, &key, meta.checksum);
    Meta { key, checksum, frames: meta.frames.saturating_add(1), ..meta.clone() }
}

/// What a host without random bytes costs: the fill.
pub(crate) fn no_random(error: NoRandom) -> StoreError {
    StoreError::Key(format!("the host gives no random bytes: {error}"))
}

/// A draft of a process that stores nothing.
pub(crate) struct Nothing;

impl EntryWriter for Nothing {
    fn frame(&mut self, _: &[u8]) -> Result<(), StoreError> {
        Ok(())
    }

    fn publish(self: Box<Self>, _: &Meta, _: u64) -> Result<bool, StoreError> {
        Ok(false)
    }
}

/// A draft whose frames are encrypted as they arrive.
pub(crate) struct EncryptedDraft<'a> {
    pub(crate) draft: Box<dyn EntryWriter + 'a>,
    pub(crate) with: &'a DataKey,
    pub(crate) entry: EntryKey,
    pub(crate) next: u32,
}

impl EntryWriter for EncryptedDraft<'_> {
    fn frame(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        self.draft.frame(&self.entry.encrypt(self.next, bytes))?;
        self.next += 1;
        Ok(())
    }

    fn publish(mut self: Box<Self>, meta: &Meta, since: u64) -> Result<bool, StoreError> {
        if meta.frames != self.next {
            return Err(StoreError::Damaged { key: meta.key.clone(), reason: "its frames are not all written" });
        }
        let row = row(self.with, meta);
        let lid = envelope::close(self.with, &self.entry, &row, meta.checksum).map_err(no_random)?;
        self.draft.frame(&lid)?;
        self.draft.publish(&row, since)
    }
}
