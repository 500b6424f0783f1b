//! How large a sandbox is and how it behaves.
//!
//! Neighbours: the command line fills both from flags; `generate.rs` reads [`Shape`], `desk.rs` and `server.rs` read
//! [`Limits`]. Promise: [`Shape::label`] names the same organisation for ever, whatever port it is served on.

use std::time::Duration;

/// The seed and the sizes of an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    /// Where all ids, names and ties come from; another seed is another organisation.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_label_tells_seed_and_sizes_and_no_port() {
        assert_eq!(Shape::default().label(), "sandbox:1:300-30-12-8");
        assert_ne!(Shape { seed: 2, ..Shape::default() }.label(), Shape::default().label());
    }
}
