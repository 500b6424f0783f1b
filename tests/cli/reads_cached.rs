//! Where a cached answer comes from and why there is none; names in commands about the cache; answers that cannot be written.

use crate::tty::Tty;
use crate::world::World;
use std::fs::File;

const LIST: &str = "user:list:all";

#[test]
fn cache_only_says_the_true_reason_and_the_age() {
    let mut world = World::small();
    let only = ["user", "list", "--cache-only"];
    world.run(only).code(10).stderr_has("not remembered which instance");
    world.run(["group", "list"]).ok();
    world.run(only).code(10).stderr_has("user:list:all").stderr_has("never stored");
    world.run(["user", "list"]).ok();
    world.later("5m");
    world.run(["user", "list", "--cache-only", "--max-age", "1m"]).code(10).stderr_has("old, and --max-age is 1m");
    world.later("11m");
    world.run(only).code(10).stderr_has("it expired 1m").stderr_has("it is 11m").stderr_has("cache.ttl");
    world.later("");
    world.run(["cache", "invalidate", "create", "user", "someone"]).ok();
    world.run(only).code(10).stderr_has("a change removed it");
    world.run(["user", "list"]).ok();
    let set = world.run(["user", "list", "--json"]).ok().json();
    let name = set[0]["UserName"].as_str().unwrap().to_owned();
    world.run(["user", "update", &name, "--display-name", "New", "--yes"]).ok();
    world.run(only).code(10).stderr_has("fenced until");
    world.run(["cache", "disable", "--for", "1h", "--reason", "INC-7"]).ok();
    world.run(only).code(10).stderr_has("disabled by").stderr_has("until").stderr_has("INC-7");
}

/// What the hint of a miss names must turn it into a hit.
#[test]
fn the_hint_of_a_cache_only_miss_names_what_stores_the_answer() {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let user = users[0]["UserName"].as_str().unwrap().to_owned();
    let sets = world.run(["permission-set", "list", "--json"]).ok().json();
    let set = sets[0]["Name"].as_str().unwrap().to_owned();
    let accounts = world.run(["account", "list", "--json"]).ok().json();
    let account = accounts[0]["Id"].as_str().unwrap().to_owned();
    let principal = format!("user:{user}");
    let fresh = || world.run(["cache", "clear"]).ok();
    for (words, warm) in [
        (vec!["user", "list"], Some("users")),
        (vec!["group", "list"], Some("groups")),
        (vec!["account", "list"], Some("accounts")),
        (vec!["assignment", "list"], Some("permission-sets accounts assignments")),
        (vec!["user", "groups", &user], None),
        (vec!["permission-set", "get", &set], None),
        (vec!["ou", "list"], None),
        (vec!["assignment", "list", "--account", &account], None),
        (vec!["assignment", "list", "--principal", &principal], None),
    ] {
        fresh();
        // The names are known, and the answer is not.
        world.run(["cache", "warm", "users", "groups", "permission-sets", "accounts"]).ok();
        let only: Vec<&str> = words.iter().copied().chain(["--cache-only"]).collect();
        if let Some(targets) = warm {
            fresh();
            world.run(["instance", "list"]).ok();
            let ran = world.run(only.iter().copied()).code(10);
            ran.stderr_has(&format!("`awsideman cache warm {targets}`")).stderr_has("leave out `--cache-only`");
            world.run(["cache", "warm"].into_iter().chain(targets.split(' '))).ok();
        } else {
            let ran = world.run(only.iter().copied()).code(10).stderr_has("leave out `--cache-only`");
            assert!(!ran.stderr.contains("cache warm"), "{words:?}: {ran:?}");
            world.run(words.iter().copied()).ok();
        }
        world.run(only.iter().copied()).ok();
    }
}

#[test]
fn a_cache_only_miss_in_memory_or_under_another_instance_says_so() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    let other = crate::world::organization(&awsideman::sandbox::Shape { seed: 99, ..Default::default() });
    let url = world.sandbox_url();
    world.set("AWS_ENDPOINT_URL", &other.url());
    world.run(["user", "list", "--cache-only"]).code(10).stderr_has("not remembered which instance");
    world.run(["group", "list"]).ok();
    let ran = world.run(["user", "list", "--cache-only"]).code(10);
    ran.stderr_has("it is stored for another instance").stderr_has("this profile's is");
    world.set("AWS_ENDPOINT_URL", &url).set("AWSIDEMAN_CACHE_BACKEND", "memory");
    let ran = world.run(["user", "list", "--cache-only"]).code(10).stderr_has("the memory backend keeps nothing");
    assert!(!ran.stderr.contains("cache warm"), "{ran:?}");
}

fn is_plain(name: &str) -> bool {
    name.chars().all(|c| c.is_ascii_alphanumeric() || c == '.')
}

