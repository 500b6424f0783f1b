//! The disk backend: one `SQLite` database for all processes of a host.
//!
//! An operation runs on the generation that was live when it started, a removal on the one that is live when it
//! ends. Moving or deleting the directory breaks no running process.

mod ballast;
mod carry_over;
mod delete;
mod emergency_drop;
mod eviction_log;
mod generation;
mod integrity;
mod key_registry;
mod network_fs;
mod quarantine;
mod read;
mod salvage;
mod salvage_guard;
mod schema;
mod staged_entry;
mod sweep;
mod write;

pub use self::eviction_log::EvictedEntry;
pub use self::eviction_log::EvictionTotal;
pub use self::eviction_log::REASONS;
pub use self::integrity::IntegrityReport;
pub use self::quarantine::Evidence;
pub use self::salvage::{Remains, Unsalvageable};

pub(super) use self::delete::DeleteRequest;
pub(super) use self::delete::DeleteRule;
pub(super) use self::key_registry::Lifted;

use self::emergency_drop::Tombstone;
use self::generation::Stamp;
use super::eviction::Reason;
use super::{
    Address, EntryWriter, Fill, InvalidationRecord, InvalidationState, Meta, Removed, Revise, Select, Size, Store,
    StoreError, Stored, Sweep, Swept, ViewCallback,
};
use crate::clock::{self, Clock, SystemClock, UnixMillis};
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Prepared;
use crate::sqlite::{self, Connection, StatementError};
use crate::store::invalidation_log;
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How many idle connections are kept.
const IDLE: usize = 4;

/// The directory and the options of a disk backend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The cache directory; made when absent.
    pub dir: PathBuf,
    /// Who may use it.
    pub access: Access,
    /// How long an operation waits for another process.
    pub busy: Duration,
}

/// What [`Disk::flip`] did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flip {
    /// The database that was live; it stays where it is.
    pub old: Option<PathBuf>,
    /// The empty one that is live now.
    pub new: PathBuf,
    /// `<old>.corrupted.<YYYYmmdd_HHMMSS>`, the file that marks the old one as evidence.
    pub marker: Option<PathBuf>,
    /// How many active fences were carried over; `None` if the old generation could not be read.
    pub fences: Option<usize>,
    /// The number at which the new one began: what was taken from the old one is a fill that started there.
    pub number: u64,
}

/// The disk backend.
///
/// An operation takes a connection from a pool, or opens one, and returns it. The lock of the pool is
/// held for no longer than that, so that operations never wait for each other in this process.
#[derive(Debug)]
pub struct Disk {
    options: Options,
    prepared: Prepared,
    pool: Mutex<Vec<GenerationConnection>>,
    /// The largest number seen, so that a generation made by this process continues above it.
    seen: AtomicU64,
}

/// The invalidation records that a store has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidationHistory {
    /// The records, oldest first.
    pub records: Vec<InvalidationRecord>,
    /// When the live generation was made.
    pub began: UnixMillis,
    /// All changes since this time are among the records.
    pub whole_since: UnixMillis,
}

fn began(path: &Path) -> UnixMillis {
    generation::number_of(path).map_or(0, u64::cast_signed)
}

/// A connection to the generation with this `stamp`.
#[derive(Debug)]
struct GenerationConnection {
    stamp: Stamp,
    path: PathBuf,
    connection: Connection,
    /// Whether it may serve another operation.
    lasting: bool,
    /// Whether there was no room to open it for writing.
    cramped: bool,
}

/// A fault inside an operation, before it is known which file it happened to.
#[derive(Debug)]
enum DiskFault {
    Statement(StatementError),
    Store(StoreError),
}

impl From<StatementError> for DiskFault {
    fn from(error: StatementError) -> DiskFault {
        DiskFault::Statement(error)
    }
}

impl From<StoreError> for DiskFault {
    fn from(error: StoreError) -> DiskFault {
        DiskFault::Store(error)
    }
}

impl DiskFault {
    fn at(self, path: &Path) -> StoreError {
        match self {
            DiskFault::Statement(source) => sqlite::at(path)(source).into(),
            DiskFault::Store(error) => error,
        }
    }
}

impl Disk {
    /// Opens the live generation of a cache directory, making directory and generation when absent.
    pub fn open(options: &Options) -> Result<Disk, StoreError> {
        let prepared = secure_fs::directory(&options.dir, options.access)?;
        network_fs::refuse(&options.dir)?;
        let disk = Disk { options: options.clone(), prepared, pool: Mutex::new(Vec::new()), seen: AtomicU64::new(0) };
        let live = disk.enter()?;
        disk.give_back(live);
        Ok(disk)
    }

