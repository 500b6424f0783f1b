//! The promises of `src/library/`.

use super::fixture::{Place, awsideman, succeeds, task};
use awsideman::library::{BreakerStatus, CacheManager, LibraryError, PutItem};
use awsideman::sandbox::{self, Limits, Organization, Shape};
use awsideman::secure_fs::Access;
use awsideman::sqlite::{self, DatabaseSpec, Synchronous};
use serde_json::{Value, json};
use std::time::Duration;

/// Overwrites every database of the cache directory, with its log; no handle that has one open may be used after it.
fn damage(place: &Place) {
    for entry in std::fs::read_dir(place.home.path().join(".cache/awsideman")).unwrap() {
        let path = entry.unwrap().path();
        if path.to_string_lossy().contains(".db") && !path.to_string_lossy().ends_with(".lock") {
            std::fs::write(&path, "no database at all ".repeat(5_000)).unwrap();
        }
    }
}

/// Runs `work` while another process writes into the cache and does not come to an end.
pub(crate) fn while_it_is_locked(place: &Place, work: impl FnOnce()) {
    let directory = place.home.path().join(".cache/awsideman");
    let live = directory.join(std::fs::read_to_string(directory.join("CURRENT")).unwrap().trim());
    let plan = DatabaseSpec {
        path: &live,
        schema: "",
        steps: &[],
        version: 1,
        synchronous: Synchronous::Normal,
        busy: Duration::from_secs(10),
        page_size: 4096,
        access: Access::Owner,
    };
    let mut connection = sqlite::open_existing(&plan).unwrap();
    let _writing = sqlite::hold(&mut connection).unwrap();
    work();
}

#[test]
fn a_value_of_any_shape_round_trips_and_is_not_confused() {
    let cache = Place::new().handle();
    cache.set("list", &["a", "b"]).unwrap();
    cache.set("nothing", &Value::Null).unwrap();
    cache.set("long", &"x".repeat(1_000_000)).unwrap();
    assert_eq!(cache.get::<Vec<String>>("list").unwrap(), Some(vec!["a".into(), "b".into()]));
    assert_eq!(cache.get::<Value>("nothing").unwrap(), Some(Value::Null));
    assert_eq!(cache.get::<String>("long").unwrap().unwrap().len(), 1_000_000);
    let error = cache.get::<u32>("list").unwrap_err();
    assert!(matches!(&error, LibraryError::Value { key, .. } if key == "list"), "{error}");
    let error = cache.update("list", |before: Option<u32>| before.unwrap_or(0)).unwrap_err();
    assert!(matches!(error, LibraryError::Value { .. }), "{error}");
    assert_eq!(cache.get_many::<Value>(&["list"]).unwrap(), [Some(json!(["a", "b"]))], "nothing was changed");
}

#[test]
fn invalid_keys_and_words_are_refused_with_the_valid_ones() {
    let cache = Place::new().handle();
    for key in ["", "a b", "user:*"] {
        assert!(matches!(cache.set(key, &1), Err(LibraryError::Key(_))), "{key:?}");
        assert!(matches!(cache.get::<u8>(key), Err(LibraryError::Key(_))), "{key:?}");
    }
    let invalidate =
        |operation, resource, id| cache.invalidate_for_operation(operation, resource, id).unwrap_err().to_string();
    assert!(invalidate("paint", "user", "u").contains("create, update, delete"));
    assert!(invalidate("assign", "user", "u").contains("assignment"));
    assert!(invalidate("update", "user", " ").contains("the id"));
    let long = cache.set_default_ttl(Duration::ZERO).unwrap_err().to_string();
    assert!(long.contains("cache.default_ttl"), "{long}");
}

#[test]
fn a_ttl_named_by_the_program_holds_and_others_follow_configuration() {
    let mut place = Place::new();
    let cache = place.handle();
    cache
        .put_many(&[
            PutItem { key: "day".into(), value: 1, ttl: Some(Duration::from_secs(86_400)) },
            PutItem { key: "default".into(), value: 2, ttl: None },
        ])
        .unwrap();
    cache.update_with_ttl("hour", Duration::from_secs(3_600), |_: Option<u8>| 3).unwrap();
    assert_eq!(place.handle_later("14m").get_many(&["day", "hour", "default"]).unwrap(), [Some(1), Some(3), Some(2)]);
    assert_eq!(place.handle_later("59m").get_many(&["day", "hour", "default"]).unwrap(), [Some(1), Some(3), None]);
    place.set("AWSIDEMAN_CACHE_TTL_CUSTOM", "1m");
    assert_eq!(place.handle_later("2m").get_many(&["day", "default"]).unwrap(), [Some(1), None]);
    assert_eq!(place.handle_later("25h").get::<u8>("day").unwrap(), None);
}

