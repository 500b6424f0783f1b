//! Recovery: a new cache immediately, with the intact entries of the old one, the rest kept as evidence, and no entry that
//! a change had removed.

use crate::world::{Ran, World};
use awsideman::cache::{Key, Lookup, Put, ReadOptions};
use awsideman::model::Resource;
use awsideman::store::{Address, Disk, Meta, Options, Remains, Select, Store};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use std::fs::Permissions;
use std::io::{BufRead, BufReader};
use std::ops::ControlFlow;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SPACE: &str = "a space";
const PAGE: usize = 16_384;

fn soak() -> bool {
    std::env::var_os("AWSIDEMAN_SOAK").is_some()
}

fn key(n: usize) -> Key {
    Key::new(Resource::Custom, "thing", &n.to_string())
}

fn payload(n: usize) -> Vec<u8> {
    let unique = format!("{:032x}", u128::from(n as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15_F39C_C060_5CED_C835));
    format!("{{\"n\":{n},\"text\":\"{}\"}}", unique.repeat(16)).into_bytes()
}

/// Stores so many entries that last for hours.
fn store(world: &World, numbers: impl Iterator<Item = usize>) {
    let (app, all) = (world.app(), numbers.collect::<Vec<_>>());
    let cache = app.cache();
    for some in all.chunks(5_000) {
        let puts: Vec<Put> =
            some.iter().map(|n| Put { key: key(*n), payload: payload(*n), source: "a test", ttl: None }).collect();
        let ticket = cache.ticket().unwrap();
        assert_eq!(cache.put_many(SPACE, &puts, ticket).unwrap().stored, some.len() as u64);
    }
}

/// How many of the first `of` entries are there; each of them must be right.
fn right(world: &World, of: usize) -> usize {
    let app = world.app();
    let cache = app.cache();
    let hit = |n: &usize| match cache.get(SPACE, &key(*n), ReadOptions::default()).unwrap() {
        (Lookup::Hit(_), bytes) => {
            assert_eq!(bytes, payload(*n), "{n}");
            true
        }
        _ => false,
    };
    (0..of).filter(hit).count()
}

fn disk_options(world: &World) -> Options {
    Options { dir: world.cache_dir(), access: awsideman::secure_fs::Access::Owner, busy: Duration::from_secs(5) }
}

fn live(world: &World) -> PathBuf {
    Disk::live_in(&disk_options(world)).unwrap().unwrap()
}

/// When each entry was stored, and until when it is fresh.
fn times(world: &World) -> Vec<(String, i64, i64)> {
    let mut times = Vec::new();
    let select = Select::Space(SPACE.into());
    let look = &mut |meta: &Meta| {
        times.push((meta.key.clone(), meta.stored_at, meta.fresh_until));
        ControlFlow::Continue(())
    };
    world.app().store().unwrap().scan(&select, look).unwrap();
    times
}

fn settle(world: &World) {
    world.app().store().unwrap().settle().unwrap();
}

fn recover(world: &World, more: &[&str]) -> Value {
    let words = ["cache", "recover", "--json"];
    world.run(words.into_iter().chain(more.iter().copied())).ok().json()
}

fn lasting() -> World {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_DEFAULT_TTL", "4h");
    world
}

/// Writes nonsense over every n-th page, from the thirtieth on.
fn damage(path: &PathBuf, every: usize) -> usize {
    let mut bytes = std::fs::read(path).unwrap();
    let mut pages = 0;
    for page in (30..bytes.len() / PAGE).step_by(every) {
        bytes[page * PAGE..(page + 1) * PAGE].iter_mut().for_each(|byte| *byte ^= 0x5A);
        pages += 1;
    }
    std::fs::write(path, bytes).unwrap();
    pages
}

