//! The two ways to find all assignments, and the cheaper one.

use serde::{Deserialize, Serialize};

/// A way to find all assignments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Traversal {
    /// Over every pair of account and permission set that is provisioned there.
    Pairs,
    /// Over every group and user.
    Principals,
}

/// The cheaper walk. The last one is kept until the other costs a fifth less.
pub(super) fn choose(pairs: u64, principals: u64, last: Option<Traversal>) -> Traversal {
    let (pairs, principals) = match last {
        Some(Traversal::Pairs) => (pairs.saturating_mul(4), principals.saturating_mul(5)),
        Some(Traversal::Principals) => (pairs.saturating_mul(5), principals.saturating_mul(4)),
        None => (pairs, principals),
    };
    if principals < pairs { Traversal::Principals } else { Traversal::Pairs }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cheaper_walk_is_chosen_and_counts_that_are_close_do_not_make_it_swing() {
        assert_eq!(choose(1_000, 999, None), Traversal::Principals);
        assert_eq!(choose(1_000, 1_000, None), Traversal::Pairs);
        for principals in [1_001, 999, 801] {
            assert_eq!(choose(1_000, principals, Some(Traversal::Pairs)), Traversal::Pairs);
        }
        assert_eq!(choose(1_000, 799, Some(Traversal::Pairs)), Traversal::Principals);
        for pairs in [1_001, 999, 801] {
            assert_eq!(choose(pairs, 1_000, Some(Traversal::Principals)), Traversal::Principals);
        }
        assert_eq!(choose(799, 1_000, Some(Traversal::Principals)), Traversal::Pairs);
    }
}
