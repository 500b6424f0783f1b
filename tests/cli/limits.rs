//! The limits: whichever is the smallest holds, what goes is said, and a warm that does not fit keeps what answers most.

use crate::world::World;
use awsideman::sandbox::Shape;
use serde_json::Value;

/// The keys that are held, by the beginning of their operation.
fn keys(world: &World) -> Vec<String> {
    let status = world.run(["cache", "status", "--recent-entries", "100000", "--json"]).ok().json();
    status["recent_entries"].as_array().unwrap().iter().map(|e| e["key"].as_str().unwrap().to_owned()).collect()
}

fn counted(status: &Value, reason: &str) -> u64 {
    let evictions = status["evictions"].as_array().unwrap();
    evictions.iter().filter(|one| one["reason"] == reason).map(|one| one["entries"].as_u64().unwrap()).sum()
}

#[test]
fn the_smallest_of_the_limits_holds_and_is_named() {
    let mut world = World::small();
    let memory = |world: &World| world.run(["cache", "status", "--memory-details", "--json"]).ok().json();
    let bytes = |status: &Value| status["memory"]["limit_bytes"].as_u64().unwrap();
    assert_eq!(memory(&world)["memory"]["limit_setting"], "cache.max_size_mb");
    world.set("AWSIDEMAN_CACHE_MAX_DISK_PERCENT", "0.00001");
    let status = memory(&world);
    assert_eq!(status["memory"]["limit_setting"], "cache.max_disk_percent");
    assert!(bytes(&status) < 10_000_000, "{status}");
    world.run(["cache", "status", "--memory-details"]).ok().stdout_has("cache.max_disk_percent");
    world.set("AWSIDEMAN_CACHE_MAX_DISK_PERCENT", "0").set("AWSIDEMAN_CACHE_MAX_MEMORY_MB", "3");
    assert_eq!(bytes(&memory(&world)), 512 << 20, "memory does not limit the disk");
    world.set("AWSIDEMAN_CACHE_BACKEND", "memory");
    let status = memory(&world);
    assert_eq!((bytes(&status), &status["memory"]["limit_setting"]), (3 << 20, &"cache.max_memory_mb".into()));
    world.set("AWSIDEMAN_CACHE_EVICTION_POLICY", "fifo");
    world.run(["user", "list"]).code(2).stderr_has("AWSIDEMAN_CACHE_EVICTION_POLICY").stderr_has("lru");
}

#[test]
fn a_part_of_the_disk_is_a_limit_that_is_enforced() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_COMPRESSION", "false");
    world.fill(8, 250_000);
    // A part of this disk that is about a megabyte.
    let disk = rustix::fs::statvfs(world.cache_dir()).unwrap();
    #[expect(clippy::cast_precision_loss, reason = "about")]
    let percent = 1_048_576.0 * 100.0 / (disk.f_blocks * disk.f_frsize) as f64;
    world.set("AWSIDEMAN_CACHE_MAX_DISK_PERCENT", &format!("{percent:.12}"));
    let would = world.run(["cache", "enforce-limits", "--dry-run", "--json"]).ok().json();
    let did = world.run(["cache", "enforce-limits", "--json"]).ok().silent().json();
    assert_eq!((&did["removed"], &did["removed"]["evicted"]), (&would["removed"], &5.into()));
}

#[test]
fn no_answer_exceeds_the_maximum_age_even_before_a_sweep() {
    let mut world = World::small();
    world.run(["group", "list"]).ok();
    assert_eq!(world.calls_of(|| world.run(["group", "list"]).ok()), 0);
    world.later("3m").set("AWSIDEMAN_CACHE_MAX_AGE", "2m");
    assert!(world.calls_of(|| world.run(["group", "list"]).ok()) > 0);
    world.later("6m");
    let would = world.run(["cache", "cleanup", "--dry-run", "--json"]).ok().json();
    assert!(would["removed"]["aged"].as_u64() > Some(3), "{would}");
    assert_eq!(world.run(["cache", "cleanup", "--json"]).ok().json()["removed"], would["removed"]);
    assert_eq!(counted(&world.status(), "too old"), would["removed"]["aged"].as_u64().unwrap());
}

