//! Figures over time: lookups by hour, samples of the size, calls.
//!
//! An hour without lookups is absent: it has no rate.

use crate::clock::{self, UnixMillis};
use crate::model::Resource;
use crate::state::{self, Database, LookupOutcome, StateError};
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// An hour and a day, in milliseconds.
const HOUR: i64 = 3_600_000;
const DAY: i64 = 24 * HOUR;

/// Lookups and sizes over time, the oldest first.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct UsageHistory {
    /// Lookups by hour.
    pub hours: Vec<HourReport>,
    /// Sizes, minutes apart.
    pub samples: Vec<SampleReport>,
}

impl UsageHistory {
    /// Leaves out what is older than `since`.
    pub(crate) fn cut(&mut self, since: UnixMillis) {
        self.hours.retain(|hour| hour.at > since - HOUR);
        self.samples.retain(|sample| sample.at >= since);
    }
}

/// The lookups of one hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct HourReport {
    /// Its beginning.
    #[serde(serialize_with = "clock::serialize")]
    pub at: UnixMillis,
    /// Answered from the cache: each saved one call or more.
    pub hits: u64,
    /// Answered by AWS.
    pub misses: u64,
    /// The cache failed.
    pub errors: u64,
}

/// The size at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct SampleReport {
    /// The moment.
    #[serde(serialize_with = "clock::serialize")]
    pub at: UnixMillis,
    /// Entries.
    pub entries: u64,
    /// The bytes that they held.
    pub bytes: u64,
}

/// Calls to AWS of all processes that share the state directory.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CallsReport {
    /// Since they are counted.
    pub total: u64,
    /// Those that AWS refused for its quota.
    pub throttled: u64,
    /// Within the last day.
    pub last_day: u64,
    /// By operation (`AWSIdentityStore.ListUsers`), since they are counted.
    pub by_operation: BTreeMap<String, u64>,
}

/// Lookups that ended alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Lookups {
    /// The resource.
    #[serde(serialize_with = "word")]
    pub resource: Resource,
    /// How they ended.
    #[serde(serialize_with = "word")]
    pub outcome: LookupOutcome,
    /// How many.
    pub count: u64,
}

pub(crate) fn history(database: &Database, cache: &Path, since: UnixMillis) -> Result<UsageHistory, StateError> {
    let hours = state::hours(database, cache, since)?.into_iter().map(|hour| HourReport {
        at: hour.at,
        hits: hour.counts.hits(),
        misses: hour.counts.misses(),
        errors: hour.counts.errors(),
    });
    let samples = state::samples(database, cache, since)?;
    Ok(UsageHistory {
        hours: hours.collect(),
        samples: samples.into_iter().map(|s| SampleReport { at: s.at, entries: s.entries, bytes: s.held }).collect(),
    })
}

/// Folded lookups only: what is not folded yet could be seen twice while another process folds it, and a counter that
/// falls back by one is taken for a restart.
pub(crate) fn lookups(database: &Database, cache: &Path) -> Result<Vec<Lookups>, StateError> {
    let counts = state::lifetime(database, cache)?;
    Ok(counts.by.into_iter().map(|((resource, outcome), count)| Lookups { resource, outcome, count }).collect())
}

pub(crate) fn calls(database: &Database, now: UnixMillis) -> Result<CallsReport, StateError> {
    let mut report = CallsReport::default();
    for call in state::call_totals(database)? {
        if call.operation == state::THROTTLED {
            report.throttled = call.sent;
        } else {
            report.total += call.sent;
            report.by_operation.insert(call.operation, call.sent);
        }
    }
    let day = state::calls_since(database, now - DAY)?;
    report.last_day = day.iter().filter(|call| call.operation != state::THROTTLED).map(|call| call.sent).sum();
    Ok(report)
}

fn word<T: std::fmt::Display, S: serde::Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}
