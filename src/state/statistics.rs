//! How lookups ended: over a window of hours, and over the life of a cache.
//!
//! A rate is always a number, and a cache without lookups has a rate of 100 %.

use super::cold;
use super::database::Database;
use super::error::StateError;
use crate::clock::{self, UnixMillis};
use crate::model::Resource;
use crate::sqlite::{Connection, Row, StatementError, Transaction, params};
use crate::state::lookup_record::LookupOutcome;
use crate::state::lookup_record::cache_number;
use std::collections::BTreeMap;
use std::path::Path;

pub(super) const HOUR: i64 = 3_600_000;
/// For how long hours are kept apart.
pub(super) const KEPT: i64 = 31 * 24 * HOUR;

/// Lookups by resource and outcome.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LookupCounts {
    /// What is not there is 0.
    pub by: BTreeMap<(Resource, LookupOutcome), u64>,
}

impl LookupCounts {
    /// Counts `n` more lookups.
    pub fn count(&mut self, resource: Resource, outcome: LookupOutcome, n: u64) {
        let kept = self.by.entry((resource, outcome)).or_default();
        *kept = kept.saturating_add(n);
    }

    /// Adds another's counts to these.
    pub fn add(&mut self, other: &LookupCounts) {
        for ((resource, outcome), n) in &other.by {
            self.count(*resource, *outcome, *n);
        }
    }

    /// Takes another's counts away from these.
    pub fn subtract(&mut self, other: &LookupCounts) {
        for (key, n) in &other.by {
            if let Some(kept) = self.by.get_mut(key) {
                *kept = kept.saturating_sub(*n);
            }
        }
    }

    /// Lookups that a fresh entry answered.
    pub fn hits(&self) -> u64 {
        self.sum(|outcome| outcome == LookupOutcome::Hit)
    }

    /// Lookups that had to ask AWS, also those that a stale entry then answered.
    pub fn misses(&self) -> u64 {
        self.sum(LookupOutcome::is_miss)
    }

    /// Lookups at which the cache failed; neither hits nor misses.
    pub fn errors(&self) -> u64 {
        self.sum(LookupOutcome::is_error)
    }

    /// The same by kind; a kind without any is not there.
    pub fn errors_by_kind(&self) -> BTreeMap<&'static str, u64> {
        let mut kinds = BTreeMap::new();
        for ((_, outcome), n) in self.by.iter().filter(|(_, n)| **n > 0) {
            if let Some(kind) = outcome.error_kind() {
                let sum: &mut u64 = kinds.entry(kind).or_default();
                *sum = sum.saturating_add(*n);
            }
        }
        kinds
    }

    /// Hits and misses.
    pub fn samples(&self) -> u64 {
        self.hits().saturating_add(self.misses())
    }

    /// Lookups with this outcome.
    pub fn of(&self, outcome: LookupOutcome) -> u64 {
        self.sum(|other| other == outcome)
    }

    /// Hits in percent of hits and misses; 100 without any.
    pub fn hit_rate_percentage(&self) -> f64 {
        percentage(self.hits(), self.samples()).unwrap_or(100.0)
    }

    /// Errors in percent of hits and misses, at most 100; 0 without any, 100 when there are errors only.
    pub fn error_rate_percentage(&self) -> f64 {
        let only_errors = if self.errors() > 0 { 100.0 } else { 0.0 };
        percentage(self.errors(), self.samples()).map_or(only_errors, |rate| rate.min(100.0))
    }

    /// The counts of each resource that was looked up.
    pub fn by_resource(&self) -> BTreeMap<Resource, LookupCounts> {
        let mut parts: BTreeMap<Resource, LookupCounts> = BTreeMap::new();
        for ((resource, outcome), n) in &self.by {
            parts.entry(*resource).or_default().count(*resource, *outcome, *n);
        }
        parts
    }

    fn sum(&self, wanted: impl Fn(LookupOutcome) -> bool) -> u64 {
        let chosen = self.by.iter().filter(|((_, outcome), _)| wanted(*outcome));
        chosen.fold(0, |sum: u64, (_, n)| sum.saturating_add(*n))
    }
}

/// The lookups of one hour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    /// Its beginning.
    pub at: UnixMillis,
    /// What was looked up in it.
    pub counts: LookupCounts,
}

