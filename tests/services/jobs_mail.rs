//! Jobs as an operator has them: a configuration with a real SMTP server, job files of their own, cron and the daemon.
//!
//! Mails are counted where they arrive, runs are counted in the ledger; `AWSIDEMAN_TEST_PYTHON` names a Python with
//! aiosmtpd and cryptography.

use crate::python::{Server, python};
use awsideman::app::App;
use awsideman::config::{self, Sources};
use awsideman::model::Resource;
use awsideman::sandbox::{self, Limits, Organization, Running, Shape};
use awsideman::state::LookupOutcome;
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

const SUBJECT: &str = "awsideman Cache Health Alert";
/// The subject of a message of this host.
fn subject(state: &str) -> String {
    format!("{SUBJECT}: {state} ({})", awsideman::host::host_name())
}

const HEALTH: &str = "name = \"health\"\nkind = \"health-check\"\nevery = \"5m\"\n";
const CLEANUP: &str = "name = \"clean\"\nkind = \"cleanup\"\nevery = \"5m\"\n";

/// A home with a folder of jobs, and nothing else.
struct Desk {
    root: TempDir,
    environment: BTreeMap<String, String>,
}

impl Desk {
    fn new(jobs: &[(&str, &str)]) -> Desk {
        let root = tempfile::tempdir().unwrap();
        let environment = [
            ("HOME", root.path().to_str().unwrap()),
            ("PATH", &std::env::var("PATH").unwrap()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            // Other tests cover the delay; here every run counts.
            ("AWSIDEMAN_ALERTS_RECOVERY_DELAY", "0"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut desk = Desk { root, environment };
        let folder = desk.root.path().join("jobs");
        std::fs::create_dir(&folder).unwrap();
        for (name, text) in jobs {
            std::fs::write(folder.join(name), text).unwrap();
        }
        desk.set("AWSIDEMAN_JOBS_DIR", folder.to_str().unwrap());
        desk
    }

    fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.into(), value.into());
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn state_dir(&self) -> PathBuf {
        self.path(".local/state/awsideman")
    }

    /// The user's configuration: mails leave through this server.
    fn mail_through(&self, port: u16) {
        let password = self.path("password");
        std::fs::write(&password, "correct-horse\n").unwrap();
        std::fs::set_permissions(&password, std::fs::Permissions::from_mode(0o600)).unwrap();
        let (ca, password) = (self.path("cert.pem"), password.display().to_string());
        let text = format!(
            "[alerts.email]\nenabled = true\ntransport = \"smtp\"\nhost = \"localhost\"\nport = {port}\ntls = \"starttls\"\n\
             ca_file = \"{}\"\nusername = \"mailer\"\npassword_file = \"{password}\"\n\
             from = \"awsideman@example.com\"\nto = [\"oncall@example.com\"]\n",
            ca.display()
        );
        std::fs::create_dir_all(self.path(".config/awsideman")).unwrap();
        std::fs::write(self.path(".config/awsideman/config.toml"), text).unwrap();
    }

    fn mails(&self) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.path("mails.jsonl")).unwrap_or_default();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn app(&self) -> App {
        let sources = Sources {
            environment: self.environment.clone(),
            explicit: None,
            overrides: Vec::new(),
            system_file: self.path("no-system-file.toml"),
            working_directory: self.root.path().into(),
        };
        App::new(config::load(&sources).unwrap(), None).unwrap()
    }

    /// Counts so many lookups as commands count theirs.
    fn looked_up(&self, outcome: LookupOutcome, times: u64) {
        let app = self.app();
        let tally = app.state().tally(app.cache_dir());
        for entry in 0..times {
            assert_eq!(tally.record(outcome, Resource::User, entry, app.clock().now()), None);
        }
    }

    /// The alerts as they stand, each row as text.
    fn alerts(&self) -> Vec<String> {
        let app = self.app();
        let (mut database, _) = app.database().unwrap();
        let kept = awsideman::alerts::alerts(&mut database).unwrap();
        kept.iter().map(|alert| format!("{alert:?}")).collect()
    }

    fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command.args(words.split_whitespace()).env_clear();
        // Root's log would be the host's.
        command.env("AWSIDEMAN_LOG_FILE", self.root.path().join("awsideman.log")).envs(&self.environment);
        command.current_dir(self.root.path()).stdin(Stdio::null());
        command
    }

