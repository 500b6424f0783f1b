//! One list of health checks: twelve states, each reported alike by status, health, Nagios, doctor, alerts, page and metrics.
//!
//! A state that this host cannot inject is reported as SKIPPED.

use crate::daemon::{Daemon, PATIENCE};
use crate::encryption_keys::sealed;
use crate::world::{Ran, World};
use serde_json::{Value, json};
use std::process::Command;
use std::time::Instant;

const HEALTH: &str = "name = \"health\"\nkind = \"health-check\"\nevery = \"1h\"\n";
const WARM: &str = "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\nenabled = true\n[warm]\n\
    resources = [\"users\", \"accounts\", \"permission-sets\", \"assignments\"]\n";
const FIRST: &str = "MTExMTExMTExMTExMTExMTExMTExMTExMTExMTExMTE=";

/// One state, and its expected report in every view.
struct State {
    name: &'static str,
    inject: fn(&mut World),
    /// The check that reports it.
    key: &'static str,
    /// `critical` or `warn`.
    level: &'static str,
    /// What a shell does in a mount namespace of its own before each command.
    mount: Option<fn(&World) -> String>,
}

const PLAIN: State = State { name: "", inject: |_| (), key: "", level: "critical", mount: None };

fn states() -> [State; 12] {
    [
        State { name: "key gone", inject: key_gone, key: "store", ..PLAIN },
        State { name: "disk full", key: "free_disk", mount: Some(full_disk), inject: small_disk, ..PLAIN },
        State { name: "breaker open for reads", inject: |world| open_breaker(world, true), key: "breaker", ..PLAIN },
        State { name: "breaker open for writes", inject: |world| open_breaker(world, false), key: "breaker", ..PLAIN },
        State { name: "switch damaged", inject: switch_damaged, key: "switch", ..PLAIN },
        State { name: "read-only mount", key: "directories", mount: Some(read_only_cache), inject: filled, ..PLAIN },
        State { name: "damaged database", inject: database_damaged, key: "store", ..PLAIN },
        State { name: "jobs directory empty", inject: no_jobs, key: "job_files", level: "warn", ..PLAIN },
        State { name: "broken job file", inject: broken_job, key: "job_files", level: "warn", ..PLAIN },
        State { name: "notifier missing", inject: notifier_missing, key: "notifiers", level: "warn", ..PLAIN },
        State { name: "partial warm", inject: partial_warm, key: "job:warm", level: "warn", ..PLAIN },
        State { name: "AWS down", inject: aws_down, key: "aws", level: "warn", ..PLAIN },
    ]
}

fn world() -> World {
    let mut world = World::small();
    world.write("jobs/20-health.toml", HEALTH);
    let jobs = world.home().join("jobs").display().to_string();
    world.set("AWSIDEMAN_JOBS_DIR", &jobs).set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    // The disk of a test machine may be anything; only a full one is critical here.
    world.set("AWSIDEMAN_HEALTH_FREE_DISK_MB_WARN", "0.5").set("AWSIDEMAN_HEALTH_FREE_DISK_MB_CRITICAL", "0.1");
    world
}

fn filled(world: &mut World) {
    world.run(["user", "list"]).ok();
}

fn key_gone(world: &mut World) {
    filled(world);
    std::fs::remove_file(world.home().join("cache.key")).unwrap();
}

fn small_disk(world: &mut World) {
    let small = world.beside("small");
    std::fs::create_dir(&small).unwrap();
    world.set("AWSIDEMAN_CACHE_DIR", &small.join("cache").display().to_string());
}

fn full_disk(world: &World) -> String {
    let small = world.beside("small").display().to_string();
    format!(
        "mount -t tmpfs -o size=1m tmpfs {small} && mkdir -m 700 {small}/cache && \
             {{ cat /dev/zero > {small}/full 2> /dev/null || true; }}"
    )
}

