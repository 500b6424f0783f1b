//! `jobs ...` and `alerts test` as a person and as cron run them: the real binary, an empty HOME, the sandbox.
//!
//! Each test has a HOME of its own and no variable of whoever runs it, so nothing of the host is read or changed.

use crate::daemon::Daemon;
use crate::home::Home;
use crate::world::Ran;
use serde_json::Value;
use std::path::Path;
use std::process::{Command, Stdio};

const ENABLED: [&str; 4] = ["warm", "cleanup", "enforce-limits", "health"];

/// The one document on stdout; on success nothing stands on stderr.
#[track_caller]
fn document(ran: &Ran) -> Value {
    assert!(ran.exit != 0 || ran.stderr.is_empty(), "{ran:?}");
    ran.json()
}

fn mails(ran: &Ran) -> Vec<&Path> {
    ran.stdout.lines().filter_map(|line| line.strip_prefix("Mail: ")).map(Path::new).collect()
}

#[test]
fn a_whole_round_ends_with_a_table_and_a_mail() {
    let home = Home::new();
    let all = home.run("--sandbox jobs run --all");
    assert_eq!(all.exit, 0, "{all:?}");
    for job in ENABLED {
        let row = all.stdout.lines().find(|line| line.trim_start().starts_with(&format!("{job} ")));
        assert!(row.is_some_and(|row| row.contains(" done ")), "{job}: {all:?}");
    }
    assert!(all.stdout.contains("300 users, 30 groups") && all.stdout.contains("made-up organization"), "{all:?}");
    assert!(all.stderr.contains("--sandbox user list"), "{all:?}");
    let [mail] = mails(&all)[..] else { panic!("one mail: {all:?}") };
    assert_eq!(mail.extension().unwrap(), "eml");
    let text = std::fs::read_to_string(mail).unwrap();
    assert!(text.contains("Subject: awsideman Cache Health Alert"), "{text}");

    let due = home.run("--sandbox jobs run");
    assert_eq!((due.exit, due.stdout.as_str(), due.stderr.as_str()), (0, "", ""));
    let real = home.path().join(".local/state/awsideman");
    let beside: Vec<_> = std::fs::read_dir(&real).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(beside, ["sandbox"], "the real state directory is left alone");

    let list = document(&home.run("--sandbox user list --cache-only --json"));
    assert_eq!(list.as_array().unwrap().len(), 300);
}

#[test]
fn under_json_every_run_is_one_document() {
    let home = Home::new();
    let all = home.run("--sandbox jobs run --all --json");
    let found = document(&all);
    assert_eq!(found["schema_version"], 1);
    let runs = found["runs"].as_array().unwrap();
    let jobs: Vec<&str> = runs.iter().map(|run| run["job"].as_str().unwrap()).collect();
    assert_eq!(jobs, ENABLED);
    assert!(runs.iter().all(|run| run["outcome"] == "done"), "{found}");
    assert_eq!(runs[0]["kind"], "warm");
    assert!(runs[0]["calls"].as_u64().unwrap() > 0 && runs[0]["took_ms"].is_u64() && runs[0]["reason"].is_string());
    assert_eq!(found["mail"]["sent"].as_array().unwrap().len(), 1);

    let nothing = document(&home.run("--sandbox jobs run --output json"));
    assert_eq!(nothing["runs"], serde_json::json!([]));
    assert_eq!(nothing["notices"], serde_json::json!([]));

    let history = document(&home.run("--sandbox jobs history --json"));
    let past: Vec<&str> = history["runs"].as_array().unwrap().iter().map(|run| run["job"].as_str().unwrap()).collect();
    assert_eq!(past, ["health", "enforce-limits", "cleanup", "warm"], "newest first");
    let one = document(&home.run("--sandbox jobs history warm -n 1 --json"));
    assert_eq!(one["runs"].as_array().unwrap().len(), 1);

    let list = document(&home.run("--sandbox jobs list --json"));
    let warm = list["jobs"].as_array().unwrap().iter().find(|job| job["job"] == "warm").unwrap();
    assert_eq!((&warm["last_outcome"], &warm["running"]), (&Value::from("done"), &Value::Null));
}

