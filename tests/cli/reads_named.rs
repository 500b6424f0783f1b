//! Names in answers: deleted principals, assignments through groups, spellings, near names, and names that cannot be read.

use crate::world::World;
use awsideman::sandbox::{Rule, Shape};
use serde_json::{Value, json};

const CREATE_USER: &str = "AWSIdentityStore.CreateUser";
const DELETE_USER: &str = "AWSIdentityStore.DeleteUser";
const CREATE_GROUP: &str = "AWSIdentityStore.CreateGroup";
const CREATE_MEMBERSHIP: &str = "AWSIdentityStore.CreateGroupMembership";
const ASSIGN: &str = "SWBExternalService.CreateAccountAssignment";

/// The ids that requests past the product are made of.
struct Place {
    instance: Value,
    store: Value,
    account: Value,
    permission_sets: Vec<Value>,
}

impl Place {
    fn of(world: &World) -> Place {
        let instances = world.ask("SWBExternalService.ListInstances", &json!({}));
        let instance = instances["Instances"][0]["InstanceArn"].clone();
        let sets = world.ask("SWBExternalService.ListPermissionSets", &json!({"InstanceArn": instance}));
        let accounts = world.ask("AWSOrganizationsV20161128.ListAccounts", &json!({}));
        Place {
            store: instances["Instances"][0]["IdentityStoreId"].clone(),
            account: accounts["Accounts"].as_array().unwrap().last().unwrap()["Id"].clone(),
            permission_sets: sets["PermissionSets"].as_array().unwrap().clone(),
            instance,
        }
    }

    fn user(&self, world: &World, name: &str) -> Value {
        let user = json!({"IdentityStoreId": self.store, "UserName": name, "DisplayName": name,
                          "Name": {"GivenName": "A", "FamilyName": "B"}});
        world.ask(CREATE_USER, &user)["UserId"].clone()
    }

    fn group(&self, world: &World, name: &str) -> Value {
        let group = json!({"IdentityStoreId": self.store, "DisplayName": name});
        world.ask(CREATE_GROUP, &group)["GroupId"].clone()
    }

    fn join(&self, world: &World, group: &Value, user: &Value) {
        let membership = json!({"IdentityStoreId": self.store, "GroupId": group, "MemberId": {"UserId": user}});
        world.ask(CREATE_MEMBERSHIP, &membership);
    }

    fn assign(&self, world: &World, set: usize, kind: &str, principal: &Value) {
        let grant = json!({
            "InstanceArn": self.instance, "TargetId": self.account, "TargetType": "AWS_ACCOUNT",
            "PermissionSetArn": self.permission_sets[set], "PrincipalType": kind, "PrincipalId": principal,
        });
        world.ask(ASSIGN, &grant);
    }
}

