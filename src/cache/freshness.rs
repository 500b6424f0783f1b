//! Fresh, stale or missing: the one place that judges.
//!
//! An entry is fresh until the *smaller* of what it was stored with and what today's configuration allows, so a
//! shorter TTL applies immediately; a time in the future is never trusted.

use crate::cache::custom::has_own_time;
use crate::clock::{self, UnixMillis, millis};
use crate::store::Meta;
use std::time::Duration;

/// What an entry may be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Usability {
    /// An answer, for `left_ms` more milliseconds.
    Fresh {
        /// How much longer.
        left_ms: i64,
    },
    /// An answer only when AWS cannot give one.
    Stale,
    /// Nothing: past all its times.
    Expired,
    /// Nothing for this read: older than it accepts.
    TooOld,
    /// Nothing: stored in the future.
    FromTheFuture,
}

/// What today's configuration allows an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// The TTL of its operation.
    pub ttl: Duration,
    /// How long after that it may stand in for a silent AWS.
    pub stale_if_error: Duration,
    /// The age that this read accepts at most.
    pub max_age: Option<Duration>,
}

/// Judges an entry at `now`.
pub fn judge(meta: &Meta, allowance: Allowance, now: UnixMillis) -> Usability {
    if clock::is_ahead(meta.stored_at, now) {
        return Usability::FromTheFuture;
    }
    let fresh_until = fresh_until(meta, allowance.ttl);
    let age = now.saturating_sub(meta.stored_at);
    let too_old = allowance.max_age.is_some_and(|most| age > millis(most));
    if now < fresh_until {
        return if too_old { Usability::TooOld } else { Usability::Fresh { left_ms: fresh_until - now } };
    }
    // A silent AWS does not make a read accept what it said it would not.
    let stale_until = meta.stale_until.min(fresh_until.saturating_add(millis(allowance.stale_if_error)));
    if now < stale_until && !too_old { Usability::Stale } else { Usability::Expired }
}

/// When an entry ends being fresh: as stored, or sooner when the TTL has been shortened since. A time that a program
/// named for what it stored itself is its own.
pub fn fresh_until(meta: &Meta, ttl: Duration) -> UnixMillis {
    if has_own_time(meta) {
        return meta.fresh_until;
    }
    meta.fresh_until.min(meta.stored_at.saturating_add(millis(ttl)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::{CUSTOM, OWN_TIME};

    fn meta() -> Meta {
        Meta {
            space: "s".into(),
            key: "user:list:all".into(),
            schema: 1,
            stored_at: 1_000_000,
            fresh_until: 1_600_000,
            stale_until: 5_200_000,
            used_at: 0,
            source: "AWSIdentityStore.ListUsers".into(),
            size: 2,
            held: 2,
            frames: 1,
            checksum: 0,
        }
    }

    fn at(now: UnixMillis, ttl: u64, max_age: Option<u64>) -> Usability {
        let allowance = Allowance {
            ttl: Duration::from_secs(ttl),
            stale_if_error: Duration::from_secs(3_600),
            max_age: max_age.map(Duration::from_secs),
        };
        judge(&meta(), allowance, now)
    }

    #[test]
    fn an_entry_is_fresh_then_stale_then_nothing() {
        assert_eq!(at(1_000_000, 600, None), Usability::Fresh { left_ms: 600_000 });
        assert_eq!(at(1_599_999, 600, None), Usability::Fresh { left_ms: 1 });
        assert_eq!(at(1_600_000, 600, None), Usability::Stale);
        assert_eq!(at(5_199_999, 600, None), Usability::Stale);
        assert_eq!(at(5_200_000, 600, None), Usability::Expired);
    }

    #[test]
    fn a_shorter_ttl_applies_immediately_and_a_longer_one_does_not_extend() {
        assert_eq!(at(1_100_000, 60, None), Usability::Stale);
        assert_eq!(at(1_600_000, 86_400, None), Usability::Stale);
        assert_eq!(at(1_000_000, 0, None), Usability::Stale);
    }

    #[test]
    fn a_time_that_a_program_named_for_its_own_is_not_shortened_and_one_of_aws_is() {
        let allowance = Allowance { ttl: Duration::from_secs(60), stale_if_error: Duration::ZERO, max_age: None };
        let named = Meta { space: CUSTOM.into(), source: OWN_TIME.into(), ..meta() };
        assert_eq!(judge(&named, allowance, 1_599_999), Usability::Fresh { left_ms: 1 });
        assert_eq!(judge(&named, allowance, 1_600_000), Usability::Expired);
        for forged in [Meta { source: OWN_TIME.into(), ..meta() }, Meta { space: CUSTOM.into(), ..meta() }] {
            assert_eq!(judge(&forged, allowance, 1_100_000), Usability::Expired, "{forged:?}");
        }
    }

    #[test]
    fn a_read_may_ask_for_something_younger() {
        assert_eq!(at(1_100_000, 600, Some(100)), Usability::Fresh { left_ms: 500_000 });
        assert_eq!(at(1_100_001, 600, Some(100)), Usability::TooOld);
        assert_eq!(at(1_600_000, 600, Some(600)), Usability::Stale);
        assert_eq!(at(1_600_001, 600, Some(600)), Usability::Expired);
    }

    #[test]
    fn a_stamp_from_the_future_is_not_believed() {
        assert_eq!(at(940_000, 600, None), Usability::Fresh { left_ms: 660_000 });
        assert_eq!(at(939_999, 600, None), Usability::FromTheFuture);
    }
}
