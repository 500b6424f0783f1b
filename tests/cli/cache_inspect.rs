//! What lies in the cache, why it is or is not an answer, whether it is sound, and the cache in a file.

use crate::world::World;
use awsideman::sqlite::Connection;
use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

const LIST: &str = "user:list:all";

fn filled() -> World {
    let world = World::small();
    for words in ["user list", "group list"] {
        world.run(words.split(' ')).ok();
    }
    world
}

fn why(world: &World, key: &str) -> Value {
    world.run(["cache", "why", key, "--json"]).ok().silent().json()
}

/// The live database, behind the back of everybody.
fn database(world: &World) -> PathBuf {
    let name = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    world.cache_dir().join(name.trim())
}

/// What the instance is remembered by stays sound.
const DAMAGE: &str = "UPDATE v SET data = CAST(X'00' || substr(data, 2, 8) || 'garbage' AS BLOB) \
    WHERE (id >> 20) IN (SELECT version FROM e WHERE space NOT LIKE '@%')";

fn damage_an_entry(world: &World) {
    let connection = Connection::open(database(world)).unwrap();
    let damaged = connection.execute(DAMAGE, ());
    assert!(damaged.unwrap() > 10);
}

// -- inspect

#[test]
fn an_entry_is_shown_from_all_sides() {
    let mut world = filled();
    world.set("AWSIDEMAN_CACHE_TTL_USER_LIST", "7m").later("2m");
    let calls = world.calls_of(|| {
        let json = world.run(["cache", "inspect", LIST, "--json"]).ok().silent().json();
        let entry = &json["entries"][0];
        assert_eq!(
            (&json["schema_version"], &entry["key"], &entry["verdict"]),
            (&1.into(), &LIST.into(), &"fresh".into())
        );
        let age = entry["age_seconds"].as_i64().unwrap();
        assert!((119..130).contains(&age) && entry["left_seconds"].as_i64() <= Some(420 - age));
        assert_eq!((&entry["ttl_seconds"], &entry["ttl_key"]), (&420.into(), &"cache.ttl.\"user:list\"".into()));
        assert_eq!(entry["ttl_origin"], "AWSIDEMAN_CACHE_TTL_USER_LIST");
        assert_eq!((&entry["source"], &entry["checksum"]), (&"AWSIdentityStore.ListUsers".into(), &"sound".into()));
        assert!(entry["size_bytes"].as_u64() > entry["held_bytes"].as_u64(), "compressed");
        let causes = entry["dirtied_by"].as_array().unwrap();
        assert!(causes.contains(&"update user (any that is related)".into()), "{causes:?}");
    });
    assert_eq!(calls, 0);
    let page = world.run(["cache", "inspect", LIST]).ok().stdout_has("Time to live").stdout_has("delete user");
    page.stdout_has("AWSIDEMAN_CACHE_TTL_USER_LIST").stdout_has("sound");
    let many = world.run(["cache", "inspect", "--pattern", "group:describe:*"]).ok();
    many.stdout_has("group:describe:").stdout_lacks(LIST).stdout_has("3 entries");
    let none = world.run(["cache", "inspect", "--pattern", "nothing:*", "--json"]).ok().json();
    assert_eq!(none["entries"], Value::Array(vec![]));
    world.run(["cache", "inspect", "user:describe:x"]).code(5).stderr_has("awsideman cache why user:describe:x");
    world.run(["cache", "inspect"]).code(2);
}

#[test]
fn a_damaged_entry_is_shown_as_such_and_left_where_it_is() {
    let world = filled();
    damage_an_entry(&world);
    for _ in 0..2 {
        let ran = world.run(["cache", "inspect", LIST, "--json"]).code(12);
        assert_eq!(ran.json()["entries"][0]["checksum"], "damaged");
    }
    assert!(why(&world, LIST)["why"].as_str().unwrap().contains("damaged"));
    world.run(["user", "list"]).ok();
    assert_eq!(why(&world, LIST)["hit"], true, "the read has fetched it again");
    assert_eq!(why(&world, LIST)["evictions"][0]["reason"], "dropped");
}

// -- why

