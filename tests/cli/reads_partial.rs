//! Incomplete reads: parts that AWS denies, limits on calls, and plans that count.

use crate::world::World;
use awsideman::sandbox::{Rule, Shape};
use serde_json::Value;

const BOUNDARY: &str = "GetPermissionsBoundaryForPermissionSet";

#[test]
fn a_permission_set_is_shown_without_its_unreadable_parts() {
    let mut world = World::small();
    world.set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    let sets = world.run(["permission-set", "list", "--json"]).ok().json();
    let name = sets[0]["Name"].as_str().unwrap();
    let get = ["permission-set", "get", name, "--json"];
    for (operation, part) in [
        (BOUNDARY, "PermissionsBoundary"),
        ("GetInlinePolicyForPermissionSet", "InlinePolicy"),
        ("ListManagedPoliciesInPermissionSet", "ManagedPolicies"),
        ("ListCustomerManagedPolicyReferencesInPermissionSet", "CustomerManagedPolicies"),
    ] {
        for denied in [true, false] {
            let rule = vec![Rule::of(operation)];
            world.faults(|faults| if denied { faults.access_denied = rule } else { faults.fail = rule });
            let ran = world.run(get).code(3).stderr_has(part).stderr_has(operation);
            let set = ran.json();
            assert!(set["Name"] == name && set.get(part).is_none(), "{ran:?}");
            let others = ["ManagedPolicies", "CustomerManagedPolicies", "InlinePolicy", "PermissionsBoundary"];
            assert_eq!(others.iter().filter(|part| set.get(**part).is_some()).count(), 3, "{ran:?}");
            assert!(!ran.stderr.contains("cannot be reached"), "the service answered: {ran:?}");
        }
    }
    world.run(["permission-set", "get", name]).code(3).stdout_has("InlinePolicy").stderr_has("error: ");
    world.faults(|faults| {
        faults.access_denied = vec![Rule::of("GetInlinePolicyForPermissionSet"), Rule::of(BOUNDARY)];
    });
    world.run(get).code(3).stderr_has("2 parts of the answer could not be read");
    world.release();
    let whole = world.run(get).ok().json();
    assert!(whole.get("PermissionsBoundary").is_some() && whole.get("InlinePolicy").is_some(), "{whole}");
    assert_eq!(world.calls_of(|| world.run(get).ok()), 0, "only the whole answer is stored");
}

#[test]
fn the_doctor_asks_on_when_a_server_lacks_one_operation() {
    let mut world = World::small();
    world.set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    world.faults(|faults| faults.fail = vec![Rule::of(BOUNDARY)]);
    let doctor = world.run(["doctor"]);
    assert!(doctor.stdout.contains("24 of 25 reads are allowed"), "{doctor:?}");
    assert!(doctor.stdout.contains(BOUNDARY) && !doctor.stdout.contains("AWS stopped answering"), "{doctor:?}");
}

fn large() -> World {
    World::of(&Shape { users: 40, groups: 10, accounts: 40, permission_sets: 12, ..Shape::default() })
}

/// The rows of users and groups that exist: the walk over principals does not find those of deleted ones, and says so.
fn rows(value: &Value) -> Vec<String> {
    let rows = value.as_array().unwrap().iter().filter(|row| row.get("PrincipalState").is_none());
    let mut rows: Vec<String> = rows.map(Value::to_string).collect();
    rows.sort();
    rows
}

#[test]
fn off_a_terminal_a_long_walk_stops_and_the_next_run_continues() {
    let whole = rows(&large().run(["assignment", "list", "--json", "--yes"]).ok().json());
    let mut world = large();
    world.set("AWSIDEMAN_ACCESS_MAX_CALLS", "25");
    let (mut last, mut runs, mut seen) = (1, 0, 0);
    while last != 0 {
        let before = world.calls().total;
        let ran = world.run(["assignment", "list", "--json"]);
        assert!(world.calls().total - before <= 25, "{ran:?}");
        assert!(matches!(ran.exit, 0 | 3), "never a usage error: {ran:?}");
        if ran.exit == 3 {
            ran.clone().stderr_has("stopped after 25 calls to AWS (`access.max_calls`)").stderr_has("--max-calls");
        } else {
            assert_eq!(rows(&ran.json()), whole);
        }
        if ran.stdout.starts_with('[') {
            let now = ran.json().as_array().unwrap().len();
            assert!(now >= seen, "what was read is kept: {now} {seen}");
            seen = now;
        }
        last = ran.exit;
        runs += 1;
        assert!(runs < 30, "it comes to its end");
    }
    assert!(runs > 2, "{runs}");
    let fresh = large();
    fresh
        .run(["assignment", "list", "--max-calls", "20"])
        .code(3)
        .stderr_has("stopped after 20 calls to AWS (--max-calls)");
    assert!(fresh.calls().total <= 20);
}

