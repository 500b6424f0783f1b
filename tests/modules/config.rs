//! The configuration as operators meet it: every file that is shipped loads, every mistake is told, the layers win in
//! their order.

use awsideman::config::{
    Backend, DEFAULT, Loaded, SHIPPED_JOBS, STARTER, Sharing, Sources, load, load_jobs, load_leniently,
    schedule_warnings, show, variable_name,
};
use awsideman::model::Resource;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// A world of its own: home, host file and environment in a directory that goes away.
struct World {
    root: tempfile::TempDir,
    sources: Sources,
}

impl World {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let home = root.path().join("home");
        std::fs::create_dir_all(home.join(".config/awsideman")).unwrap();
        let sources = Sources {
            environment: [("HOME".to_owned(), home.display().to_string())].into(),
            explicit: None,
            overrides: Vec::new(),
            system_file: root.path().join("etc.toml"),
            working_directory: root.path().to_owned(),
        };
        Self { root, sources }
    }

    fn variable(mut self, name: &str, value: &str) -> Self {
        self.sources.environment.insert(name.into(), value.into());
        self
    }

    fn flag(mut self, key: &str, value: &str) -> Self {
        self.sources.overrides.push((key.into(), value.into()));
        self
    }

    fn system(self, text: &str) -> Self {
        std::fs::write(&self.sources.system_file, text).unwrap();
        self
    }

    fn user(self, text: &str) -> Self {
        std::fs::write(self.sources.user_file().unwrap(), text).unwrap();
        self
    }

    fn explicit(mut self, text: &str) -> Self {
        let path = self.root.path().join("explicit.toml");
        std::fs::write(&path, text).unwrap();
        self.sources.explicit = Some(path);
        self
    }

    fn file(mut self, path: &Path) -> Self {
        self.sources.explicit = Some(path.to_owned());
        self
    }

    fn path(&self, rest: &str) -> PathBuf {
        self.root.path().join(rest)
    }

    fn load(&self) -> Loaded {
        load(&self.sources).unwrap_or_else(|error| panic!("{error}"))
    }

    fn error(&self) -> String {
        load(&self.sources).expect_err("there is a mistake").to_string()
    }
}

fn toml_files(folder: &str) -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let paths = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
    let mut files: Vec<_> = paths.filter(|path| path.extension().is_some_and(|e| e == "toml")).collect();
    files.sort();
    assert!(!files.is_empty(), "{}", folder.display());
    files
}

/// Compares with the file `expected`, or writes it when UPDATE is set.
fn expect(expected: &Path, told: &str) {
    let told = format!("{told}\n");
    if std::env::var_os("UPDATE").is_some() {
        return std::fs::write(expected, told).unwrap();
    }
    let wanted = std::fs::read_to_string(expected).unwrap_or_else(|e| panic!("{}: {e}", expected.display()));
    assert_eq!(told, wanted, "{} (UPDATE=1 writes it anew)", expected.display());
}

#[test]
fn every_shipped_configuration_loads_strictly() {
    for path in toml_files("config") {
        let loaded = World::new().file(&path).load();
        assert!(loaded.warnings.is_empty(), "{}: {:?}", path.display(), loaded.warnings);
    }
}

#[test]
fn every_shipped_job_loads_is_compiled_in_and_keeps_inside_its_ttls() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("jobs");
    let mut jobs = load_jobs(Some(&folder)).unwrap();
    let shipped = load_jobs(None).unwrap();
    let names: Vec<_> = jobs.iter().map(|job| job.name.as_str()).collect();
    assert_eq!(names, ["recover", "warm", "warm-access", "cleanup", "enforce-limits", "health", "verify", "digest"]);
    assert_eq!(names, shipped.iter().map(|job| job.name.as_str()).collect::<Vec<_>>());
    assert_eq!(toml_files("jobs").len(), SHIPPED_JOBS.len());
    assert!(shipped[0].origin.starts_with("(compiled in) 05-recover.toml"));
    assert_eq!(
        jobs.iter().filter(|job| !job.enabled).map(|job| job.name.as_str()).collect::<Vec<_>>(),
        ["recover", "warm-access", "verify", "digest"]
    );
    for job in &mut jobs {
        job.enabled = true;
    }
    assert_eq!(schedule_warnings(&jobs, &World::new().load().config.cache.ttl), [""; 0]);
}

