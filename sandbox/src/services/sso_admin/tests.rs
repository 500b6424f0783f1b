//! Tests of the reads of `sso_admin`.

use super::*;
use crate::config::Shape;
use crate::testing::Caller;
use std::collections::BTreeSet;

/// Large enough that every listing here spans pages.
fn large() -> Caller {
    Caller::new(&Shape { seed: 5, users: 300, groups: 30, accounts: 230, permission_sets: 210 })
}

#[test]
fn the_instance_is_listed_and_described() {
    let caller = Caller::new(&Shape::default());
    let listed = caller.ask("SWBExternalService.ListInstances", json!({}));
    assert_eq!(listed["Instances"].as_array().map(Vec::len), Some(1));
    let instance = &listed["Instances"][0];
    assert_eq!(instance["InstanceArn"], caller.organization.instance_arn());
    assert_eq!(instance["OwnerAccountId"], caller.organization.management_account());
    assert!(instance["CreatedDate"].is_number());
    let described = caller.ask("SWBExternalService.DescribeInstance", json!({}));
    assert_eq!(described["IdentityStoreId"], instance["IdentityStoreId"]);
    let other = json!({"InstanceArn": "arn:aws:sso:::instance/ssoins-0000000000000000"});
    assert_eq!(caller.refused("SWBExternalService.DescribeInstance", other.clone())["__type"], "AccessDeniedException");
    let refusal = caller.refused("SWBExternalService.ListPermissionSets", other);
    assert_eq!(refusal["__type"], "ResourceNotFoundException");
}

#[test]
fn permission_sets_are_arns_in_pages_and_each_can_be_described() {
    let caller = large();
    let (sizes, arns) = caller.walk("SWBExternalService.ListPermissionSets", "PermissionSets", json!({}));
    assert_eq!(sizes, [100, 100, 10]);
    assert!(
        arns.iter().map(|arn| arn.as_str().expect("a text")).eq(caller
            .organization
            .permission_sets
            .keys()
            .map(|id| &**id))
    );
    for arn in &arns[..20] {
        let set =
            &caller.ask("SWBExternalService.DescribePermissionSet", json!({"PermissionSetArn": arn}))["PermissionSet"];
        assert_eq!(&set["PermissionSetArn"], arn);
        assert!(set["SessionDuration"].as_str().is_some_and(|text| text.starts_with("PT")));
        assert!(set["CreatedDate"].is_number());
    }
}

#[test]
fn policies_come_as_aws_gives_them() {
    let caller = Caller::new(&Shape::default());
    for (arn, policies) in &caller.organization.policies {
        let ask = || json!({"PermissionSetArn": arn, "MaxResults": 2});
        let (_, managed) =
            caller.walk("SWBExternalService.ListManagedPoliciesInPermissionSet", "AttachedManagedPolicies", ask());
        assert_eq!(managed.len(), policies.managed.len());
        let operation = "SWBExternalService.ListCustomerManagedPolicyReferencesInPermissionSet";
        let (_, customer) = caller.walk(operation, "CustomerManagedPolicyReferences", ask());
        assert_eq!(customer.len(), policies.customer_managed.len());
        let ask = json!({"PermissionSetArn": arn});
        let inline = caller.ask("SWBExternalService.GetInlinePolicyForPermissionSet", ask.clone());
        assert_eq!(inline, json!({"InlinePolicy": policies.inline}));
        let operation = "SWBExternalService.GetPermissionsBoundaryForPermissionSet";
        if policies.boundary.is_some() {
            assert!(caller.ask(operation, ask)["PermissionsBoundary"].is_object());
        } else {
            assert_eq!(caller.refused(operation, ask)["__type"], "ResourceNotFoundException");
        }
    }
}

