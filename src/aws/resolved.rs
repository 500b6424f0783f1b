//! Resolves the AWS profile, region and endpoints, as the AWS CLI does. No other module does.
//!
//! Guarantee: no call is made and no SDK is loaded, because a cached read needs it. `docs/aws-access.md` has the
//! table of precedence.

use super::AwsSettings;
use super::files::{self, Files, Profile};
use super::login_source::LoginSource;
use crate::aws::profile::AwsEnvironment;
use std::fmt;

/// An AWS service whose endpoint can be set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AwsService {
    /// IAM Identity Center.
    SsoAdmin,
    /// The users and groups of Identity Center.
    IdentityStore,
    /// AWS Organizations.
    Organizations,
    /// Roles, and the identity of the caller.
    Sts,
    /// The access portal, which provides the credentials of an SSO login.
    Sso,
    /// The service that renews an SSO login.
    SsoOidc,
    /// The service that renews an `aws login`.
    Signin,
}

impl AwsService {
    /// The services that reads and changes call.
    pub const CALLED: [AwsService; 4] =
        [AwsService::SsoAdmin, AwsService::IdentityStore, AwsService::Organizations, AwsService::Sts];

    /// The name in a `services` section; in capitals the end of `AWS_ENDPOINT_URL_...`.
    pub fn key(self) -> &'static str {
        match self {
            AwsService::SsoAdmin => "sso_admin",
            AwsService::IdentityStore => "identitystore",
            AwsService::Organizations => "organizations",
            AwsService::Sts => "sts",
            AwsService::Sso => "sso",
            AwsService::SsoOidc => "sso_oidc",
            AwsService::Signin => "signin",
        }
    }
}

/// A value and its setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResolvedValue {
    /// The value.
    pub value: String,
    /// `AWS_REGION`, ``profile `prod` in /home/a/.aws/config``.
    pub from: String,
}

/// The merged settings, variables and AWS files.
pub struct Resolved {
    pub(super) settings: AwsSettings,
    pub(super) environment: AwsEnvironment,
    pub(super) files: Files,
    /// The settings of the profile in use; `None` if it is in neither file.
    pub(super) section: Option<Profile>,
    profile: ResolvedValue,
}

// Variables and files contain secrets.
impl fmt::Debug for Resolved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolved").field("profile", &self.profile).finish_non_exhaustive()
    }
}

/// Merges settings, variables and the AWS files.
pub fn resolve(settings: &AwsSettings, environment: &AwsEnvironment) -> Resolved {
    let files = Files::read(environment);
    let profile = profile(settings, environment);
    let section = files.profile(&profile.value);
    Resolved { settings: settings.clone(), environment: environment.clone(), files, section, profile }
}

/// The profile in use. An empty variable counts as unset.
fn profile(settings: &AwsSettings, environment: &AwsEnvironment) -> ResolvedValue {
    let chosen = |value: &str, from: &str| ResolvedValue { value: value.to_owned(), from: from.to_owned() };
    if let Some(profile) = &settings.profile {
        return chosen(profile, "profile");
    }
    // The AWS CLI reads AWS_DEFAULT_PROFILE first.
    for name in ["AWS_DEFAULT_PROFILE", "AWS_PROFILE"] {
        if let Some(profile) = variable(environment, name) {
            return chosen(profile, name);
        }
    }
    match &settings.default_profile {
        Some(profile) => chosen(profile, "profile"),
        None => chosen("default", "default"),
    }
}

/// The value of a variable that is not blank.
pub(super) fn variable<'a>(environment: &'a AwsEnvironment, name: &str) -> Option<&'a str> {
    environment.get(name).map(|value| value.trim()).filter(|value| !value.is_empty())
}

impl Resolved {
    /// The profile in use and its origin: `profile` (the setting of awsideman), a variable, or `default`.
    pub fn profile(&self) -> &ResolvedValue {
        &self.profile
    }

    /// Whether the setting of awsideman chose the profile, so that it takes precedence over the keys of the
    /// environment.
    pub fn is_explicit(&self) -> bool {
        self.settings.profile.is_some()
    }

    /// Whether the environment has keys that the profile overrides.
    pub fn ignores_keys(&self) -> bool {
        self.is_explicit() && self.variable("AWS_ACCESS_KEY_ID").is_some()
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        variable(&self.environment, name)
    }

