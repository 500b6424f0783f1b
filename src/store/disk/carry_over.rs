//! What a new generation takes over from those before it: numbers, standing fences, and the tongues that they are said in.
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
    /// The tongues that all of them know, with the moment from which on a fetch must have begun; `None` where nobody
    /// keeps any.
    pub(super) spoken: Option<Vec<(i64, UnixMillis)>>,
}

/// The generations to ask, and for each another connection that may hold its writers back meanwhile.
pub(super) fn elders(options: &Options, live: Option<&Path>) -> (Vec<Predecessor>, Vec<Connection>) {
    let mut schemas = Vec::new();
    let (mut elders, mut holders) = (Vec::new(), Vec::new());
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
            elders.push(Predecessor { ours: schema == schema::VERSION, connection });
            holders.push(holder);
        }
    }
    (elders, holders)
}

/// What they leave, as it stands after `now`; `None` when there is nobody who can be read.
pub(super) fn estate(elders: &[Predecessor], now: UnixMillis) -> Option<CarriedState> {
    let mut estate: Option<CarriedState> = None;
    let mut fences = BTreeMap::new();
    for elder in elders {
        let Ok((sequence, records, spoken)) = left_by(&elder.connection) else { continue };
        for record in records {
            // One that is in several was taken over before: it ends where it ends first, because fences are only lowered.
            let (form, space, pattern) = schema::columns(&record.select);
            let name = (record.sequence, record.at, form, space.map(str::to_owned), pattern.map(str::to_owned));
            let known: &mut InvalidationRecord = fences.entry(name).or_insert_with(|| record.clone());
            known.deadline = known.deadline.min(record.deadline);
        }
        estate = Some(match estate {
            None => CarriedState { sequence, fences: Vec::new(), ours: elder.ours, spoken },
            Some(so_far) => CarriedState {
                sequence: so_far.sequence.max(sequence),
                ours: so_far.ours || elder.ours,
                spoken: common(so_far.spoken, spoken),
                ..so_far
            },
        });
    }
    // `now` is only known where a generation is replaced on purpose; elsewhere the first fill dates what is ahead.
    let dated = |fence: InvalidationRecord| if now == UnixMillis::MIN { fence } else { fence.dated_by(now) };
    let fences = fences.into_values().map(dated).filter(|fence| fence.stands(now)).collect();
    estate.map(|estate| CarriedState { fences, ..estate })
}

/// Whether two records are the same one, read at different moments or in different generations.
pub(super) fn is_same(one: &InvalidationRecord, other: &InvalidationRecord) -> bool {
    (one.sequence, one.at, &one.select) == (other.sequence, other.at, &other.select)
}

/// The newest number of a generation, all that ever were fences, and its tongues.
#[expect(clippy::type_complexity, reason = "three things that are read together and named by who takes them")]
fn left_by(
    connection: &Connection,
) -> Result<(u64, Vec<InvalidationRecord>, Option<Vec<(i64, UnixMillis)>>), StatementError> {
    let sequence: i64 = connection.query_row("SELECT sequence FROM c", [], |row| row.get(0))?;
    let sql = format!("SELECT {} FROM r WHERE deadline IS NOT NULL", schema::RECORD);
    let fences = connection.prepare(&sql)?.query_map([], schema::record)?.collect::<Result<_, _>>()?;
    Ok((sequence.cast_unsigned(), fences, key_registry::spoken(connection).ok().flatten()))
}

/// The tongues in which the fences of both are said: whoever speaks another is admitted anew, after the last of them.
fn common(
    one: Option<Vec<(i64, UnixMillis)>>,
    other: Option<Vec<(i64, UnixMillis)>>,
) -> Option<Vec<(i64, UnixMillis)>> {
    if one.is_none() && other.is_none() {
        return None;
    }
    // Who keeps none speaks in clear.
    let clear = || vec![(CLEAR.cast_signed(), UnixMillis::MIN)];
    let (one, other) = (one.unwrap_or_else(clear), other.unwrap_or_else(clear));
    let both = one.into_iter().filter_map(|(tongue, begun)| {
        let found = other.iter().find(|(known, _)| *known == tongue)?;
        Some((tongue, begun.max(found.1)))
    });
    Some(both.collect())
}
