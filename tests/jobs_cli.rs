//! `jobs ...` and `alerts test` as a person and as cron run them: the real binary, an empty HOME, the sandbox.
//!
//! Neighbours: `src/cli/commands/` words what is read here, `src/app/works.rs` does the work. Promise: each test has a
//! HOME of its own and no variable of whoever runs it, so nothing of the host is read or changed.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use tempfile::TempDir;

const ENABLED: [&str; 4] = ["warm", "cleanup", "enforce-limits", "health"];

struct Home(TempDir);

impl Home {
    fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    fn command(&self, words: &[&str], variables: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command.args(words).env_clear().env("HOME", self.0.path()).env("PATH", std::env::var_os("PATH").unwrap());
        command.envs(variables.iter().copied()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &str) -> Ran {
        self.run_with(words, &[])
    }

    fn run_with(&self, words: &str, variables: &[(&str, &str)]) -> Ran {
        let words: Vec<&str> = words.split_whitespace().collect();
        Ran::of(&self.command(&words, variables).output().unwrap())
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.0.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }
}

#[derive(Debug)]
struct Ran {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ran {
    fn of(output: &Output) -> Ran {
        Ran {
            code: output.status.code(),
            out: String::from_utf8(output.stdout.clone()).unwrap(),
            err: String::from_utf8(output.stderr.clone()).unwrap(),
        }
    }

    /// The one document on stdout; on success nothing stands on stderr.
    fn json(&self) -> Value {
        assert!(self.code != Some(0) || self.err.is_empty(), "{self:?}");
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    fn mails(&self) -> Vec<&Path> {
        self.out.lines().filter_map(|line| line.strip_prefix("Mail: ")).map(Path::new).collect()
    }
}

#[test]
fn the_whole_round_ends_with_a_table_and_a_mail_and_the_next_due_run_is_silent() {
    let home = Home::new();
    let all = home.run("--sandbox jobs run --all");
    assert_eq!(all.code, Some(0), "{all:?}");
    for job in ENABLED {
        let row = all.out.lines().find(|line| line.trim_start().starts_with(&format!("{job} ")));
        assert!(row.is_some_and(|row| row.contains(" done ")), "{job}: {all:?}");
    }
    assert!(all.out.contains("300 users, 30 groups") && all.out.contains("made-up organization"), "{all:?}");
    assert!(all.err.contains("--sandbox user list"), "{all:?}");
    let [mail] = all.mails()[..] else { panic!("one mail: {all:?}") };
    assert_eq!(mail.extension().unwrap(), "eml");
    let text = std::fs::read_to_string(mail).unwrap();
    assert!(text.contains("Subject: awsideman Cache Health Alert"), "{text}");

    let due = home.run("--sandbox jobs run");
    assert_eq!((due.code, due.out.as_str(), due.err.as_str()), (Some(0), "", ""));
    let real = home.0.path().join(".local/state/awsideman");
    let beside: Vec<_> = std::fs::read_dir(&real).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["sandbox"], "the real state directory is left alone");

