//! Quarantined generations: replaced by a recovery, and not removed since.
//!
//! What is live, or bears no marker, is never among them, and that is looked at again before anything is deleted.

use crate::secure_fs;
use crate::sqlite;
use crate::store::StoreError;
use crate::store::disk::Options;
use crate::store::disk::generation;
use std::path::PathBuf;

/// A generation that was set aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// Its database.
    pub path: PathBuf,
    /// The markers next to it.
    pub markers: Vec<PathBuf>,
    /// Bytes of it and all its companions.
    pub bytes: u64,
}

/// The companions of a database.
const COMPANIONS: [&str; 4] = ["-wal", "-shm", ".lock", ""];

/// All of them, the oldest first.
pub(super) fn list(options: &Options) -> Result<Vec<Evidence>, StoreError> {
    if secure_fs::judge(&options.dir, options.access)?.is_none() {
        return Ok(Vec::new());
    }
    let (names, live) = (generation::names(&options.dir)?, generation::live_names(options)?);
    let mut found: Vec<(u64, Evidence)> = Vec::new();
    for name in names.iter().filter(|name| name.contains(generation::MARK)) {
        let Some(number) = generation::number(name) else { continue };
        let database = generation::file_name(number);
        if live.contains(&database) {
            continue;
        }
        let marker = options.dir.join(name);
        if let Some((_, evidence)) = found.iter_mut().find(|(known, _)| *known == number) {
            evidence.markers.push(marker);
            continue;
        }
        let path = options.dir.join(database);
        let size = |ending: &&str| std::fs::metadata(sqlite::sidecar(&path, ending)).map_or(0, |file| file.len());
        let bytes = COMPANIONS.iter().map(size).sum();
        found.push((number, Evidence { path, markers: vec![marker], bytes }));
    }
    found.sort_by_key(|(number, _)| *number);
    Ok(found.into_iter().map(|(_, evidence)| evidence).collect())
}

/// Deletes one, its markers last, so that what is left after a fault is still known for what it is.
pub(super) fn remove(options: &Options, evidence: &Evidence) -> Result<(), StoreError> {
    if generation::live_names(options)?.contains(&secure_fs::file_name(&evidence.path)) {
        return Ok(());
    }
    generation::delete(&evidence.path)?;
    evidence.markers.iter().try_for_each(|marker| generation::unlink(marker))
}
