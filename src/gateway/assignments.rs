//! Lists who has which permission set where: over all pairs, or over one principal.
//!
//! A target that could not be read is listed with its reason and never looks empty.

use super::api::{Api, PrincipalKind};
use super::assignment_table::AssignmentRows;
use super::core::{CachePolicy, Gateway};
use super::error::GatewayError;
use super::fetch::{PARALLEL, texts};
use super::plan::Traversal;
use super::principals::Principal;
use super::request::Request;
use crate::gateway::warm::checkpoint::is_refusal;
use crate::progress::Progress;
use crate::progress::TargetFailure;
use futures_util::{StreamExt, stream};
use serde_json::Value;

/// What to list; everything when all are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AssignmentFilter {
    /// One account, by id.
    pub account: Option<String>,
    /// One permission set, by ARN.
    pub permission_set: Option<String>,
    /// One user or group.
    pub principal: Option<Principal>,
}

/// What was found.
#[derive(Debug, Default)]
pub struct AssignmentList {
    /// Sorted by account, permission set and principal.
    pub assignments: AssignmentRows,
    /// The targets that could not be read.
    pub failures: Vec<TargetFailure>,
    /// How many targets there were.
    pub targets: usize,
    /// Whether groups and users were asked one by one: what deleted ones still have is not found that way.
    pub by_principal: bool,
    /// The number of targets that were not read because the call budget was spent.
    pub unread: usize,
    /// The error of the budget.
    pub ended: Option<GatewayError>,
}

/// Pairs of account and permission set that may have assignments.
#[derive(Debug, Default)]
pub(super) struct Pairs {
    pub(super) candidates: Vec<(String, String)>,
    /// The targets that could not be read.
    pub(super) failures: Vec<TargetFailure>,
    /// Permission sets that were not read because the call budget was spent.
    pub(super) unread: usize,
    pub(super) ended: Option<GatewayError>,
}

/// Lists who has which permission set where.
#[derive(Clone, Copy)]
pub struct AssignmentReader<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Lists who has which permission set where.
    pub fn assignment_reader(&self) -> AssignmentReader<'_> {
        AssignmentReader { gateway: self }
    }
}

