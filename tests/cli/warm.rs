//! Warms and plans as people run them: what they cost, what they share, how they go on, and what they say.

use crate::world::{LIST_USERS, Ran, World};
use awsideman::sandbox::{Faults, Rule, Shape};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::process::{Child, Stdio};
use std::time::Duration;

const PAIRS: &str = "SWBExternalService.ListAccountAssignments";
const PRINCIPALS: &str = "SWBExternalService.ListAccountAssignmentsForPrincipal";
const PATIENCE: Duration = Duration::from_secs(30);

/// About 120 pairs, so that a walk is under way for a while; fewer than there are people.
fn wide() -> World {
    World::of(&Shape { users: 150, groups: 20, accounts: 40, ..Shape::default() })
}

/// Some 300 pairs and 40 people and groups: asking those is cheaper.
fn dense() -> World {
    World::of(&Shape { users: 30, groups: 10, accounts: 50, permission_sets: 12, ..Shape::default() })
}

fn begin(world: &World, words: &[&str]) -> Child {
    let mut command = world.command(words.iter().copied());
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

fn ended(child: Child) -> Ran {
    Ran::of("cache warm".into(), &child.wait_with_output().unwrap())
}

fn calls(world: &World, operation: &str) -> u64 {
    world.calls().by_operation.get(operation).copied().unwrap_or(0)
}

fn rows(ran: &Ran) -> BTreeSet<String> {
    let row = |row: &Value| {
        ["AccountId", "PermissionSetArn", "PrincipalType", "PrincipalId"].map(|field| row[field].to_string()).join(" ")
    };
    ran.json().as_array().unwrap().iter().map(row).collect()
}

fn target<'a>(document: &'a Value, name: &str) -> &'a Value {
    document["targets"].as_array().unwrap().iter().find(|target| target["target"] == name).unwrap()
}

#[test]
fn unreadable_targets_are_listed_and_nothing_incomplete_is_stored() {
    let mut world = World::new();
    world.set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    let accounts = world.run(["account", "list", "--filter", "Status=ACTIVE", "--json"]).ok().json();
    let account = |n: usize| accounts[n]["Id"].as_str().unwrap().to_owned();
    let (denied, reset, cut, endless) = (account(1), account(2), account(3), account(4));
    let faults = Faults {
        access_denied_accounts: vec![denied.clone()],
        reset: vec![Rule::of(PAIRS).in_account(&reset)],
        truncate: vec![Rule::of(PAIRS).in_account(&cut)],
        repeat_token: vec![Rule::of(PAIRS).in_account(&endless)],
        ..Faults::default()
    };
    world.sandbox().set_faults(faults).unwrap();
    let warm = world.run(["cache", "warm", "--json"]).code(3);
    for part in [&denied, &reset, &cut, &endless, "NextToken", "denied"] {
        assert!(warm.stderr.contains(part), "{part}: {}", warm.stderr);
    }
    let done = warm.json();
    let failed: usize =
        done["targets"].as_array().unwrap().iter().map(|target| target["failures"].as_array().unwrap().len()).sum();
    assert_eq!((&done["complete"], target(&done, "users")["items"].as_u64()), (&json!(false), Some(300)));

    // Nothing of what failed is held, everything else is.
    for account in [&denied, &reset, &cut, &endless] {
        world.run(["assignment", "list", "--account", account, "--cache-only"]).code(10);
    }
    world.sandbox().set_faults(Faults::default()).unwrap();
    let again = world.calls_of(|| world.run(["cache", "warm"]).ok());
    assert_eq!(again, failed as u64, "only what failed is asked for again");
    let found = rows(&world.run(["assignment", "list", "--json"]).ok());
    assert_eq!(found.len(), world.sandbox().counts().assignments);
}

