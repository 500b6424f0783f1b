//! The world of one test: a home of its own, a sandbox on a free port, and the binary run in both.
//!
//! What a run is given is what [`World::new`] and the setters say and nothing of the surrounding process; what it
//! gave is checked by sentences that print all of it when they fail.

use awsideman::app::App;
use awsideman::cache::{Fresh, Key};
use awsideman::config::{self, Sources};
use awsideman::model::Resource;
use awsideman::sandbox::{self, CallCounts, Faults, Limits, Organization, Running, Shape};
use awsideman::state::LookupOutcome;
use serde_json::Value;
use std::collections::BTreeMap;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tempfile::TempDir;

/// The call that lists people.
pub(crate) const LIST_USERS: &str = "AWSIdentityStore.ListUsers";

/// The variables that choose a sandbox.
const ENDPOINT: &str = "AWS_ENDPOINT_URL";

/// A home, an organization and an environment.
pub(crate) struct World {
    root: TempDir,
    sandbox: Running,
    environment: BTreeMap<String, String>,
}

/// Starts an organization that answers without limit.
pub(crate) fn organization(shape: &Shape) -> Running {
    sandbox::start(Organization::generate(shape), Limits { tps: 0.0, latency: Duration::ZERO }).unwrap()
}

impl World {
    /// An empty home and the default organization: 300 people, 30 groups, 12 accounts, 8 permission sets.
    pub(crate) fn new() -> World {
        World::of(&Shape::default())
    }

    /// An empty home and a small organization, for what is not about figures.
    pub(crate) fn small() -> World {
        World::of(&Shape { users: 20, groups: 3, accounts: 2, permission_sets: 2, ..Shape::default() })
    }

    /// An empty home and an organization of this shape.
    pub(crate) fn of(shape: &Shape) -> World {
        let root = tempfile::tempdir().unwrap();
        let sandbox = organization(shape);
        for folder in ["home", "bin"] {
            std::fs::create_dir(root.path().join(folder)).unwrap();
        }
        std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_awsideman"), root.path().join("bin/awsideman")).unwrap();
        let text = |path: PathBuf| path.display().to_string();
        let path = format!("{}:{}", text(root.path().join("bin")), std::env::var("PATH").unwrap());
        let environment = [
            ("HOME", text(root.path().join("home"))),
            ("PATH", path),
            ("AWS_REGION", "us-east-1".into()),
            ("AWS_ACCESS_KEY_ID", "AKIAFIRST".into()),
            ("AWS_SECRET_ACCESS_KEY", "secret".into()),
            ("AWS_EC2_METADATA_DISABLED", "true".into()),
            // For root it would be the host's.
            ("AWSIDEMAN_LOG_FILE", text(root.path().join("awsideman.log"))),
            (ENDPOINT, sandbox.url()),
            // The product's own pace is tested where it is made.
            ("AWSIDEMAN_PACE_SSO_ADMIN_TPS", "10000".into()),
            ("AWSIDEMAN_PACE_IDENTITY_STORE_TPS", "10000".into()),
            ("AWSIDEMAN_PACE_ORGANIZATIONS_TPS", "10000".into()),
        ];
        let environment = environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        World { root, sandbox, environment }
    }