#[test]
fn a_second_warm_before_anything_expires_makes_no_call() {
    let home = Home::new();
    let calls = |ran: &Ran| document(ran)["runs"][0]["calls"].as_u64().unwrap();
    assert_eq!(calls(&home.run("--sandbox jobs run warm --json")), 15);
    assert_eq!(calls(&home.run("--sandbox jobs run warm --json")), 0);
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest() {
    let home = Home::new();
    for words in ["--sandbox jobs run helth", "--sandbox jobs history helth"] {
        let ran = home.run(words);
        assert_eq!(ran.exit, 2, "{ran:?}");
        assert!(ran.stderr.contains("`helth`") && ran.stderr.contains("did you mean `health`?"), "{ran:?}");
        assert!(ran.stdout.is_empty());
    }
}

#[test]
fn with_the_cache_disabled_a_warm_is_skipped_with_its_reason() {
    let home = Home::new();
    let disabled = [("AWSIDEMAN_CACHE_DISABLED", "true")];
    let ran = home.run_with("--sandbox jobs run warm", &disabled);
    assert_eq!(ran.exit, 0, "{ran:?}");
    assert!(ran.stdout.contains("skipped") && ran.stdout.contains("AWSIDEMAN_CACHE_DISABLED"), "{ran:?}");
    let run = &document(&home.run_with("--sandbox jobs run warm --json", &disabled))["runs"][0];
    assert_eq!((&run["outcome"], &run["calls"]), (&Value::from("skipped"), &Value::from(0)));
}

/// Two broken files and between them a sound one, which is due at once.
fn broken_folder(home: &Home) -> String {
    let folder = home.folder("jobs");
    std::fs::write(folder.join("10-x.toml"), "name = \"x\"\nkind = \"cleanup\"\nevery = \"soon\"\n").unwrap();
    std::fs::write(folder.join("15-tidy.toml"), "name = \"tidy\"\nkind = \"cleanup\"\nevery = \"5m\"\n").unwrap();
    std::fs::write(folder.join("20-y.toml"), "name = \"y\"\nkind = \"polish\"\nevery = \"5m\"\n").unwrap();
    folder.to_str().unwrap().to_owned()
}

#[test]
fn a_broken_job_file_is_reported_wherever_all_jobs_are_read() {
    let home = Home::new();
    let folder = broken_folder(&home);
    let broken = [("AWSIDEMAN_JOBS_DIR", folder.as_str())];
    for words in ["jobs validate", "jobs list", "jobs next", "jobs simulate"] {
        let ran = home.run_with(words, &broken);
        // A list shows the valid ones, and the problems of the others.
        let (code, shown) = if words == "jobs list" { (0, "tidy") } else { (2, "") };
        assert!(ran.exit == code && ran.stdout.contains(shown), "{words}: {ran:?}");
        for part in ["10-x.toml:3: every", "`soon`", "20-y.toml:2: kind", "`polish`"] {
            assert!(ran.stderr.contains(part), "{words}: {part}: {ran:?}");
        }
    }
}

#[test]
fn a_broken_job_file_fails_its_job_and_the_next_still_runs() {
    let home = Home::new();
    let folder = broken_folder(&home);
    let broken = [("AWSIDEMAN_JOBS_DIR", folder.as_str())];
    let due = home.run_with("jobs run", &broken);
    assert_eq!((due.exit, due.stdout.as_str()), (2, ""), "{due:?}");
    let lines: Vec<&str> = due.stderr.lines().collect();
    assert_eq!(lines.len(), 2, "one line for each that was not well: {due:?}");
    assert!(lines[0].starts_with("x: failed, ") && lines[0].contains("10-x.toml:3: every"), "{due:?}");
    assert!(lines[1].starts_with("y: failed, ") && lines[1].contains("`polish`"), "{due:?}");

    let named = home.run_with("jobs run tidy --json", &broken);
    assert_eq!(document(&named)["runs"].as_array().unwrap().len(), 1, "asked for by name, the others are left alone");
    let x = home.run_with("jobs run x --json", &broken);
    let found = document(&x);
    assert_eq!((x.exit, &found["runs"][0]["outcome"], &found["runs"][0]["exit"]), (2, &"failed".into(), &2.into()));

    home.run_with("jobs run", &broken);
    std::fs::remove_file(format!("{folder}/10-x.toml")).unwrap();
    std::fs::remove_file(format!("{folder}/20-y.toml")).unwrap();
    let history = document(&home.run_with("jobs history --json", &broken));
    let of = |job: &str| history["runs"].as_array().unwrap().iter().filter(|run| run["job"] == job).count();
    assert_eq!((of("x"), of("y"), of("tidy")), (1, 1, 2), "told at every pass, recorded once: {history}");
}

#[test]
fn validate_counts_and_warns_of_a_warm_that_runs_too_seldom() {
    let home = Home::new();
    let shipped = home.run("jobs validate");
    assert_eq!((shipped.exit, shipped.stdout.starts_with("8 jobs are sound")), (0, true), "{shipped:?}");
    let folder = home.folder("jobs");
    let seldom = "name = \"w\"\nkind = \"warm\"\nevery = \"3h\"\n[warm]\nresources = [\"users\"]\n";
    std::fs::write(folder.join("w.toml"), seldom).unwrap();
    let ran = home.run_with("jobs validate --json", &[("AWSIDEMAN_JOBS_DIR", folder.to_str().unwrap())]);
    let found = document(&ran);
    assert_eq!((&found["valid"], &found["jobs"]), (&Value::from(true), &serde_json::json!(["w"])));
    assert!(found["warnings"][0].as_str().unwrap().contains("user:list lives 10m"), "{found}");
}

#[test]
fn a_dry_run_says_what_would_run_and_runs_nothing() {
    let home = Home::new();
    let ran = home.run("--sandbox jobs run --all --dry-run --json");
    let planned = document(&ran)["planned"].as_array().unwrap().clone();
    assert_eq!(planned.len(), ENABLED.len());
    assert!(planned.iter().all(|job| job["would_run"] == true), "{planned:?}");
    assert_eq!(document(&home.run("--sandbox jobs history --json"))["runs"], serde_json::json!([]));
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
    assert_eq!((ran.exit, ran.stdout.as_str()), (13, ""), "{ran:?}");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("warm: failed, "), "{ran:?}");
}

