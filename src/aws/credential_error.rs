//! Errors of the credential chain, sorted into classes with different remedies.
//!
//! The recorded requests decide where there are any; otherwise the SDK's texts and the AWS files, because its types show
//! little: an absent profile ends as a failure of the last source that was tried.

use super::credential_http::{CredentialService, Exchange, HttpEnd};
use super::credential_process::ProcessFault;
use super::error_class::ErrorClass;
use super::login_source::{LoginSource, Renewal};
use super::resolved::Resolved;
use crate::clock;
use crate::http::Unanswered;
use crate::limits;
use crate::model::format_duration;
use aws_credential_types::provider::error::CredentialsError;
use std::error::Error;
use std::path::PathBuf;
use std::time::Duration;

/// Why there are no credentials.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CredentialFault {
    /// No source has any.
    #[error("no AWS credentials were found: {0}")]
    Missing(String),
    /// There is no login on this host.
    #[error("no AWS login on this host: {detail}")]
    NotLoggedIn {
        /// The profile that has to log in.
        profile: Option<String>,
        /// The missing part.
        detail: String,
        /// The command that logs in.
        renewal: Renewal,
    },
    /// There is a login, and it has expired.
    #[error("the AWS login has expired: {detail}")]
    Expired {
        /// The profile that has to log in again.
        profile: Option<String>,
        /// What reported it.
        detail: String,
        /// The command that logs in again.
        renewal: Renewal,
    },
    /// The credential service refused the request.
    #[error("{service} refused: {detail}")]
    Refused {
        /// `STS AssumeRole (sts.eu-west-1.amazonaws.com)`
        service: String,
        /// Its code and message.
        detail: String,
        /// The settings to check.
        hint: String,
    },
    /// The credential service throttles.
    #[error("{0} throttles")]
    Throttled(String),
    /// The credential service cannot be reached, or failed.
    #[error("{service} cannot be reached: {detail}")]
    Unreachable {
        /// `STS AssumeRole (sts.eu-west-1.amazonaws.com)`
        service: String,
        /// The reason.
        detail: String,
    },
    /// A role requires a code of an MFA device.
    #[error("{detail}")]
    Mfa {
        /// The profile and the device.
        detail: String,
        /// The alternative.
        hint: String,
    },
    /// The profile or its files are invalid.
    #[error("the AWS configuration cannot be used: {0}")]
    Configuration(String),
    /// A limit of the operating system stops this process.
    #[error("{detail}")]
    Limit {
        /// The failed action and the reason.
        detail: String,
        /// The limit to raise.
        hint: &'static str,
    },
    /// A setting or a credential is invalid.
    #[error(transparent)]
    Setting(#[from] SettingFault),
}

/// A setting that is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the AWS configuration cannot be used: {detail}")]
pub struct SettingFault {
    /// The setting and its problem.
    pub detail: String,
    /// The action that fixes it.
    pub hint: String,
}