#[test]
fn what_sweeps_removed_is_counted_by_reason() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "10");
    world.fill(20, 100);
    world.run(["cache", "enforce-limits"]).ok().stdout_has("0 expired, 0 too old, 12 least recently used");
    world.later("10d").run(["cache", "cleanup"]).ok().stdout_has("8 expired, 0 too old, 0 least recently used");
    let status = world.status();
    assert_eq!((counted(&status, "least recently used"), counted(&status, "expired")), (12, 8), "{status}");
    world.run(["cache", "status", "--memory-details"]).ok().stdout_has("8 expired, 12 least recently used");
}

#[test]
fn a_warm_that_does_not_fit_keeps_lists_and_names_the_setting() {
    let mut world = World::of(&Shape { users: 400, groups: 10, accounts: 3, permission_sets: 2, ..Shape::default() });
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "300");
    let warm = world.run(["cache", "warm", "--json"]).ok();
    let document = warm.json();
    assert!(document["dropped"].as_u64() > Some(400), "{document}");
    let finding = &document["findings"][0];
    assert_eq!(finding["setting"], "cache.max_entries");
    assert!(
        warm.stderr.contains("lists were kept") && warm.stderr.contains("set cache.max_entries to"),
        "{}",
        warm.stderr
    );
    let held = keys(&world);
    assert!(held.len() <= 300, "{}", held.len());
    assert!(held.iter().filter(|key| key.starts_with("user:describe:")).count() < 300);
    for list in ["user:list:all", "group:list:all", "account:list:all", "permission_set:list:all"] {
        assert!(held.iter().any(|key| key == list), "{list}: {held:?}");
    }
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0, "the list answers");
    // With the value that it names everything has room.
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", &finding["value"].to_string());
    let again = world.run(["cache", "warm", "--json"]).ok().silent().json();
    assert_eq!((&again["dropped"], &again["findings"]), (&0.into(), &Value::Array(Vec::new())));
    assert!(keys(&world).len() > 800);
}

#[test]
fn a_warm_and_its_job_with_too_few_bytes_do_the_same() {
    let mut world = World::of(&Shape { users: 1000, groups: 10, accounts: 3, permission_sets: 2, ..Shape::default() });
    world.set("AWSIDEMAN_CACHE_COMPRESSION", "false").set("AWSIDEMAN_CACHE_MAX_SIZE_MB", "0.8");
    let document = world.run(["cache", "warm", "--json"]).ok().json();
    assert_eq!(document["findings"][0]["setting"], "cache.max_size_mb", "{document}");
    assert!(world.status()["memory_usage_mb"].as_f64() <= Some(0.8));
    assert!(keys(&world).iter().any(|key| key == "user:list:all"));
    world.run(["cache", "clear", "--all"]).ok();
    world.write("jobs/10-warm.toml", "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\n");
    world.set("AWSIDEMAN_JOBS_DIR", &world.home().join("jobs").display().to_string());
    let ran = world.run(["jobs", "run", "warm", "--json"]).ok().json();
    let reason = ran["runs"][0]["reason"].as_str().unwrap();
    assert!(reason.contains("lists were kept") && reason.contains("set cache.max_size_mb to"), "{ran}");
    assert!(world.status()["memory_usage_mb"].as_f64() <= Some(0.8));
}

/// A cache of few entries in a folder that may become a disk of its own; what that is done with, and whether it may be.
fn small_disk(world: &mut World) -> (std::path::PathBuf, String, bool) {
    let small = world.beside("small");
    std::fs::create_dir(&small).unwrap();
    world.set("AWSIDEMAN_CACHE_DIR", &small.join("cache").display().to_string());
    world.set("AWSIDEMAN_CACHE_MAX_ENTRIES", "20").set("SMALL", &small.display().to_string());
    let root = if rustix::process::geteuid().is_root() { "" } else { "--map-root-user" };
    let own = format!("unshare {root} --mount");
    let may_mount = world.shell(&format!("{own} mount -t tmpfs -o size=16m tmpfs $SMALL")).exit == 0;
    (small, own, may_mount)
}

#[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
fn skipped(why: &str) {
    eprintln!("SKIPPED: {why}");
}