    fn run(&self, words: &str) -> Ran {
        Ran::of(&self.command(words).output().unwrap())
    }

    /// The past runs of a job, newest first: their outcomes.
    fn history(&self, job: &str) -> Vec<String> {
        let document = self.run(&format!("jobs history {job} --json")).json();
        document["runs"].as_array().unwrap().iter().map(|run| run["outcome"].as_str().unwrap().to_owned()).collect()
    }

    fn begin(&self, words: &str) -> Begun {
        let mut command = self.command(words);
        Begun(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
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
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }

    #[track_caller]
    fn says_nothing(&self) {
        assert_eq!((self.code, self.out.as_str(), self.err.as_str()), (Some(0), "", ""));
    }
}

/// A run that goes on beside the test; a test that fails leaves none behind.
struct Begun(Child);

impl Begun {
    fn signal(&self, which: &str) {
        assert!(Command::new("kill").args([which, &self.0.id().to_string()]).status().unwrap().success());
    }

    fn end(mut self) -> Ran {
        let (mut out, mut err) = (String::new(), String::new());
        std::io::Read::read_to_string(&mut self.0.stdout.take().unwrap(), &mut out).unwrap();
        std::io::Read::read_to_string(&mut self.0.stderr.take().unwrap(), &mut err).unwrap();
        Ran { code: self.0.wait().unwrap().code(), out, err }
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn organization(latency: Duration) -> Running {
    let shape = Shape { users: 20, groups: 3, accounts: 2, permission_sets: 2, ..Shape::default() };
    sandbox::start(Organization::generate(&shape), Limits { tps: 0.0, latency }).unwrap()
}

fn warm(profiles: &str) -> String {
    format!(
        "name = \"warm\"\nkind = \"warm\"\nevery = \"5m\"\nretry = {{ attempts = 1 }}\n{profiles}\n\
         [warm]\nresources = [\"users\"]\n"
    )
}

/// A desk whose warm job asks an organization that takes its time.
fn slow(latency: Duration) -> (Desk, Running) {
    let mut desk = Desk::new(&[("10-warm.toml", &warm(""))]);
    let organization = organization(latency);
    desk.set("AWS_ENDPOINT_URL", &organization.url());
    desk.set("AWS_ACCESS_KEY_ID", "x");
    desk.set("AWS_SECRET_ACCESS_KEY", "x");
    (desk, organization)
}

#[test]
fn firing_and_resolved_are_two_mails_and_commands_between_send_none() {
    let Some(python) = python() else { return };
    let desk = Desk::new(&[("50-health.toml", HEALTH)]);
    let server = Server::smtp(&python, desk.root.path(), "starttls", 0);
    desk.mail_through(server.port);
    desk.looked_up(LookupOutcome::Hit, 42);
    desk.looked_up(LookupOutcome::MissExpired, 58);

    assert_eq!(desk.run("cache health").code, Some(6));
    assert_eq!((desk.mails().len(), desk.alerts().len()), (0, 0), "asked by hand: nothing begins");
    assert_eq!(desk.run("jobs run health").code, Some(6), "crossed");
    assert_eq!(desk.mails().len(), 1);
    let stands = desk.alerts();
    for _ in 0..3 {
        assert_eq!(desk.run("jobs run health").code, Some(6), "unchanged");
        assert_eq!(desk.run("cache health").code, Some(6));
    }
    assert_eq!(desk.mails().len(), 1);
    desk.looked_up(LookupOutcome::Hit, 400);
    let before = desk.alerts();
    assert_eq!(desk.run("cache health").code, Some(0));
    assert_eq!(desk.alerts(), before, "asked by hand: nothing ends");
    assert_eq!(stands.len(), before.len());
    assert_eq!(desk.run("jobs run health").code, Some(0), "over");
    assert_eq!(desk.run("jobs run health").code, Some(0), "and still well");

    let mails = desk.mails();
    let subjects: Vec<&str> = mails.iter().map(|mail| mail["headers"]["Subject"].as_str().unwrap()).collect();
    assert_eq!(subjects, [subject("[FIRING:1] hit_rate"), subject("[RESOLVED:1] hit_rate")]);
    assert!(mails.iter().all(|mail| mail["tls"] == true && mail["login"] == "mailer"), "{mails:?}");
    assert!(mails[0]["body"].as_str().unwrap().contains("Low cache hit rate: 42.0%"), "{}", mails[0]["body"]);
}

#[test]
fn an_undelivered_mail_is_reported_and_sent_once_by_a_later_run() {
    let Some(python) = python() else { return };
    let desk = Desk::new(&[("50-health.toml", HEALTH)]);
    let port = Server::smtp(&python, desk.root.path(), "starttls", 0).port;
    desk.mail_through(port);
    desk.looked_up(LookupOutcome::MissExpired, 100);

    let down = desk.run("jobs run");
    assert!(!matches!(down.code, Some(0) | None) && down.out.is_empty(), "{down:?}");
    assert!(
        down.err.contains("an alert could not be sent") && down.err.contains(&format!("localhost:{port}")),
        "{down:?}"
    );
    let again = desk.run("jobs run");
    assert_eq!(again.code, Some(1), "nothing is due, and the mail still waits: {again:?}");
    let row = "SELECT message_id FROM outbox";
    let app = desk.app();
    let (mut database, _) = app.database().unwrap();
    let id: String = database.connection().query_row(row, [], |row| row.get(0)).unwrap();

    let _server = Server::smtp(&python, desk.root.path(), "starttls", port);
    desk.run("jobs run").says_nothing();
    desk.run("jobs run").says_nothing();
    let mails = desk.mails();
    assert_eq!(mails.len(), 1, "{mails:?}");
    assert_eq!(mails[0]["headers"]["Message-ID"], id);
    assert_eq!(desk.history("health"), ["done"], "the later runs had nothing to do but the mail");
}

#[test]
fn the_daemon_sends_one_mail_however_many_runs_find_the_same() {
    let Some(python) = python() else { return };
    let desk = Desk::new(&[("50-health.toml", &HEALTH.replace("5m", "1s"))]);
    let server = Server::smtp(&python, desk.root.path(), "starttls", 0);
    desk.mail_through(server.port);
    desk.looked_up(LookupOutcome::MissExpired, 100);
    let mut daemon = desk.begin("jobs daemon");
    let mut lines = BufReader::new(daemon.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut runs = 0;
    let mut sent = 0;
    while runs < 2 {
        let line = lines.next().expect("the daemon goes on");
        runs += u32::from(line.starts_with("health: done, Low cache hit rate"));
        sent += u32::from(line.starts_with("mail: "));
    }
    daemon.signal("-TERM");
    let rest: Vec<String> = lines.collect();
    sent += u32::try_from(rest.iter().filter(|line| line.starts_with("mail: ")).count()).unwrap();
    assert_eq!((sent, desk.mails().len()), (1, 1), "{rest:?}");
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
}

#[test]
fn the_alert_of_a_disabled_job_is_resolved() {
    for (what, with) in [("alert = \"on-change\"", "alert = \"never\""), ("enabled = true", "enabled = false")] {
        let warm = warm("alert = \"on-change\"\nenabled = true");
        let mut desk = Desk::new(&[("10-warm.toml", &warm)]);
        desk.set("AWS_ENDPOINT_URL", "http://127.0.0.1:1");
        desk.set("AWS_ACCESS_KEY_ID", "x");
        desk.set("AWS_SECRET_ACCESS_KEY", "x");
        desk.set("AWS_MAX_ATTEMPTS", "1");
        assert_eq!(desk.run("jobs run").code, Some(13));
        assert_eq!(desk.alerts().len(), 2, "AWS does not answer, and the job that fails by it");
        desk.run("jobs run").says_nothing();
        assert_eq!(desk.alerts().len(), 2, "it lasts while the job is there to end it");
        std::fs::write(desk.path("jobs/10-warm.toml"), warm.replace(what, with)).unwrap();
        desk.run("jobs run").says_nothing();
        assert!(desk.alerts().is_empty(), "{with}: {:?}", desk.alerts());
    }
}

#[test]
fn the_daemon_keeps_the_last_good_jobs_and_shares_the_ledger() {
    let desk = Desk::new(&[("10-clean.toml", CLEANUP)]);
    let mut daemon = desk.begin("jobs daemon");
    let mut lines = BufReader::new(daemon.0.stderr.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |words: &str| lines.by_ref().find(|line| line.contains(words)).unwrap_or_default();
    assert_eq!(until("the daemon begins"), "the daemon begins, with 1 job: clean");
    assert!(until("clean: ").starts_with("clean: done, nothing to remove ("));
    desk.run("jobs run").says_nothing();

    std::fs::write(desk.path("jobs/20-broken.toml"), "name = \"b\"\nkind = \"polish\"\n").unwrap();
    daemon.signal("-HUP");
    let told = until("20-broken.toml");
    assert!(told.contains("it does not run until SIGHUP finds it fixed") && told.contains("polish"), "{told}");
    std::fs::write(desk.path("jobs/20-broken.toml"), CLEANUP.replace("clean\"", "second\"")).unwrap();
    daemon.signal("-HUP");
    until("reloaded the configuration");
    assert!(until("second: ").starts_with("second: done"));
    desk.run("jobs run").says_nothing();
    daemon.signal("-TERM");
    assert_eq!(until("the daemon ends").split(", ").last(), Some("2 reloads"));
    assert_eq!(daemon.0.wait().unwrap().code(), Some(0));
    assert_eq!((desk.history("clean").len(), desk.history("second").len()), (1, 1));
}

#[test]
fn a_healthy_due_run_is_silent_and_due_again_after_its_interval() {
    let mut desk = Desk::new(&[("10-clean.toml", CLEANUP), ("50-health.toml", HEALTH)]);
    for _ in 0..3 {
        desk.run("jobs run").says_nothing();
    }
    assert_eq!((desk.history("clean"), desk.history("health")), (vec!["done".into()], vec!["done".into()]));
    desk.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", "6m");
    for _ in 0..2 {
        desk.run("jobs run").says_nothing();
    }
    assert_eq!(desk.history("clean"), ["done", "done"]);
}

#[test]
fn due_runs_at_once_run_each_job_once() {
    let (desk, organization) = slow(Duration::from_millis(100));
    std::fs::write(desk.path("jobs/20-clean.toml"), CLEANUP).unwrap();
    let begun: Vec<Begun> = (0..4).map(|_| desk.begin("jobs run")).collect();
    for run in begun {
        run.end().says_nothing();
    }
    assert_eq!((desk.history("warm"), desk.history("clean")), (vec!["done".into()], vec!["done".into()]));
    assert_eq!(organization.calls().by_operation.get("AWSIdentityStore.ListUsers"), Some(&1));
}

#[test]
fn two_whole_rounds_at_once_succeed_and_no_job_overlaps_itself() {
    let (desk, _organization) = slow(Duration::from_millis(300));
    std::fs::write(desk.path("jobs/20-clean.toml"), CLEANUP).unwrap();
    let begun = [desk.begin("jobs run --all --json"), desk.begin("jobs run --all --json")];
    for run in begun {
        let ran = run.end();
        assert_eq!(ran.code, Some(0), "{ran:?}");
        for run in ran.json()["runs"].as_array().unwrap() {
            let held = run["reason"].as_str().unwrap().contains("held by");
            assert!(run["outcome"] == "done" || (run["outcome"] == "skipped" && held), "{run}");
        }
    }
    let document = desk.run("jobs history warm --json").json();
    let mut spans: Vec<(&str, &str)> = Vec::new();
    for run in document["runs"].as_array().unwrap().iter().filter(|run| run["outcome"] == "done") {
        spans.push((run["started_at"].as_str().unwrap(), run["ended_at"].as_str().unwrap()));
    }
    spans.sort_unstable();
    assert!(!spans.is_empty() && spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
}

#[test]
fn a_killed_run_is_recorded_by_the_next_one() {
    let (mut desk, _organization) = slow(Duration::from_secs(5));
    let killed = desk.begin("jobs run");
    while desk.run("jobs list --json").json()["jobs"][0]["running"].is_null() {}
    killed.signal("-KILL");
    killed.end();
    let quick = organization(Duration::ZERO);
    desk.set("AWS_ENDPOINT_URL", &quick.url());
    let next = desk.run("jobs run");
    assert_eq!((next.code, next.out.as_str()), (Some(1), ""), "{next:?}");
    assert!(next.err.starts_with("warm: crashed, "), "{next:?}");
    assert_eq!(desk.history("warm"), ["crashed"]);
    assert_eq!(desk.run("jobs run warm").code, Some(0));
    desk.run("jobs run").says_nothing();
    assert_eq!(desk.history("warm"), ["done", "crashed"]);
}

#[test]
fn of_two_profiles_the_missing_one_fails_and_the_other_runs() {
    let mut desk = Desk::new(&[("10-warm.toml", &warm("profiles = [\"a\", \"b\"]"))]);
    let organization = organization(Duration::ZERO);
    let profile = format!(
        "[profile a]\nregion = us-east-1\naws_access_key_id = x\naws_secret_access_key = y\nendpoint_url = {}\n",
        organization.url()
    );
    std::fs::create_dir(desk.path(".aws")).unwrap();
    std::fs::write(desk.path(".aws/config"), profile).unwrap();
    let ran = desk.run("jobs run");
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""), "{ran:?}");
    assert!(ran.err.starts_with("warm (b): failed, ") && ran.err.contains("profile `b`"), "{ran:?}");
    assert_eq!(ran.err.lines().count(), 1, "{ran:?}");
    let document = desk.run("jobs run --all --json").json();
    let outcomes: Vec<_> = document["runs"].as_array().unwrap().iter().map(|run| &run["outcome"]).collect();
    assert_eq!(outcomes, ["done", "failed"], "{document}");
    desk.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", "4m");
    desk.run("jobs run").says_nothing();
}

#[test]
fn an_empty_jobs_folder_is_reported_and_removed_jobs_keep_their_history() {
    let desk = Desk::new(&[("10-clean.toml", CLEANUP)]);
    desk.run("jobs run").says_nothing();
    std::fs::remove_file(desk.path("jobs/10-clean.toml")).unwrap();
    desk.run("jobs run").says_nothing();
    let all = desk.run("jobs run --all");
    assert_eq!(all.code, Some(0), "{all:?}");
    assert!(all.out.contains("there is no job") && !all.out.contains("nothing is due"), "{all:?}");
    assert_eq!(desk.history("clean"), ["done"]);
    let named = desk.run("jobs run clean");
    assert_eq!(named.code, Some(2), "{named:?}");
    std::fs::write(desk.path("jobs/10-clean.toml"), CLEANUP).unwrap();
    desk.run("jobs run").says_nothing();
    assert_eq!(desk.history("clean"), ["done"], "back within its interval it is not due");
}

#[test]
fn a_state_directory_that_cannot_be_written_is_said_with_its_path() {
    let mut desk = Desk::new(&[("10-clean.toml", CLEANUP)]);
    std::fs::write(desk.path("file"), "").unwrap();
    let inside = desk.path("file/state").display().to_string();
    desk.set("AWSIDEMAN_STATE_DIR", &inside);
    for words in ["jobs run", "jobs run --all", "jobs daemon"] {
        let ran = desk.run(words);
        assert!(!matches!(ran.code, Some(0) | None), "{words}: {ran:?}");
        assert!(ran.err.contains(&inside) && ran.out.is_empty(), "{words}: {ran:?}");
    }
    assert!(!desk.state_dir().exists());
}
