//! Encryption as a person meets it: what the disk shows, what a lost key costs, and that changes reach everybody.

use crate::encryption_keys::{encryption, keys, mode, sealed, under};
use crate::world::{Ran, World};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

const FIRST: &str = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=";
const SECOND: &str = "MjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjIyMjI=";

/// What is done to the file of a key.
type Spoil = Box<dyn Fn(&Path)>;

/// Every byte below a folder.
fn bytes(folder: &Path) -> Vec<u8> {
    std::fs::read_dir(folder).unwrap().flat_map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect()
}

/// What names somebody or something: names, ids, addresses.
fn names(world: &World) -> Vec<String> {
    let mut found = Vec::new();
    for words in [["user", "list"], ["group", "list"], ["ps", "list"], ["account", "list"]] {
        let list = world.run([words[0], words[1], "--json", "--no-cache"]).ok().json();
        for item in list.as_array().unwrap() {
            for member in ["UserId", "UserName", "DisplayName", "GroupId", "PermissionSetArn", "Id", "Email", "Arn"] {
                found.extend(item[member].as_str().map(str::to_owned));
            }
            found.extend(item["Emails"][0]["Value"].as_str().map(str::to_owned));
        }
    }
    found.retain(|name| name.len() > 5);
    assert!(found.len() > 60, "{found:?}");
    found
}

/// Those of them that stand in these bytes.
fn found(names: &[String], bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8_lossy(bytes);
    names.iter().filter(|name| text.contains(name.as_str())).cloned().collect()
}

fn without_key(ran: &Ran) {
    assert!(!ran.stdout.contains(&FIRST[..20]) && !ran.stderr.contains(&FIRST[..20]), "{ran:?}");
}

#[test]
fn a_warmed_cache_names_nobody_on_the_disk_and_answers_without_aws() {
    let world = sealed(World::small(), &[FIRST]);
    let names = names(&world);
    world.run(["cache", "warm"]).ok();
    let user = world.run(["user", "list", "--json"]).ok().json()[4]["UserName"].as_str().unwrap().to_owned();
    let told = world.calls_of(|| {
        assert_eq!(world.run(["user", "list", "--json"]).ok().json().as_array().unwrap().len(), 20);
        world.run(["user", "get", &user, "--json"]).ok().silent().stdout_has(&user);
    });
    assert_eq!(told, 0);
    // Records of changes name nobody either, by key or by pattern.
    world.run(["user", "update", &user, "--display-name", "Somebody Else", "--json"]).ok();
    world.run(["cache", "clear", "--pattern", &format!("*{user}*")]).ok();
    let held = bytes(&world.cache_dir());
    assert!(held.len() > 50_000);
    assert_eq!(found(&names, &held), Vec::<String>::new());
    let status = encryption(&world);
    assert_eq!((status["enabled"].as_bool(), status["clear_entries"].as_u64()), (Some(true), Some(0)));
    assert!(under(&status, "newest") > 40, "{status}");
}

#[test]
fn globs_inspection_and_reasons_see_the_keys_behind_the_seal() {
    let world = sealed(World::small(), &[FIRST]);
    world.run(["cache", "warm", "users"]).ok();
    let users = world.run(["user", "list", "--json"]).ok().json();
    let id = users[2]["UserId"].as_str().unwrap();
    let key = format!("user:describe:{id}");
    world.run(["cache", "inspect", &key]).ok().stdout_has(&key);
    let pattern = format!("user:describe:{}*", &id[..id.len() - 1]);
    let matching = world.run(["cache", "inspect", "--pattern", &pattern, "--json"]).ok().json();
    let count = matching.as_array().or(matching["entries"].as_array()).unwrap().len() as u64;
    assert!(count >= 1, "{matching}");
    world.run(["cache", "why", &key]).ok().stdout_has("intact and fresh");
    world.run(["cache", "status", "--recent-entries", "50"]).ok().stdout_has("user:list:all");
    let before = world.status()["total_entries"].as_u64().unwrap();
    let would = world.run(["cache", "clear", "--pattern", &pattern, "--dry-run", "--json"]).ok().json();
    let did = world.run(["cache", "clear", "--pattern", &pattern, "--json"]).ok().json();
    assert_eq!((would["removed"].as_u64(), did["removed"].as_u64()), (Some(count), Some(count)));
    assert_eq!(world.status()["total_entries"].as_u64().unwrap(), before - count);
    world.run(["cache", "why", &key]).ok().stdout_has("a change removed it");
    world.run(["cache", "check", "--full"]).ok();
    // Resource and operation are clear: counting, cleaning and limits need no more.
    let resources = world.run(["cache", "status", "--detailed", "--json"]).ok().json();
    let users =
        resources["resources"].as_array().unwrap().iter().find(|row| row["resource"] == "user").unwrap().clone();
    assert!(users["entries"].as_u64().unwrap() > 20 && users["hits"].as_u64().unwrap() > 0, "{users}");
}

