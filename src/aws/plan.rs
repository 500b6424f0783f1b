//! Chooses the source of the credentials, in the order of the AWS CLI, from variables and files alone.
//!
//! Guarantee: no call is made; only the first configured source is used. An explicit profile ignores the keys of the
//! environment, even if it has none itself.

use super::files::{Profile, filled};
use super::resolved::Resolved;
use aws_credential_types::Credentials;
use std::time::{Duration, UNIX_EPOCH};

/// The source of credentials before any role is assumed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum BaseSource {
    /// Keys in variables or in a file.
    Keys(Credentials),
    /// A token that is exchanged for a role.
    WebIdentity { token_file: String, role_arn: String, session_name: Option<String> },
    /// An SSO login.
    Sso { start_url: String, region: String, account: String, role: String, session: Option<String> },
    /// An `aws login`.
    Login { session: String },
    /// A program.
    Process { command: String },
    /// The agent of a container.
    Container,
    /// The metadata service of EC2.
    Metadata,
}

/// A role that is assumed with the credentials before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Role {
    pub(super) arn: String,
    pub(super) external_id: Option<String>,
    pub(super) session_name: Option<String>,
    pub(super) duration: Option<Duration>,
}

/// The source of the credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct CredentialPlan {
    pub(super) base: BaseSource,
    /// The roles in the order in which they are assumed.
    pub(super) roles: Vec<Role>,
    /// The base, for display.
    from: String,
}

/// Why no source can be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum PlanFault {
    /// A role needs an MFA code.
    #[error(
        "profile `{profile}` assumes a role with the MFA device `{serial}` (mfa_serial), and awsideman cannot ask for its code"
    )]
    Mfa { profile: String, serial: String },
    /// The profile is invalid.
    #[error("{0}")]
    Wrong(String),
    /// A variable is invalid or missing.
    #[error("{detail}")]
    Variable { detail: String, hint: &'static str },
}

fn wrong<T>(text: String) -> Result<T, PlanFault> {
    Err(PlanFault::Wrong(text))
}

impl CredentialPlan {
    /// The source, for display: `role arn:... with keys of profile ...`.
    pub(super) fn source(&self) -> String {
        let roles = self.roles.iter().rev().map(|role| format!("role {} with ", role.arn));
        roles.collect::<String>() + &self.from
    }
}

/// Chooses the source.
pub(super) fn plan(resolved: &Resolved) -> Result<CredentialPlan, PlanFault> {
    let name = resolved.profile().value.as_str();
    if !resolved.is_explicit()
        && let Some(keys) = environment_keys(resolved)?
    {
        return Ok(CredentialPlan {
            base: BaseSource::Keys(keys),
            roles: Vec::new(),
            from: "AWS_ACCESS_KEY_ID".into(),
        });
    }
    let none = Profile::default();
    let profile = resolved.section.as_ref().unwrap_or(&none);
    if assumes_role(profile) {
        return role_chain(resolved, name);
    }
    let found = match of_profile(resolved, name, profile, !resolved.is_explicit())? {
        Some(found) => found,
        None => of_host(resolved),
    };
    Ok(CredentialPlan { base: found.0, roles: Vec::new(), from: found.1 })
}

/// The sources of the host for any process.
fn of_host(resolved: &Resolved) -> (BaseSource, String) {
    let container = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
    match container.into_iter().find(|name| resolved.variable(name).is_some()) {
        Some(name) => (BaseSource::Container, format!("the container ({name})")),
        None => (BaseSource::Metadata, "the metadata service of EC2".into()),
    }
}

/// The keys in variables.
fn environment_keys(resolved: &Resolved) -> Result<Option<Credentials>, PlanFault> {
    let raw = |name: &str| resolved.environment.get(name).filter(|value| !value.trim().is_empty()).cloned();
    let Some(key) = raw("AWS_ACCESS_KEY_ID") else { return Ok(None) };
    let Some(secret) = raw("AWS_SECRET_ACCESS_KEY") else {
        return Err(PlanFault::Variable {
            detail: "AWS_ACCESS_KEY_ID is set and AWS_SECRET_ACCESS_KEY is not".into(),
            hint: "set AWS_SECRET_ACCESS_KEY too, or unset AWS_ACCESS_KEY_ID",
        });
    };
    let token = raw("AWS_SECURITY_TOKEN").or_else(|| raw("AWS_SESSION_TOKEN"));
    let mut keys = Credentials::builder().access_key_id(key).secret_access_key(secret).provider_name("Environment");
    keys.set_session_token(token);
    keys.set_account_id(raw("AWS_ACCOUNT_ID").map(Into::into));
    let ends = raw("AWS_CREDENTIAL_EXPIRATION").and_then(|text| crate::aws::sso_session::time(&text));
    keys.set_expiry(ends.and_then(|at| Some(UNIX_EPOCH + Duration::from_millis(u64::try_from(at).ok()?))));
    Ok(Some(keys.build()))
}

