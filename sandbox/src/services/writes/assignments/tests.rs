//! The rules of assignments and provisioning, told as tests; their promises stand in `assignments.rs`,
//! `progressing.rs`, `following.rs` and `lagging.rs`.

use crate::config::Shape;
use crate::faults::rules::Faults;
use crate::faults::rules::Rule;
use crate::records::Id;
use crate::testing::Caller;
use serde_json::Value;
use serde_json::json;

const CREATE: &str = "SWBExternalService.CreateAccountAssignment";
const DELETE: &str = "SWBExternalService.DeleteAccountAssignment";
const PROVISION: &str = "SWBExternalService.ProvisionPermissionSet";

/// A caller with a permission set that nobody has, asynchronous operations of `delay` milliseconds and a read lag.
fn caller(delay: u64, lag: u64) -> (Caller, Value) {
    let caller = Caller::new(&Shape { accounts: 20, ..Shape::default() });
    let faults = Faults { async_delay_ms: Some(delay), read_lag_ms: lag, ..Faults::default() };
    caller.desk.set_faults(faults).expect("known");
    let made = caller.ask("SWBExternalService.CreatePermissionSet", json!({"Name": "Fresh"}));
    (caller, made["PermissionSet"]["PermissionSetArn"].clone())
}

fn group(caller: &Caller) -> Id {
    caller.organization.index.group_by_name["break glass"].clone()
}

fn accounts(caller: &Caller, state: &str) -> Vec<Id> {
    let accounts = caller.organization.accounts.values().filter(|account| account.state == state);
    accounts.map(|account| account.id.clone()).collect()
}

fn row(set: &Value, account: &Id, group: &Id) -> Value {
    json!({
        "PermissionSetArn": set, "TargetId": account, "TargetType": "AWS_ACCOUNT", "PrincipalType": "GROUP",
        "PrincipalId": group,
    })
}

fn status(caller: &Caller, kind: &str, id: &Value) -> Value {
    let (operation, field) = match kind {
        "Creation" | "Deletion" => {
            (format!("DescribeAccountAssignment{kind}Status"), format!("AccountAssignment{kind}RequestId"))
        }
        _ => ("DescribePermissionSetProvisioningStatus".into(), "ProvisionPermissionSetRequestId".into()),
    };
    let mut ask = json!({});
    ask[field] = id.clone();
    let answer = caller.ask(&format!("SWBExternalService.{operation}"), ask);
    answer.as_object().expect("an object").values().next().expect("a status").clone()
}

fn accounts_of(caller: &Caller, set: &Value, provisioning: Option<&str>) -> Vec<Value> {
    let mut ask = json!({"PermissionSetArn": set});
    if let Some(status) = provisioning {
        ask["ProvisioningStatus"] = json!(status);
    }
    caller.walk("SWBExternalService.ListAccountsForProvisionedPermissionSet", "AccountIds", ask).1
}

#[test]
fn an_assignment_shows_when_its_creation_has_succeeded_and_not_before() {
    let (caller, set) = caller(300, 0);
    let (account, group) = (accounts(&caller, "ACTIVE")[1].clone(), group(&caller));
    let begun = caller.ask(CREATE, row(&set, &account, &group))["AccountAssignmentCreationStatus"].clone();
    assert_eq!((&begun["Status"], &begun["TargetId"]), (&json!("IN_PROGRESS"), &json!(account)));
    assert_eq!(status(&caller, "Creation", &begun["RequestId"]), begun);
    caller.wait(299);
    assert!(accounts_of(&caller, &set, None).is_empty());
    caller.wait(1);
    assert_eq!(accounts_of(&caller, &set, None), [json!(account)]);
    let ended = status(&caller, "Creation", &begun["RequestId"]);
    assert_eq!((&ended["Status"], ended.get("FailureReason")), (&json!("SUCCEEDED"), None));
    let again = caller.ask(CREATE, row(&set, &account, &group))["AccountAssignmentCreationStatus"].clone();
    assert_ne!(again["RequestId"], begun["RequestId"]);
    caller.wait(300);
    assert_eq!(status(&caller, "Creation", &again["RequestId"])["Status"], "SUCCEEDED", "one that is there already");
    let ask = json!({"PrincipalId": group, "PrincipalType": "GROUP", "Filter": {"AccountId": account}});
    let (_, rows) = caller.walk("SWBExternalService.ListAccountAssignmentsForPrincipal", "AccountAssignments", ask);
    assert!(rows.iter().any(|row| row["PermissionSetArn"] == set));

    let gone = caller.ask(DELETE, row(&set, &account, &group))["AccountAssignmentDeletionStatus"].clone();
    assert_eq!(accounts_of(&caller, &set, None), [json!(account)]);
    caller.wait(300);
    assert!(accounts_of(&caller, &set, None).is_empty(), "the last assignment takes the permission set with it");
    assert_eq!(status(&caller, "Deletion", &gone["RequestId"])["Status"], "SUCCEEDED");
    let other = json!({"AccountAssignmentCreationRequestId": gone["RequestId"]});
    let refusal = caller.refused("SWBExternalService.DescribeAccountAssignmentCreationStatus", other);
    assert_eq!(refusal["__type"], "ResourceNotFoundException", "a deletion is no creation");
}

