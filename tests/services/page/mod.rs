//! What the daemon serves: the page in a real browser, the metrics through promtool, and who gets nothing.
//!
//! What a person, Prometheus or a stranger meets is what is checked. Needs Chromium, promtool and a Python with
//! playwright (`AWSIDEMAN_TEST_PYTHON`), which `scripts/test.sh` brings; without them that is said, and in CI it
//! fails.

mod flood;
mod large;
mod rules;
mod service;
mod site;

use awsideman::cache::{Fresh, Key};
use awsideman::daemon::metrics;
use awsideman::model::Resource;
use awsideman::state::LookupOutcome;
use serde_json::Value;
use site::{Daemon, Site};
use std::collections::BTreeSet;
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};

const WARM: &str =
    "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\ntimeout = \"1s\"\n[warm]\nresources = [\"users\"]\n";
const HEALTH: &str = "name = \"health\"\nkind = \"health-check\"\nevery = \"1h\"\n";
const OFF: &str = "name = \"off\"\nkind = \"cleanup\"\nevery = \"1h\"\nenabled = false\n";

/// A home in which a warm runs out of time, a health check goes well, and commands looked up what was there and what was not;
/// and the AWS that takes calls and never answers.
fn lived_in() -> (Site, TcpListener) {
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let mut site = Site::new(&[("10-warm.toml", WARM), ("20-health.toml", HEALTH), ("30-off.toml", OFF)]);
    site.environment.insert("AWS_ENDPOINT_URL".into(), format!("http://{}", silent.local_addr().unwrap()));
    let app = site.app();
    let cache = app.cache();
    for n in 0..30 {
        let key = Key::new(Resource::User, "describe", &n.to_string());
        let fresh = Fresh { key, payload: b"{\"UserName\":\"secret.person\"}".to_vec(), source: "ListUsers" };
        let ticket = cache.ticket().unwrap();
        assert_eq!(cache.fill("a space", &[fresh], ticket).unwrap().stored, 1);
    }
    let tally = app.state().tally(app.cache_dir());
    for (outcome, times) in [(LookupOutcome::Hit, 90), (LookupOutcome::MissAbsent, 8), (LookupOutcome::MissExpired, 2)]
    {
        for entry in 0..times {
            assert_eq!(tally.record(outcome, Resource::User, entry, app.clock().now()), None);
        }
    }
    (site, silent)
}

/// The same, once its daemon has run both jobs.
fn daemon(site: &Site) -> Daemon {
    let mut daemon = site.daemon("");
    daemon.says("warm: timed-out");
    daemon.says("health: done");
    daemon
}

/// A program that a test needs; without it the test has nothing to say, which in CI is a failure.
fn tool(name: &str, variable: &str) -> Option<String> {
    let found = std::env::var(variable).ok().filter(|path| !path.is_empty()).or_else(|| {
        let folders = std::env::var_os("PATH")?;
        let path = std::env::split_paths(&folders).map(|folder| folder.join(name)).find(|path| path.is_file())?;
        Some(path.display().to_string())
    });
    missing(found, name, variable)
}

fn missing(found: Option<String>, name: &str, variable: &str) -> Option<String> {
    if found.is_none() {
        let message = format!("{name} is not here (scripts/test.sh brings it, {variable} names it)");
        assert!(std::env::var_os("CI").is_none_or(|ci| ci.is_empty()), "{message}");
        let _ = writeln!(std::io::stderr(), "NOT TESTED: {message}");
    }
    found
}

/// A Python that can drive a browser.
fn python() -> Option<String> {
    let python = std::env::var("AWSIDEMAN_TEST_PYTHON").ok().filter(|python| {
        let asked = Command::new(python).args(["-c", "import axe_playwright_python"]).stderr(Stdio::null()).status();
        asked.is_ok_and(|status| status.success())
    });
    missing(python, "a Python with playwright", "AWSIDEMAN_TEST_PYTHON")
}

/// Those who read Prometheus' text for a living have nothing to say about it.
fn accepted_by_promtool(text: &str) {
    let Some(promtool) = tool("promtool", "AWSIDEMAN_TEST_PROMTOOL") else { return };
    let mut check = Command::new(promtool)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    check.stdin.take().unwrap().write_all(text.as_bytes()).unwrap();
    let said = check.wait_with_output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
    assert!(said.status.success() && out.is_empty() && err.is_empty(), "{out}{err}");
}

/// The families of a text, as `# TYPE` lines name them.
pub(crate) fn families(text: &str) -> BTreeSet<&str> {
    text.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split(' ').next()).collect()
}