#[test]
fn a_key_is_created_on_demand_and_never_overwrites_another() {
    let world = World::small();
    world.run(["cache", "encryption", "enable"]).code(2).stderr_has("--generate");
    world.run(["cache", "encryption", "rotate"]).code(2);
    let made = world.run(["cache", "encryption", "enable", "--generate", "--json"]).ok().json();
    let file = PathBuf::from(made["key_file"].as_str().unwrap());
    assert_eq!(file, world.home().join(".config/awsideman/cache.key"));
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o600);
    assert!(!file.with_file_name("config.toml").exists());
    let key = std::fs::read_to_string(&file).unwrap();
    world.run(["cache", "encryption", "enable", "--generate"]).code(1).stderr_has("cannot create");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), key);
    world.configure(made["configuration"].as_str().unwrap());
    world.run(["user", "list"]).ok();
    let status = encryption(&world);
    assert_eq!((&status["key"], status["next"].as_str()), (&made["key"], None), "{status}");
    assert!(under(&status, "newest") > 0);
    let shown = world.run(["config", "show", "--origin"]).ok();
    assert!(!shown.stdout.contains(key.trim()));
}

#[test]
fn what_was_in_clear_is_sealed_and_wiped_and_opened_again() {
    let mut world = World::small();
    let names = names(&world);
    world.run(["cache", "warm"]).ok();
    assert!(found(&names, &bytes(&world.cache_dir())).len() > 20);
    let total = world.status()["total_entries"].as_u64().unwrap();
    world = sealed(world, &[FIRST]);
    assert!(encryption(&world)["next"].as_str().unwrap().contains("cache encryption enable"));
    let done = world.run(["cache", "encryption", "enable", "--json"]).ok().json();
    assert_eq!(done["done"]["resealed"].as_u64(), Some(total), "{done}");
    assert_eq!(found(&names, &bytes(&world.cache_dir())), Vec::<String>::new());
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
    world.run(["cache", "encryption", "disable"]).code(2).stderr_has("enabled = false");
    world.set("AWSIDEMAN_CACHE_ENCRYPTION_ENABLED", "false");
    assert!(world.calls_of(|| world.run(["user", "list"]).ok()) > 0, "what is sealed is nothing without the key");
    let done = world.run(["cache", "encryption", "disable", "--json"]).ok().json();
    assert!(done["done"]["resealed"].as_u64().unwrap() > 20, "{done}");
    world.run(["cache", "check", "--full"]).ok();
    let status = encryption(&world);
    assert_eq!((under(&status, "newest"), under(&status, "unknown")), (0, 0), "{status}");
}