#[test]
fn what_cannot_be_done_fails_with_a_reason_and_changes_nothing() {
    let (caller, set) = caller(0, 0);
    let (active, group) = (accounts(&caller, "ACTIVE")[1].clone(), group(&caller));
    let suspended = accounts(&caller, "SUSPENDED")[0].clone();
    let nobody = Id::from("90670123ab-11111111-2222-4333-8444-555555555555");
    for (operation, body, words) in [
        (CREATE, row(&set, &suspended, &group), "is suspended"),
        (CREATE, row(&set, &active, &nobody), "the GROUP assignee 90670123ab-"),
        (DELETE, row(&set, &active, &group), "Assignment not found"),
    ] {
        let kind = if operation == CREATE { "Creation" } else { "Deletion" };
        let begun = caller.ask(operation, body)[format!("AccountAssignment{kind}Status")].clone();
        assert_eq!(begun["Status"], "IN_PROGRESS", "AWS takes it before it looks");
        let ended = status(&caller, kind, &begun["RequestId"]);
        assert_eq!(ended["Status"], "FAILED");
        assert!(ended["FailureReason"].as_str().is_some_and(|reason| reason.contains(words)), "{ended}");
    }
    let ask = json!({"PermissionSetArn": set, "TargetId": active, "TargetType": "AWS_ACCOUNT"});
    let begun = caller.ask(PROVISION, ask)["PermissionSetProvisioningStatus"].clone();
    let ended = status(&caller, "Provisioning", &begun["RequestId"]);
    assert!(ended["FailureReason"].as_str().is_some_and(|reason| reason.contains("provision not found")), "{ended}");
    let now = caller.desk.organization();
    assert_eq!(now.assignments, caller.organization.assignments);

    let management = Id::from(caller.organization.management_account());
    let faults = Faults { delegated_admin: true, fail_async: vec![Rule::nth(2, CREATE)], ..Faults::default() };
    caller.desk.set_faults(faults).expect("known");
    for (account, expected) in [(&management, "FAILED"), (&active, "FAILED"), (&active, "SUCCEEDED")] {
        let begun = caller.ask(CREATE, row(&set, account, &group))["AccountAssignmentCreationStatus"].clone();
        assert_eq!(status(&caller, "Creation", &begun["RequestId"])["Status"], expected);
    }
    let refusal = caller.refused(CREATE, row(&set, &Id::from("000000000000"), &group));
    assert_eq!(refusal["__type"], "ResourceNotFoundException");
}

#[test]
fn only_so_many_are_under_way_and_none_that_collide() {
    let (caller, set) = caller(1_000, 0);
    let (active, group) = (accounts(&caller, "ACTIVE"), group(&caller));
    for account in &active[..15] {
        caller.ask(CREATE, row(&set, account, &group));
    }
    let refusal = caller.refused(CREATE, row(&set, &active[15], &group));
    assert_eq!(refusal["__type"], "ThrottlingException");
    assert!(
        refusal["Message"].as_str().is_some_and(|words| words.starts_with("There are too many requests processing"))
    );
    let refusal = caller.refused(DELETE, row(&set, &active[0], &group));
    assert_eq!(refusal["__type"], "ConflictException", "its creation is under way");
    let refusal = caller.refused("SWBExternalService.DeletePermissionSet", json!({"PermissionSetArn": set}));
    assert_eq!(refusal["__type"], "ConflictException", "it is about to be assigned");
    let operation = "SWBExternalService.ListAccountAssignmentCreationStatus";
    let ask = json!({"Filter": {"Status": "IN_PROGRESS"}, "MaxResults": 10});
    let (sizes, open) = caller.walk(operation, "AccountAssignmentsCreationStatus", ask.clone());
    assert_eq!((sizes, open.len()), (vec![10, 5], 15));
    caller.wait(1_000);
    assert!(caller.walk(operation, "AccountAssignmentsCreationStatus", ask).1.is_empty());
    caller.ask(CREATE, row(&set, &active[15], &group));
    let refusal = caller.refused(operation, json!({"Filter": {"Status": "LOST"}}));
    assert_eq!(refusal["__type"], "ValidationException");

    let sets: Vec<_> = caller.organization.permission_sets.keys().take(4).cloned().collect();
    let all = |arn: &Id| json!({"PermissionSetArn": arn, "TargetType": "ALL_PROVISIONED_ACCOUNTS"});
    for arn in &sets[..3] {
        caller.ask(PROVISION, all(arn));
    }
    assert_eq!(caller.refused(PROVISION, all(&sets[3]))["__type"], "ThrottlingException");
}

