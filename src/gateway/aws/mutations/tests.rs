//! The real SDK against canned answers: what each change sends, and what it makes of the answer.
//!
//! Each kind of change is here once, whole.

use super::*;
use crate::gateway::aws::test_server::CannedResponse;
use crate::gateway::aws::test_server::TestServer;
use crate::gateway::aws::tests::{aws, refusal, target};
use crate::gateway::{Attribute, CHANGE_OPERATIONS, Grant, IdentityCenterApi, NewUser, PrincipalKind, SetFields};
use serde_json::json;

/// A change, the rest of what it sends in addition to store or instance, AWS's answer, and ours.
type Case = (Mutation, Value, Value, Value);

fn text(text: &str) -> String {
    text.to_owned()
}

fn people() -> Vec<Case> {
    let ada = NewUser {
        user_name: text("ada"),
        display_name: text("Ada L"),
        given_name: text("Ada"),
        family_name: text("L"),
        email: Some(text("ada@example.com")),
    };
    let attributes = vec![
        Attribute { path: text("displayName"), value: Some(json!("New")) },
        Attribute { path: text("emails"), value: Some(json!([{"value": "a@b", "primary": true}])) },
        Attribute { path: text("title"), value: None },
    ];
    let operations = json!([
        {"AttributePath": "displayName", "AttributeValue": "New"},
        {"AttributePath": "emails", "AttributeValue": [{"primary": true, "value": "a@b"}]},
        {"AttributePath": "title", "AttributeValue": null},
    ]);
    let user = json!({"IdentityStoreId": "d-1234567890", "UserId": "u-1"});
    let group = json!({"IdentityStoreId": "d-1234567890", "GroupId": "g-1"});
    let membership = json!({"IdentityStoreId": "d-1234567890", "MembershipId": "m-1"});
    vec![
        (
            Mutation::CreateUser(ada.clone()),
            json!({
                "UserName": "ada", "DisplayName": "Ada L", "Name": {"GivenName": "Ada", "FamilyName": "L"},
                "Emails": [{"Value": "ada@example.com", "Type": "work", "Primary": true}],
            }),
            user.clone(),
            user.clone(),
        ),
        (
            Mutation::CreateUser(NewUser { email: None, ..ada }),
            json!({"UserName": "ada", "DisplayName": "Ada L", "Name": {"GivenName": "Ada", "FamilyName": "L"}}),
            user.clone(),
            user,
        ),
        (
            Mutation::UpdateUser { id: text("u-1"), attributes: attributes.clone(), revision: Some(text("17")) },
            json!({"UserId": "u-1", "Operations": operations, "Revision": "17"}),
            json!({"UserId": "u-1", "Revision": "18"}),
            json!({"Revision": "18"}),
        ),
        (Mutation::DeleteUser { id: text("u-1"), revision: None }, json!({"UserId": "u-1"}), json!({}), json!({})),
        (
            Mutation::CreateGroup { name: text("admins"), description: Some(text("d")) },
            json!({"DisplayName": "admins", "Description": "d"}),
            group.clone(),
            group,
        ),
        (
            Mutation::UpdateGroup { id: text("g-1"), attributes, revision: None },
            json!({"GroupId": "g-1", "Operations": operations}),
            json!({}),
            json!({}),
        ),
        (
            Mutation::DeleteGroup { id: text("g-1"), revision: Some(text("17")) },
            json!({"GroupId": "g-1", "Revision": "17"}),
            json!({}),
            json!({}),
        ),
        (
            Mutation::AddMember { group: text("g-1"), user: text("u-1") },
            json!({"GroupId": "g-1", "MemberId": {"UserId": "u-1"}}),
            membership.clone(),
            membership,
        ),
        (
            Mutation::RemoveMember { membership: text("m-1"), group: text("g-1"), user: text("u-1") },
            json!({"MembershipId": "m-1"}),
            json!({}),
            json!({}),
        ),
    ]
}

