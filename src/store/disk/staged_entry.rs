//! Drafts: entries whose frames are written one by one under a version that no entry shows.
//!
//! Each frame is one small transaction; a draft that a sweep, a record or another generation overtook is never
//! published.

use crate::clock::UnixMillis;
use crate::sqlite::{self, OptionalExtension, Transaction, params};
use crate::store::disk::Disk;
use crate::store::disk::generation::Stamp;
use crate::store::disk::key_registry;
use crate::store::disk::read::first_frame;
use crate::store::disk::schema;
use crate::store::disk::write;
use crate::store::invalidation_log::DRAFT_MILLIS;
use crate::store::key_id;
use crate::store::{Address, EntryWriter, Meta, StoreError};

struct DiskDraft<'a> {
    disk: &'a Disk,
    stamp: Stamp,
    version: i64,
    next: u32,
    begun: UnixMillis,
    lost: bool,
}

/// Begins a draft in the live generation.
pub(super) fn begin(disk: &Disk, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
    let (version, stamp) = disk.lend(|live| {
        let version = sqlite::write(&mut live.connection, |transaction| {
            let version = write::next_version(transaction)?;
            let due = begun.saturating_add(DRAFT_MILLIS);
            transaction.prepare_cached("INSERT INTO g(version, due) VALUES(?, ?)")?.execute([version, due])?;
            Ok::<_, crate::store::disk::DiskFault>(version)
        })?;
        Ok((version, live.stamp))
    })?;
    Ok(Box::new(DiskDraft { disk, stamp, version, next: 0, begun, lost: false }))
}

/// Whether the draft was not freed.
fn stands(transaction: &Transaction<'_>, version: i64) -> Result<bool, crate::store::disk::DiskFault> {
    let mut statement = transaction.prepare_cached("SELECT 1 FROM g WHERE version = ?")?;
    Ok(statement.query_row([version], |_| Ok(())).optional()?.is_some())
}

impl EntryWriter for DiskDraft<'_> {
    fn frame(&mut self, bytes: &[u8]) -> Result<(), StoreError> {
        if self.lost {
            return Ok(());
        }
        if self.next >> schema::FRAME_BITS > 0 {
            return Err(StoreError::Damaged { key: "a draft".into(), reason: "it has too many frames" });
        }
        let id = first_frame(self.version) + i64::from(self.next);
        let written = self.disk.lend(|live| {
            if live.stamp != self.stamp {
                return Ok(false);
            }
            sqlite::write(&mut live.connection, |transaction| {
                let stands = stands(transaction, self.version)?;
                if stands {
                    transaction.prepare_cached("INSERT INTO v(id, data) VALUES(?, ?)")?.execute(params![id, bytes])?;
                }
                Ok(stands)
            })
        })?;
        self.lost = !written;
        self.next += 1;
        Ok(())
    }

    fn publish(self: Box<Self>, meta: &Meta, since: u64) -> Result<bool, StoreError> {
        if self.lost {
            return Ok(false);
        }
        if meta.frames != self.next {
            return Err(StoreError::Damaged { key: meta.key.clone(), reason: "its frames are not all written" });
        }
        let address = Address { space: &meta.space, key: &meta.key };
        self.disk.lend(|live| {
            if live.stamp != self.stamp {
                return Ok(false);
            }
            sqlite::write(&mut live.connection, |transaction| {
                let admitted = key_registry::admit(transaction, key_id::of(&meta.key), since, self.begun)?;
                let open = admitted
                    && write::judge(transaction, since, self.begun)?.is_some_and(|gate| !gate.refuses(address));
                if !open || !stands(transaction, self.version)? {
                    transaction.prepare_cached("UPDATE g SET due = 0 WHERE version = ?")?.execute([self.version])?;
                    return Ok(false);
                }
                transaction.prepare_cached("DELETE FROM g WHERE version = ?")?.execute([self.version])?;
                write::show(transaction, address.id().cast_signed(), meta, self.version)?;
                Ok(true)
            })
        })
    }
}