#[test]
fn why_distinguishes_hits_from_every_reason_for_a_miss() {
    let mut world = filled();
    let said = |world: &World, key: &str, hit: bool, part: &str| {
        let reasons = why(world, key);
        assert_eq!(reasons["hit"], hit, "{reasons}");
        assert!(reasons["why"].as_str().unwrap().contains(part), "{part}: {reasons}");
        reasons
    };
    assert!(said(&world, LIST, true, "intact and fresh")["entry"]["key"] == LIST);
    said(&world, "user:by_name:nobody", false, "never stored, or removed before");
    world.run(["cache", "invalidate", "create", "user", "u-new"]).ok();
    let changed = said(&world, LIST, false, "a change removed it");
    let record = &changed["invalidations"][0];
    assert_eq!(
        (&record["what"], &record["stands"], &record["fence_until"]),
        (&LIST.into(), &false.into(), &Value::Null)
    );
    world.run(["cache", "why", LIST]).ok().stdout_has("no hit").stdout_has("Changes").stdout_has("Changes known since");
    world.run(["user", "list"]).ok();
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "1");
    world.run(["cache", "enforce-limits"]).ok();
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "");
    world.run(["group", "get", "nobody"]).code(5);
    let swept = said(&world, "group:list:all", false, "least recently used");
    assert_eq!(swept["evictions"][0]["reason"], "least recently used");
    assert_eq!(swept["invalidations"], Value::Array(vec![]));
    world.run(["user", "list"]).ok();
    let at = world.calls();
    world.later("11m");
    said(&world, LIST, false, "it expired ");
    world.run(["cache", "disable", "--for", "1h", "--reason", "INC-7"]).ok();
    said(&world, LIST, false, "INC-7");
    assert_eq!(world.calls().total, at.total, "AWS is not asked");
    world.run(["cache", "why", "user:*"]).code(2).stderr_has("wildcard");
    let empty = World::small();
    said(&empty, LIST, false, "there is no cache in");
    assert!(!empty.cache_dir().exists());
}

// -- check

fn found<'a>(json: &'a Value, what: &str) -> &'a Value {
    json["findings"].as_array().unwrap().iter().find(|one| one["what"] == what).unwrap()
}

#[test]
fn an_intact_cache_is_reported_intact_and_every_entry_is_counted() {
    let world = filled();
    let quick = world.run(["cache", "check", "--json"]).ok().silent().json();
    assert_eq!((&quick["sound"], &quick["entries"]), (&true.into(), &Value::Null));
    for what in ["current", "database", "switch", "tally", "state"] {
        assert_eq!(found(&quick, what)["damaged"], false, "{quick}");
    }
    let full = world.run(["cache", "check", "--full", "--json"]).ok().silent().json();
    let held = world.status()["total_entries"].as_u64();
    assert_eq!((full["entries"]["sound"].as_u64(), &full["entries"]["damaged"]), (held, &0.into()));
    world.run(["cache", "check", "--full"]).ok().stdout_has("The cache is intact").stdout_has("Verified");
    world.run(["cache", "check", "--quick", "--full"]).code(2);
    let empty = World::small();
    empty.run(["cache", "check", "--full"]).ok().stdout_has("there is no cache yet");
    assert!(!empty.cache_dir().exists() && !empty.state_dir().exists(), "nothing is made by a look");
}

#[test]
fn only_a_full_check_finds_a_damaged_entry_and_nothing_is_dropped() {
    let world = filled();
    damage_an_entry(&world);
    world.run(["cache", "check"]).ok();
    let before = world.tree();
    let full = world.run(["cache", "check", "--full", "--json"]).code(12).json();
    assert!(full["entries"]["damaged"].as_u64() > Some(10), "{full}");
    assert!(full["entries"]["damaged_keys"].as_array().unwrap().len() <= 20);
    assert!(found(&full, "entries")["hint"].as_str().unwrap().contains("cache recover"));
    let after = world.tree();
    let lasting = |tree: &std::collections::BTreeMap<PathBuf, (u32, Vec<u8>)>| {
        tree.iter()
            .filter(|(path, _)| !path.to_string_lossy().ends_with("-shm"))
            .map(|(p, f)| (p.clone(), f.clone()))
            .collect::<Vec<_>>()
    };
    assert!(lasting(&before) == lasting(&after), "a check changes nothing");
}