#[test]
fn every_bad_configuration_gets_its_message() {
    for path in toml_files("tests/support/config/bad") {
        let folder = format!("{}/", path.parent().unwrap().display());
        let told = World::new().file(&path).error().replace(&folder, "");
        assert!(!told.contains("hunter2"), "{told}");
        expect(&path.with_extension("expected"), &told);
    }
}

#[test]
fn every_bad_folder_of_jobs_gets_its_message() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/support/config/bad-jobs");
    for folder in std::fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()) {
        let error = load_jobs(Some(&folder)).expect_err(&folder.display().to_string());
        expect(&folder.join("expected"), &error.to_string().replace(&format!("{}/", folder.display()), ""));
    }
}

#[test]
fn a_job_file_that_cannot_be_read_is_told_with_the_others() {
    let root = tempfile::tempdir().unwrap();
    std::fs::create_dir(root.path().join("10-folder.toml")).unwrap();
    std::fs::write(root.path().join("20-latin.toml"), b"name = \"\xe9\"").unwrap();
    std::fs::write(root.path().join("30.toml"), "name = \"a\"\nkind = \"cleanup\"\nevery = 0\n").unwrap();
    std::fs::write(root.path().join("notes.txt"), "no job").unwrap();
    let error = load_jobs(Some(root.path())).unwrap_err();
    assert_eq!(error.problems.len(), 3, "{error}");
    let missing = load_jobs(Some(&root.path().join("none"))).unwrap_err().to_string();
    assert!(missing.contains("jobs.dir: cannot be read"), "{missing}");
}

