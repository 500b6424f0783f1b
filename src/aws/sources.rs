//! Creates the provider of the SDK for the chosen source of credentials.
//!
//! Guarantee: every source uses the configured client, timeouts and endpoints.

use super::credential_process::CredentialProcess;
use super::login_files::{self, Checked};
use super::plan::{BaseSource, CredentialPlan, Role};
use super::resolved::{AwsService, Resolved};
use crate::aws::sso_session;
use crate::secure_fs::bounded;
use aws_config::ecs::EcsCredentialsProvider;
use aws_config::imds::{self, credentials::ImdsCredentialsProvider};
use aws_config::login::LoginCredentialsProvider;
use aws_config::provider_config::ProviderConfig;
use aws_config::sso::SsoTokenProvider;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::token::ProvideToken;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The timeout of the instance metadata service on a host in EC2; other hosts do not wait for it.
const METADATA_TIMEOUT: Duration = Duration::from_secs(1);
/// The timeout of a `credential_process` if no timeout of an operation is set.
const PROGRAM_TIMEOUT: Duration = Duration::from_secs(30);
/// The end of the year 9999 in milliseconds.
const LAST_MOMENT: u64 = 253_402_300_799_999;
/// The session name if the profile has none; it is part of the caller's ARN, and so in `CloudTrail`.
const SESSION_NAME: &str = "awsideman";

/// The provider for a plan. `sdk` has the client, the timeouts and the region, and no credentials.
pub(super) async fn provider(plan: &CredentialPlan, sdk: &SdkConfig, resolved: &Resolved) -> SharedCredentialsProvider {
    let config = |service: AwsService| match resolved.configured_endpoint(service) {
        Some(endpoint) => sdk.to_builder().endpoint_url(endpoint.value).build(),
        None => sdk.clone(),
    };
    let timeout = sdk.timeout_config().and_then(TimeoutConfig::operation_timeout).unwrap_or(PROGRAM_TIMEOUT);
    let mut provider = match &plan.base {
        BaseSource::Keys(keys) => SharedCredentialsProvider::new(keys.clone()),
        BaseSource::WebIdentity { token_file, role_arn, session_name } => SharedCredentialsProvider::new(WebIdentity {
            client: aws_sdk_sts::Client::new(&config(AwsService::Sts)),
            token_file: token_file.clone(),
            role_arn: role_arn.clone(),
            session_name: session_name.clone().unwrap_or_else(|| SESSION_NAME.to_owned()),
        }),
        BaseSource::Sso { start_url, region, account, role, session } => {
            let of_region = |service| config(service).into_builder().region(Region::new(region.clone())).build();
            // A token without a session is stored under its start URL.
            let tokens = SsoTokenProvider::builder()
                .configure(&of_region(AwsService::SsoOidc))
                .region(Region::new(region.clone()))
                .start_url(start_url)
                .session_name(session.as_ref().unwrap_or(start_url))
                .build()
                .await;
            let client = aws_sdk_sso::Client::new(&of_region(AwsService::Sso));
            let (account, role) = (account.clone(), role.clone());
            let file = login_files::sso_token(&resolved.environment, session.as_ref().unwrap_or(start_url));
            let sso = Sso { tokens, token_file: file.clone(), client, account, role };
            SharedCredentialsProvider::new(Checked { file, provider: SharedCredentialsProvider::new(sso) })
        }
        BaseSource::Login { session } => {
            let login = LoginCredentialsProvider::builder(session.as_str()).configure(&provider_config(sdk));
            let file = login_files::sign_in_token(&resolved.environment, session);
            let provider = SharedCredentialsProvider::new(login.build());
            SharedCredentialsProvider::new(Checked { file, provider })
        }
        BaseSource::Process { command } => SharedCredentialsProvider::new(CredentialProcess::new(command, timeout)),
        BaseSource::Container => {
            SharedCredentialsProvider::new(EcsCredentialsProvider::builder().configure(&provider_config(sdk)).build())
        }
        BaseSource::Metadata => {
            let provider = provider_config(sdk);
            let client = imds::Client::builder()
                .configure(&provider)
                .max_attempts(1)
                .connect_timeout(METADATA_TIMEOUT)
                .read_timeout(METADATA_TIMEOUT)
                .operation_timeout(METADATA_TIMEOUT)
                .build();
            let metadata = ImdsCredentialsProvider::builder().configure(&provider).imds_client(client);
            SharedCredentialsProvider::new(metadata.build())
        }
    };
    for role in &plan.roles {
        provider = assume(role, provider, &config(AwsService::Sts)).await;
    }
    provider
}

