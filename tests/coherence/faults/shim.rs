//! The shim: built by the compiler of the host, loaded into the binary, told which call fails and how.
//!
//! Without a C compiler the tests fail loudly; a run under the shim is a run of the real binary in the given world,
//! and its report outlives it.

use crate::world::World;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// The slots of the report, as in `shim.c`.
const ROOM: usize = 2;
const KINDS: usize = 3;
const SLOTS: usize = KINDS + 7;

/// A kind of call to the C library, by its number in `shim.c`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Calls(pub(crate) u32);

pub(crate) const OPEN: Calls = Calls(1);
pub(crate) const WRITE: Calls = Calls(2);
pub(crate) const SYNC: Calls = Calls(4);
pub(crate) const TRUNCATE: Calls = Calls(8);
pub(crate) const READ: Calls = Calls(16);
pub(crate) const RENAME: Calls = Calls(32);
pub(crate) const UNLINK: Calls = Calls(64);

/// Which call fails, and how.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Fault {
    pub(crate) calls: Calls,
    /// The number of the call, from 1; 0 lets all pass.
    pub(crate) at: u64,
    /// `io`, `space`, `short`, `torn`, `dead`, `kill`, `die`, `stop`.
    pub(crate) how: &'static str,
}

/// What the shim saw.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Report {
    /// Whether the one that was to fail came.
    pub(crate) fired: bool,
    /// Bytes that are left on a full disk.
    pub(crate) room: i64,
    /// All calls, by kind.
    pub(crate) kinds: [u64; 7],
}

/// The built shim.
pub(crate) struct Shim {
    folder: TempDir,
}

impl Shim {
    pub(crate) fn build() -> Shim {
        let folder = tempfile::tempdir().unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/coherence/faults/shim.c");
        let mut cc = Command::new("cc");
        cc.args(["-shared", "-fPIC", "-O1", "-Wall", "-Werror", "-o"]).arg(folder.path().join("shim.so")).arg(source);
        let built = cc.arg("-ldl").output().expect("a C compiler: these tests need `cc` in the path");
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        let shim = Shim { folder };
        shim.reset(0);
        shim
    }

    fn report_path(&self) -> PathBuf {
        self.folder.path().join("report")
    }

    /// Counts from zero, on a disk with this much room.
    pub(crate) fn reset(&self, room: i64) {
        let mut bytes = [0; SLOTS * 8];
        bytes[ROOM * 8..(ROOM + 1) * 8].copy_from_slice(&room.to_ne_bytes());
        // In place: whoever has it mapped keeps it.
        let file = File::options().create(true).truncate(false).write(true).open(self.report_path()).unwrap();
        file.write_all_at(&bytes, 0).unwrap();
    }

    pub(crate) fn report(&self) -> Report {
        let bytes = std::fs::read(self.report_path()).unwrap();
        let slot = |n: usize| i64::from_ne_bytes(bytes[n * 8..n * 8 + 8].try_into().unwrap());
        let kinds = std::array::from_fn(|kind| slot(KINDS + kind).cast_unsigned());
        Report { fired: slot(1) > 0, room: slot(ROOM), kinds }
    }

    fn load(&self, world: &World, command: &mut Command) {
        let home = world.home().canonicalize().unwrap();
        let roots = [home.join(".cache/awsideman"), home.join(".local/state/awsideman")];
        let roots: Vec<String> = roots.iter().map(|root| root.display().to_string()).collect();
        command
            .env("LD_PRELOAD", self.folder.path().join("shim.so"))
            .env("SHIM_REPORT", self.report_path())
            .env("SHIM_ROOTS", roots.join(":"));
    }

    /// Loads the shim into a run, which then suffers this fault.
    pub(crate) fn arm(&self, world: &World, command: &mut Command, fault: Fault) {
        self.load(world, command);
        command
            .env("SHIM_CALLS", fault.calls.0.to_string())
            .env("SHIM_AT", fault.at.to_string())
            .env("SHIM_HOW", fault.how);
    }

    /// Loads the shim into a run that stops before its first call of these kinds on this file, or below this directory.
    pub(crate) fn stop_at(&self, world: &World, command: &mut Command, calls: Calls, file: &Path) {
        self.stop_at_nth(1, world, command, calls, file);
    }

    /// The same before the call of this number.
    pub(crate) fn stop_at_nth(&self, at: u64, world: &World, command: &mut Command, calls: Calls, file: &Path) {
        self.arm(world, command, Fault { calls, at, how: "stop" });
        let folder = file.parent().unwrap().canonicalize().unwrap();
        command.env("SHIM_ROOTS", folder.join(file.file_name().unwrap()));
    }

    /// Loads the shim into a run whose disk has no room but what is left.
    pub(crate) fn fill(&self, world: &World, command: &mut Command) {
        self.load(world, command);
        command.env("SHIM_FULL", "1");
    }
}
