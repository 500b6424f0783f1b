//! The configuration of a sandbox: its size, its speed and its faults.
//!
//! [`Shape::label`] names the same organization on every host and port. With [`Limits`] alone there are no faults,
//! and asynchronous operations end immediately.

use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::faults::rules::Faults;
use std::sync::Arc;
use std::time::Duration;

/// The seed and the sizes of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// The seed of all ids, names and assignments.
    pub seed: u64,
    /// Users in the identity store.
    pub users: u32,
    /// Groups in the identity store.
    pub groups: u32,
    /// Accounts, including the management account; at least one.
    pub accounts: u32,
    /// Permission sets of the instance.
    pub permission_sets: u32,
}

impl Default for Shape {
    fn default() -> Self {
        Self { seed: 1, users: 300, groups: 30, accounts: 12, permission_sets: 8 }
    }
}

impl Shape {
    /// `sandbox:<seed>:<users>-<groups>-<accounts>-<permission sets>`: the endpoint in a namespace.
    pub fn label(&self) -> String {
        let Shape { seed, users, groups, accounts, permission_sets } = self;
        format!("sandbox:{seed}:{users}-{groups}-{accounts}-{permission_sets}")
    }
}

/// Quotas and latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Calls per second before throttling: for each identitystore operation, for sso-admin together, for
    /// organizations together. Zero (or anything that is not a positive number) is no limit.
    pub tps: f64,
    /// The latency of every call.
    pub latency: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tps: 20.0, latency: Duration::ZERO }
    }
}

/// The configuration except the content.
#[derive(Clone)]
pub struct Conduct {
    /// Quotas and latency.
    pub limits: Limits,
    /// The duration of an asynchronous operation.
    pub async_delay: Duration,
    /// The initial faults.
    pub faults: Faults,
    /// The clock of records.
    pub clock: Arc<dyn Clock>,
}

impl Conduct {
    /// The default duration of an asynchronous operation: long enough to be visible as `IN_PROGRESS`.
    pub const ASYNC_DELAY: Duration = Duration::from_millis(300);
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            async_delay: Duration::ZERO,
            faults: Faults::default(),
            clock: Arc::new(SystemClock),
        }
    }
}

impl From<Limits> for Conduct {
    fn from(limits: Limits) -> Conduct {
        Conduct { limits, ..Conduct::default() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_tells_seed_and_sizes_and_no_port() {
        assert_eq!(Shape::default().label(), "sandbox:1:300-30-12-8");
        assert_ne!(Shape { seed: 2, ..Shape::default() }.label(), Shape::default().label());
    }
}
