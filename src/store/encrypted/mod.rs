//! The encryption layer over the disk backend: only the holder of a key can read an entry.
//!
//! Guarantee: with a keyring nothing is written in plaintext, and plaintext is not read. Without the key (locked) nothing is
//! read or stored. In every state an invalidation reaches the entries that it covers, under whatever key id they are stored:
//! what cannot be named exactly is removed more widely.
//!
//! Clear in the database stay: the space, resource and operation of each key, the lengths of the rest, times, sizes, and the
//! calls that answers came from. So counts, limits, sweeps and globs over resource and operation need no key.

mod blind_index;
mod envelope;
mod keyring;
mod rekey;
mod writer;

pub use keyring::BadKey;
pub use keyring::KeyRing;
pub use rekey::KeyUsage;
pub use rekey::RekeyReport;

use crate::clock::UnixMillis;
use crate::secure_fs::Prepared;
use crate::store::Address;
use crate::store::Disk;
use crate::store::EntryWriter;
use crate::store::EvictedEntry;
use crate::store::EvictionTotal;
use crate::store::Fill;
use crate::store::Frames;
use crate::store::InvalidationHistory;
use crate::store::InvalidationRecord;
use crate::store::InvalidationState;
use crate::store::Meta;
use crate::store::Removed;
use crate::store::Revise;
use crate::store::Select;
use crate::store::Size;
use crate::store::Store;
use crate::store::StoreError;
use crate::store::Stored;
use crate::store::Sweep;
use crate::store::Swept;
use crate::store::ViewCallback;
use crate::store::disk::DeleteRequest;
use crate::store::disk::DeleteRule;
use crate::store::invalidation_log;
use crate::store::key_id;
use envelope::EntryKey;
use keyring::DataKey;
use std::collections::HashSet;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use writer::DecryptedFrames;
use writer::EncryptedDraft;
use writer::Nothing;
use writer::no_random;
use writer::reveal;
use writer::wrap;
use writer::wrapped;

/// The keys of a process, and whether it encrypts.
#[derive(Debug, Clone)]
pub enum KeyState {
    /// Encryption is off: entries are read and written in plaintext, and encrypted ones are left alone.
    Clear,
    /// Encryption is on and there is no key, for this reason: nothing is read and nothing stored.
    Locked(String),
    /// Entries are encrypted with the first key and decrypted with all.
    Keys(Arc<KeyRing>),
}

impl KeyState {
    /// Shows a row that lies in some generation to `look` as the entry that it was; `None` when this process cannot read
    /// it, or should not, because it is in plaintext and entries are to be encrypted; and when it fails authentication.
    pub fn revealed<T>(
        &self,
        row: &Meta,
        frames: &mut dyn Frames,
        look: impl FnOnce(&Meta, &mut dyn Frames) -> T,
    ) -> Option<T> {
        let keys = match (self, key_id::of(&row.key)) {
            (KeyState::Clear, key_id::CLEAR) => return Some(look(row, frames)),
            (KeyState::Keys(keys), _) => keys,
            (KeyState::Clear | KeyState::Locked(_), _) => return None,
        };
        let with = keys.key(key_id::of(&row.key))?;
        let key = blind_index::open(with, &row.space, &row.key)?;
        let (meta, entry) = reveal(with, row, &key, frames)?;
        Some(look(&meta, &mut DecryptedFrames { frames, entry, count: meta.frames, key: &key }))
    }
}

/// The layer.
#[derive(Debug)]
pub struct Encrypted {
    disk: Disk,
    ring: KeyState,
}

impl Encrypted {
    /// The layer over `disk`.
    pub fn new(disk: Disk, ring: KeyState) -> Encrypted {
        Encrypted { disk, ring }
    }

    /// Why nothing is read or stored, when that is so.
    pub fn locked(&self) -> Option<&str> {
        match &self.ring {
            KeyState::Locked(reason) => Some(reason),
            KeyState::Clear | KeyState::Keys(_) => None,
        }
    }

