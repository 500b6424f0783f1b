//! The AWS account that awsideman uses: profile, region, endpoints, credentials and login.
//!
//! Only [`AwsAccount::credentials`] calls AWS.

use crate::app::core::App;
use crate::app::error::AppError;
use crate::aws::{self, AwsService, AwsSettings, CredentialFacts, Resolved, SsoLogin};
use crate::gateway::{AwsApi, Selection};
use crate::health::LoginReading;
use crate::secure_fs;

/// The file of the state directory that records a notice that was shown.
const KEYS_NOT_USED: &str = "keys-not-used.noticed";

/// The account, region and credentials in use.
pub struct AwsAccount<'a> {
    app: &'a App,
}

impl<'a> AwsAccount<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> AwsAccount<'a> {
        AwsAccount { app }
    }

    /// The owner of these credentials; the sandbox has one organization for all.
    pub(super) fn credential_owner(&self) -> Option<String> {
        if self.app.is_sandbox() {
            return Some("sandbox".into());
        }
        aws::credential_owner(&self.settings(), &self.app.environment)
    }

    /// Where the credentials come from and until when they hold.
    pub async fn credentials(&self) -> Result<CredentialFacts, AppError> {
        let base = self.settings();
        let settings = match &self.app.sandbox {
            Some(sandbox) => sandbox.settings(&base)?,
            None => base,
        };
        Ok(AwsApi::new(settings).credentials().await?)
    }

    /// The region that will be asked, and what chose it.
    pub fn region(&self) -> Option<(String, String)> {
        if self.app.is_sandbox() {
            return Some((self.selection().region?, "the sandbox".into()));
        }
        let region = self.resolved().region()?;
        let origin = if region.from == "region" { self.origin("region") } else { region.from };
        Some((region.value, origin))
    }

    /// The AWS profile, and what chose it.
    pub fn profile(&self) -> (String, String) {
        let profile = self.resolved().profile().clone();
        let origin = match profile.from.as_str() {
            "profile" => self.origin("profile"),
            "default" => "none was chosen".into(),
            _ => profile.from,
        };
        (profile.value, origin)
    }

    /// What gave a key its value.
    pub(super) fn origin(&self, key: &str) -> String {
        self.app.loaded.origins.get(key).cloned().unwrap_or_else(|| "the configuration".into())
    }

    /// What selects an AWS account, a region and a way to it.
    pub fn settings(&self) -> AwsSettings {
        let config = self.app.config();
        // The host's file is a default for all users; every other place is this user's own choice.
        let by_host =
            self.app.loaded.files.first().is_some_and(|(host, _)| *self.origin("profile") == *host.to_string_lossy());
        let (profile, default_profile) =
            if by_host { (None, config.profile.clone()) } else { (config.profile.clone(), None) };
        AwsSettings {
            profile,
            default_profile,
            region: config.region.clone(),
            endpoint_url: config.aws.endpoint_url.clone(),
            connect_timeout: config.aws.connect_timeout,
            operation_timeout: config.aws.operation_timeout,
            static_credentials: None,
        }
    }

    /// What selects the instance; nothing of AWS is asked.
    pub fn selection(&self) -> Selection {
        let wanted = self.app.config().aws.instance.clone();
        if let Some(sandbox) = &self.app.sandbox {
            return sandbox.selection(wanted);
        }
        Selection {
            fingerprint: aws::credential_fingerprint(&self.settings(), &self.app.environment),
            region: self.resolved().region().map(|region| region.value),
            endpoint: self.endpoint(),
            wanted,
            sso_region: self.resolved().sso_region(),
        }
    }

    /// The profile, region and endpoints in use.
    pub(crate) fn resolved(&self) -> &'a Resolved {
        self.app.resolved.get_or_init(|| aws::resolve(&self.settings(), &self.app.environment))
    }

    /// The endpoints that are not AWS's own, as part of the space.
    fn endpoint(&self) -> Option<String> {
        let services = [AwsService::SsoAdmin, AwsService::IdentityStore, AwsService::Organizations];
        let found = services.map(|service| self.resolved().endpoint(service).map(|endpoint| endpoint.value));
        let [first, others @ ..] = &found;
        if others.iter().all(|other| other == first) {
            return first.clone();
        }
        let named = services.into_iter().zip(found);
        let named = named.filter_map(|(service, url)| Some(format!("{}={}", service.key(), url?)));
        Some(named.collect::<Vec<_>>().join(" "))
    }

    /// The source of the credentials, for display, or why there are none; makes no call.
    pub fn credential_source(&self) -> Result<String, String> {
        if self.app.is_sandbox() {
            return Ok("the sandbox".into());
        }
        aws::credential_source(self.resolved()).map_err(|fault| fault.to_string())
    }

    /// Whether there are keys in the environment that are not used, because a profile was chosen explicitly.
    pub fn ignores_keys(&self) -> bool {
        !self.app.is_sandbox() && self.resolved().ignores_keys()
    }

    /// That keys in the environment are not used, where earlier versions used them: once for each state directory.
    pub fn notice(&self) -> Option<String> {
        if !self.ignores_keys() {
            return None;
        }
        let mark = self.app.state_dir().join(KEYS_NOT_USED);
        // If it cannot be recorded, it is shown again.
        let made = secure_fs::directory(self.app.state_dir(), self.app.access())
            .and_then(|_| secure_fs::create(&mark, self.app.access()));
        if let Ok(false) = made {
            return None;
        }
        let (profile, origin) = self.profile();
        Some(format!(
            "awsideman uses the profile `{profile}` ({origin}) and not AWS_ACCESS_KEY_ID, as the AWS CLI does; earlier versions \
             used the key, which may belong to another account\nnext: `awsideman info` shows what is used"
        ))
    }

    /// The login behind the profile in use.
    pub fn login(&self) -> SsoLogin {
        aws::login(&self.settings(), &self.app.environment)
    }

    /// How that login is renewed.
    pub(super) fn login_renewal(&self) -> String {
        aws::renewal(self.resolved()).text().to_owned()
    }

    /// The login as health judges it; `None` without a known end.
    pub(super) fn login_reading(&self) -> Option<LoginReading> {
        if self.app.is_sandbox() {
            return None;
        }
        let login = self.login();
        let command = self.login_renewal();
        Some(LoginReading { ends_at: login.ends_at?, began_at: login.began_at, command, name: login.name })
    }
}
