//! Generations: which database of a cache directory is the live one, and how another takes its place.
//!
//! No process renames or deletes a live database. A new generation is made under a lock, its numbers continue above the
//! old one's, and active fences are copied whenever the old one is readable, while its writers wait.

use super::DeleteRequest;
use super::Flip;
use super::Options;
use super::ballast;
use super::schema;
pub(super) use super::schema::CURRENT;
use super::write;
use crate::clock::{self, Clock, SystemClock, UnixMillis};
use crate::lock::{self, Guard, Holder};
use crate::secure_fs;
use crate::secure_fs::Open;
use crate::secure_fs::PrivateError;
use crate::sqlite::{self, Connection, DatabaseSpec, SqliteError, Synchronous, Transaction, params};
use crate::store::disk::carry_over;
use crate::store::disk::carry_over::CarriedState;
use crate::store::disk::emergency_drop;
use crate::store::disk::emergency_drop::Tombstone;
use crate::store::disk::key_registry;
use crate::store::invalidation_log::InvalidationRecord;
use crate::store::{Select, StoreError};
use std::fs::File;
use std::io::Read;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

/// What the name of a marker has between the generation and the date.
pub(super) const MARK: &str = ".corrupted.";

/// Guards the making of generations.
const LOCK: &str = "creation.lock";

/// What `CURRENT` is called once its generation was retired.
const RETIRED: &str = "retired";

/// What distinguishes one `CURRENT` from the next: device, inode, modification time, size.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stamp {
    device: u64,
    inode: u64,
    modified: (i64, i64),
    size: u64,
}

impl Stamp {
    fn of(found: &std::fs::Metadata) -> Stamp {
        Stamp {
            device: found.dev(),
            inode: found.ino(),
            modified: (found.mtime(), found.mtime_nsec()),
            size: found.size(),
        }
    }
}

/// The stamp of `CURRENT`; `None` when it cannot be had.
pub(super) fn stamp(folder: &Path) -> Option<Stamp> {
    std::fs::symlink_metadata(folder.join(CURRENT)).ok().map(|found| Stamp::of(&found))
}

/// When the live generation was named, by the clock of the file system.
pub(super) fn named_at(folder: &Path) -> Option<UnixMillis> {
    let modified = std::fs::metadata(folder.join(CURRENT)).and_then(|found| found.modified()).ok()?;
    Some(clock::millis(modified.duration_since(SystemTime::UNIX_EPOCH).ok()?))
}

/// The live generation, made when there is none. `seen` is a number that this process knows to be taken.
pub(super) fn enter(options: &Options, seen: u64) -> Result<(Stamp, PathBuf), StoreError> {
    let mut rounds = 0;
    loop {
        if let Some(found) = current(options)? {
            return Ok(found);
        }
        rounds += 1;
        match make(options, seen, None) {
            Ok(_) if rounds < 8 => {}
            // The directory was taken away while we were at it.
            Err(error) if rounds < 8 && is_taken(&error) => {
                secure_fs::directory(&options.dir, options.access)?;
            }
            Ok(made) => return Ok((made.stamp, made.new)),
            Err(error) => return Err(error),
        }
    }
}

/// Puts an empty generation in the place of the live one, which stays where it is with a marker next to it.
pub(super) fn flip(options: &Options, seen: u64, now: UnixMillis) -> Result<Flip, StoreError> {
    secure_fs::directory(&options.dir, options.access)?;
    let made = make(options, seen, Some(now))?;
    let number = made.number;
    // One that was retired while this process was stopped missed a change: nothing may be taken from it.
    let old = made.old.filter(|old| !is_retired(options, old));
    let Some(old) = old else {
        return Ok(Flip { old: None, new: made.new, marker: None, fences: made.fences, number });
    };
    let date = chrono::DateTime::from_timestamp_millis(now).unwrap_or_default().format("%Y%m%d_%H%M%S");
    let marker = sqlite::sidecar(&old, &format!("{MARK}{date}"));
    let text =
        format!("{} was live until {} took its place.\n", secure_fs::file_name(&old), secure_fs::file_name(&made.new));
    secure_fs::replace(&marker, text.as_bytes(), options.access)?;
    Ok(Flip { old: Some(old), new: made.new, marker: Some(marker), fences: made.fences, number })
}

/// Takes the name `CURRENT` away, which needs no space and works on damage: the next process starts cold. Its text stays as
/// [`RETIRED`], for a flip that took this generation for the live one before it was stopped.
///
/// `mark` is the fence that could not be recorded. `CURRENT` takes its name in one step, so that the next generation begins
/// with the fence. Where there is no `CURRENT`, a process may be making one: it reads the marks again once it is named.
pub(super) fn retire(options: &Options, mark: Option<Tombstone>) -> Result<(), StoreError> {
    let path = options.dir.join(CURRENT);
    if let Some(mark) = mark {
        return mark.replace(options, &path);
    }
    if std::fs::rename(&path, options.dir.join(RETIRED)).is_ok() {
        return Ok(());
    }
    unlink(&path)
}

