//! One home, several organizations: no answer of one for the other, and `--sandbox` apart from both.

use crate::world::{World, organization};
use awsideman::sandbox::Shape;
use std::collections::BTreeSet;

fn names(world: &World) -> BTreeSet<String> {
    let users = world.run(["user", "list", "--json"]).ok().json();
    users.as_array().unwrap().iter().map(|user| user["UserId"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn keys_swapped_by_the_environment_never_give_the_other_organization_s_answer() {
    let mut world = World::small();
    let other = organization(&Shape { seed: 2, users: 20, groups: 3, accounts: 2, permission_sets: 2 });
    let first_url = world.sandbox_url();
    let first = names(&world);
    let first_groups = world.run(["group", "list", "--json"]).ok().json();
    for _ in 0..2 {
        world.set("AWS_ACCESS_KEY_ID", "AKIASECOND").set("AWS_ENDPOINT_URL", &other.url());
        let second = names(&world);
        assert_eq!((second.len(), first.intersection(&second).count()), (20, 0));
        assert_ne!(world.run(["group", "list", "--json"]).ok().json(), first_groups);
        for id in &first {
            world.run(["user", "get", id, "--cache-only"]).code(10);
        }
        world.set("AWS_ACCESS_KEY_ID", "AKIAFIRST").set("AWS_ENDPOINT_URL", &first_url);
        assert_eq!(names(&world), first);
        assert_eq!(world.run(["group", "list", "--json"]).ok().json(), first_groups);
    }
    let spaces = world.run(["cache", "status", "--detailed", "--json"]).ok().json();
    assert_eq!(spaces["spaces"].as_array().unwrap().iter().filter(|s| s["entries"].as_u64() > Some(20)).count(), 2);
}

#[test]
fn other_keys_at_the_same_endpoint_ask_for_their_instance_first() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
    for (name, value) in
        [("AWS_ACCESS_KEY_ID", "AKIASECOND"), ("AWS_SECRET_ACCESS_KEY", "another"), ("AWS_SESSION_TOKEN", "a-role")]
    {
        world.set(name, value);
        assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 1, "{name} selects credentials");
        assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
    }
    assert_eq!(world.calls().by_operation["SWBExternalService.ListInstances"], 4);
    assert_eq!(world.list_calls(), 1, "the same instance keeps its entries");
}

#[test]
fn clearing_takes_this_organization_s_entries_and_leaves_the_other_s() {
    let mut world = World::small();
    let other = organization(&Shape { seed: 2, users: 20, groups: 3, accounts: 2, permission_sets: 2 });
    world.run(["user", "list"]).ok();
    world.set("AWS_ACCESS_KEY_ID", "AKIASECOND").set("AWS_ENDPOINT_URL", &other.url());
    world.run(["user", "list"]).ok();
    world.run(["cache", "clear"]).ok();
    let before = other.calls().total;
    world.run(["user", "list", "--cache-only"]).code(10);
    assert_eq!(other.calls().total, before);
    let first = world.calls().total;
    let url = world.sandbox_url();
    world.set("AWS_ACCESS_KEY_ID", "AKIAFIRST").set("AWS_ENDPOINT_URL", &url);
    world.run(["user", "list", "--cache-only"]).ok();
    assert_eq!(world.calls().total, first);
}

#[test]
fn the_sandbox_flag_leaves_the_real_directories_and_the_real_aws_untouched() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    world.run(["cache", "disable", "--for", "1h"]).ok();
    world.run(["cache", "enable"]).ok();
    let root = world.state_dir().join("sandbox");
    let outside = || {
        let mut tree = world.tree();
        tree.retain(|path, _| !path.starts_with(&root));
        tree
    };
    let before = outside();
    let calls = world.calls_of(|| {
        for words in [
            "user list",
            "user list",
            "group list --refresh",
            "cache status --detailed --enforce-limits",
            "cache disable --for 1h",
            "cache enable",
            "cache warm users",
            "cache clear --all",
            "cache test",
            "cache recover",
            "cache cleanup",
            "cache health",
        ] {
            world.run(["--sandbox"].into_iter().chain(words.split(' '))).ok();
        }
    });
    assert_eq!(calls, 0);
    let after = outside();
    assert_eq!(before.keys().collect::<Vec<_>>(), after.keys().collect::<Vec<_>>());
    for (path, found) in &before {
        assert!(after[path] == *found, "{} has changed", path.display());
    }
    assert!(root.is_dir());
    world.run(["user", "list", "--cache-only"]).ok();
}
