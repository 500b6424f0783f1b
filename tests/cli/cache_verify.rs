//! Whether the cache tells the truth: invalidations by hand, entries against AWS, and where an answer is from.

use crate::world::World;
use awsideman::cache::{Fresh, Key, Lookup, ReadOptions};
use awsideman::sandbox::Rule;
use awsideman::state::{BreakerStatus, PersistedBreaker};
use serde_json::Value;

/// The space of this world's answers, as it is stored.
fn space(world: &World) -> String {
    let known = world.run(["cache", "invalidate", "update", "user", "x", "--dry-run", "--json"]).ok().json();
    known["space"].as_str().expect("the instance is remembered").to_owned()
}

/// Puts an entry where this world's answers lie.
fn store(world: &World, key: &str, payload: &str) {
    let fresh = Fresh { key: Key::parse(key).unwrap(), payload: payload.as_bytes().to_vec(), source: "a test" };
    let cache = world.app().cache();
    assert_eq!(cache.fill(&space(world), &[fresh], cache.ticket().unwrap()).unwrap().stored, 1);
}

fn holds(world: &World, key: &str) -> bool {
    let looked = world.app().cache().get(&space(world), &Key::parse(key).unwrap(), ReadOptions::default()).unwrap().0;
    matches!(looked, Lookup::Hit(_))
}

/// The four keys of the troubleshooting guide, and what an update of its user makes of each.
const VERDICTS: [(&str, &str); 4] = [
    ("user:list:all", "INVALIDATED"),
    ("user:describe:user-123", "INVALIDATED"),
    ("group:list:all", "EXISTS"),
    ("group:members:group-456", "EXISTS"),
];

fn with_the_four_keys() -> World {
    let world = World::small();
    world.run(["group", "list"]).ok();
    for (key, _) in VERDICTS {
        store(&world, key, &format!("\"data_for_{key}\""));
    }
    world
}

const UPDATE: [&str; 5] = ["cache", "invalidate", "update", "user", "user-123"];

// -- invalidate

#[test]
fn the_invalidation_test_of_the_guide_has_the_documented_verdicts() {
    let world = with_the_four_keys();
    let dry =
        world.run(UPDATE.into_iter().chain(["--dry-run"])).ok().silent().stdout_has("Would invalidate 2 entries\n");
    assert!(dry.stdout.contains("user:by_name:*"), "a glob where the name is not known: {}", dry.stdout);
    assert!(VERDICTS.iter().all(|(key, _)| holds(&world, key)), "a dry run removes nothing");
    let ran = world.run(UPDATE).ok().silent();
    assert!(ran.stdout.ends_with("Invalidated 2 entries\n"), "{}", ran.stdout);
    let guide = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/troubleshooting.md")).unwrap();
    for (key, verdict) in VERDICTS {
        assert_eq!(if holds(&world, key) { "EXISTS" } else { "INVALIDATED" }, verdict, "{key}");
        assert!(guide.contains(&format!("| `{key}` | {verdict} |")), "the page states another verdict for {key}");
    }
    world.run(UPDATE).ok().stdout_has("Invalidated 0 entries\n");
}

#[test]
fn an_invalidation_needs_no_aws_and_reaches_a_disabled_or_broken_cache() {
    type Trouble = fn(&mut World);
    let troubles: [Trouble; 4] = [
        |world| drop(world.run(["cache", "disable", "--for", "1h"]).ok()),
        |world| {
            world.set("AWSIDEMAN_CACHE_BACKEND", "memory");
        },
        |world| breaker(world, BreakerStatus::Open),
        |world| drop(world.configure("nonsense = [")),
    ];
    for trouble in troubles {
        let mut world = with_the_four_keys();
        trouble(&mut world);
        let calls = world.calls_of(|| {
            let dry = UPDATE.into_iter().chain(["--dry-run"]);
            world.run(dry).ok().stdout_has("Would invalidate 2 entries").stdout_lacks("of every instance");
            world.run(UPDATE).ok().stdout_has("Invalidated 2 entries").stdout_lacks("of every instance");
        });
        assert_eq!(calls, 0);
        world.set("AWSIDEMAN_CACHE_BACKEND", "").configure("");
        world.run(["cache", "enable"]).ok();
        breaker(&world, BreakerStatus::Closed);
        assert!(!holds(&world, "user:list:all") && holds(&world, "group:list:all"));
    }
}