#[test]
fn a_test_mail_names_its_place_and_without_mail_the_key() {
    let home = Home::new();
    let sent = home.run("--sandbox alerts test");
    assert_eq!(sent.exit, 0, "{sent:?}");
    let place = sent.stdout.strip_prefix("Mail: written to ").and_then(|line| line.split_once(" (transport"));
    let text = std::fs::read_to_string(place.expect("the place of the file").0).unwrap();
    assert!(text.contains("Subject: awsideman Cache Health Alert: [TEST] ("), "{text}");
    let off = home.run("alerts test");
    assert_eq!(off.exit, 2, "{off:?}");
    assert!(off.stderr.contains("alerts.email.enabled"), "{off:?}");
    let nobody = [
        ("AWSIDEMAN_ALERTS_EMAIL_ENABLED", "true"),
        ("AWSIDEMAN_ALERTS_EMAIL_HOST", "127.0.0.1"),
        ("AWSIDEMAN_ALERTS_EMAIL_PORT", "1"),
        ("AWSIDEMAN_ALERTS_EMAIL_FROM", "a@example.com"),
        ("AWSIDEMAN_ALERTS_EMAIL_TO", "b@example.com"),
    ];
    let down = home.run_with("alerts test", &nobody);
    assert_eq!(down.exit, 1, "{down:?}");
    assert!(down.stderr.contains("127.0.0.1:1") && down.stderr.contains("hint: check alerts.email.host"), "{down:?}");
    let config = home.folder(".config/awsideman").join("config.toml");
    let mail = "[alerts.email]\nenabled = true\nhost = \"127.0.0.1\"\nport = 1\nfrom = \"a@example.com\"\nto = [\"b@example.com\"]\n";
    let program = "[alerts.command]\nenabled = true\nargv = [\"no-such-program\"]\n";
    let hook = "[alerts.webhook]\nenabled = true\nurl_file = \"/no/such/file\"\n";
    let fails = "[alerts.command]\nenabled = true\nargv = [\"/bin/false\"]\n";
    // A configuration that cannot work is 2, a delivery that failed 1, alone and together.
    for (text, exit) in [
        (mail.to_owned(), 1),
        (fails.to_owned(), 1),
        (format!("{mail}{fails}"), 1),
        (program.to_owned(), 2),
        (hook.to_owned(), 2),
        (format!("{mail}{program}"), 2),
        (format!("{program}{hook}"), 2),
    ] {
        std::fs::write(&config, &text).unwrap();
        let ran = home.run("alerts test");
        assert_eq!(ran.exit, exit, "{text}: {ran:?}");
    }
    std::fs::remove_file(&config).unwrap();
    // A run whose mail stays behind says so and shows it in its code.
    let run = home.run_with("jobs run health", &nobody);
    assert_eq!(run.exit, 0, "healthy: no mail is due: {run:?}");
}

