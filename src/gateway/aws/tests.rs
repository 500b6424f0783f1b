//! The real SDK against canned answers: what each call sends and reads, and what each failure becomes.
//!
//! No call leaves the host, and none is retried.

use super::*;
use crate::gateway::api::samples;
use crate::gateway::aws::test_server::CannedResponse;
use crate::gateway::aws::test_server::TestServer;
use crate::gateway::{Again, PrincipalKind};
use serde_json::json;
use std::time::Duration;

pub(super) fn aws(url: &str) -> AwsApi {
    AwsApi::new(AwsSettings {
        profile: Some("ops".into()),
        default_profile: None,
        region: Some("eu-west-1".into()),
        endpoint_url: Some(url.into()),
        connect_timeout: Duration::from_secs(2),
        operation_timeout: Duration::from_secs(10),
        static_credentials: Some(("AKIDEXAMPLE".into(), "secret".into())),
    })
}

pub(super) fn target() -> InstanceTarget {
    InstanceTarget {
        instance: "arn:aws:sso:::instance/ssoins-1".into(),
        identity_store: "d-1234567890".into(),
        region: "us-east-1".into(),
    }
}

async fn page(answer: Value, listing: ListCall) -> (Page, Value) {
    let server = TestServer::answering(move |_| CannedResponse::json(200, &answer));
    let page = aws(&server.url).page(Some(&target()), &listing, Some("t-0")).await.unwrap();
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked.len(), 1);
    assert_eq!(asked[0].operation, listing.operation());
    let sent: Value = serde_json::from_str(&asked[0].body).unwrap();
    assert_eq!(sent["NextToken"], "t-0");
    (page, sent)
}

async fn fetch(answer: Value, single: GetCall) -> (Value, Value) {
    let server = TestServer::answering(move |_| CannedResponse::json(200, &answer));
    let found = aws(&server.url).fetch(Some(&target()), &single).await.unwrap();
    let asked = server.asked.lock().unwrap();
    assert_eq!(asked[0].operation, single.operation());
    (found, serde_json::from_str(&asked[0].body).unwrap())
}

#[tokio::test]
async fn calls_about_an_instance_are_made_in_its_primary_region() {
    let server = TestServer::answering(|_| CannedResponse::json(200, &json!({})));
    let aws = aws(&server.url);
    let target = target();
    let with_target = [ListCall::Users, ListCall::PermissionSets, ListCall::ManagedPolicies("arn".into())];
    for listing in with_target {
        let _ = aws.page(Some(&target), &listing, None).await;
    }
    let _ = aws.fetch(Some(&target), &GetCall::PermissionSet("arn".into())).await;
    let group = Mutation::CreateGroup { name: "g".into(), description: None };
    let _ = aws.change(&target, &group).await;
    let _ = aws.page(None, &ListCall::Instances, None).await;
    let regions: Vec<String> = server.asked.lock().unwrap().iter().map(|asked| asked.region.clone()).collect();
    assert_eq!(regions, ["us-east-1", "us-east-1", "us-east-1", "us-east-1", "us-east-1", "eu-west-1"]);
}

async fn failing(answer: CannedResponse, listing: ListCall) -> GatewayError {
    let answer = std::sync::Mutex::new(Some(answer));
    let server = TestServer::answering(move |_| answer.lock().unwrap().take().unwrap_or(CannedResponse::HangUp));
    let error = aws(&server.url).page(Some(&target()), &listing, None).await.unwrap_err();
    assert_eq!(server.asked.lock().unwrap().len(), 1, "the SDK must not retry: {error}");
    let text = error.to_string();
    assert!(!text.contains("Error {") && !text.contains("Some(") && !text.contains('\n'), "a Debug dump: {text}");
    error
}

pub(super) fn refusal(code: &str) -> CannedResponse {
    CannedResponse::json(400, &json!({"__type": format!("com.amazonaws#{code}"), "message": "as AWS says"}))
}

