//! The source of the credentials of the profile in use, and how a user renews them.

use super::login_files;
use super::resolved::Resolved;
use crate::aws::profile::AwsEnvironment;
use crate::model::shell_word;
use std::path::PathBuf;

/// The source of the credentials of the profile in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum LoginSource {
    /// `AWS_ACCESS_KEY_ID` and its companions.
    Variables,
    /// `aws sso login`.
    Sso { profile: String, session: Option<String>, start_url: Option<String> },
    /// `aws login`.
    SignIn { profile: String },
    /// A program.
    Process { profile: String },
    /// The token of a web identity, from this file.
    WebIdentity { token_file: String },
    /// Keys in the AWS files.
    Keys { profile: String },
    /// The metadata service of EC2, by `credential_source`.
    Metadata { profile: String },
    /// None of these: the platform, or nothing.
    Other { profile: String },
}

/// How a user gets new credentials, as a hint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Renewal {
    /// A command that logs in.
    Command(String),
    /// Advice, if there is no such command.
    Advice(String),
}

impl Renewal {
    /// The command or the advice.
    pub fn text(&self) -> &str {
        let (Renewal::Command(text) | Renewal::Advice(text)) = self;
        text
    }

    /// The hint if there is no login, or (`again`) if it has expired.
    pub fn hint(&self, again: bool) -> String {
        match self {
            Renewal::Command(command) if again => format!("log in again: `{command}`"),
            Renewal::Command(command) => format!("log in: `{command}`"),
            Renewal::Advice(advice) => advice.clone(),
        }
    }
}

impl LoginSource {
    /// The source behind the profile in use; `source_profile` is followed.
    pub(super) fn of(resolved: &Resolved) -> LoginSource {
        if !resolved.is_explicit() && resolved.variable("AWS_ACCESS_KEY_ID").is_some() {
            return LoginSource::Variables;
        }
        let is_role = resolved.setting("role_arn").is_some();
        if !resolved.is_explicit()
            && !is_role
            && resolved.variable("AWS_ROLE_ARN").is_some()
            && let Some(file) = resolved.variable("AWS_WEB_IDENTITY_TOKEN_FILE")
        {
            return LoginSource::WebIdentity { token_file: file.to_owned() };
        }
        LoginSource::of_profile(resolved)
    }

    /// The source behind the profile, ignoring keys in the environment.
    pub(super) fn of_profile(resolved: &Resolved) -> LoginSource {
        let mut profile = resolved.profile().value.clone();
        // A chain of source_profile ends or is a cycle.
        for _ in 0..8 {
            let Some(section) = resolved.files.profile(&profile) else { break };
            let value = |key: &str| section.get(key).map(str::to_owned);
            if let Some(source) = value("source_profile").filter(|source| *source != profile)
                && value("role_arn").is_some()
            {
                profile = source;
                continue;
            }
            let session = value("sso_session");
            // Without account and role another source takes precedence.
            let others = ["login_session", "credential_process", "aws_access_key_id"];
            let is_sso = ["sso_account_id", "sso_role_name"].iter().any(|key| value(key).is_some())
                || others.iter().all(|key| value(key).is_none());
            if is_sso && (session.is_some() || value("sso_start_url").is_some()) {
                let of_session = |name: &String| {
                    resolved.files.sso_session(name).and_then(|found| found.get("sso_start_url").cloned())
                };
                let start_url = session.as_ref().and_then(of_session).or_else(|| value("sso_start_url"));
                return LoginSource::Sso { profile, session, start_url };
            }
            let is_metadata = value("credential_source").is_some_and(|source| source == "Ec2InstanceMetadata");
            let has_keys = section.credentials.as_ref().is_some_and(|found| found.contains_key("aws_access_key_id"));
            return match () {
                () if has_keys => LoginSource::Keys { profile },
                () if value("login_session").is_some() => LoginSource::SignIn { profile },
                () if value("credential_process").is_some() => LoginSource::Process { profile },
                () if value("aws_access_key_id").is_some() => LoginSource::Keys { profile },
                () if is_metadata => LoginSource::Metadata { profile },
                () => LoginSource::Other { profile },
            };
        }
        LoginSource::Other { profile }
    }

