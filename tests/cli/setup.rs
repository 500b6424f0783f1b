//! The program as somebody meets it who sets it up: `config`, `sandbox`, `info` and `doctor`, run as processes.
//!
//! Every run has a home and an environment of its own, and asks no AWS.

use crate::home::Home;
use crate::world::Ran;
use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn run(command: &mut Command) -> Ran {
    Ran::of(format!("{command:?}"), &command.output().unwrap())
}

fn check<'a>(document: &'a Value, name: &str) -> &'a Value {
    let checks = document["checks"].as_array().unwrap();
    checks.iter().find(|check| check["name"] == name).unwrap_or_else(|| panic!("no check {name}: {document}"))
}

#[test]
fn what_is_shown_can_be_copied_into_a_file() {
    let home = Home::new();
    write(&home.user_file(), "region = \"eu-west-3\"\n");
    let shown = home.run("config show --origin");
    assert_eq!(shown.exit, 0, "{shown:?}");
    let region = shown.stdout.lines().find(|line| line.starts_with("region = ")).unwrap().to_owned();
    assert!(region.ends_with(&format!("# {}", home.user_file().display())), "{region}");
    write(&home.user_file(), &shown.stdout);
    let again = home.run("config validate");
    assert_eq!((again.exit, again.stdout.contains("1 file read, valid")), (0, true), "{again:?}");
    let rows = home.run("config show --json").json();
    let row = rows.as_array().unwrap().iter().find(|row| row["key"] == "region").unwrap();
    assert_eq!(row["value"], "eu-west-3");
    assert!(row["origin"].as_str().unwrap().ends_with("config.toml"), "{row}");
}

#[test]
fn a_broken_configuration_is_told_whole_and_still_shown() {
    let home = Home::new();
    write(&home.user_file(), "region = \"eu-west-3\"\n[cache]\nmax_size = 3\ndefault_ttl = \"soon\"\n");
    let wrong = home.run("config validate");
    assert_eq!(wrong.exit, 2);
    for part in ["2 mistakes", "config.toml:3: cache.max_size", "cache.max_size_mb", "config.toml:4: cache.default_ttl"]
    {
        assert!(wrong.stderr.contains(part), "{part}: {wrong:?}");
    }
    let wrong = home.run("config validate --json");
    assert_eq!((wrong.exit, wrong.json()["problems"].as_array().unwrap().len()), (2, 2), "{wrong:?}");
    for words in ["config show", "config path"] {
        let shown = home.run(words);
        assert_eq!(shown.exit, 0, "{shown:?}");
        assert!(shown.stderr.contains("cache.max_size: unknown key"), "{shown:?}");
    }
    assert!(home.run("config show").stdout.contains("region = \"eu-west-3\"\n"));
    let doctor = home.run("--sandbox doctor --json");
    assert_eq!((doctor.exit, check(&doctor.json(), "configuration")["level"].clone()), (2, "fail".into()));
}

#[test]
fn job_files_are_checked_with_the_configuration() {
    let home = Home::new();
    let folder = home.path().join("jobs");
    write(&folder.join("a.toml"), "name = \"a\"\nkind = \"wram\"\nevery = \"5m\"\n");
    write(&home.user_file(), &format!("[jobs]\ndir = \"{}\"\n", folder.display()));
    let wrong = home.run("config validate");
    assert_eq!(wrong.exit, 2, "{wrong:?}");
    assert!(wrong.stderr.contains("a.toml:2: kind"), "{wrong:?}");
}

