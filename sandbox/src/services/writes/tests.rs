//! Tests of the writes.

use crate::config::Shape;
use crate::generate::Dice;
use crate::records::Moment;
use crate::state::Organization;
use crate::testing::AT;
use crate::testing::Caller;
use serde_json::Value;
use serde_json::json;

fn caller() -> Caller {
    Caller::new(&Shape::default())
}

fn person(name: &str) -> Value {
    json!({
        "UserName": name, "DisplayName": "Ann Ada", "Name": {"GivenName": "Ann", "FamilyName": "Ada"},
        "Emails": [{"Value": format!("{name}@example.com"), "Type": "work", "Primary": true}],
    })
}

fn operation(path: &str, value: Value) -> Value {
    let mut operation = json!({"AttributePath": path});
    if !value.is_null() {
        operation["AttributeValue"] = value;
    }
    json!([operation])
}

fn refusal(caller: &Caller, name: &str, body: Value) -> (String, String) {
    let before = serde_json::to_string(&caller.desk.organization()).expect("JSON");
    let refusal = caller.refused(&format!("AWSIdentityStore.{name}"), body);
    let after = serde_json::to_string(&caller.desk.organization()).expect("JSON");
    assert!(before == after, "{name}: a refused write changes nothing");
    (refusal["__type"].as_str().expect("a code").into(), refusal["Message"].as_str().expect("a message").into())
}

#[test]
fn a_created_user_is_found_in_every_way_and_a_deleted_one_in_none() {
    let caller = caller();
    caller.wait(5_000);
    let made = caller.ask("AWSIdentityStore.CreateUser", person("Ann.Ada"));
    let id = &made["UserId"];
    let user = caller.ask("AWSIdentityStore.DescribeUser", json!({"UserId": id}));
    assert_eq!((&user["UserName"], &user["UserArn"]), (&json!("Ann.Ada"), &made["UserArn"]));
    assert_eq!(user["CreatedAt"], json!(Moment(AT + 5_000)));
    for (path, value) in [("userName", "ann.ada"), ("emails.value", "ANN.ADA@example.com")] {
        let ask = json!({"AlternateIdentifier": {"UniqueAttribute": {"AttributePath": path, "AttributeValue": value}}});
        assert_eq!(&caller.ask("AWSIdentityStore.GetUserId", ask)["UserId"], id);
    }
    let (_, users) = caller.walk("AWSIdentityStore.ListUsers", "Users", json!({}));
    assert_eq!(users.len(), 301);
    caller.ask("AWSIdentityStore.DeleteUser", json!({"UserId": id}));
    let gone = caller.refused("AWSIdentityStore.DescribeUser", json!({"UserId": id}));
    assert_eq!((&gone["ResourceType"], &gone["ResourceId"]), (&json!("USER"), id));
    assert_eq!(refusal(&caller, "DeleteUser", json!({"UserId": id})).0, "ResourceNotFoundException");
    let again = caller.ask("AWSIdentityStore.CreateUser", person("ann.ada"));
    assert_ne!(&again["UserId"], id, "a name can be had again, an id cannot");
    let other = self::caller();
    assert_eq!(other.ask("AWSIdentityStore.CreateUser", person("x"))["UserId"], *id, "ids go by the count");
}

