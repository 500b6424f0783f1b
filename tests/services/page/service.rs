//! The daemon as its service manager meets it: a real datagram socket, real signals, the unit file.
//!
//! What systemd is told is what is read here, word by word, as it arrives.

use super::site::Site;
use rustix::process::Signal;
use std::io::Read;
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

const HEALTH: &str = "name = \"health\"\nkind = \"health-check\"\nevery = \"1h\"\n";
const WARM: &str = "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\n[warm]\nresources = [\"users\"]\n";

/// What a service manager hears.
struct Manager(UnixDatagram);

impl Manager {
    /// Listens, and tells the site's daemon where and how often it wants a sign of life.
    fn of(site: &mut Site, watchdog: Duration) -> Manager {
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        site.environment.insert("NOTIFY_SOCKET".into(), path.display().to_string());
        site.environment.insert("WATCHDOG_USEC".into(), watchdog.as_micros().to_string());
        Manager(socket)
    }

    /// The next datagram that holds this word; what comes before it is given too.
    #[track_caller]
    fn hears(&self, word: &str) -> (String, Vec<String>) {
        let (mut before, begun) = (Vec::new(), Instant::now());
        loop {
            // Signs of life alone must not keep a test waiting for ever.
            assert!(begun.elapsed() < Duration::from_secs(30), "{word} was not told: {before:?}");
            let mut bytes = [0; 4096];
            let Ok(length) = self.0.recv(&mut bytes) else { panic!("{word} was not told: {before:?}") };
            let text = String::from_utf8_lossy(&bytes[..length]).into_owned();
            if text.lines().any(|line| line.starts_with(word)) {
                return (text, before);
            }
            before.push(text);
        }
    }
}

#[test]
fn a_service_manager_learns_of_ready_alive_reloading_and_stopping() {
    let mut site = Site::new(&[("20-health.toml", HEALTH)]);
    let manager = Manager::of(&mut site, Duration::from_millis(90));
    let mut daemon = site.daemon("");
    let (ready, before) = manager.hears("READY=1");
    assert!(before.is_empty(), "{before:?}");
    assert!(ready.contains("STATUS=1 job: health; status page at http://127.0.0.1:"), "{ready}");
    for _ in 0..3 {
        manager.hears("WATCHDOG=1");
    }
    daemon.says("health: done");
    let (status, _) = manager.hears("STATUS=1 job: health; last health: done, healthy");
    assert!(!status.contains("READY"), "{status}");

    daemon.signal(Signal::HUP);
    let (reloading, _) = manager.hears("RELOADING=1");
    let at = reloading.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).expect("the time of the reload");
    assert!(at.parse::<u64>().unwrap() > 0, "{reloading}");
    let (_, between) = manager.hears("READY=1");
    assert!(between.is_empty(), "no sign of life from a loop that does not turn: {between:?}");
    daemon.says("reloaded the configuration");

    daemon.signal(Signal::TERM);
    let (stopping, _) = manager.hears("STOPPING=1");
    assert!(
        stopping.contains("STATUS=shutting down") && stopping.contains("EXTEND_TIMEOUT_USEC=15000000"),
        "{stopping}"
    );
    assert_eq!(daemon.ended(), Some(0));
}

#[test]
fn a_broken_file_at_reload_keeps_the_last_good_one_in_use() {
    let mut site = Site::new(&[("20-health.toml", HEALTH)]);
    let manager = Manager::of(&mut site, Duration::from_secs(60));
    let mut daemon = site.daemon("");
    daemon.says("health: done");
    std::fs::write(site.path("jobs/20-health.toml"), "name = \"health\"\nkind = \"polish\"\n").unwrap();
    daemon.signal(Signal::HUP);
    manager.hears("RELOADING=1");
    let (ready, _) = manager.hears("READY=1");
    assert!(
        ready.contains("the file of the job `health` is broken, its last good version") && ready.contains("polish"),
        "{ready}"
    );
    daemon.says("its last good version is in use");
    assert_eq!(daemon.body("/readyz"), "ready\n", "what is in use is good");
    let mut page = daemon.body("/");
    while !page.contains("its last good version is in use") {
        page = daemon.body("/");
    }
    assert!(page.contains("<code>awsideman jobs validate</code>") && page.contains("20-health.toml:2"), "no command");
    assert!(daemon.body("/metrics").contains("awsideman_daemon_reload_success 0"));

    std::fs::write(site.path("jobs/20-health.toml"), HEALTH).unwrap();
    daemon.signal(Signal::HUP);
    // The notice of a reload came once already: the intact part of the configuration was in use from then on.
    let begun = std::time::Instant::now();
    while !daemon.body("/metrics").contains("awsideman_daemon_reload_success 1") {
        assert!(begun.elapsed() < std::time::Duration::from_secs(60), "the reload is not reported as successful");
    }
}

#[test]
fn stopped_during_a_warm_it_reports_its_wait_and_records_the_run() {
    // An AWS that takes calls and never answers.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut site = Site::new(&[("10-warm.toml", WARM)]);
    let url = format!("http://{}", silent.local_addr().unwrap());
    site.environment.insert("AWS_ENDPOINT_URL".into(), url);
    let manager = Manager::of(&mut site, Duration::from_secs(60));
    let mut daemon = site.daemon("");
    let (mut call, _) = silent.accept().unwrap();
    assert!(call.read(&mut [0; 64]).unwrap() > 0, "the warm is under way");
    daemon.signal(Signal::TERM);
    let (stopping, _) = manager.hears("STOPPING=1");
    assert!(stopping.contains("STATUS=shutting down: waiting for 1 running pass"), "{stopping}");
    assert_eq!(daemon.ended(), Some(0));
    let history = site.run("jobs history --json");
    let found: serde_json::Value = serde_json::from_slice(&history.stdout).unwrap();
    assert_eq!(found["runs"][0]["outcome"], "cancelled", "{found}");
}

#[test]
fn the_units_are_such_as_systemd_takes() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/systemd");
    let unit = std::fs::read_to_string(folder.join("awsideman-daemon.service")).unwrap();
    for line in [
        "Type=notify",
        "NotifyAccess=main",
        "WatchdogSec=60s",
        "ExecReload=/bin/kill -HUP $MAINPID",
        "CacheDirectory=awsideman",
        "StateDirectory=awsideman",
        "LogsDirectory=awsideman",
        "NoNewPrivileges=yes",
        "ProtectSystem=strict",
        "CapabilityBoundingSet=",
    ] {
        assert!(unit.lines().any(|own| own == line), "{line}");
    }
    let Some(analyze) = super::tool("systemd-analyze", "AWSIDEMAN_TEST_SYSTEMD_ANALYZE") else { return };
    // The program is not installed here: this one stands for it.
    let root = tempfile::tempdir().unwrap();
    for name in ["awsideman-daemon.service", "awsideman-jobs.service", "awsideman-jobs.timer"] {
        let text = std::fs::read_to_string(folder.join(name)).unwrap();
        let text = text.replace("/usr/local/bin/awsideman", env!("CARGO_BIN_EXE_awsideman"));
        std::fs::write(root.path().join(name), text).unwrap();
    }
    let units = ["awsideman-daemon.service", "awsideman-jobs.service", "awsideman-jobs.timer"];
    let verify =
        Command::new(analyze).args(["verify", "--man=no"]).args(units).current_dir(root.path()).output().unwrap();
    let said = String::from_utf8_lossy(&verify.stderr);
    let own: Vec<&str> = said.lines().filter(|line| line.contains("awsideman")).collect();
    assert!(verify.status.success() && own.is_empty(), "{said}");
}
