//! The later version as a binary: how it comes to be, and both run in one world.
//!
//! It is built from the sources as they are, by whoever comes first, beside the ordinary binary; that one and the
//! tests are not built anew for it.

use crate::world::{Ran, World};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Which of the two.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    This,
    Next,
}

/// Each beside the other.
pub(crate) const BOTH: [(Version, Version); 2] = [(Version::This, Version::Next), (Version::Next, Version::This)];

impl Version {
    /// The file that names its live database.
    pub(crate) fn pointer(self, world: &World) -> PathBuf {
        world.cache_dir().join(match self {
            Version::This => "CURRENT",
            Version::Next => "CURRENT.v2",
        })
    }

    /// Its live database.
    pub(crate) fn database(self, world: &World) -> PathBuf {
        let named = std::fs::read_to_string(self.pointer(world)).unwrap();
        world.cache_dir().join(named.trim())
    }

    fn binary(self) -> &'static Path {
        match self {
            Version::This => Path::new(env!("CARGO_BIN_EXE_awsideman")),
            Version::Next => next(),
        }
    }

    /// The binary, about to be run with these words.
    pub(crate) fn command(self, world: &World, words: &str) -> Command {
        let mut command = Command::new(self.binary());
        command.args(words.split(' '));
        world.apply(&mut command);
        command
    }

    /// Runs it.
    pub(crate) fn run(self, world: &World, words: &str) -> Ran {
        let output = self.command(world, words).output().unwrap();
        Ran::of(format!("({self:?}) awsideman {words}"), &output)
    }
}

/// The binary of the later version. Each process that asks lets cargo look; cargo's own lock lets one of them build.
fn next() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let folder = Path::new(env!("CARGO_BIN_EXE_awsideman")).parent().unwrap();
        let profile = match folder.file_name().unwrap().to_str().unwrap() {
            "debug" => "dev",
            named => named,
        };
        // No other target may be named here: those that look for binaries would take along the ordinary one, raised.
        let words = ["build", "--locked", "--quiet", "--features", "next-schema", "--bin", "awsideman-next"];
        let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
        let mut command = Command::new(cargo);
        // What cargo tells a test about its package is not what it tells a build: dependencies would be built anew.
        for (name, _) in std::env::vars_os() {
            let about_us = ["CARGO_MANIFEST_", "CARGO_PKG_", "CARGO_BIN_", "CARGO_CRATE_"];
            if about_us.iter().any(|start| name.to_string_lossy().starts_with(start)) {
                command.env_remove(name);
            }
        }
        let built = command
            .args(words)
            .args(["--profile", profile, "--target-dir"])
            .arg(folder.parent().unwrap())
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .output()
            .unwrap();
        let told = String::from_utf8_lossy(&built.stderr);
        assert!(built.status.success(), "`cargo {}` failed:\n{told}", words.join(" "));
        folder.join("awsideman-next")
    })
}
