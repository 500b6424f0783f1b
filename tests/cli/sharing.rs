//! Who may use the cache: its owner alone by default, the members of a group when they share it, and nobody by a trick.

use crate::world::{Ran, World};
use awsideman::sandbox::Shape;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

const ANN: u32 = 12_001;
const BOB: u32 = 12_002;
const EVE: u32 = 12_003;

fn mode(path: &Path) -> u32 {
    std::fs::symlink_metadata(path).unwrap().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// Every file and directory below, itself included.
fn all_below(path: &Path) -> Vec<PathBuf> {
    let mut found = vec![path.to_owned()];
    if std::fs::symlink_metadata(path).unwrap().is_dir() {
        let entries = std::fs::read_dir(path).unwrap();
        found.extend(entries.flat_map(|entry| all_below(&entry.unwrap().path())));
    }
    found
}

/// A group of this host that is nobody's own here, and its id.
fn some_group() -> (String, u32) {
    let groups = std::fs::read_to_string("/etc/group").unwrap();
    let known = groups.lines().filter_map(|line| {
        let mut fields = line.split(':');
        Some((fields.next()?.to_owned(), fields.nth(1)?.parse().ok()?))
    });
    let own = rustix::process::getegid().as_raw();
    if !rustix::process::geteuid().is_root() {
        return known.into_iter().find(|(_, gid)| *gid == own).expect("our own group has a name");
    }
    known
        .filter(|(_, gid)| (2..60_000).contains(gid) && *gid != own)
        .max_by_key(|(_, gid)| *gid)
        .expect("a group beside root's")
}

/// A world whose cache and state are outside of any home.
fn shared_world() -> (World, PathBuf, PathBuf) {
    let mut world = World::of(&Shape { users: 20, groups: 3, accounts: 2, permission_sets: 2, ..Shape::default() });
    // The binary where anybody can run it.
    let binary = world.beside("bin/awsideman");
    std::fs::remove_file(&binary).unwrap();
    std::fs::copy(env!("CARGO_BIN_EXE_awsideman"), &binary).unwrap();
    set_mode(&world.beside(""), 0o755);
    std::fs::create_dir(world.beside("shared")).unwrap();
    let (cache, state) = (world.beside("shared/cache"), world.beside("shared/state"));
    world.set("AWSIDEMAN_CACHE_DIR", &cache.display().to_string());
    world.set("AWSIDEMAN_STATE_DIR", &state.display().to_string());
    (world, cache, state)
}

/// Runs a line as this user, a member of those groups beside a group of his own, with a home of his own.
fn as_user(world: &World, uid: u32, groups: &[u32], line: &str) -> Ran {
    let home = world.beside(&format!("home-{uid}"));
    std::fs::create_dir_all(&home).unwrap();
    let mut command = Command::new("setpriv");
    let (id, list) = (uid.to_string(), groups.iter().map(u32::to_string).collect::<Vec<_>>().join(","));
    command.args(["--reuid", &id, "--regid", &id]);
    if groups.is_empty() {
        command.arg("--clear-groups");
    } else {
        command.args(["--groups", &list]);
    }
    if rustix::process::geteuid().is_root() {
        std::os::unix::fs::chown(&home, Some(uid), Some(uid)).unwrap();
        command.args(["bash", "-c", line]);
    } else {
        command = Command::new("bash");
        command.args(["-c", line]);
    }
    world.apply(&mut command);
    command.env("HOME", &home).env("AWSIDEMAN_LOG_FILE", home.join("log")).current_dir(&home);
    Ran::of(format!("{uid}: {line}"), &command.output().unwrap())
}

#[test]
fn two_users_of_a_group_share_the_cache_and_others_bypass_it() {
    let (mut world, cache, state) = shared_world();
    let (name, gid) = some_group();
    let init = ["cache", "init", "--shared", "--group", &name];
    let would = world.run(init.into_iter().chain(["--dry-run"])).ok().stdout;
    assert!(would.contains("Would make") && !cache.exists(), "{would}");
    let did = world.run(init).ok().stdout_has("Made").stdout_has(&format!("sharing = \"group:{name}\"")).stdout;
    assert_eq!(did.replace("Made", "Would make"), would, "a dry run says what is done");
    world.set("AWSIDEMAN_CACHE_SHARING", &format!("group:{name}"));
    world.run(init).ok().stdout_has("The directories are as they must be").stdout_has("says so already");
    for directory in [&cache, &state] {
        assert_eq!((mode(directory), std::fs::metadata(directory).unwrap().gid()), (0o2770, gid));
    }
    // Ann warms, with a umask that would keep everybody out.
    as_user(&world, ANN, &[gid], "umask 077; awsideman cache warm users groups").ok();
    // Which instance it is, everybody's own credentials have to show once.
    let count = || {
        let calls = world.calls().by_operation.into_iter().filter(|(name, _)| !name.ends_with("ListInstances"));
        calls.map(|(_, n)| n).sum::<u64>()
    };
    let calls = |work: &dyn Fn() -> Ran| {
        let before = count();
        let ran = work();
        (count() - before, ran)
    };
    let (made, ran) = calls(&|| as_user(&world, BOB, &[gid], "umask 000; awsideman user list --json"));
    assert_eq!((made, ran.ok().silent().stdout.contains("UserName")), (0, true), "Bob hits what Ann warmed");
    as_user(&world, BOB, &[gid], "umask 022; awsideman cache disable --for 1h --reason INC-1").ok();
    let (made, ran) = calls(&|| as_user(&world, ANN, &[gid], "umask 077; awsideman user list --json"));
    ran.ok();
    assert!(made > 0, "what Bob disabled is disabled for Ann");
    as_user(&world, ANN, &[gid], "awsideman cache status").ok().stdout_has("INC-1");
    as_user(&world, ANN, &[gid], "umask 077; awsideman cache enable").ok();
    // What one stores or removes, the other has or lacks.
    as_user(&world, BOB, &[gid], "umask 077; awsideman cache clear --all && awsideman account list").ok().silent();
    let (made, ran) =
        calls(&|| as_user(&world, ANN, &[gid], "umask 077; awsideman account list && awsideman cache cleanup"));
    ran.ok();
    assert_eq!(made, 0);
    as_user(&world, BOB, &[gid], "umask 077; awsideman jobs run --all; awsideman cache recover").ok();
    as_user(&world, ANN, &[gid], "awsideman account list && awsideman cache check --full").ok();
    // Eve is no member.
    if rustix::process::geteuid().is_root() {
        let (made, ran) = calls(&|| as_user(&world, EVE, &[], "awsideman user list --json"));
        let ran = ran.ok();
        assert!(made > 0 && ran.stdout.contains("UserName"), "a live answer");
        assert_eq!(ran.stderr.trim_end().lines().count(), 1, "{}", ran.stderr);
        ran.stderr_has("may not use the cache");
    }
    for path in all_below(&cache).into_iter().chain(all_below(&state)) {
        let found = std::fs::symlink_metadata(&path).unwrap();
        let wanted = if found.is_dir() { 0o2770 } else { 0o660 };
        assert_eq!((found.mode() & 0o7777, found.gid()), (wanted, gid), "{}", path.display());
    }
}

#[test]
fn setting_up_says_what_is_in_the_way_and_changes_nothing_then() {
    let (mut world, cache, _) = shared_world();
    let (name, _) = some_group();
    world.run(["cache", "init", "--shared", "--group", "no-such-group"]).code(2).stderr_has("groupadd no-such-group");
    world.run(["cache", "init", "--shared"]).code(2).stderr_has("--group");
    world.run(["cache", "init", "--group", &name]).code(2).stderr_has("--shared");
    if rustix::process::geteuid().is_root() {
        let ran = as_user(&world, ANN, &[], &format!("awsideman cache init --shared --group {name}"));
        ran.code(1).stderr_has("is not a member").stderr_has("usermod -aG");
        let gid = some_group().1;
        let ran = as_user(&world, ANN, &[gid], &format!("awsideman cache init --shared --group {name}"));
        ran.code(1).stderr_has("cannot create").stderr_has("Permission denied");
    }
    assert!(!cache.exists());
    // Nobody else gets through a home.
    set_mode(&world.home(), 0o700);
    world.set("AWSIDEMAN_CACHE_DIR", &world.home().join("cache").display().to_string());
    world.run(["cache", "init", "--shared", "--group", &name]).code(2).stderr_has("lets no other user through");
    // What others could write, and what only looks like ours, is not taken over.
    std::fs::create_dir_all(&cache).unwrap();
    world.set("AWSIDEMAN_CACHE_DIR", &cache.display().to_string());
    set_mode(&cache, 0o777);
    world.run(["cache", "init", "--shared", "--group", &name]).code(1).stderr_has("may be written by others");
    set_mode(&cache, 0o700);
    let victim = world.write("victim", "precious");
    set_mode(&victim, 0o600);
    symlink(&victim, cache.join("CURRENT")).unwrap();
    world.run(["cache", "init", "--shared", "--group", &name]).code(1).stderr_has("a symbolic link");
    assert_eq!((mode(&victim), mode(&cache)), (0o600, 0o700));
}

#[test]
fn a_private_cache_becomes_a_group_s_and_private_again() {
    let (mut world, cache, state) = shared_world();
    let (name, gid) = some_group();
    world.run(["user", "list"]).ok();
    assert!(all_below(&cache).iter().chain(&all_below(&state)).all(|path| [0o600, 0o700].contains(&mode(path))));
    world.run(["cache", "init", "--shared", "--group", &name]).ok().stdout_has("Changed");
    world.set("AWSIDEMAN_CACHE_SHARING", &format!("group:{name}"));
    let walks = world.list_calls();
    as_user(&world, ANN, &[gid], "awsideman user list").ok().silent();
    assert_eq!(world.list_calls(), walks, "what was there is there for the group");
    world.set("AWSIDEMAN_CACHE_SHARING", "");
    world.run(["user", "list"]).ok().says("may be written by others");
    world.run(["cache", "init"]).ok().stdout_has("Changed");
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
    assert_eq!((mode(&cache), mode(&state)), (0o700, 0o700));
}

#[test]
fn a_readable_directory_is_tightened_and_a_foreign_one_is_not_used() {
    let world = World::small();
    world.run(["user", "list"]).ok().silent();
    set_mode(&world.cache_dir(), 0o755);
    let ran = world.run(["user", "list"]).ok().stderr_has("0755");
    assert_eq!((ran.stderr.trim_end().lines().count(), mode(&world.cache_dir())), (1, 0o700), "{}", ran.stderr);
    world.run(["user", "list"]).ok().silent();
    if rustix::process::geteuid().is_root() {
        let path = world.cache_dir();
        std::os::unix::fs::chown(&path, Some(ANN), Some(ANN)).unwrap();
        let calls = world.calls_of(|| world.run(["user", "list"]).ok().stderr_has("belongs to user 12001"));
        assert!(calls > 0, "AWS answers");
        world.run(["cache", "clear"]).code(1).stderr_has("belongs to user 12001");
    }
}

#[test]
fn no_symlink_is_followed_in_our_directories() {
    let names = ["CURRENT", "creation.lock", "gen", "-wal", "-shm", "switch", "tally", "state.db", "pace.db", "locks"];
    for name in names {
        let world = World::small();
        world.run(["user", "list"]).ok();
        world.run(["cache", "cleanup"]).ok();
        world.run(["cache", "disable", "--for", "1h"]).ok();
        world.run(["cache", "enable"]).ok();
        let live = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
        let live = world.cache_dir().join(live.trim()).display().to_string();
        let path = match name {
            "CURRENT" | "creation.lock" => world.cache_dir().join(name),
            "gen" => live.into(),
            "-wal" | "-shm" => format!("{live}{name}").into(),
            _ => world.state_dir().join(name),
        };
        let victim = world.write("victim", "precious");
        set_mode(&victim, 0o644);
        if path.is_dir() {
            std::fs::remove_dir_all(&path).unwrap();
        } else {
            let _ = std::fs::remove_file(&path);
        }
        symlink(&victim, &path).unwrap();
        for line in [
            "user list --json",
            "group list",
            "cache disable --for 1m",
            "cache enable",
            "cache cleanup",
            "jobs run --all",
        ] {
            let ran = world.run(line.split(' '));
            assert!(!line.starts_with("user") || ran.exit == 0, "{name}: {line}: {}", ran.stderr);
            assert!(!ran.stderr.contains("panicked"), "{name}: {line}: {}", ran.stderr);
        }
        assert_eq!(std::fs::read_to_string(&victim).unwrap(), "precious", "{name}");
        assert_eq!(mode(&victim), 0o644, "{name}");
    }
}

#[test]
fn a_directory_with_wrong_owner_or_mode_names_the_fixing_command() {
    let mut world = World::small();
    let dir = world.beside("cache");
    std::fs::create_dir(&dir).unwrap();
    world.set("AWSIDEMAN_CACHE_DIR", &dir.display().to_string());
    let says = |command: &str| {
        for words in ["cache health", "doctor", "cache warm users"] {
            let ran = world.run(words.split(' '));
            assert!(ran.exit != 0, "{ran:?}");
            ran.says(command).says(&dir.display().to_string());
        }
        // An answer does not depend on the cache.
        world.run(["user", "list"]).ok();
    };
    set_mode(&dir, 0o777);
    says("chmod go-w");
    if rustix::process::geteuid().is_root() {
        set_mode(&dir, 0o700);
        std::os::unix::fs::chown(&dir, Some(ANN), None).unwrap();
        says("sudo -u '#12001' awsideman");
    }
}