#[test]
fn without_a_usable_key_aws_answers_and_the_night_commands_work() {
    let world = sealed(World::small(), &[FIRST]);
    let path = world.home().join("cache.key");
    world.run(["cache", "warm"]).ok();
    let held = encryption(&world);
    let lines = |text: &'static str| move |path: &Path| std::fs::write(path, text).unwrap();
    let spoils: Vec<(&str, Spoil)> = vec![
        ("mode 0644", Box::new(|path| mode(path, 0o644))),
        ("line 1 is not a key", Box::new(lines("bm90IGEga2V5\n"))),
        ("it holds no key", Box::new(lines("\n"))),
        ("is not a file", Box::new(|path| std::fs::create_dir(path).unwrap())),
        ("No such file", Box::new(|_| ())),
    ];
    for (words, spoil) in spoils {
        keys(&world, &[FIRST]);
        if words.contains("file") {
            std::fs::remove_file(&path).unwrap();
        }
        spoil(&path);
        let before = bytes(&world.cache_dir());
        let mut ran = None;
        let calls = world.calls_of(|| ran = Some(world.run(["user", "list", "--json"]).ok()));
        let ran = ran.unwrap().stderr_has(words).stderr_has("cache encryption status");
        without_key(&ran);
        assert!(calls > 0 && ran.json().as_array().unwrap().len() == 20, "{words}");
        assert!(bytes(&world.cache_dir()) == before, "{words}: nothing was stored, in clear or otherwise");
        let status = encryption(&world);
        assert!(status["problem"].as_str().unwrap().contains(words), "{status}");
        assert_eq!(under(&status, "unknown"), under(&held, "newest"));
        if words != "mode 0644" {
            if path.is_dir() {
                std::fs::remove_dir(&path).unwrap();
            }
            continue;
        }
        world.run(["cache", "status"]).ok();
        assert_eq!(world.status()["total_entries"].as_u64(), Some(under(&held, "newest")));
        world.run(["cache", "health"]).code(6).stdout_has(words).stdout_has("cache encryption status");
        world.run(["cache", "warm"]).code(10).stderr_has(words);
        world.run(["cache", "disable", "--for", "1m"]).ok();
        world.run(["cache", "enable"]).ok();
        world.run(["cache", "cleanup"]).ok();
        world.run(["user", "list", "--cache-only"]).code(10).stderr_has(words);
    }
    keys(&world, &[FIRST]);
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok().silent()), 0, "and it is all there again");
    std::fs::remove_file(&path).unwrap();
    let before = bytes(&world.cache_dir());
    for words in ["cache recover", "cache recover --dry-run"] {
        world.run(words.split(' ')).code(1).stderr_has("nothing was changed").stderr_has("cache recover --no-salvage");
        assert!(bytes(&world.cache_dir()) == before, "what is sealed would have been set aside");
    }
    let made = world.run(["cache", "recover", "--no-salvage"]).code(1);
    made.stdout_has("The new cache:").stdout_has("it does not work");
}

#[test]
fn under_another_key_every_lookup_is_a_reported_miss() {
    let world = sealed(World::small(), &[FIRST]);
    world.run(["cache", "warm"]).ok();
    let first = encryption(&world);
    keys(&world, &[SECOND]);
    let ran = world.run(["user", "list", "--json"]).ok().stderr_has("encrypted with the key");
    assert_eq!(ran.json().as_array().unwrap().len(), 20);
    let second = encryption(&world);
    assert_eq!(under(&second, "unknown"), under(&first, "newest"), "{second}");
    assert!(under(&second, "newest") > 0);
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0, "what it fetched itself");
    let said = format!("{} entries cannot be read: they are encrypted with the key", under(&second, "unknown"));
    world.run(["cache", "status"]).ok().stdout_has(&said);
    world.run(["cache", "health"]).code(6).stdout_has(&said).stdout_has("awsideman cache encryption status");
    keys(&world, &[FIRST]);
    assert_eq!(world.calls_of(|| world.run(["group", "list"]).ok()), 0);
}

