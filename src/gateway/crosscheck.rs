//! Cross-checks a server that lists no provisioned permission set.
//!
//! AWS lists where each permission set is provisioned, and a walk reads only those pairs. Some AWS emulators
//! return empty lists whatever is assigned. If all of them are empty, pairs are read directly.

use super::api::{InstanceTarget, ListCall};
use super::assignments::{AssignmentFilter, Pairs, array};
use super::error::GatewayError;
use super::fetch::texts;
use super::request::Request;
use crate::gateway::assignments::AssignmentReader;
use crate::gateway::core::CachePolicy;
use crate::gateway::paginate::all;
use crate::progress::Progress;
use futures_util::{StreamExt, stream};

/// At most this many permission sets are checked for one that is provisioned anywhere.
const SETS: usize = 5;
/// This many pairs are read directly before the empty lists are trusted.
const PAIRS: usize = 100;
/// Concurrent direct reads.
const TOGETHER: usize = 8;

impl AssignmentReader<'_> {
    /// The pairs as they were found or, if the provisioned lists are empty although there are assignments, all pairs of
    /// the filter.
    pub(super) async fn cross_checked(
        self,
        found: Pairs,
        filter: &AssignmentFilter,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Pairs, GatewayError> {
        if !policy.live || !found.candidates.is_empty() || !found.failures.is_empty() || found.ended.is_some() {
            return Ok(found);
        }
        match self.unlisted_pairs(filter, policy, progress).await {
            Ok(Some(pairs)) => {
                progress.notice(&format!(
                    "this server names no provisioned permission set although there are assignments: all {} pairs of \
                     account and permission set are asked directly",
                    pairs.len()
                ));
                Ok(Pairs { candidates: pairs, ..found })
            }
            Ok(None) => Ok(found),
            Err(error @ GatewayError::Budget { .. }) => Ok(Pairs { ended: Some(error), ..found }),
            Err(error) if error.ends_everything() => Err(error),
            Err(error) => {
                progress.notice(&format!("cannot cross-check the empty list of assignments: {error}"));
                Ok(found)
            }
        }
    }

    /// All pairs of the filter, when a directly read pair has assignments although no permission set is provisioned
    /// anywhere.
    async fn unlisted_pairs(
        self,
        filter: &AssignmentFilter,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Option<Vec<(String, String)>>, GatewayError> {
        let sets = self.permission_set_arns(policy, progress).await?;
        for arn in sets.iter().take(SETS) {
            let request = Request::PermissionSetAccounts(arn.clone());
            if !array(self.gateway.reader().value(&request, policy, progress).await?).is_empty() {
                return Ok(None);
            }
        }
        let sets = filter.permission_set.clone().map_or(sets, |arn| vec![arn]);
        let accounts = match &filter.account {
            Some(account) => vec![account.clone()],
            None => self.gateway.traversals().ids(&Request::Accounts, "Id", policy, progress).await?,
        };
        let pairs: Vec<(String, String)> = diagonally(&accounts, &sets).collect();
        let mut asked = stream::iter(pairs.iter().take(PAIRS).cloned())
            .map(|(account, permission_set)| async move {
                self.gateway.reader().value(&Request::Assignments { account, permission_set }, policy, progress).await
            })
            .buffered(TOGETHER);
        while let Some(rows) = asked.next().await {
            if !array(rows?).is_empty() {
                drop(asked);
                return Ok(Some(pairs));
            }
        }
        Ok(None)
    }

    /// The ARNs of all permission sets, without a call for each.
    async fn permission_set_arns(
        self,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Vec<String>, GatewayError> {
        let is_held = self.gateway.reader().cached_value(&Request::PermissionSets, policy)?.is_some();
        if is_held {
            return self.gateway.traversals().ids(&Request::PermissionSets, "PermissionSetArn", policy, progress).await;
        }
        let space = self.gateway.space(policy).await?;
        let target = InstanceTarget::of(space);
        Ok(texts(all(self.gateway.source(), &target, ListCall::PermissionSets).await?))
    }
}

/// Every pair once, so that the first ones have different accounts and different permission sets.
fn diagonally<'a>(accounts: &'a [String], sets: &'a [String]) -> impl Iterator<Item = (String, String)> + 'a {
    (0..sets.len()).flat_map(move |turn| {
        let set = move |at: usize| &sets[(at + turn) % sets.len()];
        accounts.iter().enumerate().map(move |(at, account)| (account.clone(), set(at).clone()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn every_pair_is_asked_once_and_no_account_twice_before_all_are() {
        let texts = |prefix: &str, count: usize| (0..count).map(|n| format!("{prefix}{n}")).collect::<Vec<_>>();
        for (accounts, sets) in [(3, 2), (2, 3), (4, 4), (1, 1), (0, 3), (3, 0)] {
            let (accounts, sets) = (texts("a", accounts), texts("s", sets));
            let pairs: Vec<_> = diagonally(&accounts, &sets).collect();
            assert_eq!(pairs.iter().collect::<BTreeSet<_>>().len(), accounts.len() * sets.len());
            assert_eq!(pairs.len(), accounts.len() * sets.len());
            let first: BTreeSet<_> = pairs.iter().take(accounts.len()).map(|(account, _)| account).collect();
            assert!(pairs.is_empty() || first.len() == accounts.len());
        }
    }
}
