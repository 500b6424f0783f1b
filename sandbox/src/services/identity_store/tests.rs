//! Tests of the reads of `identity_store`.

use super::*;
use crate::config::Shape;
use crate::faults::rules::Faults;
use crate::testing::Caller;

#[test]
fn users_are_paged_by_a_hundred_and_the_union_is_everyone() {
    let caller = Caller::new(&Shape::default());
    let (sizes, users) = caller.walk("AWSIdentityStore.ListUsers", "Users", json!({}));
    assert_eq!(sizes, [100, 100, 100]);
    let everyone: Vec<Value> = caller.organization.users.values().map(|user| json!(user)).collect();
    assert_eq!(users, everyone);
    assert_eq!(users[0], caller.ask("AWSIdentityStore.DescribeUser", json!({"UserId": users[0]["UserId"]})));
}

#[test]
fn groups_and_memberships_are_paged_and_complete_in_both_directions() {
    let caller = Caller::new(&Shape { groups: 205, ..Shape::default() });
    let (sizes, groups) = caller.walk("AWSIdentityStore.ListGroups", "Groups", json!({}));
    assert_eq!(sizes, [100, 100, 5]);
    let mut by_group = Vec::new();
    let mut largest = Vec::new();
    for group in &groups {
        let ask = json!({"GroupId": group["GroupId"]});
        let (sizes, memberships) = caller.walk("AWSIdentityStore.ListGroupMemberships", "GroupMemberships", ask);
        largest = largest.max(sizes);
        by_group.extend(memberships);
    }
    assert_eq!(largest, [100, 100, 50], "the group of all staff");
    let mut by_member = Vec::new();
    for user in caller.organization.users.keys() {
        let ask = json!({"MemberId": {"UserId": user}});
        let operation = "AWSIdentityStore.ListGroupMembershipsForMember";
        by_member.extend(caller.walk(operation, "GroupMemberships", ask).1);
    }
    let key = |membership: &Value| membership["MembershipId"].to_string();
    by_group.sort_by_key(key);
    by_member.sort_by_key(key);
    assert_eq!(by_group.len(), caller.organization.memberships.len());
    assert_eq!(by_group, by_member);
}

#[test]
fn names_addresses_and_outside_ids_find_their_user_whatever_their_case() {
    let caller = Caller::new(&Shape::default());
    let unique = |path: &str, value: &str| json!({"AlternateIdentifier": {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}});
    let by_name = caller.ask("AWSIdentityStore.GetUserId", unique("userName", "ZOË.müller"));
    let by_mail = caller.ask("AWSIdentityStore.GetUserId", unique("emails.value", "Zoe.Mueller@example.com"));
    assert_eq!(by_name, by_mail);
    let user = caller.organization.users.values().find(|user| !user.external_ids.is_empty()).expect("one");
    let ask = json!({"AlternateIdentifier": {"ExternalId": user.external_ids[0]}});
    assert_eq!(caller.ask("AWSIdentityStore.GetUserId", ask)["UserId"], json!(user.user_id));
    let group = caller.ask("AWSIdentityStore.GetGroupId", unique("displayName", "All Staff"));
    let described = caller.ask("AWSIdentityStore.DescribeGroup", json!({"GroupId": group["GroupId"]}));
    assert_eq!(described["DisplayName"], "All Staff");
    let refusal = caller.refused("AWSIdentityStore.GetUserId", unique("displayName", "x"));
    assert_eq!(refusal["__type"], "ValidationException");
    let refusal = caller.refused("AWSIdentityStore.GetUserId", unique("userName", "nobody"));
    assert_eq!(
        (refusal["__type"].as_str(), refusal["ResourceType"].as_str()),
        (Some("ResourceNotFoundException"), Some("USER"))
    );
}