#[test]
fn intact_entries_of_a_damaged_cache_are_in_the_new_one() {
    let world = lasting();
    let all = if soak() { 100_000 } else { 3_000 };
    store(&world, 0..all);
    settle(&world);
    let old = live(&world);
    let pages = damage(&old, 40);
    let evidence = std::fs::read(&old).unwrap();
    let would = recover(&world, &["--dry-run"]);
    assert_eq!((&would["new"], &would["dry_run"]), (&Value::Null, &true.into()));
    assert_eq!(live(&world), old, "a dry run changes nothing");
    let began = Instant::now();
    let did = recover(&world, &[]);
    let took = began.elapsed();
    let (stored, read) = (did["salvaged"]["stored"].as_u64().unwrap(), did["salvaged"]["read"].as_u64().unwrap());
    assert_eq!(did["salvaged"], would["salvaged"]);
    assert!(stored > all as u64 / 2 && stored < all as u64, "{stored} of {all} with {pages} damaged pages: {did}");
    assert_eq!(right(&world, all) as u64, stored, "all that is there is right");
    assert!(std::fs::read(&old).unwrap() == evidence, "the evidence stays as it is");
    assert!(PathBuf::from(did["marker"].as_str().unwrap()).exists());
    assert_ne!(live(&world), old);
    world.run(["cache", "check", "--full"]).ok();
    if soak() {
        println!(
            "recover of {all} entries, {pages} damaged pages: {stored} of {read} taken over in {:.1} s",
            took.as_secs_f64()
        );
    }
}

#[test]
fn an_entry_that_is_taken_over_is_as_old_as_it_was() {
    let mut world = lasting();
    store(&world, 0..10);
    let before = times(&world);
    world.later("1h");
    let taken = world.run(["cache", "recover"]).ok();
    let taken = taken.stdout_has("Taken over: 10 of 10 entries that can be read").stdout_has("tested: ok");
    taken.stdout_has("The old cache stays in place as evidence: ").stdout_has(".corrupted.");
    assert_eq!(times(&world), before, "stored and fresh until when they were");
    world.later("5h");
    assert_eq!(recover(&world, &[])["salvaged"]["left_out"]["expired"], 10, "what has expired stays behind");
    assert_eq!(right(&world, 10), 0);
}

#[test]
fn entries_covered_by_a_change_are_not_salvaged() {
    let world = lasting();
    store(&world, 0..10);
    let app = world.app();
    let exact = |n: usize| Select::Exact { space: SPACE.into(), key: key(n).as_str().into() };
    let now = app.clock().now();
    // One was fetched again after its change, another is under a fence.
    app.store().unwrap().remove(&[exact(1)], None, now).unwrap();
    store(&world, 1..2);
    app.store().unwrap().remove(&[exact(2)], Some(now + 60_000), now).unwrap();
    let did = recover(&world, &[]);
    assert_eq!((&did["salvaged"]["stored"], &did["salvaged"]["left_out"]), (&9.into(), &serde_json::json!({})));
    let fenced = key(2);
    let address = Address { space: SPACE, key: fenced.as_str() };
    assert!(world.app().store().unwrap().standing(address, now).unwrap().fenced, "open fences come along");
    // And by hand, with a change that comes between the flip and the salvage.
    let disk = Disk::open(&disk_options(&world)).unwrap();
    let flip = disk.flip(now).unwrap();
    disk.remove(&[exact(5)], None, now).unwrap();
    store(&world, 6..7);
    let remains = Remains::open(&disk_options(&world), flip.old.as_deref().unwrap(), now).unwrap();
    let disk = awsideman::store::Encrypted::new(disk, awsideman::store::KeyState::Clear);
    let ring = awsideman::store::KeyState::Clear;
    let heir = awsideman::cache::SalvageTarget { disk: Some(&disk), ring: &ring, since: flip.number, begun: now };
    let salvaged = world.app().cache().salvage(&remains, heir, &awsideman::progress::NoProgress);
    let left_out: Vec<_> = salvaged.left_out.iter().map(|(reason, n)| (*reason, *n)).collect();
    assert_eq!(left_out, [("a change was about it", 1), ("fetched again meanwhile", 1)]);
    assert_eq!((salvaged.stored, right(&world, 10)), (7, 8));
}

#[test]
fn an_entry_that_is_newer_than_a_clear_is_taken_over() {
    let world = lasting();
    store(&world, 0..10);
    world.run(["cache", "clear", "--all", "--yes"]).ok();
    store(&world, 0..6);
    let did = recover(&world, &[]);
    assert_eq!((&did["salvaged"]["stored"], &did["salvaged"]["left_out"]), (&6.into(), &serde_json::json!({})));
    assert_eq!(right(&world, 10), 6);
    // A record of a build that kept no versions may have come after any entry.
    world.run(["cache", "clear", "--all", "--yes"]).ok();
    store(&world, 0..6);
    settle(&world);
    let connection = awsideman::sqlite::Connection::open(live(&world)).unwrap();
    connection.execute_batch("DROP TABLE record_versions").unwrap();
    drop(connection);
    let did = recover(&world, &[]);
    assert_eq!(did["salvaged"]["left_out"], serde_json::json!({"a change was about it": 6}), "{did}");
    assert_eq!(right(&world, 10), 0);
}