fn is_retired(options: &Options, path: &Path) -> bool {
    let name = secure_fs::file_name(path);
    let names_it = |file: &str| {
        let text = secure_fs::read(&options.dir.join(file)).ok().flatten().unwrap_or_default();
        std::str::from_utf8(&text).is_ok_and(|text| text.trim() == name)
    };
    let marks = emergency_drop::marks(options).unwrap_or_default();
    names_it(RETIRED) || marks.iter().any(|mark| names_it(&mark.name()))
}

/// Retires the generations of other schemas: their readers cannot see our records.
pub(super) fn retire_others(options: &Options) -> Result<(), StoreError> {
    let names = names(&options.dir)?;
    let others = names.iter().filter(|name| schema::is_pointer(name) && *name != CURRENT);
    others.map(|name| options.dir.join(name)).try_for_each(|path| unlink(&path))
}

/// Deletes databases that are neither referenced nor kept as evidence, when their last write is so long ago that no fence in
/// them stands. Processes that still have one open notice at their next operation.
pub(super) fn drop_leftovers(options: &Options, idle: Duration) -> Result<(), StoreError> {
    let Some(before) = SystemTime::now().checked_sub(idle) else { return Ok(()) };
    leftovers(options, before)?.iter().try_for_each(|path| delete(path))
}

/// Deletes a database with its companions; the database last, so that what is left can be found again.
pub(super) fn delete(path: &Path) -> Result<(), StoreError> {
    ["-wal", "-shm", ".lock", ""].iter().try_for_each(|ending| unlink(&sqlite::sidecar(path, ending)))
}

/// The databases that are neither live nor marked as evidence, and were last written before `before`.
pub(super) fn leftovers(options: &Options, before: SystemTime) -> Result<Vec<PathBuf>, StoreError> {
    let (names, live) = (names(&options.dir)?, live_names(options)?);
    let mut found = Vec::new();
    for name in names.iter().filter(|name| number(name).is_some_and(|n| **name == file_name(n))) {
        let marked = names.iter().any(|other| other.starts_with(&format!("{name}{MARK}")));
        let path = options.dir.join(name);
        let idle = [path.clone(), sqlite::sidecar(&path, "-wal")]
            .iter()
            .filter_map(|path| std::fs::metadata(path).and_then(|found| found.modified()).ok())
            .all(|modified| modified <= before);
        if !marked && idle && !live.contains(name) {
            found.push(path);
        }
    }
    Ok(found)
}

/// The databases that are live, for binaries of any schema.
pub(super) fn live_names(options: &Options) -> Result<Vec<String>, StoreError> {
    let names = names(&options.dir)?.into_iter().filter(|name| schema::is_pointer(name));
    let texts = names.filter_map(|name| secure_fs::read(&options.dir.join(name)).ok().flatten());
    Ok(texts.map(|text| String::from_utf8_lossy(&text).trim().to_owned()).collect())
}

/// How the database of a generation is opened. `statements` matter only where it is made.
pub(super) fn plan<'a>(options: &'a Options, path: &'a Path, statements: &'a str) -> DatabaseSpec<'a> {
    DatabaseSpec {
        path,
        schema: statements,
        steps: &[],
        version: schema::VERSION,
        synchronous: Synchronous::Normal,
        busy: options.busy,
        page_size: schema::PAGE_SIZE,
        access: options.access,
    }
}

/// A number above all that were taken before, as far as `seen` and the clock can tell.
pub(super) fn fresh_number(seen: u64) -> u64 {
    SystemClock::default().now().cast_unsigned().max(seen + 1)
}

struct Made {
    stamp: Stamp,
    old: Option<PathBuf>,
    new: PathBuf,
    fences: Option<usize>,
    number: u64,
}

/// Makes a generation; without space for it, unreferenced ones are deleted.
fn make(options: &Options, seen: u64, flip_at: Option<UnixMillis>) -> Result<Made, StoreError> {
    match make_once(options, seen, flip_at) {
        Err(error) if is_full(&error) => {
            ballast::take_up(options);
            emergency_drop::drop_leftovers(options)?;
            make_once(options, seen, flip_at)
        }
        made => made,
    }
}

/// Takes the lock under which generations are created and dropped.
pub(super) fn lock(options: &Options) -> Result<File, StoreError> {
    let path = options.dir.join(LOCK);
    let mut lock = secure_fs::open(&path, Open::ReadWrite, options.access)?;
    lock::acquire(&lock, &path, Guard::Generations, options.busy)
        .map_err(|source| StoreError::Io { action: "lock", path, source })?
        .map_err(StoreError::Busy)?;
    let _ = Holder::this_process(SystemClock::default().now()).write(&mut lock);
    Ok(lock)
}