    let list = home.run("--sandbox user list --cache-only --json").json();
    assert_eq!(list.as_array().unwrap().len(), 300);
}

#[test]
fn under_json_every_run_is_one_document() {
    let home = Home::new();
    let all = home.run("--sandbox jobs run --all --json");
    let document = all.json();
    assert_eq!(document["schema_version"], 1);
    let runs = document["runs"].as_array().unwrap();
    let jobs: Vec<&str> = runs.iter().map(|run| run["job"].as_str().unwrap()).collect();
    assert_eq!(jobs, ENABLED);
    assert!(runs.iter().all(|run| run["outcome"] == "done"), "{document}");
    assert_eq!(runs[0]["kind"], "warm");
    assert!(runs[0]["calls"].as_u64().unwrap() > 0 && runs[0]["took_ms"].is_u64() && runs[0]["reason"].is_string());
    assert_eq!(document["mail"]["sent"].as_array().unwrap().len(), 1);

    let nothing = home.run("--sandbox jobs run --output json").json();
    assert_eq!(nothing["runs"], serde_json::json!([]));
    assert_eq!(nothing["notices"], serde_json::json!([]));

    let history = home.run("--sandbox jobs history --json").json();
    let past: Vec<&str> = history["runs"].as_array().unwrap().iter().map(|run| run["job"].as_str().unwrap()).collect();
    assert_eq!(past, ["health", "enforce-limits", "cleanup", "warm"], "newest first");
    let one = home.run("--sandbox jobs history warm -n 1 --json").json();
    assert_eq!(one["runs"].as_array().unwrap().len(), 1);

    let list = home.run("--sandbox jobs list --json").json();
    let warm = list["jobs"].as_array().unwrap().iter().find(|job| job["job"] == "warm").unwrap();
    assert_eq!((&warm["last_outcome"], &warm["running"]), (&Value::from("done"), &Value::Null));
}

#[test]
fn a_second_warm_before_anything_expires_makes_no_call() {
    let home = Home::new();
    let calls = |ran: &Ran| ran.json()["runs"][0]["calls"].as_u64().unwrap();
    assert_eq!(calls(&home.run("--sandbox jobs run warm --json")), 15);
    assert_eq!(calls(&home.run("--sandbox jobs run warm --json")), 0);
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let home = Home::new();
    for words in ["--sandbox jobs run helth", "--sandbox jobs history helth"] {
        let ran = home.run(words);
        assert_eq!(ran.code, Some(2), "{ran:?}");
        assert!(ran.err.contains("`helth`") && ran.err.contains("did you mean `health`?"), "{ran:?}");
        assert!(ran.out.is_empty());
    }
}

#[test]
fn with_the_cache_disabled_a_warm_is_skipped_with_its_reason() {
    let home = Home::new();
    let disabled = [("AWSIDEMAN_CACHE_DISABLED", "true")];
    let ran = home.run_with("--sandbox jobs run warm", &disabled);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.contains("skipped") && ran.out.contains("AWSIDEMAN_CACHE_DISABLED"), "{ran:?}");
    let run = &home.run_with("--sandbox jobs run warm --json", &disabled).json()["runs"][0];
    assert_eq!((&run["outcome"], &run["calls"]), (&Value::from("skipped"), &Value::from(0)));
}

#[test]
fn a_broken_job_file_stops_everything_and_names_file_and_key() {
    let home = Home::new();
    let folder = home.folder("jobs");
    std::fs::write(folder.join("10-x.toml"), "name = \"x\"\nkind = \"cleanup\"\nevery = \"soon\"\n").unwrap();
    std::fs::write(folder.join("20-y.toml"), "name = \"y\"\nkind = \"polish\"\nevery = \"5m\"\n").unwrap();
    let broken = [("AWSIDEMAN_JOBS_DIR", folder.to_str().unwrap())];
    for words in ["jobs run --all", "jobs run", "jobs validate", "jobs list", "jobs daemon"] {
        let ran = home.run_with(words, &broken);
        assert_eq!(ran.code, Some(2), "{words}: {ran:?}");
        for part in ["10-x.toml:3: every", "`soon`", "20-y.toml:2: kind", "`polish`"] {
            assert!(ran.err.contains(part), "{words}: {part}: {ran:?}");
        }
    }
}

#[test]
fn validate_counts_and_warns_of_a_warm_that_runs_too_seldom() {
    let home = Home::new();
    let shipped = home.run("jobs validate");
    assert_eq!((shipped.code, shipped.out.starts_with("5 jobs are sound")), (Some(0), true), "{shipped:?}");
    let folder = home.folder("jobs");
    let seldom = "name = \"w\"\nkind = \"warm\"\nevery = \"3h\"\n[warm]\nresources = [\"users\"]\n";
    std::fs::write(folder.join("w.toml"), seldom).unwrap();
    let ran = home.run_with("jobs validate --json", &[("AWSIDEMAN_JOBS_DIR", folder.to_str().unwrap())]);
    let document = ran.json();
    assert_eq!((&document["valid"], &document["jobs"]), (&Value::from(true), &serde_json::json!(["w"])));
    assert!(document["warnings"][0].as_str().unwrap().contains("user:list lives 10m"), "{document}");
}

#[test]
fn a_dry_run_says_what_would_run_and_runs_nothing() {
    let home = Home::new();
    let ran = home.run("--sandbox jobs run --all --dry-run --json");
    let planned = ran.json()["planned"].as_array().unwrap().clone();
    assert_eq!(planned.len(), ENABLED.len());
    assert!(planned.iter().all(|job| job["would_run"] == true), "{planned:?}");
    assert_eq!(home.run("--sandbox jobs history --json").json()["runs"], serde_json::json!([]));
}

#[test]
fn a_due_run_of_cron_tells_only_what_was_not_well() {
    let home = Home::new();
    // Nobody listens there: the warm fails for want of an answer, cleanup and health do their part.
    let folder = home.folder("jobs");
    let warm =
        "name = \"warm\"\nkind = \"warm\"\nevery = \"5m\"\nretry = { attempts = 1 }\n[warm]\nresources = [\"users\"]\n";
    std::fs::write(folder.join("10.toml"), warm).unwrap();
    std::fs::write(folder.join("20.toml"), "name = \"clean\"\nkind = \"cleanup\"\nevery = \"5m\"\n").unwrap();
    let variables = [
        ("AWSIDEMAN_JOBS_DIR", folder.to_str().unwrap()),
        ("AWS_ACCESS_KEY_ID", "x"),
        ("AWS_SECRET_ACCESS_KEY", "x"),
        ("AWS_REGION", "us-east-1"),
        ("AWS_ENDPOINT_URL", "http://127.0.0.1:1"),
        ("AWS_MAX_ATTEMPTS", "1"),
    ];
    let ran = home.run_with("jobs run", &variables);
    assert_eq!((ran.code, ran.out.as_str()), (Some(13), ""), "{ran:?}");
    let lines: Vec<&str> = ran.err.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("warm: failed, "), "{ran:?}");
}

