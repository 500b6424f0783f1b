//! What listing the assignments of one account or one permission set will cost.

use super::super::assignments::AssignmentFilter;
use super::super::warm::{Renew, Round};
use super::cost::{TargetCost, WalkPlan};
use super::traversal::Traversal;
use crate::config::WarmTarget;
use crate::gateway::core::CachePolicy;
use crate::gateway::error::GatewayError;
use crate::gateway::plan::estimate::Planner;
use crate::gateway::request::Request;
use crate::progress::Progress;

impl Planner<'_> {
    /// Counts the pairs that a filtered walk will ask about: those that the cache can answer cost nothing. Names come on
    /// top of that, so that there may be more calls.
    pub async fn plan_filtered(
        self,
        filter: &AssignmentFilter,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<WalkPlan, GatewayError> {
        let found = self.gateway.assignment_reader().pairs(filter, policy, progress).await?;
        let space = self.gateway.space(policy).await?.text();
        let renew = if policy.read { Renew::Unusable(policy.max_age) } else { Renew::All };
        let round = Round::looking(&space, renew, progress);
        let requests = found
            .candidates
            .into_iter()
            .map(|(account, permission_set)| Request::Assignments { account, permission_set });
        let calls = requests.filter(|request| !self.gateway.warmer().is_left(request, &round)).count() as u64;
        let target = WarmTarget::Assignments.as_str();
        let planned = TargetCost { target, calls, entries: 0, bytes: 0, exact: calls == 0 };
        Ok(WalkPlan::new(vec![planned], Some(Traversal::Pairs), 0, self.gateway.rates()))
    }
}
