//! Without a usable home: a change is refused with 2, a read names the directory and continues.
//!
//! Root uses the system directories; the user `nobody` represents other users.

use crate::world::{Ran, World};
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

/// A run by a user that is not root, with this HOME.
fn run(world: &World, home: Option<&str>, words: &str) -> Ran {
    let mut command = if rustix::process::geteuid().is_root() {
        let mut command = Command::new("setpriv");
        command.args(["--reuid", "65534", "--clear-groups", "awsideman"]);
        command
    } else {
        Command::new("awsideman")
    };
    command.args(words.split_whitespace());
    world.apply(&mut command);
    command.env_remove("HOME").envs(home.map(|home| ("HOME", home)));
    Ran::of(format!("HOME={home:?} awsideman {words}"), &command.output().unwrap())
}

#[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
fn may_run(world: &World) -> bool {
    let may = run(world, None, "version").exit == 0;
    if !may {
        eprintln!("SKIPPED: no other user may run this binary here");
    }
    may
}

#[test]
fn without_a_usable_home_changes_are_refused_and_reads_name_the_directory() {
    let mut world = World::small();
    world.set("AWSIDEMAN_LOG_LEVEL", "off");
    let root = world.beside("home").parent().unwrap().to_owned();
    for folder in [root, world.home(), world.beside("bin")] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    if !may_run(&world) {
        return;
    }
    for home in [None, Some("/"), Some("/nowhere/at/all")] {
        for words in [
            "cache disable",
            "cache enable",
            "cache clear",
            "cache cleanup",
            "cache recover",
            "cache breaker reset",
            "cache warm users",
            "jobs pause",
            "jobs resume",
            "jobs run",
            "alerts silence hit_rate --for 1h --reason test",
            "user delete nobody --yes",
        ] {
            let ran = run(&world, home, words).code(2).stderr_has("no usable home directory").stderr_has("set HOME");
            assert!(ran.stdout.is_empty(), "{ran:?}");
        }
        for words in ["cache path", "cache status", "jobs list", "journal list", "alerts list", "user list", "info"] {
            run(&world, home, words).ok().stderr_has("no usable home directory").stderr_has("/var/");
        }
        run(&world, home, "cache health").code(6).stdout_has("Directories cannot be used");
        run(&world, home, "--sandbox user list").ok().stderr_has("removed when the command ends");
        run(&world, home, "--sandbox cache disable").ok();
    }
    let left = std::fs::read_dir(std::env::temp_dir()).unwrap().filter_map(Result::ok);
    let left: Vec<_> =
        left.filter(|entry| entry.file_name().to_string_lossy().starts_with("awsideman-sandbox-")).collect();
    assert!(left.is_empty(), "{left:?}");
    assert!(!std::path::Path::new("/nowhere").exists());
}

/// Commands of root use /var/cache and /var/lib then; a check of the configuration agrees.
#[test]
fn root_without_a_home_has_a_valid_configuration() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let mut world = World::small();
    world.set("HOME", "");
    for words in [&["config", "validate"], &["config", "path"], &["config", "show"]] {
        let ran = world.run(words.iter().copied()).ok();
        assert!(!ran.stderr.contains("home"), "{ran:?}");
    }
    world.run(["config", "show"]).ok().stdout_has("/var/cache/awsideman").stdout_has("/var/lib/awsideman");
}