/// A user with every field that the API has, in the order that we write.
fn whole_user() -> Value {
    json!({
        "IdentityStoreId": "d-1234567890", "UserId": "u-1", "UserArn": "arn:u-1", "Revision": "3", "UserName": "ada",
        "ExternalIds": [{"Issuer": "https://idp", "Id": "x-1"}],
        "Name": {"Formatted": "Ada L", "FamilyName": "L", "GivenName": "Ada", "MiddleName": "M",
                 "HonorificPrefix": "Ms", "HonorificSuffix": "PhD"},
        "DisplayName": "Ada Lovelace", "NickName": "A", "ProfileUrl": "https://ada",
        "Emails": [{"Value": "ada@example.com", "Type": "work", "Primary": true}],
        "Addresses": [{"StreetAddress": "1 St", "Locality": "L", "Region": "R", "PostalCode": "P", "Country": "C",
                       "Formatted": "F", "Type": "home", "Primary": false}],
        "PhoneNumbers": [{"Value": "+1", "Type": "work", "Primary": true}],
        "UserType": "staff", "Title": "Countess", "PreferredLanguage": "en", "Locale": "en-GB",
        "Timezone": "Europe/London", "UserStatus": "ENABLED",
        "Photos": [{"Value": "https://p", "Type": "photo", "Display": "d", "Primary": true}],
        "Website": "https://w", "Birthdate": "1815-12-10",
        "Roles": [{"Value": "analyst", "Type": "r", "Primary": true}],
        "CreatedAt": "2024-01-01T00:00:00Z", "CreatedBy": "c", "UpdatedAt": "2024-01-02T00:00:00.5Z", "UpdatedBy": "u",
        "Extensions": {"a": {"l": [true, null, "x"], "n": 1}, "b": {"f": -1.5}}
    })
}

fn on_the_wire(mut user: Value) -> Value {
    user["CreatedAt"] = json!(1_704_067_200);
    user["UpdatedAt"] = json!(1_704_153_600.5);
    user
}

#[tokio::test]
async fn a_user_has_every_field_that_aws_sent_and_no_other() {
    let bare = json!({"UserId": "u-2", "IdentityStoreId": "d-1234567890"});
    let (answer, sent) =
        page(json!({"Users": [on_the_wire(whole_user()), bare], "NextToken": "t-1"}), ListCall::Users).await;
    assert_eq!(answer.items[0].to_string(), whole_user().to_string(), "the order of fields too");
    assert_eq!(answer.items[1], bare);
    assert_eq!(answer.next.as_deref(), Some("t-1"));
    assert_eq!((&sent["MaxResults"], &sent["IdentityStoreId"]), (&json!(100), &json!("d-1234567890")));
    let (one, sent) = fetch(on_the_wire(whole_user()), GetCall::User("u-1".into())).await;
    assert_eq!(one.to_string(), whole_user().to_string());
    assert_eq!(sent["UserId"], "u-1");
}

#[tokio::test]
async fn groups_memberships_and_names_of_the_identity_store() {
    let group = json!({"IdentityStoreId": "d-1234567890", "GroupId": "g-1", "DisplayName": "admins", "Description": "d",
                       "ExternalIds": [{"Issuer": "i", "Id": "1"}]});
    assert_eq!(page(json!({"Groups": [group]}), ListCall::Groups).await.0.items, std::slice::from_ref(&group));
    assert_eq!(fetch(group.clone(), GetCall::Group("g-1".into())).await.0, group);
    let member = json!({"IdentityStoreId": "d-1234567890", "MembershipId": "m-1", "GroupId": "g-1", "MemberId": {"UserId": "u-1"}});
    let rows = json!({"GroupMemberships": [member]});
    let (answer, sent) = page(rows.clone(), ListCall::GroupMemberships("g-1".into())).await;
    assert_eq!((&answer.items[0], &sent["GroupId"]), (&member, &json!("g-1")));
    let (answer, sent) = page(rows, ListCall::MembershipsForMember("u-1".into())).await;
    assert_eq!((&answer.items[0], &sent["MemberId"]), (&member, &json!({"UserId": "u-1"})));
    let (found, sent) =
        fetch(json!({"UserId": "u-1", "IdentityStoreId": "d-1234567890"}), GetCall::UserIdByName("ada".into())).await;
    assert_eq!(found["UserId"], "u-1");
    let by = json!({"UniqueAttribute": {"AttributePath": "userName", "AttributeValue": "ada"}});
    assert_eq!(sent["AlternateIdentifier"], by);
    let (found, sent) =
        fetch(json!({"GroupId": "g-1", "IdentityStoreId": "d-1234567890"}), GetCall::GroupIdByName("admins".into()))
            .await;
    assert_eq!(found["GroupId"], "g-1");
    assert_eq!(sent["AlternateIdentifier"]["UniqueAttribute"]["AttributePath"], "displayName");
}