#[test]
fn a_changed_permission_set_is_outdated_where_it_is_until_it_is_provisioned() {
    const OUTDATED: Option<&str> = Some("LATEST_PERMISSION_SET_NOT_PROVISIONED");
    const LATEST: Option<&str> = Some("LATEST_PERMISSION_SET_PROVISIONED");
    let (caller, set) = caller(0, 0);
    let (active, group) = (accounts(&caller, "ACTIVE"), group(&caller));
    for account in &active[..3] {
        caller.ask(CREATE, row(&set, account, &group));
    }
    assert_eq!(accounts_of(&caller, &set, OUTDATED), [] as [Value; 0]);
    let policy = "arn:aws:iam::aws:policy/ReadOnlyAccess";
    let attach = json!({"PermissionSetArn": set, "ManagedPolicyArn": policy});
    caller.ask("SWBExternalService.AttachManagedPolicyToPermissionSet", attach);
    assert_eq!(accounts_of(&caller, &set, OUTDATED).len(), 3);
    assert_eq!(accounts_of(&caller, &set, LATEST).len(), 0);
    caller.ask(CREATE, row(&set, &active[3], &group));
    assert_eq!(accounts_of(&caller, &set, LATEST), [json!(active[3])], "an assignment brings the newest with it");
    let other = caller.organization.index.group_by_name["all staff"].clone();
    caller.ask(CREATE, row(&set, &active[2], &other));
    assert_eq!(accounts_of(&caller, &set, OUTDATED).len(), 2, "also where an older state was in force");
    let one = json!({"PermissionSetArn": set, "TargetId": active[0], "TargetType": "AWS_ACCOUNT"});
    caller.ask(PROVISION, one);
    assert_eq!(accounts_of(&caller, &set, OUTDATED), [json!(active[1])]);
    let outdated = json!({"AccountId": active[1], "ProvisioningStatus": OUTDATED});
    let listed = caller.ask("SWBExternalService.ListPermissionSetsProvisionedToAccount", outdated);
    assert_eq!(listed["PermissionSets"], json!([set]));
    let all = json!({"PermissionSetArn": set, "TargetType": "ALL_PROVISIONED_ACCOUNTS"});
    let begun = caller.ask(PROVISION, all)["PermissionSetProvisioningStatus"].clone();
    assert_eq!(status(&caller, "Provisioning", &begun["RequestId"])["Status"], "SUCCEEDED");
    assert_eq!(accounts_of(&caller, &set, OUTDATED).len(), 0);
    assert_eq!(accounts_of(&caller, &set, None).len(), 4);
}

#[test]
fn a_read_sees_what_was_there_a_lag_ago_and_a_status_is_never_late() {
    let (caller, _) = caller(0, 2_000);
    let groups = || caller.walk("AWSIdentityStore.ListGroups", "Groups", json!({})).1.len();
    let before = groups();
    for name in ["One", "Two", "Three"] {
        caller.ask("AWSIdentityStore.CreateGroup", json!({"DisplayName": name}));
        caller.wait(500);
    }
    assert_eq!(groups(), before, "1.5 s after the first");
    caller.wait(499);
    assert_eq!(groups(), before);
    for expected in [1, 2, 3, 3] {
        caller.wait(1);
        assert_eq!(groups(), before + expected, "each write shows in its turn");
        caller.wait(499);
    }

    let (caller, set) = self::caller(300, 2_000);
    caller.wait(2_000);
    let (account, group) = (accounts(&caller, "ACTIVE")[1].clone(), group(&caller));
    let begun = caller.ask(CREATE, row(&set, &account, &group))["AccountAssignmentCreationStatus"].clone();
    caller.wait(300);
    assert_eq!(status(&caller, "Creation", &begun["RequestId"])["Status"], "SUCCEEDED");
    caller.wait(1_999);
    assert!(accounts_of(&caller, &set, None).is_empty());
    caller.wait(1);
    assert_eq!(accounts_of(&caller, &set, None), [json!(account)]);
}
