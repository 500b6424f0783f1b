//! The log: what the guide greps for is there, names are not, and a log that cannot be written changes nothing.

use crate::world::World;
use std::os::unix::fs::PermissionsExt;

fn damage(world: &World) {
    for entry in std::fs::read_dir(world.cache_dir()).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|ending| ending == "db") {
            std::fs::write(&path, "no database at all ".repeat(5_000)).unwrap();
        }
    }
}

fn log(world: &World) -> String {
    std::fs::read_to_string(world.beside("awsideman.log")).unwrap_or_default()
}

#[test]
fn a_cache_fault_is_logged_and_a_healthy_cache_writes_nothing() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    world.run(["user", "list"]).ok();
    assert_eq!(log(&world), "");
    damage(&world);
    world.run(["user", "list"]).ok();
    let text = log(&world);
    assert!(
        text.lines().any(|line| line.contains("WARN") && line.contains("CacheError CacheBackendError: ")),
        "{text}"
    );
    assert!(text.starts_with("20") && text.contains("Z awsideman["), "{text}");
    world.shell(&format!("grep -c CacheError {}", world.beside("awsideman.log").display())).ok();
}

#[test]
fn json_lines_and_other_levels_are_a_matter_of_configuration() {
    let mut world = World::small();
    world.set("AWSIDEMAN_LOG_FORMAT", "json");
    world.run(["user", "list"]).ok();
    damage(&world);
    world.run(["user", "list"]).ok();
    let text = log(&world);
    let line: serde_json::Value = serde_json::from_str(text.lines().next().unwrap()).unwrap();
    assert_eq!(line["level"], "WARN");
    assert!(line["message"].as_str().unwrap().starts_with("CacheError CacheBackendError"), "{line}");
    std::fs::remove_file(world.beside("awsideman.log")).unwrap();
    world.set("AWSIDEMAN_LOG_LEVEL", "off");
    world.run(["user", "list"]).ok();
    assert_eq!(log(&world), "");
}

#[test]
fn a_failed_or_timed_out_job_is_logged_and_success_is_not() {
    let mut world = World::small();
    let warm = "name = \"warm\"\nkind = \"warm\"\nevery = \"5m\"\nretry = { attempts = 1 }\n";
    let clean = "name = \"clean\"\nkind = \"cleanup\"\nevery = \"5m\"\n";
    world.write("jobs/10-warm.toml", warm);
    world.write("jobs/20-clean.toml", clean);
    let folder = world.home().join("jobs").display().to_string();
    world.set("AWSIDEMAN_JOBS_DIR", &folder).set("AWSIDEMAN_JOBS_GRACE", "0");
    world.run(["jobs", "run", "clean"]).ok();
    assert_eq!(log(&world), "");
    world.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1").set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    world.run(["jobs", "run", "warm"]);
    let text = log(&world);
    assert!(text.contains("WARN") && text.contains("job failed job=\"warm\""), "{text}");
    assert!(text.contains("outcome=\"failed\"") && text.contains("reason="), "{text}");
    // A server that never answers: the run is stopped at its timeout.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    world.write("jobs/10-warm.toml", &format!("{warm}timeout = \"1s\"\n"));
    world.set("AWS_ENDPOINT_URL", &url);
    world.run(["jobs", "run", "warm"]);
    assert!(log(&world).contains("outcome=\"timed-out\""), "{}", log(&world));
}

#[test]
fn a_log_that_cannot_be_written_never_fails_a_command() {
    let mut world = World::small();
    world.set("AWSIDEMAN_LOG_FILE", "/proc/none/awsideman.log");
    world.run(["user", "list"]).ok();
    damage(&world);
    world.run(["user", "list"]).ok();
}

#[test]
fn the_host_log_exists_from_the_first_command_of_root() {
    let mut world = World::small();
    world.set("AWSIDEMAN_LOG_FILE", "");
    let root = if rustix::process::geteuid().is_root() { "" } else { "--map-root-user" };
    let own = format!("unshare {root} --mount");
    if world.shell(&format!("{own} mount -t tmpfs tmpfs /var/log")).exit != 0 {
        eprintln!("SKIPPED: this host grants no mount namespace");
        return;
    }
    let log = "/var/log/awsideman.log";
    let inside =
        |lines: &str| world.shell(&format!("{own} bash -c 'mount -t tmpfs tmpfs /var/log && {lines}'")).ok().stdout;
    // A healthy host has no line to find, and the file to look in.
    let grep = format!("awsideman user list > /dev/null; grep CacheError {log}; echo exit $?; stat -c %a {log}");
    assert_eq!(inside(&grep), "exit 1\n600\n");
    let off = format!("AWSIDEMAN_LOG_LEVEL=off awsideman user list > /dev/null; ls {log} 2> /dev/null || echo none");
    assert_eq!(inside(&off), "none\n");
    // A file that is there keeps its mode and its content.
    let kept =
        format!("echo line > {log}; chmod 640 {log}; awsideman user list > /dev/null; stat -c %a {log}; cat {log}");
    assert_eq!(inside(&kept), "640\nline\n");
}