#[tokio::test]
async fn instances_permission_sets_and_policies_of_sso_admin() {
    let instance = json!({"InstanceArn": "arn:i", "IdentityStoreId": "d-1234567890", "OwnerAccountId": "111122223333",
                          "Name": "main", "CreatedDate": 1_704_067_200, "Status": "ACTIVE"});
    let (answer, sent) = page(json!({"Instances": [instance]}), ListCall::Instances).await;
    assert_eq!(answer.items[0]["CreatedDate"], "2024-01-01T00:00:00Z");
    assert_eq!((&answer.items[0]["Status"], &sent["MaxResults"]), (&json!("ACTIVE"), &json!(100)));
    let (answer, sent) = page(json!({"PermissionSets": ["ps-1", "ps-2"]}), ListCall::PermissionSets).await;
    assert_eq!((answer.items, &sent["InstanceArn"]), (vec![json!("ps-1"), json!("ps-2")], &json!(target().instance)));
    let policy = json!({"Name": "ReadOnlyAccess", "Arn": "arn:p"});
    let listing = ListCall::ManagedPolicies("ps-1".into());
    assert_eq!(page(json!({"AttachedManagedPolicies": [policy]}), listing).await.0.items, [policy]);
    let own = json!({"Name": "Own", "Path": "/"});
    let listing = ListCall::CustomerManagedPolicies("ps-1".into());
    assert_eq!(
        page(json!({"CustomerManagedPolicyReferences": [own]}), listing).await.0.items,
        std::slice::from_ref(&own)
    );
    let described =
        json!({"Name": "Admin", "PermissionSetArn": "ps-1", "CreatedDate": 1_704_067_200, "SessionDuration": "PT1H"});
    let (found, _) = fetch(json!({"PermissionSet": described}), GetCall::PermissionSet("ps-1".into())).await;
    assert_eq!(
        found,
        json!({"Name": "Admin", "PermissionSetArn": "ps-1", "CreatedDate": "2024-01-01T00:00:00Z", "SessionDuration": "PT1H"})
    );
    let single = || GetCall::InlinePolicy("ps-1".into());
    assert_eq!(fetch(json!({"InlinePolicy": "{}"}), single()).await.0, json!({"InlinePolicy": "{}"}));
    assert_eq!(fetch(json!({"InlinePolicy": ""}), single()).await.0, json!({"InlinePolicy": ""}));
    let boundary = json!({"CustomerManagedPolicyReference": own});
    let single = GetCall::PermissionsBoundary("ps-1".into());
    assert_eq!(fetch(json!({"PermissionsBoundary": boundary}), single).await.0, boundary);
}

#[tokio::test]
async fn a_permission_set_without_a_boundary_has_none_and_that_is_no_error() {
    let server = TestServer::answering(|_| refusal("ResourceNotFoundException"));
    let single = GetCall::PermissionsBoundary("ps-1".into());
    assert_eq!(aws(&server.url).fetch(Some(&target()), &single).await.unwrap(), Value::Null);
}

