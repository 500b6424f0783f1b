//! Root with the home of a user (`sudo -E`): a read makes no file there, a change is recorded for the owner; another user
//! changes nothing that the owner's cache would not know.

use crate::world::{Ran, World};
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const ANN: u32 = 12_001;
const EVE: u32 = 12_003;

/// A world whose home belongs to Ann; `None` where this user cannot be others.
#[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
fn world_of_ann() -> Option<World> {
    let mut world = World::small();
    for folder in [world.beside(""), world.home(), world.beside("bin")] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    world.set("AWSIDEMAN_LOG_FILE", "");
    let can_switch = rustix::process::geteuid().is_root() && as_user(&world, ANN, "awsideman version").exit == 0;
    if !can_switch {
        eprintln!("SKIPPED: no other user may run this binary here");
        return None;
    }
    give(&world.home(), ANN);
    Some(world)
}

fn give(path: &Path, uid: u32) {
    let owner = format!("{uid}:{uid}");
    assert!(Command::new("chown").args(["-hR", &owner]).arg(path).status().unwrap().success());
}

fn as_user(world: &World, uid: u32, line: &str) -> Ran {
    let id = uid.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups", "bash", "-c", line]);
    world.apply(&mut command);
    Ran::of(format!("{uid}: {line}"), &command.output().unwrap())
}

/// Every file below that is not Ann's.
fn not_of_ann(path: &Path) -> Vec<PathBuf> {
    let found = path.symlink_metadata().unwrap();
    let mut all = if found.uid() == ANN { Vec::new() } else { vec![path.to_owned()] };
    if found.is_dir() {
        let below = std::fs::read_dir(path).unwrap();
        all.extend(below.flat_map(|entry| not_of_ann(&entry.unwrap().path())));
    }
    all
}

#[test]
fn root_reads_with_a_user_home_and_leaves_no_file_there() {
    let Some(world) = world_of_ann() else { return };
    let foreign = "belongs to user 12001, not to user 0";
    world.run(["user", "list"]).ok().stdout_has("UserName").stderr_has(foreign);
    assert_eq!(std::fs::read_dir(world.home()).unwrap().count(), 0, "nothing is made in an empty home");
    as_user(&world, ANN, "awsideman user list && awsideman jobs run --all && awsideman cache warm users").ok();
    let before = world.tree();
    for words in ["user list", "user list --refresh", "group list", "info", "cache path", "config show"] {
        world.run(words.split(' ')).ok();
    }
    for words in ["cache warm users", "cache clear", "cache recover", "cache disable", "jobs run --all", "jobs pause"] {
        world.run(words.split(' ')).code(1).stderr_has(foreign).stderr_has("sudo -u '#12001' awsideman");
    }
    assert!(world.tree() == before, "root changed a file");
    // These read the databases, for which SQLite may make companions; they are the owner's.
    for words in ["cache status", "cache health", "doctor", "journal list"] {
        world.run(words.split(' '));
    }
    assert_eq!(not_of_ann(&world.home()), Vec::<PathBuf>::new());
    as_user(&world, ANN, "awsideman user list && awsideman cache check --full").ok().silent();
}

#[test]
fn a_change_by_root_is_known_to_the_cache_of_the_owner() {
    let Some(world) = world_of_ann() else { return };
    as_user(&world, ANN, "awsideman user list").ok();
    let list = as_user(&world, ANN, "awsideman user list --json").ok().json();
    let name = list[0]["UserName"].as_str().unwrap().to_owned();
    let change = format!("user update {name} --display-name Boss --yes");
    world.run(change.split(' ')).ok();
    assert_eq!(not_of_ann(&world.home()), Vec::<PathBuf>::new());
    as_user(&world, ANN, &format!("awsideman user get {name}")).ok().stdout_has("Boss");
    as_user(&world, ANN, "awsideman user list").ok().stdout_has("Boss").silent();
    as_user(&world, ANN, "awsideman journal list").ok().stdout_has("root@").stdout_has("done");
    as_user(&world, ANN, "awsideman cache check --full && awsideman cache status").ok();
}

#[test]
fn a_change_without_write_access_to_the_cache_is_refused_before_aws() {
    let Some(mut world) = world_of_ann() else { return };
    as_user(&world, ANN, "awsideman user list").ok();
    world.set("XDG_CACHE_HOME", &world.home().join(".cache").display().to_string());
    world.set("XDG_STATE_HOME", &world.home().join(".local/state").display().to_string());
    let list = as_user(&world, ANN, "awsideman user list --json").ok().json();
    let name = list[0]["UserName"].as_str().unwrap().to_owned();
    let line = format!("HOME=/ awsideman user update {name} --display-name Thief --yes");
    let calls = world.calls_of(|| {
        let ran = as_user(&world, EVE, &line).code(1).stderr_has("nothing was changed");
        ran.stderr_has("Permission denied").stderr_has("cache init --shared");
    });
    assert_eq!(calls, 0);
    as_user(&world, EVE, "HOME=/ awsideman user list").ok().stdout_has(&name);
    as_user(&world, ANN, "awsideman user list --refresh").ok().stdout_lacks("Thief");
}

#[test]
fn a_service_with_a_dynamic_user_has_directories_behind_root_links() {
    let Some(mut world) = world_of_ann() else { return };
    for name in ["cache", "state"] {
        let (real, link) = (world.beside(&format!("private/{name}")), world.beside(name));
        std::fs::create_dir_all(&real).unwrap();
        give(&real, ANN);
        std::fs::set_permissions(&real, std::fs::Permissions::from_mode(0o755)).unwrap();
        symlink(format!("private/{name}"), &link).unwrap();
        let variable = format!("{}_DIRECTORY", name.to_uppercase());
        world.set(&variable, &link.display().to_string());
    }
    as_user(&world, ANN, "awsideman user list && awsideman jobs run --all && awsideman cache disable").ok();
    as_user(&world, ANN, "awsideman cache enable && awsideman user list").ok().silent();
    as_user(&world, ANN, "awsideman cache health").ok().stdout_has("owner and mode as required");
    assert_eq!(world.calls_of(|| as_user(&world, ANN, "awsideman user list").ok().silent()), 0);
    // A link that another user made leads anywhere.
    std::os::unix::fs::lchown(world.beside("cache"), Some(EVE), None).unwrap();
    as_user(&world, ANN, "awsideman user list").ok().stderr_has("a symbolic link of another user");
    as_user(&world, ANN, "awsideman doctor").stdout_has("a symbolic link of another user");
}