#[test]
fn a_walk_of_more_than_200_calls_says_so_before() {
    let world = World::of(&Shape { users: 20, groups: 3, accounts: 5, permission_sets: 250, ..Shape::default() });
    let ran = world.run(["assignment", "list", "--json"]).ok();
    let said = ran.stderr.lines().find(|line| line.contains("this takes")).expect("a plan");
    assert!(said.contains("at least ") && said.contains("calls to AWS"), "{said}");
    assert!(!said.contains("about"), "{said}");
}

#[test]
fn a_question_about_one_account_or_permission_set_reads_only_that() {
    let world = World::of(&Shape { users: 20, groups: 4, accounts: 4, permission_sets: 80, ..Shape::default() });
    let all = world.run(["permission-set", "list", "--json"]).ok().json();
    let everything = world.run(["assignment", "list", "--json", "--yes"]).ok().json();
    let account = everything[0]["AccountId"].as_str().unwrap();
    world.run(["cache", "clear"]).ok();
    let mut here = Value::Null;
    let calls = world.calls_of(|| here = world.run(["assignment", "list", "--account", account, "--json"]).ok().json());
    let sets: std::collections::BTreeSet<_> =
        here.as_array().unwrap().iter().map(|row| row["PermissionSetArn"].to_string()).collect();
    let most = 40 + 2 * sets.len() as u64;
    assert!(!sets.is_empty() && calls < most, "{calls} calls for {} permission sets", sets.len());
    assert!(here.as_array().unwrap().iter().all(|row| row["PermissionSetName"].is_string()), "{here}");
    assert!(here[0]["AccountName"].is_string());

    world.run(["cache", "clear"]).ok();
    let arns = all.as_array().unwrap().iter().map(|set| set["PermissionSetArn"].as_str().unwrap()).min().unwrap();
    let first = all.as_array().unwrap().iter().find(|set| set["PermissionSetArn"] == arns).unwrap();
    let name = first["Name"].as_str().unwrap();
    let calls = world.calls_of(|| world.run(["assignment", "list", "--permission-set", name]).ok());
    assert!(calls < 60, "the search stops at the hit: {calls}");
}

#[test]
fn a_plan_has_no_figure_that_was_not_counted() {
    let world = World::of(&Shape { users: 1_500, groups: 30, accounts: 30, permission_sets: 350, ..Shape::default() });
    let plan = ["cache", "warm", "--plan", "users", "permission-sets"];
    let ran = world.run(plan).ok();
    let sets = ran.stdout.lines().find(|line| line.starts_with("permission-sets")).unwrap();
    assert!(sets.contains(" 354 "), "each permission set is counted: {ran:?}");
    let document = world.run(plan.into_iter().chain(["--json"])).ok().json();
    let promised = document["calls"].as_u64().unwrap();
    let calls = world.calls_of(|| world.run(["cache", "warm", "users", "permission-sets"]).ok());
    assert!(promised <= calls, "at least: {promised} {calls}");
    if document["exact"] == true {
        assert_eq!(promised, calls);
    } else {
        assert!(ran.stdout.contains("at least"), "{ran:?}");
    }
}

#[test]
fn a_denied_listing_is_exit_4_with_the_policy_and_each_cause() {
    let mut world = large();
    world.set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    let deny = |operations: &[&str]| {
        let rules = operations.iter().map(|name| Rule { count: Some(10_000), ..Rule::of(name) }).collect();
        world.faults(|faults| faults.access_denied = rules);
    };
    deny(&["ListAccountAssignments", "ListAccountAssignmentsForPrincipal"]);
    let ran = world.run(["assignment", "list", "--yes"]).code(4);
    let ran = ran.stderr_has("AWS denied sso-admin ListAccountAssignments for ").stderr_has("more)");
    assert!(ran.stdout.is_empty(), "an empty list would look like an answer: {ran:?}");
    let lines = ran.stderr.lines().filter(|line| line.contains("denied")).count();
    assert_eq!(lines, 1, "{ran:?}");
    ran.stderr_has("`awsideman doctor --iam-policy`");

    let ran = world.run(["cache", "warm"]).code(3).stderr_has("AWS denied sso-admin ListAccountAssignments for ");
    let ran = ran.stderr_has("`awsideman doctor --iam-policy`");
    let lines = ran.stderr.lines().filter(|line| line.contains("denied")).count();
    assert_eq!(lines, 1, "{ran:?}");
    // A part that was read is an answer with a part missing.
    deny(&[]);
    world.faults(|faults| faults.access_denied = vec![Rule::nth(3, "ListAccountAssignments")]);
    let ran = world.run(["assignment", "list", "--yes"]).code(3).stderr_has("`awsideman doctor --iam-policy`");
    assert!(!ran.stdout.is_empty(), "{ran:?}");
}