fn breaker(world: &World, state: BreakerStatus) {
    let app = world.app();
    let now = app.clock().now();
    let mark =
        PersistedBreaker { state, failure_count: 5, last_failure_time: Some(now), ..PersistedBreaker::default() };
    app.state().set_breaker(app.cache_dir(), mark, now).unwrap();
}

#[test]
fn without_a_known_instance_entries_of_all_instances_are_invalidated() {
    let mut world = with_the_four_keys();
    world.set("AWS_ACCESS_KEY_ID", "AKIASECOND");
    let ran = world.run(UPDATE).ok().stdout_has("of every instance").stdout_has("Invalidated 2 entries");
    assert!(ran.stdout.contains("user:list:all"));
    world.set("AWS_ACCESS_KEY_ID", "AKIAFIRST");
    assert!(!holds(&world, "user:describe:user-123") && holds(&world, "group:list:all"));
    let json = world.run(UPDATE.into_iter().chain(["--json"])).ok().stderr_has("used as an id").json();
    assert_eq!(
        (&json["schema_version"], &json["invalidated"], &json["dry_run"]),
        (&1.into(), &0.into(), &false.into())
    );
    assert_eq!(json["keys"], serde_json::json!(["user:describe:user-123", "user:list:all"]));
    assert_eq!(json["globs"], serde_json::json!(["user:by_name:*"]));
    assert!(json["space"].as_str().unwrap().starts_with("aws|"));
}

#[test]
fn words_that_name_no_change_are_refused_with_those_that_do() {
    let world = World::small();
    for (words, part) in [
        ("destroy user u-1", "create, update, delete, add-member"),
        ("update people u-1", "user, group, permission_set"),
        ("assign user u-1", "the operations on user are create, update, delete"),
        ("update account 123456789012", "update applies to user, group, permission_set"),
    ] {
        let ran = world.run(["cache", "invalidate"].into_iter().chain(words.split(' ')));
        ran.code(2).stderr_has(part);
    }
    world.run(["cache", "invalidate", "update", "user", ""]).code(2).stderr_has("the id is empty");
    assert!(!world.cache_dir().exists(), "nothing is made by a refusal");
    world
        .run(["cache", "invalidate", "update", "user", "u-1", "--dry-run"])
        .ok()
        .stdout_has("Would invalidate 0 entries");
    assert!(!world.cache_dir().exists(), "nor by a dry run");
}

#[test]
fn only_entries_that_were_not_invalidated_replace_an_unreachable_aws() {
    let mut world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let groups = world.run(["group", "list", "--json"]).ok().json();
    let (group, user) = (groups[0]["DisplayName"].as_str().unwrap(), users[0]["UserName"].as_str().unwrap());
    world.run(["group", "members", group]).ok();
    world.later("50m").set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    world.faults(|faults| faults.fail = vec![Rule::of("AWSIdentityStore.*")]);
    let stale =
        world.run(["group", "list", "--json", "--meta"]).ok().stderr_has("AWS did not answer").stderr_has("50m");
    let json = stale.json();
    assert_eq!((&json["meta"]["stale"], &json["meta"]["source"]), (&true.into(), &"cache".into()));
    assert_eq!((&json["data"], &json["meta"]["expires_in"]), (&groups, &0.into()));
    let derived = world.run(["group", "members", group, "--json", "--meta"]).ok();
    let derived = derived.stderr_has("AWS did not answer").stderr_has("the oldest part of this answer is 50m");
    assert_eq!(derived.json()["meta"]["stale"], true);
    world.run(["cache", "invalidate", "create", "group", "g-new"]).ok().stdout_has("group:list:all");
    world.run(["group", "list"]).code(13).stdout_lacks(group);
    world.run(["user", "get", user]).ok().stderr_has("AWS did not answer");
}

// -- verify