#[tokio::test]
async fn assignments_and_provisioning_of_sso_admin() {
    let row = json!({"AccountId": "1", "PermissionSetArn": "ps-1", "PrincipalType": "GROUP", "PrincipalId": "g-1"});
    let rows = json!({"AccountAssignments": [row]});
    let listing = ListCall::Assignments { account: "1".into(), permission_set: "ps-1".into() };
    let (answer, sent) = page(rows.clone(), listing).await;
    assert_eq!((&answer.items[0], &sent["AccountId"], &sent["PermissionSetArn"]), (&row, &json!("1"), &json!("ps-1")));
    let listing = ListCall::AssignmentsForPrincipal { kind: PrincipalKind::Group, id: "g-1".into() };
    let (answer, sent) = page(rows, listing).await;
    assert_eq!(
        (&answer.items[0], &sent["PrincipalType"], &sent["PrincipalId"]),
        (&row, &json!("GROUP"), &json!("g-1"))
    );
    let (answer, _) = page(json!({"AccountIds": ["1", "2"]}), ListCall::ProvisionedAccounts("ps-1".into())).await;
    assert_eq!(answer.items, [json!("1"), json!("2")]);
    let listing = ListCall::ProvisionedPermissionSets("1".into());
    assert_eq!(page(json!({"PermissionSets": ["ps-1"]}), listing).await.0.items, [json!("ps-1")]);
}

#[tokio::test]
async fn accounts_and_the_tree_of_organizations() {
    let wire = json!({"Id": "1", "Arn": "arn:1", "Email": "a@b", "Name": "prod", "Status": "ACTIVE", "State": "ACTIVE",
                      "JoinedMethod": "CREATED", "JoinedTimestamp": 1_704_067_200});
    let mut account = wire.clone();
    account["JoinedTimestamp"] = json!("2024-01-01T00:00:00Z");
    let (answer, sent) = page(json!({"Accounts": [wire]}), ListCall::Accounts).await;
    assert_eq!((&answer.items[0], &sent["MaxResults"]), (&account, &json!(20)));
    let (answer, sent) = page(json!({"Accounts": [wire]}), ListCall::AccountsForParent("ou-1".into())).await;
    assert_eq!((&answer.items[0], &sent["ParentId"]), (&account, &json!("ou-1")));
    assert_eq!(fetch(json!({"Account": wire}), GetCall::Account("1".into())).await.0, account);
    let root = json!({"Id": "r-1", "Arn": "arn:r", "Name": "Root", "PolicyTypes": []});
    assert_eq!(page(json!({"Roots": [root]}), ListCall::Roots).await.0.items, [root]);
    let unit = json!({"Id": "ou-1", "Arn": "arn:ou", "Name": "Sandbox"});
    let listing = ListCall::OrganizationalUnits("r-1".into());
    assert_eq!(page(json!({"OrganizationalUnits": [unit]}), listing).await.0.items, [unit]);
    let tags = [json!({"Key": "stage", "Value": "prod"}), json!({"Key": "empty", "Value": ""})];
    let (answer, sent) = page(json!({"Tags": tags}), ListCall::AccountTags("1".into())).await;
    assert_eq!((answer.items, &sent["ResourceId"]), (tags.to_vec(), &json!("1")));
}

#[tokio::test]
async fn sts_says_who_we_are() {
    let body = "<GetCallerIdentityResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><GetCallerIdentityResult>\
                <Arn>arn:me</Arn><UserId>AIDA</UserId><Account>1</Account></GetCallerIdentityResult></GetCallerIdentityResponse>";
    let server = TestServer::answering(move |_| CannedResponse::Whole(200, "", body.into()));
    let found = aws(&server.url).fetch(None, &GetCall::CallerIdentity).await.unwrap();
    assert_eq!(found, json!({"UserId": "AIDA", "Account": "1", "Arn": "arn:me"}));
}