/// Finds the credential error in the chain of an SDK error.
pub fn credential_fault(error: &(dyn Error + 'static)) -> Option<CredentialFault> {
    let classify = chain(error).find_map(|error| error.downcast_ref::<CredentialFault>()).cloned();
    classify.or_else(|| {
        let raw = chain(error).find_map(|error| error.downcast_ref::<CredentialsError>())?;
        Some(CredentialFault::Configuration(innermost(raw)))
    })
}

/// The innermost reason of an error, in one line; for a request without an answer with its host.
pub fn innermost(error: &(dyn Error + 'static)) -> String {
    if let Some(unanswered) = chain(error).find_map(|error| error.downcast_ref::<Unanswered>()) {
        return unanswered.to_string();
    }
    let last = chain(error).last().unwrap_or(error);
    last.to_string().split_whitespace().collect::<Vec<_>>().join(" ")
}

fn chain<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    std::iter::successors(Some(error), |error| (*error).source())
}

/// Texts of programs that could not reach their service.
const OUTAGES: [&str; 7] =
    ["timed out", "timeout", "could not connect", "connection", "unreachable", "resolve", "throttl"];

/// Classifies the failures of one source of credentials.
#[derive(Debug)]
pub(super) struct ErrorClassifier {
    source: LoginSource,
    token_file: Option<PathBuf>,
}

impl ErrorClassifier {
    pub(super) fn new(resolved: &Resolved) -> ErrorClassifier {
        let source = LoginSource::of(resolved);
        let token_file = source.token_file(&resolved.environment);
        ErrorClassifier { source, token_file }
    }

    /// An error that is known without a call: an expired SSO login that cannot be renewed.
    pub(super) fn known_before(&self) -> Result<(), CredentialFault> {
        let LoginSource::Sso { start_url: Some(url), .. } = &self.source else { return Ok(()) };
        let Some(ends_at) = self.token_file.as_deref().and_then(crate::aws::sso_session::token_end) else {
            return Ok(());
        };
        if ends_at > clock::micros() / 1000 {
            return Ok(());
        }
        Err(self.expired(format!("the login at {url} ended at {}", clock::utc(ends_at))))
    }

    /// Classifies an error of the SDK.
    ///
    /// `succeeded` is the last request if its answer was valid.
    pub(super) fn fault(
        &self,
        error: &CredentialsError,
        failed: &[Exchange],
        succeeded: Option<&Exchange>,
    ) -> CredentialFault {
        if let Some(fault) = chain(error).find_map(|error| error.downcast_ref::<ProcessFault>()) {
            return self.process(fault);
        }
        if let Some((detail, hint)) = limits::in_chain(error) {
            return CredentialFault::Limit { detail, hint };
        }
        if let CredentialsError::ProviderTimedOut(late) = error {
            return self.late(late.timeout_duration(), failed);
        }
        if let Some(exchange) = decisive(failed)
            && let Some(class) = exchange.class()
            && self.counts(exchange)
        {
            return self.answered(exchange, class);
        }
        match self.reported(error) {
            // The configuration permitted a request, so the SDK cannot use its answer.
            CredentialFault::Configuration(detail) if let Some(exchange) = succeeded => CredentialFault::Unreachable {
                service: exchange.words(),
                detail: format!("the answer cannot be used: {detail}"),
            },
            fault => fault,
        }
    }

    /// Whether a failed request explains the error: outside of EC2 the metadata service does not answer.
    fn counts(&self, exchange: &Exchange) -> bool {
        let is_silent = matches!(exchange.ending, HttpEnd::Pending | HttpEnd::Failed(_));
        exchange.service != CredentialService::Imds || !is_silent || matches!(self.source, LoginSource::Metadata { .. })
    }

    fn answered(&self, exchange: &Exchange, class: ErrorClass) -> CredentialFault {
        let service = exchange.words();
        let detail = match &exchange.ending {
            HttpEnd::Error { status, code: None, .. } => format!("HTTP {status} and no AWS error"),
            HttpEnd::Error { code: Some(code), message, .. } if message.is_empty() => code.clone(),
            HttpEnd::Error { code: Some(code), message, .. } => {
                format!("{code}: {}", message.split_whitespace().collect::<Vec<_>>().join(" "))
            }
            HttpEnd::Failed(detail) | HttpEnd::Malformed(detail) => detail.clone(),
            HttpEnd::NotAws => "the answer is not from an AWS service; a proxy may have sent it".into(),
            HttpEnd::Pending | HttpEnd::Success => "no answer".into(),
        };
        if let (HttpEnd::Failed(_), Some(hint)) = (&exchange.ending, limits::in_text(&detail)) {
            return CredentialFault::Limit { detail: format!("{service}: {detail}"), hint };
        }
        let is_local = matches!(exchange.service, CredentialService::Container | CredentialService::Imds);
        match class {
            ErrorClass::Throttled => CredentialFault::Throttled(service),
            // Local agents report no AWS error if they have no credentials for the caller.
            ErrorClass::NotAws if is_local && matches!(exchange.ending, HttpEnd::Error { .. }) => {
                let detail = detail.replace(" and no AWS error", "");
                CredentialFault::Refused { service, detail, hint: hint(exchange.service) }
            }
            ErrorClass::Unavailable | ErrorClass::NotAws => CredentialFault::Unreachable { service, detail },
            ErrorClass::Expired => self.expired(format!("{service} reports {detail}")),
            ErrorClass::Invalid => CredentialFault::Configuration(format!("{service} does not accept it: {detail}")),
            ErrorClass::UnknownKey
            | ErrorClass::BadSignature
            | ErrorClass::Denied
            | ErrorClass::NotFound
            | ErrorClass::Conflict
            | ErrorClass::Refused => CredentialFault::Refused { service, detail, hint: hint(exchange.service) },
        }
    }

    fn late(&self, patience: Duration, failed: &[Exchange]) -> CredentialFault {
        let detail = format!("no answer within {}", format_duration(patience));
        let service = match (failed.last(), &self.source) {
            (Some(exchange), _) => exchange.words(),
            (None, LoginSource::Process { profile }) => format!("credential_process of profile `{profile}`"),
            (None, _) => "the source of the AWS credentials".into(),
        };
        CredentialFault::Unreachable { service, detail }
    }

    /// An error that the SDK reports without a request.
    fn reported(&self, error: &CredentialsError) -> CredentialFault {
        let detail = innermost(error);
        let texts: Vec<String> = chain(error).map(ToString::to_string).collect();
        let all = texts.join(": ").to_ascii_lowercase();
        let has = |marks: &[&str]| marks.iter().any(|mark| all.contains(mark));
        if has(&["failed to write"]) && has(&["/sso/cache/", "/login/cache/"]) {
            return CredentialFault::Setting(SettingFault {
                detail: format!("the renewed login cannot be stored: {detail}"),
                hint: "let this user write that file: a renewed login that is not stored cannot be renewed again"
                    .into(),
            });
        }
        if has(&["cached sso token", "cached login", "/sso/cache/", "/login/cache/"]) && !has(&["expired"]) {
            let profile = self.source.profile().map(str::to_owned);
            return CredentialFault::NotLoggedIn { profile, detail, renewal: self.source.renewal() };
        }
        if has(&["expired", "invalid_grant", "invalidgrant"]) {
            return self.expired(detail);
        }
        let nothing = matches!(error, CredentialsError::CredentialsNotLoaded(_)) || has(&["imds"]);
        if nothing {
            let searched = "searched the AWS_* variables, the profile, web identity, the container and EC2";
            return CredentialFault::Missing(searched.into());
        }
        CredentialFault::Configuration(detail)
    }

    /// A `credential_process` that gave no credentials: its end and what it printed decide.
    fn process(&self, fault: &ProcessFault) -> CredentialFault {
        let profile = self.source.profile().unwrap_or("default");
        let service = format!("credential_process of profile `{profile}`");
        let detail = fault.to_string();
        let by_hand =
            || format!("run the program that `credential_process` of profile `{profile}` names, and see what it needs");
        match fault {
            ProcessFault::Command(_) | ProcessFault::Output(_) => {
                CredentialFault::Configuration(format!("{service}: {detail}"))
            }
            ProcessFault::NotFound { is_for_shell: true, .. } => SettingFault {
                detail: format!("the program of {service} {detail}"),
                hint:
                    "write its whole path: no shell replaces `~` and `$NAME` in `credential_process`, as in the AWS CLI"
                        .into(),
            }
            .into(),
            ProcessFault::NotFound { .. } => {
                CredentialFault::Configuration(format!("the program of {service} {detail}"))
            }
            ProcessFault::System(error) => match limits::in_chain(error) {
                Some((_, hint)) => {
                    CredentialFault::Limit { detail: format!("the program of {service} {detail}"), hint }
                }
                None => CredentialFault::Configuration(format!("the program of {service} {detail}")),
            },
            ProcessFault::Late(_) => CredentialFault::Unreachable { service, detail },
            ProcessFault::Expired(_) => self.expired(format!("{service}: {detail}")),
            ProcessFault::Failed { code, printed, .. } => {
                let all = printed.to_ascii_lowercase();
                let has = |marks: &[&str]| marks.iter().any(|mark| all.contains(mark));
                match code {
                    Some(127) => {
                        let path = std::env::var("PATH").unwrap_or_default();
                        let text = format!("{service} did not find a program: {detail} (PATH is {path})");
                        CredentialFault::Configuration(text)
                    }
                    Some(126) => {
                        CredentialFault::Configuration(format!("{service} cannot execute a program: {detail}"))
                    }
                    _ if has(&["expired", "invalid_grant", "sso login", "aws login"]) => self.expired(detail),
                    _ if has(&OUTAGES) => CredentialFault::Unreachable { service, detail },
                    _ => CredentialFault::Refused { service, detail, hint: by_hand() },
                }
            }
        }
    }

    fn expired(&self, detail: String) -> CredentialFault {
        let profile = self.source.profile().map(str::to_owned);
        CredentialFault::Expired { profile, detail, renewal: self.source.renewal() }
    }
}

/// The settings to check when a service refuses.
fn hint(service: CredentialService) -> String {
    let text = match service {
        CredentialService::Sts => {
            "the caller needs the action sts:AssumeRole, and the trust policy of the role must name the caller; check role_arn and \
             external_id of the profile"
        }
        CredentialService::Portal => {
            "check sso_account_id and sso_role_name of the profile: the access portal lists the accounts and roles of this login"
        }
        CredentialService::Oidc | CredentialService::SignIn => "log in again",
        CredentialService::Container => {
            "check the role of this container or pod, and AWS_CONTAINER_CREDENTIALS_FULL_URI"
        }
        CredentialService::Imds => "attach a role to this EC2 instance, or choose a profile with `--profile NAME`",
    };
    text.to_owned()
}

/// The request that explains a failure: the last one. A failed renewal explains why the portal then refused the old
/// token.
fn decisive(failed: &[Exchange]) -> Option<&Exchange> {
    let last = failed.last()?;
    if last.class() != Some(ErrorClass::Expired) {
        return Some(last);
    }
    let temporary = [Some(ErrorClass::Unavailable), Some(ErrorClass::NotAws), Some(ErrorClass::Throttled)];
    let renewal = failed.iter().find(|exchange| exchange.service == CredentialService::Oidc);
    Some(renewal.filter(|exchange| temporary.contains(&exchange.class())).unwrap_or(last))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::AwsSettings;
    use crate::aws::profile::AwsEnvironment;
    use crate::aws::resolved::resolve;

    fn judge(profile: Option<&str>) -> ErrorClassifier {
        let settings = AwsSettings { profile: profile.map(str::to_owned), ..AwsSettings::default() };
        ErrorClassifier::new(&resolve(&settings, &AwsEnvironment::new()))
    }

    fn exchange(service: CredentialService, ending: HttpEnd) -> Exchange {
        Exchange { service, operation: String::new(), host: "h".into(), ending }
    }

    fn error(status: u16, code: Option<&str>) -> HttpEnd {
        HttpEnd::Error { status, code: code.map(str::to_owned), message: "as it says".into() }
    }

    #[test]
    fn faults_of_credentials_fall_into_classes_with_different_remedies() {
        let fault = |error: &CredentialsError| judge(Some("a-profile-that-no-host-has")).fault(error, &[], None);
        let expired = CredentialsError::provider_error("the SSO token has expired and cannot be refreshed");
        assert!(matches!(fault(&expired), CredentialFault::Expired { detail, .. } if detail.contains("be refreshed")));
        for never in ["failed to load the cached SSO token", "failed to read `/home/a/.aws/sso/cache/1.json`"] {
            let never = CredentialsError::provider_error(never);
            assert!(matches!(fault(&never), CredentialFault::NotLoggedIn { .. }));
        }
        let metadata = CredentialsError::provider_error("request forbidden: IMDS is disabled");
        for none in [CredentialsError::not_loaded("no providers in chain provided credentials"), metadata] {
            assert!(matches!(fault(&none), CredentialFault::Missing(d) if d.contains("AWS_*")));
        }
        let broken = CredentialsError::invalid_configuration("profile `x` has no sso_region");
        assert!(matches!(fault(&broken), CredentialFault::Configuration(d) if d.contains("sso_region")));
        let late = CredentialsError::provider_timed_out(Duration::from_secs(5));
        assert!(matches!(fault(&late), CredentialFault::Unreachable { detail, .. } if detail.contains("5s")));
    }

    #[test]
    fn a_renewal_that_failed_explains_the_token_that_the_portal_refused() {
        let unhandled = CredentialsError::provider_error("service error");
        let refused = exchange(CredentialService::Portal, error(401, Some("UnauthorizedException")));
        let fault = |oidc: HttpEnd| {
            judge(None).fault(&unhandled, &[exchange(CredentialService::Oidc, oidc), refused.clone()], None)
        };
        assert!(
            matches!(fault(error(503, None)), CredentialFault::Unreachable { service, .. } if service == "SSO OIDC (h)")
        );
        assert!(matches!(fault(HttpEnd::NotAws), CredentialFault::Unreachable { .. }));
        assert_eq!(fault(error(429, None)), CredentialFault::Throttled("SSO OIDC (h)".into()));
        assert!(matches!(fault(error(400, Some("invalid_grant"))), CredentialFault::Expired { .. }));
    }

    #[test]
    fn a_metadata_service_that_is_silent_is_no_source_and_one_that_fails_is() {
        let none = CredentialsError::provider_error("failed to load IMDS session token");
        let fault = |ending: HttpEnd| judge(None).fault(&none, &[exchange(CredentialService::Imds, ending)], None);
        assert!(matches!(fault(HttpEnd::Failed("connect".into())), CredentialFault::Missing(_)));
        assert!(matches!(fault(error(500, None)), CredentialFault::Unreachable { .. }));
        assert!(matches!(fault(error(404, None)), CredentialFault::Refused { detail, .. } if detail == "HTTP 404"));
    }

    #[test]
    fn a_credential_process_is_judged_by_what_it_printed() {
        let of = |code: i32, printed: &str| {
            let status = format!("exit status {code}");
            let fault = ProcessFault::Failed { status, code: Some(code), printed: printed.into() };
            judge(Some("tool")).fault(&CredentialsError::provider_error(fault), &[], None)
        };
        assert!(matches!(of(1, "not allowed"), CredentialFault::Refused { detail, .. }
            if detail == "exit status 1: not allowed"));
        assert!(matches!(of(255, "Token has expired and refresh failed"), CredentialFault::Expired { .. }));
        assert!(matches!(of(1, "Could not connect to the endpoint URL"), CredentialFault::Unreachable { .. }));
        assert!(
            matches!(of(127, "sh: 1: vault: not found"), CredentialFault::Configuration(d) if d.contains("PATH is"))
        );
    }
}