fn value(text: &str, sample: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

#[test]
fn the_metrics_are_true_complete_and_as_prometheus_wants_them() {
    let (site, _silent) = lived_in();
    let daemon = daemon(&site);
    let text = daemon.body("/metrics");
    for (sample, expected) in [
        ("awsideman_cache_hits_total{resource=\"user\"}", 90.0),
        ("awsideman_cache_misses_total{reason=\"absent\",resource=\"user\"}", 8.0),
        ("awsideman_cache_misses_total{reason=\"expired\",resource=\"user\"}", 2.0),
        ("awsideman_cache_hit_ratio", 0.9),
        ("awsideman_cache_entries{resource=\"user\"}", 30.0),
        ("awsideman_cache_disabled", 0.0),
        ("awsideman_cache_breaker_state{state=\"CLOSED\"}", 1.0),
        ("awsideman_job_runs_total{job=\"warm\",outcome=\"timed-out\",profile=\"\"}", 1.0),
        ("awsideman_job_runs_total{job=\"warm\",outcome=\"done\",profile=\"\"}", 0.0),
        ("awsideman_job_runs_total{job=\"health\",outcome=\"done\",profile=\"\"}", 1.0),
        ("awsideman_job_enabled{job=\"off\",profile=\"\"}", 0.0),
        ("awsideman_alerts{state=\"firing\"}", 1.0),
        ("awsideman_alert_firing{key=\"job:warm\"}", 1.0),
        ("awsideman_daemon_reload_success", 1.0),
    ] {
        assert_eq!(value(&text, sample), Some(expected), "{sample}");
    }
    assert!(value(&text, "awsideman_job_last_success_timestamp_seconds{job=\"health\",profile=\"\"}").unwrap() > 1.7e9);
    assert_eq!(value(&text, "awsideman_job_last_success_timestamp_seconds{job=\"warm\",profile=\"\"}"), None);
    let calls = text.lines().filter(|line| line.starts_with("awsideman_aws_calls_total{api=\"sso-admin\""));
    assert!(calls.count() > 0, "the warm asked, though nobody answered");
    let known: BTreeSet<&str> = metrics::NAMES.iter().map(|(name, _)| *name).collect();
    let absent: Vec<_> = known.difference(&families(&text)).copied().collect();
    assert_eq!(absent, ["awsideman_cache_errors_total"], "nothing failed in the cache, and all else is there");
    assert!(families(&text).is_subset(&known) && known.iter().all(|name| name.starts_with("awsideman_")));
    assert!(!text.contains("secret.person"));
    accepted_by_promtool(&text);
}

#[test]
fn a_run_by_cron_writes_the_same_metrics_to_a_readable_file() {
    let (mut site, _silent) = lived_in();
    let folder = site.path("collector");
    std::fs::create_dir(&folder).unwrap();
    let file = folder.join("awsideman.prom");
    site.environment.insert("AWSIDEMAN_METRICS_TEXTFILE".into(), file.display().to_string());
    let ran = site.run("jobs run");
    assert_eq!(ran.status.code(), Some(1), "{ran:?}");
    let text = std::fs::read_to_string(&file).unwrap();
    assert_eq!(value(&text, "awsideman_cache_hits_total{resource=\"user\"}"), Some(90.0));
    assert_eq!(value(&text, "awsideman_job_runs_total{job=\"warm\",outcome=\"timed-out\",profile=\"\"}"), Some(1.0));
    assert!(!families(&text).iter().any(|name| name.starts_with("awsideman_daemon_")), "there is no daemon");
    assert_eq!(file.metadata().unwrap().permissions().mode() & 0o777, 0o644);
    accepted_by_promtool(&text);
    // A run that found nothing due writes too: its age tells that cron still runs.
    std::fs::remove_file(&file).unwrap();
    let ran = site.run("jobs run");
    assert_eq!((ran.status.code(), ran.stderr.len()), (Some(0), 0), "{ran:?}");
    let names: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["awsideman.prom"], "and nothing else is left");
    // A folder that is gone is said, and fails no job.
    std::fs::remove_dir_all(&folder).unwrap();
    let ran = site.run("jobs run health");
    assert_eq!(ran.status.code(), Some(0), "{ran:?}");
    assert!(String::from_utf8_lossy(&ran.stderr).contains("cannot write the metrics to"), "{ran:?}");
}