#[test]
fn memberships_are_described_found_and_tested() {
    let caller = Caller::new(&Shape::default());
    let membership = caller.organization.memberships.values().next().expect("one");
    let (group, user) = (&membership.group_id, &membership.member_id.user_id);
    let ask = json!({"MembershipId": membership.membership_id});
    assert_eq!(caller.ask("AWSIdentityStore.DescribeGroupMembership", ask)["GroupId"], json!(group));
    let ask = json!({"GroupId": group, "MemberId": {"UserId": user}});
    let found = caller.ask("AWSIdentityStore.GetGroupMembershipId", ask);
    assert_eq!(found["MembershipId"], json!(membership.membership_id));
    let empty = &caller.organization.index.group_by_name["future hires"];
    let ask = json!({"MemberId": {"UserId": user}, "GroupIds": [group, empty]});
    let results = &caller.ask("AWSIdentityStore.IsMemberInGroups", ask)["Results"];
    assert_eq!((&results[0]["MembershipExists"], &results[1]["MembershipExists"]), (&json!(true), &json!(false)));
    let ask = json!({"GroupId": empty, "MemberId": {"UserId": user}});
    let refusal = caller.refused("AWSIdentityStore.GetGroupMembershipId", ask);
    assert_eq!(refusal["ResourceType"], "GROUP_MEMBERSHIP");
    let none = caller.ask("AWSIdentityStore.ListGroupMemberships", json!({"GroupId": empty}));
    assert_eq!(none, json!({"GroupMemberships": []}));
}

#[test]
fn what_does_not_exist_is_refused_with_its_kind_and_never_an_empty_list() {
    let caller = Caller::new(&Shape::default());
    let gone = "90670123ab-11111111-2222-4333-8444-555555555555";
    for (operation, ask, kind) in [
        ("DescribeUser", json!({"UserId": gone}), "USER"),
        ("DescribeGroup", json!({"GroupId": gone}), "GROUP"),
        ("DescribeGroupMembership", json!({"MembershipId": gone}), "GROUP_MEMBERSHIP"),
        ("ListGroupMemberships", json!({"GroupId": gone}), "GROUP"),
        ("ListGroupMembershipsForMember", json!({"MemberId": {"UserId": gone}}), "USER"),
        ("ListUsers", json!({"IdentityStoreId": "d-0000000000"}), "IDENTITY_STORE"),
    ] {
        let refusal = caller.refused(&format!("AWSIdentityStore.{operation}"), ask);
        assert_eq!(refusal["__type"], "ResourceNotFoundException", "{operation}");
        assert_eq!(refusal["ResourceType"], kind, "{operation}");
        assert!(refusal["Message"].as_str().expect("a text").contains("not "), "{operation}");
        assert!(refusal["RequestId"].is_string(), "{operation}");
    }
}

#[test]
fn filters_find_one_by_its_name_until_the_faults_refuse_them() {
    let caller = Caller::new(&Shape::default());
    let filter = |path: &str, value: &str| json!({"Filters": [{"AttributePath": path, "AttributeValue": value}]});
    let ask = [
        ("AWSIdentityStore.ListUsers", "Users", "UserName", "ALEX.KIM"),
        ("AWSIdentityStore.ListGroups", "Groups", "DisplayName", "break glass"),
    ];
    for (operation, field, path, name) in ask {
        let answer = caller.ask(operation, filter(path, name));
        let found: Vec<_> = answer[field].as_array().expect("a list").iter().map(|row| row[path].clone()).collect();
        assert_eq!(found.len(), 1, "{answer}");
        assert_eq!(found[0].as_str().expect("a name").to_lowercase(), name.to_lowercase());
        assert_eq!(caller.ask(operation, filter(path, "nobody"))[field], json!([]));
        assert_eq!(caller.refused(operation, filter("Title", "Analyst"))["__type"], "ValidationException");
        assert_eq!(caller.refused(operation, json!({"Filters": [{}]}))["__type"], "ValidationException");
    }
    caller.desk.set_faults(Faults { refuse_filters: true, ..Faults::default() }).expect("a fault");
    for (operation, _, path, name) in ask {
        let refusal = caller.refused(operation, filter(path, name));
        assert_eq!(refusal["__type"], "ValidationException");
        assert_eq!(refusal["Message"], "Filter is deprecated, please remove filter from request");
    }
}
