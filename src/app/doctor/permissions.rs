//! One cheap call for each operation that awsideman can make: which are allowed, which are denied.
//!
//! Each operation is tried once at most, with the first thing that a list gave; once AWS cannot answer at all,
//! the rest is skipped.

use crate::app::doctor::check::{Check, CheckLevel};
use crate::app::error::AppError;
use crate::gateway::{GatewayError, GetCall, IdentityCenterApi, InstanceTarget, ListCall, OPERATIONS, PrincipalKind};
use crate::gateway::{action_of, operation_words};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// What became of the operations.
#[derive(Debug, Default)]
pub(super) struct Tried {
    outcomes: BTreeMap<&'static str, Result<(), GatewayError>>,
    /// The last failure, until a check reports it.
    last: Option<(&'static str, String)>,
    /// Operations whose failure already has its own check.
    reported: BTreeSet<&'static str>,
    over: bool,
}

impl Tried {
    /// Notes an outcome; gives whether asking on is of no use. What AWS does not find, it let us ask for.
    pub(super) fn note(&mut self, operation: &'static str, outcome: Result<(), GatewayError>) -> bool {
        let outcome = match outcome {
            Err(GatewayError::NotFound { .. }) => Ok(()),
            other => other,
        };
        if let Err(error) = &outcome {
            // A server that lacks an operation, or fails at one, may answer the others.
            self.over |= error.ends_everything() || (error.is_temporary() && !error.is_failure_of_service());
            self.last = Some((operation, error.to_string()));
        }
        self.outcomes.insert(operation, outcome);
        self.over
    }

    /// A check that ended with the last failure. Its error is kept by the operation, unless it says more than a denial.
    pub(super) fn failure(&mut self, name: &str) -> Option<Check> {
        let (operation, message) = self.last.take()?;
        let denied = matches!(self.outcomes.get(operation), Some(Err(GatewayError::AccessDenied { .. })));
        if denied {
            return Some(Check::new(name, CheckLevel::Skipped, message));
        }
        self.reported.insert(operation);
        match self.outcomes.remove(operation) {
            Some(Err(error)) => Some(Check::failed(name, error)),
            _ => None,
        }
    }

