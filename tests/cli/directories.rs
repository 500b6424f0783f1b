//! The program as a person meets it when something about its directories is wrong, run as a process of its own.
//!
//! Every run has an empty environment, a home of its own and the sandbox for AWS. Running as root, a test takes another
//! user's place where rights matter; otherwise it is that user already.

use serde_json::Value;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// The user that rights apply to.
const NOBODY: u32 = 65_534;

struct Home {
    folder: tempfile::TempDir,
    /// A copy that another user may run.
    program: PathBuf,
    variables: Vec<(&'static str, String)>,
}

struct Ran {
    code: i32,
    out: String,
    err: String,
}

impl Home {
    fn new() -> Home {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().join("home");
        std::fs::create_dir(&home).unwrap();
        let program = folder.path().join("awsideman");
        if std::fs::hard_link(env!("CARGO_BIN_EXE_awsideman"), &program).is_err() {
            std::fs::copy(env!("CARGO_BIN_EXE_awsideman"), &program).unwrap();
        }
        if is_root() {
            set_mode(folder.path(), 0o755);
            std::os::unix::fs::chown(&home, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        Home { folder, program, variables: Vec::new() }
    }

    fn with(mut self, name: &'static str, value: &str) -> Home {
        self.variables.push((name, value.to_owned()));
        self
    }

    fn run(&self, arguments: &[&str]) -> Ran {
        let mut command = Command::new(&self.program);
        command.arg("--sandbox").args(arguments).env_clear().env("HOME", self.folder.path().join("home"));
        command.envs(self.variables.iter().map(|(name, value)| (name, value)));
        if is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        let Output { status, stdout, stderr } = command.output().unwrap();
        Ran {
            code: status.code().unwrap(),
            out: String::from_utf8(stdout).unwrap(),
            err: String::from_utf8(stderr).unwrap(),
        }
    }

    fn status(&self) -> Value {
        let ran = self.run(&["cache", "status", "--detailed", "--recent-entries", "3", "--memory-details", "--json"]);
        assert_eq!((ran.code, ran.err.as_str()), (0, ""), "{}", ran.out);
        serde_json::from_str(&ran.out).unwrap()
    }

    fn has_cache(&self) -> bool {
        let sandboxes = self.folder.path().join("home/.local/state/awsideman/sandbox");
        sandboxes.exists() && self.root().join("cache").exists()
    }

    /// The root of the sandbox: `cache` and `state` are in it.
    fn root(&self) -> PathBuf {
        let sandboxes = self.folder.path().join("home/.local/state/awsideman/sandbox");
        std::fs::read_dir(sandboxes).unwrap().next().unwrap().unwrap().path()
    }

    fn a_user_is_answered(&self) -> Ran {
        let ran = self.run(&["user", "get", "marta.costa", "--output", "json"]);
        assert_eq!(ran.code, 0, "{}", ran.err);
        assert_eq!(serde_json::from_str::<Value>(&ran.out).unwrap()["UserName"], "marta.costa");
        ran
    }
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

fn texts(value: &Value) -> String {
    value.as_array().unwrap().iter().map(|text| text.as_str().unwrap()).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_cached_answer_opens_neither_the_pace_nor_the_state_database() {
    let home = Home::new();
    let first = home.a_user_is_answered();
    let state = home.root().join("state");
    for name in names(&state) {
        let path = state.join(name);
        if path.is_dir() { std::fs::remove_dir_all(path) } else { std::fs::remove_file(path) }.unwrap();
    }
    let second = home.a_user_is_answered();
    assert_eq!((second.out, second.err), (first.out, String::new()));
    assert_eq!(names(&state), ["tally"]);
    assert_eq!(home.status()["hit_count"], 2, "the name and the user");
}

#[test]
fn a_command_that_filled_much_leaves_no_write_ahead_log() {
    let home = Home::new();
    assert_eq!(home.run(&["user", "list", "--output", "json"]).code, 0);
    let cache = home.root().join("cache");
    let log = names(&cache).into_iter().find(|name| name.ends_with("-wal"));
    let length = log.map_or(0, |log| std::fs::metadata(cache.join(log)).unwrap().len());
    assert!(length <= 256 * 1024, "{length} bytes");
    assert_eq!(home.run(&["user", "list", "--cache-only", "--output", "json"]).code, 0);
}

#[test]
fn the_status_of_an_empty_home_creates_nothing_and_has_no_nulls() {
    let home = Home::new();
    let status = home.status();
    assert_eq!(names(&home.folder.path().join("home")), Vec::<String>::new());
    for (name, value) in status.as_object().unwrap() {
        assert!(
            !value.is_null() || ["disabled_until", "disabled_reason", "disabled_by", "error"].contains(&name.as_str()),
            "{name} is null"
        );
    }
    assert_eq!(status["hit_rate_percentage"], 100.0);
    assert_eq!(status["circuit_breaker"]["failure_count"], 0);
    assert_eq!(status["recent_entries"], serde_json::json!([]));
}

#[test]
fn a_cache_disabled_by_a_variable_is_untouched_and_the_variable_named() {
    let home = Home::new().with("AWSIDEMAN_CACHE_DISABLED", "true");
    home.a_user_is_answered();
    assert!(!home.has_cache());
    let status = home.status();
    assert_eq!(status["enabled"], false);
    assert_eq!(status["disabled_until"], Value::Null);
    assert!(status["disabled_reason"].as_str().unwrap().contains("AWSIDEMAN_CACHE_DISABLED"));
    let only = home.run(&["user", "get", "marta.costa", "--cache-only"]);
    assert_eq!(only.code, 10);
    assert!(only.err.contains("set by AWSIDEMAN_CACHE_DISABLED"), "{}", only.err);
}

#[test]
fn the_memory_backend_answers_and_leaves_the_disk_alone() {
    let home = Home::new().with("AWSIDEMAN_CACHE_BACKEND", "memory");
    home.a_user_is_answered();
    assert!(!home.has_cache());
    assert_eq!(home.status()["backend"], "memory");
    assert_eq!(home.run(&["cache", "clear"]).code, 0);
}

#[test]
fn a_damaged_database_is_said_everywhere_and_recover_is_named() {
    let home = Home::new();
    home.a_user_is_answered();
    let cache = home.root().join("cache");
    let live = cache.join(std::fs::read_to_string(cache.join("CURRENT")).unwrap().trim());
    std::fs::write(&live, "no database at all ".repeat(1000)).unwrap();
    for name in names(&cache).iter().filter(|name| name.ends_with("-wal") || name.ends_with("-shm")) {
        std::fs::remove_file(cache.join(name)).unwrap();
    }
    let told = home.a_user_is_answered().err;
    assert!(told.contains("this is from AWS") && told.contains("next: `awsideman --sandbox cache recover`"), "{told}");
    let cold = home.run(&["user", "list", "--cache-only"]);
    assert!(cold.code == 10 && cold.err.contains("awsideman --sandbox cache recover"), "{} {}", cold.code, cold.err);
    let job = home.run(&["jobs", "run", "cleanup"]);
    assert!(job.code == 12 && job.out.contains("cache recover"), "{} {}", job.code, job.out);
    assert!(texts(&home.status()["issues"]).contains("not a database"));
    assert_eq!(home.run(&["cache", "health"]).code, 6);
    let limits = home.run(&["cache", "status", "--enforce-limits"]);
    assert!(limits.code == 12 && limits.out.contains("Backend:"), "{} {}", limits.code, limits.out);
    let clear = home.run(&["cache", "clear"]);
    assert_eq!(clear.code, 12);
    assert!(clear.err.contains("awsideman --sandbox cache recover"), "{}", clear.err);
    assert_eq!(home.run(&["cache", "recover"]).code, 0);
    assert!(live.exists(), "the evidence stays");
    assert_eq!(home.a_user_is_answered().err, "");
    let health = home.run(&["cache", "health"]);
    assert!(health.code == 6 && health.out.contains("job:cleanup"), "the last run failed: {}", health.out);
    assert_eq!(home.run(&["jobs", "run", "cleanup"]).code, 0);
    assert_eq!(home.run(&["cache", "health"]).code, 0);
}

#[test]
fn a_damaged_switch_disables_the_cache_without_inventing_times() {
    let home = Home::new();
    home.a_user_is_answered();
    std::fs::write(home.root().join("state/switch"), "{").unwrap();
    assert!(home.a_user_is_answered().err.contains("`awsideman --sandbox cache enable`"));
    let status = home.status();
    assert_eq!((&status["enabled"], &status["disabled_until"]), (&Value::Bool(false), &Value::Null));
    assert!(texts(&status["issues"]).contains("is damaged"), "{status}");
    assert!(!status.to_string().contains("9999"), "{status}");
    assert_eq!(home.run(&["cache", "enable"]).code, 0);
    assert_eq!(home.status()["enabled"], true);
}

#[test]
fn directories_without_rights_cost_the_cache_and_never_the_answer() {
    let home = Home::new();
    home.a_user_is_answered();
    let (cache, state) = (home.root().join("cache"), home.root().join("state"));
    set_mode(&cache, 0o000);
    assert!(home.a_user_is_answered().err.contains("Permission denied"));
    assert!(texts(&home.status()["issues"]).contains("Permission denied"));
    assert_eq!(home.run(&["cache", "clear"]).code, 1);
    set_mode(&cache, 0o500);
    home.a_user_is_answered();
    home.status();
    set_mode(&cache, 0o777);
    assert!(home.a_user_is_answered().err.contains("may be written by others"));
    assert!(texts(&home.status()["issues"]).contains("Directories cannot be used"));
    set_mode(&cache, 0o755);
    assert!(home.a_user_is_answered().err.contains("(mode 0755)"), "the tightening is said");
    for mode in [0o500, 0o000] {
        set_mode(&state, mode);
        home.a_user_is_answered();
        home.status();
    }
    set_mode(&state, 0o700);
}

#[test]
fn a_group_that_does_not_exist_stops_no_emergency_command() {
    let home = Home::new().with("AWSIDEMAN_CACHE_SHARING", "group:no-such-group");
    // The sandbox has directories of its own, and shares them with nobody.
    let mut command = Command::new(&home.program);
    command.args(["cache", "status", "--json"]).env_clear().env("HOME", home.folder.path().join("home"));
    let ran = command.envs(home.variables.clone()).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    let status: Value = serde_json::from_slice(&ran.stdout).unwrap();
    assert!(texts(&status["notices"]).contains("no-such-group"));
    home.a_user_is_answered();
}
