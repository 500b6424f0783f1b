//! Processes with few resources: descriptors, files that may not grow, address space, closed standard streams.
//!
//! Each limit meets one command of each class: it ends with a code of the list and a sentence, never with a panic, a hang or a
//! wrong answer, and the cache is intact afterwards. `AWSIDEMAN_SOAK=1` takes every limit of each range.

use crate::world::{Ran, World};
use awsideman::cli::exit_code::Code;
use std::time::{Duration, Instant};

/// A command that waits longer than this hangs: it asks a server on this host.
const HANGS: Duration = Duration::from_secs(90);

/// A command that cannot have what it needs ends within this time; the loaded hosts of a build get more than 5 s.
const FAILS: Duration = Duration::from_secs(15);

/// One command of each class; `NAME` is a user.
const CLASSES: [&str; 12] = [
    "user get NAME",
    "user list --no-cache",
    "user update NAME --display-name Changed",
    "cache status",
    "cache health",
    "cache disable --for 1h",
    "cache enable",
    "cache clear",
    "cache recover",
    "jobs run clean",
    "jobs list",
    "doctor",
];

fn soak() -> bool {
    std::env::var("AWSIDEMAN_SOAK").is_ok_and(|value| value == "1")
}

struct Bench {
    world: World,
    name: String,
}

impl Bench {
    fn new() -> Bench {
        let mut world = World::small();
        world.write("jobs/10-clean.toml", "name = \"clean\"\nkind = \"cleanup\"\nevery = \"1h\"\nenabled = true\n");
        let jobs = world.home().join("jobs").display().to_string();
        world.set("AWSIDEMAN_JOBS_DIR", &jobs).set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
        world.set("AWSIDEMAN_AWS_OPERATION_TIMEOUT", "10s");
        let users = world.run(["user", "list", "--json"]).ok().json();
        world.run(["jobs", "run", "clean"]).ok();
        let name = users[0]["UserName"].as_str().unwrap().to_owned();
        Bench { world, name }
    }

    /// Runs every class under a shell prefix, then holds the cache to what AWS has.
    fn suffers(&self, case: &str, prefix: &str, redirect: &str) {
        for class in CLASSES {
            let words = class.replace("NAME", &self.name);
            let begun = Instant::now();
            let ran = self.world.shell(&format!("{prefix} exec awsideman {words} {redirect}"));
            let what = format!("{case}: `{words}`");
            assert!(begun.elapsed() < HANGS, "{what} took {:?}", begun.elapsed());
            ended_well(&what, &ran, redirect.is_empty());
        }
        self.world.run(["cache", "enable"]).ok();
        let check = self.world.run(["cache", "check", "--full"]);
        assert_eq!(check.exit, 0, "{case}: the cache is damaged: {check:?}");
        let shown = |flag: &str| self.world.run(["user", "get", &self.name, "--json", flag]).ok().json();
        let live = shown("--no-cache");
        assert_eq!(shown("--refresh")["DisplayName"], live["DisplayName"], "{case}");
        assert_eq!(
            self.world.run(["user", "get", &self.name, "--json"]).ok().json()["DisplayName"],
            live["DisplayName"]
        );
        self.world.run(["user", "list"]).ok();
    }
}

/// A code of the list, no panic, and a sentence where something failed.
#[track_caller]
fn ended_well(what: &str, ran: &Ran, is_heard: bool) {
    assert!(Code::ALL.iter().any(|code| i32::from(code.number()) == ran.exit), "{what}: {ran:?}");
    for text in [&ran.stderr, &ran.stdout] {
        assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{what}: {ran:?}");
    }
    if is_heard && ran.exit != 0 {
        assert!(!ran.stderr.is_empty() || !ran.stdout.is_empty(), "{what} fails without a word: {ran:?}");
    }
}

#[test]
fn with_few_descriptors_commands_end_with_a_sentence() {
    let bench = Bench::new();
    let limits: Vec<u32> = if soak() { (4..=64).collect() } else { vec![8, 10, 12, 19, 32, 64] };
    for limit in limits {
        bench.suffers(&format!("ulimit -n {limit}"), &format!("ulimit -n {limit};"), "");
    }
    let ran = bench.world.shell("ulimit -n 10; exec awsideman user list --no-cache").code(1);
    ran.stderr_has("cannot start: Too many open files").stderr_has("hint: ").stderr_has("ulimit -n");
}

#[test]
fn too_few_descriptors_are_named_rather_than_configuration_or_network() {
    let bench = Bench::new();
    let change = format!("user update {} --display-name Changed", bench.name);
    for limit in [4, 5, 8, 17, 20, 21, 24] {
        for words in ["user list --no-cache", change.as_str(), "--sandbox user list", "--sandbox cache warm"] {
            let (what, begun) = (format!("ulimit -n {limit}: {words}"), Instant::now());
            let ran = bench.world.shell(&format!("ulimit -n {limit}; exec awsideman {words}"));
            assert!(begun.elapsed() < FAILS, "{what}: {:?}", begun.elapsed());
            let is_sandbox = words.starts_with("--sandbox");
            assert!(ran.exit == 1 || (ran.exit == 0 && !is_sandbox && limit > 15), "{what}: {ran:?}");
            if ran.exit == 1 {
                let ran = ran.stderr_has("Too many open files").stderr_has("hint: this process may open no more files");
                assert!(!ran.stderr.contains("network") && !ran.stderr.contains("config validate"), "{what}: {ran:?}");
            }
        }
    }
}

