//! Which account and region a command is about, told without the SDK: this is on the path of a cached read.
//!
//! Neighbours: `aws.rs` uses the same region; the gateway remembers the instance behind a fingerprint. Promise:
//! whatever could make the same command speak to another account changes the fingerprint, no secret can be read
//! back from it, and neither function makes a call or fails.

use super::AwsSettings;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// The variables that matter here: `AWS_*` and `HOME`.
pub type Environment = BTreeMap<String, String>;

/// The process's own `AWS_*` variables and `HOME`.
pub fn environment() -> Environment {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name == "HOME" || name.starts_with("AWS_"))
        .collect()
}

/// A hex digest over all that selects credentials: region, endpoint, profile, every `AWS_*` variable, and path, time
/// and size of the two AWS files.
///
/// A changed file or variable gives another digest even where the account stays the same: that costs one call.
pub fn credential_fingerprint(settings: &AwsSettings, environment: &Environment) -> String {
    let mut digest = Sha256::new();
    let mut add = |name: &str, value: Option<&str>| {
        // Lengths go first, so that no two lists of fields share a text.
        for part in [Some(name), value] {
            digest.update(part.map_or(-1, |p| i64::try_from(p.len()).unwrap_or(i64::MAX)).to_be_bytes());
            digest.update(part.unwrap_or_default());
        }
    };
    add("profile", settings.profile.as_deref());
    add("region", settings.region.as_deref());
    add("endpoint", settings.endpoint_url.as_deref());
    let (key, secret) = settings.static_credentials.as_ref().map_or((None, None), |(k, s)| (Some(k), Some(s)));
    add("key", key.map(String::as_str));
    add("secret", secret.map(String::as_str));
    for (name, value) in environment.iter().filter(|(name, _)| name.starts_with("AWS_")) {
        add(name, Some(value));
    }
    for (what, path) in [("config", config_file(environment)), ("credentials", credentials_file(environment))] {
        add(what, path.as_ref().map(|p| p.to_string_lossy()).as_deref());
        add("stamp", path.as_deref().and_then(stamp).as_deref());
    }
    digest.finalize().iter().fold(String::with_capacity(64), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

/// The region: the setting's, `AWS_REGION`, `AWS_DEFAULT_REGION`, else the profile's in the AWS files.
pub fn region(settings: &AwsSettings, environment: &Environment) -> Option<String> {
    let variable = |name: &str| environment.get(name).map(|v| v.trim()).filter(|v| !v.is_empty()).map(str::to_owned);
    let given = settings.region.as_deref().map(str::trim).filter(|r| !r.is_empty()).map(str::to_owned);
    given.or_else(|| variable("AWS_REGION")).or_else(|| variable("AWS_DEFAULT_REGION")).or_else(|| {
        let profile = settings.profile.clone().or_else(|| variable("AWS_PROFILE")).unwrap_or_else(|| "default".into());
        profile_setting(environment, &profile, "region")
    })
}

/// The value of `key` in a profile: of the config file, else of the credentials file.
pub(super) fn profile_setting(environment: &Environment, profile: &str, key: &str) -> Option<String> {
    let read = |path: Option<PathBuf>, config: bool| {
        setting(&String::from_utf8_lossy(&std::fs::read(path?).ok()?), |h| is_profile(h, profile, config), key)
    };
    read(config_file(environment), true).or_else(|| read(credentials_file(environment), false))
}

/// The value of `key` in an SSO session.
pub(super) fn session_setting(environment: &Environment, session: &str, key: &str) -> Option<String> {
    let text = std::fs::read(config_file(environment)?).ok()?;
    setting(&String::from_utf8_lossy(&text), |header| is_session(header, session), key)
}

/// What is wrong with a profile that was asked for: it, or what it leads to, is in neither file.
pub(super) fn wrong_profile(profile: Option<&str>, environment: &Environment) -> Option<String> {
    let chosen = profile.or_else(|| environment.get("AWS_PROFILE").map(String::as_str)).filter(|p| !p.is_empty())?;
    let (config, credentials) = (config_file(environment), credentials_file(environment));
    let text = |path: &Option<PathBuf>| path.as_ref().and_then(|p| std::fs::read(p).ok()).unwrap_or_default();
    let (in_config, in_credentials) = (text(&config), text(&credentials));
    let (in_config, in_credentials) = (String::from_utf8_lossy(&in_config), String::from_utf8_lossy(&in_credentials));
    let known = |name: &str| {
        has_section(&in_config, |h| is_profile(h, name, true))
            || has_section(&in_credentials, |h| is_profile(h, name, false))
    };
    let path = |path: &Option<PathBuf>| path.as_ref().map_or_else(|| "~/.aws".to_owned(), |p| p.display().to_string());
    let files = format!("{} nor {}", path(&config), path(&credentials));
    if !known(chosen) {
        return Some(format!("profile `{chosen}` is in neither {files}"));
    }
    let value = |key: &str| profile_setting(environment, chosen, key);
    if let Some(source) = value("source_profile").filter(|source| !known(source)) {
        return Some(format!("profile `{chosen}` names source_profile `{source}`, which is in neither {files}"));
    }
    let session = value("sso_session")?;
    (!has_section(&in_config, |header| is_session(header, &session)))
        .then(|| format!("profile `{chosen}` names sso_session `{session}`, which is not in {}", path(&config)))
}

/// Whether a profile, or one that it takes its credentials from, gets them by a login in a browser; and how that is
/// written there. Such a login ends within hours and needs a person.
pub fn browser_login(profile: Option<&str>, environment: &Environment) -> Option<String> {
    let text = std::fs::read(config_file(environment)?).ok()?;
    let text = String::from_utf8_lossy(&text);
    let chosen = profile.or_else(|| environment.get("AWS_PROFILE").map(String::as_str)).filter(|p| !p.is_empty());
    let first = chosen.unwrap_or("default").to_owned();
    let mut name = first.clone();
    // A chain of source_profile ends somewhere, or goes round.
    for _ in 0..8 {
        for key in ["sso_session", "sso_start_url", "login_session"] {
            if setting(&text, |header| is_profile(header, &name, true), key).is_some() {
                let way = if name == first { String::new() } else { format!(" by way of `{name}`") };
                return Some(format!("profile `{first}` logs in with a browser{way} ({key})"));
            }
        }
        name = setting(&text, |header| is_profile(header, &name, true), "source_profile")
            .filter(|source| *source != name)?;
    }
    None
}

fn has_section(text: &str, is_it: impl Fn(&str) -> bool) -> bool {
    text.lines().filter_map(section).any(is_it)
}

fn section(line: &str) -> Option<&str> {
    line.strip_prefix('[').and_then(|rest| rest.split(']').next()).map(str::trim)
}

fn config_file(environment: &Environment) -> Option<PathBuf> {
    file(environment, "AWS_CONFIG_FILE", "config")
}

fn credentials_file(environment: &Environment) -> Option<PathBuf> {
    file(environment, "AWS_SHARED_CREDENTIALS_FILE", "credentials")
}

fn file(environment: &Environment, variable: &str, name: &str) -> Option<PathBuf> {
    let filled = |key: &str| environment.get(key).filter(|v| !v.is_empty());
    let home = filled("HOME").map(PathBuf::from);
    match filled(variable) {
        Some(path) => match path.strip_prefix("~/") {
            Some(rest) => home.map(|home| home.join(rest)),
            None => Some(path.into()),
        },
        None => home.map(|home| home.join(".aws").join(name)),
    }
}

fn stamp(path: &Path) -> Option<String> {
    let found = std::fs::metadata(path).ok()?;
    Some(format!("{}.{:09} {} {}", found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
}

/// The value of `key` in the sections that are it.
fn setting(text: &str, is_it: impl Fn(&str) -> bool, key: &str) -> Option<String> {
    let (mut inside, mut found) = (false, None);
    for line in text.lines() {
        // An indented line belongs to a nested setting (`s3 =`), never to the section.
        if line.starts_with([' ', '\t']) || line.starts_with(['#', ';']) {
            continue;
        }
        let line = line.trim_end();
        if let Some(header) = section(line) {
            inside = is_it(header);
        } else if inside && let Some((name, value)) = line.split_once('=') {
            let value = value.split(" #").next().unwrap_or_default().split(" ;").next().unwrap_or_default().trim();
            if name.trim().eq_ignore_ascii_case(key) && !value.is_empty() {
                found = Some(value.to_owned());
            }
        }
    }
    found
}

/// In the config file the section of a profile is `[profile NAME]` (or `[default]`), in the credentials file `[NAME]`.
fn is_profile(header: &str, profile: &str, config: bool) -> bool {
    let named = header.strip_prefix("profile").filter(|rest| rest.starts_with([' ', '\t'])).map(str::trim);
    let bare = |text: &str| text.trim_matches(['"', '\'']) == profile;
    if config { named.map_or(header == "default" && profile == "default", bare) } else { bare(header) }
}

fn is_session(header: &str, session: &str) -> bool {
    header.strip_prefix("sso-session").is_some_and(|rest| rest.trim() == session)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn settings() -> AwsSettings {
        AwsSettings {
            profile: None,
            region: None,
            endpoint_url: None,
            connect_timeout: Duration::from_secs(1),
            operation_timeout: Duration::from_secs(1),
            static_credentials: None,
        }
    }

    fn variables(pairs: &[(&str, &str)]) -> Environment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_region_comes_from_the_first_place_that_has_one() {
        let home = tempfile::tempdir().unwrap();
        std::fs::create_dir(home.path().join(".aws")).unwrap();
        let config = "# ours\n[default]\nregion = eu-north-1\n[sso-session corp]\nsso_region = us-east-1\n\
                      [profile \"ops\"]\ns3 =\n  region = nested\nsso_session = corp\nregion=eu-west-3 # Paris\n\
                      [profile bare]\noutput = json\n";
        std::fs::write(home.path().join(".aws/config"), config).unwrap();
        std::fs::write(home.path().join(".aws/credentials"), "[bare]\nregion = ca-central-1\n").unwrap();
        let home = home.path().to_str().unwrap();
        let with = |profile: &str| AwsSettings { profile: Some(profile.into()), ..settings() };
        let only_home = variables(&[("HOME", home)]);
        assert_eq!(region(&settings(), &only_home).as_deref(), Some("eu-north-1"));
        assert_eq!(region(&with("ops"), &only_home).as_deref(), Some("eu-west-3"));
        assert_eq!(region(&with("bare"), &only_home).as_deref(), Some("ca-central-1"));
        assert_eq!(region(&with("corp"), &only_home), None, "an sso-session is no profile");
        let chosen = variables(&[("HOME", home), ("AWS_PROFILE", "ops"), ("AWS_DEFAULT_REGION", "")]);
        assert_eq!(region(&settings(), &chosen).as_deref(), Some("eu-west-3"));
        let both = variables(&[("HOME", home), ("AWS_DEFAULT_REGION", "sa-east-1"), ("AWS_REGION", "ap-south-1")]);
        assert_eq!(region(&settings(), &both).as_deref(), Some("ap-south-1"));
        let flag = AwsSettings { region: Some("us-west-2".into()), ..settings() };
        assert_eq!(region(&flag, &both).as_deref(), Some("us-west-2"));
        assert_eq!(region(&settings(), &Environment::new()), None);
    }

    #[test]
    fn a_profile_that_leads_nowhere_is_told_with_the_files_that_were_read() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("config");
        let text = "[profile a]\nsource_profile = gone\n[profile b]\nsso_session = gone\n\
                    [profile c]\nsso_session = corp\nsource_profile = d\n[sso-session corp]\n[default]\n";
        std::fs::write(&config, text).unwrap();
        std::fs::write(home.path().join("credentials"), "[d]\n").unwrap();
        let credentials = home.path().join("credentials");
        let pairs = [
            ("AWS_CONFIG_FILE", config.to_str().unwrap()),
            ("AWS_SHARED_CREDENTIALS_FILE", credentials.to_str().unwrap()),
        ];
        let environment = variables(&pairs);
        let wrong = |name: &str| wrong_profile(Some(name), &environment);
        assert!(wrong("x").unwrap().starts_with("profile `x` is in neither "));
        assert!(wrong("x").unwrap().contains(config.to_str().unwrap()));
        assert!(wrong("a").unwrap().contains("source_profile `gone`"));
        assert!(wrong("b").unwrap().contains("sso_session `gone`"));
        assert_eq!((wrong("c"), wrong("d"), wrong("default")), (None, None, None));
        assert_eq!(wrong_profile(None, &environment), None);
    }

    #[test]
    fn whatever_selects_credentials_changes_the_fingerprint() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("config");
        std::fs::write(&config, "[default]\n").unwrap();
        let base = variables(&[("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_ACCESS_KEY_ID", "A")]);
        let first = credential_fingerprint(&settings(), &base);
        assert_eq!(first.len(), 64);
        assert_eq!(first, credential_fingerprint(&settings(), &base), "nothing changed");
        let mut seen = vec![first.clone()];
        let mut differs = |settings: &AwsSettings, environment: &Environment| {
            let next = credential_fingerprint(settings, environment);
            assert!(!seen.contains(&next), "{settings:?} {environment:?}");
            seen.push(next);
        };
        differs(&AwsSettings { profile: Some("ops".into()), ..settings() }, &base);
        differs(&AwsSettings { region: Some("ops".into()), ..settings() }, &base);
        differs(&AwsSettings { endpoint_url: Some("ops".into()), ..settings() }, &base);
        differs(&AwsSettings { static_credentials: Some(("a".into(), "b".into())), ..settings() }, &base);
        let mut other = base.clone();
        other.insert("AWS_ACCESS_KEY_ID".into(), "B".into());
        differs(&settings(), &other);
        other.insert("AWS_SESSION_TOKEN".into(), String::new());
        differs(&settings(), &other);
        std::fs::write(&config, "[default]\nregion = x\n").unwrap();
        differs(&settings(), &base);
        let mut same = base.clone();
        same.insert("PAGER".into(), "less".into());
        assert_eq!(credential_fingerprint(&settings(), &base), credential_fingerprint(&settings(), &same));
    }

    #[test]
    fn a_login_in_a_browser_is_found_behind_other_profiles() {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        let text = "[profile sso]\nsso_session = corp\n[profile admin]\nsource_profile = sso\nrole_arn = x\n\
            [profile keys]\nrole_arn = y\ncredential_source = Ec2InstanceMetadata\n[profile round]\nsource_profile = round\n";
        std::fs::write(&config, text).unwrap();
        let environment = variables(&[("AWS_CONFIG_FILE", config.to_str().unwrap())]);
        let found = |profile| browser_login(Some(profile), &environment);
        assert_eq!(found("sso").unwrap(), "profile `sso` logs in with a browser (sso_session)");
        assert_eq!(found("admin").unwrap(), "profile `admin` logs in with a browser by way of `sso` (sso_session)");
        assert_eq!((found("keys"), found("round"), browser_login(None, &environment)), (None, None, None));
    }

    #[test]
    fn moving_a_value_between_neighbouring_fields_is_another_fingerprint() {
        let a = AwsSettings { profile: Some("ab".into()), region: Some("c".into()), ..settings() };
        let b = AwsSettings { profile: Some("a".into()), region: Some("bc".into()), ..settings() };
        let none = Environment::new();
        assert_ne!(credential_fingerprint(&a, &none), credential_fingerprint(&b, &none));
    }
}
