//! Loads the configuration of the AWS SDK once, before the first call to AWS.
//!
//! Loading makes no network call, the certificates of the host are read only when a request really goes over TLS,
//! and the SDK repeats no call, those that fetch credentials included: the gateway's rate limiter has the only
//! retry policy.

mod account;
mod credential_answer;
mod credential_error;
mod credential_http;
mod credential_process;
mod credentials;
mod error_class;
mod files;
mod header_text;
mod login_files;
mod login_source;
mod network;
mod plan;
mod profile;
mod region;
mod resolved;
mod sources;
mod sso_session;

pub use account::credential_owner;
pub use aws_config::SdkConfig;
pub use credential_error::{CredentialFault, SettingFault, credential_fault, innermost};
pub use error_class::{CODES, ErrorClass};
pub use login_source::{Renewal, renewal};
pub use profile::{AwsEnvironment, browser_login, credential_fingerprint, credential_program, environment, mfa_device};
pub use resolved::{AwsService, Resolved, ResolvedValue, resolve};
pub use sso_session::{SsoLogin, login};

use crate::clock::UnixMillis;
use crate::http::{self, Network};
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_config::{AppName, BehaviorVersion, Region};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_smithy_async::rt::sleep::TokioSleep;
use aws_smithy_async::time::SystemTimeSource;
use credential_error::ErrorClassifier;
use credentials::CachedCredentials;
use plan::PlanFault;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

/// What selects an account, a region and a way to AWS.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AwsSettings {
    /// The explicit profile: it takes precedence over the keys in the environment.
    pub profile: Option<String>,
    /// The profile when nothing else names one, not even a variable; `None` is `default`.
    pub default_profile: Option<String>,
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
    /// The source that they come from: `AWS_ACCESS_KEY_ID`, the SSO login of a profile.
    pub source: String,
}

/// The SDK's configuration, from which each service's client is made.
#[derive(Debug)]
pub struct AwsAccess {
    sdk: SdkConfig,
    /// The source of the credentials, for display.
    source: String,
    resolved: Arc<Resolved>,
}

/// Loads the SDK's configuration: the environment, the AWS files and `settings` on top. The SDK itself reads none of them.
pub fn load(settings: &AwsSettings) -> Result<AwsAccess, CredentialFault> {
    let resolved = resolve(settings, &environment());
    let region = resolved.region().map(|region| Region::new(region.value));
    let timeouts = TimeoutConfig::builder()
        .connect_timeout(settings.connect_timeout)
        .operation_timeout(settings.operation_timeout)
        .build();
    let network = match &settings.static_credentials {
        None => network::network(&resolved)?,
        // The sandbox and tests are reached over loopback.
        Some(_) => Network::default(),
    };
    let builder = SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .http_client(http::client(&network))
        .region(region)
        .retry_config(RetryConfig::disabled())
        .timeout_config(timeouts)
        .sleep_impl(TokioSleep::new())
        .time_source(SystemTimeSource::new())
        .use_fips(resolved.fips())
        .use_dual_stack(resolved.dual_stack());
    // In the user agent, and so in CloudTrail.
    let builder = match AppName::new("awsideman") {
        Ok(name) => builder.app_name(name),
        Err(_) => builder,
    };
    if let Some((key, secret)) = &settings.static_credentials {
        let keys = Credentials::new(key, secret, None, None, "static");
        let sdk = builder.credentials_provider(SharedCredentialsProvider::new(keys)).build();
        return Ok(AwsAccess { sdk, source: "static".into(), resolved: Arc::new(resolved) });
    }
    if let Some(problem) = resolved.problem() {
        return Err(CredentialFault::Configuration(problem));
    }
    check_texts(&resolved)?;
    check_region(&resolved)?;
    let plan = plan::plan(&resolved)?;
    let source = plan.source();
    let judge = ErrorClassifier::new(&resolved);
    let resolved = Arc::new(resolved);
    let sdk = builder.build();
    let make = make(plan, sdk.clone(), Arc::clone(&resolved));
    let kept = CachedCredentials::new(make, judge, settings.operation_timeout);
    let sdk = sdk.into_builder().credentials_provider(SharedCredentialsProvider::new(kept)).build();
    Ok(AwsAccess { sdk, source, resolved })
}

/// Whether the region can be one; no request is made for it.
pub fn check_region(resolved: &Resolved) -> Result<(), SettingFault> {
    let Some(region) = resolved.region() else { return Ok(()) };
    let Some(wrong) = region::wrong(&region.value) else { return Ok(()) };
    let hint = "name the region of Identity Center: `--region`, AWS_REGION, or `region` in the profile".into();
    Err(SettingFault { detail: format!("{wrong} (from {})", origin(&region.from)), hint })
}

/// Whether the endpoints and the texts that go into headers can be used; no request is made for it.
pub fn check_texts(resolved: &Resolved) -> Result<(), SettingFault> {
    header_text::wrong(resolved).map_or(Ok(()), Err)
}