fn read_only_cache(world: &World) -> String {
    let dir = world.cache_dir().display().to_string();
    format!("mount --bind {dir} {dir} && mount -o remount,ro,bind {dir}")
}

fn open_breaker(world: &mut World, reads: bool) {
    filled(world);
    let app = world.app();
    let now = app.clock().now();
    let side = json!({"state": "OPEN", "failure_count": 5, "last_failure_time": now});
    let mark = if reads { side } else { json!({ "writes": side }) };
    app.state().set_breaker(app.cache_dir(), serde_json::from_value(mark).unwrap(), now).unwrap();
    world.set("AWSIDEMAN_CACHE_BREAKER_RECOVERY_TIMEOUT", "1h");
}

fn switch_damaged(world: &mut World) {
    filled(world);
    std::fs::write(world.state_dir().join("switch"), "{\"disabled\": 7").unwrap();
}

fn database_damaged(world: &mut World) {
    filled(world);
    let live = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    let text = "this is not a database, and is long enough to be read as one".repeat(100);
    std::fs::write(world.cache_dir().join(live.trim()), text).unwrap();
}

fn no_jobs(world: &mut World) {
    std::fs::remove_file(world.home().join("jobs/20-health.toml")).unwrap();
}

fn broken_job(world: &mut World) {
    world.write("jobs/30-broken.toml", "name = \"broken\"\nkind = \"polish\"\n");
}

fn notifier_missing(world: &mut World) {
    world.configure("[alerts.command]\nenabled = true\nargv = [\"/nowhere/page-me\"]\n");
}

fn partial_warm(world: &mut World) {
    let accounts = world.run(["account", "list", "--filter", "Status=ACTIVE", "--json"]).ok().json();
    let denied = accounts[0]["Id"].as_str().unwrap().to_owned();
    world.faults(|faults| faults.access_denied_accounts = vec![denied]);
    world.write("jobs/10-warm.toml", WARM);
    world.run(["jobs", "run", "warm"]).code(3);
}

fn aws_down(world: &mut World) {
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
    world.run(["user", "list"]).code(13);
}

/// A world in a state, and how commands are run in it.
struct Scene {
    world: World,
    mount: Option<String>,
}

impl Scene {
    fn command(&self, words: &str) -> Command {
        let Some(mount) = &self.mount else { return self.world.command(words.split_whitespace()) };
        let root = if rustix::process::geteuid().is_root() { None } else { Some("--map-root-user") };
        let mut command = Command::new("unshare");
        command.args(root).args(["--mount", "bash", "-c", &format!("{mount} && exec awsideman {words}")]);
        self.world.apply(&mut command);
        command
    }

    fn run(&self, words: &str) -> Ran {
        Ran::of(format!("awsideman {words}"), &self.command(words).output().unwrap())
    }
}

#[expect(clippy::print_stderr, reason = "a skipped state must not look like a passed one")]
fn skipped(name: &str) {
    eprintln!("SKIPPED: {name}: this host grants no mount namespace");
}

fn may_mount() -> bool {
    let root = if rustix::process::geteuid().is_root() { None } else { Some("--map-root-user") };
    let mut command = Command::new("unshare");
    command.args(root).args(["--mount", "mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", "/mnt"]);
    command.output().is_ok_and(|output| output.status.success())
}

fn body(daemon: &str, path: &str) -> String {
    ureq::get(format!("{daemon}{path}")).call().unwrap().body_mut().read_to_string().unwrap()
}

/// The finding with this key.
fn found<'a>(list: &'a Value, key: &str) -> Option<&'a Value> {
    list.as_array()?.iter().find(|one| one["key"] == key)
}

/// A daemon, and where it answers.
fn daemon(command: Command) -> (Daemon, String) {
    let daemon = Daemon::start(command);
    let line = daemon.line("the status page is at http://");
    let address = line.split_once("http://").unwrap().1.trim_end_matches('/').to_owned();
    (daemon, format!("http://{address}"))
}

