//! Users, groups and memberships: whose name it is is asked of AWS, and nothing happens that nobody agreed to.

use crate::world::World;
use awsideman::sandbox::Rule;
use serde_json::{Value, json};

/// How often the sandbox was asked for operations that change something.
fn changes(world: &World) -> u64 {
    let verbs = [".Create", ".Update", ".Delete", ".Attach", ".Detach", ".Put", ".Provision"];
    let is_change = |name: &str| verbs.iter().any(|verb| name.contains(verb));
    world.calls().by_operation.iter().filter(|(name, _)| is_change(name)).map(|(_, n)| n).sum()
}

fn people(world: &World) -> Vec<Value> {
    world.run(["user", "list", "--json"]).ok().json().as_array().unwrap().clone()
}

/// Renames a user as another tool would, so that the cache does not know.
fn rename_elsewhere(world: &World, user: &Value, name: &str) {
    let operations = json!([{"AttributePath": "userName", "AttributeValue": name}]);
    let body = json!({
        "IdentityStoreId": user["IdentityStoreId"], "UserId": user["UserId"], "Operations": operations,
    });
    world.ask("AWSIdentityStore.UpdateUser", &body);
}

#[test]
fn a_name_given_to_another_user_meanwhile_belongs_to_that_user() {
    let world = World::small();
    let people = people(&world);
    let (one, other) = (&people[0], &people[1]);
    let name = one["UserName"].as_str().unwrap();
    world.run(["user", "get", name]).ok();
    rename_elsewhere(&world, one, "renamed");
    world.run(["user", "delete", name, "--yes", "--leave-assignments"]).code(5).stderr_has("AWS itself was asked");
    assert_eq!(world.sandbox().counts().users, 20, "the cache still knew that name");
    rename_elsewhere(&world, other, name);
    let done = world.run(["user", "delete", name, "--yes", "--leave-assignments", "--json"]).ok().json();
    assert_eq!(done["results"][0]["UserId"], other["UserId"]);
    world.run(["user", "get", "renamed", "--refresh"]).ok();
}

#[test]
fn an_unconfirmed_change_is_not_made_and_a_dry_run_writes_nothing() {
    let world = World::small();
    let name = people(&world)[0]["UserName"].as_str().unwrap().to_owned();
    let group = world.run(["group", "list", "--json"]).ok().json()[0]["DisplayName"].as_str().unwrap().to_owned();
    let before = changes(&world);
    for words in [["user", "delete", &name, "--revoke"], ["group", "delete", &group, "--revoke"]] {
        let ran = world.run(words).code(2).stderr_has("not a terminal").stderr_has("--dry-run");
        assert!(ran.stdout.is_empty() && ran.stderr.contains(words[2]), "{ran:?}");
    }
    let rehearsals: [&[&str]; 6] = [
        &["user", "create", "--username", "ada", "--first-name", "A", "--last-name", "L", "--dry-run"],
        &["user", "update", &name, "--email", "new@example.com", "--dry-run"],
        &["user", "delete", &name, "--dry-run"],
        &["group", "create", "--name", "New", "--dry-run"],
        &["group", "update", &group, "--name", "Other", "--dry-run"],
        &["group", "delete", &group, "--dry-run"],
    ];
    for words in rehearsals {
        world.run(words.iter().copied()).ok().stdout_has("would ");
    }
    let taken = ["user", "create", "--username", &name, "--first-name", "A", "--last-name", "L", "--dry-run"];
    world.run(taken).code(1).stderr_has("exists already");
    assert_eq!(changes(&world), before);
    assert_eq!(world.run(["journal", "list", "--json"]).ok().json()["entries"], json!([]));
}

#[test]
fn what_is_so_already_is_said_and_not_asked_for_again() {
    let world = World::small();
    let user = people(&world)[0].clone();
    let name = user["UserName"].as_str().unwrap();
    let shown = user["DisplayName"].as_str().unwrap();
    world.run(["group", "create", "--name", "Ops", "--description", "On call"]).ok();
    world.run(["group", "add-member", "Ops", name]).ok().stdout_has("done ");
    let before = changes(&world);
    let again: [&[&str]; 3] = [
        &["user", "update", name, "--display-name", shown],
        &["group", "update", "Ops", "--description", "On call"],
        &["group", "add-member", "Ops", name],
    ];
    for words in again {
        world.run(words.iter().copied()).ok().stdout_has("already ");
    }
    assert_eq!(changes(&world), before);
    world.run(["group", "remove-member", "Ops", name, "--yes"]).ok().stdout_has("done ");
    let left = world.run(["group", "remove-member", "Ops", name, "--json"]).ok().json();
    assert_eq!((&left["results"][0]["outcome"], &left["counts"]["already"]), (&json!("already"), &json!(1)));
    assert_eq!(changes(&world), before + 1);
}