#[test]
fn a_test_mail_names_its_place_and_without_mail_the_key() {
    let home = Home::new();
    let sent = home.run("--sandbox alerts test");
    assert_eq!(sent.code, Some(0), "{sent:?}");
    assert!(std::fs::read_to_string(sent.mails()[0]).unwrap().contains("awsideman Cache Health Alert (test)"));
    let off = home.run("alerts test");
    assert_eq!(off.code, Some(2), "{off:?}");
    assert!(off.err.contains("alerts.email.enabled"), "{off:?}");
    let nobody = [
        ("AWSIDEMAN_ALERTS_EMAIL_ENABLED", "true"),
        ("AWSIDEMAN_ALERTS_EMAIL_HOST", "127.0.0.1"),
        ("AWSIDEMAN_ALERTS_EMAIL_PORT", "1"),
        ("AWSIDEMAN_ALERTS_EMAIL_FROM", "a@example.com"),
        ("AWSIDEMAN_ALERTS_EMAIL_TO", "b@example.com"),
    ];
    let down = home.run_with("alerts test", &nobody);
    assert_eq!(down.code, Some(1), "{down:?}");
    assert!(down.err.contains("127.0.0.1:1") && down.err.contains("hint: check alerts.email.host"), "{down:?}");
    // A run whose mail stays behind says so and shows it in its code.
    let run = home.run_with("jobs run health", &nobody);
    assert_eq!(run.code, Some(0), "healthy: no mail is due: {run:?}");
}

#[test]
fn told_to_end_a_run_reports_what_was_stopped_and_ends_with_130() {
    let home = Home::new();
    let mut run = home.command(&["--sandbox", "jobs", "run", "warm-access", "--json"], &[]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_running = || {
        let list = home.run("--sandbox jobs list --json").json();
        list["jobs"].as_array().unwrap().iter().any(|job| job["running"].is_string())
    };
    while !is_running() {}
    let other = home.run("--sandbox jobs run warm-access --json").json();
    assert_eq!(other["runs"][0]["outcome"], "skipped", "another process runs it: {other}");
    signal(run.id(), "-INT");
    let ended = Ran::of(&run.wait_with_output().unwrap());
    assert_eq!((ended.code, ended.err.as_str()), (Some(130), ""), "{ended:?}");
    assert_eq!(ended.json()["runs"][0]["outcome"], "cancelled", "{ended:?}");
}

#[test]
fn the_daemon_runs_what_is_due_reads_anew_what_is_sound_and_ends_when_told() {
    use std::io::{BufRead, BufReader};
    let home = Home::new();
    let mut daemon = home
        .command(&["--sandbox", "jobs", "daemon"], &[])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(daemon.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |words: &str| lines.by_ref().find(|line| line.contains(words)).unwrap_or_default();
    assert!(until("the daemon begins").contains("with 4 jobs: warm"));
    assert!(until("warm: done").contains("15 calls)"));
    signal(daemon.id(), "-HUP");
    assert!(until("read anew").contains("was read anew"));
    let config = home.folder(".config/awsideman").join("config.toml");
    std::fs::write(config, "jobz = 1\n").unwrap();
    signal(daemon.id(), "-HUP");
    assert!(until("last good one").contains("jobz"));
    signal(daemon.id(), "-TERM");
    assert!(until("the daemon ends").contains("1 reload"));
    assert_eq!(daemon.wait().unwrap().code(), Some(0));
}

fn signal(pid: u32, which: &str) {
    assert!(Command::new("kill").args([which, &pid.to_string()]).status().unwrap().success());
}
