//! What a sandbox contains, how fast it is and what goes wrong in it.
//!
//! [`Shape::label`] names the same organization on every host and port. With [`Limits`] alone nothing goes wrong, and
//! asynchronous operations end immediately.

use crate::clock::Clock;
use crate::clock::SystemClock;
use crate::faults::rules::Faults;
use std::sync::Arc;
use std::time::Duration;

/// The seed and the sizes of an organization.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Where all ids, names and ties come from; another seed is another organization.
    pub seed: u64,
    /// People in the identity store.
    pub users: u32,
    /// Groups in the identity store.
    pub groups: u32,
    /// Accounts, the management account included; there is always at least that one.
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
    /// `sandbox:<seed>:<users>-<groups>-<accounts>-<permission sets>`: what stands for the endpoint in a space.
    pub fn label(&self) -> String {
        let Shape { seed, users, groups, accounts, permission_sets } = self;
        format!("sandbox:{seed}:{users}-{groups}-{accounts}-{permission_sets}")
    }
}

/// What a sandbox allows and how fast it is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Limits {
    /// Calls a second before throttling: for each identitystore operation apart, for sso-admin together, for
    /// organizations together. Zero (or anything that is no positive number) is no limit.
    pub tps: f64,
    /// How long every call takes before it is answered.
    pub latency: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { tps: 20.0, latency: Duration::ZERO }
    }
}

/// Everything about a sandbox but what is in it.
#[derive(Clone)]
pub struct Conduct {
    /// How many calls, and how fast.
    pub limits: Limits,
    /// How long an asynchronous operation stays `IN_PROGRESS`.
    pub async_delay: Duration,
    /// What goes wrong, until other faults are set.
    pub faults: Faults,
    /// Where the times in records come from.
    pub clock: Arc<dyn Clock>,
}

impl Conduct {
    /// How long asynchronous operations take where nobody says otherwise: long enough to be seen `IN_PROGRESS`.
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
