//! Operations for the encryption layer: removals under several key ids, and replacement of rows.
//!
//! A removal is recorded and carried out in one transaction, on the generation that is live when it ends; what an
//! exchange replaces is overwritten.

use crate::clock::UnixMillis;
use crate::sqlite;
use crate::store::disk::Disk;
use crate::store::disk::ballast;
use crate::store::disk::generation;
use crate::store::disk::key_registry;
use crate::store::disk::key_registry::Lifted;
use crate::store::disk::write;
use crate::store::key_id;
use crate::store::key_id::CLEAR;
use crate::store::{Address, Fill, Removed, Select, StoreError, TRIAL_SPACE};
use std::path::PathBuf;

/// How often a removal follows when the live generation is replaced under it.
const ROUNDS: u32 = 100;

/// What goes, and what is written into the log of it.
pub(in crate::store) struct DeleteRequest<'a> {
    /// What is recorded, and which of the rows under it go.
    pub(in crate::store) cuts: Vec<DeleteRule<'a>>,
    /// Recorded too if a key id is known that is not among `own`; its rows under these prefixes are removed.
    pub(in crate::store) wide: Vec<Select>,
    /// The key ids that `cuts` are complete for.
    pub(in crate::store) own: Vec<u64>,
}

/// Judges a row by its space and name.
pub(in crate::store) type RowFilter<'a> = Box<dyn Fn(&str, &str) -> bool + 'a>;

/// One selection of a removal.
pub(in crate::store) struct DeleteRule<'a> {
    /// What is recorded.
    pub(in crate::store) select: Select,
    /// Which of the rows under it go; all of them without.
    pub(in crate::store) goes: Option<RowFilter<'a>>,
}

impl DeleteRequest<'_> {
    /// Whether it is about nothing that anybody else reads.
    fn is_trial(&self) -> bool {
        let is_trial = |select: &Select| match select {
            Select::Exact { space, .. } => space == TRIAL_SPACE,
            Select::Glob { space, .. } => space.as_deref() == Some(TRIAL_SPACE),
            Select::Space(_) | Select::All => false,
        };
        self.cuts.iter().map(|cut| &cut.select).chain(&self.wide).all(is_trial)
    }

    /// The removal of a process that has no key.
    pub(in crate::store) fn clear(selections: &[Select]) -> DeleteRequest<'static> {
        DeleteRequest {
            cuts: selections.iter().map(|select| DeleteRule { select: select.clone(), goes: None }).collect(),
            wide: selections.iter().map(key_id::widen).collect(),
            own: vec![CLEAR],
        }
    }
}

impl Disk {
    /// The known key ids.
    pub(in crate::store) fn key_ids(&self) -> Result<Vec<u64>, StoreError> {
        self.lend(|live| Ok(key_registry::known(&live.connection)?))
    }

    /// Forgets the key ids, other than `kept`, that have no entries.
    pub(in crate::store) fn forget_empty(&self, kept: u64) -> Result<(), StoreError> {
        self.lend(|live| {
            sqlite::write(&mut live.connection, |transaction| key_registry::forget_empty(transaction, kept))
        })
    }

    /// How many entries and bytes there are under each key id that has any or is known.
    pub(in crate::store) fn census(&self) -> Result<Vec<(u64, u64, u64)>, StoreError> {
        self.lend(|live| Ok(key_registry::census(&live.connection)?))
    }

    /// The row at `address` as it lies there.
    pub(in crate::store) fn lift(&self, address: Address<'_>) -> Result<Option<Lifted>, StoreError> {
        self.lend(|live| key_registry::lift(&live.connection, address))
    }

    /// Puts entries in place of others, or drops them, in one transaction; what is deleted is overwritten. Gives how many
    /// were put and how many of the old ones had gone.
    pub(in crate::store) fn exchange(&self, pairs: &[(Lifted, Option<Fill>)]) -> Result<(u64, u64), StoreError> {
        self.lend(|live| {
            live.lasting = false;
            live.connection.pragma_update(None, "secure_delete", true)?;
            sqlite::write(&mut live.connection, |transaction| {
                for fill in pairs.iter().filter_map(|(_, fill)| fill.as_ref()) {
                    // A removal from now on must know that this key id is in use.
                    key_registry::admit(transaction, key_id::of(&fill.meta.key), u64::MAX >> 1, i64::MAX)?;
                }
                key_registry::exchange(transaction, pairs)
            })
        })
    }

    /// After everything was written under `kept`: forgets the key ids that are no longer used, and what the log
    /// and the ring would tell of them.
    pub(in crate::store) fn forget_key_ids(&self, kept: u64) -> Result<(), StoreError> {
        self.lend(|live| {
            write::durably(&mut live.connection, |transaction| {
                key_registry::forget_empty(transaction, kept)?;
                key_registry::blur(transaction, kept)
            })
        })
    }

    /// Rewrites the database, so that nothing of what was deleted stays in free pages or in the log. `false` when a
    /// reader held that back.
    pub(in crate::store) fn scour(&self) -> Result<bool, StoreError> {
        self.lend(|live| {
            live.lasting = false;
            write::free(&mut live.connection, i64::MAX, write::SLICE)?;
            live.connection.execute_batch("VACUUM")?;
            Ok(sqlite::checkpoint(&live.connection)?)
        })
    }

    /// Databases of this directory that are not the live one, and may hold what was written before.
    pub(in crate::store) fn others(&self) -> Result<Vec<PathBuf>, StoreError> {
        let live = self.path()?;
        let names = generation::databases(&self.options)?;
        let paths = names.into_iter().map(|n| self.options.dir.join(generation::file_name(n)));
        Ok(paths.filter(|path| *path != live).collect())
    }

    /// [`Store::remove`] of those who know more about names.
    pub(in crate::store) fn cut(
        &self,
        removal: &DeleteRequest<'_>,
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError> {
        let mut rounds = 0;
        loop {
            let once = || {
                self.lend(|live| {
                    let removed = write::durably(&mut live.connection, |transaction| {
                        write::date(transaction, now)?;
                        write::remove(transaction, removal, fence_until, now)
                    })?;
                    Ok((removed, live.stamp))
                })
            };
            let (removed, stamp) = match once() {
                // A change must be known, whatever else the disk has no room for.
                Err(error) if (generation::is_full(&error) || self.is_cramped()) && ballast::take_up(&self.options) => {
                    once()?
                }
                done => done?,
            };
            self.saw(removed.sequence);
            if !removal.is_trial() {
                generation::retire_others(&self.options)?;
            }
            rounds += 1;
            // Another generation may have come to life while this one was being written: it must know too.
            if generation::stamp(&self.options.dir) == Some(stamp) {
                // What a large removal left is freed in small transactions; if that fails, the next sweep does it.
                let _ = self.lend(|live| write::free(&mut live.connection, 0, write::SLICE));
                return Ok(removed);
            }
            if rounds == ROUNDS {
                return Err(StoreError::Io {
                    action: "keep up with",
                    path: self.options.dir.join(generation::CURRENT),
                    source: std::io::Error::other("it keeps being replaced"),
                });
            }
        }
    }
}
