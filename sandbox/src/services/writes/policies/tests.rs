//! The rules of permission sets and their policies, told as tests; their promises stand in `permission_sets.rs` and
//! `policies.rs`.

use crate::config::Shape;
use crate::testing::Caller;
use serde_json::Value;
use serde_json::json;

fn ask(caller: &Caller, name: &str, body: Value) -> Value {
    caller.ask(&format!("SWBExternalService.{name}"), body)
}

fn code(caller: &Caller, name: &str, body: Value) -> String {
    let before = caller.desk.organization();
    let refusal = caller.refused(&format!("SWBExternalService.{name}"), body);
    let after = caller.desk.organization();
    let same = serde_json::to_string(&before).expect("JSON") == serde_json::to_string(&after).expect("JSON");
    assert!(same && before.outdated == after.outdated, "{name}: a refused write changes nothing");
    refusal["__type"].as_str().expect("a code").to_owned()
}

#[test]
fn permission_sets_are_created_changed_and_deleted() {
    let caller = Caller::new(&Shape::default());
    let body = json!({
        "Name": "Auditors", "Description": "Reads all", "SessionDuration": "PT2H", "RelayState": "https://example.com",
        "Tags": [{"Key": "Owner", "Value": "Risk"}],
    });
    let made = ask(&caller, "CreatePermissionSet", body.clone())["PermissionSet"].clone();
    let arn = &made["PermissionSetArn"];
    let read = || ask(&caller, "DescribePermissionSet", json!({"PermissionSetArn": arn}))["PermissionSet"].clone();
    assert_eq!(read(), made);
    let tags = ask(&caller, "ListTagsForResource", json!({"ResourceArn": arn}));
    assert_eq!(tags, json!({"Tags": [{"Key": "Owner", "Value": "Risk"}]}));
    assert_eq!(code(&caller, "CreatePermissionSet", body), "ConflictException");
    let plain = ask(&caller, "CreatePermissionSet", json!({"Name": "Plain"}))["PermissionSet"].clone();
    assert_eq!((&plain["SessionDuration"], plain.get("Description")), (&json!("PT1H"), None));
    ask(&caller, "UpdatePermissionSet", json!({"PermissionSetArn": arn, "SessionDuration": "PT12H"}));
    assert_eq!(read()["SessionDuration"], "PT12H");
    assert_eq!(read()["Description"], "Reads all", "what is left out stays");
    ask(&caller, "DeletePermissionSet", json!({"PermissionSetArn": arn}));
    assert_eq!(code(&caller, "DeletePermissionSet", json!({"PermissionSetArn": arn})), "ResourceNotFoundException");
    let (_, left) = caller.walk("SWBExternalService.ListPermissionSets", "PermissionSets", json!({}));
    assert!(!left.contains(arn) && left.contains(&plain["PermissionSetArn"]));
    let assigned = caller.organization.assignments.first().expect("one").permission_set_arn.clone();
    assert_eq!(code(&caller, "DeletePermissionSet", json!({"PermissionSetArn": assigned})), "ConflictException");
    for body in [
        json!({}),
        json!({"Name": "two words"}),
        json!({"Name": "x".repeat(33)}),
        json!({"Name": "X", "SessionDuration": "PT13H"}),
        json!({"Name": "X", "SessionDuration": "PT59M"}),
        json!({"Name": "X", "SessionDuration": "1h"}),
        json!({"Name": "X", "Description": ""}),
        json!({"Name": "X", "Tags": [{"Key": "only"}]}),
    ] {
        assert_eq!(code(&caller, "CreatePermissionSet", body), "ValidationException");
    }
}

#[test]
fn policies_are_attached_once_and_detached_once() {
    let caller = Caller::new(&Shape::default());
    let made = ask(&caller, "CreatePermissionSet", json!({"Name": "Auditors"}));
    let arn = &made["PermissionSet"]["PermissionSetArn"];
    let managed = json!({"PermissionSetArn": arn, "ManagedPolicyArn": "arn:aws:iam::aws:policy/job-function/Billing"});
    let customer = json!({
        "PermissionSetArn": arn, "CustomerManagedPolicyReference": {"Name": "local", "Path": "/team/"},
    });
    let inline = json!({"PermissionSetArn": arn, "InlinePolicy": "{\"Version\":\"2012-10-17\",\"Statement\":[]}"});
    let boundary = json!({
        "PermissionSetArn": arn, "PermissionsBoundary": {"ManagedPolicyArn": "arn:aws:iam::aws:policy/PowerUserAccess"},
    });
    let only = json!({"PermissionSetArn": arn});
    for (attach, detach, body, twice) in [
        ("AttachManagedPolicyToPermissionSet", "DetachManagedPolicyFromPermissionSet", &managed, "ConflictException"),
        (
            "AttachCustomerManagedPolicyReferenceToPermissionSet",
            "DetachCustomerManagedPolicyReferenceFromPermissionSet",
            &customer,
            "ConflictException",
        ),
        ("PutInlinePolicyToPermissionSet", "DeleteInlinePolicyFromPermissionSet", &inline, ""),
        ("PutPermissionsBoundaryToPermissionSet", "DeletePermissionsBoundaryFromPermissionSet", &boundary, ""),
    ] {
        assert_eq!(code(&caller, detach, body.clone()), "ResourceNotFoundException", "{detach}");
        ask(&caller, attach, body.clone());
        let policies = ask(&caller, "ListManagedPoliciesInPermissionSet", only.clone());
        if attach.starts_with("AttachManaged") {
            assert_eq!(policies["AttachedManagedPolicies"][0]["Name"], "Billing");
        }
        if twice.is_empty() {
            ask(&caller, attach, body.clone());
        } else {
            assert_eq!(code(&caller, attach, body.clone()), twice, "{attach}");
        }
        ask(&caller, detach, body.clone());
    }
    ask(&caller, "PutInlinePolicyToPermissionSet", inline.clone());
    let read = ask(&caller, "GetInlinePolicyForPermissionSet", only);
    assert_eq!(read["InlinePolicy"], inline["InlinePolicy"]);
    for (name, body) in [
        ("AttachManagedPolicyToPermissionSet", json!({"PermissionSetArn": arn, "ManagedPolicyArn": "ReadOnlyAccess"})),
        ("PutInlinePolicyToPermissionSet", json!({"PermissionSetArn": arn, "InlinePolicy": "no JSON"})),
        ("PutPermissionsBoundaryToPermissionSet", json!({"PermissionSetArn": arn, "PermissionsBoundary": {}})),
        ("AttachCustomerManagedPolicyReferenceToPermissionSet", json!({"PermissionSetArn": arn})),
    ] {
        assert_eq!(code(&caller, name, body), "ValidationException", "{name}");
    }
    for n in 0..20 {
        let policy = format!("arn:aws:iam::aws:policy/P{n}");
        ask(
            &caller,
            "AttachManagedPolicyToPermissionSet",
            json!({"PermissionSetArn": arn, "ManagedPolicyArn": policy}),
        );
    }
    assert_eq!(code(&caller, "AttachManagedPolicyToPermissionSet", managed), "ServiceQuotaExceededException");
}
