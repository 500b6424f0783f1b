//! What a new generation takes over from those before it: the sequence number, active fences, and the key ids that the fences are recorded under.
//!
//! Of every schema that has a database here the newest is asked, of ours the live one. Where two versions share a
//! directory each retires the generation of the other at every change, so the fences of both must find their way.

use crate::clock::UnixMillis;
use crate::sqlite::{self, Connection, DatabaseSpec, StatementError};
use crate::store::disk::Options;
use crate::store::disk::generation;
use crate::store::disk::key_registry;
use crate::store::disk::schema;
use crate::store::invalidation_log::InvalidationRecord;
use crate::store::key_id::CLEAR;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// A generation before the one that is made.
pub(super) struct Predecessor {
    ours: bool,
    connection: Connection,
}

/// What is taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CarriedState {
    /// The newest number of all.
    pub(super) sequence: u64,
    /// The fences that stand.
    pub(super) fences: Vec<InvalidationRecord>,
    /// Whether our own schema was among those who could be asked.
    pub(super) ours: bool,
    /// The key ids that all of them know, with the earliest start of an admitted fetch; `None` if none of them
    /// keeps any.
    pub(super) known_keys: Option<Vec<(i64, UnixMillis)>>,
}

/// The generations to ask, and for each another connection that may hold its writers back meanwhile.
pub(super) fn predecessors(options: &Options, live: Option<&Path>) -> (Vec<Predecessor>, Vec<Connection>) {
    let mut schemas = Vec::new();
    let (mut predecessors, mut holders) = (Vec::new(), Vec::new());
    let newest_first = generation::databases(options).unwrap_or_default().into_iter().rev();
    let all = newest_first.map(|number| options.dir.join(generation::file_name(number)));
    let others = all.filter(|path| Some(path.as_path()) != live);
    for path in live.map(PathBuf::from).into_iter().chain(others) {
        // The live one is ours, whatever damage made of it: what came before it is not asked in its place.
        let is_live = Some(path.as_path()) == live;
        let schema = if is_live { schema::VERSION } else { sqlite::schema_of(&path).unwrap_or(0) };
        if schema == 0 || schemas.contains(&schema) {
            continue;
        }
        schemas.push(schema);
        let plan = DatabaseSpec { version: schema, ..generation::plan(options, &path, "") };
        let open = || {
            let connection = sqlite::open_existing(&plan).ok()?;
            // Evidence stays as it is: nothing is folded into it when this is closed.
            sqlite::leave_log(&connection, schema::LOG_PAGES).ok().map(|()| connection)
        };
        if let (Some(connection), Some(holder)) = (open(), open()) {
            predecessors.push(Predecessor { ours: schema == schema::VERSION, connection });
            holders.push(holder);
        }
    }
    (predecessors, holders)
}

/// What they leave, as it stands after `now`; `None` if none is readable.
pub(super) fn carried(predecessors: &[Predecessor], now: UnixMillis) -> Option<CarriedState> {
    let mut carried: Option<CarriedState> = None;
    let mut fences = BTreeMap::new();
    for predecessor in predecessors {
        let Ok((sequence, records, known_keys)) = left_by(&predecessor.connection) else { continue };
        for record in records {
            // One that is in several was taken over before: it ends where it ends first, because fences are only lowered.
            let (form, space, pattern) = schema::columns(&record.select);
            let name = (record.sequence, record.at, form, space.map(str::to_owned), pattern.map(str::to_owned));
            let known: &mut InvalidationRecord = fences.entry(name).or_insert_with(|| record.clone());
            known.deadline = known.deadline.min(record.deadline);
        }
        carried = Some(match carried {
            None => CarriedState { sequence, fences: Vec::new(), ours: predecessor.ours, known_keys },
            Some(so_far) => CarriedState {
                sequence: so_far.sequence.max(sequence),
                ours: so_far.ours || predecessor.ours,
                known_keys: common(so_far.known_keys, known_keys),
                ..so_far
            },
        });
    }
    // `now` is only known where a generation is replaced on purpose; elsewhere the first fill dates what is ahead.
    let dated = |fence: InvalidationRecord| if now == UnixMillis::MIN { fence } else { fence.dated_by(now) };
    let fences = fences.into_values().map(dated).filter(|fence| fence.stands(now)).collect();
    carried.map(|carried| CarriedState { fences, ..carried })
}

/// Whether two records are the same one, read at different moments or in different generations.
pub(super) fn is_same(one: &InvalidationRecord, other: &InvalidationRecord) -> bool {
    (one.sequence, one.at, &one.select) == (other.sequence, other.at, &other.select)
}

/// The newest number of a generation, all fences, and its key ids.
#[expect(clippy::type_complexity, reason = "three things that are read together and named by who takes them")]
fn left_by(
    connection: &Connection,
) -> Result<(u64, Vec<InvalidationRecord>, Option<Vec<(i64, UnixMillis)>>), StatementError> {
    let sequence: i64 = connection.query_row("SELECT sequence FROM c", [], |row| row.get(0))?;
    let sql = format!("SELECT {} FROM r WHERE deadline IS NOT NULL", schema::RECORD);
    let fences = connection.prepare(&sql)?.query_map([], schema::record)?.collect::<Result<_, _>>()?;
    Ok((sequence.cast_unsigned(), fences, key_registry::known_keys(connection).ok().flatten()))
}

/// The key ids that the fences of both are recorded under: a process with another key is admitted again, after the last fence.
fn common(
    one: Option<Vec<(i64, UnixMillis)>>,
    other: Option<Vec<(i64, UnixMillis)>>,
) -> Option<Vec<(i64, UnixMillis)>> {
    if one.is_none() && other.is_none() {
        return None;
    }
    // Without a registry, names are in plaintext.
    let clear = || vec![(CLEAR.cast_signed(), UnixMillis::MIN)];
    let (one, other) = (one.unwrap_or_else(clear), other.unwrap_or_else(clear));
    let both = one.into_iter().filter_map(|(key_id, begun)| {
        let found = other.iter().find(|(known, _)| *known == key_id)?;
        Some((key_id, begun.max(found.1)))
    });
    Some(both.collect())
}
