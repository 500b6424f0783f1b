//! Permission sets and their policies: several changes that belong together, and accounts that lag behind.

use crate::world::World;
use awsideman::sandbox::{Rule, Shape};
use serde_json::{Value, json};

const AUDIT: &str = "arn:aws:iam::aws:policy/SecurityAudit";
const VIEW: &str = "arn:aws:iam::aws:policy/job-function/ViewOnlyAccess";

fn a_user_and_an_account(world: &World) -> (String, String) {
    let first = |words: [&str; 3], field: &str| world.run(words).ok().json()[0][field].as_str().unwrap().to_owned();
    (first(["user", "list", "--json"], "UserName"), first(["account", "list", "--json"], "Id"))
}

#[test]
fn a_failure_half_way_says_what_stands_and_what_does_not() {
    let world = World::small();
    world.faults(|faults| faults.access_denied = vec![Rule::nth(2, "AttachManagedPolicyToPermissionSet")]);
    let policies =
        ["--managed-policy", AUDIT, "--managed-policy", VIEW, "--managed-policy", "arn:aws:iam::aws:policy/X"];
    let words = ["ps", "create", "--name", "Audit", "--json"].into_iter().chain(policies);
    let ran = world.run(words).code(3);
    let results = ran.json()["results"].as_array().unwrap().clone();
    let outcomes: Vec<&str> = results.iter().map(|result| result["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["done", "done", "failed", "skipped"]);
    assert!(results[2]["error"].as_str().unwrap().contains("AWS denied"), "{results:?}");
    assert!(ran.stderr.contains(VIEW) && ran.stderr.contains("not begun"), "{}", ran.stderr);
    world.faults(|_| ());
    let set = world.run(["ps", "get", "Audit", "--json"]).ok().json();
    assert_eq!(set["ManagedPolicies"].as_array().unwrap().len(), 1);
}

#[test]
fn accounts_that_lag_behind_are_counted_and_provisioned_when_asked_for() {
    let world = World::small();
    let (user, account) = a_user_and_an_account(&world);
    world.run(["ps", "create", "--name", "Audit"]).ok().stderr_has("");
    let alone = world.run(["ps", "attach", "Audit", AUDIT]).ok();
    assert!(!alone.stderr.contains("provision"), "no account has it: {}", alone.stderr);
    world.run(["assignment", "assign", "Audit", &user, &account]).ok();
    world.run(["ps", "attach", "Audit", VIEW]).ok().stderr_has("1 account has it as it was before");
    let done = world.run(["ps", "detach", "Audit", VIEW, "--yes", "--provision", "--json"]).ok().json();
    let operations: Vec<&str> =
        done["results"].as_array().unwrap().iter().map(|result| result["operation"].as_str().unwrap()).collect();
    assert_eq!(operations, ["DetachManagedPolicyFromPermissionSet", "ProvisionPermissionSet"]);
    world.run(["ps", "provision", "Audit", "--account", &account]).ok().stdout_has("done      provision");
    world.run(["ps", "delete", "Audit", "--yes"]).code(1).stderr_has("assignment list --permission-set Audit");
}

#[test]
fn unchanged_policies_are_left_alone_and_invalid_documents_are_not_sent() {
    let world = World::small();
    world.run(["ps", "create", "--name", "Audit", "--managed-policy", AUDIT]).ok();
    let own = ["--customer-managed", "audit-more", "--policy-path", "/team/"];
    world.run(["ps", "attach", "Audit"].into_iter().chain(own)).ok().stdout_has("done ").stdout_has("/team/audit-more");
    let file = world.write("policy.json", r#"{"Version":"2012-10-17","Statement":[]}"#).display().to_string();
    world.run(["ps", "put-inline", "Audit", "--file", &file]).ok().stdout_has("done ");
    let spaced =
        world.write("spaced.json", "{ \"Statement\": [],\n \"Version\": \"2012-10-17\" }").display().to_string();
    let before = world.calls();
    let again: [&[&str]; 4] = [
        &["ps", "attach", "Audit", AUDIT],
        &["ps", "attach", "Audit", "--customer-managed", "audit-more", "--policy-path", "/team/"],
        &["ps", "detach", "Audit", VIEW],
        &["ps", "put-inline", "Audit", "--file", &spaced],
    ];
    for words in again {
        world.run(words.iter().copied()).ok().stdout_has("already ");
    }
    let changing = |calls: &awsideman::sandbox::CallCounts| {
        let names = ["Attach", "Detach", "Put"].map(|verb| format!("SWBExternalService.{verb}"));
        let mine = |name: &&String| names.iter().any(|start| name.starts_with(start));
        calls.by_operation.keys().filter(mine).map(|name| calls.by_operation[name]).sum::<u64>()
    };
    assert_eq!(changing(&world.calls()), changing(&before));
    for (text, words) in [("[]", "not a JSON object"), ("{", "not JSON")] {
        let wrong = world.write("wrong.json", text).display().to_string();
        assert_eq!(
            world.calls_of(|| world.run(["ps", "put-inline", "Audit", "--file", &wrong]).code(2).stderr_has(words)),
            0
        );
    }
    world.run(["ps", "put-inline", "Audit", "--file", "no-such-file"]).code(2).stderr_has("no-such-file");
    world.run(["ps", "attach", "Audit", "SecurityAudit"]).code(2).stderr_has("--customer-managed");
    world.run(["ps", "attach", "Audit"]).code(2);
    world.run(["ps", "delete-inline", "Audit"]).code(2).stderr_has("--yes");
    world.run(["ps", "delete-inline", "Audit", "--yes"]).ok().stdout_has("done ");
    world.run(["ps", "delete-inline", "Audit"]).ok().stdout_has("already ");
}

#[test]
fn an_update_keeps_what_it_does_not_name() {
    let world = World::small();
    let fields = ["--session-duration", "8h", "--relay-state", "https://example.com/x", "--description", "Look"];
    world.run(["ps", "create", "--name", "Audit"].into_iter().chain(fields)).ok();
    world.run(["ps", "update", "Audit", "--session-duration", "4h"]).ok().stdout_has("done ");
    let set = world.run(["ps", "get", "Audit", "--json"]).ok().json();
    assert_eq!(
        (&set["SessionDuration"], &set["RelayState"], &set["Description"]),
        (&json!("PT4H"), &json!("https://example.com/x"), &json!("Look"))
    );
    world.run(["ps", "update", "Audit", "--session-duration", "PT4H"]).ok().stdout_has("already ");
    world.run(["ps", "update", "Audit", "--session-duration", "13h"]).code(2).stderr_has("1h to 12h");
}

#[test]
fn a_suspended_account_is_skipped_by_name_and_an_empty_set_reported() {
    let world = World::of(&Shape { users: 5, groups: 2, accounts: 5, permission_sets: 2, ..Shape::default() });
    world.run(["ps", "create", "--name", "Audit"]).ok();
    let none = world.run(["ps", "provision", "Audit", "--json"]).ok().json();
    assert_eq!((&none["results"][0]["outcome"], &none["results"][0]["Accounts"]), (&json!("already"), &json!(0)));
    world.run(["ps", "provision", "Audit"]).ok().stdout_has("0 accounts have it");
    world.run(["ps", "attach", "Audit", AUDIT, "--provision"]).ok().stdout_has("0 accounts have it");

    let (user, _) = a_user_and_an_account(&world);
    let accounts = world.run(["assignment", "assign", "Audit", &user, "--all-accounts", "--json"]).ok().json();
    let ids: Vec<String> = accounts["results"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|row| row["outcome"] == "done")
        .map(|row| row["AccountId"].as_str().unwrap().to_owned())
        .collect();
    let closed = ids.iter().find(|id| world.closes(id)).unwrap();
    for (words, kind) in [
        (&["ps", "provision", "Audit", "--json"][..], "ProvisionPermissionSet"),
        (&["ps", "attach", "Audit", VIEW, "--provision", "--json"], "ProvisionPermissionSet"),
        (
            &["assignment", "assign", "Audit", "--principal-type", "USER", &user, "--all-accounts", "--json"],
            "CreateAccountAssignment",
        ),
        (&["assignment", "revoke", "Audit", &user, "--all-accounts", "--yes", "--json"], "DeleteAccountAssignment"),
    ] {
        let document = world.run(words.iter().copied()).ok().json();
        let rows: Vec<&Value> =
            document["results"].as_array().unwrap().iter().filter(|row| row["operation"] == kind).collect();
        for id in &ids {
            let row = rows.iter().find(|row| row["AccountId"] == **id).unwrap_or_else(|| panic!("{id}: {document}"));
            let expected = if id == closed { ("skipped", "suspended") } else { (row["outcome"].as_str().unwrap(), "") };
            let found = (row["outcome"].as_str().unwrap(), row["reason"].as_str().unwrap_or_default());
            assert_eq!(found, expected, "{words:?} {document}");
            assert!(id == closed || ["done", "already"].contains(&found.0), "{words:?} {document}");
        }
    }
    world.run(["ps", "provision", "Audit"]).ok().shows(&format!("skipped provision ... {closed}): suspended"));
}