/// `# key = value` lines of the manual without their comment sign, everything else as it is.
fn manual_with_everything_set() -> String {
    let is_key = |line: &str| {
        let name = line.strip_prefix("# ").and_then(|rest| rest.split_once(" = ")).map(|(name, _)| name);
        name.is_some_and(|name| name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_'))
    };
    let uncommented = DEFAULT.lines().map(|line| if is_key(line) { &line[2..] } else { line });
    uncommented.collect::<Vec<_>>().join("\n")
}

#[test]
fn the_manual_has_every_key_and_no_other() {
    // Its own keys are all known, commented ones included: an unknown one would be an error here.
    let loaded = World::new().explicit(&manual_with_everything_set()).load();
    let from_manual: BTreeSet<_> =
        loaded.origins.iter().filter(|(_, origin)| origin.ends_with("explicit.toml")).map(|(key, _)| key).collect();
    // Every key of the code has a variable; one that the manual lacks would be set by nobody above.
    let example = |key: &str| (variable_name(key), key.to_owned());
    let known: BTreeMap<_, _> = awsideman::config::keys().map(example).collect();
    for (variable, key) in &known {
        // A secret stands in no file, not even as an example.
        let by_variable = format!("# {} is set by the variable only\n", key.rsplit('.').next().unwrap());
        let is_secret = DEFAULT.contains(&by_variable) && DEFAULT.contains(variable.as_str());
        assert!(from_manual.contains(key) || is_secret, "config/default.toml says nothing of {key} ({variable})");
    }
    let extra: Vec<_> = from_manual.into_iter().filter(|key| !known.values().any(|k| &k == key)).collect();
    assert!(extra.iter().all(|key| key.starts_with("cache.ttl.")), "{extra:?}");
}

#[test]
fn the_defaults_are_those_of_the_manual() {
    let config = World::new().load().config;
    let minutes = |n: u64| Duration::from_secs(n * 60);
    let ttl = |resource, operation| config.cache.ttl.duration(resource, operation);
    for (resource, operation, expected) in [
        (Resource::User, "list", minutes(10)),
        (Resource::User, "describe", minutes(30)),
        (Resource::User, "groups", minutes(15)),
        (Resource::Group, "describe", minutes(60)),
        (Resource::Group, "members", minutes(5)),
        (Resource::PermissionSet, "list", minutes(120)),
        (Resource::Account, "list", minutes(120)),
        (Resource::Instance, "list", minutes(24 * 60)),
    ] {
        assert_eq!(ttl(resource, operation), expected, "{resource}:{operation}");
    }
    assert!(config.cache.max_size_mb.to_string() == "512" && config.cache.low_water_percent.to_string() == "80");
    assert_eq!((config.cache.default_ttl, config.cache.stale_if_error), (minutes(15), minutes(60)));
    assert_eq!((config.cache.not_found_ttl.as_secs(), config.cache.settle.as_secs()), (30, 10));
    assert_eq!((config.cache.breaker.failure_threshold, config.cache.breaker.recovery_timeout), (5, minutes(1)));
    assert_eq!((config.health.min_samples, config.health.window), (50, minutes(24 * 60)));
    // The first critical run mails, and flapping is one alert.
    assert_eq!((config.alerts.hold, config.alerts.recovery_delay), (Duration::ZERO, minutes(10)));
    assert_eq!((config.health.size_mb_warn, config.profile.clone()), (None, None));
    assert_eq!((config.cache.backend, &config.cache.sharing), (Backend::Disk, &Sharing::Private));
}

#[test]
fn the_starter_file_changes_nothing_until_it_is_edited_and_then_loads() {
    let plain = World::new();
    let started = World::new().user(STARTER);
    assert_eq!(started.load().config.cache.ttl, plain.load().config.cache.ttl);
    assert!(started.load().origins.values().all(|origin| origin == "default"));
    let uncommented = |line: &str| match line.strip_prefix("# ") {
        Some(rest) if rest.contains(" = ") => rest.to_owned(),
        _ => line.to_owned(),
    };
    let edited: Vec<_> = STARTER.lines().map(uncommented).collect();
    assert!(World::new().user(&edited.join("\n")).load().config.alerts.email.enabled);
}

#[test]
fn later_layers_win_and_each_value_knows_its_origin() {
    let region = |name: &str| format!("region = \"{name}\"\n");
    let mut world = World::new();
    let origin = |world: &World| {
        let loaded = world.load();
        (loaded.config.region.unwrap_or_default(), loaded.origins.get("region").cloned().unwrap_or_default())
    };
    assert_eq!(origin(&world), (String::new(), String::new()));
    world = world.system(&region("system"));
    assert_eq!(origin(&world), ("system".into(), world.path("etc.toml").display().to_string()));
    world = world.user(&region("user"));
    assert_eq!(origin(&world), ("user".into(), world.sources.user_file().unwrap().display().to_string()));
    world = world.explicit(&region("explicit"));
    assert_eq!(origin(&world), ("explicit".into(), world.path("explicit.toml").display().to_string()));
    world = world.variable("AWSIDEMAN_REGION", "variable");
    assert_eq!(origin(&world), ("variable".into(), "AWSIDEMAN_REGION".into()));
    world = world.flag("region", "flag");
    assert_eq!(origin(&world), ("flag".into(), "flag".into()));
}

#[test]
fn layers_are_merged_key_by_key_and_show_prints_toml() {
    let world = World::new()
        .system("[cache]\nmax_size_mb = 100\n[cache.ttl]\n\"user:list\" = 60\n")
        .user("[cache]\ncompression = false\n[cache.ttl]\nuser = \"1h 30m\"\n")
        .variable("AWSIDEMAN_CACHE_TTL_PERMISSION_SET_LIST", "7m")
        .variable("AWSIDEMAN_ALERTS_EMAIL_TO", "a@example.com, b@example.com");
    let loaded = world.load();
    assert_eq!(loaded.config.alerts.email.to, ["a@example.com", "b@example.com"]);
    let shown: BTreeMap<_, _> = show(&loaded).into_iter().map(|s| (s.key, (s.value, s.origin))).collect();
    let system = world.path("etc.toml").display().to_string();
    assert_eq!(shown["cache.max_size_mb"], ("100.0".into(), system.clone()));
    assert_eq!(shown["cache.ttl.\"user:list\""], ("\"1m\"".into(), system));
    assert_eq!(shown["cache.ttl.user"].0, "\"1h 30m\"");
    let variable = "AWSIDEMAN_CACHE_TTL_PERMISSION_SET_LIST".to_owned();
    assert_eq!(shown["cache.ttl.\"permission_set:list\""], ("\"7m\"".into(), variable));
    assert_eq!(shown["cache.backend"], ("\"disk\"".into(), "default".into()));
    assert!(!shown.contains_key("profile"));
    let whole: Vec<_> = shown.iter().map(|(key, (value, _))| format!("{key} = {value}")).collect();
    World::new().explicit(&whole.join("\n")).load();
}

#[test]
fn a_precise_ttl_beats_a_resource_whichever_layer_each_is_from() {
    let world = World::new().system("[cache.ttl]\n\"user:list\" = \"3m\"\n").variable("AWSIDEMAN_CACHE_TTL_USER", "9m");
    let ttl = world.load().config.cache.ttl;
    assert_eq!(ttl.duration(Resource::User, "list").as_secs(), 180);
    assert_eq!(ttl.duration(Resource::User, "groups").as_secs(), 540);
}

#[test]
fn the_variables_of_the_troubleshooting_guide_work() {
    let config = World::new()
        .variable("AWSIDEMAN_CACHE_MAX_SIZE_MB", "200")
        .variable("AWSIDEMAN_CACHE_COMPRESSION", "true")
        .variable("AWSIDEMAN_CACHE_BACKEND", "memory")
        .variable("AWSIDEMAN_CACHE_DIR", "/var/cache/awsideman")
        .variable("AWSIDEMAN_CACHE_DEFAULT_TTL", "5m")
        .variable("AWSIDEMAN_PROFILE", "012345678901")
        .load()
        .config;
    assert_eq!((config.cache.max_size_mb.to_string().as_str(), config.cache.compression), ("200", true));
    assert_eq!(
        (config.cache.backend, config.cache.dir.as_path()),
        (Backend::Memory, Path::new("/var/cache/awsideman"))
    );
    assert_eq!(config.cache.default_ttl.as_secs(), 300);
    assert_eq!(config.cache.ttl.default.as_secs(), 300);
    assert_eq!(config.profile.as_deref(), Some("012345678901"));
}

#[test]
fn disabled_is_understood_in_every_spelling_and_nonsense_disables_with_a_warning() {
    for (text, disabled, warnings) in [
        ("1", true, 0),
        ("True", true, 0),
        ("YES", true, 0),
        ("on", true, 0),
        ("0", false, 0),
        ("false", false, 0),
        ("no", false, 0),
        ("OFF", false, 0),
        ("", false, 0),
        ("please", true, 1),
    ] {
        let loaded = World::new().variable("AWSIDEMAN_CACHE_DISABLED", text).load();
        assert_eq!((loaded.config.cache.disabled, loaded.warnings.len()), (disabled, warnings), "{text:?}");
    }
}

#[test]
fn unknown_and_wrong_variables_are_named_all_at_once() {
    let told = World::new()
        .variable("AWSIDEMAN_CACHE_MAXSIZE_MB", "200")
        .variable("AWSIDEMAN_CACHE_ENABLED", "true")
        .variable("AWSIDEMAN_CACHE_DEFAULT_TTL", "soon")
        .variable("AWSIDEMAN_EMPTY_AND_UNKNOWN", "")
        .flag("cache.backend", "tape")
        .error();
    let lines: Vec<_> = told.lines().collect();
    assert_eq!(lines.len(), 4, "{told}");
    assert!(lines[0].starts_with("AWSIDEMAN_CACHE_DEFAULT_TTL: cache.default_ttl: `soon` is not a duration"), "{told}");
    assert!(lines[1].contains("AWSIDEMAN_CACHE_ENABLED: a variable of the original Python tool"), "{told}");
    assert!(lines[1].contains("AWSIDEMAN_CACHE_DISABLED"), "{told}");
    assert!(lines[2].contains("did you mean AWSIDEMAN_CACHE_MAX_SIZE_MB?"), "{told}");
    assert!(lines[3].starts_with("flag: cache.backend: `tape`"), "{told}");
}

#[test]
fn a_named_file_must_exist_and_other_layers_need_not() {
    World::new().load();
    let mut world = World::new();
    world.sources.explicit = Some("missing.toml".into());
    assert!(world.error().contains("/missing.toml: cannot be read"));
    assert!(World::new().variable("AWSIDEMAN_CONFIG", "also-missing.toml").error().contains("/also-missing.toml"));
    let folder = World::new();
    std::fs::create_dir(&folder.sources.system_file).unwrap();
    assert!(folder.error().contains("etc.toml: cannot be read"), "{}", folder.error());
}

#[test]
fn paths_count_from_their_file_or_from_the_working_directory() {
    let world =
        World::new().explicit("[cache]\ndir = \"c\"\n[state]\ndir = \"~/s\"\n").variable("AWSIDEMAN_JOBS_DIR", "j");
    let config = world.load().config;
    assert_eq!((config.cache.dir, config.state.dir), (world.path("c"), world.path("home/s")));
    assert_eq!(config.jobs.dir, Some(world.path("j")));
}

#[test]
fn the_directories_follow_systemd_then_xdg_then_home() {
    let world = World::new();
    let loaded = world.load();
    assert_eq!(loaded.config.cache.dir, world.path("home/.cache/awsideman"));
    assert_eq!(loaded.config.state.dir, world.path("home/.local/state/awsideman"));
    let loaded = World::new().variable("XDG_CACHE_HOME", "/xdg").variable("STATE_DIRECTORY", "/var/lib/x").load();
    assert_eq!(loaded.config.cache.dir, Path::new("/xdg/awsideman"));
    assert_eq!(loaded.config.state.dir, Path::new("/var/lib/x"));
    assert_eq!(loaded.origins["state.dir"], "STATE_DIRECTORY");
    let told = World::new().variable("HOME", "").error();
    assert!(told.contains("HOME is not set") && told.contains("AWSIDEMAN_STATE_DIR"), "{told}");
    World::new().variable("HOME", "").flag("cache.dir", "/c").variable("AWSIDEMAN_STATE_DIR", "/s").load();
}

#[test]
fn emergency_commands_take_what_is_right_and_hear_what_is_wrong() {
    let world = World::new()
        .user("region = \"eu-west-1\"\n[cache]\ndir = \"/c\"\nmax_size_mb = \"big\"\nbackend = = 1\n[alerts.email]\nenabled = true\n")
        .variable("AWSIDEMAN_CACHE_DISABLED", "yes")
        .variable("AWSIDEMAN_NONSENSE_OF_SOMEBODY", "1");
    assert!(load(&world.sources).is_err());
    let (loaded, problems) = load_leniently(&world.sources);
    assert_eq!((loaded.config.cache.dir.as_path(), loaded.config.cache.disabled), (Path::new("/c"), true));
    assert_eq!(
        (loaded.config.region.as_deref(), loaded.config.cache.max_size_mb.to_string().as_str()),
        (Some("eu-west-1"), "512")
    );
    assert!(!loaded.config.alerts.email.enabled, "its settings are not complete");
    let told: Vec<_> = problems.iter().map(ToString::to_string).collect();
    for part in [":4: cache.max_size_mb", ":5: this is not TOML", "AWSIDEMAN_NONSENSE_OF_SOMEBODY", "alerts.email.to"] {
        assert!(told.iter().any(|line| line.contains(part)), "{part}: {told:#?}");
    }
    let (loaded, problems) = load_leniently(&World::new().variable("HOME", "").sources);
    assert_eq!((loaded.config.cache.dir.as_path(), problems.len()), (Path::new("/var/cache/awsideman"), 2));
}