fn permission_sets() -> Vec<Case> {
    let arn = || text("ps-1");
    let fields = SetFields {
        description: Some(text("d")),
        session_duration: Some(text("PT8H")),
        relay_state: Some(text("https://console")),
    };
    let sent = json!({"Description": "d", "SessionDuration": "PT8H", "RelayState": "https://console"});
    let with = |name: &str, value: &str| {
        let mut sent = sent.clone();
        sent[name] = json!(value);
        sent
    };
    let made = json!({"Name": "Admin", "PermissionSetArn": "ps-1", "SessionDuration": "PT8H"});
    let own = |sent: Value| json!({"PermissionSetArn": "ps-1", "CustomerManagedPolicyReference": sent});
    let (name, path) = (|| text("Own"), || text("/team/"));
    let (policy, set) = (|| text("arn:p"), json!({"PermissionSetArn": "ps-1"}));
    let managed = json!({"PermissionSetArn": "ps-1", "ManagedPolicyArn": "arn:p"});
    let reference = own(json!({"Name": "Own", "Path": "/team/"}));
    let nothing = || json!({});
    vec![
        (
            Mutation::CreatePermissionSet { name: text("Admin"), fields: fields.clone() },
            with("Name", "Admin"),
            json!({"PermissionSet": made}),
            made,
        ),
        (Mutation::UpdatePermissionSet { arn: arn(), fields }, with("PermissionSetArn", "ps-1"), nothing(), nothing()),
        (Mutation::UpdatePermissionSet { arn: arn(), fields: SetFields::default() }, set.clone(), nothing(), nothing()),
        (Mutation::DeletePermissionSet(arn()), set.clone(), nothing(), nothing()),
        (Mutation::AttachManagedPolicy { arn: arn(), policy: policy() }, managed.clone(), nothing(), nothing()),
        (Mutation::DetachManagedPolicy { arn: arn(), policy: policy() }, managed, nothing(), nothing()),
        (
            Mutation::AttachCustomerPolicy { arn: arn(), name: name(), path: path() },
            reference.clone(),
            nothing(),
            nothing(),
        ),
        (Mutation::DetachCustomerPolicy { arn: arn(), name: name(), path: path() }, reference, nothing(), nothing()),
        (
            Mutation::PutInlinePolicy { arn: arn(), document: text("{}") },
            json!({"PermissionSetArn": "ps-1", "InlinePolicy": "{}"}),
            nothing(),
            nothing(),
        ),
        (Mutation::DeleteInlinePolicy(arn()), set, nothing(), nothing()),
    ]
}

fn accepted() -> Vec<Case> {
    let provision = |account: Option<&str>| Mutation::Provision { arn: text("ps-1"), account: account.map(text) };
    let grant =
        |kind| Grant { account: text("111122223333"), permission_set: text("ps-1"), kind, principal: text("p-1") };
    let asked = |kind: &str| {
        json!({"TargetId": "111122223333", "TargetType": "AWS_ACCOUNT", "PermissionSetArn": "ps-1",
               "PrincipalType": kind, "PrincipalId": "p-1"})
    };
    let status = json!({"Status": "IN_PROGRESS", "RequestId": "r-1", "CreatedDate": 1_704_067_200});
    let mut ours = status.clone();
    ours["CreatedDate"] = json!("2024-01-01T00:00:00Z");
    let under = |name: &str| json!({ name: status });
    vec![
        (
            provision(Some("111122223333")),
            json!({"PermissionSetArn": "ps-1", "TargetType": "AWS_ACCOUNT", "TargetId": "111122223333"}),
            under("PermissionSetProvisioningStatus"),
            ours.clone(),
        ),
        (
            provision(None),
            json!({"PermissionSetArn": "ps-1", "TargetType": "ALL_PROVISIONED_ACCOUNTS"}),
            under("PermissionSetProvisioningStatus"),
            ours.clone(),
        ),
        (
            Mutation::Assign(grant(PrincipalKind::Group)),
            asked("GROUP"),
            under("AccountAssignmentCreationStatus"),
            ours.clone(),
        ),
        (
            Mutation::Revoke(grant(PrincipalKind::User)),
            asked("USER"),
            under("AccountAssignmentDeletionStatus"),
            ours.clone(),
        ),
    ]
}

fn cases() -> Vec<Case> {
    [people(), permission_sets(), accepted()].concat()
}

#[tokio::test]
async fn each_change_sends_what_it_says_and_gives_what_aws_answered() {
    for (change, mut sent, answer, ours) in cases() {
        let server = TestServer::answering(move |_| CannedResponse::json(200, &answer));
        let found = aws(&server.url).change(&target(), &change).await.unwrap();
        assert_eq!(found, ours, "{change:?}");
        let asked = server.asked.lock().unwrap();
        assert_eq!((asked.len(), asked[0].operation.as_str()), (1, change.operation()));
        let (field, id) = match change.operation().split_once('.').unwrap().0 {
            "AWSIdentityStore" => ("IdentityStoreId", target().identity_store),
            _ => ("InstanceArn", target().instance),
        };
        sent[field] = json!(id);
        assert_eq!(serde_json::from_str::<Value>(&asked[0].body).unwrap(), sent, "{change:?}");
    }
}

