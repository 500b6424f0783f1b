//! Cold, warm, expired: what AWS is asked, counted at its end of the wire.

use crate::world::World;

#[test]
fn a_cold_list_takes_three_calls_and_a_warm_one_none() {
    let mut world = World::new();
    let cold = world.run(["user", "list", "--json"]).ok();
    assert_eq!(cold.clone().json().as_array().unwrap().len(), 300);
    assert_eq!(world.list_calls(), 3);
    let warm = world.calls_of(|| assert_eq!(world.run(["user", "list", "--json"]).ok().stdout, cold.stdout));
    assert_eq!(warm, 0);
    world.later("11m");
    let expired = world.calls_of(|| assert_eq!(world.run(["user", "list", "--json"]).ok().stdout, cold.stdout));
    assert_eq!((expired, world.list_calls()), (3, 6));
}

#[test]
fn a_shorter_ttl_applies_immediately_to_stored_entries() {
    let mut world = World::new();
    world.run(["user", "list"]).ok();
    world.later("2m");
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
    world.set("AWSIDEMAN_CACHE_TTL_USER_LIST", "1m");
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 3);
    // What was stored a moment ago (on the moved clock) is inside the shorter time too.
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
}

#[test]
fn the_default_ttl_applies_to_every_resource_without_its_own() {
    let mut world = World::small();
    world.run(["group", "list"]).ok();
    world.later("6m");
    assert_eq!(world.calls_of(|| world.run(["group", "list"]).ok()), 0);
    world.set("AWSIDEMAN_CACHE_DEFAULT_TTL", "5m");
    assert!(world.calls_of(|| world.run(["group", "list"]).ok()) > 0);
}

#[test]
fn one_list_fills_every_lookup_of_its_users_by_name_and_id() {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let calls = world.calls_of(|| {
        for user in users.as_array().unwrap() {
            for text in ["UserName", "UserId"] {
                let got = world.run(["user", "get", user[text].as_str().unwrap(), "--json"]).ok().json();
                assert_eq!(got, *user);
            }
        }
    });
    assert_eq!(calls, 0);
}

#[test]
fn the_flags_of_a_read_decide_how_fresh_it_is() {
    let mut world = World::small();
    world.run(["user", "list", "--cache-only"]).code(10);
    assert_eq!(world.calls_of(|| world.run(["user", "list", "--no-cache"]).ok()), 2, "the instance and one page");
    world.run(["user", "list", "--cache-only"]).code(10);
    world.run(["user", "list"]).ok();
    assert_eq!(world.calls_of(|| world.run(["user", "list", "--cache-only"]).ok()), 0);
    assert_eq!(world.calls_of(|| world.run(["user", "list", "--refresh"]).ok()), 2, "the instance is asked anew too");
    world.later("3m");
    assert_eq!(world.calls_of(|| world.run(["user", "list", "--max-age", "5m"]).ok()), 0);
    assert_eq!(world.calls_of(|| world.run(["user", "list", "--max-age", "1m"]).ok()), 1);
}
