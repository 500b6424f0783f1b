//! A file that awsideman reads, replaced by something else: every command ends soon and with a sentence that names it.
//!
//! `AWSIDEMAN_SOAK=1` runs every command against every file. Root runs the commands as the user `nobody`, because no mode
//! stops root.

use crate::world::{Ran, World};
use sha1::{Digest, Sha1};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// The user `nobody`.
const NOBODY: u32 = 65_534;
/// Seconds after which a command hangs: the promise is 5, on a host that does nothing else.
const LIMIT: &str = "20";
/// KiB of address space, far less than the large file has.
const MEMORY: &str = "3000000";
/// The size of the large file.
const LARGE: u64 = 8 << 30;

const CONFIG: &str = "\
[jobs]\ndir = \"~/.config/awsideman/jobs\"\n\
[alerts.email]\nto = [\"ops@example.com\"]\nfrom = \"awsideman@example.com\"\n\
host = \"127.0.0.1\"\nport = 1\nusername = \"u\"\npassword_file = \"~/secrets/password\"\nca_file = \"~/secrets/ca.pem\"\n\
[alerts.webhook]\nurl_file = \"~/secrets/url\"\n";
const JOB: &str = "name = \"tidy\"\nkind = \"cleanup\"\nevery = \"5m\"\n";
const AWS_CONFIG: &str = "\
[default]\nregion = us-east-1\n\
[profile sso]\nregion = us-east-1\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = r\n\
[sso-session corp]\nsso_start_url = https://corp.example.com/start\nsso_region = us-east-1\n\
[profile web]\nregion = us-east-1\nrole_arn = arn:aws:iam::111122223333:role/r\n";

/// What takes the place of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Fifo,
    LinkTo(&'static str),
    Directory,
    Large,
    NoMode,
    OfAnother,
}

const KINDS: [Kind; 9] = [
    Kind::Fifo,
    Kind::LinkTo("/dev/zero"),
    Kind::LinkTo("/dev/null"),
    Kind::LinkTo("/dev/tty"),
    Kind::LinkTo("/nowhere/at/all"),
    Kind::Directory,
    Kind::Large,
    Kind::NoMode,
    Kind::OfAnother,
];

/// A file below the home, and the commands that read it.
struct Case {
    path: String,
    commands: &'static [&'static str],
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// A home in which every file exists, and its copy.
struct Home {
    world: World,
    copy: PathBuf,
}

impl Home {
    fn new() -> Home {
        let mut world = World::small();
        let aws_config =
            format!("{AWS_CONFIG}web_identity_token_file = {}/secrets/web-token\n", world.home().display());
        let token = Sha1::digest(b"corp").iter().fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
        for (path, text) in [
            (".config/awsideman/config.toml", CONFIG),
            (".config/awsideman/jobs/10-tidy.toml", JOB),
            (".aws/config", &aws_config),
            (".aws/credentials", "[default]\naws_access_key_id = A\naws_secret_access_key = S\n"),
            (&format!(".aws/sso/cache/{token}.json"), "{}"),
            ("secrets/password", "secret\n"),
            ("secrets/url", "https://127.0.0.1:1/hook\n"),
            ("secrets/ca.pem", ""),
            ("secrets/web-token", "token"),
            ("secrets/policy.json", "{}"),
            ("log", ""),
        ] {
            let path = world.write(path, text);
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
        }
        world.set("AWS_ACCESS_KEY_ID", "").set("AWS_SECRET_ACCESS_KEY", "");
        world.set("AWSIDEMAN_LOG_FILE", &world.home().join("log").display().to_string());
        for folder in [world.beside(""), world.beside("bin")] {
            std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
        }
        let copy = world.beside("copy");
        let home = Home { world, copy };
        home.give();
        home
    }

    /// Makes cache and state, and keeps a copy of everything.
    fn fill(&self) {
        for words in ["user list", "jobs run --all", "cache disable --for 1h", "cache enable", "user list"] {
            self.run(words).ok();
        }
        copy(&self.world.home(), &self.copy);
    }

    /// Gives everything to the user that runs the commands.
    fn give(&self) {
        if is_root() {
            let owner = format!("{NOBODY}:{NOBODY}");
            let given = Command::new("chown").args(["-hR", &owner]).arg(self.world.home()).status().unwrap();
            assert!(given.success());
        }
    }

    fn restore(&self) {
        std::fs::remove_dir_all(self.world.home()).unwrap();
        copy(&self.copy, &self.world.home());
    }