/// Makes a generation and lets `CURRENT` name it. Without `flip_at` one that is live by then is left alone.
fn make_once(options: &Options, seen: u64, flip_at: Option<UnixMillis>) -> Result<Made, StoreError> {
    let folder = &options.dir;
    let _lock = lock(options)?;
    // From here on it names a generation that was retired after this process looked.
    unlink(&options.dir.join(RETIRED))?;
    let live = current(options)?;
    if let (None, Some((stamp, new))) = (flip_at, &live) {
        let number = number_of(new).unwrap_or(0);
        return Ok(Made { stamp: *stamp, old: None, new: new.clone(), fences: None, number });
    }
    dress(options)?;
    let newest = names(folder)?.iter().filter_map(|name| number(name)).max();
    let old = live.map(|(_, path)| path);
    let (predecessors, mut holders) = carry_over::predecessors(options, old.as_deref());
    // Writers of the old generations wait here, and notice the new one when it is their turn. One that does not let go
    // in time is not waited for: what it still writes is looked for afterwards.
    let held: Vec<_> = holders.iter_mut().map(sqlite::hold).collect();
    let after = flip_at.unwrap_or(UnixMillis::MIN);
    let known = carry_over::carried(&predecessors, after);
    let marks = emergency_drop::marks(options)?;
    // The number is the name too: a name that was used before could bring together the log of one database and the
    // pages of another, where a process still has the old one open.
    let before = known.iter().map(|carried| carried.sequence).chain(marks.iter().map(|mark| mark.sequence));
    let taken = before.chain(newest).fold(seen, u64::max);
    let start = fresh_number(taken);
    let path = folder.join(file_name(start));
    let built = build(options, &path, start, known.as_ref(), marks.last());
    let mut connection = built.map_err(|error| {
        // Distinguished before its remains are deleted: one that failed fails again, one that was taken away does not.
        // An error that the operating system names (no room, too many open files) keeps its name.
        let error = if is_absent(&error) { missing("make", &path) } else { error };
        drop(delete(&path));
        error
    })?;
    secure_fs::replace(&folder.join(CURRENT), format!("{}\n", secure_fs::file_name(&path)).as_bytes(), options.access)?;
    // A change that found nothing to record its fence in, while this process was at it, left a mark.
    for mark in emergency_drop::marks(options)?.iter().filter(|mark| !marks.contains(mark)) {
        let work = |transaction: &Transaction<'_>| {
            write::remove(transaction, &DeleteRequest::clear(&[Select::All]), Some(mark.until), mark.at)
        };
        write::durably(&mut connection, work).map_err(|fault| fault.at(&path))?;
    }
    if held.iter().any(Result::is_err) {
        let is_known = |fence: &InvalidationRecord| {
            known.iter().flat_map(|carried| &carried.fences).any(|k| carry_over::is_same(k, fence))
        };
        let late = carry_over::carried(&predecessors, after).into_iter().flat_map(|carried| carried.fences);
        for fence in late.filter(|fence| !is_known(fence)) {
            let work = |transaction: &Transaction<'_>| {
                write::remove(
                    transaction,
                    &DeleteRequest::clear(std::slice::from_ref(&fence.select)),
                    fence.deadline,
                    fence.at,
                )
            };
            write::durably(&mut connection, work).map_err(|fault| fault.at(&path))?;
        }
    }
    drop(held);
    ballast::lay(options);
    let fences = known.filter(|carried| carried.ours).map(|carried| carried.fences.len());
    let stamp = stamp(folder).ok_or_else(|| missing("read", &folder.join(CURRENT)))?;
    Ok(Made { stamp, old, new: path, fences, number: start })
}

/// Makes the database of a generation, with the fences that it inherits and the key ids that they are recorded under.
fn build(
    options: &Options,
    path: &Path,
    start: u64,
    carried: Option<&CarriedState>,
    mark: Option<&Tombstone>,
) -> Result<Connection, StoreError> {
    let statements = schema::statements(start.cast_signed());
    let mut connection = sqlite::open(&plan(options, path, &statements))?;
    sqlite::write(&mut connection, |transaction| {
        if let Some(known_keys) = carried.and_then(|carried| carried.known_keys.as_ref()) {
            key_registry::inherit(transaction, known_keys, start)?;
        }
        for fence in carried.into_iter().flat_map(|carried| &carried.fences) {
            let (form, space, pattern) = schema::columns(&fence.select);
            transaction.execute(
                "INSERT INTO r(sequence, form, space, pattern, deadline, at) VALUES(?, ?, ?, ?, ?, ?)",
                params![fence.sequence.cast_signed(), form, space, pattern, fence.deadline, fence.at],
            )?;
        }
        if let Some(mark) = mark {
            // The active fences are unknown, so one covers everything; no process lowers it, because it has the
            // number of no change.
            transaction.execute(
                "INSERT INTO r(sequence, form, deadline, at) VALUES(?, 'all', ?, ?)",
                params![start.cast_signed(), mark.until, mark.at],
            )?;
        }
        Ok(())
    })
    .and_then(|()| sqlite::checkpoint(&connection))
    .map_err(sqlite::at(path))?;
    Ok(connection)
}