    /// Sets a variable for all runs that follow; an empty text unsets it.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut World {
        if value.is_empty() {
            self.environment.remove(name);
        } else {
            self.environment.insert(name.into(), value.into());
        }
        self
    }

    /// Moves the clock of all runs that follow to so long after the present; before it with a minus sign.
    pub(crate) fn later(&mut self, offset: &str) -> &mut World {
        self.set("AWSIDEMAN_DEBUG_CLOCK_OFFSET", offset)
    }

    /// Writes the user's configuration file, and says where it is.
    pub(crate) fn configure(&self, text: &str) -> PathBuf {
        self.write(".config/awsideman/config.toml", text)
    }

    /// Writes a file below the home.
    pub(crate) fn write(&self, path: &str, text: &str) -> PathBuf {
        let path = self.home().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        path
    }

    /// A program of this name stands before all others in the path.
    pub(crate) fn program(&self, name: &str, text: &str) {
        let path = self.root.path().join("bin").join(name);
        // The binary is there as a link, and must not be written through.
        let _ = std::fs::remove_file(&path);
        std::fs::write(&path, text).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// The home.
    pub(crate) fn home(&self) -> PathBuf {
        self.root.path().join("home")
    }

    /// The cache directory when nobody chose one.
    pub(crate) fn cache_dir(&self) -> PathBuf {
        self.home().join(".cache/awsideman")
    }

    /// The state directory when nobody chose one.
    pub(crate) fn state_dir(&self) -> PathBuf {
        self.home().join(".local/state/awsideman")
    }

    /// A file beside the home.
    pub(crate) fn beside(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// The sandbox itself, to set faults and holds.
    pub(crate) fn sandbox(&self) -> &Running {
        &self.sandbox
    }

    /// Calls an operation of the sandbox past the product, as another tool would.
    pub(crate) fn ask(&self, operation: &str, body: &Value) -> Value {
        let request = ureq::post(self.sandbox.url())
            .header("X-Amz-Target", operation)
            .header("Content-Type", "application/x-amz-json-1.1");
        request.send_json(body).unwrap().body_mut().read_json().unwrap()
    }

    /// Closes an account in AWS; the management account cannot be closed.
    pub(crate) fn closes(&self, account: &str) -> bool {
        let request = ureq::post(self.sandbox.url())
            .header("X-Amz-Target", "AWSOrganizationsV20161128.CloseAccount")
            .header("Content-Type", "application/x-amz-json-1.1");
        request.send_json(serde_json::json!({"AccountId": account})).is_ok()
    }

    /// Where the sandbox answers.
    pub(crate) fn sandbox_url(&self) -> String {
        self.sandbox.url()
    }

    /// From now on the sandbox does this wrong, and nothing else.
    pub(crate) fn faults(&self, choose: impl FnOnce(&mut Faults)) {
        let mut faults = Faults::default();
        choose(&mut faults);
        self.sandbox.set_faults(faults).unwrap();
    }

    /// Whether so many calls come to wait under a hold.
    pub(crate) fn wait_for_held(&self, calls: usize, patience: Duration) -> bool {
        self.sandbox.wait_for_held(calls, patience)
    }

    /// Lets every call go on that waits, and holds none any more.
    pub(crate) fn release(&self) {
        self.faults(|_| ());
    }

    /// What the sandbox was asked so far.
    pub(crate) fn calls(&self) -> CallCounts {
        self.sandbox.calls()
    }

    /// How often the sandbox was asked for a page of people so far.
    pub(crate) fn list_calls(&self) -> u64 {
        self.calls().by_operation.get(LIST_USERS).copied().unwrap_or(0)
    }

    /// The calls that `work` makes.
    pub(crate) fn calls_of<T>(&self, work: impl FnOnce() -> T) -> u64 {
        let before = self.calls().total;
        work();
        self.calls().total - before
    }

    /// The environment that runs get, for what starts a process by itself.
    pub(crate) fn apply(&self, command: &mut Command) {
        command.env_clear().envs(&self.environment).current_dir(self.home()).stdin(Stdio::null());
    }

    /// The binary, about to be run with these words.
    pub(crate) fn command<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command.args(words);
        self.apply(&mut command);
        command
    }

    /// Runs the binary.
    pub(crate) fn run<'a>(&self, words: impl IntoIterator<Item = &'a str>) -> Ran {
        let words: Vec<&str> = words.into_iter().collect();
        Ran::of(format!("awsideman {}", words.join(" ")), &self.command(words).output().unwrap())
    }

    /// Runs a line as a shell does, with the binary in the path.
    pub(crate) fn shell(&self, line: &str) -> Ran {
        let mut command = Command::new("bash");
        command.args(["-o", "pipefail", "-c", line]);
        self.apply(&mut command);
        Ran::of(line.to_owned(), &command.output().unwrap())
    }

    /// Runs a script with the binary in the path.
    pub(crate) fn script(&self, path: &Path, words: &[&str]) -> Ran {
        let mut command = Command::new("bash");
        command.arg(path).args(words);
        self.apply(&mut command);
        Ran::of(path.display().to_string(), &command.output().unwrap())
    }

    /// `cache status --json`, which must succeed and say nothing beside it.
    #[track_caller]
    pub(crate) fn status(&self) -> Value {
        self.run(["cache", "status", "--json"]).ok().silent().json()
    }

    /// The product as a library, configured as the runs are.
    pub(crate) fn app(&self) -> App {
        let sources = Sources {
            environment: self.environment.clone(),
            explicit: None,
            overrides: Vec::new(),
            system_file: self.root.path().join("no-system-file.toml"),
            working_directory: self.home(),
        };
        App::new(config::load(&sources).unwrap(), None).unwrap()
    }

    /// Counts so many lookups as commands count theirs.
    pub(crate) fn looked_up(&self, outcome: LookupOutcome, resource: Resource, times: u64) {
        let app = self.app();
        let tally = app.state().tally(app.cache_dir());
        for entry in 0..times {
            assert_eq!(tally.record(outcome, resource, entry, app.clock().now()), None);
        }
    }

    /// Stores so many entries of so many bytes each.
    pub(crate) fn fill(&self, entries: u32, bytes: usize) {
        let app = self.app();
        let cache = app.cache();
        let payload = format!("\"{}\"", "x".repeat(bytes - 2)).into_bytes();
        for n in 0..entries {
            let ticket = cache.ticket().unwrap();
            let key = Key::new(Resource::Custom, "list", &n.to_string());
            let fresh = Fresh { key, payload: payload.clone(), source: "a test" };
            assert_eq!(cache.fill("a space", &[fresh], ticket).unwrap().stored, 1);
        }
    }

    /// From now on there is a `mail` that keeps what it is given in this file.
    pub(crate) fn mailbox(&mut self) -> PathBuf {
        let mailbox = self.beside("mailbox");
        self.program("mail", "#!/bin/bash\n{ printf 'to: %s\\n' \"$*\"; cat; } >>\"$MAILBOX\"\n");
        self.set("MAILBOX", &mailbox.display().to_string());
        mailbox
    }

    /// Everything below the home: mode and contents of each file, so that two moments can be compared.
    pub(crate) fn tree(&self) -> BTreeMap<PathBuf, (u32, Vec<u8>)> {
        let mut found = BTreeMap::new();
        walk(&self.home(), &mut found);
        found
    }
}