#[test]
fn each_file_that_is_damaged_is_named_with_what_mends_it() {
    type Damage = fn(&World);
    let damages: [(&str, &str, Damage); 5] = [
        ("current", "cache recover", |world| {
            std::fs::write(world.cache_dir().join("CURRENT"), "gen-nothing.db\n").unwrap();
        }),
        ("database", "cache recover", |world| {
            let path = database(world);
            let mut bytes = std::fs::read(&path).unwrap();
            let middle = bytes.len() / 3;
            bytes[middle..].iter_mut().for_each(|byte| *byte ^= 0x5A);
            std::fs::write(path, bytes).unwrap();
        }),
        ("switch", "cache enable", |world| std::fs::write(world.state_dir().join("switch"), "{\"disa").unwrap()),
        ("tally", "cache cleanup", |world| {
            let mut bytes = std::fs::read(world.state_dir().join("tally")).unwrap();
            bytes[3] ^= 1;
            std::fs::write(world.state_dir().join("tally"), bytes).unwrap();
        }),
        ("state", "sets it aside", |world| std::fs::write(world.state_dir().join("state.db"), "no database").unwrap()),
    ];
    for (what, hint, damage) in damages {
        let world = filled();
        // The log is folded, so that the file is what is read.
        world.run(["cache", "cleanup"]).ok();
        world.run(["group", "list"]).ok();
        damage(&world);
        let before = world.tree();
        let json = world.run(["cache", "check", "--json"]).code(12).json();
        let finding = found(&json, what);
        assert_eq!((&finding["damaged"], &json["sound"]), (&true.into(), &false.into()), "{what}: {json}");
        assert!(finding["hint"].as_str().unwrap().contains(hint), "{what}: {finding}");
        for (path, was) in before {
            let kept = world.tree().get(&path) == Some(&was);
            assert!(kept || path.to_string_lossy().ends_with("-shm"), "{what}: {} was changed", path.display());
        }
        world.run(["cache", "check"]).code(12).stdout_has("The cache is damaged");
    }
}

// -- export and import

/// The same home with another cache directory, which is empty.
fn elsewhere(world: &mut World) -> PathBuf {
    let other = world.beside("other-cache");
    world.set("AWSIDEMAN_CACHE_DIR", &other.display().to_string());
    other
}

#[test]
fn an_archive_fills_another_cache_and_names_the_instance_of_the_profile() {
    let mut world = filled();
    let file = world.beside("cache.awsideman");
    let name = file.display().to_string();
    let users = world.run(["user", "list", "--json"]).ok().stdout;
    let calls = world.calls_of(|| {
        let json = world.run(["cache", "export", &name, "--json"]).ok().silent().json();
        assert!(json["entries"].as_u64() > Some(40), "{json}");
        assert_eq!(json["bytes"].as_u64(), Some(std::fs::metadata(&file).unwrap().len()));
    });
    assert_eq!((calls, std::fs::metadata(&file).unwrap().permissions().mode() & 0o777), (0, 0o600));
    elsewhere(&mut world);
    let would = world.run(["cache", "import", &name, "--dry-run"]).ok().stdout;
    assert!(would.starts_with("Would import"), "{would}");
    world.run(["user", "list", "--cache-only"]).code(10);
    let calls = world.calls_of(|| world.run(["cache", "import", &name]).ok().stdout_has("Imported"));
    assert_eq!(calls, 0);
    let calls = world.calls_of(|| assert!(world.run(["user", "list", "--json"]).ok().stdout == users));
    assert_eq!(calls, 0, "the archive names the instance too");
    let again = world.run(["cache", "import", &name, "--json"]).ok().json();
    assert_eq!(again["stored"], 0, "{again}");
}

#[test]
fn an_instance_is_imported_only_for_the_same_account_and_region() {
    let mut world = filled();
    let file = world.beside("cache.awsideman").display().to_string();
    world.run(["cache", "export", &file]).ok();
    for (n, (name, value, reason)) in [
        ("AWS_ACCESS_KEY_ID", "ASIAQNZGKIQY56JQ7WML", "another account"),
        ("AWS_ACCESS_KEY_ID", "", "do not show which account"),
        ("AWS_REGION", "eu-west-1", "another region"),
    ]
    .into_iter()
    .enumerate()
    {
        let dir = world.beside(&format!("cache-{n}")).display().to_string();
        world.set("AWSIDEMAN_CACHE_DIR", &dir).set(name, value);
        let import = world.run(["cache", "import", &file, "--json"]).ok().stderr_has(reason).json();
        assert_eq!(import["instance_imported"], false, "{import}");
        world.run(["user", "list", "--cache-only"]).code(10);
        world.set("AWS_ACCESS_KEY_ID", "AKIAFIRST").set("AWS_REGION", "us-east-1");
    }
}

