//! The time of each call in microseconds, for tests of quotas.
//!
//! Guarantee: times never go back. The log is bounded: beyond [`MOST`] the oldest calls are dropped and counted.

use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// The most calls in the log.
const MOST: usize = 200_000;

/// A call in the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Arrival {
    /// `AWSIdentityStore.ListUsers`.
    pub operation: String,
    /// Microseconds since the sandbox started, by a clock that never goes back.
    pub at_us: u64,
    /// Whether it was throttled.
    pub throttled: bool,
}

/// The number of answered calls, by operation (`AWSIdentityStore.ListUsers`), including throttled ones.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct CallCounts {
    /// Answered calls, including errors.
    pub total: u64,
    /// Throttled calls.
    pub throttled: u64,
    /// Calls by operation.
    pub by_operation: BTreeMap<String, u64>,
}

impl CallCounts {
    /// Counts one call of `operation`.
    pub(crate) fn count(&mut self, operation: &str, throttled: bool) {
        self.total += 1;
        self.throttled += u64::from(throttled);
        *self.by_operation.entry(operation.to_owned()).or_default() += 1;
    }
}

/// The latest calls in order.
#[derive(Debug, Default)]
pub(crate) struct Arrivals {
    calls: VecDeque<Arrival>,
    forgotten: u64,
}

impl Arrivals {
    pub(crate) fn note(&mut self, operation: String, since: Duration, throttled: bool) {
        if self.calls.len() == MOST {
            self.calls.pop_front();
            self.forgotten += 1;
        }
        // Two connections may report their times in reverse order.
        let last = self.calls.back().map_or(0, |last| last.at_us);
        let at_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX).max(last);
        self.calls.push_back(Arrival { operation, at_us, throttled });
    }

    /// All calls in the log, oldest first.
    pub(crate) fn all(&self) -> Vec<Arrival> {
        self.calls.iter().cloned().collect()
    }

    /// The number of dropped calls.
    pub(crate) fn forgotten(&self) -> u64 {
        self.forgotten
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_is_bounded_and_says_what_it_forgot() {
        let mut arrivals = Arrivals::default();
        for n in 0..MOST as u64 + 3 {
            arrivals.note("x".into(), Duration::from_micros(n), n == 5);
        }
        assert_eq!((arrivals.all().len(), arrivals.forgotten()), (MOST, 3));
        assert_eq!(arrivals.all()[0], Arrival { operation: "x".into(), at_us: 3, throttled: false });
        arrivals.note("y".into(), Duration::ZERO, false);
        assert_eq!(arrivals.all().last().map(|last| last.at_us), Some(MOST as u64 + 2), "never backwards");
    }
}
