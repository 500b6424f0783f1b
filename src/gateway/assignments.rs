//! Who has which permission set where: the walk over all pairs, or over one principal.
//!
//! Neighbours: `read.rs` answers each part from the cache or from AWS, `warm.rs` walks the same pairs, the assignment
//! commands print. Promise: a target that could not be read is listed with its reason and never looks empty.

use super::fetch::{PARALLEL, text, texts};
use super::{Gateway, GatewayError, Policy, Principal, Request};
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
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Found {
    /// `{AccountId, PermissionSetArn, PrincipalType, PrincipalId}` objects, sorted by account, permission set and principal.
    pub assignments: Vec<Value>,
    /// The targets that could not be read.
    pub failures: Vec<Failure>,
    /// How many targets there were.
    pub targets: usize,
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
            let wanted = |row: &Value| {
                filter.account.as_ref().is_none_or(|account| row["AccountId"] == account.as_str())
                    && filter.permission_set.as_ref().is_none_or(|arn| row["PermissionSetArn"] == arn.as_str())
            };
            let mut assignments: Vec<Value> = rows.into_iter().filter(wanted).collect();
            sort(&mut assignments);
            return Ok(Found { assignments, failures: Vec::new(), targets: 1 });
        }
        let (pairs, mut failures) = self.pairs(filter, policy, progress).await?;
        let what = "assignments";
        let targets = pairs.len() + failures.len();
        progress.started(what, Some(pairs.len() as u64));
        let mut answers = stream::iter(pairs)
            .map(|(account, permission_set)| async move {
                let request = Request::Assignments { account, permission_set };
                let answer = self.value(&request, policy, progress).await;
                (request, answer)
            })
            .buffer_unordered(PARALLEL);
        let mut assignments = Vec::new();
        while let Some((request, answer)) = answers.next().await {
            progress.advanced(what, 1);
            match answer {
                Ok(rows) => assignments.extend(array(rows)),
                Err(error) => failures.push(failure(&request, error)?),
            }
        }
        progress.finished(what);
        sort(&mut assignments);
        Ok(Found { assignments, failures, targets })
    }

    /// The pairs of account and permission set that have assignments, and what could not be asked.
    pub(super) async fn pairs(
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
        let arns = if let Some(arn) = &filter.permission_set {
            vec![arn.clone()]
        } else {
            let sets = array(self.value(&Request::PermissionSets, policy, progress).await?);
            sets.iter().map(|set| text(set, "PermissionSetArn")).collect()
        };
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

fn sort(assignments: &mut [Value]) {
    let key =
        |row: &Value| ["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"].map(|name| text(row, name));
    assignments.sort_by_cached_key(key);
}