    /// One command; the exit code is 124 or 137 if it does not end.
    fn run(&self, words: &str) -> Ran {
        let mut command = Command::new("bash");
        let user = format!("setpriv --reuid {NOBODY} --regid {NOBODY} --clear-groups");
        let user = if is_root() { user.as_str() } else { "" };
        command.args(["-c", &format!("ulimit -v {MEMORY}; {user} timeout -k 1 {LIMIT} awsideman {words}")]);
        self.world.apply(&mut command);
        if let Some(channel) = words.strip_prefix("alerts test --channel ") {
            let section = if channel == "mail" { "EMAIL" } else { "WEBHOOK" };
            command.env(format!("AWSIDEMAN_ALERTS_{section}_ENABLED"), "true");
        }
        Ran::of(words.to_owned(), &command.output().unwrap())
    }

    /// The files in the directories of awsideman that commands read.
    fn own_files(&self) -> Vec<String> {
        let relative = |path: PathBuf| path.strip_prefix(self.world.home()).unwrap().display().to_string();
        let live = std::fs::read_to_string(self.world.cache_dir().join("CURRENT")).unwrap();
        let live = self.world.cache_dir().join(live.trim()).display().to_string();
        let cache = ["CURRENT", "creation.lock"].map(|name| self.world.cache_dir().join(name));
        let live = ["", "-wal", "-shm", ".lock"].map(|ending| PathBuf::from(format!("{live}{ending}")));
        let names = [
            "switch",
            "switch.lock",
            "tally",
            "tally.lock",
            "state.db",
            "state.db-wal",
            "state.db-shm",
            "state.db.lock",
            "pace.db",
            "locks",
            "locks/tidy",
        ];
        let state = names.map(|name| self.world.state_dir().join(name));
        cache.into_iter().chain(live).chain(state).map(relative).collect()
    }
}

fn copy(from: &Path, to: &Path) {
    assert!(Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap().success());
}

/// Puts something else in the place of a file; `false` where that cannot be done here.
fn replace(path: &Path, kind: Kind) -> bool {
    let is_there = path.symlink_metadata().is_ok();
    match kind {
        Kind::NoMode if is_there => {
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o000)).unwrap();
            return true;
        }
        Kind::OfAnother if is_there && is_root() => {
            chown(path, Some(0), Some(0)).unwrap();
            let mode = if path.is_dir() { 0o700 } else { 0o600 };
            std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
            return true;
        }
        Kind::NoMode | Kind::OfAnother => return false,
        _ => {}
    }
    if path.is_dir() {
        std::fs::remove_dir_all(path).unwrap();
    } else if is_there {
        std::fs::remove_file(path).unwrap();
    }
    match kind {
        Kind::Fifo => {
            let made = Command::new("mkfifo").arg("-m").arg("600").arg(path).status().unwrap();
            assert!(made.success());
        }
        Kind::LinkTo(target) => symlink(target, path).unwrap(),
        Kind::Directory => std::fs::create_dir(path).unwrap(),
        _ => std::fs::File::create(path).unwrap().set_len(LARGE).unwrap(),
    }
    if is_root() {
        std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
    true
}

/// Every command that reads many files.
const ALL: &[&str] = &[
    "user list",
    "user list --no-cache",
    "group list",
    "account list",
    "info",
    "cache status",
    "cache health",
    "cache check",
    "cache path",
    "cache warm users",
    "cache cleanup",
    "cache enforce-limits",
    "cache disable --for 1m",
    "cache enable",
    "cache clear --all",
    "cache recover",
    "cache export -",
    "cache breaker reset",
    "jobs list",
    "jobs run --all",
    "jobs history",
    "jobs pause",
    "jobs resume",
    "jobs validate",
    "journal list",
    "alerts list",
    "alerts test --channel mail",
    "alerts test --channel webhook",
    "config show",
    "config validate",
    "doctor",
];