#[test]
fn a_change_is_seen_by_all_processes_whatever_keys_they_have() {
    let mut world = sealed(World::small(), &[FIRST]);
    let users = world.run(["user", "list", "--json"]).ok().json();
    let name = users[3]["UserName"].as_str().unwrap().to_owned();
    let read = |world: &World, display: &str| {
        for words in [["user", "get", &name, "--json"].as_slice(), &["user", "list", "--json"]] {
            world.run(words.iter().copied()).ok().stdout_has(display);
        }
    };
    let settle = |world: &mut World, n: u32| {
        world.later(&format!("{}s", n * 11));
    };
    let change = |world: &World, display: &str| {
        world.run(["user", "update", &name, "--display-name", display, "--json"]).ok();
    };
    // With the same key, with another, with both, without one, and by a process that does not seal.
    for (n, writer) in [&[FIRST][..], &[SECOND], &["no key"], &[]].into_iter().enumerate() {
        let n = u32::try_from(n).unwrap();
        keys(&world, &[FIRST]);
        settle(&mut world, 2 * n);
        read(&world, if n == 0 { users[3]["DisplayName"].as_str().unwrap() } else { "Changed" });
        read(&world, if n == 0 { users[3]["DisplayName"].as_str().unwrap() } else { "Changed" });
        keys(&world, writer);
        if writer.is_empty() {
            world.set("AWSIDEMAN_CACHE_ENCRYPTION_ENABLED", "false");
        }
        let display = format!("Changed {n}");
        change(&world, &display);
        world.set("AWSIDEMAN_CACHE_ENCRYPTION_ENABLED", "true");
        keys(&world, &[FIRST]);
        read(&world, &display);
        settle(&mut world, 2 * n + 1);
        read(&world, &display);
        read(&world, &display);
    }
}

#[test]
fn a_command_may_print_the_key_and_its_failure_hides_its_output() {
    let mut world = World::small();
    world.program("vault", &format!("#!/bin/sh\necho asked >>\"$HOME/asked\"\necho {FIRST}\n"));
    world.set("AWSIDEMAN_CACHE_ENCRYPTION_ENABLED", "true");
    world.configure("[cache.encryption]\nkey_command = [\"vault\", \"show\", \"cache\"]\n");
    world.run(["user", "list"]).ok().silent();
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok().silent()), 0);
    assert_eq!(std::fs::read_to_string(world.home().join("asked")).unwrap().lines().count(), 2, "by every command");
    world.run(["cache", "encryption", "rotate", "--generate"]).code(10).stderr_has("key_file only");
    for (script, words) in [
        (format!("echo {FIRST}; echo {FIRST} >&2; exit 3"), "vault ended with exit status: 3"),
        (format!("echo x{FIRST}"), "what `vault` prints: line 1 is not a key"),
    ] {
        world.program("vault", &format!("#!/bin/sh\n{script}\n"));
        let ran = world.run(["user", "list"]).ok().stderr_has(words);
        without_key(&ran);
        without_key(&world.run(["cache", "encryption", "status"]).ok().stdout_has(words));
    }
    let log = std::fs::read_to_string(world.beside("awsideman.log")).unwrap_or_default();
    assert!(!log.contains(&FIRST[..20]));
}

#[test]
fn an_archive_is_in_clear_and_that_is_said() {
    let world = sealed(World::small(), &[FIRST]);
    world.run(["cache", "warm", "users"]).ok();
    let file = world.home().join("archive");
    let path = file.display().to_string();
    world.run(["cache", "export", &path]).ok().stderr_has("not encrypted");
    assert!(String::from_utf8_lossy(&std::fs::read(&file).unwrap()).contains("user:describe:"));
    world.run(["cache", "clear", "--all"]).ok();
    keys(&world, &[SECOND]);
    world.run(["cache", "import", &path]).ok();
}

#[test]
fn to_disable_encryption_where_nothing_is_encrypted_is_done() {
    let world = World::small();
    world.run(["cache", "encryption", "disable"]).ok().stdout_has("Nothing is encrypted");
    world.run(["user", "list"]).ok();
    let done = world.run(["cache", "encryption", "disable", "--json"]).ok().json();
    assert_eq!((&done["done"]["resealed"], &done["status"]["enabled"]), (&0.into(), &false.into()), "{done}");
    // Entries under a key that is not configured are not opened by that.
    let mut world = sealed(World::small(), &[FIRST]);
    world.run(["user", "list"]).ok();
    world.set("AWSIDEMAN_CACHE_ENCRYPTION_ENABLED", "").set("AWSIDEMAN_CACHE_ENCRYPTION_KEY_FILE", "");
    world.run(["cache", "encryption", "disable"]).code(10);
}