    /// How it is renewed.
    pub(super) fn renewal(&self) -> Renewal {
        match self {
            LoginSource::Variables => Renewal::Advice(
                "set AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN to new keys, or unset them and choose a \
                 profile"
                    .into(),
            ),
            LoginSource::Sso { profile, .. } => {
                Renewal::Command(format!("aws sso login --profile {}", shell_word(profile)))
            }
            LoginSource::SignIn { profile } => Renewal::Command(format!("aws login --profile {}", shell_word(profile))),
            LoginSource::Process { profile } => Renewal::Advice(format!(
                "log in with the program that `credential_process` of profile `{profile}` runs"
            )),
            LoginSource::WebIdentity { token_file } => Renewal::Advice(format!(
                "write a new token to {token_file} (AWS_WEB_IDENTITY_TOKEN_FILE); the platform that made it renews it"
            )),
            LoginSource::Keys { profile } => {
                Renewal::Advice(format!("replace the keys of profile `{profile}` in the AWS credentials file"))
            }
            LoginSource::Metadata { profile } => {
                Renewal::Advice(format!("check the role of this EC2 instance (profile `{profile}`)"))
            }
            LoginSource::Other { profile } if profile == "default" => {
                Renewal::Advice("log in (`aws sso login`, `aws login`), or choose a profile with `--profile NAME`".into())
            }
            LoginSource::Other { profile } => {
                Renewal::Advice(format!("check where profile `{profile}` gets its credentials from"))
            }
        }
    }

    /// The token file that the SDK reads for an SSO profile.
    pub(super) fn token_file(&self, environment: &AwsEnvironment) -> Option<PathBuf> {
        let LoginSource::Sso { session, start_url, .. } = self else { return None };
        let name = session.as_ref().or(start_url.as_ref())?;
        login_files::sso_token(environment, name)
    }

    /// The profile that has to log in, or that has the keys.
    pub(super) fn profile(&self) -> Option<&str> {
        match self {
            LoginSource::Variables | LoginSource::WebIdentity { .. } => None,
            LoginSource::Sso { profile, .. }
            | LoginSource::SignIn { profile }
            | LoginSource::Process { profile }
            | LoginSource::Keys { profile }
            | LoginSource::Metadata { profile }
            | LoginSource::Other { profile } => Some(profile),
        }
    }
}

/// How the credentials of the profile in use are renewed.
pub fn renewal(resolved: &Resolved) -> Renewal {
    LoginSource::of(resolved).renewal()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::AwsSettings;
    use crate::aws::resolved::resolve;

    fn renewal(profile: Option<&str>, environment: &AwsEnvironment) -> Renewal {
        let settings = AwsSettings { profile: profile.map(str::to_owned), ..AwsSettings::default() };
        super::renewal(&resolve(&settings, environment))
    }

    #[test]
    fn the_command_logs_in_the_profile_that_holds_the_login() {
        let home = tempfile::tempdir().unwrap();
        let text = "[profile sso]\nsso_session = corp\nsso_account_id = 1\n[sso-session corp]\nsso_start_url = https://c\n\
                    [profile admin]\nrole_arn = r\nsource_profile = my sso\n[profile \"my sso\"]\nsso_start_url = https://d\n\
                    [profile console]\nlogin_session = arn\n[profile tool]\ncredential_process = /bin/x\n\
                    [profile keys]\naws_access_key_id = A\n[profile round]\nrole_arn = r\nsource_profile = loop\n\
                    [profile loop]\nrole_arn = r\nsource_profile = round\n";
        let config = home.path().join("config");
        std::fs::write(&config, text).unwrap();
        let mut environment = AwsEnvironment::from([("AWS_CONFIG_FILE".into(), config.display().to_string())]);
        for (profile, hint) in [
            ("sso", "log in again: `aws sso login --profile sso`"),
            ("admin", "log in again: `aws sso login --profile 'my sso'`"),
            ("console", "log in again: `aws login --profile console`"),
            ("tool", "log in with the program that `credential_process` of profile `tool` runs"),
            ("keys", "replace the keys of profile `keys` in the AWS credentials file"),
            ("round", "check where profile `round` gets its credentials from"),
        ] {
            assert_eq!(renewal(Some(profile), &environment).hint(true), hint);
        }
        environment.insert("AWS_ACCESS_KEY_ID".into(), "A".into());
        assert!(renewal(None, &environment).hint(false).starts_with("set AWS_ACCESS_KEY_ID"));
        assert!(renewal(Some("sso"), &environment).hint(false).ends_with("--profile sso`"), "explicit");
    }

    #[test]
    fn the_token_file_is_named_as_the_aws_cli_names_it() {
        let sso = |session: Option<&str>| LoginSource::Sso {
            profile: "p".into(),
            session: session.map(str::to_owned),
            start_url: Some("https://d-123.awsapps.com/start".into()),
        };
        let environment = AwsEnvironment::from([("HOME".into(), "/home/a".into())]);
        let name = sso(Some("test")).token_file(&environment).unwrap();
        assert_eq!(name.to_str(), Some("/home/a/.aws/sso/cache/a94a8fe5ccb19ba61c4c0873d391e987982fbbd3.json"));
        assert_ne!(sso(None).token_file(&environment), Some(name));
    }
}