    /// A key of the profile, and its place.
    pub(super) fn setting(&self, key: &str) -> Option<ResolvedValue> {
        let section = self.section.as_ref()?;
        let of = |value: &str, path: String| ResolvedValue {
            value: value.to_owned(),
            from: format!("profile `{}` in {path}", self.profile.value),
        };
        let credentials = section.credentials.as_ref().and_then(|section| files::filled(section, key));
        if let Some(value) = credentials {
            return Some(of(value, self.files.credentials_path()));
        }
        let config = section.config.as_ref().and_then(|section| files::filled(section, key));
        config.map(|value| of(value, self.files.config_path()))
    }

    /// The first variable that is set, else a key of the profile.
    pub(super) fn variable_or_setting(&self, variables: &[&str], key: &str) -> Option<ResolvedValue> {
        let set = variables.iter().find_map(|name| {
            self.variable(name).map(|value| ResolvedValue { value: value.to_owned(), from: (*name).to_owned() })
        });
        set.or_else(|| self.setting(key))
    }

    fn is_on(&self, variable: &str, key: &str) -> bool {
        self.variable_or_setting(&[variable], key).is_some_and(|chosen| chosen.value.eq_ignore_ascii_case("true"))
    }

    /// The region: the setting's, `AWS_REGION`, `AWS_DEFAULT_REGION`, else the profile's.
    pub fn region(&self) -> Option<ResolvedValue> {
        let given = self.settings.region.as_deref().map(str::trim).filter(|region| !region.is_empty());
        match given {
            Some(region) => Some(ResolvedValue { value: region.to_owned(), from: "region".into() }),
            None => self.variable_or_setting(&["AWS_REGION", "AWS_DEFAULT_REGION"], "region"),
        }
    }

    /// The configured endpoint of a service, and its setting. `aws.endpoint_url` applies to the called services; as
    /// `--endpoint-url` of the AWS CLI it does not apply to those that provide credentials. A user name or password
    /// is removed: it would become part of messages and of the namespace.
    pub fn endpoint(&self, service: AwsService) -> Option<ResolvedValue> {
        self.endpoint_as_set(service).map(|chosen| ResolvedValue { value: without_user(&chosen.value), ..chosen })
    }

    /// The same as written in the setting.
    pub(super) fn endpoint_as_set(&self, service: AwsService) -> Option<ResolvedValue> {
        if let Some(url) = &self.settings.endpoint_url
            && AwsService::CALLED.contains(&service)
        {
            return Some(ResolvedValue { value: url.clone(), from: "aws.endpoint_url".into() });
        }
        self.configured_endpoint(service)
    }

    /// The endpoint of a service from variables and files.
    pub(super) fn configured_endpoint(&self, service: AwsService) -> Option<ResolvedValue> {
        if self.is_on("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS", "ignore_configured_endpoint_urls") {
            return None;
        }
        let own = format!("AWS_ENDPOINT_URL_{}", service.key().to_ascii_uppercase());
        for name in [own.as_str(), "AWS_ENDPOINT_URL"] {
            if let Some(url) = self.variable(name) {
                return Some(ResolvedValue { value: url.to_owned(), from: name.to_owned() });
            }
        }
        let section = self.section.as_ref()?;
        let services = section.get("services").and_then(|name| Some((name, self.files.services(name)?)));
        if let Some((name, services)) = services
            && let Some(url) = files::nested(&services, service.key(), "endpoint_url")
        {
            let from = format!("services `{name}` in {}", self.files.config_path());
            return Some(ResolvedValue { value: url.to_owned(), from });
        }
        self.setting("endpoint_url")
    }

    /// The region of the SSO login behind the profile, which is a region of the organization's instance.
    pub fn sso_region(&self) -> Option<String> {
        let source = LoginSource::of_profile(self);
        let LoginSource::Sso { profile, session, .. } = &source else { return None };
        let of_session = session.as_ref().and_then(|session| self.files.sso_session(session));
        let of_session = of_session.and_then(|section| files::filled(&section, "sso_region").map(str::to_owned));
        of_session.or_else(|| self.files.profile(profile)?.get("sso_region").map(str::to_owned))
    }

    /// Whether FIPS endpoints are requested.
    pub fn fips(&self) -> bool {
        self.is_on("AWS_USE_FIPS_ENDPOINT", "use_fips_endpoint")
    }

    /// Whether dual-stack endpoints are requested.
    pub fn dual_stack(&self) -> bool {
        self.is_on("AWS_USE_DUALSTACK_ENDPOINT", "use_dualstack_endpoint")
    }