    /// One line for all, and one for each that is not allowed or failed.
    pub(super) fn checks(self) -> Vec<Check> {
        let total = OPERATIONS.len();
        let allowed = self.outcomes.values().filter(|outcome| outcome.is_ok()).count();
        let untried: Vec<String> = OPERATIONS
            .iter()
            .filter(|operation| !self.outcomes.contains_key(*operation) && !self.reported.contains(*operation))
            .map(|o| operation_words(o))
            .collect();
        let mut message = format!("{allowed} of {total} reads are allowed");
        if !untried.is_empty() {
            let why = if self.over { "AWS stopped answering" } else { "there is nothing to ask about" };
            message = format!("{message}; not tried, because {why}: {}", untried.join(", "));
        }
        let bad = self.outcomes.values().any(Result::is_err);
        // The lines below are the failures; this one only counts.
        let level = if bad || !untried.is_empty() { CheckLevel::Warn } else { CheckLevel::Ok };
        let summary = Check::new("reads", level, message);
        let summary = if bad { summary.hint("`awsideman doctor --iam-policy` prints what is needed") } else { summary };
        let mut checks = vec![summary];
        for (operation, outcome) in self.outcomes {
            let Err(error) = outcome else { continue };
            let name = format!("read {}", operation_words(operation));
            checks.push(match error {
                GatewayError::AccessDenied { ref detail, .. } => {
                    let message = format!("denied: {detail}");
                    let hint = format!("allow the action {}", action_of(operation));
                    let fault = Some(AppError::Gateway(error));
                    Check { fault, ..Check::new(name, CheckLevel::Fail, message).hint(hint) }
                }
                error => Check::failed(name, error),
            });
        }
        checks
    }
}

/// Tries every operation that was not tried yet.
pub(super) async fn all(source: &dyn IdentityCenterApi, target: Option<&InstanceTarget>, tried: &mut Tried) {
    let mut asking = Asking { source, target, tried };
    let user = asking.first(ListCall::Users, true).await;
    let group = asking.first(ListCall::Groups, true).await;
    let set = asking.first(ListCall::PermissionSets, true).await;
    let account = asking.first(ListCall::Accounts, false).await;
    let root = asking.first(ListCall::Roots, false).await;
    let text = |value: &Option<Value>, name: &str| value.as_ref()?[name].as_str().map(str::to_owned);
    let set = set.and_then(|set| set.as_str().map(str::to_owned));
    let account = text(&account, "Id");
    if let Some(root) = text(&root, "Id") {
        asking.first(ListCall::OrganizationalUnits(root.clone()), false).await;
        asking.first(ListCall::AccountsForParent(root), false).await;
    }
    if let Some(id) = text(&user, "UserId") {
        asking.first(ListCall::MembershipsForMember(id.clone()), true).await;
        let kind = PrincipalKind::User;
        asking.first(ListCall::AssignmentsForPrincipal { kind, id: id.clone() }, true).await;
        asking.one(GetCall::User(id), true).await;
    }
    if let Some(name) = text(&user, "UserName") {
        asking.one(GetCall::UserIdByName(name), true).await;
    }
    if let Some(id) = text(&group, "GroupId") {
        asking.first(ListCall::GroupMemberships(id.clone()), true).await;
        asking.one(GetCall::Group(id), true).await;
    }
    if let Some(name) = text(&group, "DisplayName") {
        asking.one(GetCall::GroupIdByName(name), true).await;
    }
    if let Some(arn) = &set {
        asking.first(ListCall::ManagedPolicies(arn.clone()), true).await;
        asking.first(ListCall::CustomerManagedPolicies(arn.clone()), true).await;
        asking.first(ListCall::ProvisionedAccounts(arn.clone()), true).await;
        asking.one(GetCall::PermissionSet(arn.clone()), true).await;
        asking.one(GetCall::InlinePolicy(arn.clone()), true).await;
        asking.one(GetCall::PermissionsBoundary(arn.clone()), true).await;
    }
    if let Some(account) = account {
        if let Some(permission_set) = set {
            asking.first(ListCall::Assignments { account: account.clone(), permission_set }, true).await;
        }
        asking.first(ListCall::ProvisionedPermissionSets(account.clone()), true).await;
        asking.one(GetCall::Account(account), false).await;
    }
}

struct Asking<'a> {
    source: &'a dyn IdentityCenterApi,
    target: Option<&'a InstanceTarget>,
    tried: &'a mut Tried,
}

