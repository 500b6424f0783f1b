//! Assignments in many accounts: who is meant, which accounts are chosen, and what becomes of each.

use crate::world::World;
use awsideman::sandbox::{Faults, Rule};
use serde_json::{Value, json};
use std::time::Duration;

/// An organization in which `Audit` is assigned to nobody.
fn world() -> World {
    let world = World::new();
    world.run(["ps", "create", "--name", "Audit"]).ok();
    world
}

fn first(world: &World, words: [&str; 3], field: &str) -> String {
    world.run(words).ok().json()[0][field].as_str().unwrap().to_owned()
}

fn user(world: &World) -> String {
    first(world, ["user", "list", "--json"], "UserName")
}

fn active(world: &World) -> Vec<Value> {
    let all = world.run(["account", "list", "--json"]).ok().json();
    let is_active = |account: &&Value| account["State"] == "ACTIVE" || account["Status"] == "ACTIVE";
    all.as_array().unwrap().iter().filter(is_active).cloned().collect()
}

/// The accounts that a rehearsal names.
fn chosen(world: &World, user: &str, flags: &[&str]) -> Vec<String> {
    let words = ["assignment", "assign", "Audit", user, "--dry-run", "--json"].into_iter();
    let done = world.run(words.chain(flags.iter().copied())).ok().json();
    let results = done["results"].as_array().unwrap();
    let would = |result: &&Value| result["outcome"] == "would";
    let left_out = |result: &Value| result["outcome"] == "skipped" && result["reason"] == "suspended";
    assert!(results.iter().all(|result| would(&result) || left_out(result)), "{done}");
    let mut ids: Vec<String> =
        results.iter().filter(would).map(|row| row["AccountId"].as_str().unwrap().to_owned()).collect();
    ids.sort_unstable();
    ids
}

#[test]
fn accounts_are_selected_by_unit_with_children_by_pattern_and_by_tag() {
    let world = world();
    let (user, accounts) = (user(&world), active(&world));
    let ids = |keep: &dyn Fn(&Value) -> bool| {
        let mut ids: Vec<String> =
            accounts.iter().filter(|a| keep(a)).map(|a| a["Id"].as_str().unwrap().to_owned()).collect();
        ids.sort_unstable();
        ids
    };
    let name = |account: &Value| account["Name"].as_str().unwrap().to_lowercase();
    assert_eq!(chosen(&world, &user, &["--all-accounts"]), ids(&|_| true));
    assert_eq!(chosen(&world, &user, &["--account-filter", "*"]), ids(&|_| true));
    assert_eq!(chosen(&world, &user, &["--ou-filter", "Root"]), ids(&|_| true));
    assert_eq!(chosen(&world, &user, &["--account-pattern", "A*"]), ids(&|a| name(a).starts_with('a')));
    let below = chosen(&world, &user, &["--ou-filter", "/Root/Workloads"]);
    let inside: Vec<Vec<String>> = ["Development", "Production"]
        .map(|unit| chosen(&world, &user, &["--ou-filter", &format!("/Root/Workloads/{unit}")]))
        .to_vec();
    assert!(inside.iter().flatten().all(|id| below.contains(id)) && !below.is_empty(), "{below:?} {inside:?}");
    let tags = |account: &str| {
        world.ask("AWSOrganizationsV20161128.ListTagsForResource", &json!({"ResourceId": account}))["Tags"].clone()
    };
    let filter = |tag: &Value| format!("tag:{}={}", tag["Key"].as_str().unwrap(), tag["Value"].as_str().unwrap());
    let one = below.iter().find(|account| tags(account) != json!([])).unwrap();
    let of_one = tags(one);
    let wanted: Vec<String> = of_one.as_array().unwrap().iter().map(filter).collect();
    let flags: Vec<&str> = wanted.iter().flat_map(|tag| ["--account-filter", tag]).collect();
    let has_all = |account: &Value| {
        let has = tags(account["Id"].as_str().unwrap());
        let has: Vec<String> = has.as_array().unwrap().iter().map(filter).collect();
        wanted.iter().all(|tag| has.contains(tag))
    };
    assert_eq!(chosen(&world, &user, &flags), ids(&has_all));
    let both = chosen(&world, &user, &[&["--ou-filter", "Workloads"], flags.as_slice()].concat());
    assert!(both.contains(one) && both.iter().all(|id| below.contains(id)), "{both:?}");
    let words = ["assignment", "assign", "Audit", &user, "--account-filter", "tag:no=such"];
    world.run(words).code(5).stderr_has("no active account");
    world.run(["assignment", "assign", "Audit", &user, "--ou-filter", "Nowhere"]).code(5).stderr_has("`Nowhere`");
    world.run(["assignment", "assign", "Audit", &user, "123456789012", "--all-accounts"]).code(2);
}

#[test]
fn failed_accounts_are_named_and_a_second_run_does_the_rest() {
    let world = world();
    let (user, accounts) = (user(&world), active(&world));
    let denied = accounts[2]["Id"].as_str().unwrap();
    world.faults(|faults| faults.access_denied_accounts = vec![denied.into()]);
    let words = ["assignment", "assign", "Audit", &user, "--all-accounts", "--json"];
    let ran = world.run(words).code(3);
    let document = ran.json();
    let failed: Vec<&Value> =
        document["results"].as_array().unwrap().iter().filter(|row| row["outcome"] == "failed").collect();
    assert_eq!((failed.len(), &failed[0]["AccountId"]), (1, &json!(denied)));
    assert_eq!(document["counts"]["done"], accounts.len() - 1);
    let error: Value = serde_json::from_str(&ran.stderr).unwrap();
    assert!(error["error"]["details"][0].as_str().unwrap().contains(denied), "{error}");
    world.faults(|_| ());
    let again = world.run(words).ok().json();
    assert_eq!((&again["counts"]["done"], &again["counts"]["already"]), (&json!(1), &json!(accounts.len() - 1)));
}

