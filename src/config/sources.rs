//! The sources of a configuration: files, variables, flags and default directories.
//!
//! Guarantee: this module reads the process environment only in [`Sources`], and chooses no path below the working
//! directory or /tmp.

use super::file::{ConfigEntry, Layer};
use crate::config::diagnostic::Problem;
use crate::config::keys::variable_name;
use crate::config::types::BaseDirs;
use crate::config::types::Setting;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// The origin of a value from the compiled-in `config/default.toml`.
pub const DEFAULT_ORIGIN: &str = "default";

/// The origin of a value from a flag of the command line.
pub(super) const FLAG_ORIGIN: &str = "flag";

/// The directory of this program below those of system and user.
const PROGRAM_DIR: &str = "awsideman";

/// The input of a configuration.
#[derive(Debug, Clone)]
pub struct Sources {
    /// All environment variables.
    pub environment: BTreeMap<String, String>,
    /// `--config FILE`.
    pub explicit: Option<PathBuf>,
    /// Dotted keys and their values from flags; the last one takes precedence.
    pub overrides: Vec<(String, String)>,
    /// The host's file, `/etc/awsideman/config.toml`.
    pub system_file: PathBuf,
    /// The base of relative paths in variables and flags; absolute.
    pub working_directory: PathBuf,
}

/// A file of the layers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FilePlace {
    /// Its path.
    pub path: PathBuf,
    /// Whether it exists.
    pub exists: bool,
    /// `system`, `user`, or what names it: `--config`, `AWSIDEMAN_CONFIG`.
    pub role: &'static str,
}

impl Sources {
    /// The environment and working directory of this process, and the file of `--config`.
    pub fn from_process(explicit: Option<PathBuf>) -> Self {
        let text = |value: std::ffi::OsString| value.to_string_lossy().into_owned();
        let mut environment: BTreeMap<String, String> =
            std::env::vars_os().map(|(name, value)| (text(name), text(value))).collect();
        // Containers and service managers set HOME to `/` for users without a home; a missing home is never created.
        if environment.get("HOME").is_some_and(|home| home == "/" || !Path::new(home).is_dir()) {
            environment.remove("HOME");
        }
        Self {
            environment,
            explicit,
            overrides: Vec::new(),
            system_file: PathBuf::from("/etc").join(PROGRAM_DIR).join("config.toml"),
            working_directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from("/")),
        }
    }

    /// The user's file, which `config init` writes; `None` without a home directory.
    pub fn user_file(&self) -> Option<PathBuf> {
        let base = self.directory("XDG_CONFIG_HOME").or_else(|| Some(self.home()?.join(".config")))?;
        Some(base.join(PROGRAM_DIR).join("config.toml"))
    }

    /// The file of `--config` or `AWSIDEMAN_CONFIG`, and which of the two.
    pub(super) fn named_file(&self) -> Option<(PathBuf, &'static str)> {
        let by_variable = || Some((PathBuf::from(self.variable("AWSIDEMAN_CONFIG")?), "AWSIDEMAN_CONFIG"));
        let (path, role) = self.explicit.clone().map(|path| (path, "--config")).or_else(by_variable)?;
        Some((self.working_directory.join(path), role))
    }

    /// The home directory, if it is set and absolute.
    pub(super) fn home(&self) -> Option<&Path> {
        self.variable("HOME").map(Path::new).filter(|path| path.is_absolute())
    }

    /// The base of paths in variables and flags.
    pub(super) fn base(&self) -> BaseDirs<'_> {
        BaseDirs { directory: &self.working_directory, home: self.home() }
    }

    /// A variable; an empty one is unset.
    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.environment.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A directory from a variable; relative ones are ignored, as the XDG specification requires.
    fn directory(&self, name: &str) -> Option<PathBuf> {
        self.variable(name).map(PathBuf::from).filter(|path| path.is_absolute())
    }

    /// The first directory that systemd lists in a variable.
    fn systemd_directory(&self, name: &str) -> Option<PathBuf> {
        let first = self.variable(name)?.split(':').next()?;
        Some(PathBuf::from(first)).filter(|path| path.is_absolute())
    }
}

/// The files of the layers, in order, including missing ones.
pub fn paths(sources: &Sources) -> Vec<FilePlace> {
    let place = |path: PathBuf, role| FilePlace { exists: path.is_file(), path, role };
    let system = place(sources.system_file.clone(), "system");
    let user = sources.user_file().map(|path| place(path, "user"));
    let named = sources.named_file().map(|(path, role)| place(path, role));
    std::iter::once(system).chain(user).chain(named).collect()
}