impl AssignmentReader<'_> {
    /// Lists assignments. Fails as a whole only when it cannot even be known what to ask.
    pub async fn assignments(
        self,
        filter: &AssignmentFilter,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<AssignmentList, GatewayError> {
        if let Some(Principal { kind, id }) = &filter.principal {
            let request = Request::PrincipalAssignments { kind: *kind, id: id.clone() };
            let rows = array(self.gateway.reader().value(&request, policy, progress).await?);
            let mut assignments = AssignmentRows::default();
            rows.iter().filter(|row| filter.admits(row)).for_each(|row| assignments.push(row));
            assignments.sort();
            assignments.dedup();
            return Ok(AssignmentList { assignments, targets: 1, ..AssignmentList::default() });
        }
        if *filter == AssignmentFilter::default() {
            return self.all_assignments(policy, progress).await;
        }
        let pairs = self.pairs(filter, policy, progress).await?;
        self.gather_pairs(pairs, policy, progress).await
    }

    /// Everything, by the walk that a warm would choose: what the one stored answers the other.
    async fn all_assignments(
        self,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<AssignmentList, GatewayError> {
        let space = self.gateway.space(policy).await?.text();
        let sets =
            self.gateway.traversals().ids(&Request::PermissionSets, "PermissionSetArn", policy, progress).await?;
        let mut walk = self.gateway.traversals().settled_walk(&space, sets.len(), policy);
        let mut known = None;
        if walk != Some(Traversal::Principals) {
            let found = self.pairs_of(sets.clone(), policy, progress).await?;
            if walk.is_none() {
                let lists = std::future::ready(());
                walk = Some(
                    self.gateway
                        .traversals()
                        .judge_walk(&space, found.candidates.len(), policy, lists, progress)
                        .await?,
                );
            }
            known = Some(found);
        }
        if walk == Some(Traversal::Principals) {
            let principals = self.gateway.traversals().principals(policy, progress).await?;
            if self.may_ask_principals(&principals, policy, progress).await? {
                let request = |(kind, id)| Request::PrincipalAssignments { kind, id };
                let mut found = self.gather(principals.into_iter().map(request).collect(), policy, progress).await?;
                // AWS may list a group's assignment for its user: the row belongs to the group.
                found.assignments.dedup();
                return Ok(AssignmentList { by_principal: true, ..found });
            }
        }
        let pairs = match known {
            Some(found) => found,
            None => self.pairs_of(sets, policy, progress).await?,
        };
        self.gather_pairs(pairs, policy, progress).await
    }

    async fn gather_pairs(
        self,
        asked: Pairs,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<AssignmentList, GatewayError> {
        let Pairs { candidates: pairs, mut failures, unread, ended } = asked;
        let request = |(account, permission_set)| Request::Assignments { account, permission_set };
        let mut found = self.gather(pairs.into_iter().map(request).collect(), policy, progress).await?;
        found.targets += failures.len() + unread;
        failures.append(&mut found.failures);
        Ok(AssignmentList { failures, unread: unread + found.unread, ended: ended.or(found.ended), ..found })
    }

    /// Whether AWS lets this caller ask for principals: the first one shows it, and the answer is kept.
    async fn may_ask_principals(
        self,
        principals: &[(PrincipalKind, String)],
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<bool, GatewayError> {
        let Some((kind, id)) = principals.first().cloned() else { return Ok(true) };
        match self.gateway.reader().value(&Request::PrincipalAssignments { kind, id }, policy, progress).await {
            Ok(_) | Err(GatewayError::Budget { .. }) => Ok(true),
            Err(error) if is_refusal(&error) => {
                if policy.fill {
                    self.gateway.traversals().walk_refused(&self.gateway.space(policy).await?.text());
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The rows of many answers, sorted, and the targets that could not be read. Once the call budget is spent, cached
    /// answers are still read.
    async fn gather(
        self,
        requests: Vec<Request>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<AssignmentList, GatewayError> {
        let what = "assignments";
        let mut found = AssignmentList { targets: requests.len(), ..AssignmentList::default() };
        progress.started(what, Some(requests.len() as u64));
        if let Some(rates) = self.gateway.rates() {
            progress.paced(what, rates.of(Api::SsoAdmin));
        }
        let mut answers = stream::iter(requests)
            .map(|request| async move {
                let answer = self.gateway.reader().value(&request, policy, progress).await;
                (request, answer)
            })
            .buffer_unordered(PARALLEL);
        while let Some((request, answer)) = answers.next().await {
            progress.advanced(what, 1);
            match answer {
                Ok(rows) => array(rows).iter().for_each(|row| found.assignments.push(row)),
                Err(error @ GatewayError::Budget { .. }) => {
                    found.unread += 1;
                    found.ended.get_or_insert(error);
                }
                Err(error) => found.failures.push(failure(&request, error)?),
            }
        }
        progress.finished(what);
        found.assignments.sort();
        Ok(found)
    }

    /// The pairs of account and permission set that have assignments, and what could not be asked.
    pub(super) async fn pairs(
        self,
        filter: &AssignmentFilter,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Pairs, GatewayError> {
        if let (Some(account), Some(arn)) = (&filter.account, &filter.permission_set) {
            return Ok(Pairs { candidates: vec![(account.clone(), arn.clone())], ..Pairs::default() });
        }
        if let Some(account) = &filter.account {
            let request = Request::AccountPermissionSets(account.clone());
            let arns = texts(array(self.gateway.reader().value(&request, policy, progress).await?));
            let pairs = arns.into_iter().map(|arn| (account.clone(), arn)).collect();
            return self.cross_checked(Pairs { candidates: pairs, ..Pairs::default() }, filter, policy, progress).await;
        }
        if let Some(arn) = &filter.permission_set {
            let found = self.provisioned(vec![arn.clone()], policy, progress).await?;
            return self.cross_checked(found, filter, policy, progress).await;
        }
        let arns =
            self.gateway.traversals().ids(&Request::PermissionSets, "PermissionSetArn", policy, progress).await?;
        self.pairs_of(arns, policy, progress).await
    }

    /// The accounts that all permission sets are provisioned to; an empty list is cross-checked.
    pub(super) async fn pairs_of(
        self,
        arns: Vec<String>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Pairs, GatewayError> {
        let found = self.provisioned(arns, policy, progress).await?;
        self.cross_checked(found, &AssignmentFilter::default(), policy, progress).await
    }

    /// The accounts that each of these permission sets is provisioned to.
    pub(super) async fn provisioned(
        self,
        arns: Vec<String>,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Pairs, GatewayError> {
        let what = "accounts of permission sets";
        progress.started(what, Some(arns.len() as u64));
        let mut answers = stream::iter(arns)
            .map(|arn| async move {
                let request = Request::PermissionSetAccounts(arn.clone());
                let answer = self.gateway.reader().value(&request, policy, progress).await;
                (arn, request, answer)
            })
            .buffered(PARALLEL);
        let mut found = Pairs::default();
        while let Some((arn, request, answer)) = answers.next().await {
            progress.advanced(what, 1);
            match answer {
                Ok(accounts) => {
                    let accounts = texts(array(accounts)).into_iter();
                    found.candidates.extend(accounts.map(|account| (account, arn.clone())));
                }
                Err(error @ GatewayError::Budget { .. }) => {
                    found.unread += 1;
                    found.ended.get_or_insert(error);
                }
                Err(error) => found.failures.push(failure(&request, error)?),
            }
        }
        progress.finished(what);
        Ok(found)
    }
}

/// One target's error as a line of the report; errors that would hit every target alike end the walk instead.
pub(super) fn failure(request: &Request, error: GatewayError) -> Result<TargetFailure, GatewayError> {
    if error.ends_everything() {
        return Err(error);
    }
    Ok(error.of_target(request.subject()))
}

pub(super) fn array(value: Value) -> Vec<Value> {
    if let Value::Array(items) = value { items } else { Vec::new() }
}