#[test]
fn a_killed_warm_is_resumed_and_no_finished_target_walked_twice() {
    let world = wide();
    world.sandbox().hold(Rule { count: Some(1_000), ..Rule::nth(20, PAIRS) }).unwrap();
    let mut child = begin(&world, &["cache", "warm", "permission-sets", "assignments"]);
    assert!(world.sandbox().wait_for_held(32, PATIENCE), "the walk is under way");
    child.kill().unwrap();
    child.wait().unwrap();
    world.sandbox().set_faults(Faults::default()).unwrap();
    let before = world.calls();
    let done = world.run(["cache", "warm", "permission-sets", "assignments", "--json"]).ok().json();
    let assignments = target(&done, "assignments");
    let after = world.calls();
    let walked = |operation: &str| {
        let of = |calls: &awsideman::sandbox::CallCounts| calls.by_operation.get(operation).copied().unwrap_or(0);
        of(&after) - of(&before)
    };
    assert_eq!(walked("SWBExternalService.ListPermissionSets"), 0);
    assert_eq!(walked("SWBExternalService.ListAccountsForProvisionedPermissionSet"), 0);
    // 8 ways and the 19 pairs that had been answered.
    assert_eq!(assignments["fresh"], 8 + 19, "{assignments}");
    assert_eq!(assignments["fetched"].as_u64(), Some(walked(PAIRS)));
    // A warm that came to its end is not gone on with.
    let anew = world.run(["cache", "warm", "permission-sets", "assignments", "--json"]).ok().json();
    assert_eq!(target(&anew, "assignments")["fresh"], 0);
}

#[test]
fn after_discovery_a_plan_is_what_the_warm_then_costs() {
    let world = wide();
    world.run(["cache", "warm"]).ok();
    let plan = world.run(["cache", "warm", "--plan", "--json"]).ok().silent().json();
    assert_eq!((&plan["exact"], &plan["spent"]), (&json!(true), &json!(0)));
    let fact = world.run(["cache", "warm", "--json"]).ok().json();
    for planned in plan["targets"].as_array().unwrap() {
        let name = planned["target"].as_str().unwrap();
        let warmed = target(&fact, name);
        assert!(planned["calls"].as_u64() >= warmed["fetched"].as_u64(), "{planned} {warmed}");
    }
    let (planned, cost) = (plan["calls"].as_f64().unwrap(), fact["calls"].as_f64().unwrap());
    assert!((planned - cost).abs() <= cost * 0.02, "{planned} were planned, {cost} were made");
    // What is young is left alone, and the plan knows it.
    let young = world.run(["cache", "warm", "--plan", "--if-older", "1h", "--json"]).ok().json();
    assert_eq!(young["calls"], 0);
    assert_eq!(world.calls_of(|| world.run(["cache", "warm", "--if-older", "1h"]).ok()), 0);
    assert_eq!(world.calls_of(|| world.run(["cache", "warm", "--refresh-ahead"]).ok()), 0);
}

#[test]
fn a_cold_plan_costs_few_calls() {
    let world = World::of(&Shape { users: 250, groups: 20, accounts: 60, permission_sets: 12, ..Shape::default() });
    let plan = world.run(["cache", "warm", "--plan", "--json"]).ok().json();
    let spent = world.calls().total;
    assert_eq!(plan["spent"].as_u64(), Some(spent), "{plan}");
    assert!(spent <= 10.max(plan["calls"].as_u64().unwrap() / 100), "{plan}");
    assert_eq!(plan["exact"], false);
    let fact = world.run(["cache", "warm", "--json"]).ok().json();
    let (planned, cost) = (plan["calls"].as_f64().unwrap(), fact["calls"].as_f64().unwrap());
    // A sample of permission sets tells the size of it, no more.
    assert!(planned > cost * 0.4 && planned < cost * 2.5, "{planned} were planned, {cost} were made");
    let mut tight = world;
    tight.set("AWSIDEMAN_CACHE_MAX_SIZE_MB", "0.1");
    let said = tight.run(["cache", "warm", "--plan"]).ok();
    assert!(said.stderr.contains("cache.max_size_mb allows") && said.stderr.contains("set cache.max_size_mb to"));
}

