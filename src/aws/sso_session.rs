//! The expiry of the login of a profile, from files and variables: no call is made, no SDK is loaded.
//!
//! An expiry is returned only if it is known (an SSO token that cannot be renewed, the registration of one that can,
//! temporary keys with an expiry); no secret that was read is kept.

use crate::aws::AwsSettings;
use crate::aws::profile::AwsEnvironment;
use crate::aws::resolved::resolve;
use crate::clock::UnixMillis;
use crate::secure_fs::bounded;
use chrono::DateTime;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

/// A login and its expiry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SsoLogin {
    /// The name: the SSO session or start URL, else the profile. The same for all profiles that share the login.
    pub name: String,
    /// The requested profile.
    pub profile: String,
    /// The expiry; `None` if it is unknown.
    pub ends_at: Option<UnixMillis>,
    /// The start, if it is known.
    pub began_at: Option<UnixMillis>,
}

/// A token file of the AWS CLI.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SsoTokenFile {
    start_url: Option<String>,
    expires_at: Option<String>,
    refresh_token: Option<serde::de::IgnoredAny>,
    registration_expires_at: Option<String>,
}

/// The login behind the profile in use.
pub fn login(settings: &AwsSettings, environment: &AwsEnvironment) -> SsoLogin {
    let resolved = resolve(settings, environment);
    let variable = |name: &str| resolved.variable(name);
    let profile = resolved.profile().value.clone();
    let value = |key: &str| resolved.setting(key).map(|chosen| chosen.value);
    let plain = |name: String, ends_at| SsoLogin { name, profile: profile.clone(), ends_at, began_at: None };
    // Keys in variables take precedence over every profile except an explicit one.
    if !resolved.is_explicit() && variable("AWS_ACCESS_KEY_ID").is_some() {
        return plain("environment".into(), variable("AWS_CREDENTIAL_EXPIRATION").and_then(time));
    }
    let session = value("sso_session");
    let Some(name) = session.clone().or_else(|| value("sso_start_url")) else {
        let ends = ["aws_credential_expiration", "aws_expiration", "expiration"].into_iter().find_map(value);
        return plain(profile.clone(), ends.and_then(|text| time(&text)));
    };
    let url = match &session {
        Some(session) => resolved.files.sso_session(session).and_then(|session| session.get("sso_start_url").cloned()),
        None => Some(name.clone()),
    };
    let newest = url.and_then(|url| newest_token(environment, &url));
    let (ends_at, began_at) = newest.map_or((None, None), |(token, written)| {
        // A token that can be renewed ends with its registration; another one at its expiry.
        let end = if token.refresh_token.is_some() { token.registration_expires_at } else { token.expires_at };
        (end.and_then(|text| time(&text)), written)
    });
    SsoLogin { name, profile, ends_at, began_at }
}

/// The token for `url` that ends last, and when it was written.
fn newest_token(environment: &AwsEnvironment, url: &str) -> Option<(SsoTokenFile, Option<UnixMillis>)> {
    let folder = PathBuf::from(environment.get("HOME")?).join(".aws/sso/cache");
    let files = std::fs::read_dir(folder).ok()?.filter_map(Result::ok).map(|entry| entry.path());
    let json = files.filter(|path| path.extension().is_some_and(|ending| ending == "json"));
    let same = |text: &str| {
        text.trim_end_matches('#').trim_end_matches('/') == url.trim_end_matches('#').trim_end_matches('/')
    };
    let tokens = json.filter_map(|path| {
        let token: SsoTokenFile = kept(&path)?;
        let is_it = token.start_url.as_deref().is_some_and(same) && token.expires_at.is_some();
        is_it.then(|| (token, written(&path)))
    });
    tokens.max_by_key(|(token, _)| token.expires_at.as_deref().and_then(time))
}

fn written(path: &Path) -> Option<UnixMillis> {
    let at = std::fs::metadata(path).ok()?.modified().ok()?;
    at.duration_since(UNIX_EPOCH).ok().map(crate::clock::millis)
}

/// The content of a token file.
fn kept(path: &Path) -> Option<SsoTokenFile> {
    serde_json::from_slice(&bounded::bounded(path, bounded::LOGIN_FILE).ok()?).ok()
}