#[test]
fn an_account_that_aws_rejects_has_its_reason_and_fail_fast_stops() {
    let world = world();
    let (user, accounts) = (user(&world), active(&world));
    world.faults(|faults| faults.fail_async = vec![Rule::first(1, "CreateAccountAssignment")]);
    let words = ["assignment", "assign", "Audit", &user, "--all-accounts", "--batch-size", "1", "--stop-on-error"];
    let ran = world.run(words.into_iter().chain(["--json"])).code(1);
    let document = ran.json();
    // The suspended account is one more.
    assert_eq!(document["counts"]["skipped"], accounts.len());
    let first = &document["results"][0];
    assert!(first["outcome"] == "failed" && first["request_id"].is_string(), "{first}");
    assert_eq!(world.calls().by_operation["SWBExternalService.CreateAccountAssignment"], 1);
}

#[test]
fn no_more_are_under_way_than_the_batch_allows() {
    let world = world();
    let user = user(&world);
    world.faults(|faults| faults.hold = vec![Rule { count: Some(100), ..Rule::of("CreateAccountAssignment") }]);
    let words = ["assignment", "assign", "Audit", &user, "--all-accounts", "--batch-size", "3"];
    let mut child = world.command(words).spawn().unwrap();
    assert!(world.wait_for_held(3, Duration::from_secs(20)));
    // The fourth would come at once if it came at all: the three are as far as they get.
    assert!(!world.wait_for_held(4, Duration::from_millis(300)));
    world.release();
    assert!(child.wait().unwrap().success());
}

#[test]
fn an_ambiguous_name_is_exit_2_with_choices_and_the_type_decides() {
    let world = world();
    let user = user(&world);
    world.run(["group", "create", "--name", &user]).ok();
    let account = first(&world, ["account", "list", "--json"], "Id");
    let ran = world.run(["assignment", "assign", "Audit", &user, &account]).code(2);
    ran.stderr_has(&format!("user:{user}")).stderr_has(&format!("group:{user}"));
    let given = ["assignment", "assign", "Audit", &user, &account, "--principal-type", "group", "--json"];
    assert_eq!(world.run(given).ok().json()["results"][0]["PrincipalType"], "GROUP");
    world.run(["assignment", "get", "Audit", &format!("group:{user}"), &account]).ok().stdout_has("GROUP");
    world.run(["assignment", "get", "Audit", &format!("user:{user}"), &account]).code(5);
}

#[test]
fn leftovers_of_a_deleted_user_can_be_revoked_by_id() {
    let world = world();
    let person = world.run(["user", "list", "--json"]).ok().json()[0].clone();
    let (name, id) = (person["UserName"].as_str().unwrap(), person["UserId"].as_str().unwrap());
    let account = first(&world, ["account", "list", "--json"], "Id");
    world.run(["assignment", "assign", "Audit", name, &account]).ok();
    let store = &person["IdentityStoreId"];
    world.ask("AWSIdentityStore.DeleteUser", &json!({"IdentityStoreId": store, "UserId": id}));
    let words = ["assignment", "revoke", "Audit", id, &account, "--principal-type", "USER", "--yes"];
    world.run(words).ok().stdout_has("done      revoke").stderr_has("was deleted");
}

#[test]
fn a_slow_change_is_reported_later_and_the_cache_learns_of_it() {
    let mut world = world();
    world.set("AWSIDEMAN_AWS_CHANGE_TIMEOUT", "1s").set("AWSIDEMAN_CACHE_SETTLE", "0");
    let user = user(&world);
    let account = first(&world, ["account", "list", "--json"], "Id");
    world.faults(|faults| faults.async_delay_ms = Some(600_000));
    let ran = world.run(["assignment", "assign", "Audit", &user, &account]).code(13);
    ran.stderr_has("AWS has not finished").stderr_has("awsideman assignment status ");
    let entry = world.run(["journal", "list", "--json"]).ok().json()["entries"][0].clone();
    let id = entry["request_id"].as_str().unwrap().to_owned();
    assert!(entry["outcome"].as_str().unwrap().starts_with("unknown"), "{entry}");
    let waiting = world.run(["assignment", "status", &id, "--json"]).ok().json();
    assert_eq!((&waiting["Status"], &waiting["Kind"]), (&json!("IN_PROGRESS"), &json!("assign")));
    world.faults(|faults: &mut Faults| faults.async_delay_ms = Some(0));
    let done = world.run(["assignment", "status", &id, "--json"]).ok().json();
    assert_eq!((&done["Status"], &done["journal"]), (&json!("SUCCEEDED"), &entry["id"]));
    let number = entry["id"].to_string();
    assert_eq!(world.run(["journal", "show", &number, "--json"]).ok().json()["outcome"], "done");
    world.run(["assignment", "get", "Audit", &user, &account]).ok();
}