#[test]
fn only_reads_that_name_this_host_are_answered() {
    let site = Site::new(&[("20-health.toml", HEALTH)]);
    let daemon = site.daemon("");
    let ask = |request: &str| daemon.raw(request).lines().next().unwrap_or_default().to_owned();
    let port = daemon.address.port();
    for host in
        ["evil.example", &format!("evil.example:{port}"), "127.0.0.1.evil.example", "10.1.2.3", "localhost:1", ""]
    {
        let answer = daemon.raw(&format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
        assert!(!answer.contains("health"), "{host}: nothing is told");
    }
    for request in [
        "GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\nConnection: close\r\n\r\n",
        "GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    ] {
        assert!(!ask(request).contains(" 200 "), "{request}");
    }
    for host in ["localhost", &format!("127.0.0.1:{port}"), &format!("[::1]:{port}")] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        assert!(ask(&request).starts_with("HTTP/1.1 200 "), "{host}");
    }
    for path in ["/", "/metrics", "/healthz", "/readyz", "/api/status", "/nothing"] {
        for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"] {
            let request = format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
            );
            let answer = daemon.raw(&request);
            assert!(answer.starts_with("HTTP/1.1 405 ") && answer.contains("allow: GET, HEAD"), "{method} {path}");
        }
    }
    let head = daemon.raw("HEAD / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "headers alone");
    assert!(daemon.get("/nothing").0.starts_with("HTTP/1.1 404 "));
    for path in ["/", "/metrics", "/api/status", "/nothing"] {
        let head = daemon.get(path).0;
        for header in [
            "content-security-policy: default-src 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
        ] {
            assert!(head.contains(header), "{path}: {header}: {head}");
        }
    }
}

#[test]
fn an_address_other_than_loopback_is_refused_unless_insisted_and_then_warned() {
    let site = Site::new(&[("20-health.toml", HEALTH)]);
    let refused = site.run("jobs daemon --listen 0.0.0.0:0");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("can be reached by other hosts") && said.contains("--allow-remote"), "{said}");
    site.configure("[daemon]\nlisten = \"0.0.0.0:9464\"\n");
    let refused = site.run("jobs daemon");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert_eq!(refused.status.code(), Some(2), "{said}");
    assert!(said.contains("config.toml:2: daemon.listen") && said.contains("allow_remote = true"), "{said}");
    site.configure("[daemon]\nhosts = [\"monitor.example\"]\n");
    let mut insists =
        site.command("jobs daemon --listen 0.0.0.0:0 --allow-remote").stderr(Stdio::piped()).spawn().unwrap();
    let mut said = std::io::BufReader::new(insists.stderr.take().unwrap());
    let mut lines = String::new();
    while !lines.contains("requires no login") {
        assert!(std::io::BufRead::read_line(&mut said, &mut lines).unwrap() > 0, "{lines}");
    }
    insists.kill().unwrap();
    insists.wait().unwrap();
}