#[test]
fn a_budget_is_never_passed_and_the_next_run_goes_on() {
    let world = World::new();
    let whole = World::new().run(["cache", "warm", "--json"]).ok().json()["calls"].as_u64().unwrap();
    let mut sum = 0;
    for run in 0.. {
        assert!(run < 10, "it comes to an end");
        let mut ran = None;
        let cost = world.calls_of(|| ran = Some(world.run(["cache", "warm", "--budget", "25"])));
        assert!(cost <= 25, "{cost}");
        sum += cost;
        if ran.unwrap().exit == 0 {
            break;
        }
    }
    assert!(sum <= whole + 10, "{sum} in all, {whole} at once");
}

#[test]
fn warms_at_once_share_the_work_and_wait_for_each_other() {
    let world = wide();
    world.sandbox().hold(Rule::first(1, LIST_USERS)).unwrap();
    let first = begin(&world, &["cache", "warm", "users"]);
    assert!(world.sandbox().wait_for_held(1, PATIENCE));
    let refused = world.run(["cache", "warm", "users", "--no-wait", "--json"]).code(3);
    assert!(refused.stderr.contains("not kept: the users: another process is fetching it"), "{refused:?}");
    assert_eq!(target(&refused.json(), "users")["outcome"], "not kept");
    let waiting = begin(&world, &["cache", "warm", "users", "--json"]);
    let named = begin(&world, &["cache", "warm", "users", "--wait", "--json"]);
    // Whether it waits already or comes after: it finds what the first one stores.
    world.sandbox().release("*", None);
    ended(first).ok();
    for waited in [waiting, named] {
        let done = ended(waited).ok().silent().json();
        assert_eq!((&target(&done, "users")["fresh"], &done["outcome"]), (&json!(1), &json!("done")));
    }
    assert_eq!(calls(&world, LIST_USERS), 2, "asked once, two pages");

    // One is held up in the middle; three more begin and end meanwhile, each with a part of the rest.
    let alone = wide().run(["cache", "warm", "--json"]).ok().json()["calls"].as_u64().unwrap();
    let world = wide();
    world.sandbox().hold(Rule::first(1, LIST_USERS)).unwrap();
    let first = begin(&world, &["cache", "warm"]);
    assert!(world.sandbox().wait_for_held(1, PATIENCE));
    let others: Vec<Child> = (0..3).map(|_| begin(&world, &["cache", "warm", "--no-wait"])).collect();
    for other in others {
        ended(other).code(3).stderr_has("not kept: ");
    }
    world.sandbox().release("*", None);
    ended(first).ok();
    // Two pages of users each tell the three others which walk is the cheaper; everything else is asked once.
    let counted = 3 * 2;
    assert!(world.calls().total <= alone + counted, "{} by four, {alone} by one", world.calls().total);
}

#[test]
fn a_long_walk_without_a_cache_states_its_cost_and_limit() {
    let shape = Shape { users: 600, groups: 40, accounts: 100, permission_sets: 20, ..Shape::default() };
    let world = World::of(&shape);
    let asked = world.calls_of(|| {
        let ran = world.run(["assignment", "list", "--json", "--max-calls", "150"]).code(3);
        for part in ["this takes", "calls to AWS", "at the quota", "stops after 150 calls", "--yes"] {
            assert!(ran.stderr.contains(part), "{part}: {}", ran.stderr);
        }
    });
    assert!(asked <= 150, "{asked} calls");
    let found = rows(&world.run(["assignment", "list", "--yes", "--json"]).ok().stderr_has("calls to AWS"));
    assert_eq!(found.len(), world.sandbox().counts().assignments);
    let held = world.run(["assignment", "list", "--json"]).ok();
    assert_eq!(rows(&held), found, "what is held does not count");

    let other = World::of(&shape);
    other.run(["cache", "warm", "assignments"]).ok();
    other.run(["assignment", "list", "--json"]).ok();
    assert_eq!(calls(&other, PAIRS), calls(&world, PAIRS), "the list is answered by what the warm stored");
}