    /// The problem of the AWS files or the profile that the AWS CLI would refuse too.
    pub fn problem(&self) -> Option<String> {
        // The AWS CLI skips a file without read permission: keys in the environment work without it. Without such
        // keys another account would be used.
        let has_keys = !self.is_explicit() && self.variable("AWS_ACCESS_KEY_ID").is_some();
        if let Some(unreadable) = self.files.unreadable(has_keys) {
            return Some(unreadable);
        }
        if let Some(malformed) = self.files.malformed() {
            return Some(malformed);
        }
        let name = &self.profile.value;
        let (config, credentials) = (self.files.config_path(), self.files.credentials_path());
        let Some(section) = &self.section else {
            // Only the default profile may be absent, and only if no setting chose it.
            return (self.profile.from != "default")
                .then(|| format!("profile `{name}` is in neither {config} nor {credentials}{}", self.nearest(name)));
        };
        if let Some(source) = section.get("source_profile").filter(|source| self.files.profile(source).is_none()) {
            let nearest = self.nearest(source);
            return Some(format!(
                "profile `{name}` names source_profile `{source}`, which is in neither {config} nor {credentials}{nearest}"
            ));
        }
        let missing = |key: &str, is_there: &dyn Fn(&str) -> bool| {
            let other = section.get(key).filter(|other| !is_there(other))?;
            Some(format!("profile `{name}` names {key} `{other}`, which is not in {config}"))
        };
        missing("sso_session", &|session| self.files.sso_session(session).is_some())
            .or_else(|| missing("services", &|services| self.files.services(services).is_some()))
    }

    /// `; did you mean` with the most similar profile name.
    fn nearest(&self, name: &str) -> String {
        let names = self.files.profile_names();
        let distance = |other: &String| strsim::damerau_levenshtein(&other.to_lowercase(), &name.to_lowercase());
        let nearest = names.iter().min_by_key(|other| distance(other));
        match nearest.filter(|other| distance(other) <= 1.max(name.chars().count() / 3)) {
            Some(other) => format!("; did you mean `{other}`?"),
            None => String::new(),
        }
    }
}

/// A URL without user name and password.
fn without_user(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    format!("{scheme}://{}{path}", authority.rsplit('@').next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn variables(pairs: &[(&str, &str)]) -> AwsEnvironment {
        pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    fn region(settings: &AwsSettings, environment: &AwsEnvironment) -> Option<String> {
        resolve(settings, environment).region().map(|region| region.value)
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
        let with = |profile: &str| AwsSettings { profile: Some(profile.into()), ..AwsSettings::default() };
        let only_home = variables(&[("HOME", home)]);
        assert_eq!(region(&AwsSettings::default(), &only_home).as_deref(), Some("eu-north-1"));
        assert_eq!(region(&with("ops"), &only_home).as_deref(), Some("eu-west-3"));
        assert_eq!(region(&with("bare"), &only_home).as_deref(), Some("ca-central-1"));
        assert_eq!(region(&with("corp"), &only_home), None, "an sso-session is no profile");
        let chosen = variables(&[("HOME", home), ("AWS_PROFILE", "ops"), ("AWS_DEFAULT_REGION", "")]);
        assert_eq!(region(&AwsSettings::default(), &chosen).as_deref(), Some("eu-west-3"));
        let both = variables(&[("HOME", home), ("AWS_DEFAULT_REGION", "sa-east-1"), ("AWS_REGION", "ap-south-1")]);
        assert_eq!(region(&AwsSettings::default(), &both).as_deref(), Some("ap-south-1"));
        let flag = AwsSettings { region: Some("us-west-2".into()), ..AwsSettings::default() };
        assert_eq!(region(&flag, &both).as_deref(), Some("us-west-2"));
        assert_eq!(region(&AwsSettings::default(), &AwsEnvironment::new()), None);
    }

    #[test]
    fn a_profile_that_leads_nowhere_is_reported_with_the_files_that_were_read() {
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
        let wrong = |name: &str| {
            resolve(&AwsSettings { profile: Some(name.into()), ..AwsSettings::default() }, &environment).problem()
        };
        assert!(wrong("x").unwrap().starts_with("profile `x` is in neither "));
        assert!(wrong("x").unwrap().contains(config.to_str().unwrap()));
        assert!(wrong("a").unwrap().contains("source_profile `gone`"));
        assert!(wrong("b").unwrap().contains("sso_session `gone`"));
        assert_eq!((wrong("c"), wrong("d"), wrong("default")), (None, None, None));
        assert_eq!(resolve(&AwsSettings::default(), &environment).problem(), None);
    }
}
