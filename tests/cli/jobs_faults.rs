//! Jobs that fail in each way there is: each says so, and the next still runs.
//!
//! The faults come over the wire, from files or from the clock, as they do in production.

use crate::world::World;
use awsideman::sandbox::Rule;
use serde_json::Value;

fn warm(name: &str, resource: &str, more: &str) -> String {
    format!(
        "name = \"{name}\"\nkind = \"warm\"\nevery = \"1h\"\nprofiles = [\"keys\"]\n{more}\n\
         [warm]\nresources = [\"{resource}\"]\n"
    )
}

/// One job for each way to fail, and one behind them all that is well.
pub(crate) fn world() -> World {
    let mut world = World::small();
    let config = "[profile keys]\naws_access_key_id = AKIAFIRST\naws_secret_access_key = secret\n\
        [profile sso]\nsso_session = corp\nsso_account_id = 111111111111\nsso_role_name = Reader\n\
        [sso-session corp]\nsso_start_url = https://example.awsapps.com/start\nsso_region = us-east-1\n";
    let path = world.write("aws-config", config).display().to_string();
    for (file, text) in [
        ("10-hangs", warm("hangs", "groups", "timeout = \"1s\"")),
        ("20-throttled", warm("throttled", "permission-sets", "retry = { attempts = 2, delay = \"1s\" }")),
        ("30-denied", warm("denied", "accounts", "retry = { attempts = 9, delay = \"1h\" }")),
        ("40-broken", "name = \"broken\"\nkind = \"cleanup\"\nevery = \"soon\"\n".to_owned()),
        ("50-login", warm("login", "users", "").replace("\"keys\"", "\"sso\"")),
        ("60-well", warm("well", "users", "")),
    ] {
        world.write(&format!("jobs/{file}.toml"), &text);
    }
    let folder = world.home().join("jobs").display().to_string();
    for (name, value) in [
        ("AWSIDEMAN_JOBS_DIR", folder.as_str()),
        ("AWSIDEMAN_JOBS_GRACE", "1s"),
        ("AWSIDEMAN_JOBS_PARALLEL", "1"),
        ("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1"),
        ("AWS_CONFIG_FILE", path.as_str()),
        ("AWS_ACCESS_KEY_ID", ""),
        ("AWS_SECRET_ACCESS_KEY", ""),
    ] {
        world.set(name, value);
    }
    world.faults(|faults| {
        faults.hold = vec![Rule { count: Some(99), ..Rule::of("ListGroups") }];
        faults.throttle = vec![Rule { count: Some(99), ..Rule::of("ListPermissionSets") }];
        faults.access_denied = vec![Rule { count: Some(99), ..Rule::of("ListAccounts") }];
    });
    world
}

#[test]
fn each_failure_has_its_outcome_and_the_next_job_still_runs() {
    let world = world();
    let due = world.run(["jobs", "run"]).code(2);
    assert!(due.stdout.is_empty(), "{due:?}");
    let mut lines: Vec<&str> = due.stderr.lines().collect();
    lines.sort_unstable();
    let begins = [
        "broken: failed, ",
        "denied (keys): failed, accounts: AWS denied",
        "hangs (keys): timed-out, it did not finish within its timeout of 1s",
        "login (sso): failed, ",
        "throttled (keys): failed, ",
    ];
    assert_eq!(lines.len(), begins.len(), "one line for each that was not well: {due:?}");
    for (line, begin) in lines.iter().zip(begins) {
        assert!(line.starts_with(begin), "{line:?} should begin with {begin:?}");
    }
    assert!(lines[3].contains("aws sso login --profile sso"), "{}", lines[3]);

    let history = world.run(["jobs", "history", "--json"]).ok().json();
    let runs = history["runs"].as_array().unwrap();
    let found = |job: &str| -> Vec<(String, u64, u64)> {
        let number = |run: &Value, name: &str| run[name].as_u64().unwrap();
        let mine = runs.iter().filter(|run| run["job"] == job);
        mine.map(|run| (run["outcome"].as_str().unwrap().into(), number(run, "exit"), number(run, "attempt"))).collect()
    };
    for (job, outcome, exit, attempt) in [
        ("hangs", "timed-out", 1, 1),
        ("throttled", "failed", 13, 2),
        ("denied", "failed", 4, 1),
        ("broken", "failed", 2, 1),
        ("login", "failed", 4, 1),
        ("well", "done", 0, 1),
    ] {
        assert_eq!(found(job), [(outcome.to_owned(), exit, attempt)], "{job}");
    }

    let logs = world.run(["jobs", "logs", "throttled"]).ok();
    logs.stdout_has("failed").stdout_has("tried again in 1s").stdout_has("attempt 2");
    // Each file of the five by name: its own code.
    for (job, code) in [("hangs", 1), ("throttled", 13), ("denied", 4), ("broken", 2), ("login", 4), ("well", 0)] {
        world.run(["jobs", "run", job, "--json"]).code(code);
    }
}

#[test]
fn a_hung_job_keeps_no_parallel_job_from_its_turn() {
    let mut world = world();
    world.set("AWSIDEMAN_JOBS_PARALLEL", "");
    let found = world.run(["jobs", "run", "hangs", "well", "--parallel", "2", "--output", "json"]).code(1).json();
    let outcomes: Vec<&str> =
        found["runs"].as_array().unwrap().iter().map(|run| run["outcome"].as_str().unwrap()).collect();
    assert_eq!(outcomes, ["timed-out", "done"]);
}