/// Folded lookups in `cache` by hour since the hour of `since`, the oldest first; an hour without any is not there.
pub fn hours(database: &Database, cache: &Path, since: UnixMillis) -> Result<Vec<Hour>, StateError> {
    let statement =
        "SELECT hour, resource, outcome, lookups FROM lookups_by_hour WHERE hour >= ? AND cache = ? ORDER BY hour";
    let mut hours: Vec<Hour> = Vec::new();
    let mut statement = database.reader().prepare(statement)?;
    let mut rows = statement.query(params![hour_of(since), cache_number(cache)])?;
    while let Some(row) = rows.next()? {
        let at = row.get(0)?;
        if hours.last().is_none_or(|last| last.at != at) {
            hours.push(Hour { at, counts: LookupCounts::default() });
        }
        if let Some(last) = hours.last_mut() {
            collect(&mut last.counts, std::iter::once(Ok((row.get(1)?, row.get(2)?, row.get(3)?))))?;
        }
    }
    Ok(hours)
}

/// Folded lookups in `cache` since the beginning of the hour of `since`.
pub fn window(database: &Database, cache: &Path, since: UnixMillis) -> Result<LookupCounts, StateError> {
    let statement =
        "SELECT resource, outcome, sum(lookups) FROM lookups_by_hour WHERE hour >= ? AND cache = ? GROUP BY 1, 2";
    let mut counts = LookupCounts::default();
    let mut statement = database.reader().prepare(statement)?;
    collect(&mut counts, statement.query_map(params![hour_of(since), cache_number(cache)], read)?)?;
    Ok(counts)
}

/// All folded lookups in `cache` since statistics began.
pub fn lifetime(database: &Database, cache: &Path) -> Result<LookupCounts, StateError> {
    let statement = "SELECT resource, outcome, sum(lookups) FROM (
            SELECT resource, outcome, lookups FROM lookups_by_hour WHERE cache = ?1
            UNION ALL SELECT resource, outcome, lookups FROM lookup_totals WHERE cache = ?1
        ) GROUP BY 1, 2";
    let mut counts = LookupCounts::default();
    let mut statement = database.reader().prepare(statement)?;
    collect(&mut counts, statement.query_map([cache_number(cache)], read)?)?;
    Ok(counts)
}

/// The beginning of an hour.
pub(super) fn hour_of(at: UnixMillis) -> UnixMillis {
    at.saturating_sub(at.rem_euclid(HOUR))
}

/// Adds to an hour.
pub(super) fn add(
    transaction: &Transaction<'_>,
    hour: UnixMillis,
    cache: u32,
    resource: Resource,
    outcome: LookupOutcome,
    n: u64,
) -> Result<(), StateError> {
    let statement = "INSERT INTO lookups_by_hour(hour, cache, resource, outcome, lookups) VALUES(?, ?, ?, ?, ?)
        ON CONFLICT DO UPDATE SET lookups = lookups + excluded.lookups";
    let n = i64::try_from(n).unwrap_or(i64::MAX);
    let mut statement = transaction.prepare(statement)?;
    statement.execute(params![hour, cache, resource.as_str(), outcome.as_str(), n])?;
    Ok(())
}

/// Whether [`roll`] has something to do.
pub(super) fn has_old_hours(connection: &Connection, now: UnixMillis) -> Result<bool, StateError> {
    let statement = "SELECT EXISTS(SELECT 1 FROM lookups_by_hour WHERE hour < ?1 OR hour > ?2)
        OR EXISTS(SELECT 1 FROM hit_rate_windows WHERE began_at > ?2)";
    Ok(connection.query_row(statement, bounds(now), |row| row.get(0))?)
}

/// Moves the hours that are no longer kept apart into the lifetime counts, and those of a clock that was ahead: every
/// window would include them until then. A window that began in the future is restarted.
pub(super) fn roll(transaction: &Transaction<'_>, now: UnixMillis) -> Result<(), StateError> {
    transaction.execute(
        "INSERT INTO lookup_totals(cache, resource, outcome, lookups)
            SELECT cache, resource, outcome, sum(lookups) FROM lookups_by_hour WHERE hour < ?1 OR hour > ?2 GROUP BY 1, 2, 3
            ON CONFLICT DO UPDATE SET lookups = lookups + excluded.lookups",
        bounds(now),
    )?;
    transaction.execute("DELETE FROM lookups_by_hour WHERE hour < ?1 OR hour > ?2", bounds(now))?;
    let windows = "cache IN (SELECT cache FROM hit_rate_windows WHERE began_at > ?1)";
    transaction.execute(&format!("DELETE FROM hit_rate_baselines WHERE {windows}"), [bounds(now)[1]])?;
    transaction.execute("UPDATE hit_rate_windows SET began_at = ?1 WHERE began_at > ?2", [now, bounds(now)[1]])?;
    cold::forget_outside(transaction, bounds(now))
}

