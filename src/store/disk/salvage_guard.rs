//! Which entries of a database its own records cover: those that were stored before the record, and none that a fill brought
//! after it.
//!
//! A fill is judged against the records in the transaction that stores it, so an entry with a newer version than a record is
//! an entry that this record let in. `record_versions` keeps the newest version at the time of each record.

use crate::clock::UnixMillis;
use crate::sqlite::{Connection, StatementError, Transaction, params};
use crate::store::invalidation_log::InvalidationRecord;
use crate::store::{Address, Select};
use std::collections::HashMap;

/// The table; generations of earlier builds have none.
pub(super) const TABLE: &str =
    "CREATE TABLE IF NOT EXISTS record_versions(sequence INTEGER PRIMARY KEY, version INTEGER NOT NULL) STRICT;";

/// The version of a record that covers everything: no entry is newer.
const ALL: i64 = i64::MAX;

/// Notes the newest version for the record `sequence`, and forgets the versions of records that are gone.
pub(super) fn note(transaction: &Transaction<'_>, sequence: i64) -> Result<(), StatementError> {
    transaction.execute_batch(TABLE)?;
    transaction
        .prepare_cached("INSERT OR REPLACE INTO record_versions(sequence, version) SELECT ?, version FROM c")?
        .execute(params![sequence])?;
    transaction
        .prepare_cached("DELETE FROM record_versions WHERE sequence < (SELECT min(sequence) FROM r)")?
        .execute([])?;
    Ok(())
}

/// What the records of a database cover of its own entries.
#[derive(Debug, Default)]
pub(super) struct SalvageGuard {
    everything: Option<i64>,
    spaces: HashMap<String, i64>,
    exact: HashMap<(String, String), i64>,
    globs: Vec<(Select, i64)>,
}

impl SalvageGuard {
    /// The guard of the records of a database, read at `now`; `start` is the number in the name of the database.
    pub(super) fn read(
        connection: &Connection,
        start: u64,
        records: Vec<InvalidationRecord>,
        now: UnixMillis,
    ) -> SalvageGuard {
        // Without the table, or with one that cannot be read, each record covers all that it names.
        let versions = versions(connection).unwrap_or_default();
        SalvageGuard::of(records, &versions, start, now)
    }

    /// The same; the records up to `start` were there before the first entry was.
    fn of(records: Vec<InvalidationRecord>, versions: &HashMap<i64, i64>, start: u64, now: UnixMillis) -> SalvageGuard {
        let mut guard = SalvageGuard::default();
        for record in records {
            let version = match versions.get(&record.sequence.cast_signed()) {
                _ if record.stands(now) => ALL,
                Some(version) => *version,
                None if record.sequence <= start => continue,
                None => ALL,
            };
            let keep = |known: &mut i64| *known = version.max(*known);
            match record.select {
                Select::All => guard.everything = guard.everything.max(Some(version)),
                Select::Space(space) => keep(guard.spaces.entry(space).or_insert(version)),
                Select::Exact { space, key } => keep(guard.exact.entry((space, key)).or_insert(version)),
                glob @ Select::Glob { .. } => guard.globs.push((glob, version)),
            }
        }
        guard
    }

    /// Whether a record covers the entry at `address` that shows `version`.
    pub(super) fn covers(&self, address: Address<'_>, version: i64) -> bool {
        let is_older = |than: Option<&i64>| than.is_some_and(|than| version <= *than);
        is_older(self.everything.as_ref())
            || is_older(self.spaces.get(address.space))
            || (!self.exact.is_empty() && is_older(self.exact.get(&(address.space.to_owned(), address.key.to_owned()))))
            || self.globs.iter().any(|(glob, than)| version <= *than && glob.covers(address))
    }
}

/// The versions by record; an error, or one above the newest of all, makes all of them worthless.
fn versions(connection: &Connection) -> Result<HashMap<i64, i64>, StatementError> {
    let newest: i64 = connection.query_row("SELECT version FROM c", [], |row| row.get(0))?;
    let mut statement = connection.prepare("SELECT sequence, version FROM record_versions")?;
    let found: HashMap<i64, i64> =
        statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?.collect::<Result<_, _>>()?;
    Ok(if found.values().any(|version| *version > newest) { HashMap::new() } else { found })
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UnixMillis = 1_000;

    fn record(sequence: u64, select: Select, deadline: Option<UnixMillis>) -> InvalidationRecord {
        InvalidationRecord { sequence, select, deadline, at: 0 }
    }

    fn exact(key: &str) -> Select {
        Select::Exact { space: "s".into(), key: key.into() }
    }

    fn at(key: &str) -> Address<'_> {
        Address { space: "s", key }
    }

    #[test]
    fn a_record_covers_what_was_stored_before_it_and_nothing_newer() {
        let glob = Select::Glob { space: None, pattern: "user:*".into() };
        let records = vec![
            record(11, Select::All, None),
            record(12, exact("a"), None),
            record(13, Select::Space("t".into()), None),
            record(14, glob, Some(NOW)),
        ];
        let guard = SalvageGuard::of(records, &HashMap::from([(11, 3), (12, 5), (13, 7), (14, 9)]), 10, NOW);
        for (address, last) in [(at("b"), 3), (at("a"), 5), (Address { space: "t", key: "b" }, 7), (at("user:1"), 9)] {
            assert!(guard.covers(address, last) && !guard.covers(address, last + 1), "{address:?}");
        }
    }

    #[test]
    fn a_standing_fence_and_a_record_without_a_version_cover_every_entry() {
        let records = vec![record(11, exact("fenced"), Some(NOW + 1)), record(12, exact("unknown"), None)];
        let guard = SalvageGuard::of(records, &HashMap::from([(11, 3)]), 10, NOW);
        assert!(guard.covers(at("fenced"), 1_000) && guard.covers(at("unknown"), 1_000));
        assert!(!guard.covers(at("other"), 1));
    }

    #[test]
    fn a_record_from_before_the_first_entry_covers_none_unless_its_fence_stands() {
        let records = vec![record(9, exact("lapsed"), Some(NOW)), record(10, exact("stands"), Some(NOW + 1))];
        let guard = SalvageGuard::of(records, &HashMap::new(), 10, NOW);
        assert!(!guard.covers(at("lapsed"), 1) && guard.covers(at("stands"), 1));
    }
}