    /// The id of a key that entries here may lie under, and that this process does not have.
    pub fn foreign_key(&self) -> Result<Option<String>, StoreError> {
        let KeyState::Keys(keys) = &self.ring else { return Ok(None) };
        let foreign = |key_id: &u64| *key_id != key_id::CLEAR && keys.key(*key_id).is_none();
        Ok(self.disk.key_ids()?.into_iter().find(foreign).map(|key_id| format!("{key_id:08x}")))
    }

    /// See [`Disk::path`].
    pub fn path(&self) -> Result<PathBuf, StoreError> {
        self.disk.path()
    }

    /// See [`Disk::prepared`].
    pub fn prepared(&self) -> Prepared {
        self.disk.prepared()
    }

    /// See [`Disk::evictions`].
    pub fn evictions(&self, address: Address<'_>) -> Result<Vec<EvictedEntry>, StoreError> {
        let mut found = Vec::new();
        self.each_name(address, &mut |address| {
            found.append(&mut self.disk.evictions(address)?);
            Ok(true)
        })?;
        found.sort_by_key(|eviction| std::cmp::Reverse(eviction.at));
        Ok(found)
    }

    /// See [`Disk::lost`].
    pub fn lost(&self) -> Result<Vec<EvictionTotal>, StoreError> {
        self.disk.lost()
    }

