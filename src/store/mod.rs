//! Bytes at rest: the contract that every backend keeps, and the stack that is built from them.
//!
//! A backend stores opaque frames under (space, key), keeps the sequence log of records, and answers `None` for
//! what it does not hold; it never answers with another space's bytes.

mod breaker;
mod disk;
mod encrypted;
mod error;
mod eviction;
mod invalidation_log;
mod key_id;
mod memory;
mod shared;
mod tiered;

pub use breaker::{BreakerLayer, BreakerSide, BreakerSnapshot, BreakerState};
pub use disk::{
    Disk, EvictedEntry, EvictionTotal, Evidence, Flip, IntegrityReport, InvalidationHistory, Options, REASONS, Remains,
    Unsalvageable,
};
pub use encrypted::BadKey;
pub use encrypted::Encrypted;
pub use encrypted::KeyRing;
pub use encrypted::KeyState;
pub use encrypted::KeyUsage;
pub use encrypted::RekeyReport;
pub use error::{StoreError, StoreFault};
pub use invalidation_log::InvalidationRecord;
pub use invalidation_log::KEEP_MILLIS;
pub use memory::Memory;
pub use tiered::Tiered;

use crate::clock::UnixMillis;
use std::ops::ControlFlow;

/// The number of the form in which everything here lies at rest: databases, and the entries in them. What bears another
/// number is another version's, and left alone. It is one number, because in one database two versions would each replace
/// what the other stored. The feature `next-schema` raises it for those tests that run two versions on one host.
pub const SCHEMA: u32 = if cfg!(feature = "next-schema") { 2 } else { 1 };

/// The space of temporary entries, which their maker removes again: no other process, of this version or of
/// another, reads them.
pub const TRIAL_SPACE: &str = "@test";

/// Where an entry lives: the text of a space and a key within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Address<'a> {
    /// The text of a [`crate::model::Namespace`], or a reserved one that begins with `@`.
    pub space: &'a str,
    /// The whole key.
    pub key: &'a str,
}

impl Address<'_> {
    /// The 64-bit id of the row, `xxh3(space, 0, key)`; the full space and key are compared too.
    pub fn id(&self) -> u64 {
        let mut hash = xxhash_rust::xxh3::Xxh3::new();
        hash.update(self.space.as_bytes());
        hash.update(&[0]);
        hash.update(self.key.as_bytes());
        hash.digest()
    }
}

/// What is known about an entry without touching its payload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Meta {
    /// The text of its space.
    pub space: String,
    /// Its key.
    pub key: String,
    /// The version of the entry format; another binary's is left alone.
    pub schema: u32,
    /// When its answer was fetched.
    pub stored_at: UnixMillis,
    /// When it stops being fresh.
    pub fresh_until: UnixMillis,
    /// When it may no longer be served even if AWS is silent.
    pub stale_until: UnixMillis,
    /// When it was last used, as far as the folded tally knows.
    pub used_at: UnixMillis,
    /// The call that gave it (`AWSIdentityStore.ListUsers`).
    pub source: String,
    /// Bytes of payload before compression.
    pub size: u64,
    /// Bytes that its frames take at rest.
    pub held: u64,
    /// How many frames the payload has.
    pub frames: u32,
    /// Checksum of everything above but `used_at`, made and judged by `cache/entry.rs`.
    pub checksum: u64,
}

/// The frames of one entry, readable while [`Store::view`] shows it.
pub trait Frames {
    /// Puts frame `index` (counted from 0) into `buffer`, replacing what it held.
    fn read(&mut self, index: u32, buffer: &mut Vec<u8>) -> Result<(), StoreError>;
}

/// What [`Store::view`] calls with the entry: an error it returns ends the view and is returned.
pub type ViewCallback<'a> = &'a mut dyn FnMut(&Meta, &mut dyn Frames) -> Result<(), StoreError>;

