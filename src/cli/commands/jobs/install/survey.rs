//! Differences between the environment of a service and this shell: files, programs, variables, PATH, profiles.

use crate::app::App;
use crate::aws::{self, AwsEnvironment};
use crate::cli::commands::jobs::install::reach::HostUser;
use crate::cli::commands::jobs::install::reach::Want;
use crate::config::{Config, FilePlace, MailTransport};
use crate::jobs::{For, STANDARD_PATH};
use crate::secure_fs::bounded;
use std::path::{Path, PathBuf};

/// The findings.
#[derive(Debug, Default)]
pub(crate) struct Survey {
    /// Problems that keep the service from working.
    pub(crate) problems: Vec<String>,
    /// Differences that need not be wrong.
    pub(crate) notices: Vec<String>,
    /// Folders that must be searched for programs besides the standard ones.
    pub(crate) path: Vec<PathBuf>,
}

/// A service that is about to be installed.
pub(crate) struct Subject<'a> {
    pub(crate) app: &'a App,
    pub(crate) account: &'a HostUser,
    pub(crate) whom: For,
    /// Whether the unit has a `/tmp` of its own.
    pub(crate) has_own_tmp: bool,
    /// The program that is installed.
    pub(crate) program: &'a Path,
    pub(crate) files: &'a [FilePlace],
    pub(crate) profiles: &'a [Option<String>],
    /// Where variables of the service go.
    pub(crate) variables_file: &'a str,
}

impl Subject<'_> {
    /// Checks everything; writes nothing and runs no program.
    pub(crate) fn survey(&self) -> Survey {
        let mut found = Survey::default();
        let config = self.app.config();
        self.reach("", self.program, Want::Execute, &mut found);
        for file in self.files.iter().filter(|file| file.exists) {
            match (file.role, self.whom) {
                ("user", For::Host) => found.notices.push(format!(
                    "{} applies here and not to the service: move it to /etc/awsideman/config.toml, or pass --config",
                    file.path.display()
                )),
                // A variable does not reach the service; it is listed with the others.
                ("AWSIDEMAN_CONFIG", _) => {}
                _ => self.reach("", &file.path, Want::Read, &mut found),
            }
        }
        for (key, path) in named_files(config) {
            self.reach(key, path, Want::Read, &mut found);
        }
        let environment = aws::environment();
        for (key, program) in self.programs(config, &environment) {
            self.program(&key, &program, &mut found);
        }
        found.notices.extend(self.variables());
        found.notices.extend(path_notice(&found.path));
        found.notices.extend(self.foreign_profiles(&environment));
        found
    }

    fn reach(&self, key: &str, path: &Path, want: Want, found: &mut Survey) {
        let key = if key.is_empty() { String::new() } else { format!("{key}: ") };
        let is_hidden = self.has_own_tmp && ["/tmp", "/var/tmp"].iter().any(|tmp| path.starts_with(tmp));
        if is_hidden {
            found.problems.push(format!("{key}{} is not visible to the unit: PrivateTmp=yes", path.display()));
        } else if let Err(why) = self.account.can(path, want) {
            found.problems.push(format!("{key}{why}"));
        }
    }

    /// Programs that the configuration and the profiles name, with their keys.
    fn programs(&self, config: &Config, environment: &AwsEnvironment) -> Vec<(String, String)> {
        let alerts = &config.alerts;
        let mut argvs: Vec<(&str, &[String])> = Vec::new();
        if alerts.command.enabled {
            argvs.push(("alerts.command.argv", &alerts.command.argv));
        }
        if alerts.email.enabled && alerts.email.transport == MailTransport::Smtp {
            argvs.push(("alerts.email.password_command", &alerts.email.password_command));
            argvs.push(("alerts.email.token_command", &alerts.email.token_command));
        }
        if alerts.webhook.enabled {
            argvs.push(("alerts.webhook.url_command", &alerts.webhook.url_command));
        }
        if config.cache.encryption.enabled {
            argvs.push(("cache.encryption.key_command", &config.cache.encryption.key_command));
        }
        let named = argvs.into_iter().filter_map(|(key, argv)| Some((key.to_owned(), argv.first()?.clone())));
        let helpers = self.profiles.iter().filter_map(|profile| {
            let program = aws::credential_program(profile.as_deref(), environment)?;
            let name = profile.as_deref().unwrap_or("default");
            Some((format!("credential_process of profile `{name}`"), program))
        });
        named.chain(helpers).collect()
    }

    /// Whether the service finds and may run a program; a folder that only this shell searches is handed on.
    fn program(&self, key: &str, program: &str, found: &mut Survey) {
        if program.contains('/') {
            return self.reach(key, Path::new(program), Want::Execute, found);
        }
        let has_it = |folder: &PathBuf| folder.is_absolute() && folder.join(program).is_file();
        let standard = STANDARD_PATH.split(':').map(PathBuf::from).find(has_it);
        let here = std::env::var_os("PATH").unwrap_or_default();
        match standard.clone().or_else(|| std::env::split_paths(&here).find(has_it)) {
            None => found
                .problems
                .push(format!("{key}: `{program}` is in no directory of PATH, neither here nor for the service")),
            Some(folder) => {
                self.reach(key, &folder.join(program), Want::Execute, found);
                if standard.is_none() && !found.path.contains(&folder) {
                    found.path.push(folder);
                }
            }
        }
    }

    /// Variables that choose something here and that the service will not see.
    fn variables(&self) -> Option<String> {
        let mut names: Vec<String> = std::env::vars_os()
            .filter_map(|(name, _)| name.into_string().ok())
            .filter(|name| name.starts_with("AWSIDEMAN_") || name.starts_with("AWS_"))
            .collect();
        names.sort();
        let list = names.join(", ");
        let place = self.variables_file;
        (!names.is_empty())
            .then(|| format!("set in this shell and not for the service: {list}; put those that it needs into {place}"))
    }

    /// Profiles that this user has and the service's user has not.
    fn foreign_profiles(&self, environment: &AwsEnvironment) -> Option<String> {
        if self.whom == For::User || environment.contains_key("AWS_CONFIG_FILE") {
            return None;
        }
        let home = self.account.home.clone().unwrap_or_else(|| "/var/lib/awsideman".to_owned());
        let file = Path::new(&home).join(".aws/config");
        let text = bounded::bounded_text(&file, bounded::AWS_FILE).unwrap_or_default();
        let is_missing = |name: &&String| !text.lines().any(|line| line.trim() == format!("[profile {name}]"));
        let missing: Vec<&str> = self.profiles.iter().flatten().filter(is_missing).map(String::as_str).collect();
        (!missing.is_empty()).then(|| {
            let (names, file, place) = (missing.join(", "), file.display(), self.variables_file);
            format!("profile {names}: {file} does not have it; copy it there, or set AWS_CONFIG_FILE in {place}")
        })
    }
}