const DAEMON: &str = "jobs daemon --listen 127.0.0.1:0";

#[test]
fn every_view_says_the_same_of_every_state() {
    world().run(["cache", "health"]).ok().stdout_has("The cache is healthy");
    let mounts = may_mount();
    for state in states() {
        if state.mount.is_some() && !mounts {
            skipped(state.name);
            continue;
        }
        let mut world = if state.name == "key gone" { sealed(world(), &[FIRST]) } else { world() };
        (state.inject)(&mut world);
        let mount = state.mount.map(|mount| mount(&world));
        let scene = Scene { world, mount };
        commands_agree(&state, &scene);
        let (_daemon, address) = daemon(scene.command(DAEMON));
        daemon_agrees(&state, &address);
    }
}

fn commands_agree(state: &State, scene: &Scene) {
    let State { name, key, level, .. } = *state;
    let critical = level == "critical";
    let ran = scene.run("cache health --json").code(if critical { 6 } else { 0 });
    let health = ran.json();
    let check = found(&health["checks"], key).unwrap_or_else(|| panic!("{name}: {health:#}"));
    assert_eq!((&check["level"], &health["level"]), (&json!(level), &json!(level)), "{name}: {health:#}");
    assert!(!check["hint"].as_str().unwrap().is_empty(), "{name}: {check}");
    let message = check["message"].as_str().unwrap();
    // Counts in a message may change between two commands.
    let begin: String = message.chars().take(20).collect();
    scene.run("cache health").stdout_lacks("The cache is healthy").stdout_has(&begin);

    let status = scene.run("cache status --json").ok().json();
    let listed = if critical { &status["issues"] } else { &status["warnings"] };
    let says = |text: &Value| text.as_str().is_some_and(|text| text.starts_with(&begin));
    assert!(listed.as_array().unwrap().iter().any(says), "{name}: {status:#}");
    assert_eq!(status["healthy"], health["healthy"], "{name}");
    assert!(!critical || status["healthy"] == false, "{name}");
    scene.run("cache status").ok().stdout_has(&begin).stdout_lacks("Health: healthy");

    let nagios = scene.run("cache health --nagios").code(if critical { 2 } else { 1 });
    assert!(nagios.stdout.contains(&begin.replace('|', " ")), "{name}: {nagios:?}");

    let doctor = scene.run("doctor").stdout_lacks("all that is needed is there");
    assert!(!critical || doctor.exit != 0, "{name}: {doctor:?}");
    let mark = if critical { "fail" } else { "warn" };
    let label = key.replace('_', " ");
    let marked = |line: &str| {
        let line = line.trim_start();
        line.starts_with(mark) && (line.contains(&label) || (key == "directories" && line.contains("directory")))
    };
    assert!(doctor.stdout.lines().any(marked), "{name}: {doctor:?}");

    if name == "jobs directory empty" {
        scene.run("jobs run health").code(2);
        return;
    }
    scene.run("jobs run health");
    let alerts = scene.run("alerts list --json").ok().json();
    let firing = found(&alerts["alerts"], key).is_some_and(|alert| alert["state"] == "firing");
    assert_eq!(firing, critical, "{name}: {alerts:#}");
}

fn daemon_agrees(state: &State, address: &str) {
    let State { name, key, level, .. } = *state;
    let end = Instant::now() + PATIENCE;
    // What was gathered before the state was injected may be shown once more.
    let overview = loop {
        let overview: Value = serde_json::from_str(&body(address, "/api/status")).unwrap();
        if found(&overview["problems"], key).is_some() {
            break overview;
        }
        assert!(Instant::now() < end, "{name}: {:#}", overview["problems"]);
    };
    let problem = found(&overview["problems"], key).unwrap();
    assert_eq!(problem["level"], level, "{name}: {problem}");
    assert_eq!(found(&overview["checks"], key).unwrap()["level"], level, "{name}");
    // A daemon that read a broken job file has a failed job, too.
    let failed = key == "job_files" && found(&overview["problems"], "job:broken").is_some();
    let verdict = if level == "critical" || failed { "wrong" } else { "attention" };
    assert_eq!(overview["verdict"], verdict, "{name}: {:#}", overview["problems"]);
    assert!(!body(address, "/").contains("All is well"), "{name}");
    let number = if level == "critical" { 2 } else { 1 };
    let figure = format!("awsideman_health_check_level{{check=\"{key}\"}} {number}");
    assert!(body(address, "/metrics").contains(&figure), "{name}: {figure}");
}

