//! Which of two walks finds all assignments with fewer calls.
//!
//! Both choose by this one function, and what one of them stored answers the other: while that lives the walk stays
//! the same, and after it another must be a fifth cheaper, so that counts that lie close together do not make it
//! swing.
//!
//! *Pairs*: where is each permission set, then who has it in each such account: one call for each set and each pair.
//! *Principals*: what each group and user has: one call for each. It is for the management account alone, and does not
//! find what deleted principals still have, since no list has them any more.

use crate::clock::millis;
use crate::gateway::api::PrincipalKind;
use crate::gateway::core::CachePolicy;
use crate::gateway::core::Gateway;
use crate::gateway::error::GatewayError;
use crate::gateway::plan::traversal::{Traversal, choose};
use crate::gateway::request::Request;
use crate::gateway::warm::checkpoint::Walked;
use crate::model::Resource;
use crate::progress::Progress;

/// So many pairs are asked without counting people first.
pub(super) const FEW: u64 = 100;
/// A refusal is believed for so long: a day.
const REFUSED_MS: i64 = 86_400_000;

/// Counts lists, and chooses the cheaper traversal of all assignments.
#[derive(Clone, Copy)]
pub(in crate::gateway) struct Traversals<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Counts lists, and chooses the cheaper traversal of all assignments.
    pub(in crate::gateway) fn traversals(&self) -> Traversals<'_> {
        Traversals { gateway: self }
    }
}

impl Traversals<'_> {
    /// The walk, where it takes no further call to know it: because it was judged a moment ago, because AWS refused the
    /// other, or because there are fewer people and groups than permission sets.
    pub(in crate::gateway) fn settled_walk(self, space: &str, sets: usize, policy: &CachePolicy) -> Option<Traversal> {
        if let Some(walk) = self.standing_walk(self.last_walk(space, policy).as_ref()) {
            return Some(walk);
        }
        if !policy.read {
            return None;
        }
        let users = self.held_items(space, &Request::Users)?;
        let groups = self.held_items(space, &Request::Groups)?;
        (users + groups <= sets as u64).then(|| self.judged(space, Traversal::Principals, policy))
    }

    /// A walk that was judged so short a time ago that what it stored may still be fresh.
    pub(super) fn standing_walk(self, last: Option<&Walked>) -> Option<Traversal> {
        let last = last?;
        let age = self.gateway.cache().clock().now() - last.judged;
        let lives =
            if last.refused { REFUSED_MS } else { millis(self.gateway.cache().ttl(Resource::Assignment, "list")) };
        (0..lives).contains(&age).then_some(last.walk)
    }

    /// Judges by counts; `lists` is awaited before people and groups are counted.
    pub(in crate::gateway) async fn judge_walk(
        self,
        space: &str,
        pairs: usize,
        policy: &CachePolicy,
        lists: impl Future<Output = ()>,
        progress: &dyn Progress,
    ) -> Result<Traversal, GatewayError> {
        let last = self.last_walk(space, policy).filter(|last| !last.refused).map(|last| last.walk);
        let pairs = pairs as u64;
        if pairs <= FEW {
            return Ok(self.judged(space, Traversal::Pairs, policy));
        }
        lists.await;
        // Above this it is the pairs in any case: counting stops.
        let most = pairs.saturating_mul(5) / 4 + 1;
        let mut principals = 0;
        for request in [Request::Groups, Request::Users] {
            match self.count_up_to(space, &request, most.saturating_sub(principals), policy, progress).await? {
                Some(count) => principals += count,
                None => return Ok(self.judged(space, Traversal::Pairs, policy)),
            }
        }
        Ok(self.judged(space, choose(pairs, principals, last), policy))
    }

    /// Remembers that AWS does not let this caller ask for principals.
    pub(in crate::gateway) fn walk_refused(self, space: &str) {
        let judged = self.gateway.cache().clock().now();
        self.gateway.checkpoints().keep_walk(space, Walked { walk: Traversal::Pairs, judged, refused: true });
    }

    /// All groups, then all users.
    pub(in crate::gateway) async fn principals(
        self,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Vec<(PrincipalKind, String)>, GatewayError> {
        let mut all = Vec::new();
        for (kind, request, field) in
            [(PrincipalKind::Group, Request::Groups, "GroupId"), (PrincipalKind::User, Request::Users, "UserId")]
        {
            all.extend(self.ids(&request, field, policy, progress).await?.into_iter().map(|id| (kind, id)));
        }
        Ok(all)
    }

    pub(super) fn last_walk(self, space: &str, policy: &CachePolicy) -> Option<Walked> {
        if policy.read { self.gateway.checkpoints().walked(space) } else { None }
    }

    fn judged(self, space: &str, walk: Traversal, policy: &CachePolicy) -> Traversal {
        if policy.fill {
            self.gateway
                .checkpoints()
                .keep_walk(space, Walked { walk, judged: self.gateway.cache().clock().now(), refused: false });
        }
        walk
    }
}
