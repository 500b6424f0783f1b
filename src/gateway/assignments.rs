//! Who has which permission set where: the walk over all pairs, or over one principal.
//!
//! Neighbours: `read.rs` answers each part from the cache or from AWS, `warm.rs` walks the same pairs, the assignment
//! commands print. Promise: a target that could not be read is listed with its reason and never looks empty.

use super::fetch::{PARALLEL, texts};
use super::plan::Walk;
use super::warm::mark::is_refusal;
use super::{Api, Gateway, GatewayError, Policy, Principal, PrincipalKind, Request, Rows};
use crate::report::{Failure, Progress};
use futures_util::{StreamExt, stream};
use serde_json::Value;

/// What to list; everything when all are `None`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// One account, by id.
    pub account: Option<String>,
    /// One permission set, by ARN.
    pub permission_set: Option<String>,
    /// One user or group.
    pub principal: Option<Principal>,
}

/// What was found.
#[derive(Debug, Clone, Default)]
pub struct Found {
    /// Sorted by account, permission set and principal.
    pub assignments: Rows,
    /// The targets that could not be read.
    pub failures: Vec<Failure>,
    /// How many targets there were.
    pub targets: usize,
    /// Whether groups and users were asked one by one: what deleted ones still have is not found that way.
    pub by_principal: bool,
}

