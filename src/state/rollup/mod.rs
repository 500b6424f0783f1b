//! The fold: the tally's records become hourly statistics and last-used times.
//!
//! Each record is counted exactly once, also when a fold dies between any two of its steps; one fold at a time;
//! hours older than 31 days live on in the lifetime counts.
//!
//! Steps: rename the tally, wait until no process writes to it, count it and note its new name in one transaction, remove
//! it. A file whose name is noted was counted and is only removed; a renamed file without a note is counted.

use crate::clock::UnixMillis;
use crate::lock::{self, Guard};
use crate::model::Resource;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use crate::sqlite::{Connection, Transaction, params};
use crate::state::cold;
use crate::state::database::Database;
use crate::state::error::StateError;
use crate::state::error::io_error;
use crate::state::locks::FileLock;
use crate::state::lookup_log::LIMIT;
use crate::state::lookup_log::NAME;
use crate::state::lookup_record::LookupOutcome;
use crate::state::lookup_record::LookupRecord;
use crate::state::lookup_record::Scanner;
use crate::state::lookup_record::cache_number;
use crate::state::statistics;
use crate::state::statistics::LookupCounts;
use crate::state::statistics::hour_of;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::Duration;

/// What a taken file is called: this and the time, process and a random number.
const TAKEN: &str = "tally.fold-";
/// How long to wait for another fold, or for a writer that was stopped amid an append.
const WAIT: Duration = Duration::from_secs(1);
/// The most bytes of a file: what writers that saw the last free record at one time can add.
const MOST: u64 = LIMIT + 1024 * 1024;
/// Bytes of one read.
const CHUNK: usize = 256 * 1024;

/// What a fold found.
#[derive(Debug, Default)]
pub struct Folded {
    /// Records counted.
    pub records: u64,
    /// Stretches of bytes that were no records.
    pub damaged: u64,
    /// Records of another version, which were left out.
    pub unknown: u64,
    /// Whether another process was folding; then nothing was done here.
    pub elsewhere: bool,
    uses: HashMap<(u32, u64), UnixMillis>,
}

impl Folded {
    /// The newest use of each entry in the cache directory `cache`, by the id of its address.
    pub fn uses(&self, cache: &Path) -> Vec<(u64, UnixMillis)> {
        let cache = cache_number(cache);
        self.uses.iter().filter(|((of, _), _)| *of == cache).map(|((_, entry), at)| (*entry, *at)).collect()
    }
}

/// Adds the records of the lookup log to the database, and starts a new log.
pub fn fold(directory: &Path, access: Access, database: &mut Database, now: UnixMillis) -> Result<Folded, StateError> {
    let lock_path = directory.join("tally.lock");
    let Ok(_lock) = FileLock::wait_for(&lock_path, Guard::Fold, access, WAIT, now)? else {
        return Ok(Folded { elsewhere: true, ..Folded::default() });
    };
    let noted = noted(database.reader())?;
    let mut left = BTreeSet::new();
    for name in taken(directory)? {
        if noted.contains(&name) && std::fs::remove_file(directory.join(&name)).is_ok() {
            continue;
        }
        left.insert(name);
    }
    if let Some(name) = take(directory, now)? {
        left.insert(name);
    }
    // Their files are gone, so their notes may go with the next transaction.
    let done: Vec<&String> = noted.difference(&left).collect();
    let mut folded = Folded::default();
    for name in left.difference(&noted) {
        fold_file(directory, name, &done, database, now, &mut folded)?;
    }
    if statistics::has_old_hours(database.reader(), now)? {
        database.write(|transaction| statistics::roll(transaction, now))?;
    }
    Ok(folded)
}

/// Counts the lookups in `cache` since the hour of `since` that no fold has counted yet. Changes nothing, so that a
/// status needs no right to write; a fold that runs at the same moment may be missed or seen twice.
pub fn peek(
    directory: &Path,
    database: Option<&Database>,
    cache: &Path,
    since: UnixMillis,
) -> Result<LookupCounts, StateError> {
    let (cache, since) = (cache_number(cache), hour_of(since));
    let mut counts = LookupCounts::default();
    scan_unfolded(directory, database, &mut |record| {
        if record.cache == cache && record.at >= since {
            counts.count(record.resource, record.outcome, u64::from(record.count));
        }
    })?;
    Ok(counts)
}

/// The misses in `cache` of keys that were not stored and that no fold has counted yet: each entry with its earliest miss.
pub(super) fn peek_absent(
    directory: &Path,
    database: Option<&Database>,
    cache: &Path,
) -> Result<HashMap<u64, UnixMillis>, StateError> {
    let cache = cache_number(cache);
    let mut absent = HashMap::new();
    scan_unfolded(directory, database, &mut |record| {
        if record.cache == cache && record.outcome == LookupOutcome::MissAbsent {
            let earliest = absent.entry(record.entry).or_insert(record.at);
            *earliest = record.at.min(*earliest);
        }
    })?;
    Ok(absent)
}

fn scan_unfolded(
    directory: &Path,
    database: Option<&Database>,
    see: &mut dyn FnMut(LookupRecord),
) -> Result<(), StateError> {
    let noted = database.map_or(Ok(BTreeSet::new()), |database| noted(database.reader()))?;
    let mut names = taken(directory)?;
    names.insert(NAME.into());
    for name in names.difference(&noted) {
        let path = directory.join(name);
        let mut file = match secure_fs::open(&path, Open::Read, Access::Owner) {
            Ok(file) => file,
            Err(error) if error.is_absent() => continue,
            Err(error) => return Err(error.into()),
        };
        scan(&mut file, &path, see)?;
    }
    Ok(())
}