#[test]
fn settings_apply_to_every_clone_and_refused_ones_to_none() {
    let cache = Place::new().handle();
    let clone = cache.clone();
    cache.configure_storage("memory", 2, "lru").unwrap();
    clone.set("a", &1).unwrap();
    clone.set_default_ttl(Duration::from_secs(60)).unwrap();
    assert_eq!(cache.get("a").unwrap(), Some(1), "another time is no other store");
    assert!(cache.configure_storage("memory", 2, "random").is_err());
    assert_eq!(clone.get("a").unwrap(), Some(1));
    assert!(format!("{clone:?}").contains("memory"));
}

#[test]
fn a_disabled_cache_finds_and_stores_nothing_but_takes_invalidations() {
    let place = Place::new();
    let cache = place.handle();
    cache.set("user:describe:u-1", &1).unwrap();
    cache.set("other", &1).unwrap();
    awsideman(place.home.path(), "cache disable --for 1h");
    assert_eq!(cache.get::<u8>("other").unwrap(), None);
    assert!(!cache.exists("other").unwrap());
    assert!(!cache.set("more", &1).unwrap());
    let error = cache.update("other", |before: Option<u8>| before.unwrap_or(0)).unwrap_err();
    assert!(matches!(error, LibraryError::Disabled { .. }), "{error}");
    assert_eq!(cache.invalidate_for_operation("update", "user", "u-1").unwrap(), 1);
    awsideman(place.home.path(), "cache enable");
    assert_eq!(cache.get("other").unwrap(), Some(1));
    assert_eq!(cache.get::<u8>("user:describe:u-1").unwrap(), None);
}

#[test]
fn a_command_that_invalidates_reaches_what_programs_keep_and_counts_it() {
    let place = Place::new();
    let cache = place.handle();
    cache.set("user:describe:u-1", &1).unwrap();
    cache.set("user:groups:u-1", &1).unwrap();
    let would = awsideman(place.home.path(), "cache invalidate update user u-1 --dry-run");
    assert!(would.ends_with("Would invalidate 1 entries\n"), "{would}");
    let done = awsideman(place.home.path(), "cache invalidate update user u-1");
    assert!(done.ends_with("Invalidated 1 entries\n"), "{done}");
    assert!(!cache.exists("user:describe:u-1").unwrap() && cache.exists("user:groups:u-1").unwrap());
    assert!(cache.set("user:describe:u-1", &2).unwrap(), "and it can be stored anew");
}

#[test]
fn values_of_programs_are_never_answers_of_aws_and_count_as_custom() {
    let place = Place::new();
    let cache = place.handle();
    cache.set("user:list:all", &json!([{"UserId": "made up"}])).unwrap();
    let users = awsideman(place.home.path(), "--sandbox user list --json");
    assert!(!users.contains("made up"));
    let status = awsideman(place.home.path(), "cache status --detailed --json");
    let status: Value = serde_json::from_str(&status).unwrap();
    let resources = status["resources"].as_array().unwrap();
    let named: Vec<&str> = resources.iter().map(|resource| resource["resource"].as_str().unwrap()).collect();
    assert_eq!(named, ["custom"], "{status:#}");
    assert_eq!(status["spaces"][0]["space"], "@custom");
    cache.set_with_ttl("report:next", &1, Duration::from_secs(7_200)).unwrap();
    let found = awsideman(place.home.path(), "cache inspect report:next --json");
    let found: Value = serde_json::from_str(&found).unwrap();
    assert_eq!(found["entries"][0]["ttl_seconds"], 7_200, "{found:#}");
    assert_eq!(found["entries"][0]["source"], "a program, for a time of its own");
}

#[test]
fn a_program_reads_only_fresh_cached_answers_of_its_profile() {
    const THIS: &str = "library::rules::a_program_reads_only_fresh_cached_answers_of_its_profile";
    if let Some(people) = task() {
        let cache = CacheManager::shared().unwrap();
        if let Some((what, key)) = people.split_once(' ') {
            match what {
                "set" => assert!(cache.set(key, &1).unwrap()),
                _ => assert!(!cache.exists(key).unwrap(), "a change made by a command is known here"),
            }
            return;
        }
        let users: Option<Vec<Value>> = cache.get("user:list:all").unwrap();
        assert_eq!(users.map_or(0, |users| users.len()), people.parse::<usize>().unwrap());
        assert_eq!(cache.exists("user:list:all").unwrap(), people != "0");
        assert!(!cache.exists("group:list:all").unwrap(), "AWS is not asked");
        return;
    }
    let shape = Shape { users: 20, groups: 3, accounts: 2, permission_sets: 2, ..Shape::default() };
    let limits = Limits { tps: 0.0, latency: Duration::ZERO };
    let sandbox = sandbox::start(Organization::generate(&shape), limits).unwrap();
    let mut place = Place::new();
    place.set("AWS_ENDPOINT_URL", &sandbox.url()).set("AWS_REGION", "us-east-1");
    // Whatever selects credentials must be the same for the program and the command.
    place.set("AWS_EC2_METADATA_DISABLED", "true");
    place.set("AWS_ACCESS_KEY_ID", "AKIAFIRST").set("AWS_SECRET_ACCESS_KEY", "secret");
    let users: Vec<Value> = serde_json::from_str(&place.awsideman("user list --json")).unwrap();
    let before = sandbox.calls().total;
    succeeds(place.child(THIS, &users.len().to_string()));
    place.set("AWS_ACCESS_KEY_ID", "AKIASECOND");
    succeeds(place.child(THIS, "0"));
    place.set("AWS_ACCESS_KEY_ID", "AKIAFIRST").set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", "11m");
    succeeds(place.child(THIS, "0"));
    assert_eq!(sandbox.calls().total, before);
    place.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", "0s");
    let id = users[3]["UserId"].as_str().unwrap();
    succeeds(place.child(THIS, &format!("set user:describe:{id}")));
    place.awsideman(&format!("user update {id} --display-name Changed"));
    succeeds(place.child(THIS, &format!("gone user:describe:{id}")));
}