/// The layers of `cache.dir` and `state.dir` directly above the defaults, and the problem of a missing home. A system
/// directory is then used, so that emergency commands work.
pub(super) fn directories(sources: &Sources) -> (Vec<Layer>, Vec<Problem>) {
    let (mut layers, mut problems) = (Vec::new(), Vec::new());
    for (key, systemd, xdg, in_home, stand_in) in [
        ("cache.dir", "CACHE_DIRECTORY", "XDG_CACHE_HOME", ".cache", "/var/cache"),
        ("state.dir", "STATE_DIRECTORY", "XDG_STATE_HOME", ".local/state", "/var/lib"),
    ] {
        let (path, source) = if let Some(path) = sources.systemd_directory(systemd) {
            (path, systemd)
        } else if let Some(base) = sources.directory(xdg) {
            (base.join(PROGRAM_DIR), xdg)
        } else if let Some(home) = sources.home() {
            (home.join(in_home).join(PROGRAM_DIR), DEFAULT_ORIGIN)
        } else {
            let variable = variable_name(key);
            problems.push(Problem {
                source: "HOME".into(),
                line: None,
                key: key.into(),
                what: "there is no home directory to put it in (HOME is not set, is `/` or does not exist)".into(),
                hint: format!("set HOME, {xdg} or {variable}"),
            });
            (Path::new(stand_in).join(PROGRAM_DIR), DEFAULT_ORIGIN)
        };
        let setting = Setting::Text(path.to_string_lossy().into_owned());
        let entries = vec![ConfigEntry { key: key.into(), setting, line: None }];
        layers.push(Layer { source: source.into(), entries });
    }
    if let Some(logs) = sources.systemd_directory("LOGS_DIRECTORY") {
        let file = logs.join(PROGRAM_DIR).with_extension("log");
        let setting = Setting::Text(file.to_string_lossy().into_owned());
        let entries = vec![ConfigEntry { key: "log.file".into(), setting, line: None }];
        layers.push(Layer { source: "LOGS_DIRECTORY".into(), entries });
    }
    (layers, problems)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(variables: &[(&str, &str)]) -> Sources {
        Sources {
            environment: variables.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect(),
            explicit: None,
            overrides: Vec::new(),
            system_file: "/nowhere/config.toml".into(),
            working_directory: "/work dir".into(),
        }
    }

    fn cache_directory(variables: &[(&str, &str)]) -> (String, Setting) {
        let (layers, problems) = directories(&sources(variables));
        assert!(problems.is_empty(), "{problems:?}");
        (layers[0].source.clone(), layers[0].entries[0].setting.clone())
    }

    #[test]
    fn systemd_beats_xdg_beats_home() {
        let text = |path: &str| Setting::Text(path.into());
        let all = [("CACHE_DIRECTORY", "/var/cache/a:/x"), ("XDG_CACHE_HOME", "/xdg"), ("HOME", "/home/ann")];
        assert_eq!(cache_directory(&all), ("CACHE_DIRECTORY".into(), text("/var/cache/a")));
        assert_eq!(cache_directory(&all[1..]), ("XDG_CACHE_HOME".into(), text("/xdg/awsideman")));
        assert_eq!(cache_directory(&all[2..]), ("default".into(), text("/home/ann/.cache/awsideman")));
        let relative = [("XDG_CACHE_HOME", "xdg"), ("HOME", "/home/ann")];
        assert_eq!(cache_directory(&relative).1, text("/home/ann/.cache/awsideman"));
    }

    #[test]
    fn without_a_home_the_variables_to_set_are_named() {
        let (layers, problems) = directories(&sources(&[("HOME", "")]));
        assert_eq!((layers.len(), problems.len()), (2, 2));
        assert!(problems[0].to_string().contains("set HOME, XDG_CACHE_HOME or AWSIDEMAN_CACHE_DIR"));
    }

    #[test]
    fn a_flag_beats_the_variable_that_names_a_file() {
        let mut both = sources(&[("AWSIDEMAN_CONFIG", "a.toml"), ("HOME", "/home/ann")]);
        assert_eq!(both.named_file(), Some(("/work dir/a.toml".into(), "AWSIDEMAN_CONFIG")));
        both.explicit = Some("/b.toml".into());
        assert_eq!(both.named_file(), Some(("/b.toml".into(), "--config")));
        let roles: Vec<_> = paths(&both).iter().map(|place| place.role).collect();
        assert_eq!(roles, ["system", "user", "--config"]);
    }
}