#[test]
fn a_wrong_entry_is_reported_and_replaced_with_exit_code_6() {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let id = users[0]["UserId"].as_str().unwrap();
    let key = format!("user:describe:{id}");
    world.run(["cache", "verify", &key]).ok().stdout_has("Compared 1 entry with AWS: 1 right, 0 wrong (1 calls)");
    let mut wrong = users[0].clone();
    wrong["DisplayName"] = "Somebody Else".into();
    store(&world, &key, &wrong.to_string());
    assert_eq!(world.run(["user", "get", id, "--json"]).ok().json()["DisplayName"], "Somebody Else");
    let ran = world.run(["cache", "verify", "--pattern", "user:*"]).code(6);
    ran.stdout_has(&key)
        .stdout_has("DisplayName: Somebody Else in the cache")
        .stdout_has("replaced")
        .stdout_has("1 wrong");
    let calls = world.calls_of(|| assert_eq!(world.run(["user", "get", id, "--json"]).ok().json(), users[0]));
    assert_eq!(calls, 0, "the right one is in its place");
    world.run(["cache", "verify", "--pattern", "user:*"]).ok().stdout_has("0 wrong");
}

#[test]
fn the_entry_of_a_deleted_object_is_removed_and_missing_exits_5() {
    let world = World::small();
    world.run(["group", "list"]).ok();
    let gone = "user:describe:906712345a-12345678-90ab-cdef-1234-567890abcdef";
    store(&world, gone, "{\"UserId\":\"x\"}");
    let json = world.run(["cache", "verify", gone, "--json"]).code(6).json();
    assert_eq!((&json["checked"], &json["wrong"][0]["flaw"]), (&1.into(), &"gone".into()));
    assert_eq!(json["wrong"][0]["mended"], "removed");
    world.run(["cache", "verify", gone]).code(5).stderr_has("does not hold").stderr_has("--recent-entries");
    world.run(["cache", "verify", "user:*"]).code(2).stderr_has("--pattern");
    world.run(["cache", "verify"]).code(2);
    world.run(["cache", "verify", gone, "--sample", "3"]).code(2);
}

#[test]
fn a_sample_costs_what_it_says_and_its_seed_takes_it_again() {
    let world = World::small();
    world.run(["cache", "warm"]).ok();
    let verify = |seed: &str| {
        let words = ["cache", "verify", "--pattern", "*:describe:*", "--sample", "5", "--sample-seed", seed, "--json"];
        let mut json = Value::Null;
        let calls = world.calls_of(|| json = world.run(words).ok().silent().json());
        assert_eq!((json["calls"].as_u64(), json["checked"].as_u64()), (Some(calls), Some(5)));
        assert_eq!(
            (&json["wrong"], &json["complete"], &json["seed"]),
            (&Value::Array(vec![]), &true.into(), &json["seed"])
        );
        calls
    };
    assert_eq!((verify("7"), verify("7")), (5, 5));
    let spent = world.run(["cache", "verify", "--sample", "50", "--budget", "3"]).code(3);
    spent.stderr_has("budget of 3 calls is spent").stdout_has("with AWS: ");
}

#[test]
fn a_disabled_cache_is_compared_too_and_what_is_wrong_is_removed() {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let key = format!("user:describe:{}", users[0]["UserId"].as_str().unwrap());
    store(&world, &key, "{\"UserId\":\"wrong\"}");
    world.run(["cache", "disable", "--for", "1h"]).ok();
    world.run(["cache", "verify", &key]).code(6).stdout_has("removed").stderr_has("the cache is disabled");
    world.run(["cache", "enable"]).ok();
    assert!(!holds(&world, &key));
}

// -- where an answer is from