async fn assume(role: &Role, with: SharedCredentialsProvider, config: &SdkConfig) -> SharedCredentialsProvider {
    let session = role.session_name.as_deref().unwrap_or(SESSION_NAME);
    let mut builder = AssumeRoleProvider::builder(&role.arn).session_name(session).configure(config);
    if let Some(id) = &role.external_id {
        builder = builder.external_id(id);
    }
    if let Some(duration) = role.duration {
        builder = builder.session_length(duration);
    }
    SharedCredentialsProvider::new(builder.build_from_provider(with).await)
}

/// The same settings for the sources that take them in this form.
fn provider_config(sdk: &SdkConfig) -> ProviderConfig {
    let mut config = ProviderConfig::without_region()
        .with_behavior_version(Some(BehaviorVersion::latest()))
        .with_region(sdk.region().cloned())
        .with_use_fips(sdk.use_fips())
        .with_use_dual_stack(sdk.use_dual_stack());
    if let Some(client) = sdk.http_client() {
        config = config.with_http_client(client);
    }
    if let Some(retries) = sdk.retry_config() {
        config = config.with_retry_config(retries.clone());
    }
    match sdk.timeout_config() {
        Some(timeouts) => config.with_timeout_config(timeouts.clone()),
        None => config,
    }
}

/// The credentials of a role in the access portal, for an existing login.
#[derive(Debug)]
struct Sso {
    tokens: SsoTokenProvider,
    token_file: Option<PathBuf>,
    client: aws_sdk_sso::Client,
    account: String,
    role: String,
}

impl Sso {
    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let token = match self.token_file.as_deref().and_then(sso_session::token_with_utc) {
            Some(token) => token,
            None => self.tokens.provide_token().await.map_err(CredentialsError::provider_error)?.token().to_owned(),
        };
        let call = self.client.get_role_credentials().account_id(&self.account).role_name(&self.role);
        let answer = call.access_token(token).send().await.map_err(CredentialsError::provider_error)?;
        let lacking = || CredentialsError::unhandled("the SSO portal answered without credentials");
        let found = answer.role_credentials.ok_or_else(lacking)?;
        let mut keys = Credentials::builder().provider_name("SSO").account_id(self.account.as_str());
        keys.set_session_token(found.session_token);
        // A time after the year 9999 means no expiry.
        let ends = u64::try_from(found.expiration).ok().filter(|at| *at <= LAST_MOMENT);
        keys.set_expiry(ends.map(|at| UNIX_EPOCH + Duration::from_millis(at)));
        let (key, secret) = found.access_key_id.zip(found.secret_access_key).ok_or_else(lacking)?;
        Ok(keys.access_key_id(key).secret_access_key(secret).build())
    }
}

impl ProvideCredentials for Sso {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}

/// A role for the web identity token in a file.
#[derive(Debug)]
struct WebIdentity {
    client: aws_sdk_sts::Client,
    token_file: String,
    role_arn: String,
    session_name: String,
}

impl WebIdentity {
    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        let path = Path::new(&self.token_file);
        let token = bounded::bounded_text(path, bounded::SECRET_FILE).map_err(|error| {
            let text = format!("the web identity token {} cannot be read: {error}", self.token_file);
            CredentialsError::invalid_configuration(text)
        })?;
        if token.trim().is_empty() {
            let text = format!("the web identity token {} is empty", self.token_file);
            return Err(CredentialsError::invalid_configuration(text));
        }
        let call = self.client.assume_role_with_web_identity().role_arn(&self.role_arn);
        let call = call.role_session_name(&self.session_name).web_identity_token(token.trim());
        let answer = call.send().await.map_err(CredentialsError::provider_error)?;
        let lacking = || CredentialsError::unhandled("STS answered without credentials");
        let found = answer.credentials.ok_or_else(lacking)?;
        let mut keys = Credentials::builder().provider_name("WebIdentityToken").session_token(found.session_token);
        keys.set_expiry(SystemTime::try_from(found.expiration).ok());
        Ok(keys.access_key_id(found.access_key_id).secret_access_key(found.secret_access_key).build())
    }
}

impl ProvideCredentials for WebIdentity {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }
}
