//! The cost of a warm or of a list of assignments: calls, time at the rate limit, bytes in the cache.

use super::rates::Rates;
use super::traversal::Traversal;
use crate::config::WarmTarget;
use crate::gateway::api::Api;
use serde::Serialize;

/// What is known of the cost of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct TargetCost {
    /// `users`, `permission-sets` ...
    pub target: &'static str,
    /// Calls to AWS: those that were counted, of which there may be more where the count is not exact.
    pub calls: u64,
    /// Entries that it will have in the cache, those that its list brings along included.
    pub entries: u64,
    /// What they take there at rest.
    pub bytes: u64,
    /// Whether there will be no more calls.
    pub exact: bool,
}

/// What a walk will cost.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct WalkPlan {
    /// Target by target, in their order.
    pub targets: Vec<TargetCost>,
    /// Calls to AWS in all: a lower bound if the count is not exact.
    pub calls: u64,
    /// How long they take at the quota, in seconds, with calls to all families of APIs in parallel.
    pub seconds: f64,
    /// What the entries take in the cache.
    pub bytes: u64,
    /// How many entries that is.
    pub entries: u64,
    /// Whether there will be no more calls.
    pub exact: bool,
    /// How assignments are walked: `pairs` of account and permission set, or `principals`.
    pub walk: Option<Traversal>,
    /// Calls that learning this has cost.
    pub spent: u64,
    /// How many calls it may come to: an estimate that decides whether to ask for confirmation, and is never shown.
    #[serde(skip)]
    pub likely: u64,
}

impl WalkPlan {
    /// Adds the targets up.
    pub(super) fn new(
        targets: Vec<TargetCost>,
        walk: Option<Traversal>,
        spent: u64,
        rates: Option<&Rates>,
    ) -> WalkPlan {
        let sum = |what: fn(&TargetCost) -> u64| targets.iter().map(what).sum();
        let calls = |target: WarmTarget| {
            let found = targets.iter().find(|planned| planned.target == target.as_str());
            found.map_or(0, |planned| planned.calls)
        };
        let seconds = rates.map_or(0.0, |rates| {
            let users = rates.seconds(Api::IdentityStore, calls(WarmTarget::Users));
            let groups = rates.seconds(Api::IdentityStore, calls(WarmTarget::Groups));
            let members = rates.seconds(Api::IdentityStore, calls(WarmTarget::Memberships));
            let sets = rates.seconds(Api::SsoAdmin, calls(WarmTarget::PermissionSets));
            let assignments = rates.seconds(Api::SsoAdmin, calls(WarmTarget::Assignments));
            let accounts = rates.seconds(Api::Organizations, calls(WarmTarget::Accounts));
            // The principals must be listed before their assignments can be read.
            let before = if walk == Some(Traversal::Principals) { users.max(groups).max(sets) } else { sets };
            users.max(groups + members).max(before + assignments).max(accounts)
        });
        WalkPlan {
            likely: sum(|planned| planned.calls),
            calls: sum(|planned| planned.calls),
            bytes: sum(|planned| planned.bytes),
            entries: sum(|planned| planned.entries),
            exact: targets.iter().all(|planned| planned.exact),
            seconds,
            walk,
            spent,
            targets,
        }
    }
}

/// How many pages of `size` hold so many items; an empty list has one too.
pub(super) fn pages(items: u64, size: u64) -> u64 {
    items.div_ceil(size).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planned(target: WarmTarget, calls: u64) -> TargetCost {
        TargetCost { target: target.as_str(), calls, entries: 1, bytes: 10, exact: true }
    }

    #[test]
    fn families_are_asked_in_parallel_and_dependent_targets_come_later() {
        let rates = Rates { identity_store: 20.0, sso_admin: 10.0, organizations: 5.0 };
        let targets = vec![
            planned(WarmTarget::Users, 200),
            planned(WarmTarget::Groups, 20),
            planned(WarmTarget::Memberships, 400),
            planned(WarmTarget::PermissionSets, 50),
            planned(WarmTarget::Accounts, 10),
            planned(WarmTarget::Assignments, 1000),
        ];
        let plan = WalkPlan::new(targets.clone(), Some(Traversal::Pairs), 7, Some(&rates));
        assert_eq!((plan.calls, plan.bytes, plan.entries, plan.spent), (1680, 60, 6, 7));
        assert!((plan.seconds - 105.0).abs() < 1e-9, "sso-admin is the longest way: {}", plan.seconds);
        let plan = WalkPlan::new(targets, Some(Traversal::Principals), 7, Some(&rates));
        assert!((plan.seconds - 110.0).abs() < 1e-9, "the users come first: {}", plan.seconds);
    }

    #[test]
    fn an_empty_list_has_a_page() {
        assert_eq!([0, 1, 100, 101].map(|items| pages(items, 100)), [1, 1, 1, 2]);
    }
}
