//! A job that loses a target is `partial`: in every place that shows an outcome, with one alert and without a mail a run.

use crate::world::World;
use awsideman::app::{Dashboard, JobFiles};
use awsideman::daemon::DaemonStatus;
use awsideman::daemon::page::{PageView, Range, draw};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

const PAIRS: &str = "SWBExternalService.ListAccountAssignments";
const WARM: &str = "name = \"warm\"\nkind = \"warm\"\nevery = \"15m\"\n[warm]\n\
    resources = [\"users\", \"accounts\", \"permission-sets\", \"assignments\"]\n";

/// A home with these job files, whose mails are files.
fn world(jobs: &[(&str, &str)]) -> World {
    let mut world = World::new();
    for (name, text) in jobs {
        world.write(&format!("jobs/{name}.toml"), text);
    }
    let (jobs, mails) = (world.home().join("jobs"), world.beside("mails"));
    let figures = world.beside("figures.prom");
    for (name, value) in [
        ("AWSIDEMAN_JOBS_DIR", jobs.to_str().unwrap()),
        ("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1"),
        ("AWSIDEMAN_ALERTS_EMAIL_ENABLED", "true"),
        ("AWSIDEMAN_ALERTS_EMAIL_TRANSPORT", "file"),
        ("AWSIDEMAN_ALERTS_EMAIL_FROM", "a@example.com"),
        ("AWSIDEMAN_ALERTS_EMAIL_TO", "b@example.com"),
        ("AWSIDEMAN_ALERTS_EMAIL_DIR", mails.to_str().unwrap()),
        ("AWSIDEMAN_ALERTS_HOLD", "0"),
        ("AWSIDEMAN_ALERTS_RECOVERY_DELAY", "0"),
        ("AWSIDEMAN_METRICS_TEXTFILE", figures.to_str().unwrap()),
    ] {
        world.set(name, value);
    }
    world
}

/// The texts of all mails, oldest first.
fn mails(world: &World) -> Vec<String> {
    let Ok(found) = std::fs::read_dir(world.beside("mails")) else { return Vec::new() };
    let mut paths: Vec<_> = found.map(|entry| entry.unwrap().path()).collect();
    paths.sort_by_key(|path| path.metadata().unwrap().modified().unwrap());
    let read = |path: &Path| std::fs::read_to_string(path).unwrap().replace("=\r\n", "").replace("=\n", "");
    paths.iter().map(|path| read(path)).collect()
}

fn figure(world: &World, sample: &str) -> Option<f64> {
    let text = std::fs::read_to_string(world.beside("figures.prom")).unwrap();
    text.lines().find_map(|line| line.strip_prefix(sample)?.strip_prefix(' ')?.parse().ok())
}

fn listed(world: &World) -> Value {
    world.run(["jobs", "list", "--json"]).ok().json()["jobs"][0].clone()
}