    /// See [`Disk::put_absent`].
    pub fn put_absent(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<(Stored, u64), StoreError> {
        match &self.ring {
            KeyState::Clear => self.disk.put_absent(fills, since, begun),
            KeyState::Locked(_) => Ok((Stored { stored: 0, refused: fills.len() as u64 }, 0)),
            KeyState::Keys(keys) => self.disk.put_absent(&wrapped(keys, fills)?, since, begun),
        }
    }

    /// See [`Disk::history`]; records are about the keys that they mean, or about more where that cannot be read.
    pub fn history(&self, now: UnixMillis) -> Result<InvalidationHistory, StoreError> {
        let history = self.disk.history(now)?;
        Ok(InvalidationHistory { records: self.decrypted(history.records), ..history })
    }

    fn keys(&self) -> impl Iterator<Item = &DataKey> {
        let keys = match &self.ring {
            KeyState::Keys(keys) => Some(keys),
            KeyState::Clear | KeyState::Locked(_) => None,
        };
        keys.into_iter().flat_map(|keys| keys.iter())
    }

    /// Shows `go` the address under every name that this process can say, until it is content.
    fn each_name(
        &self,
        address: Address<'_>,
        go: &mut dyn FnMut(Address<'_>) -> Result<bool, StoreError>,
    ) -> Result<(), StoreError> {
        if matches!(self.ring, KeyState::Clear) {
            return go(address).map(drop);
        }
        for key in self.keys() {
            let name = blind_index::encrypt(key, address.space, address.key);
            if !go(Address { space: address.space, key: &name })? {
                break;
            }
        }
        Ok(())
    }

    /// The key behind a stored name: `None` if this process has no key for its key id.
    fn read_name(&self, space: &str, stored: &str) -> Option<String> {
        match (&self.ring, key_id::of(stored)) {
            (KeyState::Clear, key_id::CLEAR) => Some(stored.to_owned()),
            (KeyState::Keys(keys), key_id) => blind_index::open(keys.key(key_id)?, space, stored),
            (KeyState::Clear | KeyState::Locked(_), _) => None,
        }
    }

    /// Records as they are about keys. What cannot be read covers all that it may mean.
    fn decrypted(&self, records: Vec<InvalidationRecord>) -> Vec<InvalidationRecord> {
        let mut seen = HashSet::new();
        let tell = |record: InvalidationRecord| {
            let select = match &record.select {
                Select::Exact { space, key } => match (key_id::of(key), self.read_name(space, key)) {
                    (_, Some(key)) => Select::Exact { space: space.clone(), key },
                    (key_id::CLEAR, None) => record.select.clone(),
                    (_, None) => key_id::widen(&record.select),
                },
                whole => whole.clone(),
            };
            InvalidationRecord { select, ..record }
        };
        // The same removal is recorded under each key of the ring.
        records
            .into_iter()
            .map(tell)
            .filter(|record| seen.insert((record.sequence, format!("{:?}", record.select))))
            .collect()
    }

    fn removal<'a>(&'a self, selections: &'a [Select]) -> DeleteRequest<'a> {
        let wide = selections.iter().map(key_id::widen).collect();
        let keys = match &self.ring {
            KeyState::Clear => return DeleteRequest::clear(selections),
            KeyState::Locked(_) => return DeleteRequest { cuts: Vec::new(), wide, own: Vec::new() },
            KeyState::Keys(keys) => keys,
        };
        let mut cuts = Vec::new();
        for select in selections {
            match select {
                Select::Exact { space, key } => cuts.extend(keys.iter().map(|with| {
                    let key = blind_index::encrypt(with, space, key);
                    DeleteRule { select: Select::Exact { space: space.clone(), key }, goes: None }
                })),
                Select::Glob { pattern, .. } => {
                    let wide = key_id::widen(select);
                    // Rows that are not ours are looked after by the wider record.
                    let goes = move |space: &str, stored: &str| {
                        self.read_name(space, stored).is_some_and(|key| crate::model::matches(pattern, &key))
                    };
                    let exact = wide == *select;
                    cuts.push(DeleteRule { select: wide, goes: (!exact).then(|| Box::new(goes) as _) });
                }
                whole => cuts.push(DeleteRule { select: whole.clone(), goes: None }),
            }
        }
        DeleteRequest { cuts, wide, own: keys.iter().map(DataKey::key_id).collect() }
    }

    /// Shows an entry of the disk to `look` decrypted.
    fn look(&self, with: &DataKey, stored: Address<'_>, key: &str, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        let mut broken = None;
        let shown = self.disk.view(stored, &mut |row, frames| {
            let Some((meta, entry)) = reveal(with, row, key, frames) else {
                broken = Some(row.checksum);
                return Err(StoreError::Damaged { key: key.to_owned(), reason: "it fails authentication" });
            };
            look(&meta, &mut DecryptedFrames { frames, entry, count: meta.frames, key })
        });
        if let Some(checksum) = broken {
            // Of no use to anybody; failing to drop it costs the next reader the same check.
            let _ = self.disk.discard(stored, checksum);
        }
        shown
    }
}

impl Store for Encrypted {
    fn backend(&self) -> &'static str {
        self.disk.backend()
    }

    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        if matches!(self.ring, KeyState::Clear) {
            return self.disk.view(address, look);
        }
        for with in self.keys() {
            let name = blind_index::encrypt(with, address.space, address.key);
            if self.look(with, Address { space: address.space, key: &name }, address.key, look)? {
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn sequence(&self) -> Result<u64, StoreError> {
        self.disk.sequence()
    }

    fn row(&self, address: Address<'_>) -> u64 {
        match self.keys().next() {
            Some(with) => {
                let key = blind_index::encrypt(with, address.space, address.key);
                Address { space: address.space, key: &key }.id()
            }
            None => address.id(),
        }
    }

    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError> {
        if matches!(self.ring, KeyState::Locked(_)) {
            let records = self.decrypted(self.disk.history(now)?.records);
            return Ok(invalidation_log::standing(records, address, now));
        }
        let mut standing = InvalidationState::default();
        self.each_name(address, &mut |address| {
            let found = self.disk.standing(address, now)?;
            standing.newest = standing.newest.max(found.newest);
            standing.fenced |= found.fenced;
            standing.until = standing.until.max(found.until);
            Ok(true)
        })?;
        Ok(standing)
    }

    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError> {
        Ok(self.disk.records(since)?.map(|records| self.decrypted(records)))
    }

    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError> {
        match &self.ring {
            KeyState::Clear => self.disk.put(fills, since, begun),
            KeyState::Locked(_) => Ok(Stored { stored: 0, refused: fills.len() as u64 }),
            KeyState::Keys(keys) => self.disk.put(&wrapped(keys, fills)?, since, begun),
        }
    }

    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        let keys = match &self.ring {
            KeyState::Clear => return self.disk.revise(address, now, revise),
            KeyState::Locked(reason) => return Err(StoreError::Key(reason.clone())),
            KeyState::Keys(keys) => keys,
        };
        let with = keys.newest();
        // What lies under an older key is what is to be revised, too.
        for older in keys.iter().skip(1) {
            let name = blind_index::encrypt(older, address.space, address.key);
            self.renew(Address { space: address.space, key: &name }, with)?;
        }
        let name = blind_index::encrypt(with, address.space, address.key);
        self.disk.revise(Address { space: address.space, key: &name }, now, &mut |there| {
            let made = match there.map(|(row, frames)| (reveal(with, row, address.key, frames), frames)) {
                Some((Some((meta, entry)), frames)) => {
                    revise(Some((&meta, &mut DecryptedFrames { frames, entry, count: meta.frames, key: address.key })))?
                }
                Some((None, _)) | None => revise(None)?,
            };
            made.map(|fill| wrap(with, &fill)).transpose()
        })
    }

    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
        match &self.ring {
            KeyState::Clear => self.disk.draft(begun),
            KeyState::Locked(_) => Ok(Box::new(Nothing)),
            KeyState::Keys(keys) => {
                let (draft, entry) = (self.disk.draft(begun)?, EntryKey::new().map_err(no_random)?);
                Ok(Box::new(EncryptedDraft { draft, with: keys.newest(), entry, next: 0 }))
            }
        }
    }

    fn remove(
        &self,
        selections: &[Select],
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError> {
        self.disk.cut(&self.removal(selections), fence_until, now)
    }

    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        self.disk.lower(fence, until)
    }

    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.disk.fences_ahead(now)
    }

    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError> {
        self.disk.correct_clock(now)
    }

    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError> {
        if matches!(self.ring, KeyState::Clear) {
            return self.disk.discard(address, checksum);
        }
        for with in self.keys() {
            let name = blind_index::encrypt(with, address.space, address.key);
            self.disk.discard(Address { space: address.space, key: &name }, envelope::mark(with, &name, checksum))?;
        }
        Ok(())
    }

    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        match (&self.ring, selection) {
            // Counting needs no key: what cannot be read is shown under its stored name.
            (KeyState::Clear | KeyState::Locked(_), Select::All | Select::Space(_)) => self.disk.scan(selection, visit),
            (KeyState::Locked(_), _) => self.disk.scan(&key_id::widen(selection), visit),
            (KeyState::Clear, _) => self.disk.scan(selection, &mut |meta| {
                if key_id::of(&meta.key) == key_id::CLEAR { visit(meta) } else { ControlFlow::Continue(()) }
            }),
            (KeyState::Keys(_), Select::Exact { space, key }) => {
                let mut found = None;
                self.each_name(Address { space, key }, &mut |address| {
                    let one = Select::Exact { space: space.clone(), key: address.key.to_owned() };
                    self.disk.scan(&one, &mut |meta| {
                        found = Some(Meta { key: key.clone(), frames: meta.frames.saturating_sub(1), ..meta.clone() });
                        ControlFlow::Break(())
                    })?;
                    Ok(found.is_none())
                })?;
                if let Some(meta) = found {
                    let _ = visit(&meta);
                }
                Ok(())
            }
            (KeyState::Keys(_), _) => self.disk.scan(&key_id::widen(selection), &mut |meta| {
                let Some(key) = self.read_name(&meta.space, &meta.key) else {
                    let counts = matches!(selection, Select::All | Select::Space(_));
                    return if counts { visit(meta) } else { ControlFlow::Continue(()) };
                };
                if !selection.covers(Address { space: &meta.space, key: &key }) {
                    return ControlFlow::Continue(());
                }
                visit(&Meta { key, frames: meta.frames.saturating_sub(1), ..meta.clone() })
            }),
        }
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let swept = self.disk.sweep(sweep)?;
        if let (Some(newest), false) = (self.keys().next(), sweep.dry_run) {
            // A key id without entries only makes removals wider.
            let _ = self.disk.forget_empty(newest.key_id());
        }
        Ok(swept)
    }

    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        self.disk.touch(uses)
    }

    fn size(&self) -> Result<Size, StoreError> {
        self.disk.size()
    }

    fn settle(&self) -> Result<(), StoreError> {
        self.disk.settle()
    }
}

#[cfg(test)]
mod tests;