fn origin(from: &str) -> &str {
    if from == "region" { "`--region` or the key `region`" } else { from }
}

/// The source of the credentials, for display; makes no call.
pub fn credential_source(resolved: &Resolved) -> Result<String, CredentialFault> {
    match resolved.problem() {
        Some(problem) => Err(CredentialFault::Configuration(problem)),
        None => Ok(plan::plan(resolved)?.source()),
    }
}

/// The certificates and the proxy in use, for display; `None` if no setting chooses them.
pub fn network_in_use(resolved: &Resolved) -> Result<Option<String>, SettingFault> {
    let network = network::network(resolved)?;
    let proxy = network.proxy.map(|proxy| format!("proxy {proxy}"));
    let roots = network.roots_from.map(|roots| format!("certificates of {roots}"));
    let found: Vec<String> = proxy.into_iter().chain(roots).collect();
    Ok((!found.is_empty()).then(|| found.join(", ")))
}

impl From<PlanFault> for CredentialFault {
    fn from(fault: PlanFault) -> CredentialFault {
        match &fault {
            PlanFault::Wrong(text) => CredentialFault::Configuration(text.clone()),
            PlanFault::Variable { detail, hint } => {
                SettingFault { detail: detail.clone(), hint: (*hint).to_owned() }.into()
            }
            PlanFault::Mfa { profile, .. } => CredentialFault::Mfa {
                detail: fault.to_string(),
                hint: format!(
                    "use another profile that has `credential_process = aws configure export-credentials --profile \
                     {profile} --format process`: the AWS CLI asks for the code"
                ),
            },
        }
    }
}

/// Makes the source of a plan, whose requests are recorded and not repeated.
fn make(plan: plan::CredentialPlan, sdk: SdkConfig, resolved: Arc<Resolved>) -> credentials::MakeSource {
    Box::new(move |exchanges| {
        let client = sdk.http_client().map(|client| exchanges.client(client));
        let mut builder = sdk.to_builder();
        builder.set_http_client(client);
        let (plan, sdk, resolved) = (plan.clone(), builder.build(), Arc::clone(&resolved));
        Box::pin(async move { Box::pin(sources::provider(&plan, &sdk, &resolved)).await })
    })
}

impl AwsAccess {
    /// The configuration for the client of a service.
    pub fn config(&self, service: AwsService) -> SdkConfig {
        match self.resolved.endpoint(service) {
            Some(endpoint) => self.sdk.to_builder().endpoint_url(endpoint.value).build(),
            None => self.sdk.clone(),
        }
    }

    /// Resolves the credentials and says what is known about them; the secret stays inside.
    pub async fn credentials(&self) -> Result<CredentialFacts, CredentialFault> {
        let missing = || CredentialFault::Missing("no source of credentials is configured".into());
        let provider = self.sdk.credentials_provider().ok_or_else(missing)?;
        let found = provider.provide_credentials().await;
        let found = found.map_err(|error| credential_fault(&error).unwrap_or_else(missing))?;
        let expiry = found.expiry().and_then(|at| at.duration_since(UNIX_EPOCH).ok()).map(crate::clock::millis);
        let account = found.account_id().map(|id| id.as_str().to_owned());
        Ok(CredentialFacts { account, expiry, source: self.source.clone() })
    }
}

/// The SDK's name for the source of the credentials.
fn provider_name(credentials: &Credentials) -> String {
    // The name is private to the type; only its Debug text has it, which never holds the secret.
    let text = format!("{credentials:?}");
    let name = text.split_once("provider_name: \"").and_then(|(_, rest)| rest.split('"').next());
    name.unwrap_or("unknown").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settings() -> AwsSettings {
        AwsSettings {
            region: Some("eu-west-1".into()),
            endpoint_url: Some("http://127.0.0.1:9".into()),
            connect_timeout: Duration::from_secs(1),
            operation_timeout: Duration::from_secs(2),
            static_credentials: Some(("AKIDEXAMPLE".into(), "secret".into())),
            ..AwsSettings::default()
        }
    }

    #[tokio::test]
    async fn static_credentials_win_over_everything_and_their_secret_is_not_shown() {
        let access = load(&settings()).unwrap();
        let config = access.config(AwsService::SsoAdmin);
        assert_eq!(config.region().map(ToString::to_string).as_deref(), Some("eu-west-1"));
        assert_eq!(config.endpoint_url(), Some("http://127.0.0.1:9"));
        let facts = access.credentials().await.unwrap();
        assert_eq!(facts, CredentialFacts { account: None, expiry: None, source: "static".into() });
    }

    #[tokio::test]
    async fn the_sdk_itself_never_retries() {
        let config = load(&settings()).unwrap().config(AwsService::Sts);
        assert_eq!(config.retry_config().unwrap().max_attempts(), 1);
        assert_eq!(config.timeout_config().unwrap().connect_timeout(), Some(Duration::from_secs(1)));
        assert_eq!(config.timeout_config().unwrap().operation_timeout(), Some(Duration::from_secs(2)));
    }
}