#[test]
fn a_damaged_cache_misses_and_refuses_stores_until_it_is_recovered() {
    let place = Place::new();
    assert!(place.handle().set("k", &1).unwrap());
    damage(&place);
    let cache = place.handle();
    assert_eq!(cache.get::<u8>("k").unwrap(), None);
    assert!(!cache.exists("k").unwrap());
    let error = cache.set("k", &2).unwrap_err().to_string();
    assert!(error.contains("CacheBackendError"), "{error}");
    assert!(cache.update("k", |before: Option<u8>| before.unwrap_or(0)).is_err());
    assert_eq!(cache.stats().error_count, 5);
    awsideman(place.home.path(), "cache recover");
    assert!(cache.set("k", &3).unwrap(), "the same handle goes on");
    assert_eq!(cache.get("k").unwrap(), Some(3));
}

#[test]
fn a_stuck_store_is_skipped_by_every_process_until_a_trial_succeeds() {
    let mut place = Place::new();
    place.set("AWSIDEMAN_CACHE_BUSY_TIMEOUT", "1s");
    let cache = place.handle();
    cache.set("k", &1).unwrap();
    let state = |place: &Place| {
        let status: Value = serde_json::from_str(&awsideman(place.home.path(), "cache status --json")).unwrap();
        let breaker = &status["circuit_breaker"];
        [&breaker["state"], &breaker["writes"]["state"]].map(|state| state.as_str().unwrap().to_owned())
    };
    while_it_is_locked(&place, || {
        assert_eq!(state(&place), ["CLOSED", "CLOSED"]);
        assert!(cache.set("k", &2).is_err());
        assert_eq!(state(&place), ["CLOSED", "OPEN"], "other processes know");
        assert!(!cache.set("k", &2).unwrap(), "nothing is stored");
        assert_eq!(cache.get::<u8>("k").unwrap(), Some(1), "what is there is read");
        assert!(!place.handle().set("k", &2).unwrap(), "another handle does not wait out the same timeout");
    });
    assert!(!cache.set("k", &2).unwrap(), "not before its time");
    let later = place.handle_later("61s");
    assert!(later.set("k", &3).unwrap(), "one trial");
    assert_eq!((state(&place), later.get("k").unwrap()), (["CLOSED", "CLOSED"].map(str::to_owned), Some(3)));
}

#[test]
fn the_first_store_creates_a_cache_that_was_never_used() {
    let place = Place::new();
    let cache: CacheManager = place.handle();
    assert_eq!(cache.stats().total_entries, 0);
    assert!(!place.home.path().join(".cache").exists());
    cache.set("k", &1).unwrap();
    assert!(place.home.path().join(".cache/awsideman/CURRENT").exists());
}

#[test]
fn an_unopenable_database_opens_the_breaker_until_its_timeout() {
    let place = Place::new();
    let (cache, directory) = (place.handle(), place.home.path().join(".cache/awsideman"));
    cache.configure_circuit_breaker(3, Duration::from_secs(60)).unwrap();
    std::fs::create_dir_all(directory.parent().unwrap()).unwrap();
    std::fs::write(&directory, "").unwrap();
    for failed in 1..=3 {
        assert!(cache.set("k", &1).is_err());
        assert_eq!(cache.circuit_breaker().failure_count, failed);
    }
    assert_eq!(place.handle().circuit_breaker().state, BreakerStatus::Open, "what the next process finds");
    std::fs::remove_file(&directory).unwrap();
    assert!(!cache.set("k", &1).unwrap(), "it is left alone, so that nobody waits for it");
    assert!(!directory.exists());
    let later = place.handle_later("2m");
    assert!(later.set("k", &1).unwrap());
    assert_eq!((later.get("k").unwrap(), later.circuit_breaker().state), (Some(1), BreakerStatus::Closed));
}