#[test]
fn names_and_addresses_are_unique_whatever_their_case() {
    let caller = caller();
    caller.ask("AWSIdentityStore.CreateUser", person("ann.ada"));
    let bob = caller.ask("AWSIdentityStore.CreateUser", person("bob"));
    let duplicate = |body: Value| {
        let answer = caller.refused("AWSIdentityStore.CreateUser", body);
        assert_eq!(
            (&answer["__type"], &answer["Reason"]),
            (&json!("ConflictException"), &json!("UNIQUENESS_CONSTRAINT_VIOLATION"))
        );
    };
    duplicate(person("ANN.Ada"));
    let mut body = person("carl");
    body["Emails"][0]["Value"] = json!("Ann.ADA@EXAMPLE.com");
    duplicate(body);
    let id = &bob["UserId"];
    let rename = json!({"UserId": id, "Operations": operation("userName", json!("Ann.ADA"))});
    assert_eq!(refusal(&caller, "UpdateUser", rename).0, "ConflictException");
    let same = json!({"UserId": id, "Operations": operation("userName", json!("BOB"))});
    caller.ask("AWSIdentityStore.UpdateUser", same);
    let conflict = ("ConflictException".to_owned(), "Duplicate GroupDisplayName".to_owned());
    assert_eq!(refusal(&caller, "CreateGroup", json!({"DisplayName": "ALL staff"})), conflict);
    let group = caller.ask("AWSIdentityStore.CreateGroup", json!({"DisplayName": "Ops", "Description": "On call"}));
    let rename = json!({"GroupId": group["GroupId"], "Operations": operation("displayName", json!("break GLASS"))});
    assert_eq!(refusal(&caller, "UpdateGroup", rename), conflict);
}

#[test]
fn an_update_sets_replaces_and_removes() {
    let caller = caller();
    let made = caller.ask("AWSIdentityStore.CreateUser", person("ann"));
    let id = &made["UserId"];
    caller.wait(1_000);
    for (path, value) in [
        ("userName", json!("anna")),
        ("name.givenName", json!("Anna")),
        ("name.middleName", json!("B.")),
        ("emails", json!([{"value": "anna@example.org", "type": "home", "primary": true}])),
        ("title", json!("Engineer")),
        ("nickName", json!("An")),
        ("timezone", json!("Europe/Berlin")),
        ("timezone", Value::Null),
    ] {
        caller.ask("AWSIdentityStore.UpdateUser", json!({"UserId": id, "Operations": operation(path, value)}));
    }
    let user = caller.ask("AWSIdentityStore.DescribeUser", json!({"UserId": id}));
    assert_eq!(user["UserName"], "anna");
    assert_eq!(user["Name"], json!({"FamilyName": "Ada", "GivenName": "Anna", "MiddleName": "B."}));
    assert_eq!(user["Emails"], json!([{"Value": "anna@example.org", "Type": "home", "Primary": true}]));
    assert_eq!((&user["Title"], &user["NickName"]), (&json!("Engineer"), &json!("An")));
    assert!(user.get("Timezone").is_none() && user["Revision"] != made["Revision"]);
    assert!(user["UpdatedAt"].as_f64() > user["CreatedAt"].as_f64());
    for revision in [&made["Revision"], &user["Revision"]] {
        let digits = revision.as_str().unwrap_or_default();
        assert!(!digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit()), "{digits}");
    }
    for (revision, rule) in [("x1", "pattern: [0-9]+"), ("", "length between 1 and 64"), (&"1".repeat(65), "1 and 64")]
    {
        let body = json!({"UserId": id, "Revision": revision, "Operations": operation("title", Value::Null)});
        let (code, message) = refusal(&caller, "UpdateUser", body);
        assert!(code == "ValidationException" && message.contains(rule), "{code}: {message}");
    }
    let old = json!({"UserId": id, "Revision": made["Revision"], "Operations": operation("title", Value::Null)});
    assert_eq!(refusal(&caller, "UpdateUser", old.clone()).0, "ConflictException");
    assert_eq!(refusal(&caller, "DeleteUser", old).0, "ConflictException");
    for (path, value) in [
        ("userName", Value::Null),
        ("name.familyName", Value::Null),
        ("userName", json!("two words")),
        ("displayName", json!("")),
        ("displayName", json!("bell\u{7}")),
        ("shoeSize", json!("42")),
        ("emails", json!([{"value": "a@x.org"}, {"value": "b@x.org"}])),
    ] {
        let body = json!({"UserId": id, "Operations": operation(path, value)});
        assert_eq!(refusal(&caller, "UpdateUser", body).0, "ValidationException", "{path}");
    }
    assert_eq!(refusal(&caller, "UpdateUser", json!({"UserId": id})).0, "ValidationException");
    let group = caller.ask("AWSIdentityStore.CreateGroup", json!({"DisplayName": "Ops", "Description": "On call"}));
    let body = json!({"GroupId": group["GroupId"], "Operations": [
        {"AttributePath": "displayName", "AttributeValue": "Operations"}, {"AttributePath": "description"},
    ]});
    caller.ask("AWSIdentityStore.UpdateGroup", body);
    let group = caller.ask("AWSIdentityStore.DescribeGroup", json!({"GroupId": group["GroupId"]}));
    assert_eq!((&group["DisplayName"], group.get("Description")), (&json!("Operations"), None));
}

