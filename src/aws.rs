//! The AWS SDK's configuration: loaded once, when the first call to AWS needs it, and by nobody else.
//!
//! Neighbours: `gateway/aws/` makes its clients from it, `doctor` asks for the facts of the credentials;
//! `aws/selection.rs` answers what a cached read must know without any of this. Promise: loading makes no network
//! call, the certificates of the host are read only when a request really goes over TLS, and the SDK repeats no call to
//! the services (our own pacing does, where all processes see it); only those that fetch credentials.

mod credentials;
mod login;
mod selection;

pub use login::{Login, login};
pub use selection::{Environment, browser_login, credential_fingerprint, environment, region};

use crate::clock::UnixMillis;
use crate::http;
pub use aws_config::SdkConfig;
use aws_config::default_provider::credentials::DefaultCredentialsChain;
use aws_config::provider_config::ProviderConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region, imds};
use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use credentials::Kept;
use std::error::Error;
use std::time::{Duration, UNIX_EPOCH};

/// How long the instance metadata service of a host in EC2 may take: where there is none, nobody waits for it.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);

/// What selects an account, a region and a way to AWS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AwsSettings {
    /// The profile; `None` is the SDK's own choice (`AWS_PROFILE`, else `default`).
    pub profile: Option<String>,
    /// The region; `None` is `AWS_REGION`, `AWS_DEFAULT_REGION` or the profile's.
    pub region: Option<String>,
    /// An endpoint for every service, before every `AWS_ENDPOINT_URL*`.
    pub endpoint_url: Option<String>,
    /// How long one connection attempt may take.
    pub connect_timeout: Duration,
    /// How long one call may take, answer included.
    pub operation_timeout: Duration,
    /// An access key and its secret, used in place of every other source of credentials.
    pub static_credentials: Option<(String, String)>,
}

/// What is known about the credentials in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CredentialFacts {
    /// The account that they belong to, where their source says so.
    pub account: Option<String>,
    /// When they end; `None` for keys without an end.
    pub expiry: Option<UnixMillis>,
    /// The source that brought them, in the SDK's word (`EnvironmentVariable`, `ProfileFile`, `SSO`).
    pub provider: String,
}

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// No source has any.
    #[error("no AWS credentials were found: {0}")]
    Missing(String),
    /// There is a login, and it is over (or was never made on this host).
    #[error("the AWS login has expired: {0}")]
    Expired(String),
    /// The profile or its files are not as they must be.
    #[error("the AWS configuration cannot be used: {0}")]
    Configuration(String),
    /// The service that hands them out cannot be reached.
    #[error("the source of the AWS credentials cannot be reached: {0}")]
    Unreachable(String),
}

/// Loads the SDK's configuration: the environment, the AWS files and `settings` on top.
pub async fn load(settings: &AwsSettings) -> SdkConfig {
    let client = http::client();
    let region = region(settings, &environment()).map(Region::new);
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.connect_timeout)
        .operation_timeout(settings.operation_timeout)
        .build();
    let mut loader = aws_config::defaults(BehaviorVersion::latest())
        .http_client(client.clone())
        .region(region.clone())
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts.clone());
    // In the user agent, and so in CloudTrail.
    if let Ok(name) = AppName::new("awsideman") {
        loader = loader.app_name(name);
    }
    if let Some(url) = &settings.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    if let Some(profile) = &settings.profile {
        loader = loader.profile_name(profile);
    }
    if let Some((key, secret)) = &settings.static_credentials {
        return loader.credentials_provider(Credentials::new(key, secret, None, None, "static")).load().await;
    }
    let provider = ProviderConfig::without_region()
        .with_http_client(client)
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_region(region.clone())
        // The calls that fetch credentials pass no pace of ours: here the SDK tries again.
        .with_retry_config(RetryConfig::standard().with_max_attempts(3))
        .with_timeout_config(timeouts);
    let metadata = imds::Client::builder()
        .configure(&provider)
        .max_attempts(1)
        .connect_timeout(METADATA_TIMEOUT)
        .read_timeout(METADATA_TIMEOUT)
        .operation_timeout(METADATA_TIMEOUT)
        .build();
    let mut chain = DefaultCredentialsChain::builder().configure(provider).imds_client(metadata);
    chain.set_region(region);
    if let Some(profile) = &settings.profile {
        chain = chain.profile_name(profile);
    }
    loader.credentials_provider(Kept::new(chain.build().await, settings.operation_timeout)).load().await
}

/// Resolves the credentials and says what is known about them; the secret stays inside.
///
/// `profile` is the one in the settings; it makes the fault more exact.
pub async fn credentials(config: &SdkConfig, profile: Option<&str>) -> Result<CredentialFacts, CredentialFault> {
    let Some(provider) = config.credentials_provider() else {
        return Err(CredentialFault::Missing("no source of credentials is configured".into()));
    };
    let found = provider.provide_credentials().await.map_err(|error| judge(&error, profile))?;
    let expiry = found.expiry().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(crate::clock::millis);
    let account = found.account_id().map(|id| id.as_str().to_owned());
    Ok(CredentialFacts { account, expiry, provider: provider_name(&found) })
}

