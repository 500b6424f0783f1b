//! Checks texts for HTTP headers: a line end or another control character is an error that names its setting.
//!
//! Guarantee: the SDK can put every accepted text into a header.

use super::credential_error::SettingFault;
use super::login_source::LoginSource;
use super::resolved::{AwsService, Resolved, ResolvedValue};
use crate::http;
use aws_credential_types::Credentials;

/// The variables whose values go into a request.
const VARIABLES: &[&str] = &[
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "AWS_REGION",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_SDK_UA_APP_ID",
    "AWS_CONTAINER_AUTHORIZATION_TOKEN",
];
/// Those of them that are keys, which contain no space.
const KEYS: [&str; 3] = ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"];
/// The keys of a profile whose values go into a request.
const SETTINGS: &[&str] = &[
    "aws_access_key_id",
    "aws_secret_access_key",
    "aws_session_token",
    "region",
    "sso_region",
    "endpoint_url",
    "sdk_ua_app_id",
];

/// The first invalid text, with its variable or profile.
pub(super) fn wrong(resolved: &Resolved) -> Option<SettingFault> {
    let is_endpoint = |name: &str| name == "AWS_ENDPOINT_URL" || name.starts_with("AWS_ENDPOINT_URL_");
    for (name, value) in &resolved.environment {
        let is_key = KEYS.contains(&name.as_str());
        if is_key && resolved.is_explicit() {
            continue;
        }
        if (is_endpoint(name) || VARIABLES.contains(&name.as_str()))
            && let Some(what) = fault(value, is_key)
        {
            return Some(again(format!("{name} contains {what}"), name, what));
        }
    }
    let settings = [("region", &resolved.settings.region), ("aws.endpoint_url", &resolved.settings.endpoint_url)];
    for (name, value) in settings {
        if let Some(what) = value.as_deref().and_then(|value| fault(value, false)) {
            return Some(again(format!("`{name}` contains {what}"), &format!("`{name}`"), what));
        }
    }
    let others = [AwsService::Sso, AwsService::SsoOidc, AwsService::Signin];
    for service in AwsService::CALLED.into_iter().chain(others) {
        if let Some(ResolvedValue { value, from }) = resolved.endpoint_as_set(service)
            && let Some(fault) = endpoint_fault(&value, &from)
        {
            return Some(fault);
        }
    }
    let source = LoginSource::of(resolved);
    let profiles = [Some(resolved.profile().value.as_str()), source.profile()];
    for profile in profiles.into_iter().flatten() {
        let Some(section) = resolved.files.profile(profile) else { continue };
        for key in SETTINGS {
            let value = section.get(key).unwrap_or_default();
            if let Some(what) = fault(value, key.starts_with("aws_")) {
                let (config, credentials) = (resolved.files.config_path(), resolved.files.credentials_path());
                let place = format!("`{key}` of profile `{profile}`");
                return Some(again(format!("{place} contains {what} ({config}, {credentials})"), &place, what));
            }
        }
    }
    None
}

/// The problem of credentials from a service or a program.
pub(super) fn wrong_credentials(found: &Credentials, provider: &str) -> Option<String> {
    let token = found.session_token().unwrap_or_default();
    let parts = [
        ("access key id", found.access_key_id()),
        ("secret access key", found.secret_access_key()),
        ("session token", token),
    ];
    parts
        .into_iter()
        .find_map(|(name, value)| fault(value, true).map(|what| format!("the {name} from {provider} contains {what}")))
}

fn again(detail: String, setting: &str, what: &str) -> SettingFault {
    SettingFault { detail, hint: format!("set {setting} again, without {what}") }
}

/// The problem of an endpoint and its setting. The value is not part of the message: it may contain a password.
fn endpoint_fault(url: &str, from: &str) -> Option<SettingFault> {
    let is_web = ["http://", "https://"].iter().any(|scheme| url.starts_with(scheme));
    let host = http::host(url);
    let is_host =
        !host.is_empty() && (!host.starts_with('[') || host.contains(']')) && !url.contains(char::is_whitespace);
    let authority = url.split("://").nth(1).unwrap_or_default().split(['/', '?', '#']).next().unwrap_or_default();
    match url {
        _ if authority.contains('@') => Some(SettingFault {
            detail: format!("{from} has a user name or password, which AWS endpoints do not take"),
            hint: format!("set {from} without them"),
        }),
        _ if !is_web || !is_host => Some(SettingFault {
            detail: format!("{from} is not an endpoint; write it as https://HOST or http://HOST:PORT"),
            hint: format!("set {from} to a URL, or remove it"),
        }),
        _ => None,
    }
}

/// The characters of a text that cannot be sent. A key is visible ASCII only.
fn fault(text: &str, is_key: bool) -> Option<&'static str> {
    match text {
        _ if text.contains(['\r', '\n']) => Some("a line end"),
        _ if text.chars().any(char::is_control) => Some("a control character"),
        _ if is_key && text.contains(char::is_whitespace) => Some("a space"),
        _ if !text.is_ascii() => Some("a character that is not ASCII"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::AwsSettings;
    use crate::aws::profile::AwsEnvironment;
    use crate::aws::resolved::resolve;

    #[test]
    fn a_text_that_cannot_be_sent_is_named_with_its_place() {
        let of = |name: &str, value: &str| {
            let environment = AwsEnvironment::from([(name.to_owned(), value.to_owned())]);
            wrong(&resolve(&AwsSettings::default(), &environment)).map(|fault| fault.detail)
        };
        for (name, value, message) in [
            ("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE\r", "AWS_ACCESS_KEY_ID contains a line end"),
            ("AWS_ACCESS_KEY_ID", "AKID EXAMPLE", "AWS_ACCESS_KEY_ID contains a space"),
            ("AWS_SECRET_ACCESS_KEY", "secret\n", "AWS_SECRET_ACCESS_KEY contains a line end"),
            ("AWS_SESSION_TOKEN", "to\u{1}ken", "AWS_SESSION_TOKEN contains a control character"),
            ("AWS_REGION", "us-east-1\n", "AWS_REGION contains a line end"),
            ("AWS_ENDPOINT_URL_STS", "http://a\r\nx: y", "AWS_ENDPOINT_URL_STS contains a line end"),
            ("AWS_EXECUTION_ENV", "a\nb", "AWS_EXECUTION_ENV contains a line end"),
            ("AWS_ACCESS_KEY_ID", "AKID\u{fc}", "AWS_ACCESS_KEY_ID contains a character that is not ASCII"),
        ] {
            assert_eq!(of(name, value).as_deref(), Some(message));
        }
        assert_eq!(of("AWS_REGION", " us-east-1 "), None);
        assert_eq!(of("AWS_PAGER", "less\n"), None, "never sent");
    }

    #[test]
    fn keys_that_an_explicit_profile_replaces_are_not_judged() {
        let environment = AwsEnvironment::from([("AWS_ACCESS_KEY_ID".to_owned(), "A\r".to_owned())]);
        let settings = AwsSettings { profile: Some("p".into()), ..AwsSettings::default() };
        assert_eq!(wrong(&resolve(&settings, &environment)), None);
    }
}