/// The expiry of the token in a file, if it cannot be renewed.
pub(super) fn token_end(path: &Path) -> Option<UnixMillis> {
    let token = kept(path)?;
    time(&token.expires_at.filter(|_| token.refresh_token.is_none())?)
}

/// The access token in a file with times in `UTC`, as versions of the AWS CLI before 2 wrote them; `None` if it has
/// expired. The SDK reads all other files and refuses this one.
pub(super) fn token_with_utc(path: &Path) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Stored {
        access_token: String,
        expires_at: String,
        registration_expires_at: Option<String>,
    }
    let token: Stored = serde_json::from_slice(&bounded::bounded(path, bounded::LOGIN_FILE).ok()?).ok()?;
    let times = [Some(&token.expires_at), token.registration_expires_at.as_ref()];
    let has_utc = times.into_iter().flatten().any(|text| text.trim_end().ends_with("UTC"));
    let holds = time(&token.expires_at).is_some_and(|end| end > crate::clock::micros() / 1000);
    (has_utc && holds).then_some(token.access_token)
}

/// RFC 3339, and `2026-01-01T00:00:00UTC` as older tools write it.
pub(super) fn time(text: &str) -> Option<UnixMillis> {
    let text = text.trim().replace("UTC", "Z");
    DateTime::parse_from_rfc3339(&text).ok().map(|at| at.timestamp_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[profile a]\nsso_session = corp\n[profile b]\nsso_session = corp\n\
        [sso-session corp]\nsso_start_url = https://corp.example.com/start\n\
        [profile old]\nsso_start_url = https://old.example.com/start/#\n[profile keys]\n[profile none]\n";

    fn settings(profile: Option<&str>) -> AwsSettings {
        AwsSettings { profile: profile.map(str::to_owned), ..AwsSettings::default() }
    }

    #[test]
    fn the_end_of_a_login_is_told_where_a_file_or_variable_knows_it() {
        let home = tempfile::tempdir().unwrap();
        let cache = home.path().join(".aws/sso/cache");
        std::fs::create_dir_all(&cache).unwrap();
        std::fs::write(home.path().join(".aws/config"), CONFIG).unwrap();
        let keys = "[keys]\naws_access_key_id = A\naws_expiration = 1970-01-01T00:00:05+00:00\n";
        std::fs::write(home.path().join(".aws/credentials"), keys).unwrap();
        let token = |name: &str, text: &str| std::fs::write(cache.join(name), text).unwrap();
        token(
            "1.json",
            r#"{"startUrl": "https://corp.example.com/start", "expiresAt": "1970-01-01T00:00:01Z",
            "accessToken": "secret", "refreshToken": "secret", "registrationExpiresAt": "1970-01-01T00:00:09Z"}"#,
        );
        token("2.json", r#"{"startUrl": "https://old.example.com/start", "expiresAt": "1970-01-01T00:00:02UTC"}"#);
        token("3.json", r#"{"startUrl": "https://old.example.com/start", "expiresAt": "1970-01-01T00:00:03Z"}"#);
        token("4.json", r#"{"clientId": "x", "expiresAt": "1970-01-01T00:01:00Z"}"#);
        token("5.json", "broken");
        let mut environment = AwsEnvironment::from([("HOME".into(), home.path().to_str().unwrap().to_owned())]);
        let ends = |profile: Option<&str>, environment: &AwsEnvironment| {
            let login = login(&settings(profile), environment);
            (login.name, login.ends_at)
        };
        for profile in ["a", "b"] {
            assert_eq!(ends(Some(profile), &environment), ("corp".into(), Some(9_000)), "shared by both");
        }
        assert_eq!(ends(Some("old"), &environment), ("https://old.example.com/start/#".into(), Some(3_000)));
        assert_eq!(ends(Some("keys"), &environment), ("keys".into(), Some(5_000)));
        assert_eq!(ends(Some("none"), &environment), ("none".into(), None));
        environment.insert("AWS_ACCESS_KEY_ID".into(), "A".into());
        assert_eq!(ends(None, &environment), ("environment".into(), None));
        environment.insert("AWS_CREDENTIAL_EXPIRATION".into(), "1970-01-01T00:00:07Z".into());
        assert_eq!(ends(None, &environment), ("environment".into(), Some(7_000)));
        assert!(!format!("{:?}", login(&settings(Some("a")), &environment)).contains("secret"));
    }
}