/// A home that cannot be written: a change of state is refused, a read names the directory.
#[test]
fn an_unwritable_home_is_critical_and_nothing_is_changed_in_another_directory() {
    if !may_mount() {
        skipped("unwritable HOME");
        return;
    }
    let world = world();
    let home = world.home().display().to_string();
    let scene = Scene { mount: Some(format!("mount --bind {home} {home} && mount -o remount,ro,bind {home}")), world };
    for words in [
        "cache disable",
        "cache enable",
        "jobs pause",
        "jobs resume",
        "cache breaker reset",
        "alerts silence x --for 1h --reason test",
    ] {
        let ran = scene.run(words).code(2).stderr_has("nothing was changed").stderr_has(".local/state/awsideman");
        assert!(ran.stdout.is_empty(), "{ran:?}");
    }
    let health = scene.run("cache health --json").code(6).json();
    assert_eq!(found(&health["checks"], "directories").unwrap()["level"], "critical", "{health:#}");
    scene.run("cache health --nagios").code(2).stdout_has("Directories cannot be used");
    scene.run("cache status").ok().stdout_has("Directories cannot be used");
    scene.run("doctor").code(6).stdout_has("cannot be made");
    for words in ["jobs list", "journal list", "alerts list", "cache path", "user list"] {
        scene.run(words).ok();
    }
    scene.run("--sandbox user list").ok().stderr_has("removed when the command ends");
}

#[test]
fn the_first_long_list_raises_nothing_and_a_second_miss_does() {
    let mut world = world();
    world.set("AWSIDEMAN_HEALTH_MIN_SAMPLES", "10");
    world.run(["assignment", "list"]).ok();
    let status = world.status();
    let lookups = status["hit_rate_samples"].as_u64().unwrap();
    let cold = status["miss_count"].as_u64().unwrap();
    assert!(lookups >= 10 && cold > 10 && status["cold_miss_count"] == cold, "{status}");
    assert_eq!((&status["healthy"], &status["warnings"]), (&json!(true), &json!([])), "{status}");
    let expected = format!("over {lookups} samples ({cold} cold misses not judged), fewer than 10");
    world.run(["cache", "health"]).ok().stdout_has(&expected);
    // What was removed under the hands of its readers is asked for twice: that is a low hit rate.
    world.run(["cache", "clear", "--pattern", "*"]).ok();
    world.run(["assignment", "list"]).ok();
    world.run(["cache", "health"]).code(6).stdout_has("Low cache hit rate");
}

#[test]
fn a_disabled_cache_has_one_level_in_health_and_doctor() {
    let mut world = world();
    world.run(["user", "list"]).ok();
    world.run(["cache", "disable", "--for", "3d", "--reason", "INC-7"]).ok();
    for (later, level) in [("0s", "ok"), ("25h", "warn")] {
        world.later(later);
        for (words, name) in [(vec!["cache", "health", "--json"], "key"), (vec!["doctor", "--json"], "name")] {
            let document = world.run(words.iter().copied()).json();
            let checks = document["checks"].as_array().unwrap();
            let found = checks.iter().find(|check| check[name] == "disabled").unwrap();
            assert!(found["level"] == level && found["message"].as_str().unwrap().contains("INC-7"), "{found}");
        }
    }
}