#[tokio::test]
async fn every_call_that_is_refused_says_so_and_none_is_an_empty_answer() {
    let server = TestServer::answering(|_| refusal("AccessDeniedException"));
    let aws = aws(&server.url);
    let (listings, singles) = samples();
    for listing in &listings {
        let error = aws.page(Some(&target()), listing, None).await.unwrap_err();
        let name = listing.operation().split_once('.').unwrap().1;
        assert!(
            matches!(&error, GatewayError::AccessDenied { operation, .. } if operation.ends_with(name)),
            "{error:?}"
        );
    }
    for single in singles.iter().filter(|single| **single != GetCall::CallerIdentity) {
        let error = aws.fetch(Some(&target()), single).await.unwrap_err();
        assert!(matches!(error, GatewayError::AccessDenied { .. }), "{error:?}");
    }
    let error = aws.page(None, &ListCall::Users, None).await.unwrap_err();
    assert!(matches!(error, GatewayError::Configuration { .. }), "{error:?}");
}

#[tokio::test]
async fn a_denial_names_the_call_and_the_account() {
    let listing = ListCall::Assignments { account: "111122223333".into(), permission_set: "ps-1".into() };
    let error = failing(refusal("AccessDeniedException"), listing).await;
    assert_eq!(error.to_string(), "AWS denied sso-admin ListAccountAssignments in account 111122223333: as AWS says");
}

#[tokio::test]
async fn throttles_bring_along_when_to_come_back() {
    let body = json!({"__type": "ThrottlingException", "Message": "slow", "RetryAfterSeconds": 7});
    let error = failing(CannedResponse::json(400, &body), ListCall::Users).await;
    assert!(matches!(error, GatewayError::Throttled { attempts: 1, retry_after_ms: Some(7_000), .. }), "{error:?}");
    let error = failing(refusal("TooManyRequestsException"), ListCall::Accounts).await;
    assert!(matches!(error, GatewayError::Throttled { retry_after_ms: None, .. }), "{error:?}");
    let error = failing(CannedResponse::Whole(429, "retry-after: 2\r\n", String::new()), ListCall::Users).await;
    assert!(matches!(error, GatewayError::Throttled { .. }), "{error:?}");
}

#[tokio::test]
async fn what_does_not_exist_is_named() {
    let error = failing(refusal("ResourceNotFoundException"), ListCall::GroupMemberships("g-1".into())).await;
    assert_eq!(error.to_string(), "group g-1 was not found");
    let error = failing(refusal("ParentNotFoundException"), ListCall::AccountsForParent("ou-1".into())).await;
    assert!(matches!(error, GatewayError::NotFound { .. }), "{error:?}");
}

#[tokio::test]
async fn an_expired_login_is_told_from_keys_that_aws_does_not_know() {
    let error = failing(refusal("ExpiredTokenException"), ListCall::Users).await;
    assert!(matches!(&error, GatewayError::LoginExpired { profile: Some(p), .. } if p == "ops"), "{error:?}");
    for code in ["UnrecognizedClientException", "InvalidClientTokenId", "SignatureDoesNotMatch"] {
        let error = failing(refusal(code), ListCall::Users).await;
        let GatewayError::CredentialsRefused { service, detail, .. } = &error else { panic!("{error:?}") };
        assert_eq!((service.as_str(), detail.starts_with(code)), ("identitystore ListUsers", true));
    }
}

#[tokio::test]
async fn other_refusals_keep_code_words_and_request_id() {
    let error = failing(refusal("ValidationException"), ListCall::Users).await;
    let GatewayError::Refused { operation, code, detail, request_id } = error else { panic!("{error:?}") };
    assert_eq!((operation.as_str(), code.as_str()), ("identitystore ListUsers", "ValidationException"));
    assert_eq!((detail.as_str(), request_id.as_deref()), ("as AWS says", Some("req-1")));
    let error = failing(refusal("AWSOrganizationsNotInUseException"), ListCall::Accounts).await;
    assert!(error.to_string().contains("in no AWS organization"), "{error}");
}

