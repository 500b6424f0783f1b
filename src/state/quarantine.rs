//! State databases that were set aside as damaged or too old, and still lie there.
//!
//! The live `state.db` is never among them.

use crate::secure_fs;
use crate::sqlite;
use crate::state::error::StateError;
use crate::state::error::io_error;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What the names of those begin with that were set aside.
const BEGINNINGS: [&str; 2] = ["state.db.damaged.", "state.db.older."];
const COMPANIONS: [&str; 4] = ["-wal", "-shm", ".lock", ""];

/// All that were set aside in `directory`, and the bytes of each.
pub fn set_aside(directory: &Path) -> Result<Vec<(PathBuf, u64)>, StateError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(io_error("read", directory)(source)),
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(io_error("read", directory))?.path();
        let name = secure_fs::file_name(&path);
        let is_companion = COMPANIONS.iter().any(|ending| !ending.is_empty() && name.ends_with(ending));
        if BEGINNINGS.iter().any(|beginning| name.starts_with(beginning)) && !is_companion {
            let size = |ending: &&str| std::fs::metadata(sqlite::sidecar(&path, ending)).map_or(0, |file| file.len());
            let bytes = COMPANIONS.iter().map(size).sum();
            found.push((path, bytes));
        }
    }
    found.sort();
    Ok(found)
}

/// Deletes one that [`set_aside`] named.
pub fn remove_aside(path: &Path) -> Result<(), StateError> {
    for ending in COMPANIONS {
        let file = sqlite::sidecar(path, ending);
        match std::fs::remove_file(&file) {
            Err(source) if source.kind() != ErrorKind::NotFound => return Err(io_error("remove", &file)(source)),
            _ => {}
        }
    }
    Ok(())
}
