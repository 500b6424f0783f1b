//! The AWS SDK's configuration: loaded once, when the first call to AWS needs it, and by nobody else.
//!
//! Neighbours: `gateway/aws/` makes its clients from it, `doctor` asks for the facts of the credentials;
//! `aws/selection.rs` answers what a cached read must know without any of this. Promise: loading makes no network
//! call, the certificates of the host are read only when a request really goes over TLS, and the SDK repeats no call to
//! the services (our own pacing does, where all processes see it); only those that fetch credentials.

mod credential_error;
mod credentials;
mod login;
mod selection;

pub use credential_error::{CredentialFault, credential_fault, innermost};
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
use credential_error::judge;
use credentials::Kept;
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

fn provider_name(credentials: &Credentials) -> String {
    // The name is private to the type; its Debug text is the only door to it, and that never holds the secret.
    let text = format!("{credentials:?}");
    let name = text.split_once("provider_name: \"").and_then(|(_, rest)| rest.split('"').next());
    name.unwrap_or("unknown").to_owned()
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
}