/// What [`Store::revise`] calls with the entry that is there, if there is one. What it gives is stored in its place;
/// `None` leaves everything as it is.
pub type Revise<'a> = &'a mut dyn FnMut(Option<(&Meta, &mut dyn Frames)>) -> Result<Option<Fill>, StoreError>;

/// One entry to store, whole.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fill {
    /// Its metadata; `held` and `frames` agree with the frames.
    pub meta: Meta,
    /// Its payload in frames.
    pub frames: Vec<Vec<u8>>,
}

/// How many entries of a batch were stored, and how many a later record kept out.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stored {
    /// Entries stored.
    pub stored: u64,
    /// Entries that a record newer than the fill's start covers.
    pub refused: u64,
}

/// An entry whose frames are written one by one under a version that no reader sees.
/// Dropping it unpublished leaves nothing that a reader can find; a later sweep frees the bytes.
pub trait EntryWriter: Send {
    /// Writes the next frame.
    fn frame(&mut self, bytes: &[u8]) -> Result<(), StoreError>;
    /// Makes the entry visible in one transaction, unless a record newer than `since` covers it. `true` when stored.
    fn publish(self: Box<Self>, meta: &Meta, since: u64) -> Result<bool, StoreError>;
}

/// A set of entries.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Select {
    /// One key of one space.
    Exact {
        /// The text of the space.
        space: String,
        /// The key.
        key: String,
    },
    /// The keys that match a glob, in one space or (`None`) in all.
    Glob {
        /// The text of the space.
        space: Option<String>,
        /// The pattern over the whole key.
        pattern: String,
    },
    /// A whole space.
    Space(String),
    /// Everything.
    All,
}

impl Select {
    /// Whether the entry at `address` belongs to the set.
    pub fn covers(&self, address: Address<'_>) -> bool {
        match self {
            Select::Exact { space, key } => space == address.space && key == address.key,
            Select::Glob { space, pattern } => {
                space.as_deref().is_none_or(|space| space == address.space)
                    && crate::model::matches(pattern, address.key)
            }
            Select::Space(space) => space == address.space,
            Select::All => true,
        }
    }
}

/// What a removal did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Removed {
    /// Entries deleted.
    pub entries: u64,
    /// Payload bytes at rest that went with them.
    pub bytes: u64,
    /// The number that the records of this removal got.
    pub sequence: u64,
}

/// What the log of records says of one address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct InvalidationState {
    /// The number of the newest record that covers it; 0 when none is kept.
    pub newest: u64,
    /// Whether a fence that has not lapsed covers it.
    pub fenced: bool,
    /// When the last of these fences lapses, as far as that is known.
    pub until: Option<UnixMillis>,
}

/// What is to be swept. Entries go in this order: expired beyond use, too old, then least recently used until
/// both limits hold, those that match `first` before the others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Sweep {
    /// The time to judge by.
    pub now: UnixMillis,
    /// Drop what may no longer be served at all (`stale_until` has passed).
    pub expired: bool,
    /// Drop what was stored before this.
    pub stored_before: Option<UnixMillis>,
    /// When more bytes than `.0` are held, evict down to `.1`.
    pub bytes: Option<(u64, u64)>,
    /// When more entries than `.0` are held, evict down to `.1`.
    pub entries: Option<(u64, u64)>,
    /// What of the keys goes before all others when something must be evicted: globs over the whole key.
    pub first: &'static [&'static str],
    /// Count, but delete nothing.
    pub dry_run: bool,
}

/// What a sweep did, or with `dry_run` would do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct Swept {
    /// Entries dropped because they had expired.
    pub expired: u64,
    /// Entries dropped because of their age.
    pub aged: u64,
    /// Entries evicted, least recently used first.
    pub evicted: u64,
    /// Entries dropped because there was no room to delete less than everything.
    pub no_room: u64,
    /// Payload bytes at rest that were freed.
    pub bytes: u64,
}

impl Swept {
    /// All entries dropped.
    pub fn entries(&self) -> u64 {
        self.expired + self.aged + self.evicted + self.no_room
    }