#[test]
fn meta_wraps_the_json_data_and_changes_no_byte_of_it() {
    let mut world = World::small();
    let cold = world.run(["user", "list", "--json", "--meta"]).ok().silent().json();
    let meta = &cold["meta"];
    assert_eq!((&meta["source"], &meta["age"], &meta["stale"]), (&"aws".into(), &0.into(), &false.into()));
    assert_eq!((&meta["complete"], &meta["expires_in"]), (&true.into(), &Value::Null));
    let plain = world.run(["user", "list", "--json"]).ok().stdout;
    world.later("2m");
    let warm = world.run(["user", "list", "--json", "--meta"]).ok().silent();
    assert!(warm.stdout.ends_with(&format!("\"data\":{}}}\n", plain.trim_end())), "the stored bytes pass through");
    let meta = &warm.json()["meta"];
    let (age, left) = (meta["age"].as_i64().unwrap(), meta["expires_in"].as_i64().unwrap());
    assert_eq!((&meta["source"], &meta["complete"]), (&"cache".into(), &true.into()));
    assert!((118..=125).contains(&age) && (598..=600).contains(&(age + left)), "{meta}");
    assert!(meta["stored_at"].as_str().unwrap().ends_with('Z'));
    let some = world.run(["user", "list", "--json", "--meta", "--limit", "2", "--columns", "UserName"]).ok().json();
    assert_eq!(some["data"].as_array().unwrap().len(), 2);
    assert_eq!(some["meta"]["source"], "cache");
    let csv = world.run(["user", "list", "--output", "csv", "--meta"]).ok();
    let csv = csv.stdout_has("UserName").stderr_has("meta: source=cache age=12").stderr_has("complete=true");
    assert_eq!(csv.stderr.lines().count(), 1);
}

#[test]
fn an_answer_made_of_parts_is_as_old_as_its_oldest() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    let groups = world.run(["group", "list", "--json"]).ok().json();
    let group = groups[0]["DisplayName"].as_str().unwrap();
    world.later("2m");
    let cold = world.run(["group", "members", group, "--json", "--meta"]).ok().json();
    assert_eq!(cold["meta"]["source"], "cache", "the names are from the cache: {}", cold["meta"]);
    assert!(cold["meta"]["age"].as_i64() >= Some(118), "{}", cold["meta"]);
    assert!(!cold["data"].as_array().unwrap().is_empty());
    let user =
        world.run(["user", "get", cold["data"][0]["UserName"].as_str().unwrap(), "--json", "--meta"]).ok().json();
    assert!(user["data"]["UserId"].is_string() && user["meta"]["age"].as_i64() >= Some(118));
    // The user is asked for anew; the name that leads there is as old as it was.
    world.run(["user", "get", user["data"]["UserId"].as_str().unwrap(), "--refresh"]).ok();
    let named = world.run(["user", "get", user["data"]["UserName"].as_str().unwrap(), "--json", "--meta"]).ok().json();
    assert!(named["meta"]["age"].as_i64() >= Some(118), "{}", named["meta"]);
    let all = world.run(["assignment", "list", "--json", "--meta"]).ok().json();
    assert_eq!(all["meta"]["complete"], true);
    world.later("4m");
    let again = world.run(["assignment", "list", "--json", "--meta"]).ok().json();
    assert_eq!((&again["data"], &again["meta"]["source"]), (&all["data"], &"cache".into()));
    assert!(again["meta"]["age"].as_i64() >= Some(238), "{}", again["meta"]);
}

#[test]
fn an_answer_that_lacks_targets_says_that_it_is_not_complete() {
    let world = World::small();
    let account = world.run(["account", "list", "--json"]).ok().json()[0]["Id"].as_str().unwrap().to_owned();
    world.faults(|faults| faults.access_denied_accounts = vec![account]);
    let ran = world.run(["assignment", "list", "--json", "--meta"]).code(3);
    assert_eq!(ran.json()["meta"]["complete"], false, "{}", ran.stdout);
    world.run(["assignment", "list", "--meta"]).code(3).stderr_has("complete=false");
}

#[test]
fn what_is_printed_of_an_answer_does_not_shape_its_key() {
    let world = World::small();
    world.run(["user", "list", "--limit", "1"]).ok();
    for words in
        ["user list", "user list -n 3 --columns UserName", "user list --sort UserName:desc --filter UserName=a*"]
    {
        assert_eq!(world.calls_of(|| world.run(words.split(' ')).ok()), 0, "{words}");
    }
    let users = world.run(["user", "list", "--json"]).ok().json();
    assert_eq!(users.as_array().unwrap().len(), 20, "a limited list stores all of it");
}