impl Gateway {
    /// Lists assignments. Fails as a whole only when it cannot even be known what to ask.
    pub async fn assignments(
        &self,
        filter: &Filter,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<Found, GatewayError> {
        if let Some(Principal { kind, id }) = &filter.principal {
            let request = Request::PrincipalAssignments { kind: *kind, id: id.clone() };
            let rows = array(self.value(&request, policy, progress).await?);
            let mut assignments = Rows::default();
            rows.iter().filter(|row| filter.admits(row)).for_each(|row| assignments.push(row));
            assignments.sort();
            assignments.dedup();
            return Ok(Found { assignments, targets: 1, ..Found::default() });
        }
        if *filter == Filter::default() {
            return self.all_assignments(policy, progress).await;
        }
        let (pairs, failures) = self.pairs(filter, policy, progress).await?;
        self.gather_pairs(pairs, failures, policy, progress).await
    }

    /// Everything, by the walk that a warm would choose: what the one stored answers the other.
    async fn all_assignments(&self, policy: &Policy, progress: &dyn Progress) -> Result<Found, GatewayError> {
        let space = self.space(policy).await?.text();
        let sets = self.ids(&Request::PermissionSets, "PermissionSetArn", policy, progress).await?;
        let mut walk = self.settled_walk(&space, sets.len(), policy);
        let mut known = None;
        if walk != Some(Walk::Principals) {
            let found = self.pairs_of(sets.clone(), policy, progress).await?;
            if walk.is_none() {
                let lists = std::future::ready(());
                walk = Some(self.judge_walk(&space, found.0.len(), policy, lists, progress).await?);
            }
            known = Some(found);
        }
        if walk == Some(Walk::Principals) {
            let principals = self.principals(policy, progress).await?;
            if self.may_ask_principals(&principals, policy, progress).await? {
                let request = |(kind, id)| Request::PrincipalAssignments { kind, id };
                let mut found = self.gather(principals.into_iter().map(request).collect(), policy, progress).await?;
                // A user may be given what a group gave him: a row is the group's, whoever was asked.
                found.assignments.dedup();
                return Ok(Found { by_principal: true, ..found });
            }
        }
        let (pairs, failures) = match known {
            Some(found) => found,
            None => self.pairs_of(sets, policy, progress).await?,
        };
        self.gather_pairs(pairs, failures, policy, progress).await
    }

    async fn gather_pairs(
        &self,
        pairs: Vec<(String, String)>,
        mut failures: Vec<Failure>,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<Found, GatewayError> {
        let request = |(account, permission_set)| Request::Assignments { account, permission_set };
        let mut found = self.gather(pairs.into_iter().map(request).collect(), policy, progress).await?;
        found.targets += failures.len();
        failures.append(&mut found.failures);
        Ok(Found { failures, ..found })
    }

    /// Whether AWS lets this caller ask for principals: the first one tells, and what it says is kept.
    async fn may_ask_principals(
        &self,
        principals: &[(PrincipalKind, String)],
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<bool, GatewayError> {
        let Some((kind, id)) = principals.first().cloned() else { return Ok(true) };
        match self.value(&Request::PrincipalAssignments { kind, id }, policy, progress).await {
            Ok(_) => Ok(true),
            Err(error) if is_refusal(&error) => {
                if policy.fill {
                    self.walk_refused(&self.space(policy).await?.text());
                }
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }

    /// The rows of many answers, sorted, and what could not be asked.
    async fn gather(
        &self,
        requests: Vec<Request>,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<Found, GatewayError> {
        let what = "assignments";
        let targets = requests.len();
        progress.started(what, Some(targets as u64));
        if let Some(rates) = self.rates() {
            progress.paced(what, rates.of(Api::SsoAdmin));
        }
        let mut answers = stream::iter(requests)
            .map(|request| async move {
                let answer = self.value(&request, policy, progress).await;
                (request, answer)
            })
            .buffer_unordered(PARALLEL);
        let (mut assignments, mut failures) = (Rows::default(), Vec::new());
        while let Some((request, answer)) = answers.next().await {
            progress.advanced(what, 1);
            match answer {
                Ok(rows) => array(rows).iter().for_each(|row| assignments.push(row)),
                Err(error) => failures.push(failure(&request, error)?),
            }
        }
        progress.finished(what);
        assignments.sort();
        Ok(Found { assignments, failures, targets, by_principal: false })
    }

    /// The pairs of account and permission set that have assignments, and what could not be asked.
    async fn pairs(
        &self,
        filter: &Filter,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<(Vec<(String, String)>, Vec<Failure>), GatewayError> {
        if let (Some(account), Some(arn)) = (&filter.account, &filter.permission_set) {
            return Ok((vec![(account.clone(), arn.clone())], Vec::new()));
        }
        if let Some(account) = &filter.account {
            let request = Request::AccountPermissionSets(account.clone());
            let arns = texts(array(self.value(&request, policy, progress).await?));
            return Ok((arns.into_iter().map(|arn| (account.clone(), arn)).collect(), Vec::new()));
        }
        let arns = match &filter.permission_set {
            Some(arn) => vec![arn.clone()],
            None => self.ids(&Request::PermissionSets, "PermissionSetArn", policy, progress).await?,
        };
        self.pairs_of(arns, policy, progress).await
    }

    /// The accounts that each of these permission sets is provisioned to.
    pub(super) async fn pairs_of(
        &self,
        arns: Vec<String>,
        policy: &Policy,
        progress: &dyn Progress,
    ) -> Result<(Vec<(String, String)>, Vec<Failure>), GatewayError> {
        let what = "accounts of permission sets";
        progress.started(what, Some(arns.len() as u64));
        let mut answers = stream::iter(arns)
            .map(|arn| async move {
                let request = Request::PermissionSetAccounts(arn.clone());
                let answer = self.value(&request, policy, progress).await;
                (arn, request, answer)
            })
            .buffered(PARALLEL);
        let (mut pairs, mut failures) = (Vec::new(), Vec::new());
        while let Some((arn, request, answer)) = answers.next().await {
            progress.advanced(what, 1);
            match answer {
                Ok(accounts) => pairs.extend(texts(array(accounts)).into_iter().map(|account| (account, arn.clone()))),
                Err(error) => failures.push(failure(&request, error)?),
            }
        }
        progress.finished(what);
        Ok((pairs, failures))
    }
}

/// One target's error as a line of the report; errors that would hit every target alike end the walk instead.
pub(super) fn failure(request: &Request, error: GatewayError) -> Result<Failure, GatewayError> {
    if error.ends_everything() {
        return Err(error);
    }
    Ok(Failure { target: request.subject(), error: error.to_string(), hint: None })
}

pub(super) fn array(value: Value) -> Vec<Value> {
    if let Value::Array(items) = value { items } else { Vec::new() }
}