#[test]
fn an_empty_value_removes_an_attribute_and_a_name_cannot_be_removed() {
    let world = World::small();
    world.run(["group", "create", "--name", "Ops", "--description", "On call"]).ok();
    world.run(["group", "update", "Ops", "--description", "", "--name", "Operations"]).ok();
    let group = world.run(["group", "get", "Operations", "--json"]).ok().json();
    assert!(group.get("Description").is_none(), "{group}");
    world.run(["group", "update", "Operations", "--name", ""]).code(2).stderr_has("--name");
    world.run(["group", "update", "Operations"]).code(2).stderr_has("--description");
}

#[test]
fn a_value_that_aws_refuses_is_named_and_is_exit_2() {
    let world = World::small();
    let ran = world.run(["user", "create", "--username", "a b", "--first-name", "A", "--last-name", "L"]).code(2);
    ran.stderr_has("`userName`: Member must satisfy").stderr_has("fix the value");
}

#[test]
fn a_lost_answer_is_reported_as_unknown_with_the_command_to_type() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    world.faults(|faults| faults.reset = vec![Rule::of("CreateUser").after()]);
    let words = ["user", "create", "--username", "ada", "--first-name", "A", "--last-name", "L"];
    let ran = world.run(words).code(13).stderr_has("it is not known whether AWS made the change: create user `ada`");
    ran.stderr_has("`awsideman user get ada --refresh`");
    world.faults(|_| ());
    world.run(["user", "get", "ada"]).ok();
    let entry = world.run(["journal", "list", "--json"]).ok().json()["entries"][0].clone();
    assert!(entry["outcome"].as_str().unwrap().starts_with("unknown: "), "{entry}");
    assert!(entry["check"].as_str().unwrap().contains("--refresh"), "{entry}");
    assert!(!entry["who"].as_str().unwrap().is_empty() && entry["at"].as_str().unwrap().ends_with('Z'), "{entry}");
}

#[test]
fn an_update_by_name_takes_one_look_and_one_change() {
    let world = World::small();
    let name = people(&world)[0]["UserName"].as_str().unwrap().to_owned();
    let made = world.calls_of(|| world.run(["user", "update", &name, "--first-name", "New"]).ok());
    assert_eq!(made, 3, "the name confirmed, what was there before, the change");
    let found = world.run(["user", "get", &name, "--json"]).ok().json();
    assert_eq!(found["Name"]["GivenName"], "New");
}

#[test]
fn changes_are_written_to_a_file_and_reported_as_one_document() {
    let world = World::small();
    let file = world.beside("made.json");
    let words = ["group", "create", "--name", "Ops", "--json", "--out", file.to_str().unwrap()];
    let ran = world.run(words).ok().silent();
    assert!(ran.stdout.is_empty());
    let document: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let result = &document["results"][0];
    assert_eq!((&document["schema_version"], &result["operation"]), (&json!(1), &json!("CreateGroup")));
    assert_eq!((&result["DisplayName"], &result["journal"]), (&json!("Ops"), &json!(1)));
    assert!(result["GroupId"].as_str().is_some_and(|id| !id.is_empty()), "{result}");
}

#[test]
fn a_change_past_the_cache_is_told_to_it_all_the_same() {
    let world = World::small();
    let name = people(&world)[0]["UserName"].as_str().unwrap().to_owned();
    world.run(["user", "get", &name]).ok();
    world.run(["user", "update", &name, "--first-name", "New", "--no-cache"]).ok();
    let read = || world.run(["user", "get", &name, "--json"]).ok().json()["Name"]["GivenName"].clone();
    assert_eq!(read(), "New");
    world.run(["user", "update", &name, "--username", "renamed", "--no-cache"]).ok();
    world.run(["user", "get", &name]).code(5);
    world.run(["user", "get", "renamed"]).ok();
}