    /// What is to be said when everything went, and what to do next.
    pub fn notice(&self) -> Option<String> {
        (self.no_room > 0).then(|| {
            format!(
                "the whole cache was dropped, {} entries of it for want of room: the disk has no byte free to delete fewer; \
                 make room on it, then `awsideman cache warm`",
                self.no_room
            )
        })
    }
}

/// How much a store holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Size {
    /// Entries.
    pub entries: u64,
    /// Bytes of their frames.
    pub held: u64,
    /// Bytes of everything else (metadata, indexes, free pages, log).
    pub index: u64,
}

/// A backend, or a layer around one.
///
/// All methods may be called from any thread and, for shared backends, from any process. Whatever they are asked
/// to remove may be absent. An error is a fault of the backend, never "not there".
pub trait Store: Send + Sync {
    /// `disk`, `memory`.
    fn backend(&self) -> &'static str;

    /// Shows the entry at `address` to `look` under one consistent snapshot; `false` when there is none.
    /// `look` must not call the store. A corrupt row is the caller's to notice: frames are opaque here.
    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError>;

    /// Whether what is stored now would be kept, as far as is known without a try.
    fn stores(&self) -> bool {
        true
    }

    /// The number of the newest record. A fill asks for it *before* its first AWS call.
    fn sequence(&self) -> Result<u64, StoreError>;

    /// The id of the row that `address` has or would have: [`Store::touch`] finds it by this.
    fn row(&self, address: Address<'_>) -> u64 {
        address.id()
    }

    /// What the log says of `address` at `now`. While a fence covers it, reads go live and store nothing.
    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError>;

    /// The records newer than `since`, oldest first; `None` when some of them are forgotten, or when `since` is above
    /// the newest number and comes from another life of the store.
    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError>;

    /// Stores the entries that no record newer than `since` covers and no fence that stood at `begun`, the moment when
    /// the fetch began; each replaces what was there, in one transaction. A `since` older than the oldest record that is
    /// kept stores nothing, and neither does one above the newest number. The last use of what was replaced stays.
    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError>;

    /// In one transaction: shows the entry at `address` to `revise` and stores what that makes of it under the same
    /// address, as a put does that begins at `now`. No other process stores or removes it between the read and the write.
    /// `false` when there is nothing to store, or when a fence stands. `revise` must not call the store, may be called
    /// again when another thread was faster, and its error undoes everything and is returned.
    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError>;

    /// Begins an entry too long to be handed over whole, fetched from `begun` on. An hour later a sweep may free it, and
    /// then it is not published.
    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError>;

    /// One transaction: takes the next number, records every selection (with a deadline, as a fence that stands
    /// until then) and deletes what it covers.
    fn remove(
        &self,
        selections: &[Select],
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError>;

    /// Lets the fences of the number `fence` stand until `until` at most: their change has ended.
    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError>;

    /// How many standing fences were recorded while the clock was ahead. `now` is the present, never the start of a fetch.
    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError>;

    /// Dates the records of a clock that was ahead by `now`: each fence stands for its own length from now on, and a
    /// regular fence is never shortened. Writes nothing where there is no such fence.
    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError>;

    /// Deletes the entry at `address` if its metadata still has this `checksum`; no record. For damaged entries.
    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError>;

    /// Shows the metadata of every entry in the set to `visit`, in order of space and key (where keys are encrypted: of what
    /// is clear of them), until it breaks. No snapshot is held meanwhile, and `visit` may call the store.
    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError>;

    /// Drops expired entries and what is over the limits. No record: an eviction invalidates nothing. On a disk
    /// without a free byte everything may go for the sake of the limits, never a standing fence.
    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError>;

    /// Notes when entries were last used, by [`Store::row`].
    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError>;

    /// How much is held.
    fn size(&self) -> Result<Size, StoreError>;

    /// After bulk work: folds the log into the database and gives space back where that is cheap.
    fn settle(&self) -> Result<(), StoreError>;
}