#[test]
fn a_salvage_waits_for_writers_longer_than_a_command_would() {
    let world = lasting();
    store(&world, 0..10);
    let options = Options { busy: Duration::from_millis(20), ..disk_options(&world) };
    let disk = Disk::open(&options).unwrap();
    let now = world.app().clock().now();
    let flip = disk.flip(now).unwrap();
    let remains = Remains::open(&options, flip.old.as_deref().unwrap(), now).unwrap();
    let writer = awsideman::sqlite::Connection::open(disk.path().unwrap()).unwrap();
    let (disk, ring) =
        (awsideman::store::Encrypted::new(disk, awsideman::store::KeyState::Clear), awsideman::store::KeyState::Clear);
    let salvage = || {
        let heir = awsideman::cache::SalvageTarget { disk: Some(&disk), ring: &ring, since: flip.number, begun: now };
        world.app().cache().salvage(&remains, heir, &awsideman::progress::NoProgress)
    };
    writer.execute_batch("BEGIN IMMEDIATE").unwrap();
    let begun = std::time::Instant::now();
    let ended = salvage().ended.unwrap();
    assert!(ended.contains("it ended early") && begun.elapsed() >= 10 * options.busy, "{ended}: {:?}", begun.elapsed());
    writer.execute_batch("COMMIT").unwrap();
    let salvaged = salvage();
    assert_eq!((salvaged.stored, salvaged.ended), (10, None));
}

#[test]
fn where_the_end_of_the_log_is_lost_nothing_is_taken_over() {
    let world = lasting();
    store(&world, 0..10);
    settle(&world);
    let (app, path) = (world.app(), live(&world));
    app.store()
        .unwrap()
        .remove(&[Select::Exact { space: SPACE.into(), key: key(4).as_str().into() }], None, 1)
        .unwrap();
    drop(app);
    let wal = awsideman::sqlite::sidecar(&path, "-wal");
    let mut bytes = std::fs::read(&wal).unwrap();
    let last = bytes.len() - 100;
    bytes[last] ^= 1;
    std::fs::write(&wal, bytes).unwrap();
    std::fs::remove_file(awsideman::sqlite::sidecar(&path, "-shm")).unwrap();
    let did = recover(&world, &[]);
    assert_eq!(did["salvaged"]["stored"], 0);
    assert!(did["salvaged"]["ended"].as_str().unwrap().contains("end of its log"), "{did}");
    assert_eq!(right(&world, 10), 0, "not even what was removed");
    assert!(wal.exists(), "it is part of the evidence");
}

#[test]
fn a_retired_cache_and_one_that_is_no_database_give_nothing() {
    let world = lasting();
    store(&world, 0..10);
    Disk::retire_in(&disk_options(&world), None, 0).unwrap();
    let did = recover(&world, &[]);
    assert_eq!((&did["old"], &did["salvaged"]), (&Value::Null, &Value::Null));
    assert_eq!(right(&world, 10), 0);
    store(&world, 0..10);
    settle(&world);
    std::fs::write(live(&world), "no database at all ".repeat(5_000)).unwrap();
    let ran = world.run(["cache", "recover"]).ok().stdout_has("Nothing is taken over from it: ");
    assert!(ran.stdout.contains("tested: ok"), "{}", ran.stdout);
    store(&world, 0..10);
    assert_eq!(recover(&world, &["--no-salvage"])["salvaged"], Value::Null);
    assert_eq!(right(&world, 10), 0);
}

