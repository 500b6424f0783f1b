//! The least that a role must be allowed: an IAM policy made from the lists of our own calls.
//!
//! Every operation that a [`Source`](crate::gateway::Source) can make is in it, reads alone or changes too, and no
//! other action but those of IAM that AWS takes from the caller in the management account.

use super::api::Api;
use super::api::CHANGE_OPERATIONS;
use super::api::OPERATIONS;
use super::api::api_of;
use serde_json::{Value, json};

/// The IAM action of an operation as on the wire: `AWSIdentityStore.ListUsers` is `identitystore:ListUsers`.
pub fn action_of(operation: &str) -> String {
    let name = operation.split_once('.').map_or(operation, |(_, name)| name);
    format!("{}:{name}", service(api_of(operation)))
}

/// The actions of Identity Center in the management account with the permissions of the caller; in every other account
/// it uses its own service-linked role.
const MANAGEMENT_ACCOUNT_ROLES: &[&str] = &[
    "iam:AttachRolePolicy",
    "iam:CreateRole",
    "iam:DeleteRole",
    "iam:DeleteRolePermissionsBoundary",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetRole",
    "iam:ListAttachedRolePolicies",
    "iam:ListRolePolicies",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:UpdateRole",
    "iam:UpdateRoleDescription",
];
/// The same about the SAML provider that its roles trust.
const MANAGEMENT_ACCOUNT_PROVIDER: &[&str] =
    &["iam:CreateSAMLProvider", "iam:GetSAMLProvider", "iam:UpdateSAMLProvider"];

/// The note about the `iam:` actions of the policy for writes.
pub const MANAGEMENT_ACCOUNT_WORD: &str = "the two ManagementAccount statements are needed only to assign, revoke or \
    provision permission sets in the management account: there Identity Center acts with your rights; leave them out \
    where that must stay impossible (a delegated administrator cannot do it in any case)";

/// An IAM policy document that allows what awsideman reads and, with `writes`, what it changes: one statement for each
/// service and purpose. ARNs are of this partition (`aws`, `aws-us-gov`, `aws-cn`).
pub fn iam_policy(writes: bool, partition: &str) -> Value {
    let reads = [
        ("IdentityStoreRead", Api::IdentityStore),
        ("IdentityCenterRead", Api::SsoAdmin),
        ("OrganizationsRead", Api::Organizations),
        ("WhoAmI", Api::Sts),
    ];
    let changes = [
        ("IdentityStoreWrite", Api::IdentityStore),
        ("IdentityCenterWrite", Api::SsoAdmin),
        ("OrganizationsForWrites", Api::Organizations),
    ];
    let mut statements: Vec<Value> = reads.into_iter().map(|(sid, api)| statement(sid, api, OPERATIONS)).collect();
    if writes {
        statements.extend(changes.into_iter().map(|(sid, api)| statement(sid, api, CHANGE_OPERATIONS)));
        let management = [
            ("ManagementAccountRoles", MANAGEMENT_ACCOUNT_ROLES, "role/aws-reserved/sso.amazonaws.com/*"),
            ("ManagementAccountProvider", MANAGEMENT_ACCOUNT_PROVIDER, "saml-provider/AWSSSO_*_DO_NOT_DELETE"),
        ];
        statements.extend(management.into_iter().map(|(sid, actions, resource)| {
            let resource = format!("arn:{partition}:iam::*:{resource}");
            json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resource })
        }));
    }
    json!({ "Version": "2012-10-17", "Statement": statements })
}

/// The partition that a region belongs to.
pub fn partition_of(region: Option<&str>) -> &'static str {
    match region.and_then(|region| region.split_once('-')) {
        Some(("cn", _)) => "aws-cn",
        Some(("us", rest)) if rest.starts_with("gov-") => "aws-us-gov",
        Some(("us", rest)) if rest.starts_with("iso-") => "aws-iso",
        Some(("us", rest)) if rest.starts_with("isob-") => "aws-iso-b",
        Some(("eusc", _)) => "aws-eusc",
        _ => "aws",
    }
}

fn statement(sid: &str, api: Api, operations: &[&str]) -> Value {
    let mut actions: Vec<String> =
        operations.iter().filter(|operation| api_of(operation) == api).map(|o| action_of(o)).collect();
    actions.sort_unstable();
    json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*" })
}

fn service(api: Api) -> &'static str {
    match api {
        Api::IdentityStore => "identitystore",
        // The IAM prefix of sso-admin is `sso`.
        Api::SsoAdmin => "sso",
        Api::Organizations => "organizations",
        Api::Sts => "sts",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gateway::api::samples;

    #[test]
    fn every_read_has_its_action_and_the_policy_allows_it() {
        let policy = iam_policy(false, "aws").to_string();
        let (listings, singles) = samples();
        let operations = listings.iter().map(crate::gateway::ListCall::operation);
        let operations = operations.chain(singles.iter().map(crate::gateway::GetCall::operation));
        let (of_changes, of_reads): (Vec<_>, Vec<_>) = operations.partition(|o| CHANGE_OPERATIONS.contains(o));
        for operation in &of_reads {
            assert!(OPERATIONS.contains(operation), "{operation} is not in the list of operations");
            assert!(policy.contains(&format!("\"{}\"", action_of(operation))), "{operation}");
        }
        assert_eq!(OPERATIONS.len(), of_reads.len(), "an operation that nothing makes");
        assert_eq!(of_changes.len(), 5, "what is asked on the way to changes");
    }

    #[test]
    fn changes_are_allowed_only_when_they_are_asked_for() {
        let (reads, all) = (iam_policy(false, "aws").to_string(), iam_policy(true, "aws").to_string());
        for operation in CHANGE_OPERATIONS {
            let action = format!("\"{}\"", action_of(operation));
            assert!(all.contains(&action) && !reads.contains(&action), "{action}");
        }
        assert!(OPERATIONS.iter().all(|operation| all.contains(&format!("\"{}\"", action_of(operation)))));
    }

    #[test]
    fn actions_have_the_prefixes_that_iam_knows() {
        assert_eq!(action_of("SWBExternalService.ListInstances"), "sso:ListInstances");
        assert_eq!(action_of("AWSIdentityStore.ListUsers"), "identitystore:ListUsers");
        assert_eq!(action_of("AWSOrganizationsV20161128.ListAccounts"), "organizations:ListAccounts");
        assert_eq!(action_of("AWSSecurityTokenServiceV20110615.GetCallerIdentity"), "sts:GetCallerIdentity");
        assert_eq!(iam_policy(false, "aws")["Statement"].as_array().unwrap().len(), 4);
        let statements = iam_policy(true, "aws")["Statement"].as_array().unwrap().clone();
        assert_eq!(statements.len(), 9);
        assert_eq!(statements[7]["Resource"], "arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*");
        for action in statements.iter().flat_map(|s| s["Action"].as_array().unwrap()) {
            assert!(!action.as_str().unwrap().contains('*'), "{action}");
        }
    }
}