#[test]
fn a_configured_name_is_answered_and_a_taken_port_is_reported() {
    let site = Site::new(&[("20-health.toml", HEALTH)]);
    site.configure("[daemon]\nhosts = [\"monitor.example\", \"proxy.example:8443\"]\n");
    let daemon = site.daemon("");
    for (host, status) in [
        ("Monitor.Example".to_owned(), 200),
        (format!("monitor.example:{}", daemon.address.port()), 200),
        ("proxy.example:8443".to_owned(), 200),
        ("monitor.example:1".to_owned(), 403),
        ("proxy.example".to_owned(), 403),
    ] {
        let answer = daemon.raw(&format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
    let second = site.run(&format!("jobs daemon --listen {}", daemon.address));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(1), "{said}");
    assert!(said.contains(&format!("cannot listen on {}", daemon.address)) && said.contains("another port"), "{said}");
}

#[test]
fn the_document_says_what_is_wrong_and_what_to_type() {
    let (site, _silent) = lived_in();
    let daemon = daemon(&site);
    let document: Value = serde_json::from_str(&daemon.body("/api/status")).unwrap();
    assert_eq!((&document["schema_version"], &document["verdict"]), (&Value::from(1), &Value::from("wrong")));
    let first = &document["problems"][0];
    assert_eq!((&first["key"], &first["level"]), (&Value::from("job:warm"), &Value::from("critical")));
    assert!(first["message"].as_str().unwrap().starts_with("Job warm ran out of time: "), "{first}");
    assert_eq!(first["command"], "awsideman jobs run warm");
    assert_eq!(document["status"]["hit_count"], 90);
    assert_eq!(
        document["history"]["hours"].as_array().unwrap().iter().map(|h| h["hits"].as_u64().unwrap()).sum::<u64>(),
        90
    );
    assert!(!document["history"]["samples"].as_array().unwrap().is_empty(), "a run leaves a sample");
    assert_eq!(document["jobs"].as_array().unwrap().len(), 3);
    assert_eq!(document["daemon"]["refused"], Value::Null);
    let text = document.to_string();
    assert!(!text.contains("secret.person"), "no name of a person");
}

#[test]
fn an_unreadable_figure_is_a_problem_with_a_command_to_type() {
    let site = Site::new(&[("20-health.toml", HEALTH)]);
    let mut daemon = site.daemon("");
    daemon.says("health: done");
    assert_eq!(daemon.body("/readyz"), "ready\n");
    let state = site.path(".local/state/awsideman");
    let newer = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version = 99')";
    let made = Command::new("python3").args(["-c", newer]).arg(state.join("state.db")).status().unwrap();
    assert!(made.success());
    let (head, body) = daemon.get("/readyz");
    assert!(head.starts_with("HTTP/1.1 503 ") && body.contains("newer awsideman"), "{head} {body}");
    assert_eq!(daemon.body("/healthz"), "ok\n");
    let mut page = daemon.body("/");
    // What was gathered a moment ago may be shown once more.
    while !page.contains("The state database cannot be read") {
        page = daemon.body("/");
    }
    assert!(page.contains("<code>awsideman doctor</code>"));
}

/// The words of a page without its ages, which go on while it is looked at: `9s ago` and `12s ago` are the same.
fn timeless(text: &str) -> String {
    let is_age = |word: &str| {
        let number = word.trim_end_matches([',', ';', ')']).strip_suffix(['s', 'm']);
        number.is_some_and(|number| number.parse::<u32>().is_ok())
    };
    text.split_whitespace().filter(|word| !is_age(word)).collect::<Vec<_>>().join(" ")
}

#[test]
fn the_page_in_a_browser_shows_problems_and_is_accessible() {
    let (Some(chromium), Some(python)) = (tool("chromium", "AWSIDEMAN_TEST_CHROMIUM"), python()) else { return };
    let (site, _silent) = lived_in();
    let daemon = daemon(&site);
    let url = format!("http://{}/", daemon.address);
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/services/page/look.py");
    let mut look = Command::new(python);
    look.args([script, &chromium, &url]).stdin(Stdio::null());
    if let Some(folder) = std::env::var_os("AWSIDEMAN_TEST_SCREENSHOTS") {
        look.arg(PathBuf::from(folder));
    }
    let looked = look.output().unwrap();
    assert!(looked.status.success(), "{}", String::from_utf8_lossy(&looked.stderr));
    let seen: Value = serde_json::from_slice(&looked.stdout).unwrap();

    let text = seen["text"].as_str().unwrap();
    assert!(text.starts_with("1 problem"), "the verdict comes first: {text:.200}");
    assert!(text.contains("Job warm ran out of time: ") && !text.contains("secret.person"), "{text:.600}");
    let with_scripts = seen["text_with_scripts"].as_str().unwrap();
    assert_eq!(timeless(text), timeless(with_scripts), "complete without a script");
    assert_eq!(seen["command"], "awsideman jobs run warm", "what is copied is the command alone");
    assert!(seen["title"].as_str().unwrap().starts_with("1 problem - awsideman on "));

    assert_eq!(seen["console"], serde_json::json!([]));
    let requests: Vec<&str> = seen["requests"].as_array().unwrap().iter().map(|r| r.as_str().unwrap()).collect();
    assert!(requests.len() >= 5 && requests.iter().all(|request| request.starts_with(&url)), "{requests:?}");

    let charts = seen["charts"].as_array().unwrap();
    assert_eq!(charts.len(), 3);
    for chart in charts {
        assert!(chart["drawn"].as_u64().unwrap() > 0 && chart["words"].as_str().unwrap().len() > 20, "{chart}");
    }
    assert!(charts[0]["words"].as_str().unwrap().starts_with("90 of 100 lookups"), "{}", charts[0]);
    assert_eq!((seen["marks"]["failed"].as_u64(), seen["marks"]["done"].as_u64()), (Some(1), Some(1)));

    let looks = seen["looks"].as_array().unwrap();
    assert_eq!(looks.len(), 4);
    for look in looks {
        assert_eq!(look["width"], look["room"], "no scrolling sideways: {look}");
        assert_eq!(look["faults"], serde_json::json!([]), "axe: contrast, names, landmarks, headings, tables");
    }
    assert_ne!(looks[0]["paper"], looks[2]["paper"], "light and dark differ");

    let steps = seen["steps"].as_array().unwrap();
    assert_eq!(steps[0]["name"], "Skip to the summary");
    assert!(steps.len() >= 9 && steps.iter().all(|step| step["outline"] == true && step["seen"] == true), "{steps:?}");
}