#[test]
fn a_damaged_state_database_is_set_aside_said_and_begun_anew() {
    let world = lasting();
    world.run(["cache", "recover"]).ok();
    let path = world.state_dir().join("state.db");
    world.run(["cache", "cleanup"]).ok();
    std::fs::write(&path, "no database at all ".repeat(5_000)).unwrap();
    assert!(recover(&world, &["--dry-run"])["state"].as_str().unwrap().contains("would be set aside"));
    let did = recover(&world, &[]);
    let told = did["state"].as_str().unwrap();
    assert!(told.contains("set aside as") && told.contains("state.db.damaged."), "{told}");
    let aside = told.split("set aside as ").nth(1).unwrap().split(" and ").next().unwrap();
    assert!(std::fs::read_to_string(aside).unwrap().starts_with("no database"), "{aside}");
    world.run(["cache", "check"]).ok();
    assert_eq!(recover(&world, &[])["state"], Value::Null);
}

#[test]
fn evidence_is_removed_only_when_asked_and_confirmed() {
    let world = lasting();
    store(&world, 0..10);
    for _ in 0..2 {
        world.run(["cache", "recover"]).ok();
    }
    std::fs::write(world.state_dir().join("state.db"), "no database").unwrap();
    world.run(["cache", "recover"]).ok();
    let prune =
        |more: &[&str]| -> Ran { world.run(["cache", "recover", "--prune"].into_iter().chain(more.iter().copied())) };
    let before = world.tree();
    prune(&["--dry-run"]).ok().stdout_has("Would remove 4 databases").stdout_has("state.db.damaged.");
    let asked = prune(&[]).code(2).stderr_has("--yes");
    assert!(asked.stdout.is_empty() && before.keys().eq(world.tree().keys()), "nobody answered, nothing went");
    let removed = prune(&["--yes", "--json"]).ok().json();
    assert_eq!(removed["removed"].as_array().unwrap().len(), 4, "{removed}");
    let live = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    let names = world.tree().into_keys().map(|path| path.file_name().unwrap().to_string_lossy().into_owned());
    let kept = |name: &String| name.starts_with("gen-") && !name.starts_with(live.trim()) || name.contains(".damaged.");
    assert_eq!(names.filter(kept).collect::<Vec<_>>(), Vec::<String>::new(), "neither databases nor markers are left");
    assert_eq!(right(&world, 10), 10, "the live cache is not evidence");
    prune(&["--yes"]).ok().stdout_has("Nothing is set aside");
    world.run(["cache", "recover", "--prune", "--no-salvage"]).code(2);
}

