//! The profile and the fingerprint of the credentials, without the SDK: a cached read needs them.
//!
//! Guarantee: every input that could make the same command call another account changes the fingerprint, and no
//! secret can be derived from it. No function makes a call or fails.

use crate::aws::AwsSettings;
use crate::aws::files::Profile;
use crate::aws::files::config_file;
use crate::aws::files::credentials_file;
use crate::aws::plan::PlanFault;
use crate::aws::plan::plan;
use crate::aws::resolved::Resolved;
use crate::aws::resolved::resolve;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// The variables in addition to `AWS_*`.
const OTHERS: [&str; 7] =
    ["HOME", "SSL_CERT_FILE", "SSL_CERT_DIR", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"];

/// Incremented when the same settings choose another account than before.
const RULES: &str = "2";

/// The relevant variables: `AWS_*`, `HOME`, those of proxies and those of OpenSSL.
pub type AwsEnvironment = BTreeMap<String, String>;

/// Those variables of this process.
pub fn environment() -> AwsEnvironment {
    std::env::vars_os()
        .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned()))
        .filter(|(name, _)| name.starts_with("AWS_") || OTHERS.contains(&name.as_str()))
        .collect()
}

/// A hex digest of everything that selects credentials: region, endpoint, profile, every `AWS_*` variable, and path,
/// time and size of the two AWS files.
///
/// A changed file or variable changes the digest even if the account stays the same. This costs one call.
pub fn credential_fingerprint(settings: &AwsSettings, environment: &AwsEnvironment) -> String {
    let mut digest = Sha256::new();
    let mut add = |name: &str, value: Option<&str>| {
        // Lengths come first, so that two lists of fields have different texts.
        for part in [Some(name), value] {
            digest.update(part.map_or(-1, |p| i64::try_from(p.len()).unwrap_or(i64::MAX)).to_be_bytes());
            digest.update(part.unwrap_or_default());
        }
    };
    // An instance that was stored under other rules is not found.
    add("rules", Some(RULES));
    add("profile", settings.profile.as_deref());
    add("default profile", settings.default_profile.as_deref());
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

/// Whether a profile, or one that it takes its credentials from, logs in with a browser, and the key that says so.
/// Such a login ends within hours and needs a user.
pub fn browser_login(profile: Option<&str>, environment: &AwsEnvironment) -> Option<String> {
    let resolved = resolved(profile, environment);
    let first = &resolved.profile().value;
    sources(&resolved).find_map(|(name, section)| {
        let key =
            ["sso_session", "sso_start_url", "login_session"].into_iter().find(|key| section.get(key).is_some())?;
        let way = if name == *first { String::new() } else { format!(" by way of `{name}`") };
        Some(format!("profile `{first}` logs in with a browser{way} ({key})"))
    })
}

/// A sentence if a profile, or one that it takes its credentials from, requires a code of an MFA device.
pub fn mfa_device(profile: Option<&str>, environment: &AwsEnvironment) -> Option<String> {
    let resolved = resolved(profile, environment);
    let first = &resolved.profile().value;
    match plan(&resolved) {
        Err(PlanFault::Mfa { serial, .. }) => {
            Some(format!("profile `{first}` assumes a role with the MFA device `{serial}` (mfa_serial)"))
        }
        _ => None,
    }
}

/// The program that provides the credentials of a profile, or of the profile it takes them from.
pub fn credential_program(profile: Option<&str>, environment: &AwsEnvironment) -> Option<String> {
    let resolved = resolved(profile, environment);
    let command = sources(&resolved).find_map(|(_, section)| section.get("credential_process").map(str::to_owned))?;
    crate::aws::files::words(&command).and_then(|words| words.into_iter().next())
}

fn resolved(profile: Option<&str>, environment: &AwsEnvironment) -> Resolved {
    resolve(&AwsSettings { profile: profile.map(str::to_owned), ..AwsSettings::default() }, environment)
}

/// The profile in use and those that it takes its credentials from; a chain of `source_profile` ends or is a cycle.
fn sources(resolved: &Resolved) -> impl Iterator<Item = (String, Profile)> {
    let found = |name: String| Some((resolved.files.profile(&name)?, name)).map(|(section, name)| (name, section));
    let next = move |(name, section): &(String, Profile)| {
        found(section.get("source_profile").filter(|source| source != name)?.to_owned())
    };
    std::iter::successors(found(resolved.profile().value.clone()), next).take(8)
}

fn stamp(path: &Path) -> Option<String> {
    let found = std::fs::metadata(path).ok()?;
    Some(format!("{}.{:09} {} {}", found.mtime(), found.mtime_nsec(), found.len(), found.ino()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> AwsEnvironment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn whatever_selects_credentials_changes_the_fingerprint() {
        let home = tempfile::tempdir().unwrap();
        let config = home.path().join("config");
        std::fs::write(&config, "[default]\n").unwrap();
        let base = variables(&[("AWS_CONFIG_FILE", config.to_str().unwrap()), ("AWS_ACCESS_KEY_ID", "A")]);
        let first = credential_fingerprint(&AwsSettings::default(), &base);
        assert_eq!(first.len(), 64);
        assert_eq!(first, credential_fingerprint(&AwsSettings::default(), &base), "nothing changed");
        let mut seen = vec![first.clone()];
        let mut differs = |settings: &AwsSettings, environment: &AwsEnvironment| {
            let next = credential_fingerprint(settings, environment);
            assert!(!seen.contains(&next), "{settings:?} {environment:?}");
            seen.push(next);
        };
        differs(&AwsSettings { profile: Some("ops".into()), ..AwsSettings::default() }, &base);
        differs(&AwsSettings { region: Some("ops".into()), ..AwsSettings::default() }, &base);
        differs(&AwsSettings { endpoint_url: Some("ops".into()), ..AwsSettings::default() }, &base);
        differs(&AwsSettings { static_credentials: Some(("a".into(), "b".into())), ..AwsSettings::default() }, &base);
        let mut other = base.clone();
        other.insert("AWS_ACCESS_KEY_ID".into(), "B".into());
        differs(&AwsSettings::default(), &other);
        other.insert("AWS_SESSION_TOKEN".into(), String::new());
        differs(&AwsSettings::default(), &other);
        std::fs::write(&config, "[default]\nregion = x\n").unwrap();
        differs(&AwsSettings::default(), &base);
        let mut same = base.clone();
        same.insert("PAGER".into(), "less".into());
        assert_eq!(
            credential_fingerprint(&AwsSettings::default(), &base),
            credential_fingerprint(&AwsSettings::default(), &same)
        );
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
    fn moving_a_value_between_adjacent_fields_is_another_fingerprint() {
        let a = AwsSettings { profile: Some("ab".into()), region: Some("c".into()), ..AwsSettings::default() };
        let b = AwsSettings { profile: Some("a".into()), region: Some("bc".into()), ..AwsSettings::default() };
        let none = AwsEnvironment::new();
        assert_ne!(credential_fingerprint(&a, &none), credential_fingerprint(&b, &none));
    }
}
