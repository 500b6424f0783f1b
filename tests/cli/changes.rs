//! Changes as people make them: names in, a look at what goes, what came of it, and what is written down.

use crate::world::World;
use awsideman::sandbox::Rule;
use serde_json::Value;

fn first(world: &World, words: &[&str], field: &str) -> String {
    let all = world.run(words.iter().copied()).ok().json();
    all.as_array().unwrap()[0][field].as_str().unwrap().to_owned()
}

#[test]
fn a_user_is_created_updated_grouped_and_deleted_by_name() {
    let world = World::small();
    let words = ["user", "create", "--username", "ada", "--first-name", "Ada", "--last-name", "King"];
    world.run(words).ok().stdout_has("done      create user `ada`");
    world.run(words).code(1).stderr_has("Duplicate UserName").stderr_has("awsideman user get ada");
    world.run(["user", "update", "ada", "--email", "ada@example.com"]).ok().stdout_has("done      update user `ada`");
    assert_eq!(world.run(["user", "get", "ada", "--json"]).ok().json()["Emails"][0]["Value"], "ada@example.com");
    world.run(["group", "create", "--name", "Auditors"]).ok();
    world
        .run(["group", "add-member", "Auditors", "ada"])
        .ok()
        .stdout_has("add user `ada`")
        .stdout_has("to group `Auditors`");
    world.run(["group", "add-member", "Auditors", "ada"]).ok().stdout_has("already");
    world.run(["user", "groups", "ada", "--columns", "GroupName"]).ok().stdout_has("Auditors");
    world
        .run(["user", "delete", "ada", "--dry-run"])
        .ok()
        .stdout_has("would     delete user `ada`")
        .stdout_has("with 1 membership");
    world.run(["user", "delete", "ada"]).code(2).stderr_has("--yes");
    world.run(["user", "get", "ada"]).ok();
    world.run(["user", "delete", "ada", "--yes"]).ok().stdout_has("done      delete user `ada`");
    world.run(["user", "get", "ada"]).code(5);
    world.run(["group", "members", "Auditors", "--json"]).ok().stdout_has("[]");
    let journal = world.run(["journal", "list", "--json"]).ok().json();
    let operations: Vec<&str> =
        journal["entries"].as_array().unwrap().iter().map(|entry| entry["operation"].as_str().unwrap()).collect();
    assert_eq!(operations[0], "AWSIdentityStore.DeleteUser");
    assert_eq!(operations.len(), 6, "{operations:?}");
    let id = journal["entries"][0]["id"].to_string();
    let shown = world.run(["journal", "show", &id, "--json"]).ok().json();
    assert_eq!((&shown["before"]["User"]["UserName"], &shown["outcome"]), (&Value::from("ada"), &Value::from("done")));
}

#[test]
fn a_permission_set_is_made_with_its_policies_and_goes_with_them() {
    let world = World::small();
    let policy = "arn:aws:iam::aws:policy/SecurityAudit";
    let words = ["ps", "create", "--name", "Audit", "--session-duration", "8h", "--managed-policy", policy];
    world.run(words).ok().stdout_has("create permission set `Audit`").stdout_has("done      attach");
    let set = world.run(["ps", "get", "Audit", "--json"]).ok().json();
    assert_eq!((&set["SessionDuration"], &set["ManagedPolicies"][0]["Arn"]), (&"PT8H".into(), &policy.into()));
    let file = world.write("policy.json", r#"{"Version":"2012-10-17","Statement":[]}"#);
    world.run(["ps", "put-inline", "Audit", "--file", &file.display().to_string()]).ok();
    let set = world.run(["ps", "get", "Audit", "--json"]).ok().json();
    assert!(set["InlinePolicy"].as_str().unwrap().contains("2012-10-17"));
    let wrong = world.write("wrong.json", "{");
    world.run(["ps", "put-inline", "Audit", "--file", &wrong.display().to_string()]).code(2);
    world.run(["ps", "detach", "Audit", policy, "--yes"]).ok();
    world.run(["ps", "delete", "Audit", "--yes"]).ok();
    world.run(["ps", "get", "Audit"]).code(5);
}

#[test]
fn an_assignment_is_followed_to_its_end_in_one_and_many_accounts() {
    let world = World::new();
    world.run(["ps", "create", "--name", "Audit"]).ok();
    let user = first(&world, &["user", "list", "--json"], "UserName");
    let group = first(&world, &["group", "list", "--json"], "DisplayName");
    let account = first(&world, &["account", "list", "--json"], "Id");
    world.run(["assignment", "get", "Audit", &user, &account]).code(5);
    world.run(["assignment", "assign", "Audit", &user, &account]).ok().stdout_has("done ");
    world.run(["assignment", "assign", "Audit", &user, &account]).ok().stdout_has("already");
    world.run(["assignment", "get", "Audit", &user, &account]).ok();
    world.run(["assignment", "assign", "Audit", &user]).code(2).stderr_has("--all-accounts");
    let dry = ["assignment", "assign", "Audit", &group, "--all-accounts", "--principal-type", "GROUP", "--dry-run"];
    let before = world.sandbox().counts().assignments;
    world.run(dry).ok().stdout_has("would     assign");
    assert_eq!(world.sandbox().counts().assignments, before);
    world.faults(|faults| faults.access_denied_accounts = vec![account.clone()]);
    let many = ["assignment", "assign", "Audit", &group, "--all-accounts", "--principal-type", "GROUP"];
    let ran = world.run(many.into_iter().chain(["--continue-on-error"])).code(3);
    assert!(ran.stderr.contains(&account) && ran.stdout.contains("done      assign"), "{ran:?}");
    world.faults(|faults| faults.fail_async = vec![Rule::of("CreateAccountAssignment")]);
    world.run(["assignment", "assign", "Audit", &group, &account]).code(1).stderr_has("request id");
    world.faults(|_| ());
    world.run(["assignment", "revoke", "Audit", &user, &account]).code(2);
    world.run(["assignment", "revoke", "Audit", &user, &account, "--yes"]).ok().stdout_has("done      revoke");
    world.run(["assignment", "get", "Audit", &user, &account]).code(5);
    for unknown in ["12345678-90ab-cdef-1234-567890abcdef", "nosuch"] {
        let ran = world.run(["assignment", "status", unknown]).code(5);
        let ran = ran.stderr_has(&format!("AWS knows no request `{unknown}`")).stderr_has("awsideman journal list");
        assert!(!ran.stderr.contains("iam-policy"), "{ran:?}");
    }
}