/// Lets readers end whatever becomes of the test.
struct Ended<'a>(&'a AtomicBool);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn recovery_under_busy_processes_loses_no_change_and_shows_nothing_wrong() {
    let world = lasting();
    let all = if soak() { 20_000 } else { 2_000 };
    store(&world, 0..all);
    let (done, rounds) = (AtomicBool::new(false), AtomicU64::new(0));
    let removed = std::thread::scope(|scope| {
        let _end = Ended(&done);
        for reader in 0..2 {
            let (world, done, rounds) = (&world, &done, &rounds);
            scope.spawn(move || {
                let app = world.app();
                let cache = app.cache();
                while !done.load(Ordering::Relaxed) {
                    for n in (reader..all).step_by(7) {
                        if let (Lookup::Hit(_), bytes) = cache.get(SPACE, &key(n), ReadOptions::default()).unwrap() {
                            assert_eq!(bytes, payload(n));
                        }
                    }
                    rounds.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        let writer = scope.spawn(|| {
            let app = world.app();
            let (store, now) = (app.store().unwrap(), app.clock().now());
            let mut removed = Vec::new();
            for n in (0..all).step_by(3) {
                if done.load(Ordering::Relaxed) {
                    break;
                }
                store.remove(&[Select::Exact { space: SPACE.into(), key: key(n).as_str().into() }], None, now).unwrap();
                removed.push(n);
            }
            removed
        });
        for _ in 0..if soak() { 10 } else { 3 } {
            let did = recover(&world, &[]);
            assert_eq!(did["salvaged"]["ended"], Value::Null, "{did}");
        }
        let before = rounds.load(Ordering::Relaxed);
        while rounds.load(Ordering::Relaxed) < before + 2 {
            std::thread::yield_now();
        }
        done.store(true, Ordering::Relaxed);
        writer.join().unwrap()
    });
    assert!(!removed.is_empty());
    let app = world.app();
    for n in &removed {
        assert!(
            !matches!(app.cache().get(SPACE, &key(*n), ReadOptions::default()).unwrap(), (Lookup::Hit(_), _)),
            "{n}"
        );
    }
    let left = right(&world, all);
    assert!(left > 0 && left <= all - removed.len(), "{left} of {all}, {} removed", removed.len());
    if soak() {
        println!(
            "recover under readers and a writer: {} changes, {left} of {all} entries left, 0 wrong",
            removed.len()
        );
    }
}

#[test]
fn recoveries_at_the_same_time_are_one_and_lose_no_entry() {
    let rounds = if soak() { 50 } else { 2 };
    for round in 0..rounds {
        let world = lasting();
        store(&world, 0..600);
        settle(&world);
        let before = live(&world);
        let start = |_| world.command(["cache", "recover", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
        let children: Vec<Child> = (0..8).map(start).collect();
        let documents: Vec<Value> = children
            .into_iter()
            .map(|child| {
                let output = child.wait_with_output().unwrap();
                let text = String::from_utf8_lossy(&output.stdout).into_owned();
                assert!(output.status.success(), "round {round}: {text}");
                serde_json::from_str(&text).unwrap()
            })
            .collect();
        let is_done = |document: &&Value| document["by_another"] == false;
        for document in documents.iter().filter(is_done) {
            assert_eq!(document["salvaged"]["stored"], 600, "round {round}: {documents:?}");
        }
        assert!(documents.iter().filter(is_done).count() < 8, "round {round}: no process waited: {documents:?}");
        assert!(documents.iter().all(|document| document["test"]["ok"] == true), "round {round}: {documents:?}");
        assert_ne!(live(&world), before);
        assert_eq!(right(&world, 600), 600, "round {round}");
    }
}

#[test]
fn a_stopped_recovery_delays_no_other() {
    let world = lasting();
    store(&world, 0..20);
    let lock = world.state_dir().join("locks/cache.recover");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::set_permissions(lock.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
    let mut holder = Command::new("flock")
        .arg("--no-fork")
        .arg(&lock)
        .args(["sh", "-c", "echo locked; exec sleep 600"])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let pid = Pid::from_child(&holder);
    kill_process(pid, Signal::STOP).unwrap();
    let begun = Instant::now();
    let ran = world.run(["cache", "recover"]).ok();
    let waited = begun.elapsed();
    kill_process(pid, Signal::KILL).unwrap();
    holder.wait().unwrap();
    assert!(waited < Duration::from_secs(15), "{waited:?}");
    ran.stderr_has("stopped").stdout_has("The new cache was tested: ok");
    assert_eq!(right(&world, 20), 20);
}

#[test]
fn a_recovery_that_was_killed_is_not_taken_for_one_that_ended() {
    let world = lasting();
    store(&world, 0..20);
    settle(&world);
    let lock = world.state_dir().join("locks/cache.recover");
    std::fs::create_dir_all(lock.parent().unwrap()).unwrap();
    std::fs::set_permissions(lock.parent().unwrap(), Permissions::from_mode(0o700)).unwrap();
    // The holder is killed while the second recovery waits, after it has begun a new generation and before it salvages.
    let since = serde_json::json!({"pid": 1, "host": "here", "since": 1}).to_string();
    std::fs::write(&lock, since + "\n").unwrap();
    std::fs::set_permissions(&lock, Permissions::from_mode(0o600)).unwrap();
    let words = ["--no-fork", lock.to_str().unwrap(), "sh", "-c", "echo locked; exec sleep 600"];
    let mut holder = Command::new("flock").args(words).stdout(Stdio::piped()).spawn().unwrap();
    BufReader::new(holder.stdout.take().unwrap()).read_line(&mut String::new()).unwrap();
    let before = live(&world);
    let second =
        world.command(["cache", "recover", "--json"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let waits = format!("/proc/{}/wchan", second.id());
    let begun = Instant::now();
    while !std::fs::read_to_string(&waits).is_ok_and(|text| text.contains("nanosleep")) {
        assert!(begun.elapsed() < Duration::from_secs(60), "it never waited");
        std::thread::yield_now();
    }
    holder.kill().unwrap();
    holder.wait().unwrap();
    let output = second.wait_with_output().unwrap();
    let document: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&document["by_another"], &document["salvaged"]["stored"]), (&false.into(), &20.into()), "{document}");
    assert_ne!(live(&world), before);
    assert_eq!(right(&world, 20), 20);
}