#[test]
fn what_a_create_must_have_is_named() {
    let caller = caller();
    for (field, what) in [("UserName", "UserName"), ("DisplayName", "DisplayName"), ("Name", "Name")] {
        let mut body = person("ann");
        body[field] = Value::Null;
        let (code, message) = refusal(&caller, "CreateUser", body);
        assert_eq!((code.as_str(), message), ("ValidationException", format!("{what} is a required attribute")));
    }
    for body in [person("Administrator"), person(&"x".repeat(129)), person("")] {
        assert_eq!(refusal(&caller, "CreateUser", body).0, "ValidationException");
    }
    for body in [json!({}), json!({"DisplayName": "AWSAdministrators"}), json!({"DisplayName": "x".repeat(1025)})] {
        assert_eq!(refusal(&caller, "CreateGroup", body).0, "ValidationException");
    }
}

#[test]
fn a_person_is_in_a_group_once_and_out_of_all_when_deleted() {
    let caller = caller();
    let user = caller.ask("AWSIdentityStore.CreateUser", person("ann"))["UserId"].clone();
    let group = caller.ask("AWSIdentityStore.CreateGroup", json!({"DisplayName": "Ops"}))["GroupId"].clone();
    let pair = json!({"GroupId": group, "MemberId": {"UserId": user}});
    let made = caller.ask("AWSIdentityStore.CreateGroupMembership", pair.clone());
    assert_eq!(caller.ask("AWSIdentityStore.GetGroupMembershipId", pair.clone())["MembershipId"], made["MembershipId"]);
    assert_eq!(refusal(&caller, "CreateGroupMembership", pair.clone()).0, "ConflictException");
    let id = json!({"MembershipId": made["MembershipId"]});
    caller.ask("AWSIdentityStore.DeleteGroupMembership", id.clone());
    assert_eq!(refusal(&caller, "DeleteGroupMembership", id).0, "ResourceNotFoundException");
    caller.ask("AWSIdentityStore.CreateGroupMembership", pair.clone());
    caller.ask("AWSIdentityStore.DeleteUser", json!({"UserId": user}));
    let left = caller.ask("AWSIdentityStore.ListGroupMemberships", json!({"GroupId": group}));
    assert_eq!(left, json!({"GroupMemberships": []}));
    assert_eq!(refusal(&caller, "CreateGroupMembership", pair).0, "ResourceNotFoundException");
    let staff = caller.organization.index.group_by_name["all staff"].clone();
    let member = caller.organization.users.keys().next().expect("one").clone();
    caller.ask("AWSIdentityStore.DeleteGroup", json!({"GroupId": staff}));
    let ask = json!({"MemberId": {"UserId": member}});
    let (_, left) = caller.walk("AWSIdentityStore.ListGroupMembershipsForMember", "GroupMemberships", ask);
    assert!(left.iter().all(|membership| membership["GroupId"] != json!(staff)));
    let (now, before) = (caller.desk.organization(), &caller.organization);
    assert_eq!(now.assignments, before.assignments, "assignments outlive their principal");
}

/// The organization built anew from its records.
fn rebuilt(from: &Organization) -> Organization {
    let mut anew = Organization::bare(from.identity.clone());
    from.users.values().for_each(|user| anew.add_user(user.clone()));
    from.groups.values().for_each(|group| anew.add_group(group.clone()));
    from.memberships.values().for_each(|membership| anew.add_membership(membership.clone()));
    for (arn, set) in &from.permission_sets {
        anew.add_permission_set(set.clone(), from.policies[arn].clone());
    }
    from.assignments.iter().for_each(|assignment| anew.add_assignment(assignment.clone()));
    from.accounts.values().for_each(|account| anew.add_account(account.clone(), &from.parents[&account.id]));
    from.units.values().for_each(|unit| anew.add_unit(unit.clone(), &from.parents[&unit.id]));
    anew
}