#[test]
fn a_cache_that_lacks_descriptors_is_not_reported_as_absent() {
    let bench = Bench::new();
    for limit in 6..=16 {
        std::fs::remove_dir_all(bench.world.cache_dir()).unwrap();
        let ran = bench.world.shell(&format!("ulimit -n {limit}; exec awsideman cache import /dev/null"));
        for text in [&ran.stdout, &ran.stderr] {
            assert!(!text.contains("entity not found"), "ulimit -n {limit}: {ran:?}");
        }
        bench.world.run(["user", "list"]).ok();
    }
}

#[test]
fn the_descriptors_that_the_manual_names_are_enough() {
    let bench = Bench::new();
    for (limit, classes) in [(8, &["user get NAME", "user list"][..]), (32, &CLASSES[..])] {
        for class in classes {
            let words = class.replace("NAME", &bench.name);
            let ran = bench.world.shell(&format!("ulimit -n {limit}; exec awsideman {words}"));
            for text in [&ran.stdout, &ran.stderr] {
                assert!(!text.contains("Too many open files"), "ulimit -n {limit}: {ran:?}");
            }
        }
    }
    bench.world.shell("ulimit -n 48; exec awsideman --sandbox user list").ok();
}

#[test]
fn under_a_file_size_limit_writes_fail_without_a_signal() {
    let bench = Bench::new();
    let limits: &[u32] = if soak() { &[0, 1, 2, 4, 8, 16, 31, 32, 33, 64, 128, 512, 4096] } else { &[0, 4, 64, 512] };
    for blocks in limits {
        bench.suffers(&format!("ulimit -f {blocks}"), &format!("ulimit -f {blocks};"), "");
    }
    // A change in AWS that the cache cannot record is either recorded elsewhere or not served.
    bench.world.shell("ulimit -f 0; exec awsideman user list --no-cache --json >/dev/null").ok();
}

#[test]
fn with_little_address_space_nothing_is_half_written() {
    let bench = Bench::new();
    let limits: &[u32] = if soak() { &[256, 384, 512, 640, 768, 1024, 1536, 2048] } else { &[512, 1024] };
    for mebibytes in limits {
        let prefix = format!("ulimit -v {};", mebibytes * 1024);
        let ran = bench.world.shell(&format!("{prefix} exec awsideman --version"));
        if ran.exit != 0 {
            eprintln!("SKIPPED: {mebibytes} MiB of address space do not start this build");
            continue;
        }
        bench.suffers(&format!("{mebibytes} MiB of address space"), &prefix, "");
    }
}

#[test]
fn with_closed_standard_streams_commands_end_by_their_codes() {
    let bench = Bench::new();
    for redirect in ["<&-", "2>&-", ">&-", "<&- >&- 2>&-", ">/dev/full", "2>/dev/full"] {
        bench.suffers(redirect, "", redirect);
    }
}

#[test]
fn odd_environments_are_no_panic() {
    let bench = Bench::new();
    for (case, prefix) in [
        ("deleted working directory", "mkdir gone; cd gone; rmdir ../gone;"),
        ("no terminal", "unset TERM; export COLUMNS=0;"),
        ("columns", "export COLUMNS=99999999 LINES=-1;"),
        ("too many columns", "export COLUMNS=99999999999999999999;"),
        ("bytes that are no text", "export LANG=$'\\xff' LC_ALL=$'\\xfe' USER=$'\\xff';"),
    ] {
        bench.suffers(case, prefix, "");
    }
    for line in [
        "awsideman user get $'\\xff\\xfe'",
        "awsideman $'\\xff\\xfe'",
        "awsideman --config $'/tmp/\\xff' cache status",
        "awsideman user list --out $'out-\\xff'",
        "env -i \"$(command -v awsideman)\" cache status",
        "env $'BAD\\xff=1' awsideman cache status",
    ] {
        ended_well(line, &bench.world.shell(line), true);
    }
}

#[test]
fn a_recovery_that_may_not_open_the_old_cache_changes_nothing() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let entries = world.status()["total_entries"].clone();
    for limit in [10, 12, 16] {
        let ran = world.shell(&format!("ulimit -n {limit}; exec awsideman cache recover"));
        assert!(ran.exit == 1, "{limit}: {ran:?}");
        assert_eq!(world.status()["total_entries"], entries, "{limit}: {ran:?}");
    }
    world.shell("ulimit -n 16; exec awsideman cache recover").stderr_has("nothing was changed").stderr_has("ulimit -n");
    world.shell("ulimit -n 64; exec awsideman cache recover").ok().stdout_has("Taken over");
}