impl Asking<'_> {
    /// The first item of a listing's first page.
    async fn first(&mut self, listing: ListCall, of_instance: bool) -> Option<Value> {
        if self.tried.over || (of_instance && self.target.is_none()) {
            return None;
        }
        let page = self.source.page(self.target.filter(|_| of_instance), &listing, None).await;
        match page {
            Ok(page) => {
                self.tried.note(listing.operation(), Ok(()));
                page.items.into_iter().next()
            }
            Err(error) => {
                self.tried.note(listing.operation(), Err(error));
                None
            }
        }
    }

    async fn one(&mut self, single: GetCall, of_instance: bool) {
        if self.tried.over || (of_instance && self.target.is_none()) {
            return;
        }
        let found = self.source.fetch(self.target.filter(|_| of_instance), &single).await;
        self.tried.note(single.operation(), found.map(drop));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::{Mutation, Page};
    use async_trait::async_trait;
    use serde_json::json;
    use std::sync::atomic::{AtomicUsize, Ordering};

    /// Answers everything, but for one operation.
    struct Answers {
        but: &'static str,
        error: fn() -> GatewayError,
        calls: AtomicUsize,
    }

    impl Answers {
        fn ask(&self, operation: &str) -> Result<(), GatewayError> {
            self.calls.fetch_add(1, Ordering::Relaxed);
            if operation == self.but { Err((self.error)()) } else { Ok(()) }
        }
    }

    #[async_trait]
    impl IdentityCenterApi for Answers {
        async fn page(
            &self,
            _: Option<&InstanceTarget>,
            listing: &ListCall,
            _: Option<&str>,
        ) -> Result<Page, GatewayError> {
            self.ask(listing.operation())?;
            let item = match listing {
                ListCall::PermissionSets => json!("arn"),
                _ => json!({"UserId": "u", "UserName": "ada", "GroupId": "g", "DisplayName": "ops", "Id": "1"}),
            };
            Ok(Page { items: vec![item], next: Some("more".into()) })
        }

        async fn fetch(&self, _: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
            self.ask(single.operation()).map(|()| json!({}))
        }

        async fn change(&self, _: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
            Err(GatewayError::NotFound { what: change.subject() })
        }
    }

    fn tried(but: &'static str, error: fn() -> GatewayError) -> (Vec<Check>, usize) {
        let source = Answers { but, error, calls: AtomicUsize::new(0) };
        let target = InstanceTarget { instance: "i".into(), identity_store: "d".into(), region: String::new() };
        let mut tried = Tried::default();
        tried.note("SWBExternalService.ListInstances", Ok(()));
        tried.note(GetCall::CallerIdentity.operation(), Ok(()));
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(all(&source, Some(&target), &mut tried));
        (tried.checks(), source.calls.load(Ordering::Relaxed))
    }

    fn denied() -> GatewayError {
        GatewayError::AccessDenied { operation: "x".into(), account: None, detail: "no right".into() }
    }

    #[test]
    fn every_operation_is_tried_once_and_all_are_allowed() {
        let (checks, calls) = tried("none", denied);
        assert_eq!(calls, OPERATIONS.len() - 2);
        assert_eq!(checks.len(), 1);
        assert_eq!((checks[0].level, checks[0].message.as_str()), (CheckLevel::Ok, "25 of 25 reads are allowed"));
    }

    #[test]
    fn a_denial_names_operation_and_action_and_stops_nothing() {
        let (checks, calls) = tried("SWBExternalService.ListAccountAssignments", denied);
        assert_eq!(calls, OPERATIONS.len() - 2);
        assert!(checks[0].message.starts_with("24 of 25"), "{checks:?}");
        assert_eq!(checks[1].name, "read sso-admin ListAccountAssignments");
        assert_eq!(checks[1].hint.as_deref(), Some("allow the action sso:ListAccountAssignments"));
        assert!(checks[1].fault.is_some());
    }

    #[test]
    fn what_a_denied_list_would_have_led_to_is_said_to_be_untried() {
        let (checks, _) = tried("AWSIdentityStore.ListGroups", denied);
        assert!(checks[0].message.contains("not tried") && checks[0].message.contains("DescribeGroup"), "{checks:?}");
        assert_eq!(checks.len(), 2);
    }

    #[test]
    fn a_server_that_fails_at_one_operation_is_asked_about_the_others() {
        let lacking = || {
            let detail = "the service failed with HTTP 500 and no AWS error".into();
            GatewayError::Unreachable { operation: "x".into(), detail, sent: true }
        };
        let (checks, calls) = tried("SWBExternalService.GetPermissionsBoundaryForPermissionSet", lacking);
        assert_eq!(calls, OPERATIONS.len() - 2);
        assert!(checks[0].message.starts_with("24 of 25 reads are allowed"), "{checks:?}");
        assert!(!checks[1].message.contains("cannot be reached"), "{checks:?}");
    }

    #[test]
    fn the_rest_is_skipped_if_aws_does_not_answer() {
        let silent = || GatewayError::Unreachable { operation: "x".into(), detail: "timed out".into(), sent: true };
        let (checks, calls) = tried("AWSIdentityStore.ListUsers", silent);
        assert_eq!(calls, 1);
        assert_eq!(checks[1].level, CheckLevel::Fail);
    }
}
