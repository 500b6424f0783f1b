//! Where the tests run: handles over a home of their own, and processes whose home it is.

use awsideman::config::Sources;
use awsideman::library::CacheManager;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// The variable that tells a child what it is for.
const TASK: &str = "LIBRARY_TEST_TASK";

/// A home, and what its configuration is made of.
pub(crate) struct Place {
    pub(crate) home: TempDir,
    variables: Vec<(String, String)>,
}

impl Place {
    pub(crate) fn new() -> Place {
        Place { home: tempfile::tempdir().unwrap(), variables: Vec::new() }
    }

    /// Sets a variable for handles and children that come later.
    pub(crate) fn set(&mut self, name: &str, value: &str) -> &mut Place {
        self.variables.retain(|(known, _)| known != name);
        self.variables.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A handle in this home, whose clock is so far ahead.
    pub(crate) fn handle_later(&self, offset: &str) -> CacheManager {
        let home = self.home.path();
        let mut environment: std::collections::BTreeMap<String, String> = self.variables.iter().cloned().collect();
        environment.insert("HOME".into(), home.display().to_string());
        environment.insert("AWSIDEMAN_DEBUG_CLOCK_OFFSET".into(), offset.into());
        CacheManager::open(Sources {
            environment,
            explicit: None,
            overrides: Vec::new(),
            system_file: home.join("none.toml"),
            working_directory: home.to_owned(),
        })
        .unwrap()
    }

    /// A handle in this home.
    pub(crate) fn handle(&self) -> CacheManager {
        self.handle_later("0s")
    }

    /// The binary, run in this home with these variables.
    pub(crate) fn awsideman(&self, words: &str) -> String {
        said(words, command(self.home.path(), words).envs(self.variables.iter().cloned()))
    }

    /// Starts the test of this name once more as a process of its own, with this home and this task.
    pub(crate) fn child(&self, test: &str, task: &str) -> Child {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command.args(["--exact", test, "--nocapture", "--test-threads", "1"]).env_clear();
        command.envs(self.variables.iter().cloned()).env("HOME", self.home.path()).env(TASK, task);
        command.current_dir(self.home.path()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.spawn().unwrap()
    }
}

/// What this process was started for; `None` in the test itself.
pub(crate) fn task() -> Option<String> {
    std::env::var(TASK).ok()
}

/// Runs the body in a process whose home is empty: there the handle of the process is that of a new user.
pub(crate) fn at_home(test: &str, body: impl FnOnce()) {
    if task().is_some() {
        return body();
    }
    succeeds(Place::new().child(test, "here"));
}

/// Waits for a child, which must end well.
pub(crate) fn succeeds(child: Child) {
    let output = child.wait_with_output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    assert!(output.status.success(), "{}\n{}", text(&output.stdout), text(&output.stderr));
    assert!(text(&output.stdout).contains("1 passed"), "the test was not found:\n{}", text(&output.stdout));
}

/// The binary, run in a home.
pub(crate) fn awsideman(home: &Path, words: &str) -> String {
    said(words, &mut command(home, words))
}

fn command(home: &Path, words: &str) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
    command
        .args(words.split_whitespace())
        .env_clear()
        .env("HOME", home)
        .env("AWS_EC2_METADATA_DISABLED", "true")
        // For root it would be the host's.
        .env("AWSIDEMAN_LOG_FILE", home.join("awsideman.log"))
        .current_dir(home)
        .stdin(Stdio::null());
    command
}

fn said(words: &str, command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(output.status.success(), "awsideman {words}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