#[test]
fn an_archive_passes_through_a_pipe_and_failed_exports_keep_the_file() {
    let mut world = filled();
    let other = world.beside("other-cache").display().to_string();
    let line = format!("awsideman cache export - | AWSIDEMAN_CACHE_DIR={other} awsideman cache import -");
    world.shell(&line).ok().stdout_has("Imported").stderr_has("Exported");
    let file = world.beside("kept");
    std::fs::write(&file, "what was there").unwrap();
    std::fs::write(world.cache_dir().join("CURRENT"), "").unwrap();
    std::fs::set_permissions(world.cache_dir(), std::fs::Permissions::from_mode(0o777)).unwrap();
    world.run(["cache", "export", &file.display().to_string()]).code(1);
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "what was there");
    assert_eq!(
        std::fs::read_dir(world.beside(""))
            .unwrap()
            .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with(".awsideman"))
            .count(),
        0
    );
    std::fs::set_permissions(world.cache_dir(), std::fs::Permissions::from_mode(0o700)).unwrap();
    world.set("AWSIDEMAN_CACHE_DIR", "");
}

/// `/dev/null` is one for whoever is root.
#[test]
fn an_export_writes_into_a_named_pipe_and_replaces_no_directory() {
    use std::os::unix::fs::FileTypeExt;
    let mut world = filled();
    let (pipe, other) = (world.beside("pipe"), world.beside("other-cache"));
    let line = format!(
        "mkfifo {0} && (AWSIDEMAN_CACHE_DIR={1} awsideman cache import - <{0} & awsideman cache export {0}; wait)",
        pipe.display(),
        other.display()
    );
    world.shell(&line).ok().stdout_has("Imported").stdout_has("Exported");
    assert!(std::fs::metadata(&pipe).unwrap().file_type().is_fifo(), "it was replaced by a file");
    world.run(["cache", "export", "/dev/null"]).ok();
    assert!(!std::fs::metadata("/dev/null").unwrap().is_file());
    world.run(["cache", "export", &other.display().to_string()]).code(1).stderr_has("cannot write the archive");
    let users = world.run(["user", "list", "--json"]).ok().stdout;
    world.set("AWSIDEMAN_CACHE_DIR", &other.display().to_string());
    assert!(world.run(["user", "list", "--json"]).ok().stdout == users);
}

#[test]
fn an_invalid_or_damaged_archive_is_refused_and_nothing_is_stored() {
    let mut world = filled();
    let file = world.beside("cache.awsideman");
    let name = file.display().to_string();
    world.run(["cache", "export", &name]).ok();
    let other = elsewhere(&mut world);
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    world.run(["cache", "import", &name]).code(12).stderr_has("damaged").stderr_has("nothing was imported");
    std::fs::write(&file, "[]\n").unwrap();
    world.run(["cache", "import", &name]).code(2).stderr_has("no archive");
    world.run(["cache", "import", "/does/not/exist"]).code(1).stderr_has("cannot read the archive");
    world.run(["cache", "export", "/does/not/exist/x"]).code(1).stderr_has("cannot write the archive");
    std::fs::write(&file, whole).unwrap();
    world.run(["cache", "disable", "--for", "1h"]).ok();
    world.run(["cache", "import", &name]).code(10).stderr_has("cache enable");
    world.run(["cache", "enable"]).ok();
    world.set("AWSIDEMAN_CACHE_BACKEND", "memory").run(["cache", "import", &name]).code(10).stderr_has("memory");
    world.set("AWSIDEMAN_CACHE_BACKEND", "");
    assert_eq!(world.status()["total_entries"], 0);
    assert!(!other.exists(), "a refused archive makes no cache");
    world.run(["cache", "import", &name]).ok();
    assert!(other.is_dir());
}

#[test]
fn an_export_without_a_known_instance_writes_no_other_instance() {
    let mut world = World::small();
    let file = world.beside("archive").display().to_string();
    world.run(["user", "list"]).ok();
    // Other keys: the instance is asked for again. With one instance in the cache there is no doubt.
    world.set("AWS_ACCESS_KEY_ID", "AKIASECOND");
    world.run(["cache", "export", &file]).ok().stdout_has("of the one instance in this cache");
    let other = crate::world::organization(&awsideman::sandbox::Shape { seed: 99, ..Default::default() });
    let url = world.sandbox_url();
    world.set("AWS_ENDPOINT_URL", &other.url());
    world.run(["user", "list"]).ok();
    world.set("AWS_ENDPOINT_URL", &url);
    let before = std::fs::read(&file).unwrap();
    let ran = world.run(["cache", "export", &file]).code(10);
    ran.stderr_has("this cache has 2 instances").stderr_has("awsideman info").stderr_has("--all");
    assert_eq!(std::fs::read(&file).unwrap(), before, "the old archive stays");
    world.run(["cache", "export", &file, "--all"]).ok().stdout_has("of every instance");
    world.run(["info"]).ok();
    world.run(["cache", "export", &file]).ok();
}
