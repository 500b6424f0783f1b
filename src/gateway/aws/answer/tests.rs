//! What counts as an answer, for every operation.

use super::form::Form;
use crate::gateway::api::samples;
use crate::gateway::aws::test_server::CannedResponse;
use crate::gateway::aws::test_server::TestServer;
use crate::gateway::aws::tests::{aws, target};
use crate::gateway::{GatewayError, GetCall, IdentityCenterApi, ListCall, Mutation};
use serde_json::{Value, json};

/// The member that an operation's answer must have.
fn member(operation: &str) -> &'static str {
    Form::of(operation).member()
}

#[test]
fn every_read_has_a_form() {
    let (listings, singles) = samples();
    for operation in listings.iter().map(ListCall::operation) {
        assert!(matches!(Form::of(operation), Form::List(_)), "{operation}");
    }
    for operation in singles.iter().filter(|one| **one != GetCall::CallerIdentity).map(GetCall::operation) {
        assert!(matches!(Form::of(operation), Form::Object(_) | Form::Text(_)), "{operation}");
    }
}

#[tokio::test]
async fn an_empty_answer_to_a_read_is_unusable_and_names_what_was_wrong() {
    let rows: &[(u16, &str, &str)] = &[
        (200, "", "HTTP 200 without a body"),
        (204, "", "HTTP 204 without a body"),
        (200, "{}", "it has no MEMBER"),
        (200, "null", "invalid type: null, expected an object"),
        (200, "[]", "invalid type: sequence, expected an object"),
        (200, "<html>Sign in</html>", "it is not JSON"),
        (200, "\u{feff}{}", "it is not JSON"),
        (200, r#"{"MEMBER": null}"#, "its MEMBER is null"),
        (200, r#"{"MEMBER": 5}"#, "its MEMBER is a number"),
        (200, r#"{"MEMBER": [], "MEMBER": []}"#, "it names MEMBER twice"),
        (200, r#"{"__type": "ThrottlingException"}"#, "a success with the error type `ThrottlingException`"),
    ];
    for (status, body, message) in rows {
        let server = TestServer::answering(move |operation| {
            CannedResponse::Whole(*status, "", body.replace("MEMBER", member(operation)))
        });
        let aws = aws(&server.url);
        let (listings, singles) = samples();
        for listing in &listings {
            let error = aws.page(Some(&target()), listing, Some("t")).await.unwrap_err();
            unusable(&error, &message.replace("MEMBER", member(listing.operation())));
        }
        for single in singles.iter().filter(|single| **single != GetCall::CallerIdentity) {
            let error = aws.fetch(Some(&target()), single).await.unwrap_err();
            unusable(&error, &message.replace("MEMBER", member(single.operation())));
        }
    }
}

#[track_caller]
fn unusable(error: &GatewayError, message: &str) {
    assert!(matches!(error, GatewayError::BadAnswer { detail, .. } if detail.contains(message)), "{message}: {error}");
    assert_eq!(error.exit_code(), 13);
}

#[tokio::test]
async fn an_entry_without_its_id_or_with_that_of_another_entry_is_unusable() {
    let (listings, _) = samples();
    for listing in listings {
        let members = listing.id_members();
        let entry = |id: &str| match members {
            [] => json!(id),
            members => members.iter().map(|name| ((*name).to_owned(), json!(id))).collect(),
        };
        let without = if members.is_empty() { json!("") } else { json!({"Other": "x"}) };
        // An entry of another kind than the SDK expects is one that it drops or fails on.
        let rows = [(vec![entry("a"), without], "entry 2 of a page has no "), (vec![entry("a"); 2], "repeats the id")];
        for (entries, message) in rows {
            let name = member(listing.operation());
            let server = TestServer::answering(move |_| CannedResponse::json(200, &json!({ name: entries })));
            let error = aws(&server.url).page(Some(&target()), &listing, None).await.unwrap_err();
            unusable(&error, message);
        }
    }
}

#[tokio::test]
async fn the_description_of_something_else_is_unusable() {
    let store = "d-1234567890";
    let rows: Vec<(GetCall, Value, &str)> = vec![
        (GetCall::User("u-1".into()), json!({"UserId": "u-2"}), "its UserId is `u-2`, not `u-1`"),
        (
            GetCall::User("u-1".into()),
            json!({"UserId": "u-1", "IdentityStoreId": "d-2"}),
            "its IdentityStoreId is `d-2`, not `d-1234567890`",
        ),
        (GetCall::Group("g-1".into()), json!({"GroupId": "g-2"}), "its GroupId is `g-2`, not `g-1`"),
        (
            GetCall::UserIdByName("ada".into()),
            json!({"UserId": "u-1", "IdentityStoreId": "d-2"}),
            "its IdentityStoreId",
        ),
        (
            GetCall::PermissionSet("ps-1".into()),
            json!({"PermissionSet": {"PermissionSetArn": "ps-2", "Name": "n"}}),
            "its PermissionSetArn is `ps-2`, not `ps-1`",
        ),
        (GetCall::PermissionSet("ps-1".into()), json!({"PermissionSet": {"Name": "n"}}), "it has no PermissionSetArn"),
        (GetCall::Account("1".into()), json!({"Account": {"Id": "2"}}), "its Id is `2`, not `1`"),
        (GetCall::Account("1".into()), json!({"Account": {}}), "it has no Id"),
    ];
    for (single, body, message) in rows {
        let server = TestServer::answering(move |_| CannedResponse::json(200, &body));
        unusable(&aws(&server.url).fetch(Some(&target()), &single).await.unwrap_err(), message);
    }
    let server =
        TestServer::answering(move |_| CannedResponse::json(200, &json!({"UserId": "U-1", "IdentityStoreId": store})));
    aws(&server.url).fetch(Some(&target()), &GetCall::User("u-1".into())).await.unwrap();
}

#[tokio::test]
async fn rows_of_another_account_group_or_user_are_unusable() {
    let assignment = json!({"AccountId": "2", "PermissionSetArn": "ps", "PrincipalType": "USER", "PrincipalId": "u"});
    let membership = json!({"MembershipId": "m", "GroupId": "g-2", "MemberId": {"UserId": "u-2"}});
    let rows = [
        (
            ListCall::Assignments { account: "1".into(), permission_set: "ps".into() },
            assignment,
            "its AccountId is `2`",
        ),
        (ListCall::GroupMemberships("g-1".into()), membership.clone(), "its GroupId is `g-2`"),
        (ListCall::MembershipsForMember("u-1".into()), membership, "its MemberId is `u-2`"),
        (ListCall::Users, json!({"UserId": "u", "IdentityStoreId": "d-2"}), "its IdentityStoreId is `d-2`"),
    ];
    for (listing, entry, message) in rows {
        let name = member(listing.operation());
        let server = TestServer::answering(move |_| CannedResponse::json(200, &json!({ name: [entry] })));
        unusable(&aws(&server.url).page(Some(&target()), &listing, None).await.unwrap_err(), message);
    }
}

#[tokio::test]
async fn a_change_without_an_answer_of_aws_is_in_doubt() {
    let removed = Mutation::DeleteGroup { id: "g-1".into(), revision: None };
    for (status, headers, body) in [(200, "", "<html>Sign in</html>"), (200, "content-encoding: gzip\r\n", "{}")] {
        let server = TestServer::answering(move |_| CannedResponse::Whole(status, headers, body.into()));
        let error = aws(&server.url).change(&target(), &removed).await.unwrap_err();
        assert!(matches!(error, GatewayError::BadAnswer { .. }) && error.leaves_doubt(), "{error}");
    }
    for body in ["", "{}"] {
        let server = TestServer::answering(move |_| CannedResponse::Whole(200, "", body.into()));
        aws(&server.url).change(&target(), &removed).await.unwrap();
    }
}

#[tokio::test]
async fn a_page_of_more_values_levels_or_bytes_than_aws_sends_is_unusable() {
    let nested = format!(r#"{{"Users": {}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    let many = format!(r#"{{"Users": [{}{{}}]}}"#, "{},".repeat(10_000));
    let values = format!(r#"{{"Users": [], "X": [{}0]}}"#, "0,".repeat(200_000));
    let token = format!(r#"{{"Users": [], "NextToken": "{}"}}"#, "t".repeat(1024 * 1024));
    let rows = [
        (nested, "nested deeper than 64 levels"),
        (many, "one page of it has 10001 entries"),
        (values, "more than 200000 values"),
        (token, "its NextToken has 1048576 bytes"),
        (format!(r#"{{"Users": []}}{}"#, " ".repeat(32 * 1024 * 1024)), "it is longer than 32 MiB"),
    ];
    for (body, message) in rows {
        let server = TestServer::answering(move |_| CannedResponse::Whole(200, "", body.clone()));
        unusable(&aws(&server.url).page(Some(&target()), &ListCall::Users, None).await.unwrap_err(), message);
    }
}

#[tokio::test]
async fn the_text_of_an_error_is_cut_and_escaped_where_it_enters() {
    let text = format!("no\u{1b}[31m access {}", "x".repeat(100_000));
    let body = json!({"__type": "AccessDeniedException", "Message": text});
    let server = TestServer::answering(move |_| CannedResponse::json(400, &body));
    let error = aws(&server.url).page(Some(&target()), &ListCall::Users, None).await.unwrap_err();
    let GatewayError::AccessDenied { detail, .. } = &error else { panic!("{error}") };
    assert!(detail.starts_with("no\\u{1b}[31m access xxx") && detail.ends_with("more bytes)"), "{detail}");
    assert!(detail.len() < 4_200, "{}", detail.len());
    let body = json!({"__type": "AccessDeniedException", "Message": "x".repeat(2_000_000)});
    let server = TestServer::answering(move |_| CannedResponse::json(400, &body));
    let error = aws(&server.url).page(Some(&target()), &ListCall::Users, None).await.unwrap_err();
    assert!(error.to_string().contains("HTTP 400 and no AWS error"), "{error}");
}