#[test]
fn every_operation_of_changes_has_a_case() {
    let made: Vec<&str> = cases().iter().map(|(change, ..)| change.operation()).collect();
    let asked_on_the_way = |operation: &str| [".Describe", ".Get", ".List"].iter().any(|verb| operation.contains(verb));
    for operation in CHANGE_OPERATIONS.iter().filter(|operation| !asked_on_the_way(operation)) {
        assert!(made.contains(operation), "{operation}");
    }
}

#[tokio::test]
async fn an_answer_without_the_id_that_it_must_bring_is_an_error() {
    let server = TestServer::answering(|_| CannedResponse::json(200, &json!({})));
    let aws = aws(&server.url);
    let brings = |change: &Mutation| change.pending().is_some() || change.operation().contains(".Create");
    for (change, ..) in cases().into_iter().filter(|(change, ..)| brings(change)) {
        let error = aws.change(&target(), &change).await.unwrap_err();
        assert!(matches!(error, GatewayError::BadAnswer { .. }) && error.leaves_doubt(), "{change:?}: {error:?}");
    }
}

#[tokio::test]
async fn a_change_that_aws_refuses_is_sent_once_and_named_in_the_error() {
    for (change, ..) in cases() {
        let server = TestServer::answering(|_| refusal("AccessDeniedException"));
        let error = aws(&server.url).change(&target(), &change).await.unwrap_err();
        let name = change.operation().split_once('.').unwrap().1;
        assert!(matches!(&error, GatewayError::AccessDenied { operation, .. } if operation.ends_with(name)));
        assert!(!error.leaves_doubt(), "{error:?}");
        assert_eq!(server.asked.lock().unwrap().len(), 1);
    }
    let server = TestServer::answering(|_| refusal("ResourceNotFoundException"));
    let error = aws(&server.url)
        .change(&target(), &Mutation::DeleteUser { id: text("u-1"), revision: None })
        .await
        .unwrap_err();
    assert_eq!(error.to_string(), "user u-1 was not found");
}

#[tokio::test]
async fn an_answer_that_is_lost_leaves_doubt() {
    for answer in [CannedResponse::HangUp, CannedResponse::Truncated, CannedResponse::json(500, &json!({}))] {
        let answer = std::sync::Mutex::new(Some(answer));
        let server = TestServer::answering(move |_| answer.lock().unwrap().take().unwrap_or(CannedResponse::HangUp));
        let error = aws(&server.url)
            .change(&target(), &Mutation::DeleteUser { id: text("u-1"), revision: None })
            .await
            .unwrap_err();
        assert!(error.leaves_doubt(), "{error:?}");
        assert_eq!(server.asked.lock().unwrap().len(), 1, "a change is never repeated by the SDK");
    }
}

#[tokio::test]
async fn a_revision_that_is_no_longer_current_is_refused_once_and_told_from_other_conflicts() {
    let conflict = |reason: &'static str| {
        TestServer::answering(move |_| {
            CannedResponse::json(400, &json!({"__type": "ConflictException", "Message": "conflict", "Reason": reason}))
        })
    };
    let delete = |revision: Option<String>| Mutation::DeleteUser { id: text("u-1"), revision };
    let server = conflict("CONCURRENT_MODIFICATION");
    let error = aws(&server.url).change(&target(), &delete(Some(text("17")))).await.unwrap_err();
    assert!(matches!(&error, GatewayError::ChangedMeanwhile { what, .. } if what == "user u-1"), "{error:?}");
    assert_eq!(error.again(), crate::gateway::Again::Never, "the same revision would be refused again");
    let error = aws(&server.url).change(&target(), &delete(None)).await.unwrap_err();
    assert!(matches!(error, GatewayError::Conflict { passing: true, .. }), "{error:?}");
    let server = conflict("UNIQUENESS_CONSTRAINT_VIOLATION");
    let error = aws(&server.url).change(&target(), &delete(Some(text("17")))).await.unwrap_err();
    assert!(matches!(error, GatewayError::Conflict { passing: false, .. }), "{error:?}");
}