fn cases(home: &Home, is_full: bool) -> Vec<Case> {
    let case = |path: &str, commands: &'static [&'static str]| Case { path: path.to_owned(), commands };
    let token = std::fs::read_dir(home.world.home().join(".aws/sso/cache")).unwrap().next().unwrap().unwrap();
    let token = format!(".aws/sso/cache/{}", token.file_name().display());
    let mut cases = vec![
        case(&token, &["-p sso user list --no-cache"]),
        case("secrets/web-token", &["-p web user list --no-cache"]),
        case("secrets/policy.json", &["permission-set put-inline x --file ~/secrets/policy.json --yes"]),
        case(".config/awsideman/config.toml", if is_full { ALL } else { &["user list", "cache status"] }),
        case(".config/awsideman/jobs/10-tidy.toml", if is_full { ALL } else { &["jobs list", "jobs run --all"] }),
        case(".aws/config", if is_full { ALL } else { &["user list --no-cache", "info"] }),
        case(".aws/credentials", if is_full { ALL } else { &["user list --no-cache", "info"] }),
        case("secrets/password", if is_full { ALL } else { &["alerts test --channel mail"] }),
        case("secrets/ca.pem", if is_full { ALL } else { &["alerts test --channel mail"] }),
        case("secrets/url", if is_full { ALL } else { &["alerts test --channel webhook"] }),
        case("log", if is_full { ALL } else { &["user list --no-cache"] }),
    ];
    let own: &[&str] = &["user list", "jobs run --all"];
    cases.extend(home.own_files().iter().map(|path| case(path, if is_full { ALL } else { own })));
    cases
}

#[test]
fn a_file_that_is_replaced_by_something_else_stops_no_command() {
    let home = Home::new();
    if home.run("version").exit != 0 {
        eprintln!("SKIPPED: no other user may run this binary here");
        return;
    }
    home.fill();
    let is_full = std::env::var_os("AWSIDEMAN_SOAK").is_some();
    let (mut wrong, mut runs) = (Vec::new(), 0);
    for Case { path, commands } in cases(&home, is_full) {
        let name = Path::new(&path).file_name().unwrap().to_str().unwrap();
        for kind in KINDS {
            // Links to other places take the same way in awsideman's own directories.
            let is_alike = path.contains("/awsideman/") && matches!(kind, Kind::LinkTo(to) if to != "/dev/zero");
            if is_alike && !is_full || !replace(&home.world.home().join(&path), kind) {
                continue;
            }
            for words in commands {
                let ran = home.run(words);
                runs += 1;
                let said = format!("{}{}", ran.stdout, ran.stderr);
                // A link to nothing is a file that is not there.
                let is_absent = kind == Kind::LinkTo("/nowhere/at/all") || kind == Kind::LinkTo("/dev/null");
                let is_named = ran.exit == 0 || said.contains(name) || (is_absent && said.contains("error: "));
                let ended = (0..=20).contains(&ran.exit) && !said.contains("panicked");
                if !is_named || !ended {
                    wrong.push(format!("{path} as {kind:?}: {words}: exit {}: {said}", ran.exit));
                }
            }
            home.restore();
        }
    }
    if is_full {
        eprintln!("foreign files: {runs} runs, {} wrong", wrong.len());
    }
    assert!(wrong.is_empty(), "{} of {runs}:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_file_that_is_too_large_is_refused_by_its_size() {
    let world = World::small();
    let large = world.beside("large.toml");
    std::fs::File::create(&large).unwrap().set_len(50 << 20).unwrap();
    let config = format!("--config {} user list", large.display());
    world.run(config.split(' ')).code(2).stderr_has("large.toml").stderr_has("52428800 bytes");
    let mut world = World::small();
    world.set("AWS_CONFIG_FILE", &large.display().to_string());
    world.set("AWS_ACCESS_KEY_ID", "").set("AWS_SECRET_ACCESS_KEY", "");
    world.run(["user", "list"]).code(2).stderr_has("large.toml cannot be read").stderr_has("52428800 bytes");
    world.set("AWS_CONFIG_FILE", "/dev/null").set("AWS_ACCESS_KEY_ID", "A").set("AWS_SECRET_ACCESS_KEY", "S");
    world.run(["user", "list"]).ok().silent();
}

#[test]
fn a_pipe_is_read_where_it_was_typed_and_nowhere_else() {
    let world = World::small();
    world.shell("awsideman --config <(printf '[output]\\nformat = \"json\"\\n') user list").ok().stdout_has("UserName");
    world.shell("AWSIDEMAN_CONFIG=<(true) awsideman user list").code(2).stderr_has("not a regular file");
    let fifo = world.beside("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let mut command = world.command(["--config", fifo.to_str().unwrap(), "user", "list"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    // Opening returns once the command reads. The writer stays open and silent.
    let writer = std::fs::OpenOptions::new().write(true).open(&fifo).unwrap();
    let id = rustix::process::Pid::from_child(&child);
    rustix::process::kill_process(id, rustix::process::Signal::TERM).unwrap();
    let ended = child.wait().unwrap();
    assert!(ended.signal() == Some(15) || ended.code().is_some_and(|code| code != 0), "{ended}");
    drop(writer);
}