#[test]
fn three_ways_through_the_assignments_find_the_same_rows() {
    let caller = large();
    let all: BTreeSet<String> = caller.organization.assignments.iter().map(|row| canonical(&json!(row))).collect();
    let mut by_set = BTreeSet::new();
    let mut by_account = BTreeSet::new();
    let (mut pages_of_accounts, mut pages_of_sets, mut pages_of_rows) = (vec![], vec![], vec![]);
    for arn in caller.organization.permission_sets.keys() {
        let ask = json!({"PermissionSetArn": arn});
        let operation = "SWBExternalService.ListAccountsForProvisionedPermissionSet";
        let (sizes, accounts) = caller.walk(operation, "AccountIds", ask);
        pages_of_accounts = pages_of_accounts.max(sizes);
        for account in accounts {
            let ask = json!({"PermissionSetArn": arn, "AccountId": account});
            let (sizes, rows) = caller.walk("SWBExternalService.ListAccountAssignments", "AccountAssignments", ask);
            pages_of_rows = pages_of_rows.max(sizes);
            assert!(!rows.is_empty(), "provisioned means assigned");
            by_set.extend(rows.iter().map(canonical));
        }
    }
    for account in caller.organization.accounts.keys() {
        let operation = "SWBExternalService.ListPermissionSetsProvisionedToAccount";
        let (sizes, sets) = caller.walk(operation, "PermissionSets", json!({"AccountId": account}));
        pages_of_sets = pages_of_sets.max(sizes);
        for arn in sets {
            let ask = json!({"PermissionSetArn": arn, "AccountId": account});
            let (_, rows) = caller.walk("SWBExternalService.ListAccountAssignments", "AccountAssignments", ask);
            by_account.extend(rows.iter().map(canonical));
        }
    }
    assert_eq!(by_set, all);
    assert_eq!(by_account, all);
    assert_eq!(pages_of_accounts, [100, 100, 29], "all accounts but the suspended one");
    assert_eq!(pages_of_sets, [100, 100, 10], "all permission sets in one account");
    assert!(pages_of_rows.len() == 2 && pages_of_rows[0] == 100, "{pages_of_rows:?}");
}

#[test]
fn the_rows_of_every_principal_deleted_ones_too_are_all_rows() {
    let caller = large();
    let principals: BTreeSet<(PrincipalType, Id)> =
        caller.organization.assignments.iter().map(|row| (row.principal_type, row.principal_id.clone())).collect();
    let operation = "SWBExternalService.ListAccountAssignmentsForPrincipal";
    let mut found = BTreeSet::new();
    let mut most = 0;
    for (kind, id) in &principals {
        let (sizes, rows) =
            caller.walk(operation, "AccountAssignments", json!({"PrincipalId": id, "PrincipalType": kind}));
        most = most.max(sizes.len());
        found.extend(rows.iter().map(canonical));
    }
    assert!(most >= 3, "break glass is in every account");
    assert_eq!(found, caller.organization.assignments.iter().map(|row| canonical(&json!(row))).collect());
    let (kind, id) = principals.first().expect("one");
    let account = caller.organization.assignments.iter().find(|row| row.principal_id == *id).expect("one");
    let ask = json!({"PrincipalId": id, "PrincipalType": kind, "Filter": {"AccountId": account.account_id}});
    let (_, rows) = caller.walk(operation, "AccountAssignments", ask);
    assert!(!rows.is_empty() && rows.iter().all(|row| row["AccountId"] == json!(account.account_id)));
}

#[test]
fn nothing_is_outdated_and_what_does_not_exist_is_refused() {
    let caller = Caller::new(&Shape::default());
    let arn = caller.organization.permission_sets.keys().next().expect("one");
    let operation = "SWBExternalService.ListAccountsForProvisionedPermissionSet";
    let outdated = json!({"PermissionSetArn": arn, "ProvisioningStatus": "LATEST_PERMISSION_SET_NOT_PROVISIONED"});
    assert_eq!(caller.ask(operation, outdated), json!({"AccountIds": []}));
    let wrong = json!({"PermissionSetArn": arn, "ProvisioningStatus": "SOME"});
    assert_eq!(caller.refused(operation, wrong)["__type"], "ValidationException");
    let gone =
        format!("{}/ps-0000000000000000", caller.organization.instance_arn().replace(":instance", ":permissionSet"));
    let refusal = caller.refused("SWBExternalService.DescribePermissionSet", json!({"PermissionSetArn": gone}));
    assert_eq!(refusal["Message"], "Could not find PermissionSet with id ps-0000000000000000");
    let ask = json!({"PermissionSetArn": arn, "AccountId": "000000000000"});
    let refusal = caller.refused("SWBExternalService.ListAccountAssignments", ask);
    assert_eq!(refusal["__type"], "ResourceNotFoundException");
    assert!(refusal.get("RequestId").is_none(), "sso-admin has no RequestId in its errors");
}

#[test]
fn tags_are_those_of_the_resource() {
    let caller = Caller::new(&Shape::default());
    let ask = json!({"ResourceArn": caller.organization.instance_arn()});
    let tags = caller.ask("SWBExternalService.ListTagsForResource", ask);
    assert_eq!(tags, json!({"Tags": [{"Key": "Stage", "Value": "sandbox"}]}));
}

fn canonical(row: &Value) -> String {
    ["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"].map(|field| row[field].to_string()).join(" ")
}