#[test]
fn names_resolve_through_the_cache_and_unknown_text_is_an_id() {
    let world = World::small();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let users: Vec<_> =
        users.as_array().unwrap().iter().filter(|u| is_plain(u["UserName"].as_str().unwrap())).collect();
    let (name, id) = (users[0]["UserName"].as_str().unwrap(), users[0]["UserId"].as_str().unwrap());
    let sets = world.run(["permission-set", "list", "--json"]).ok().json();
    let (set, arn) = (sets[0]["Name"].as_str().unwrap(), sets[0]["PermissionSetArn"].as_str().unwrap());
    let before = world.calls().total;
    let done = world.run(["cache", "invalidate", "update", "user", name, "--dry-run", "--json"]).ok().silent().json();
    assert_eq!(done["id"], id, "{done}");
    // Of two users that were changed elsewhere, the second is found as well after the first was invalidated.
    let other = users[1]["UserName"].as_str().unwrap();
    world.run(["cache", "invalidate", "update", "user", other]).ok().silent();
    let done = world.run(["cache", "invalidate", "update", "user", name, "--dry-run", "--json"]).ok().silent().json();
    assert_eq!(done["id"], id, "{done}");
    let done = world.run(["cache", "invalidate", "assign", "assignment", set, "--dry-run", "--json"]).ok().json();
    assert_eq!(done["id"], arn, "{done}");
    world.run(["cache", "key", "user", "describe", name]).ok().silent().stdout_has(&format!("user:describe:{id}"));
    world.run(["cache", "key", "user", "describe", "nobody"]).ok().stderr_has("used as an id");
    let why = world.run(["cache", "why", &format!("user:describe:{name}"), "--json"]).ok().silent().json();
    assert_eq!((&why["key"], &why["hit"]), (&format!("user:describe:{id}").into(), &true.into()));
    assert_eq!(world.calls().total, before, "AWS is not asked");
    world.run(["cache", "verify", &format!("user:describe:{name}")]).ok().stdout_has("1 right");
    let unknown = world.run(["cache", "invalidate", "update", "user", "user-123", "--json"]).ok();
    assert_eq!(unknown.clone().stderr_has("used as an id").json()["id"], "user-123");
}

#[test]
fn invalid_keys_and_operations_are_refused_with_the_nearest_valid_one() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    for (words, near) in [
        ("cache why user:lst:all", "did you mean `list`?"),
        ("cache why usr:list:all", "did you mean `user:list:all`?"),
        ("cache why user:list:al", "did you mean `user:list:all`?"),
        ("cache why alice", "resource:operation:identifier"),
        ("cache verify group:member:x", "did you mean `members`?"),
        ("cache inspect user:descrbe:x", "did you mean `describe`?"),
        ("cache key user lst all", "did you mean `list`?"),
        ("cache key usr list all", "did you mean `user`?"),
        ("cache key assignment list 123456789012", "ACCOUNT:PERMISSION_SET"),
    ] {
        world.run(words.split(' ')).code(2).stderr_has(near);
    }
    world.run(["cache", "why", LIST]).ok();
}

#[test]
fn on_a_terminal_a_cached_answer_ends_with_its_source_and_age() {
    let mut world = World::small();
    world.set("TERM", "xterm");
    world.run(["user", "list"]).ok();
    let ends = |world: &World, words: &str| Tty::start(world, 120, words).ended().1.join("\n");
    assert!(ends(&world, "user list --limit 2").contains("from the cache, "), "source and age");
    assert!(ends(&world, "user list --limit 2 --json").contains("from the cache, "));
    assert!(!ends(&world, "user list --limit 2 --quiet").contains("from the cache"));
    assert!(!ends(&world, "user list --limit 2 --refresh").contains("from the cache"));
    world.run(["user", "list", "--limit", "2"]).ok().silent();
    world.run(["user", "list", "--json"]).ok().silent();
    world.run(["cache", "disable", "--for", "1h", "--reason", "INC-7"]).ok();
    let rows = ends(&world, "user list --limit 2");
    assert!(["disabled by", "until", "INC-7"].iter().all(|part| rows.contains(part)), "{rows}");
}

#[test]
fn an_answer_that_cannot_be_written_is_named_in_every_format() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    world.run(["jobs", "run", "--all"]);
    let formats = ["table", "json", "jsonl", "yaml", "csv"];
    let lists = formats.iter().flat_map(|format| {
        ["user list", "user find a", "assignment list", "cache status", "jobs list"]
            .map(|words| format!("{words} -o {format}"))
    });
    let others = [
        "completions bash",
        "man",
        "config show",
        "cache export -",
        "version",
        "--help",
        "cache path",
        "doctor --iam-policy",
        "jobs history",
        "cache key user list all",
        "permission-set list --columns Name",
    ];
    for words in lists.chain(others.map(str::to_owned)) {
        let mut command = world.command(words.split(' '));
        let output = command.stdout(File::options().write(true).open("/dev/full").unwrap()).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{words}: {said}");
        assert!(said.contains("cannot write the ") && said.contains("No space left"), "{words}: {said}");
        assert!(!said.contains("CacheBackendError"), "the cache is not to blame: {words}: {said}");
    }
    world.run(["user", "list", "--out", "/dev/full"]).code(1).stderr_has("cannot write");
    world.run(["user", "list", "--json", "--out", "/dev/full"]).code(1).stderr_has("cannot write");
}
