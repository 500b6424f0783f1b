//! The least that a role must be allowed: an IAM policy made from the list of our own reads.
//!
//! Neighbours: `source.rs` holds the list, `doctor --iam-policy` prints it. Promise: every operation that a
//! [`Source`](super::Source) can make is in it, and no other action.

use super::{Api, OPERATIONS, api_of};
use serde_json::{Value, json};

/// The IAM action of an operation as on the wire: `AWSIdentityStore.ListUsers` is `identitystore:ListUsers`.
pub fn action_of(operation: &str) -> String {
    let name = operation.split_once('.').map_or(operation, |(_, name)| name);
    format!("{}:{name}", service(api_of(operation)))
}

/// An IAM policy document that allows what awsideman reads: one statement for each service.
pub fn iam_policy() -> Value {
    let apis = [
        ("IdentityStoreRead", Api::IdentityStore),
        ("IdentityCenterRead", Api::SsoAdmin),
        ("OrganizationsRead", Api::Organizations),
        ("WhoAmI", Api::Sts),
    ];
    let statements: Vec<Value> = apis
        .into_iter()
        .map(|(sid, api)| {
            let mut actions: Vec<String> =
                OPERATIONS.iter().filter(|operation| api_of(operation) == api).map(|o| action_of(o)).collect();
            actions.sort_unstable();
            json!({ "Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*" })
        })
        .collect();
    json!({ "Version": "2012-10-17", "Statement": statements })
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
    use super::super::CHANGE_OPERATIONS;
    use super::super::source::samples;
    use super::*;

    #[test]
    fn every_read_has_its_action_and_the_policy_allows_it() {
        let policy = iam_policy().to_string();
        let (listings, singles) = samples();
        let operations = listings.iter().map(super::super::Listing::operation);
        let operations = operations.chain(singles.iter().map(super::super::Single::operation));
        let (of_changes, of_reads): (Vec<_>, Vec<_>) = operations.partition(|o| CHANGE_OPERATIONS.contains(o));
        for operation in &of_reads {
            assert!(OPERATIONS.contains(operation), "{operation} is not in the list of operations");
            assert!(policy.contains(&format!("\"{}\"", action_of(operation))), "{operation}");
        }
        assert_eq!(OPERATIONS.len(), of_reads.len(), "an operation that nothing makes");
        assert_eq!(of_changes.len(), 4, "what is asked on the way to changes");
    }

    #[test]
    fn actions_have_the_prefixes_that_iam_knows() {
        assert_eq!(action_of("SWBExternalService.ListInstances"), "sso:ListInstances");
        assert_eq!(action_of("AWSIdentityStore.ListUsers"), "identitystore:ListUsers");
        assert_eq!(action_of("AWSOrganizationsV20161128.ListAccounts"), "organizations:ListAccounts");
        assert_eq!(action_of("AWSSecurityTokenServiceV20110615.GetCallerIdentity"), "sts:GetCallerIdentity");
        let statements = iam_policy()["Statement"].as_array().unwrap().clone();
        assert_eq!(statements.len(), 4);
        for action in statements.iter().flat_map(|s| s["Action"].as_array().unwrap()) {
            assert!(!action.as_str().unwrap().contains('*'), "{action}");
        }
    }
}
