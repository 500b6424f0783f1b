//! Token buckets, metered as AWS meters: identitystore by operation, sso-admin and organizations as one each.
//!
//! A pure function of the times handed in; a refused call takes nothing.

use crate::aws_json::Service;
use crate::faults::rules::Rates;
use std::collections::HashMap;
use std::time::Duration;

/// One bucket: how much is in it, and when that was so.
#[derive(Debug, Clone, Copy)]
struct Bucket {
    tokens: f64,
    at: Duration,
}

/// All buckets of a sandbox.
#[derive(Debug)]
pub(crate) struct Buckets {
    base: f64,
    rates: Rates,
    by_name: HashMap<(Service, &'static str), Bucket>,
}

impl Buckets {
    /// Buckets that refill at `tps` tokens a second and hold a second's worth, one at least; full at first.
    pub(crate) fn new(tps: f64) -> Self {
        Self { base: tps, rates: Rates::default(), by_name: HashMap::new() }
    }

    /// Gives families rates of their own; those without one have the rate of the start.
    pub(crate) fn set_rates(&mut self, rates: Rates) {
        self.rates = rates;
    }

    /// Takes a token for a call at `now` (time since the start), or says how long to wait for one.
    pub(crate) fn take(&mut self, service: Service, operation: &'static str, now: Duration) -> Result<(), Duration> {
        let own = match service {
            Service::IdentityStore => self.rates.identitystore,
            Service::SsoAdmin => self.rates.sso_admin,
            Service::Organizations => self.rates.organizations,
        };
        let tps = own.unwrap_or(self.base);
        if !(tps.is_finite() && tps > 0.0) {
            return Ok(());
        }
        let burst = tps.max(1.0);
        let name = match service {
            Service::IdentityStore => operation,
            Service::SsoAdmin | Service::Organizations => "",
        };
        let bucket = self.by_name.entry((service, name)).or_insert(Bucket { tokens: burst, at: now });
        let gained = now.saturating_sub(bucket.at).as_secs_f64() * tps;
        bucket.tokens = (bucket.tokens + gained).min(burst);
        bucket.at = bucket.at.max(now);
        // A billionth is forgiven: waiting exactly as long as we said must be enough, whatever rounding says.
        if bucket.tokens >= 1.0 - 1e-9 {
            bucket.tokens = (bucket.tokens - 1.0).max(0.0);
            Ok(())
        } else {
            let wait = (1.0 - bucket.tokens) / tps;
            Err(Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn taken(buckets: &mut Buckets, service: Service, operation: &'static str, at_ms: u64, calls: usize) -> usize {
        let now = Duration::from_millis(at_ms);
        (0..calls).filter(|_| buckets.take(service, operation, now).is_ok()).count()
    }

    #[test]
    fn a_burst_is_one_second_s_worth_and_then_it_is_the_rate() {
        let mut buckets = Buckets::new(20.0);
        assert_eq!(taken(&mut buckets, Service::IdentityStore, "ListUsers", 0, 50), 20);
        assert_eq!(taken(&mut buckets, Service::IdentityStore, "ListUsers", 500, 50), 10);
        assert_eq!(taken(&mut buckets, Service::IdentityStore, "ListUsers", 60_000, 50), 20, "no more than full");
    }

    #[test]
    fn identitystore_is_metered_by_operation_and_the_others_as_one() {
        let mut buckets = Buckets::new(2.0);
        assert_eq!(taken(&mut buckets, Service::IdentityStore, "ListUsers", 0, 9), 2);
        assert_eq!(taken(&mut buckets, Service::IdentityStore, "ListGroups", 0, 9), 2);
        assert_eq!(taken(&mut buckets, Service::SsoAdmin, "ListInstances", 0, 1), 1);
        assert_eq!(taken(&mut buckets, Service::SsoAdmin, "ListPermissionSets", 0, 9), 1);
        assert_eq!(taken(&mut buckets, Service::Organizations, "ListAccounts", 0, 9), 2);
        assert_eq!(taken(&mut buckets, Service::Organizations, "ListRoots", 0, 9), 0);
    }

    #[test]
    fn waiting_as_long_as_told_is_enough() {
        let mut buckets = Buckets::new(0.3);
        let mut now = Duration::ZERO;
        assert!(buckets.take(Service::SsoAdmin, "ListInstances", now).is_ok(), "a slow bucket still holds one");
        for _ in 0..20 {
            let wait = buckets.take(Service::SsoAdmin, "ListInstances", now).expect_err("empty");
            assert!(buckets.take(Service::SsoAdmin, "ListInstances", now + wait / 2).is_err());
            now += wait;
            assert!(buckets.take(Service::SsoAdmin, "ListInstances", now).is_ok(), "at {now:?}");
        }
    }

    #[test]
    fn a_family_can_have_a_rate_of_its_own() {
        let mut buckets = Buckets::new(2.0);
        buckets.set_rates(Rates { identitystore: Some(5.0), sso_admin: Some(0.0), organizations: None });
        assert_eq!(taken(&mut buckets, Service::IdentityStore, "ListUsers", 0, 9), 5);
        assert_eq!(taken(&mut buckets, Service::SsoAdmin, "ListInstances", 0, 9), 9, "none is no limit");
        assert_eq!(taken(&mut buckets, Service::Organizations, "ListRoots", 0, 9), 2);
        buckets.set_rates(Rates::default());
        assert_eq!(taken(&mut buckets, Service::IdentityStore, "ListUsers", 60_000, 9), 2);
    }

    #[test]
    fn zero_is_no_limit() {
        for tps in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert_eq!(taken(&mut Buckets::new(tps), Service::SsoAdmin, "ListInstances", 0, 1_000), 1_000, "{tps}");
        }
    }
}