/// Files that the configuration names and the service must read.
fn named_files(config: &Config) -> Vec<(&'static str, &Path)> {
    let (email, webhook) = (&config.alerts.email, &config.alerts.webhook);
    let all = [
        ("jobs.dir", config.jobs.dir.as_deref()),
        (
            "cache.encryption.key_file",
            config.cache.encryption.key_file.as_deref().filter(|_| config.cache.encryption.enabled),
        ),
        ("alerts.email.password_file", email.password_file.as_deref().filter(|_| email.enabled)),
        ("alerts.email.ca_file", email.ca_file.as_deref().filter(|_| email.enabled)),
        ("alerts.webhook.url_file", webhook.url_file.as_deref().filter(|_| webhook.enabled)),
        ("alerts.webhook.ca_file", webhook.ca_file.as_deref().filter(|_| webhook.enabled)),
    ];
    all.into_iter().filter_map(|(key, path)| Some((key, path?))).collect()
}

/// Folders that this shell searches for programs and the service does not.
fn path_notice(more: &[PathBuf]) -> Option<String> {
    let here = std::env::var_os("PATH")?;
    let there: Vec<PathBuf> = STANDARD_PATH.split(':').map(PathBuf::from).chain(more.iter().cloned()).collect();
    let mut only: Vec<String> = Vec::new();
    for folder in
        std::env::split_paths(&here).filter(|folder| !folder.as_os_str().is_empty() && !there.contains(folder))
    {
        let folder = folder.display().to_string();
        if !only.contains(&folder) {
            only.push(folder);
        }
    }
    let list = only.join(":");
    (!only.is_empty()).then(|| format!("PATH of the service: {}; this shell also searches {list}", joined(&there)))
}

fn joined(folders: &[PathBuf]) -> String {
    folders.iter().map(|folder| folder.display().to_string()).collect::<Vec<_>>().join(":")
}