    /// Makes an empty generation live. The old one is kept as evidence, its standing fences are taken along when it can
    /// be read, and numbers continue above its own. Works under live processes; they notice at their next operation.
    pub fn flip(&self, now: UnixMillis) -> Result<Flip, StoreError> {
        generation::flip(&self.options, self.seen.load(Ordering::Relaxed), now)
    }

    /// Unlinks `CURRENT`: the live generation is retired and everyone starts cold. The last resort of an invalidation
    /// that could not be recorded; needs no space and no sound database.
    pub fn retire(&self) -> Result<(), StoreError> {
        generation::retire(&self.options, None)?;
        generation::retire_others(&self.options)
    }

    /// The same for a directory that cannot be opened. With `until`, a fence on everything until then takes the place of the
    /// records that could not be written.
    pub fn retire_in(options: &Options, until: Option<UnixMillis>, now: UnixMillis) -> Result<(), StoreError> {
        generation::retire(options, until.map(|until| Tombstone { until, sequence: 0, at: now }))?;
        generation::retire_others(options)
    }

    /// Lets the fence that [`Disk::retire_in`] left end with `new`, where no generation has taken it over yet.
    pub fn shorten_retirement_in(options: &Options, until: UnixMillis, now: UnixMillis, new: UnixMillis) {
        Tombstone { until, sequence: 0, at: now }.shorten(options, new);
    }

    /// The same as [`Disk::flip`] for a directory whose live generation cannot be opened.
    pub fn flip_in(options: &Options, now: UnixMillis) -> Result<Flip, StoreError> {
        generation::flip(options, 0, now)
    }

    /// The file of the live generation of a directory. Changes nothing.
    pub fn live_in(options: &Options) -> Result<Option<PathBuf>, StoreError> {
        if secure_fs::judge(&options.dir, options.access)?.is_none() {
            return Ok(None);
        }
        Ok(generation::current(options)?.map(|(_, path)| path))
    }

    /// The number in the name of a generation: Unix milliseconds, about the time at which it was made.
    pub fn number_of(generation: &Path) -> Option<u64> {
        generation::number_of(generation)
    }

    /// The generations of a directory that were set aside, the oldest first.
    pub fn evidence(options: &Options) -> Result<Vec<Evidence>, StoreError> {
        quarantine::list(options)
    }

    /// Deletes what was set aside.
    pub fn discard_evidence(options: &Options, evidence: &Evidence) -> Result<(), StoreError> {
        quarantine::remove(options, evidence)
    }

    /// The repairs that were made when the directory was opened.
    pub fn prepared(&self) -> Prepared {
        self.prepared
    }

    /// The file of the live generation.
    pub fn path(&self) -> Result<PathBuf, StoreError> {
        self.lend(|live| Ok(live.path.clone()))
    }

    /// Inspects a cache directory without changing it.
    pub fn sound(options: &Options) -> Result<IntegrityReport, StoreError> {
        integrity::sound(options)
    }

    /// What left the live generation without a record under `address`, as far as is remembered; the latest first.
    pub fn evictions(&self, address: Address<'_>) -> Result<Vec<EvictedEntry>, StoreError> {
        self.lend(|live| eviction_log::of(&live.connection, address))
    }

    /// How many entries left the live generation without a record since it began, by reason.
    pub fn lost(&self) -> Result<Vec<EvictionTotal>, StoreError> {
        self.lend(|live| eviction_log::lost(&live.connection))
    }

    /// All records of changes that are kept, and since when nothing is missing among them.
    pub fn history(&self, now: UnixMillis) -> Result<InvalidationHistory, StoreError> {
        let (records, began) = self.lend(|live| Ok((read::all_records(&live.connection)?, began(&live.path))))?;
        // Numbers only grow: after a clock that was ahead they are no times, and the file that names the generation is one.
        let began = if clock::is_ahead(began, now) {
            generation::named_at(&self.options.dir).map_or(now, |at| at.min(now))
        } else {
            began
        };
        let pruned =
            if records.len() < invalidation_log::KEEP_RECORDS { None } else { records.first().map(|record| record.at) };
        // Another generation knew of changes that this one does not have.
        let lone = generation::databases(&self.options)?.len() == 1 && emergency_drop::marks(&self.options)?.is_empty();
        let since = [Some(now.saturating_sub(invalidation_log::KEEP_MILLIS)), pruned, (!lone).then_some(began)];
        Ok(InvalidationHistory { records, began, whole_since: since.into_iter().flatten().max().unwrap_or(now) })
    }