fn assumes_role(profile: &Profile) -> bool {
    profile.get("role_arn").is_some() && profile.get("web_identity_token_file").is_none()
}

fn has_keys(profile: &Profile) -> bool {
    profile.get("aws_access_key_id").is_some() || profile.get("aws_secret_access_key").is_some()
}

/// Follows `source_profile` and `credential_source` to the credentials that assume the first role.
fn role_chain(resolved: &Resolved, first: &str) -> Result<CredentialPlan, PlanFault> {
    let (mut roles, mut visited) = (Vec::new(), Vec::<String>::new());
    let mut name = first.to_owned();
    loop {
        let Some(profile) = resolved.files.profile(&name) else {
            return wrong(format!("profile `{name}` is in no file"));
        };
        // A profile may name itself, for its own keys; the keys of another profile end the chain.
        let is_again = visited.contains(&name);
        if is_again && !(has_keys(&profile) && visited.last() == Some(&name)) {
            return wrong(format!("the source_profile of profile `{first}` leads back to `{name}`"));
        }
        if !assumes_role(&profile) || (!visited.is_empty() && has_keys(&profile)) {
            let Some((base, from)) = of_profile(resolved, &name, &profile, false)? else {
                return wrong(format!(
                    "profile `{name}` has no credentials, and profile `{first}` takes its own from it"
                ));
            };
            roles.reverse();
            return Ok(CredentialPlan { base, roles, from });
        }
        if let Some(serial) = profile.get("mfa_serial") {
            return Err(PlanFault::Mfa { profile: name, serial: serial.to_owned() });
        }
        let text = |key: &str| profile.get(key).map(str::to_owned);
        let seconds = profile.get("duration_seconds").and_then(|text| text.parse().ok());
        roles.push(Role {
            arn: text("role_arn").unwrap_or_default(),
            external_id: text("external_id"),
            session_name: text("role_session_name"),
            duration: seconds.map(Duration::from_secs),
        });
        visited.push(name.clone());
        name = match (profile.get("source_profile"), profile.get("credential_source")) {
            (Some(source), None) => source.to_owned(),
            (None, Some(source)) => {
                let (base, from) = named_source(resolved, &name, source)?;
                roles.reverse();
                return Ok(CredentialPlan { base, roles, from });
            }
            (Some(_), Some(_)) => {
                return wrong(format!("profile `{name}` has both source_profile and credential_source"));
            }
            (None, None) => {
                return wrong(format!("profile `{name}` has role_arn without source_profile or credential_source"));
            }
        };
    }
}

/// The source of a `credential_source`.
fn named_source(resolved: &Resolved, name: &str, source: &str) -> Result<(BaseSource, String), PlanFault> {
    let chosen = |base, from: &str| Ok((base, format!("{from} (credential_source of profile `{name}`)")));
    match source {
        "Environment" => match environment_keys(resolved)? {
            Some(keys) => chosen(BaseSource::Keys(keys), "AWS_ACCESS_KEY_ID"),
            None => Err(PlanFault::Variable {
                detail: format!("profile `{name}` takes its credentials from AWS_ACCESS_KEY_ID, which is not set"),
                hint: "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or change credential_source of the profile",
            }),
        },
        "EcsContainer" => chosen(BaseSource::Container, "the container"),
        "Ec2InstanceMetadata" => chosen(BaseSource::Metadata, "the metadata service of EC2"),
        _ => wrong(format!(
            "profile `{name}` has the credential_source `{source}`; it can be Environment, Ec2InstanceMetadata or \
             EcsContainer"
        )),
    }
}