fn active(world: &World) -> Vec<String> {
    let accounts = world.run(["account", "list", "--filter", "Status=ACTIVE", "--json"]).ok().json();
    accounts.as_array().unwrap().iter().map(|account| account["Id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn a_job_that_loses_an_account_is_partial_and_alerts_once() {
    let mut world = world(&[("10-warm", WARM)]);
    let accounts = active(&world);
    world.faults(|faults| faults.access_denied_accounts = vec![accounts[1].clone()]);
    let runs = |outcome: &str| format!("awsideman_job_runs_total{{job=\"warm\",outcome=\"{outcome}\",profile=\"\"}}");
    let job = |name: &str| format!("awsideman_job_{name}{{job=\"warm\",profile=\"\"}}");

    // As cron calls it: one line, exit code 3, no mail yet.
    let first = world.run(["jobs", "run"]).code(3);
    let lines: Vec<&str> = first.stderr.lines().collect();
    assert!(lines.len() == 1 && lines[0].starts_with("warm: partial, "), "{first:?}");
    assert!(lines[0].contains(&accounts[1]) && lines[0].contains("denied"), "the target and why: {first:?}");
    assert!(mails(&world).is_empty());
    assert_eq!((figure(&world, &runs("partial")), figure(&world, &runs("done"))), (Some(1.0), Some(0.0)));
    assert_eq!(figure(&world, &job("partial_runs")), Some(1.0));
    for never in ["last_success_timestamp_seconds", "last_complete_timestamp_seconds"] {
        assert_eq!(figure(&world, &job(never)), None, "{never}");
    }
    let last = listed(&world);
    assert_eq!((&last["last_outcome"], &last["last_success"]), (&Value::from("partial"), &Value::Null));
    assert_eq!(last["last_complete"], Value::Null);

    // The same targets again: no line, and the alert.
    world.later("15m");
    let again = world.run(["jobs", "run"]).code(3).silent();
    assert!(again.stdout.is_empty());
    let sent = mails(&world);
    assert_eq!(sent.len(), 1, "{sent:?}");
    assert!(sent[0].contains("Job warm was partial 2 times in a row"), "{}", sent[0]);
    assert!(sent[0].contains("awsideman jobs logs warm"), "{}", sent[0]);
    world.run(["jobs", "list"]).ok().stdout_has("partial (2 in a row)");
    assert_eq!(figure(&world, "awsideman_alert_firing{key=\"job:warm\"}"), Some(1.0));

    // Another target is lost: a line, and no second mail.
    world.later("30m").faults(|faults| faults.access_denied_accounts = accounts[1..3].to_vec());
    world.run(["jobs", "run"]).code(3).stderr_has("warm: partial, ");
    assert_eq!(mails(&world).len(), 1);
    let app = Arc::new(world.app());
    let overview = Dashboard::new(&app).overview(&JobFiles::new(&app).all().unwrap(), Range::LONGEST);
    let standing =
        DaemonStatus { started_at: overview.now, passes: 1, refused: None, ending: false, ..DaemonStatus::default() };
    let page = draw(&PageView { overview: &overview, standing: &standing, range: Range::Day, refreshes: false });
    assert!(page.contains("Job warm was partial 3 times in a row"), "{page}");
    assert!(page.contains("<span class=\"warn\">partial</span>"), "{page}");

    // Named, it ends with its table and its one document.
    let named = world.run(["jobs", "run", "warm"]).code(3);
    assert!(named.stdout.contains("partial"), "{named:?}");
    let document = world.run(["jobs", "run", "warm", "--json"]).code(3).json();
    let run = &document["runs"][0];
    assert_eq!((&run["outcome"], &run["exit"]), (&Value::from("partial"), &Value::from(3)));
    let lost = run["detail"]["lost"]["targets"].to_string();
    assert!(lost.contains(&accounts[1]) && lost.contains(&accounts[2]), "{run}");

    // A complete run ends it: silent, and one mail that it is resolved.
    world.later("45m").release();
    world.run(["jobs", "run"]).ok().silent();
    assert_eq!(mails(&world).len(), 2);
    assert_eq!(figure(&world, &job("partial_runs")), Some(0.0));
    let (success, complete) = (job("last_success_timestamp_seconds"), job("last_complete_timestamp_seconds"));
    assert!(figure(&world, &complete).unwrap() >= figure(&world, &success).unwrap());
    let history = world.run(["jobs", "history", "warm", "--json"]).ok().json();
    let outcomes: Vec<_> = history["runs"].as_array().unwrap().iter().map(|run| run["outcome"].clone()).collect();
    assert_eq!(outcomes, ["done", "partial", "partial", "partial", "partial", "partial"]);
}

#[test]
fn a_denied_permission_set_is_partial_and_one_partial_run_is_silent() {
    let mut world = world(&[("10-warm", WARM)]);
    for (offset, denied, code) in [("0s", true, 3), ("15m", false, 0), ("30m", true, 3), ("45m", false, 0)] {
        let rules = if denied { vec![awsideman::sandbox::Rule::nth(3, PAIRS)] } else { Vec::new() };
        world.later(offset).faults(|faults| faults.access_denied = rules);
        world.run(["jobs", "run"]).code(code);
    }
    assert!(mails(&world).is_empty(), "{:?}", mails(&world));
}

/// The name of a user.
fn user(world: &World) -> String {
    world.run(["user", "list", "--json"]).ok().json()[0]["UserName"].as_str().unwrap().to_owned()
}

fn users(document: &Value) -> &Value {
    document["targets"].as_array().unwrap().iter().find(|target| target["target"] == "users").unwrap()
}

#[test]
fn a_warm_after_a_change_waits_for_settling_or_names_the_time() {
    let mut world = World::small();
    let name = user(&world);
    world.set("AWSIDEMAN_CACHE_SETTLE", "5m");
    world.run(["user", "update", &name, "--display-name", "New Name", "--yes"]).ok();
    let asked = world.list_calls();
    let refused = world.run(["cache", "warm", "users", "--no-wait", "--json"]).code(3);
    assert_eq!(world.list_calls(), asked, "what cannot be kept is not asked for");
    let document = refused.json();
    assert_eq!((&document["complete"], &document["outcome"]), (&Value::Bool(false), &Value::from("partial")));
    assert_eq!(
        (&users(&document)["outcome"], &users(&document)["fetched"]),
        (&Value::from("not kept"), &Value::from(0))
    );
    assert!(users(&document)["not_kept"][0]["repeat_at"].is_string(), "{document}");
    assert!(refused.stderr.contains("not kept: the users: a change to it settles until"), "{}", refused.stderr);
    assert!(refused.stderr.contains("run it again after"), "{}", refused.stderr);
    world.run(["cache", "warm", "users", "--no-wait"]).code(3).stdout_has("not kept").stdout_lacks("completed");
    world.run(["user", "list", "--cache-only"]).code(10);
    // At that time it is worth repeating.
    world.later("5m").run(["cache", "warm", "users", "--no-wait"]).ok();
    world.run(["user", "list", "--cache-only", "--json"]).ok().stdout_has("New Name");

    // By default it waits by itself, and stores.
    world.set("AWSIDEMAN_CACHE_SETTLE", "1s");
    world.run(["user", "update", &name, "--display-name", "Newer Name", "--yes"]).ok();
    let done = world.run(["cache", "warm", "users", "--json"]).ok().silent().json();
    assert_eq!((&users(&done)["outcome"], &users(&done)["fetched"]), (&Value::from("done"), &Value::from(1)));
    world.run(["user", "list", "--cache-only", "--json"]).ok().stdout_has("Newer Name");
}

#[test]
fn a_warm_waits_three_settles_for_an_open_change_then_is_partial() {
    let mut world =
        world(&[("10-warm", "name = \"warm\"\nkind = \"warm\"\nevery = \"15m\"\n[warm]\nresources = [\"users\"]\n")]);
    world.set("AWSIDEMAN_CACHE_SETTLE", "300ms");
    let name = user(&world);
    world.faults(|faults| faults.hold = vec![awsideman::sandbox::Rule::of("UpdateUser")]);
    let mut change = world.command(["user", "update", &name, "--display-name", "Held", "--yes"]);
    let change = change.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    assert!(world.wait_for_held(1, Duration::from_secs(30)), "the change is under way");
    world.run(["cache", "warm", "users"]).code(3).stderr_has("not kept: the users: a change to it settles");
    world.run(["jobs", "run"]).code(3).stderr_has("warm: partial, not kept: the users: a change to it settles");
    let run = world.run(["jobs", "history", "warm", "--json"]).ok().json()["runs"][0].clone();
    assert_eq!((&run["outcome"], &run["detail"]["lost"]["targets"][0]), (&"partial".into(), &"the users".into()));
    world.release();
    assert!(change.wait_with_output().unwrap().status.success());
    world.run(["cache", "warm", "users"]).ok();
    world.run(["user", "list", "--cache-only", "--json"]).ok().stdout_has("Held");
}

#[test]
fn if_nothing_can_be_stored_commands_exit_10_and_jobs_skip() {
    let mut world = world(&[("10-warm", WARM)]);
    for (variable, value, reason) in [
        ("AWSIDEMAN_CACHE_BACKEND", "memory", "cache.backend is memory"),
        ("AWSIDEMAN_CACHE_DISABLED", "true", "the cache is disabled"),
    ] {
        world.set(variable, value);
        let calls = world.calls_of(|| {
            world.run(["cache", "warm", "users"]).code(10).stderr_has(reason);
            world.run(["cache", "warm", "users", "--if-enabled"]).ok().stdout_has(reason);
            let document = world.run(["cache", "warm", "--if-enabled", "--json"]).ok().json();
            assert!(document["skipped"].as_str().unwrap().contains(reason), "{document}");
            let run = world.run(["jobs", "run", "warm", "--json"]).ok().json()["runs"][0].clone();
            assert_eq!((&run["outcome"], &run["exit"]), (&"skipped".into(), &0.into()), "{run}");
            assert!(run["reason"].as_str().unwrap().contains(reason), "{run}");
        });
        assert_eq!(calls, 0, "{variable}");
        world.set(variable, "");
    }
    world.run(["cache", "warm", "users", "--if-enabled"]).ok().stdout_has("completed");
}

#[test]
fn a_diff_reports_the_real_change_after_a_lost_or_invalidated_list() {
    let mut world = World::small();
    world.set("AWSIDEMAN_CACHE_SETTLE", "0s").set("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
    let accounts = active(&world);
    let name = user(&world);
    let warm = |world: &World| world.run(["cache", "warm", "users", "accounts", "assignments", "--diff", "--json"]);
    warm(&world).ok();
    let changes = |ran: crate::world::Ran, target: &str| {
        let document = ran.json();
        let found = document["targets"].as_array().unwrap().iter().find(|one| one["target"] == target).unwrap();
        let count = |what: &str| found["changes"][what].as_u64().unwrap();
        (count("added"), count("removed"), count("changed"), found["changes"]["first"].as_bool().unwrap())
    };

    // Our own change invalidates the list: only that change is reported.
    world.run(["user", "update", &name, "--display-name", "Renamed", "--yes"]).ok();
    let ran = warm(&world).ok();
    assert_eq!(changes(ran.clone(), "users"), (0, 0, 1, false), "{ran:?}");
    assert_eq!(changes(ran, "assignments"), (0, 0, 0, false));

    // Lost for longer than anything can be served, and swept: then readable again, and nothing had changed.
    world.faults(|faults| {
        faults.access_denied_accounts = accounts.clone();
        faults.access_denied = vec![awsideman::sandbox::Rule::of("ListUsers")];
    });
    world.later("4h").run(["cache", "cleanup"]).ok();
    let lost = warm(&world).code(3);
    assert_eq!(changes(lost, "users"), (0, 0, 0, false));
    world.release();
    world.later("8h").run(["cache", "cleanup"]).ok();
    let ran = warm(&world).ok();
    for target in ["users", "accounts", "assignments"] {
        assert_eq!(changes(ran.clone(), target), (0, 0, 0, false), "{target}: {ran:?}");
    }
}

#[test]
fn a_digest_that_lost_a_list_is_partial_and_no_baseline() {
    let warm = "name = \"warm\"\nkind = \"warm\"\nevery = \"1h\"\n";
    let digest = "name = \"digest\"\nkind = \"digest\"\nevery = \"1h\"\n";
    let world = world(&[("10-warm", warm), ("20-digest", digest)]);
    world.run(["jobs", "run", "warm"]).ok();
    world.run(["jobs", "run", "digest"]).ok();
    world.run(["cache", "clear", "--yes"]).ok();
    let found = world.run(["jobs", "run", "digest", "--json"]).code(3).json();
    let run = &found["runs"][0];
    assert_eq!((&run["outcome"], &run["detail"]["directory"]["users"]), (&"partial".into(), &Value::Null), "{run}");
    assert_eq!(run["detail"]["lost"]["count"], 4, "{run}");
    assert!(run["reason"].as_str().unwrap().contains("awsideman cache warm"), "{run}");
    let texts = mails(&world);
    assert!(texts.len() == 2 && texts[1].contains("- users: not known"), "a partial digest is mailed: {texts:?}");

    let users = world.run(["user", "list", "--json"]).ok().json();
    let name = serde_json::json!({"GivenName": "New", "FamilyName": "Comer"});
    world.ask(
        "AWSIdentityStore.CreateUser",
        &serde_json::json!({"IdentityStoreId": users[0]["IdentityStoreId"], "UserName": "new.comer",
            "DisplayName": "New Comer", "Name": name}),
    );
    world.run(["cache", "warm"]).ok();
    let found = world.run(["jobs", "run", "digest", "--json"]).ok().json();
    let directory = &found["runs"][0]["detail"]["directory"];
    for (list, added) in [("users", 1), ("groups", 0), ("accounts", 0), ("permission sets", 0)] {
        let counts = ["added", "removed", "changed"].map(|what| directory[list][what].as_u64());
        assert_eq!(counts, [Some(added), Some(0), Some(0)], "{list}: {directory}");
        assert_eq!(directory[list]["first"], false, "{list}: {directory}");
    }
}

#[test]
fn a_verification_that_could_not_compare_is_partial_and_names_the_answer() {
    let verify = "name = \"verify\"\nkind = \"verify\"\nevery = \"1h\"\n[verify]\nbudget = 2000\n";
    let world = world(&[("10-verify", verify)]);
    world.run(["cache", "warm", "groups"]).ok();
    world.faults(|faults| faults.access_denied = vec![awsideman::sandbox::Rule::of("ListGroups")]);
    let found = world.run(["jobs", "run", "verify", "--json"]).code(3).json();
    let run = &found["runs"][0];
    assert_eq!((&run["outcome"], &run["detail"]["wrong"]), (&"partial".into(), &0.into()), "{run}");
    assert_eq!(run["detail"]["lost"]["targets"], serde_json::json!(["group:list:all"]), "{run}");
}

#[test]
fn a_first_warm_that_ran_out_of_its_budget_is_no_baseline() {
    let world = World::new();
    world.run(["cache", "warm", "groups"]).ok();
    world.run(["cache", "warm", "memberships", "--budget", "10"]).code(3);
    let diff = world.run(["cache", "warm", "memberships", "--diff"]).ok();
    assert!(!diff.stdout.contains('+') && diff.stdout.contains("first"), "{diff:?}");
    world.run(["cache", "warm", "memberships", "--diff"]).ok().stdout_lacks("+");
}
