//! A home with a folder of jobs, and the program run in it.

use awsideman::app::App;
use awsideman::config::{self, Sources};
use awsideman::model::Resource;
use awsideman::state::LookupOutcome;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};
use tempfile::TempDir;

const SUBJECT: &str = "awsideman Cache Health Alert";
/// The subject of a message of this host.
pub(crate) fn subject(state: &str) -> String {
    format!("{SUBJECT}: {state} ({})", awsideman::host::host_name())
}

pub(crate) const HEALTH: &str = "name = \"health\"\nkind = \"health-check\"\nevery = \"5m\"\n";
pub(crate) const CLEANUP: &str = "name = \"clean\"\nkind = \"cleanup\"\nevery = \"5m\"\n";

pub(crate) fn warm(more: &str) -> String {
    format!(
        "name = \"warm\"\nkind = \"warm\"\nevery = \"5m\"\nretry = {{ attempts = 1 }}\n{more}\n\
         [warm]\nresources = [\"users\"]\n"
    )
}

/// A home with a folder of jobs, and nothing else.
pub(crate) struct Desk {
    pub(crate) root: TempDir,
    environment: BTreeMap<String, String>,
}

impl Desk {
    pub(crate) fn new(jobs: &[(&str, &str)]) -> Desk {
        let root = tempfile::tempdir().unwrap();
        let environment = [
            ("HOME", root.path().to_str().unwrap()),
            ("PATH", &std::env::var("PATH").unwrap()),
            ("AWS_REGION", "us-east-1"),
            ("AWS_EC2_METADATA_DISABLED", "true"),
            ("AWS_MAX_ATTEMPTS", "1"),
            // Other tests cover the delay; here every run counts.
            ("AWSIDEMAN_ALERTS_RECOVERY_DELAY", "0"),
        ];
        let environment = environment.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let mut desk = Desk { root, environment };
        std::fs::create_dir(desk.path("jobs")).unwrap();
        for (name, text) in jobs {
            std::fs::write(desk.path("jobs").join(name), text).unwrap();
        }
        desk.set("AWSIDEMAN_JOBS_DIR", desk.path("jobs").to_str().unwrap());
        desk
    }

    pub(crate) fn set(&mut self, name: &str, value: &str) {
        self.environment.insert(name.into(), value.into());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The user's configuration.
    pub(crate) fn configure(&self, text: &str) {
        std::fs::create_dir_all(self.path(".config/awsideman")).unwrap();
        std::fs::write(self.path(".config/awsideman/config.toml"), text).unwrap();
    }

    /// A file that only its owner may read.
    pub(crate) fn private(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o600)).unwrap();
        self.path(name)
    }

    /// A program.
    pub(crate) fn script(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(self.path(name), std::fs::Permissions::from_mode(0o700)).unwrap();
        self.path(name)
    }

    /// `[alerts.email]` for the mail server on this port.
    pub(crate) fn mail_through(&self, port: u16) -> String {
        let password = self.private("password", "correct-horse\n");
        format!(
            "[alerts.email]\nenabled = true\ntransport = \"smtp\"\nhost = \"localhost\"\nport = {port}\ntls = \"starttls\"\n\
             ca_file = \"{}\"\nusername = \"mailer\"\npassword_file = \"{}\"\n\
             from = \"awsideman@example.com\"\nto = [\"oncall@example.com\"]\n",
            self.path("cert.pem").display(),
            password.display()
        )
    }

    pub(crate) fn lines(&self, name: &str) -> Vec<Value> {
        let lines = std::fs::read_to_string(self.path(name)).unwrap_or_default();
        lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    pub(crate) fn mails(&self) -> Vec<Value> {
        self.lines("mails.jsonl")
    }

    pub(crate) fn subjects(&self) -> Vec<String> {
        let subject = |mail: &Value| mail["headers"]["Subject"].as_str().unwrap().to_owned();
        self.mails().iter().map(subject).collect()
    }

    /// Counts so many lookups as commands count theirs.
    pub(crate) fn looked_up(&self, outcome: LookupOutcome, times: u64) {
        let sources = Sources {
            environment: self.environment.clone(),
            explicit: None,
            overrides: Vec::new(),
            system_file: self.path("no-system-file.toml"),
            working_directory: self.root.path().into(),
        };
        let app = App::new(config::load(&sources).unwrap(), None).unwrap();
        let tally = app.state().tally(app.cache_dir());
        for entry in 0..times {
            assert_eq!(tally.record(outcome, Resource::User, entry, app.clock().now()), None);
        }
    }

    pub(crate) fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command.args(words).env_clear();
        // Root's log would be the host's.
        command.env("AWSIDEMAN_LOG_FILE", self.root.path().join("awsideman.log")).envs(&self.environment);
        command.current_dir(self.root.path()).stdin(Stdio::null());
        command
    }

    pub(crate) fn run(&self, words: &str) -> Ran {
        self.run_words(&words.split_whitespace().collect::<Vec<_>>())
    }

    /// The same, with the clock ahead by `offset`.
    pub(crate) fn run_at(&self, offset: &str, words: &str) -> Ran {
        let mut command = self.command(&words.split_whitespace().collect::<Vec<_>>());
        Ran::of(&command.env("AWSIDEMAN_DEBUG_CLOCK_OFFSET", offset).output().unwrap())
    }

    /// A run and the most memory that it used, in KiB.
    pub(crate) fn run_measured(&self, words: &str) -> (Ran, u64) {
        let mut command = self.command(&words.split_whitespace().collect::<Vec<_>>());
        let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let status = format!("/proc/{}/status", child.id());
        let most = std::thread::spawn(move || {
            let mut most = 0;
            // The peak of a process that has ended is not listed any more.
            while let Ok(text) = std::fs::read_to_string(&status) {
                let peak = text.lines().find_map(|line| line.strip_prefix("VmHWM:")?.trim().strip_suffix(" kB"));
                let Some(peak) = peak else { break };
                most = peak.trim().parse().unwrap();
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            most
        });
        let ran = Ran::of(&child.wait_with_output().unwrap());
        (ran, most.join().unwrap())
    }

    pub(crate) fn run_words(&self, words: &[&str]) -> Ran {
        Ran::of(&self.command(words).output().unwrap())
    }

    pub(crate) fn begin(&self, words: &str) -> Begun {
        let mut command = self.command(&words.split_whitespace().collect::<Vec<_>>());
        Begun(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap())
    }
}

#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Ran {
    fn of(output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Ran { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A run that goes on beside the test; a test that fails leaves none behind.
pub(crate) struct Begun(pub(crate) Child);

impl Begun {
    pub(crate) fn signal(&self, which: &str) {
        assert!(Command::new("kill").args([which, &self.0.id().to_string()]).status().unwrap().success());
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