fn world() -> (World, Place) {
    let world = World::of(&Shape { users: 12, groups: 2, accounts: 2, permission_sets: 3, ..Shape::default() });
    world.faults(|faults| faults.async_delay_ms = Some(0));
    let place = Place::of(&world);
    (world, place)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

#[test]
fn an_assignment_of_a_deleted_user_shows_its_id_and_json_null() {
    let (world, place) = world();
    let user = place.user(&world, "leaver");
    place.assign(&world, 0, "USER", &user);
    world.ask(DELETE_USER, &json!({"IdentityStoreId": place.store, "UserId": user}));
    let account = text(&place.account);
    let marked = format!("{} (deleted)", text(&user));
    let list = ["assignment", "list", "--account", account];
    world.run(list).ok().stdout_has(&marked);
    world.run(list.into_iter().chain(["--output", "csv"])).ok().stdout_has(&marked);
    world.run(list.into_iter().chain(["--filter", "PrincipalName=*(deleted)"])).ok().stdout_has(&marked);
    let rows = world.run(list.into_iter().chain(["--json"])).ok().json();
    let orphan = rows.as_array().unwrap().iter().find(|row| row["PrincipalId"] == user).unwrap();
    assert_eq!((&orphan["PrincipalName"], &orphan["PrincipalState"]), (&Value::Null, &json!("deleted")), "{orphan}");
    let named = rows.as_array().unwrap().iter().find(|row| row["PrincipalName"].is_string());
    assert!(
        named.is_none_or(|row| row.get("PrincipalState").is_none()),
        "only a deleted principal has a state: {rows}"
    );
    let chosen = world.run(list.into_iter().chain(["--json", "--columns", "PrincipalName,PrincipalId"])).ok().json();
    assert!(chosen.as_array().unwrap().contains(&json!({"PrincipalName": null, "PrincipalId": user})), "{chosen}");
}

#[test]
fn the_assignments_of_a_user_say_how_many_more_come_through_groups() {
    let (world, place) = world();
    let (user, group, other) = (place.user(&world, "ann"), place.group(&world, "ops"), place.group(&world, "idle"));
    place.join(&world, &group, &user);
    place.join(&world, &other, &user);
    place.assign(&world, 0, "GROUP", &group);
    place.assign(&world, 1, "GROUP", &group);
    let list = ["assignment", "list", "--principal", "ann"];
    let ran = world.run(list).ok().stderr_has("2 more assignments reach this user through 1 group");
    assert!(ran.stderr.contains("no direct assignments") && !ran.stderr.contains("no assignments"), "{ran:?}");
    assert_eq!(world.calls_of(|| world.run(list).ok().stderr_has("2 more assignments")), 0, "all of it is known now");
    world.run(list.into_iter().chain(["--json"])).ok().stderr_has("2 more assignments").stdout_has("[]");
    let one = text(&place.permission_sets[1]);
    world.run(list.into_iter().chain(["--permission-set", one])).ok().stderr_has("1 more assignment reaches");
    world.run(["assignment", "list", "--principal", "group:ops"]).ok().silent();

    let second = place.user(&world, "bob");
    place.join(&world, &group, &second);
    world.run(["user", "get", "bob"]).ok();
    world.faults(|faults| faults.access_denied = vec![Rule::of("ListGroupMembershipsForMember")]);
    world.run(["assignment", "list", "--principal", "bob"]).ok().stderr_has("through groups are incomplete");
}

#[test]
fn find_ignores_unicode_composition_and_get_suggests_similar_names() {
    let (world, place) = world();
    for name in ["zo\u{eb}", "Stra\u{df}e"] {
        place.user(&world, name);
    }
    place.group(&world, "Caf\u{e9} Team");
    for (words, found) in [
        (["user", "find", "zoe\u{308}"], "zo\u{eb}"),
        (["user", "find", "ZO\u{cb}"], "zo\u{eb}"),
        (["user", "find", "STRASSE"], "Stra\u{df}e"),
        (["user", "find", "zo?"], "zo\u{eb}"),
        (["group", "find", "cafe\u{301}*"], "Caf\u{e9} Team"),
        (["user", "list", "--filter=UserName=ZOE\u{308}"], "zo\u{eb}"),
        (["user", "list", "--filter=UserName~E\u{308}"], "zo\u{eb}"),
    ] {
        world.run(words).ok().stdout_has(found);
    }
    for (words, near) in [
        (["user", "get", "zoe\u{308}"], "did you mean `zo\u{eb}`?"),
        (["user", "get", "zoe"], "did you mean `zo\u{eb}`?"),
        (["user", "groups", "strasse"], "did you mean `Stra\u{df}e`?"),
        (["group", "get", "cafe team"], "did you mean `Caf\u{e9} Team`?"),
    ] {
        world.run(words).code(5).stderr_has(near);
    }
    let lone = World::small();
    let ran = lone.run(["user", "get", "nobody-at-all"]).code(5);
    assert!(!ran.stderr.contains("did you mean"), "nothing is held that could be near: {ran:?}");
}

#[test]
fn names_that_cannot_be_read_leave_the_rows_and_end_with_3() {
    let (world, place) = world();
    let (user, group) = (place.user(&world, "ann"), place.group(&world, "ops"));
    place.join(&world, &group, &user);
    place.assign(&world, 0, "GROUP", &group);
    let user = text(&user);
    let account = text(&place.account);
    for (operation, words, missing) in [
        ("DescribeGroup", vec!["user", "groups", user], "the names of 1 group"),
        ("DescribeUser", vec!["group", "members", text(&group)], "the names of 1 user"),
        ("DescribePermissionSet", vec!["assignment", "list", "--account", account], "permission sets"),
        ("DescribeAccount", vec!["assignment", "list", "--account", account], "the names of 1 account"),
    ] {
        world.faults(|faults| faults.access_denied = vec![Rule::of(operation)]);
        let words = words.into_iter().chain(["--json", "--no-cache"]);
        let ran = world.run(words).code(3).stderr_has(missing).stderr_has(operation);
        assert!(!ran.json().as_array().unwrap().is_empty(), "{ran:?}");
    }
}
