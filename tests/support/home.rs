//! A home without a sandbox beside it: what a person has who has just got the program.
//!
//! A run sees this home, a path and no other variable of whoever runs it, so nothing of the host is read or
//! changed.

use crate::world::Ran;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// An empty home.
pub(crate) struct Home(TempDir);

impl Home {
    pub(crate) fn new() -> Home {
        Home(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self) -> &Path {
        self.0.path()
    }

    /// The user's configuration file, which is not there yet.
    pub(crate) fn user_file(&self) -> PathBuf {
        self.path().join(".config/awsideman/config.toml")
    }

    /// A folder in the home.
    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// The binary, about to be run with these words, which blanks divide.
    pub(crate) fn command(&self, words: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
        command
            .args(words.split_whitespace())
            .env_clear()
            .env("HOME", self.path())
            .env("PATH", std::env::var_os("PATH").unwrap())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .current_dir(self.path())
            .stdin(Stdio::null());
        command
    }

    /// Runs the binary.
    pub(crate) fn run(&self, words: &str) -> Ran {
        self.run_with(words, &[])
    }

    /// Runs the binary with these variables too.
    pub(crate) fn run_with(&self, words: &str, variables: &[(&str, &str)]) -> Ran {
        let mut command = self.command(words);
        Ran::of(format!("awsideman {words}"), &command.envs(variables.iter().copied()).output().unwrap())
    }
}