#[test]
fn after_random_writes_every_index_is_what_it_would_be_if_built_anew() {
    for seed in 1..=8 {
        let caller = Caller::new(&Shape { seed, users: 30, groups: 6, accounts: 4, permission_sets: 3 });
        let mut dice = Dice::new(seed, "random writes");
        let mut done = 0;
        for step in 0..120 {
            let now = caller.desk.organization();
            let (target, body) = random_write(&mut dice, &now, step);
            let (status, answer) = caller.call(target, body);
            assert!(matches!(status, 200 | 400), "{target}: {answer}");
            done += u32::from(status == 200);
        }
        let now = caller.desk.organization();
        assert_eq!(now.index, rebuilt(&now).index, "seed {seed}");
        assert!(done > 60, "seed {seed}: most writes must do something, {done} did");
    }
}

fn random_write(dice: &mut Dice, now: &Organization, step: usize) -> (&'static str, Value) {
    let pick = |dice: &mut Dice, ids: Vec<String>| ids.get(dice.below(ids.len())).cloned().unwrap_or_default();
    let user = pick(dice, now.users.keys().map(ToString::to_string).collect());
    let group = pick(dice, now.groups.keys().map(ToString::to_string).collect());
    let membership = pick(dice, now.memberships.keys().map(ToString::to_string).collect());
    let set = pick(dice, now.permission_sets.keys().map(ToString::to_string).collect());
    let account = pick(dice, now.accounts.keys().map(ToString::to_string).collect());
    let held = now.assignments.iter().nth(dice.below(now.assignments.len()));
    // Few names, so that many collide.
    let name = format!("N{}", dice.below(20));
    match dice.below(14) {
        8 | 9 => {
            let (kind, id) = if dice.once_in(2) { ("USER", user) } else { ("GROUP", group) };
            let body = json!({
                "PermissionSetArn": set, "TargetId": account, "TargetType": "AWS_ACCOUNT", "PrincipalType": kind,
                "PrincipalId": id,
            });
            ("SWBExternalService.CreateAccountAssignment", body)
        }
        10 | 11 => {
            let body = held.map_or(json!({}), |held| {
                json!({
                    "PermissionSetArn": held.permission_set_arn, "TargetId": held.account_id,
                    "TargetType": "AWS_ACCOUNT", "PrincipalType": held.principal_type, "PrincipalId": held.principal_id,
                })
            });
            ("SWBExternalService.DeleteAccountAssignment", body)
        }
        12 => ("SWBExternalService.CreatePermissionSet", json!({"Name": name})),
        13 => ("SWBExternalService.DeletePermissionSet", json!({"PermissionSetArn": set})),
        0 => ("AWSIdentityStore.CreateUser", person(&name)),
        1 => ("AWSIdentityStore.CreateGroup", json!({"DisplayName": name})),
        2 => ("AWSIdentityStore.CreateGroupMembership", json!({"GroupId": group, "MemberId": {"UserId": user}})),
        3 => ("AWSIdentityStore.DeleteGroupMembership", json!({"MembershipId": membership})),
        4 if step.is_multiple_of(3) => ("AWSIdentityStore.DeleteUser", json!({"UserId": user})),
        5 if step.is_multiple_of(3) => ("AWSIdentityStore.DeleteGroup", json!({"GroupId": group})),
        6 => {
            let operations = operation("displayName", json!(name));
            ("AWSIdentityStore.UpdateGroup", json!({"GroupId": group, "Operations": operations}))
        }
        _ => {
            let address = json!([{"Value": format!("{name}@example.net"), "Primary": true}]);
            let operations = json!([
                {"AttributePath": "userName", "AttributeValue": name}, {"AttributePath": "emails", "AttributeValue": address},
            ]);
            ("AWSIdentityStore.UpdateUser", json!({"UserId": user, "Operations": operations}))
        }
    }
}