    /// Runs `work` on a connection to the live generation.
    fn lend<T>(&self, work: impl FnOnce(&mut GenerationConnection) -> Result<T, DiskFault>) -> Result<T, StoreError> {
        let mut live = self.take()?;
        match work(&mut live) {
            Ok(done) => {
                self.give_back(live);
                Ok(done)
            }
            Err(fault) => {
                let error = fault.at(&live.path);
                if !error.is_damage() && live.connection.is_autocommit() {
                    self.give_back(live);
                }
                Err(error)
            }
        }
    }

    fn pool(&self) -> MutexGuard<'_, Vec<GenerationConnection>> {
        self.pool.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self) -> Result<GenerationConnection, StoreError> {
        let stamp = generation::stamp(&self.options.dir);
        loop {
            let idle = self.pool().pop();
            match idle {
                Some(live) if Some(live.stamp) == stamp => return Ok(live),
                Some(_) => {}
                None => return self.enter(),
            }
        }
    }

    fn give_back(&self, live: GenerationConnection) {
        let mut pool = self.pool();
        if live.lasting && pool.len() < IDLE {
            pool.push(live);
        } else {
            drop(pool);
            drop(live);
        }
    }

    /// Opens the live generation. One that goes away meanwhile is looked for again.
    fn enter(&self) -> Result<GenerationConnection, StoreError> {
        let mut rounds = 0;
        loop {
            let seen = self.seen.load(Ordering::Relaxed);
            let (stamp, path) = generation::enter(&self.options, seen)?;
            rounds += 1;
            match self.connect(stamp, path, seen) {
                Err(error) if rounds < 8 && generation::is_absent(&error) => {
                    secure_fs::directory(&self.options.dir, self.options.access)?;
                }
                connected => return connected,
            }
        }
    }

    fn connect(&self, stamp: Stamp, path: PathBuf, seen: u64) -> Result<GenerationConnection, StoreError> {
        // An empty file, as a crash may leave it, becomes a generation with its own numbers.
        let statements = schema::statements(generation::fresh_number(seen).cast_signed());
        let plan = generation::plan(&self.options, &path, &statements);
        let mut cramped = false;
        let (connection, lasting) = match sqlite::open(&plan) {
            Ok(connection) => (connection, true),
            Err(error) if error.is_cramped() => {
                cramped = true;
                (sqlite::open_cramped(&plan)?, false)
            }
            Err(error) if error.is_read_only() => match sqlite::open_read_only(&plan) {
                Ok(connection) => (connection, true),
                Err(error) if error.is_read_only() => (sqlite::open_immutable(&plan)?, false),
                Err(error) => return Err(error.into()),
            },
            Err(error) => return Err(error.into()),
        };
        connection.set_prepared_statement_cache_capacity(64);
        connection.execute_batch(schema::CACHE).map_err(sqlite::at(&path))?;
        sqlite::leave_log(&connection, schema::LOG_PAGES).map_err(sqlite::at(&path))?;
        Ok(GenerationConnection { stamp, path, connection, lasting, cramped })
    }

    /// Drops the live generation, because not one entry of it can be deleted.
    fn shed(&self, sweep: &Sweep, mut swept: Swept, stuck: sweep::SweepStuck) -> Result<Swept, StoreError> {
        match emergency_drop::shed(&self.options, &stuck.path, sweep.now) {
            Ok(true) => {}
            // Another sweep has dropped it.
            Ok(false) => return self.sweep(sweep),
            // Where that cannot be done either, why the sweep failed is what there is to say.
            Err(_) => return Err(stuck.error),
        }
        // What we have open ourselves keeps its room.
        self.pool().clear();
        stuck.all.iter().for_each(|gone| swept.count(Reason::NoRoom, gone.held));
        // Retry the record for the next process, in case there is space by now.
        let _ = self.lend(|live| eviction_log::note(&mut live.connection, sweep.now, &stuck.all));
        Ok(swept)
    }

    /// Whether there is so little room on the disk that only reading is possible.
    fn is_cramped(&self) -> bool {
        self.take().is_ok_and(|live| {
            let cramped = live.cramped;
            self.give_back(live);
            cramped
        })
    }

    fn saw(&self, sequence: u64) -> u64 {
        self.seen.fetch_max(sequence, Ordering::Relaxed);
        sequence
    }
}