#[test]
fn principals_or_pairs_are_asked_whichever_is_cheaper_and_allowed() {
    let world = dense();
    let done = world.run(["cache", "warm", "assignments", "--json"]).ok().json();
    assert!(calls(&world, PRINCIPALS) >= 40 && calls(&world, PAIRS) == 0, "{done}");
    let before = world.calls().total;
    let found = world.run(["assignment", "list", "--json"]).ok().stderr_has("deleted users and groups");
    assert_eq!(calls(&world, PAIRS), 0);
    // What is asked besides is for names.
    assert!(world.calls().total - before <= 30, "{}", world.calls().total - before);
    world.run(["cache", "warm", "assignments"]).ok();
    assert_eq!(calls(&world, PAIRS), 0, "the walk stays the same");

    let refused = dense();
    let faults = Faults { access_denied: vec![Rule::of(PRINCIPALS)], ..Faults::default() };
    refused.sandbox().set_faults(faults).unwrap();
    refused.run(["cache", "warm"]).ok();
    assert_eq!(calls(&refused, PRINCIPALS), 1, "asked once");
    let all = rows(&refused.run(["assignment", "list", "--json"]).ok().silent());
    assert_eq!(all.len(), refused.sandbox().counts().assignments);
    let found = rows(&found);
    assert_eq!(all.difference(&found).count(), 2, "only what deleted principals have");
    assert!(found.is_subset(&all));
    refused.run(["cache", "warm", "assignments"]).ok();
    assert_eq!(calls(&refused, PRINCIPALS), 1, "a refusal is remembered");
}

#[test]
fn a_warm_says_what_changed_since_the_last() {
    let world = World::new();
    world.run(["cache", "warm", "users", "groups", "memberships"]).ok().stdout_has("first");
    world.run(["cache", "warm", "users", "groups", "memberships"]).ok().stdout_has("nothing");
    let users = world.run(["user", "list", "--json"]).ok().json();
    let store = users[0]["IdentityStoreId"].as_str().unwrap();
    let of = |n: usize| (users[n]["UserId"].as_str().unwrap(), users[n]["UserName"].as_str().unwrap());
    let (gone, renamed) = (of(10), of(20));
    let name = json!({"GivenName": "New", "FamilyName": "Comer"});
    world.ask(
        "AWSIdentityStore.CreateUser",
        &json!({"IdentityStoreId": store, "UserName": "new.comer", "DisplayName": "New Comer", "Name": name}),
    );
    world.ask("AWSIdentityStore.DeleteUser", &json!({"IdentityStoreId": store, "UserId": gone.0}));
    let operations = json!([{"AttributePath": "title", "AttributeValue": "Changed"}]);
    world.ask(
        "AWSIdentityStore.UpdateUser",
        &json!({"IdentityStoreId": store, "UserId": renamed.0, "Operations": operations}),
    );
    let done = world.run(["cache", "warm", "users", "memberships", "--diff", "--json"]).ok().json();
    let changes = &target(&done, "users")["changes"];
    let expected = json!({"first": false, "added": 1, "removed": 1, "changed": 1,
        "names": {"added": ["new.comer"], "removed": [gone.1], "changed": [renamed.1]}});
    assert_eq!(changes, &expected);
    let members = &target(&done, "memberships")["changes"];
    let left = members["names"]["removed"].as_array().unwrap();
    assert!(members["removed"].as_u64() == Some(left.len() as u64) && !left.is_empty(), "{members}");
    assert!(left.iter().all(|name| name.as_str().unwrap().contains(" in ")), "{left:?}");
    world.ask("AWSIdentityStore.UpdateUser", &json!({"IdentityStoreId": store, "UserId": renamed.0, "Operations": [{"AttributePath": "title", "AttributeValue": "Again"}]}));
    world.run(["cache", "warm", "users", "--diff"]).ok().stdout_has("~1").stdout_has(&format!("~ {}", renamed.1));
}