#[test]
fn an_interrupted_run_reports_what_was_stopped_and_exits_130() {
    let home = Home::new();
    let mut run = home.command("--sandbox jobs run warm-access --json");
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let is_running = || {
        let list = document(&home.run("--sandbox jobs list --json"));
        list["jobs"].as_array().unwrap().iter().any(|job| job["running"].is_string())
    };
    while !is_running() {}
    let other = document(&home.run("--sandbox jobs run warm-access --json"));
    assert_eq!(other["runs"][0]["outcome"], "skipped", "another process runs it: {other}");
    signal(run.id(), "-INT");
    let ended = Ran::of("jobs run warm-access".into(), &run.wait_with_output().unwrap());
    assert_eq!(ended.exit, 130, "{ended:?}");
    let error: serde_json::Value = serde_json::from_str(&ended.stderr).unwrap();
    assert_eq!(error["error"]["name"], "interrupted", "{error}");
    assert!(error["error"]["hint"].as_str().unwrap().contains("jobs run warm-access --json`"), "{error}");
    assert_eq!(document(&ended)["runs"][0]["outcome"], "cancelled", "{ended:?}");
}

#[test]
fn the_daemon_runs_due_jobs_reloads_valid_files_and_stops_on_request() {
    let home = Home::new();
    let daemon = Daemon::start(home.command("--sandbox jobs daemon"));
    let until = |words: &str| daemon.line(words);
    assert!(until("the daemon begins").contains("with 4 jobs: warm"));
    assert!(until("warm: done").contains("15 calls)"));
    signal(daemon.child().id(), "-HUP");
    until("reloaded the configuration");
    let config = home.folder(".config/awsideman").join("config.toml");
    std::fs::write(config, "jobz = 1\n").unwrap();
    signal(daemon.child().id(), "-HUP");
    assert!(until("last good one").contains("jobz"));
    signal(daemon.child().id(), "-TERM");
    assert!(until("the daemon ends").contains("1 reload"));
    assert_eq!(daemon.ended().code(), Some(0));
}

fn signal(pid: u32, which: &str) {
    assert!(Command::new("kill").args([which, &pid.to_string()]).status().unwrap().success());
}
