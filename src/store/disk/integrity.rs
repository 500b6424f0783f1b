//! A look at a cache directory that changes nothing: which database is live, and whether it is sound.
//!
//! Makes no directory, no database and no new generation, whatever it finds.

use crate::secure_fs;
use crate::sqlite;
use crate::store::StoreError;
use crate::store::disk::Options;
use crate::store::disk::generation;
use std::path::PathBuf;

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct IntegrityReport {
    /// The live database; `None` when there is none.
    pub live: Option<PathBuf>,
    /// What is wrong with `CURRENT`.
    pub current: Option<String>,
    /// What `SQLite` finds wrong with the database, line by line.
    pub damages: Vec<String>,
    /// Databases that are kept as evidence or wait to be deleted.
    pub others: usize,
}

/// The most lines of damage that are asked for.
const LINES: u32 = 20;

/// Looks at a cache directory.
pub(super) fn sound(options: &Options) -> Result<IntegrityReport, StoreError> {
    let mut found = IntegrityReport::default();
    if secure_fs::judge(&options.dir, options.access)?.is_none() {
        return Ok(found);
    }
    let databases = generation::databases(options)?;
    let current = generation::current(options)?;
    found.others = databases.len() - usize::from(current.is_some());
    let Some((_, path)) = current else {
        let named = secure_fs::read(&options.dir.join(generation::CURRENT))?;
        found.current = named.map(|bytes| {
            let text = String::from_utf8_lossy(&bytes);
            format!("it names no database that is there: {:?}", text.trim().chars().take(60).collect::<String>())
        });
        return Ok(found);
    };
    let plan = generation::plan(options, &path, "");
    found.live = Some(path.clone());
    let opened = sqlite::open_read_only(&plan).or_else(|_| sqlite::open_immutable(&plan));
    let connection = match opened {
        Ok(connection) => connection,
        Err(error) if error.is_damage() => {
            found.damages.push(error.to_string());
            return Ok(found);
        }
        Err(error) => return Err(error.into()),
    };
    let sql = format!("PRAGMA quick_check({LINES})");
    let lines = connection.prepare(&sql).and_then(|mut statement| {
        statement.query_map([], |row| row.get::<_, String>(0))?.collect::<Result<Vec<_>, _>>()
    });
    match lines {
        Ok(lines) => found.damages.extend(lines.into_iter().filter(|line| line != "ok")),
        Err(error) => found.damages.push(error.to_string()),
    }
    // A database of another making may be sound and still not hold what it should.
    for table in ["e", "v", "g", "r", "c"] {
        if connection.prepare(&format!("SELECT * FROM {table} LIMIT 1")).is_err() {
            found.damages.push(format!("the table {table} is missing or cannot be read"));
        }
    }
    if connection.query_row("SELECT count(*) FROM c", [], |row| row.get::<_, i64>(0)).ok() != Some(1) {
        found.damages.push("the counter of changes is missing".to_owned());
    }
    Ok(found)
}