#[test]
fn a_first_file_is_private_sound_and_not_replaced_unasked() {
    let home = Home::new();
    assert_eq!(home.run("config init").exit, 0);
    let mode = std::fs::metadata(home.user_file()).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert_eq!(home.run("config validate").exit, 0);
    write(&home.user_file(), "region = \"eu-west-3\"\n");
    let refused = home.run("config init");
    assert_eq!((refused.exit, refused.stderr.contains("--yes")), (2, true), "{refused:?}");
    assert_eq!(std::fs::read_to_string(home.user_file()).unwrap(), "region = \"eu-west-3\"\n");
    assert_eq!(home.run("config init --yes").exit, 0);
    let printed = home.run("config init --stdout");
    assert_eq!(printed.stdout, std::fs::read_to_string(home.user_file()).unwrap());
    assert_eq!(home.run("config init --path here/c.toml").exit, 0);
    assert!(home.path().join("here/c.toml").is_file());
    let paths = home.run("--config here/c.toml config path --json").json();
    let roles: Vec<&str> = paths.as_array().unwrap().iter().map(|place| place["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["system", "user", "--config"]);
    assert_eq!((&paths[1]["exists"], &paths[2]["exists"]), (&Value::Bool(true), &Value::Bool(true)));
}

#[test]
fn in_the_sandbox_nothing_is_missing() {
    let home = Home::new();
    let doctor = home.run("--sandbox doctor --json");
    assert_eq!(doctor.exit, 0, "{doctor:?}");
    let document = doctor.json();
    assert_eq!(document["ok"], true);
    for one in document["checks"].as_array().unwrap() {
        assert_eq!(one["level"], "ok", "{one}");
    }
    assert!(check(&document, "reads")["message"].as_str().unwrap().starts_with("25 of 25"), "{document}");
    assert!(!home.path().join(".cache").exists(), "the real cache directory was touched");
}

#[test]
fn without_credentials_the_remedy_is_named_and_the_other_checks_run() {
    let home = Home::new();
    let doctor = home.run("doctor --json");
    assert_eq!(doctor.exit, 4, "{doctor:?}");
    let document = doctor.json();
    assert_eq!(document["exit_code"], 4);
    let credentials = check(&document, "credentials");
    assert_eq!(credentials["level"], "fail");
    assert!(credentials["hint"].as_str().unwrap().contains("aws sso login"), "{credentials}");
    assert_eq!(check(&document, "reads")["level"], "skipped");
    for name in ["configuration", "cache directory", "state directory", "store", "clock", "mail", "switch", "jobs"] {
        assert_eq!(check(&document, name)["level"], "ok", "{document}");
    }
    let info = home.run("info --json");
    assert_eq!((info.exit, info.json()["instance"].clone()), (4, Value::Null), "{info:?}");
}

#[test]
fn an_aws_that_cannot_be_reached_ends_with_13() {
    let home = Home::new();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let doctor = run(home.command("doctor --json").env("AWS_ENDPOINT_URL", format!("http://{closed}")).envs([
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "a"),
        ("AWS_SECRET_ACCESS_KEY", "b"),
    ]));
    assert_eq!(doctor.exit, 13, "{doctor:?}");
    assert_eq!(check(&doctor.json(), "credentials")["level"], "ok");
    assert_eq!(check(&doctor.json(), "store")["level"], "ok");
}

#[test]
fn the_policy_needs_nothing() {
    let home = Home::new();
    write(&home.user_file(), "this is not toml\n");
    let policy = home.run("doctor --iam-policy");
    assert_eq!(policy.exit, 0, "{policy:?}");
    assert_eq!(policy.json()["Version"], "2012-10-17");
    assert!(policy.stdout.contains("\"sso:ListInstances\""));
    assert!(!home.path().join(".local").exists() && !home.path().join(".cache").exists());
}

/// A process that is ended with its value.
struct Served(Child);

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(url: &str, path: &str) -> Value {
    let address = url.strip_prefix("http://").unwrap();
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    serde_json::from_str(answer.split_once("\r\n\r\n").unwrap().1).unwrap()
}

#[test]
fn a_served_sandbox_is_an_aws_for_everybody_who_copies_its_variables() {
    let home = Home::new();
    let mut served = Served(home.command("sandbox serve --port 0").stdout(Stdio::piped()).spawn().unwrap());
    let lines = BufReader::new(served.0.stdout.take().unwrap()).lines();
    let mut variables = Vec::new();
    for line in lines.map(Result::unwrap) {
        if let Some((name, value)) = line.strip_prefix("export ").and_then(|line| line.split_once('=')) {
            variables.push((name.to_owned(), value.to_owned()));
        }
        if line.contains("AWS_SECRET_ACCESS_KEY") {
            break;
        }
    }
    let url = variables.iter().find(|(name, _)| name == "AWS_ENDPOINT_URL").unwrap().1.clone();
    let list = || run(home.command("user list --json").envs(variables.clone()));
    for _ in 0..2 {
        let listed = list();
        assert_eq!(listed.exit, 0, "{listed:?}");
        assert_eq!(listed.json().as_array().unwrap().len(), 300);
        // The second answer is the cache's.
        let calls = get(&url, "/_sandbox/calls");
        assert_eq!((&calls["by_operation"]["AWSIdentityStore.ListUsers"], &calls["total"]), (&3.into(), &4.into()));
    }
    let info = run(home.command("info --json").envs(variables.clone()));
    assert_eq!(info.json()["endpoint"], url.as_str());
    assert_eq!(info.json()["region_origin"], "AWS_REGION");
    assert_eq!(info.json()["instance_remembered"], true);
    let pid = rustix::process::Pid::from_child(&served.0);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    assert_eq!(served.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_sandbox_says_where_it_keeps_its_files() {
    let home = Home::new();
    let info = home.run("sandbox info --sandbox=7 --json").json();
    assert_eq!(info["label"], "sandbox:7:300-30-12-8");
    assert_eq!(info["counts"]["users"], 300);
    assert!(info["root"].as_str().unwrap().starts_with(&home.path().display().to_string()), "{info}");
    assert_eq!(info["exists"], false);
    let refused = home.run("sandbox serve --out x");
    assert_eq!(refused.exit, 2);
}