/// How many records wait to be counted, and how many stretches of bytes among them are none. Changes nothing.
pub fn examine(directory: &Path) -> Result<(u64, u64), StateError> {
    let mut found = (0, 0);
    let mut names = taken(directory)?;
    names.insert(NAME.into());
    for name in names {
        let path = directory.join(name);
        let mut file = match secure_fs::open(&path, Open::Read, Access::Owner) {
            Ok(file) => file,
            Err(error) if error.is_absent() => continue,
            Err(error) => return Err(error.into()),
        };
        let scanned = scan(&mut file, &path, &mut |_| {})?;
        found = (found.0 + scanned.records, found.1 + scanned.damaged);
    }
    Ok(found)
}

/// Renames the tally; `None` when there is nothing in it.
fn take(directory: &Path, now: UnixMillis) -> Result<Option<String>, StateError> {
    let path = directory.join(NAME);
    match std::fs::symlink_metadata(&path) {
        Ok(found) if found.len() == 0 => return Ok(None),
        Ok(_) => {}
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(io_error("look at", &path)(source)),
    }
    let name = format!("{TAKEN}{now}-{}-{:016x}", std::process::id(), fastrand::u64(..));
    std::fs::rename(&path, directory.join(&name)).map_err(io_error("rename", &path))?;
    Ok(Some(name))
}

fn fold_file(
    directory: &Path,
    name: &str,
    done: &[&String],
    database: &mut Database,
    now: UnixMillis,
    folded: &mut Folded,
) -> Result<(), StateError> {
    let path = directory.join(name);
    let mut file = secure_fs::open(&path, Open::Read, Access::Owner)?;
    if !alone(&file, &path)? {
        // A writer was stopped amid its append. Its file waits for the next fold.
        return Ok(());
    }
    let mut hours: BTreeMap<(UnixMillis, u32, Resource, LookupOutcome), u64> = BTreeMap::new();
    let mut absent: BTreeMap<(u32, u64), UnixMillis> = BTreeMap::new();
    let uses = &mut folded.uses;
    let found = scan(&mut file, &path, &mut |record: LookupRecord| {
        // A clock that was ahead must not leave counts in a future that every window includes.
        let at = record.at.clamp(0, now.max(0));
        *hours.entry((hour_of(at), record.cache, record.resource, record.outcome)).or_default() +=
            u64::from(record.count);
        if record.outcome.uses_entry() {
            let newest = uses.entry((record.cache, record.entry)).or_insert(at);
            *newest = at.max(*newest);
        }
        if record.outcome == LookupOutcome::MissAbsent {
            let earliest = absent.entry((record.cache, record.entry)).or_insert(at);
            *earliest = at.min(*earliest);
        }
    })?;
    database.write(|transaction| {
        for ((hour, cache, resource, outcome), n) in hours {
            statistics::add(transaction, hour, cache, resource, outcome, n)?;
        }
        for ((cache, entry), at) in absent {
            cold::note(transaction, cache, entry, at)?;
        }
        for name in done {
            transaction.execute("DELETE FROM aggregated_logs WHERE name = ?", [name])?;
        }
        note(transaction, name, now)
    })?;
    folded.records += found.records;
    folded.damaged += found.damaged;
    folded.unknown += found.unknown;
    // If this fails, the note keeps the file from being counted again.
    let _ = std::fs::remove_file(&path);
    Ok(())
}

/// Waits until no append is under way; afterwards writers see that the path names another file.
fn alone(file: &File, path: &Path) -> Result<bool, StateError> {
    match lock::acquire(file, path, Guard::Tally, WAIT) {
        Ok(done) => Ok(done.is_ok()),
        Err(source) if source.kind() == std::io::ErrorKind::Unsupported => Ok(true),
        Err(source) => Err(io_error("lock", path)(source)),
    }
}

fn scan(file: &mut File, path: &Path, see: &mut dyn FnMut(LookupRecord)) -> Result<Scanner, StateError> {
    let (mut scanner, mut buffer) = (Scanner::default(), vec![0; CHUNK]);
    if file.metadata().map_err(io_error("read", path))?.len() > MOST {
        // No writer made it: none of it is counted, and a fold removes it.
        scanner.damaged += 1;
        return Ok(scanner);
    }
    loop {
        match file.read(&mut buffer) {
            Ok(0) => break,
            Ok(n) => scanner.feed(&buffer[..n], see),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(source) => return Err(io_error("read", path)(source)),
        }
    }
    scanner.finish();
    Ok(scanner)
}

/// The files that folds have taken and not removed.
fn taken(directory: &Path) -> Result<BTreeSet<String>, StateError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(BTreeSet::new()),
        Err(source) => return Err(io_error("list", directory)(source)),
    };
    let mut names = BTreeSet::new();
    for entry in entries {
        let name = entry.map_err(io_error("list", directory))?.file_name();
        if let Some(name) = name.to_str().filter(|name| name.starts_with(TAKEN)) {
            names.insert(name.to_owned());
        }
    }
    Ok(names)
}

fn noted(connection: &Connection) -> Result<BTreeSet<String>, StateError> {
    let mut statement = connection.prepare("SELECT name FROM aggregated_logs")?;
    let names = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    Ok(names)
}

fn note(transaction: &Transaction<'_>, name: &str, now: UnixMillis) -> Result<(), StateError> {
    transaction.execute("INSERT INTO aggregated_logs(name, at) VALUES(?, ?)", params![name, now])?;
    Ok(())
}

#[cfg(test)]
mod tests;