#[test]
fn systemd_s_directory_comes_first_and_the_sandbox_keeps_its_own() {
    let mut world = World::small();
    let logs = world.beside("logs").display().to_string();
    world.set("AWSIDEMAN_LOG_FILE", "").set("LOGS_DIRECTORY", &logs);
    let shown = world.run(["config", "show", "--origin"]).ok().stdout;
    let line = shown.lines().find(|line| line.contains("log.file") || line.contains("file =")).unwrap_or_default();
    assert!(shown.contains("logs/awsideman.log") && shown.contains("LOGS_DIRECTORY"), "{line}\n{shown}");
}

const LOGROTATE: &str = include_str!("../../scripts/logrotate/awsideman");

/// The snippet with its files in this world, and the words of its block.
fn rotation(world: &World) -> (String, Vec<&'static str>) {
    let here = LOGROTATE.replace("/var/log/", &format!("{}/", world.beside("").display()));
    let block = LOGROTATE.split_once("\n{\n").unwrap().1.split_once("\n}").unwrap().0;
    (here, block.lines().map(str::trim).collect())
}

#[test]
fn logrotate_renames_the_log_and_neither_copies_nor_truncates_it() {
    let world = World::small();
    let (here, words) = rotation(&world);
    let files: Vec<&str> = LOGROTATE.lines().filter(|line| line.starts_with('/')).collect();
    assert_eq!(files, ["/var/log/awsideman.log", "/var/log/awsideman_cache_monitor.log"]);
    // Each is a word of logrotate(8); a snippet that awsideman is faster than would rotate nothing.
    let known =
        ["weekly", "maxsize 8M", "rotate 5", "missingok", "notifempty", "nocreate", "compress", "delaycompress"];
    assert_eq!(words, known);
    world.run(["user", "list"]).ok();
    damage(&world);
    world.run(["user", "list"]).ok();
    let before = log(&world);
    let snippet = world.beside("logrotate.conf");
    std::fs::write(&snippet, here).unwrap();
    std::fs::set_permissions(&snippet, std::fs::Permissions::from_mode(0o644)).unwrap();
    let here = world.beside("").display().to_string();
    let rotated = world.shell(&format!(
        "export PATH=$PATH:/usr/sbin:/sbin; command -v logrotate >/dev/null || {{ mv {here}/awsideman.log {here}/awsideman.log.1; exit; }}; \
         logrotate -d {here}/logrotate.conf && logrotate -f -s {here}/rotated {here}/logrotate.conf"
    ));
    assert!(!rotated.ok().stderr.contains("error:"));
    assert_eq!(std::fs::read_to_string(world.beside("awsideman.log.1")).unwrap(), before);
    assert!(!world.beside("awsideman.log").exists());
    world.run(["user", "list"]).ok();
    assert!(log(&world).contains("CacheError"), "the next line makes it anew");
}

#[test]
fn a_linked_log_is_written_and_doctor_shows_an_unwritable_one() {
    let mut world = World::small();
    let (link, real) = (world.beside("link.log"), world.beside("real.log"));
    std::os::unix::fs::symlink("real.log", &link).unwrap();
    world.set("AWSIDEMAN_LOG_FILE", &link.display().to_string());
    world.run(["user", "list"]).ok();
    damage(&world);
    world.run(["user", "list"]).ok();
    assert!(std::fs::read_to_string(&real).unwrap().contains("CacheBackendError"));
    world.run(["doctor"]).shows("ok log: ... link.log");
    std::fs::remove_file(&link).unwrap();
    std::fs::create_dir(&link).unwrap();
    world.run(["doctor"]).stdout_has("nothing is logged").stdout_has("link.log is a directory");
    world.set("AWSIDEMAN_LOG_FILE", "/dev/null");
    world.run(["doctor"]).shows("ok log: /dev/null");
}