/// The first and the last moment of what is kept apart.
fn bounds(now: UnixMillis) -> [UnixMillis; 2] {
    [now.saturating_sub(KEPT), now.saturating_add(clock::TOLERANCE)]
}

pub(super) fn read(row: &Row<'_>) -> Result<(String, String, i64), StatementError> {
    Ok((row.get(0)?, row.get(1)?, row.get(2)?))
}

pub(super) fn collect(
    counts: &mut LookupCounts,
    rows: impl Iterator<Item = Result<(String, String, i64), StatementError>>,
) -> Result<(), StateError> {
    for row in rows {
        let (resource, outcome, n) = row?;
        // A word of a later awsideman's is not ours to judge.
        if let (Some(resource), Some(outcome)) = (Resource::parse(&resource), LookupOutcome::parse(&outcome)) {
            counts.count(resource, outcome, u64::try_from(n).unwrap_or_default());
        }
    }
    Ok(())
}

#[expect(clippy::cast_precision_loss, reason = "a percentage")]
fn percentage(part: u64, whole: u64) -> Option<f64> {
    (whole > 0).then(|| part as f64 * 100.0 / whole as f64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secure_fs::Access;
    use std::time::Duration;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn rates_are_numbers_whatever_was_counted() {
        let mut counts = LookupCounts::default();
        assert!(close(counts.hit_rate_percentage(), 100.0) && close(counts.error_rate_percentage(), 0.0));
        counts.count(Resource::User, LookupOutcome::Error, 1);
        assert!(close(counts.hit_rate_percentage(), 100.0) && close(counts.error_rate_percentage(), 100.0));
        counts.count(Resource::User, LookupOutcome::Hit, 6);
        counts.count(Resource::Group, LookupOutcome::Stale, 1);
        counts.count(Resource::Group, LookupOutcome::MissExpired, 1);
        assert_eq!((counts.hits(), counts.misses(), counts.errors(), counts.samples()), (6, 2, 1, 8));
        assert!(close(counts.hit_rate_percentage(), 75.0) && close(counts.error_rate_percentage(), 12.5));
        let parts = counts.by_resource();
        assert_eq!((parts.len(), parts[&Resource::Group].misses()), (2, 2));
        assert!(close(parts[&Resource::Group].hit_rate_percentage(), 0.0));
        let mut twice = counts.clone();
        twice.add(&counts);
        assert_eq!((twice.samples(), twice.of(LookupOutcome::Stale)), (16, 2));
    }

    #[test]
    fn a_window_begins_with_the_hour_and_caches_are_apart() {
        let root = tempfile::tempdir().unwrap();
        let (mut database, _) = Database::open(root.path(), Access::Owner, Duration::from_secs(5), 0).unwrap();
        let (ours, other) = (Path::new("/a"), Path::new("/b"));
        database
            .write(|transaction| {
                add(transaction, HOUR, cache_number(ours), Resource::Ou, LookupOutcome::Hit, 1)?;
                add(transaction, 2 * HOUR, cache_number(ours), Resource::Ou, LookupOutcome::Hit, 10)?;
                add(transaction, 2 * HOUR, cache_number(ours), Resource::Ou, LookupOutcome::Hit, 10)?;
                add(transaction, 2 * HOUR, cache_number(other), Resource::Ou, LookupOutcome::Hit, 500)
            })
            .unwrap();
        let hits = |cache, since| window(&database, cache, since).unwrap().hits();
        assert_eq!(hits(ours, 2 * HOUR + 59), 20);
        assert_eq!(hits(ours, 2 * HOUR - 1), 21);
        assert_eq!((hits(ours, i64::MIN), hits(ours, i64::MAX), hits(other, 0)), (21, 0, 500));
        assert_eq!(lifetime(&database, ours).unwrap().hits(), 21);
        let by_hour: Vec<_> = hours(&database, ours, 0).unwrap().iter().map(|h| (h.at, h.counts.hits())).collect();
        assert_eq!(by_hour, [(HOUR, 1), (2 * HOUR, 20)]);
        assert_eq!(hours(&database, ours, 2 * HOUR + 1).unwrap().len(), 1);
    }
}
