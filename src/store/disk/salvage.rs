//! Reads the intact entries of a generation that is no longer live.
//!
//! Guarantee: the file is not changed; an unreadable page loses only the entries on it. If the log of
//! invalidations is incomplete, no entry is returned, because it is unknown what an invalidation had removed.

use super::salvage_guard::SalvageGuard;
use super::{Disk, Options, generation, read, schema, write};
use crate::clock::UnixMillis;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use crate::sqlite::{self, Connection, Row, StatementError};
use crate::store::invalidation_log::InvalidationRecord;
use crate::store::{Address, Fill, Frames, Meta, StoreError, Stored};
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// The entries that one step past a fault skips, before a binary search for the end of the fault.
const STEP: u64 = 8;

/// The assumed number of entries of a database whose count cannot be read.
const UNKNOWN: u64 = 100_000;

/// The largest number of entries that is assumed.
const MOST: u64 = 10_000_000;

/// A generation that was live.
#[derive(Debug)]
pub struct Remains {
    connection: Connection,
    path: PathBuf,
    /// Covers what its records found there.
    guard: SalvageGuard,
    /// The number of entries that it records.
    entries: Option<u64>,
}

/// Why a generation cannot be salvaged.
#[derive(Debug, thiserror::Error)]
pub enum Unsalvageable {
    /// It cannot be opened.
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] StoreError),
    /// The readable part of its log may lack invalidations.
    #[error("the end of its log is damaged, and with it what changes may have removed")]
    LogCut,
    /// Its records of changes cannot be read.
    #[error("its records of changes cannot be read, and so not what they removed")]
    NoRecords,
}

/// What [`Remains::each`] shows an entry to, with whether a record of this database covers it.
type Visit<'a> = &'a mut dyn FnMut(&Meta, bool, &mut dyn Frames) -> Result<(), StoreError>;