/// The same disk without the room that is kept for that day, and with a fence on one entry.
#[test]
fn on_a_full_disk_enforcing_limits_drops_entries_but_keeps_fences() {
    let mut world = World::small();
    let (small, own, may_mount) = small_disk(&mut world);
    world.set("AWSIDEMAN_CACHE_SETTLE", "10m");
    if !may_mount {
        skipped("this host grants no mount namespace; tests/modules/store/full.rs has what a store does then");
        return;
    }
    let user =
        world.run(["user", "list", "--json", "--no-cache"]).ok().json()[0]["UserName"].as_str().unwrap().to_owned();
    // Enough that there is room for a new generation when it goes.
    world.set("AWSIDEMAN_CACHE_COMPRESSION", "false").fill(30, 50_000);
    std::fs::rename(small.join("cache"), small.with_extension("full")).unwrap();
    let lines = format!(
        "cp -a $SMALL.full $SMALL/cache && awsideman user list --json > $SMALL.before && awsideman group list > $SMALL.talk && \
        awsideman user update {user} --display-name Changed --yes > $SMALL.talk && awsideman cache cleanup > $SMALL.talk && \
        rm $SMALL/cache/ballast && (cat /dev/zero > $SMALL/full 2> $SMALL.talk || true) && \
        awsideman cache enforce-limits --json > $SMALL.limits && df --output=avail -B1 $SMALL | tail -1 && \
        awsideman user list --json > $SMALL.after && \
        awsideman group list > $SMALL.talk && \
        (awsideman group list --cache-only > $SMALL.talk; echo exit $?) && \
        ls $SMALL/cache && awsideman cache status --json > $SMALL.status"
    );
    let ran = world.shell(&format!("{own} bash -c 'mount -t tmpfs -o size=16m tmpfs $SMALL && {lines}'")).ok();
    let beside = |ending: &str| {
        let text = std::fs::read_to_string(small.with_extension(ending)).unwrap();
        serde_json::from_str::<Value>(&text).unwrap()
    };
    assert!(
        ran.stderr.contains("the whole cache was dropped") && ran.stderr.contains("`awsideman cache warm`"),
        "{ran:?}"
    );
    let removed = beside("limits")["removed"].clone();
    assert!(removed["no_room"].as_u64() > Some(20) && removed["evicted"] == 0, "{removed}");
    assert!(ran.stdout.lines().next().unwrap().trim().parse::<u64>().unwrap() > 0, "{}", ran.stdout);
    let after = beside("after");
    assert!(after.as_array().unwrap().iter().any(|one| one["DisplayName"] == "Changed"), "{after}");
    // What was fenced before the drop is known to nobody by name any more: nothing is stored as long as it stood.
    assert!(ran.stdout.contains("exit 10"), "{}", ran.stdout);
    assert_eq!(counted(&beside("status"), "no room"), removed["no_room"].as_u64().unwrap());
    assert!(ran.stdout.contains("dropped-"), "{}", ran.stdout);
}

/// A disk of its own, in a mount namespace that ends with the shell; where none is to be had, no file may grow instead.
#[test]
fn on_a_full_disk_commands_answer_and_enforcing_the_limits_makes_room() {
    let mut world = World::small();
    let (_, own, may_mount) = small_disk(&mut world);
    // The log is folded in, so that there is nothing to gain from it.
    let lines = "awsideman user list --json > $SMALL.before && awsideman cache cleanup > $SMALL.talk && cp /dev/zero $SMALL/full 2>/dev/null; \
        awsideman user list --json --cache-only > $SMALL.after && cmp $SMALL.before $SMALL.after && \
        awsideman group list --json > /dev/null && \
        awsideman cache enforce-limits --json && df --output=avail -B1 $SMALL | tail -1";
    if may_mount {
        let ran = world.shell(&format!("{own} bash -c 'mount -t tmpfs -o size=16m tmpfs $SMALL && {lines}'")).ok();
        let free: u64 = ran.stdout.lines().last().unwrap().trim().parse().unwrap();
        assert!(free > 0, "{}", ran.stdout);
        let document = ran.stdout.rsplit_once('\n').unwrap().0.rsplit_once('\n').unwrap().0;
        let removed = serde_json::from_str::<Value>(document).unwrap()["removed"]["evicted"].as_u64();
        assert!(removed > Some(20), "{}", ran.stdout);
        return;
    }
    world.run(["user", "list"]).ok();
    world.shell("trap '' XFSZ; ulimit -f 0; awsideman user list --cache-only && awsideman group list").ok();
}