/// What `CURRENT` names, when it and the database are there.
pub(super) fn current(options: &Options) -> Result<Option<(Stamp, PathBuf)>, StoreError> {
    let path = options.dir.join(CURRENT);
    let failed = |source| StoreError::Io { action: "read", path: path.clone(), source };
    let file = match secure_fs::open(&path, Open::Read, options.access) {
        Ok(file) => file,
        Err(error) if error.is_absent() => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    let stamp = Stamp::of(&file.metadata().map_err(failed)?);
    let mut bytes = Vec::with_capacity(64);
    // A name is short: whatever is longer is none.
    file.take(4096).read_to_end(&mut bytes).map_err(failed)?;
    // Anything but the name of a generation that exists is as good as nothing: a new one is made.
    let named = std::str::from_utf8(&bytes).ok().map(str::trim).and_then(|text| number(text).map(file_name));
    let database = named.map(|name| options.dir.join(name)).filter(|path| path.exists());
    Ok(database.map(|database| (stamp, database)))
}

/// The numbers of all generations whose databases are there.
pub(super) fn databases(options: &Options) -> Result<Vec<u64>, StoreError> {
    let mut found: Vec<u64> =
        names(&options.dir)?.iter().filter_map(|name| number(name).filter(|n| *name == file_name(*n))).collect();
    found.sort_unstable();
    Ok(found)
}

/// The number of the generation whose database this is: when it was made, in milliseconds, or a little later.
pub(super) fn number_of(path: &Path) -> Option<u64> {
    number(&secure_fs::file_name(path))
}

/// Keeps backup programs and git out of a cache.
fn dress(options: &Options) -> Result<(), StoreError> {
    const TAG: &str = "Signature: 8a477f597d28d172789f06886806bc55\n\
        # This directory holds what awsideman can fetch again (https://bford.info/cachedir/).\n";
    for (name, text) in [("CACHEDIR.TAG", TAG), (".gitignore", "*\n")] {
        let path = options.dir.join(name);
        if !path.exists() {
            secure_fs::replace(&path, text.as_bytes(), options.access)?;
        }
    }
    Ok(())
}

/// The name of a generation's database.
pub(super) fn file_name(number: u64) -> String {
    format!("gen-{number}.db")
}

/// The number of the generation that a file belongs to.
pub(super) fn number(name: &str) -> Option<u64> {
    name.strip_prefix("gen-")?.split('.').next()?.parse().ok().filter(|n| *n < u64::MAX)
}

/// The names of all files of a directory.
pub(super) fn names(folder: &Path) -> Result<Vec<String>, StoreError> {
    let failed = |source| StoreError::Io { action: "read", path: folder.into(), source };
    let entries = std::fs::read_dir(folder).map_err(failed)?;
    entries.map(|entry| Ok(entry.map_err(failed)?.file_name().to_string_lossy().into_owned())).collect()
}

/// Unlinks a file; one that is not there is fine.
pub(super) fn unlink(path: &Path) -> Result<(), StoreError> {
    match std::fs::remove_file(path) {
        Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
            Err(StoreError::Io { action: "unlink", path: path.into(), source })
        }
        _ => Ok(()),
    }
}

/// Whether an error says that the disk has no room.
pub(super) fn is_full(error: &StoreError) -> bool {
    match error {
        StoreError::Sqlite(SqliteError::Private(error)) | StoreError::Private(error) => error.is_full(),
        StoreError::Sqlite(error) => error.is_full(),
        StoreError::Io { source, .. } => secure_fs::is_full(source),
        _ => false,
    }
}

fn missing(action: &'static str, path: &Path) -> StoreError {
    StoreError::Io { action, path: path.into(), source: std::io::ErrorKind::NotFound.into() }
}

/// Whether an error says that a file or directory went away under us.
fn is_taken(error: &StoreError) -> bool {
    match error {
        StoreError::Private(error) | StoreError::Sqlite(SqliteError::Private(error)) => PrivateError::is_absent(error),
        StoreError::Io { source, .. } => source.kind() == std::io::ErrorKind::NotFound,
        _ => false,
    }
}

/// The same for an error of opening a database that was there a moment ago.
pub(super) fn is_absent(error: &StoreError) -> bool {
    matches!(error, StoreError::Sqlite(SqliteError::Database { path, .. }) if !path.exists()) || is_taken(error)
}