impl Remains {
    /// Opens a generation that is not live any more.
    pub fn open(options: &Options, path: &Path, now: UnixMillis) -> Result<Remains, Unsalvageable> {
        let plan = generation::plan(options, path, "");
        // One that still writes there notices the new generation afterwards; until then the log is not at rest. Where
        // no process may write, none does.
        let mut holder = sqlite::open_existing(&plan).and_then(|connection| {
            sqlite::leave_log(&connection, schema::LOG_PAGES).map_err(sqlite::at(path))?;
            Ok(connection)
        });
        let held = holder.as_mut().ok().and_then(|connection| sqlite::hold(connection).ok());
        // What is whole of the log is not always all there was.
        if !is_log_whole(path) {
            return Err(Unsalvageable::LogCut);
        }
        drop(held);
        let connection = sqlite::open_read_only(&plan).map_err(StoreError::from)?;
        connection
            .execute_batch(schema::CACHE)
            .and_then(|()| sqlite::leave_log(&connection, schema::LOG_PAGES))
            .map_err(|source| StoreError::from(sqlite::at(path)(source)))?;
        let (sequence, records) = read::sequence(&connection)
            .and_then(|sequence| Ok((sequence, read::all_records(&connection)?)))
            .map_err(|_| Unsalvageable::NoRecords)?;
        if records.iter().any(|record: &InvalidationRecord| record.sequence > sequence) {
            return Err(Unsalvageable::NoRecords);
        }
        let guard = SalvageGuard::read(&connection, generation::number_of(path).unwrap_or(0), records, now);
        let count = connection.query_row("SELECT count(*) FROM e", [], |row| row.get::<_, i64>(0));
        let entries = count.ok().map(i64::cast_unsigned);
        Ok(Remains { connection, path: path.into(), guard, entries })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// How many entries it says that it has; `None` when it cannot say.
    pub fn entries(&self) -> Option<u64> {
        self.entries
    }

    /// Visits every entry that can be read, in no defined order; returns how many ranges could not be read. An
    /// error of `visit` ends it.
    pub fn each(&self, visit: Visit<'_>) -> Result<u64, StoreError> {
        // The ids are hashes, evenly spread: this is how far two neighbours are apart, more or less.
        let apart = u64::MAX / self.entries.unwrap_or(UNKNOWN).clamp(64, MOST);
        let (mut from, mut faults) = (i64::MIN, 0);
        while let Some(fault) = self.show_from(from, visit)? {
            faults += 1;
            match self.behind(fault, apart) {
                Some(next) => from = next,
                None => break,
            }
        }
        Ok(faults)
    }

    /// Shows the entries with ids from `from` on. `None` when all were read, else where the fault begins.
    fn show_from(&self, from: i64, visit: Visit<'_>) -> Result<Option<i64>, StoreError> {
        let sql = format!("SELECT {}, id, version FROM e WHERE id >= ? ORDER BY id", schema::META);
        let Ok(mut statement) = self.connection.prepare_cached(&sql) else { return Ok(Some(from)) };
        let Ok(mut rows) = statement.query([from]) else { return Ok(Some(from)) };
        let mut next = Some(from);
        while let Some(wanted) = next {
            let row = match rows.next() {
                Ok(Some(row)) => row,
                Ok(None) => return Ok(None),
                Err(_) => return Ok(Some(wanted)),
            };
            let Ok((id, version, meta)) = entry(row) else { return Ok(Some(wanted)) };
            // Damaged pages can form a cycle.
            if id < wanted {
                return Ok(Some(wanted));
            }
            next = id.checked_add(1);
            // The id of a row must be the hash of its key.
            let address = Address { space: &meta.space, key: &meta.key };
            if address.id().cast_signed() == id {
                // Records are about names as they are stored.
                let covered = self.guard.covers(address, version);
                visit(&meta, covered, &mut read::frames(&self.connection, version, &meta))?;
            }
        }
        Ok(None)
    }

    /// The first id behind a fault from which on can be read again, but for a fraction of `apart`; `None` when there is
    /// none.
    fn behind(&self, fault: i64, apart: u64) -> Option<i64> {
        // A page holds some dozen entries: steps of a few miss none.
        let further = |id: i64| id.saturating_add_unsigned(STEP * apart);
        let (mut bad, mut good) = (fault, further(fault));
        while !self.can_read(good) {
            if good == i64::MAX {
                return None;
            }
            (bad, good) = (good, further(good));
        }
        while good.abs_diff(bad) > apart / 8 {
            let middle = bad.saturating_add_unsigned(good.abs_diff(bad) / 2);
            if self.can_read(middle) { good = middle } else { bad = middle }
        }
        Some(good)
    }

    /// Whether the first entry at or after this id can be read.
    fn can_read(&self, id: i64) -> bool {
        let statement = self.connection.prepare_cached("SELECT id, seal FROM e WHERE id >= ? ORDER BY id LIMIT 1");
        statement.and_then(|mut statement| statement.exists([id])).is_ok()
    }
}

fn entry(row: &Row<'_>) -> Result<(i64, i64, Meta), StatementError> {
    Ok((row.get(12)?, row.get(13)?, schema::meta(row)?))
}

impl Disk {
    /// Stores those of the entries that are not here yet, by the rules of [`crate::store::Store::put`]; gives also how
    /// many were here.
    pub fn put_absent(&self, fills: &[Fill], since: u64, begun: i64) -> Result<(Stored, u64), StoreError> {
        self.lend(|live| {
            sqlite::write(&mut live.connection, |transaction| {
                let mut present = 0;
                let mut absent = Vec::with_capacity(fills.len());
                for fill in fills {
                    let id = Address { space: &fill.meta.space, key: &fill.meta.key }.id().cast_signed();
                    let mut there = transaction.prepare_cached("SELECT 1 FROM e WHERE id = ?")?;
                    if there.exists([id])? {
                        present += 1;
                    } else {
                        absent.push(fill);
                    }
                }
                Ok((write::put(transaction, absent, since, begun)?, present))
            })
        })
    }
}

/// Whether all that was ever written to the log of this database can be read back from it: no frame that belongs to it
/// follows a damaged one.
fn is_log_whole(path: &Path) -> bool {
    let path = sqlite::sidecar(path, "-wal");
    let file = match secure_fs::open(&path, Open::Read, Access::Owner) {
        Ok(file) => file,
        Err(error) => return error.is_absent(),
    };
    let length = file.metadata().map_or(0, |found| found.len());
    if length == 0 {
        return true;
    }
    walk_log(&mut BufReader::with_capacity(1 << 20, file)).unwrap_or(false)
}

/// The form is <https://sqlite.org/walformat.html>.
fn walk_log(log: &mut impl Read) -> std::io::Result<bool> {
    let mut header = [0; 32];
    log.read_exact(&mut header)?;
    let word = |bytes: &[u8], at: usize| u32::from_be_bytes([bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]);
    let magic = word(&header, 0);
    if magic & !1 != 0x377f_0682 {
        return Ok(false);
    }
    let big = magic & 1 == 1;
    let mut sum = checksum((0, 0), &header[..24], big);
    let page = word(&header, 8) as usize;
    if sum != (word(&header, 24), word(&header, 28)) || !(512..=65_536).contains(&page) {
        return Ok(false);
    }
    let mut frame = vec![0; 24 + page];
    let (mut good, mut torn) = (true, false);
    loop {
        match log.read_exact(&mut frame) {
            Ok(()) => {}
            // A piece of a frame is one that was being written when its writer was ended: no commit.
            Err(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => return Ok(!torn),
            Err(error) => return Err(error),
        }
        // A frame of an earlier round bears other salts.
        let ours = frame[8..16] == header[16..24];
        if good {
            sum = checksum(checksum(sum, &frame[..8], big), &frame[24..], big);
            good = ours && sum == (word(&frame, 16), word(&frame, 20));
        }
        torn |= ours && !good;
    }
}

fn checksum((mut one, mut two): (u32, u32), bytes: &[u8], big: bool) -> (u32, u32) {
    let word = |bytes: &[u8]| {
        let bytes = [bytes[0], bytes[1], bytes[2], bytes[3]];
        if big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) }
    };
    for pair in bytes.chunks_exact(8) {
        one = one.wrapping_add(word(pair)).wrapping_add(two);
        two = two.wrapping_add(word(&pair[4..])).wrapping_add(one);
    }
    (one, two)
}