impl Store for Disk {
    fn backend(&self) -> &'static str {
        "disk"
    }

    fn view(&self, address: Address<'_>, look: ViewCallback<'_>) -> Result<bool, StoreError> {
        self.lend(|live| read::view(&live.connection, address, look))
    }

    fn sequence(&self) -> Result<u64, StoreError> {
        self.lend(|live| read::sequence(&live.connection)).map(|sequence| self.saw(sequence))
    }

    fn standing(&self, address: Address<'_>, now: UnixMillis) -> Result<InvalidationState, StoreError> {
        self.lend(|live| read::standing(&live.connection, address, now))
    }

    fn records(&self, since: u64) -> Result<Option<Vec<InvalidationRecord>>, StoreError> {
        self.lend(|live| read::records_after(&live.connection, since))
    }

    fn put(&self, fills: &[Fill], since: u64, begun: UnixMillis) -> Result<Stored, StoreError> {
        if fills.is_empty() {
            return Ok(Stored::default());
        }
        self.lend(|live| {
            sqlite::write(&mut live.connection, |transaction| write::put(transaction, fills, since, begun))
        })
    }

    fn revise(&self, address: Address<'_>, now: UnixMillis, revise: Revise<'_>) -> Result<bool, StoreError> {
        self.lend(|live| {
            sqlite::write(&mut live.connection, |transaction| write::revise(transaction, address, now, revise))
        })
    }

    fn draft(&self, begun: UnixMillis) -> Result<Box<dyn EntryWriter + '_>, StoreError> {
        staged_entry::begin(self, begun)
    }

    fn remove(
        &self,
        selections: &[Select],
        fence_until: Option<UnixMillis>,
        now: UnixMillis,
    ) -> Result<Removed, StoreError> {
        self.cut(&DeleteRequest::clear(selections), fence_until, now)
    }

    fn lower(&self, fence: u64, until: UnixMillis) -> Result<(), StoreError> {
        self.lend(|live| sqlite::write(&mut live.connection, |transaction| write::lower(transaction, fence, until)))
    }

    fn fences_ahead(&self, now: UnixMillis) -> Result<u64, StoreError> {
        self.lend(|live| Ok(read::fences_ahead(&live.connection, now)?))
    }

    fn correct_clock(&self, now: UnixMillis) -> Result<(), StoreError> {
        self.lend(|live| {
            if read::fences_ahead(&live.connection, now)? == 0 {
                return Ok(());
            }
            sqlite::write(&mut live.connection, |transaction| Ok(write::date(transaction, now)?))
        })
    }

    fn discard(&self, address: Address<'_>, checksum: u64) -> Result<(), StoreError> {
        self.lend(|live| {
            let gone =
                sqlite::write(&mut live.connection, |transaction| write::discard(transaction, address, checksum))?;
            let _ = eviction_log::note(&mut live.connection, SystemClock::default().now(), gone.as_slice());
            Ok(())
        })
    }

    fn scan(&self, selection: &Select, visit: &mut dyn FnMut(&Meta) -> ControlFlow<()>) -> Result<(), StoreError> {
        let mut after = None;
        loop {
            let page = self.lend(|live| read::page(&live.connection, selection, after.as_ref()))?;
            for meta in &page {
                if visit(meta).is_break() {
                    return Ok(());
                }
            }
            let last = page.last().map(|meta| (meta.space.clone(), meta.key.clone()));
            // A text that damage made unreadable may not lead on; then this is the end.
            if page.len() < read::PAGE || last <= after {
                return Ok(());
            }
            after = last;
        }
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, StoreError> {
        let options = &self.options;
        let mut relief = || ballast::take_up(options) || emergency_drop::drop_leftovers(options).unwrap_or(false);
        if !sweep.dry_run && self.is_cramped() {
            relief();
        }
        let swept = self.lend(|live| sweep::sweep(live, sweep, options.busy, &mut relief));
        if sweep.dry_run {
            return swept.map(|outcome| outcome.swept);
        }
        let swept = match swept {
            Ok(sweep::SweepResult { swept, stuck: None }) => Ok(swept),
            Ok(sweep::SweepResult { swept, stuck: Some(stuck) }) => self.shed(sweep, swept, stuck),
            Err(error) => Err(error),
        };
        // Also when the sweep failed: unreferenced databases may be what fills the disk.
        generation::drop_leftovers(options, sweep::LEFTOVER)?;
        emergency_drop::forget(options, sweep.now)?;
        ballast::lay(options);
        swept
    }

    fn touch(&self, uses: &[(u64, UnixMillis)]) -> Result<(), StoreError> {
        self.lend(|live| write::touch(&mut live.connection, uses))
    }

    fn size(&self) -> Result<Size, StoreError> {
        self.lend(|live| read::size(&live.connection, &live.path))
    }

    fn settle(&self) -> Result<(), StoreError> {
        let busy = self.options.busy;
        self.lend(|live| sweep::settle(&live.connection, busy))
    }
}