fn walk(folder: &Path, into: &mut BTreeMap<PathBuf, (u32, Vec<u8>)>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let found = path.symlink_metadata().unwrap();
        if found.is_dir() {
            walk(&path, into);
            into.insert(path, (found.mode(), Vec::new()));
        } else {
            let contents = std::fs::read(&path).unwrap_or_default();
            into.insert(path, (found.mode(), contents));
        }
    }
}

/// What a run gave.
#[derive(Debug, Clone)]
pub(crate) struct Ran {
    words: String,
    pub(crate) exit: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    /// The end of a process.
    pub(crate) fn of(words: String, output: &Output) -> Ran {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let exit = output.status.code().unwrap_or(-1);
        let ran = Ran { words, exit, stdout: text(&output.stdout), stderr: text(&output.stderr) };
        ran.without_debug_text()
    }

    /// No run prints the Debug form of an error, or internals that only a developer understands.
    #[track_caller]
    fn without_debug_text(self) -> Ran {
        let stderr = self.stderr.replace("/.cargo/", "/");
        let found = ["Error {", "Os {", "Some(", "unwrap", "cargo"].into_iter().find(|mark| stderr.contains(mark));
        let what = format!("{:?} was not expected on stderr", found.unwrap_or_default());
        self.must(found.is_none(), &what)
    }

    /// What a process gave, as a shell kept it.
    pub(crate) fn given(words: String, exit: i32, stdout: String, stderr: String) -> Ran {
        Ran { words, exit, stdout, stderr }
    }

    /// It showed this line somewhere: blanks of any length are alike, and `...` is anything.
    #[track_caller]
    pub(crate) fn shows(self, line: &str) -> Ran {
        let blanks = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
        let wanted = blanks(line);
        let found = self.stdout.lines().chain(self.stderr.lines()).any(|shown| {
            let (shown, mut from) = (blanks(shown), 0);
            wanted.split("...").map(str::trim).all(|part| match shown[from..].find(part) {
                Some(at) => {
                    from += at + part.len();
                    true
                }
                None => false,
            })
        });
        self.must(found, &format!("{line:?} was expected"))
    }

    #[track_caller]
    fn must(self, holds: bool, what: &str) -> Ran {
        let Ran { words, exit, stdout, stderr } = &self;
        let shown: String = stdout.chars().take(3000).collect();
        assert!(holds, "{what}\n$ {words}\nexit {exit}\n--- stdout\n{shown}\n--- stderr\n{stderr}");
        self
    }

    /// It ended with 0.
    #[track_caller]
    pub(crate) fn ok(self) -> Ran {
        self.code(0)
    }

    /// It ended with this code.
    #[track_caller]
    pub(crate) fn code(self, code: i32) -> Ran {
        let holds = self.exit == code;
        self.must(holds, &format!("exit {code} was expected"))
    }

    /// It said nothing on stderr.
    #[track_caller]
    pub(crate) fn silent(self) -> Ran {
        let holds = self.stderr.is_empty();
        self.must(holds, "nothing was expected on stderr")
    }

    /// This stands on stdout.
    #[track_caller]
    pub(crate) fn stdout_has(self, text: &str) -> Ran {
        let holds = self.stdout.contains(text);
        self.must(holds, &format!("{text:?} was expected on stdout"))
    }

    /// This does not stand on stdout.
    #[track_caller]
    pub(crate) fn stdout_lacks(self, text: &str) -> Ran {
        let holds = !self.stdout.contains(text);
        self.must(holds, &format!("{text:?} was not expected on stdout"))
    }

    /// This stands on stderr.
    #[track_caller]
    pub(crate) fn stderr_has(self, text: &str) -> Ran {
        let holds = self.stderr.contains(text);
        self.must(holds, &format!("{text:?} was expected on stderr"))
    }

    /// This stands somewhere.
    #[track_caller]
    pub(crate) fn says(self, text: &str) -> Ran {
        let holds = self.stdout.contains(text) || self.stderr.contains(text);
        self.must(holds, &format!("{text:?} was expected"))
    }

    /// Its stdout is one JSON document: this one.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        match serde_json::from_str(&self.stdout) {
            Ok(document) => document,
            Err(error) => {
                self.clone().must(false, &format!("one JSON document was expected: {error}"));
                Value::Null
            }
        }
    }
}