/// Finds a failure to get credentials in the chain of an SDK error.
pub fn credential_fault(error: &(dyn Error + 'static), profile: Option<&str>) -> Option<CredentialFault> {
    chain(error).find_map(|error| error.downcast_ref()).map(|error| judge(error, profile))
}

/// The innermost reason of an error, in one line.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    let last = chain(error).last().unwrap_or(error);
    last.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

fn provider_name(credentials: &Credentials) -> String {
    // The name is private to the type; its Debug text is the only door to it, and that never holds the secret.
    let text = format!("{credentials:?}");
    let name = text.split_once("provider_name: \"").and_then(|(_, rest)| rest.split('"').next());
    name.unwrap_or("unknown").to_owned()
}

/// What an error of the SDK's means. Its types tell little (an absent profile ends as a failure of the last source that
/// was tried), so its texts and the files themselves are looked at as well.
fn judge(error: &CredentialsError, profile: Option<&str>) -> CredentialFault {
    let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
    let detail = innermost(error);
    let all = texts.join(": ").to_ascii_lowercase();
    let says = |marks: &[&str]| marks.iter().any(|mark| all.contains(mark));
    if says(&["cached sso token", "cached login", "/sso/cache/", "/login/cache/"]) && !says(&["expired"]) {
        return CredentialFault::Expired(format!("there is no login on this host yet ({detail})"));
    }
    if says(&["expired", "invalid_grant", "invalidgrant", "unauthorizedexception", "session token not found"]) {
        return CredentialFault::Expired(detail);
    }
    let nothing = matches!(error, CredentialsError::CredentialsNotLoaded(_)) || says(&["imds"]);
    // The SDK tells what is wrong with a profile once, and this from then on.
    let taken = says(&["already taken"]);
    if nothing || taken {
        if let Some(wrong) = selection::wrong_profile(profile, &environment()) {
            return CredentialFault::Configuration(wrong);
        }
        let looked = "looked at the AWS_* variables, the profile, web identity, the container and EC2";
        return CredentialFault::Missing(looked.into());
    }
    match error {
        CredentialsError::ProviderTimedOut(_) => CredentialFault::Unreachable(detail),
        CredentialsError::ProviderError(_)
            if says(&["dispatch failure", "timed out", "timeout", "connect", "toomanyrequests", "throttl"]) =>
        {
            CredentialFault::Unreachable(detail)
        }
        _ => CredentialFault::Configuration(detail),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> AwsSettings {
        AwsSettings {
            profile: None,
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://127.0.0.1:9".into()),
            connect_timeout: Duration::from_secs(1),
            operation_timeout: Duration::from_secs(2),
            static_credentials: Some(("AKIDEXAMPLE".into(), "secret".into())),
        }
    }

    #[tokio::test]
    async fn static_credentials_beat_everything_and_their_secret_is_not_told() {
        let config = load(&settings()).await;
        assert_eq!(config.region().map(ToString::to_string).as_deref(), Some("eu-west-1"));
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:9"));
        let facts = credentials(&config, None).await.unwrap();
        assert_eq!(facts, CredentialFacts { account: None, expiry: None, provider: "static".into() });
    }

    #[tokio::test]
    async fn the_sdk_itself_never_retries() {
        let config = load(&settings()).await;
        assert_eq!(config.retry_config().unwrap().max_attempts(), 1);
        assert_eq!(config.timeout_config().unwrap().connect_timeout(), Some(Duration::from_secs(1)));
        assert_eq!(config.timeout_config().unwrap().operation_timeout(), Some(Duration::from_secs(2)));
    }

    #[test]
    fn faults_of_credentials_fall_into_classes_with_different_remedies() {
        let judge = |error: &CredentialsError| super::judge(error, Some("a-profile-that-no-host-has"));
        let expired = CredentialsError::provider_error("the SSO token has expired and cannot be refreshed");
        assert!(matches!(judge(&expired), CredentialFault::Expired(d) if d.contains("cannot be refreshed")));
        for never in ["failed to load the cached SSO token", "failed to read `/home/a/.aws/sso/cache/1.json`"] {
            let never = CredentialsError::provider_error(never);
            assert!(matches!(judge(&never), CredentialFault::Expired(d) if d.contains("no login on this host")));
        }
        let metadata = CredentialsError::provider_error("request forbidden: IMDS is disabled");
        for none in [CredentialsError::not_loaded("no providers in chain provided credentials"), metadata] {
            assert!(matches!(super::judge(&none, None), CredentialFault::Missing(d) if d.contains("AWS_*")));
            assert!(matches!(judge(&none), CredentialFault::Configuration(d) if d.contains("a-profile-that-no-host")));
        }
        let broken = CredentialsError::invalid_configuration("profile `x` has no sso_region");
        assert!(matches!(judge(&broken), CredentialFault::Configuration(d) if d.contains("sso_region")));
        let late = CredentialsError::provider_timed_out(Duration::from_secs(5));
        assert!(matches!(judge(&late), CredentialFault::Unreachable(_)));
    }
}