/// The sources of one profile other than a role, in the order of the AWS CLI.
fn of_profile(
    resolved: &Resolved,
    name: &str,
    profile: &Profile,
    with_variables: bool,
) -> Result<Option<(BaseSource, String)>, PlanFault> {
    if let Some(found) = web_identity(resolved, name, profile, with_variables)? {
        return Ok(Some(found));
    }
    if let Some(found) = sso(resolved, name, profile)? {
        return Ok(Some(found));
    }
    let in_credentials = profile.credentials.as_ref();
    if let Some(keys) = in_credentials.map_or(Ok(None), |section| keys(name, section))? {
        let from = format!("the keys of profile `{name}` in {}", resolved.files.credentials_path());
        return Ok(Some((BaseSource::Keys(keys), from)));
    }
    if let Some(session) = profile.get("login_session") {
        return Ok(Some((
            BaseSource::Login { session: session.to_owned() },
            format!("the `aws login` of profile `{name}`"),
        )));
    }
    if let Some(command) = profile.get("credential_process") {
        let from = format!("the credential_process of profile `{name}`");
        return Ok(Some((BaseSource::Process { command: command.to_owned() }, from)));
    }
    let in_config = profile.config.as_ref();
    if let Some(keys) = in_config.map_or(Ok(None), |section| keys(name, section))? {
        let from = format!("the keys of profile `{name}` in {}", resolved.files.config_path());
        return Ok(Some((BaseSource::Keys(keys), from)));
    }
    Ok(None)
}

fn keys(name: &str, section: &super::files::IniSection) -> Result<Option<Credentials>, PlanFault> {
    let Some(key) = filled(section, "aws_access_key_id") else { return Ok(None) };
    let Some(secret) = filled(section, "aws_secret_access_key") else {
        return wrong(format!("profile `{name}` has aws_access_key_id without aws_secret_access_key"));
    };
    let token = filled(section, "aws_security_token").or_else(|| filled(section, "aws_session_token"));
    let mut keys = Credentials::builder().access_key_id(key).secret_access_key(secret).provider_name("ProfileFile");
    keys.set_session_token(token.map(str::to_owned));
    keys.set_account_id(filled(section, "aws_account_id").map(Into::into));
    Ok(Some(keys.build()))
}

fn web_identity(
    resolved: &Resolved,
    name: &str,
    profile: &Profile,
    with_variables: bool,
) -> Result<Option<(BaseSource, String)>, PlanFault> {
    let value = |variable: &str, key: &str| {
        let set = resolved.variable(variable).filter(|_| with_variables);
        set.or_else(|| profile.get(key)).map(str::to_owned)
    };
    let Some(token_file) = value("AWS_WEB_IDENTITY_TOKEN_FILE", "web_identity_token_file") else { return Ok(None) };
    let Some(role_arn) = value("AWS_ROLE_ARN", "role_arn") else {
        return Err(PlanFault::Variable {
            detail: format!("the web identity token {token_file} has no role (profile `{name}`)"),
            hint: "set AWS_ROLE_ARN, or role_arn in the profile",
        });
    };
    let from = format!("the web identity token {token_file}");
    let session_name = value("AWS_ROLE_SESSION_NAME", "role_session_name");
    Ok(Some((BaseSource::WebIdentity { token_file, role_arn, session_name }, from)))
}

fn sso(resolved: &Resolved, name: &str, profile: &Profile) -> Result<Option<(BaseSource, String)>, PlanFault> {
    if profile.get("sso_role_name").is_none() && profile.get("sso_account_id").is_none() {
        return Ok(None);
    }
    let session = profile.get("sso_session").map(str::to_owned);
    let section = session.as_ref().map(|session| resolved.files.sso_session(session).unwrap_or_default());
    let value = |key: &str| {
        let of_session = section.as_ref().and_then(|section| filled(section, key));
        if let (Some(a), Some(b)) = (of_session, profile.get(key))
            && a != b
        {
            return wrong(format!("profile `{name}` and its sso-session have two values for {key}"));
        }
        match of_session.or_else(|| profile.get(key)) {
            Some(value) => Ok(value.to_owned()),
            None => wrong(format!("profile `{name}` logs in with SSO and has no {key}")),
        }
    };
    let base = BaseSource::Sso {
        start_url: value("sso_start_url")?,
        region: value("sso_region")?,
        account: value("sso_account_id")?,
        role: value("sso_role_name")?,
        session: session.clone(),
    };
    let from = match session {
        Some(session) => format!("the SSO login `{session}` of profile `{name}`"),
        None => format!("the SSO login of profile `{name}`"),
    };
    Ok(Some((base, from)))
}