#[tokio::test]
async fn a_broken_service_or_connection_is_unreachable_and_may_be_tried_again() {
    let html =
        || CannedResponse::Whole(500, "content-type: text/html\r\n", "<html>Internal Server Error</html>".into());
    let broken = [
        html(),
        CannedResponse::json(500, &json!({"__type": "InternalServerException", "message": "oops"})),
        CannedResponse::Whole(503, "", String::new()),
        CannedResponse::Truncated,
        CannedResponse::Whole(200, "", "{\"Users\": [{\"UserId\": \"90".into()),
        CannedResponse::HangUp,
    ];
    for answer in broken {
        let error = failing(answer, ListCall::Users).await;
        assert!(matches!(error, GatewayError::Unreachable { .. }) && error.is_temporary(), "{error:?}");
        assert_eq!(error.again(), Again::Reads, "AWS may have done it: {error:?}");
    }
    let refused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", refused.local_addr().unwrap());
    drop(refused);
    let error = aws(&url).page(Some(&target()), &ListCall::Users, None).await.unwrap_err();
    assert!(error.to_string().to_lowercase().contains("connection refused"), "the innermost cause: {error}");
    assert_eq!(error.again(), Again::Always, "nothing was sent");
}

#[tokio::test]
async fn a_conflict_that_passes_is_told_from_a_name_that_is_taken() {
    let identity_store = |reason: &str| {
        CannedResponse::json(400, &json!({"__type": "ConflictException", "Message": "as AWS says", "Reason": reason}))
    };
    let sso_admin = |said: &str| CannedResponse::json(400, &json!({"__type": "ConflictException", "Message": said}));
    let users = ListCall::Users;
    for (answer, listing, passes) in [
        (identity_store("CONCURRENT_MODIFICATION"), users.clone(), true),
        (identity_store("UNIQUENESS_CONSTRAINT_VIOLATION"), users.clone(), false),
        (refusal("ConflictException"), users, false),
        (sso_admin("the previous write is not yet propagated"), ListCall::PermissionSets, true),
        (sso_admin("PermissionSet with name ReadOnly already exists."), ListCall::PermissionSets, false),
        (
            sso_admin("Could not delete because PermissionSet has ApplicationProfile associated with it"),
            ListCall::PermissionSets,
            false,
        ),
        (sso_admin("Another request for the same resource is being processed."), ListCall::PermissionSets, true),
    ] {
        let error = failing(answer, listing).await;
        assert!(matches!(&error, GatewayError::Conflict { passing, .. } if *passing == passes), "{error:?}");
        assert_eq!(error.again(), if passes { Again::Always } else { Again::Never });
    }
}

#[tokio::test]
async fn https_goes_over_tls_and_a_server_without_it_is_unreachable() {
    let server = TestServer::answering(|_| CannedResponse::json(200, &json!({"Users": []})));
    let url = server.url.replace("http:", "https:");
    let error = aws(&url).page(Some(&target()), &ListCall::Users, None).await.unwrap_err();
    assert!(matches!(error, GatewayError::Unreachable { .. }), "{error:?}");
    assert!(server.asked.lock().unwrap().is_empty(), "nothing was sent in clear");
}

#[tokio::test]
async fn an_answer_that_does_not_come_ends_with_the_timeout() {
    let server = TestServer::answering(|_| CannedResponse::Silence);
    let mut aws = aws(&server.url);
    aws.settings.operation_timeout = Duration::from_millis(200);
    let error = aws.page(Some(&target()), &ListCall::Users, None).await.unwrap_err();
    assert!(matches!(&error, GatewayError::Unreachable { detail, .. } if detail.contains("in time")), "{error:?}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_understood_is_said_to_be_so() {
    let error = failing(CannedResponse::Whole(200, "", "{\"Users\": 5}".into()), ListCall::Users).await;
    assert!(matches!(error, GatewayError::BadAnswer { .. }), "{error:?}");
    let server = TestServer::answering(|_| CannedResponse::json(200, &json!({})));
    let error = aws(&server.url).fetch(Some(&target()), &GetCall::PermissionSet("ps-1".into())).await.unwrap_err();
    assert!(matches!(&error, GatewayError::BadAnswer { detail, .. } if detail.contains("PermissionSet")), "{error:?}");
}
