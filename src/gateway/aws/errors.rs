//! Converts errors of the SDK to [`GatewayError`], whose class decides what happens next. No message is a Debug dump.
//!
//! The AWS error code decides, or the HTTP status if there is no code. Guarantee: an answer that cannot be parsed
//! is an error, never an absence.

use super::answer::{self, AnswerFault};
use crate::aws::{self, AwsSettings, CredentialFault, ErrorClass};
use crate::gateway::api::{GetCall, InstanceTarget, ListCall, operation_words};
use crate::gateway::error::GatewayError;
use crate::gateway::mutation::Mutation;
use crate::limits;
use crate::model::excerpt;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use serde_json::Value;
use std::error::Error;

/// The most bytes of a message of AWS in an error; a longer one is truncated.
pub(super) const LONGEST_TEXT: usize = 4 * 1024;
/// The same for an error code and the id of a request.
const LONGEST_CODE: usize = 128;

/// The subject of a call, for its error message.
#[derive(Debug, Clone)]
pub(super) struct Ask {
    /// `identitystore ListUsers`
    operation: String,
    /// What is missing when AWS says "not found".
    what: String,
    account: Option<String>,
    profile: Option<String>,
    /// Whether AWS makes the change only while its object has the revision that was sent.
    conditional: bool,
}

impl Ask {
    fn new(operation: &str, what: String, account: Option<String>, profile: Option<&str>) -> Self {
        let (operation, profile) = (operation_words(operation), profile.map(str::to_owned));
        Self { operation, what, account, profile, conditional: false }
    }

    pub(super) fn listing(listing: &ListCall, target: Option<&InstanceTarget>, profile: Option<&str>) -> Self {
        let store = || format!("identity store {}", target.map_or("", |target| &target.identity_store));
        let (what, account) = match listing {
            ListCall::Instances => ("the Identity Center instance".to_owned(), None),
            ListCall::Users | ListCall::Groups => (store(), None),
            ListCall::GroupMemberships(id) => (format!("group {id}"), None),
            ListCall::MembershipsForMember(id) => (format!("user {id}"), None),
            ListCall::PermissionSets => {
                (format!("instance {}", target.map_or("", |target| target.instance.as_str())), None)
            }
            ListCall::ManagedPolicies(arn)
            | ListCall::CustomerManagedPolicies(arn)
            | ListCall::ProvisionedAccounts(arn) => (format!("permission set {arn}"), None),
            ListCall::ProvisionedPermissionSets(id) | ListCall::AccountTags(id) => {
                (format!("account {id}"), Some(id.clone()))
            }
            ListCall::Assignments { account, permission_set } => {
                (format!("account {account} or permission set {permission_set}"), Some(account.clone()))
            }
            ListCall::AssignmentsForPrincipal { kind, id } => {
                (format!("{} {id}", kind.as_str().to_ascii_lowercase()), None)
            }
            ListCall::Accounts | ListCall::Roots => ("the organization".to_owned(), None),
            ListCall::OrganizationalUnits(id) | ListCall::AccountsForParent(id) => {
                (format!("root or organizational unit {id}"), None)
            }
        };
        Self::new(listing.operation(), what, account, profile)
    }

    pub(super) fn single(single: &GetCall, profile: Option<&str>) -> Self {
        let (what, account) = match single {
            GetCall::User(id) => (format!("user {id}"), None),
            GetCall::UserIdByName(name) => (format!("user `{name}`"), None),
            GetCall::Group(id) => (format!("group {id}"), None),
            GetCall::GroupIdByName(name) => (format!("group `{name}`"), None),
            GetCall::PermissionSet(arn) | GetCall::InlinePolicy(arn) | GetCall::PermissionsBoundary(arn) => {
                (format!("permission set {arn}"), None)
            }
            GetCall::Account(id) => (format!("account {id}"), Some(id.clone())),
            GetCall::MembershipId { group, user } => (format!("user {user} in group {group}"), None),
            GetCall::Status(_, id) => (format!("request {id}"), None),
            GetCall::CallerIdentity => ("the caller".to_owned(), None),
        };
        Self::new(single.operation(), what, account, profile)
    }

    pub(super) fn change(change: &Mutation, profile: Option<&str>) -> Self {
        let account = match change {
            Mutation::Assign(grant) | Mutation::Revoke(grant) => Some(grant.account.clone()),
            Mutation::Provision { account, .. } => account.clone(),
            _ => None,
        };
        let ask = Self::new(change.operation(), change.subject(), account, profile);
        Self { conditional: change.is_conditional(), ..ask }
    }

    /// The call needs an instance and none was chosen.
    pub(super) fn without_instance(&self) -> GatewayError {
        GatewayError::Configuration {
            detail: format!("{} needs an Identity Center instance, and none was chosen", self.operation),
            hint: "set aws.instance to the ARN that `awsideman instance list` shows".into(),
        }
    }

    /// A successful answer lacks a part that it must have.
    pub(super) fn lacking(&self, part: &str) -> GatewayError {
        self.bad_answer(&format!("it has no {part}"))
    }

    /// The request cannot be built.
    pub(super) fn unusable(&self, error: &(dyn Error + 'static)) -> GatewayError {
        GatewayError::Configuration {
            detail: format!("{} cannot be asked: {}", self.operation, aws::innermost(error)),
            hint: "check the name or id that was given".into(),
        }
    }

    /// What the call answered, or why it failed.
    pub(super) fn answer<T, E>(&self, answer: Result<T, SdkError<E, HttpResponse>>) -> Result<T, GatewayError>
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        answer.map_err(|error| self.failed(&error))
    }

    /// The call failed.
    fn failed<E>(&self, error: &SdkError<E, HttpResponse>) -> GatewayError
    where
        E: Error + ProvideErrorMetadata + Send + Sync + 'static,
    {
        if let Some(fault) = aws::credential_fault(error) {
            return no_credentials(fault, self.profile.as_deref());
        }
        if let Some((detail, hint)) = limits::in_chain(error) {
            let (operation, sent) = (self.operation.clone(), !is_unconnected(error));
            return GatewayError::Limit { operation, detail, hint, sent };
        }
        match answer::fault(error) {
            Some(AnswerFault::BrokeOff(why)) => return self.unreachable(&format!("the answer broke off: {why}"), true),
            Some(AnswerFault::Unusable(why)) => return self.bad_answer(why),
            None => {}
        }
        match error {
            // A success that cannot be parsed comes as an error of the service without a code.
            SdkError::ServiceError(service) if service.raw().status().is_success() => {
                self.unparsed(&aws::innermost(error), service.raw())
            }
            SdkError::ServiceError(service) => self.answered(service.err().meta(), service.raw()),
            SdkError::ResponseError(response) => self.undecoded(error, response.raw()),
            SdkError::TimeoutError(_) => {
                let text = aws::innermost(error).replace(" (all attempts including retries)", "");
                self.unreachable(&format!("no answer in time ({text})"), true)
            }
            SdkError::DispatchFailure(failure) if failure.is_io() || failure.is_timeout() => {
                self.unreachable(&aws::innermost(error), !is_unconnected(error))
            }
            // The configuration (a region, an endpoint) is judged when a request is built, and comes out here too.
            _ => match aws::innermost(error) {
                text if mentions_configuration(&text) => misconfigured(text),
                text => self.unreachable(&text, !is_unconnected(error)),
            },
        }
    }

    fn answered(&self, meta: &aws_smithy_types::error::ErrorMetadata, raw: &HttpResponse) -> GatewayError {
        let status = raw.status().as_u16();
        let body: Value = raw.body().bytes().and_then(|bytes| serde_json::from_slice(bytes).ok()).unwrap_or_default();
        // The SDK drops the code of an error whose other members it cannot read.
        let known = meta.code().or_else(|| body["__type"].as_str().map(plain_code)).filter(|code| !code.is_empty());
        let code = known.map_or_else(|| format!("HTTP {status}"), |code| excerpt(code, LONGEST_CODE));
        let reason = meta.message().filter(|text| !text.is_empty());
        let reason = reason.map(|text| excerpt(text, LONGEST_TEXT));
        let detail = reason.unwrap_or_else(|| match known {
            Some(_) => "AWS gave no reason".to_owned(),
            None => format!("HTTP {status} and no AWS error: a proxy or another server may have answered"),
        });
        let operation = self.operation.clone();
        match ErrorClass::of(known, status) {
            ErrorClass::Throttled => {
                let header = raw.headers().get("retry-after").and_then(|value| value.trim().parse::<u64>().ok());
                let seconds = body.get("RetryAfterSeconds").and_then(Value::as_u64).or(header);
                let retry_after_ms = seconds.map(|seconds| seconds.saturating_mul(1000));
                GatewayError::Throttled { operation, attempts: 1, retry_after_ms }
            }
            ErrorClass::Expired => {
                let profile = self.profile.clone();
                let settings = AwsSettings { profile: profile.clone(), ..AwsSettings::default() };
                let hint = aws::renewal(&aws::resolve(&settings, &aws::environment())).hint(true);
                GatewayError::LoginExpired { profile, detail, hint }
            }
            ErrorClass::UnknownKey => GatewayError::CredentialsRefused {
                service: operation,
                detail: format!("{code}: {detail}"),
                hint: "AWS does not know the access key: it was deleted, mistyped, or belongs to another partition"
                    .into(),
            },
            ErrorClass::BadSignature => GatewayError::CredentialsRefused {
                service: operation,
                detail: format!("{code}: {detail}"),
                hint: "check this host's clock, then the secret key".into(),
            },
            ErrorClass::Denied => GatewayError::AccessDenied { operation, account: self.account.clone(), detail },
            ErrorClass::NotFound => GatewayError::NotFound { what: self.what.clone() },
            ErrorClass::Unavailable => {
                let why = match known {
                    Some(_) => format!("the service failed with {code} (HTTP {status}): {detail}"),
                    None => format!("the service failed with HTTP {status} and no AWS error"),
                };
                self.unreachable(&why, true)
            }
            ErrorClass::NotAws => self.unreachable(&detail, true),
            ErrorClass::Conflict if self.conditional && body["Reason"] == "CONCURRENT_MODIFICATION" => {
                GatewayError::ChangedMeanwhile { what: self.what.clone(), differences: Vec::new() }
            }
            ErrorClass::Conflict => {
                let passing = passes(self.operation.starts_with("sso-admin "), &body, &detail);
                GatewayError::Conflict { operation, detail, passing, request_id: request_id(meta, raw) }
            }
            ErrorClass::Invalid | ErrorClass::Refused => {
                let detail = match explained(&code) {
                    Some(words) => format!("{words} ({detail})"),
                    None => detail,
                };
                let request_id = request_id(meta, raw);
                GatewayError::Refused { operation, code, detail, request_id }
            }
        }
    }

    /// There was an answer, and it could not be read to its end or not be understood.
    fn undecoded(&self, error: &(dyn Error + 'static), raw: &HttpResponse) -> GatewayError {
        let status = raw.status().as_u16();
        if status == 429 {
            return GatewayError::Throttled { operation: self.operation.clone(), attempts: 1, retry_after_ms: None };
        }
        if status >= 500 {
            return self.unreachable(&format!("the service failed with HTTP {status} and no AWS error"), true);
        }
        let why = aws::innermost(error);
        // The body is only in memory once it was read whole: without it, the connection broke.
        if raw.body().bytes().is_none() {
            return self.unreachable(&format!("the answer broke off: {why}"), true);
        }
        self.unparsed(&format!("HTTP {status}: {why}"), raw)
    }

    /// The answer is not as it must be: something on the way cut it off, or it never was.
    fn unparsed(&self, why: &str, raw: &HttpResponse) -> GatewayError {
        let read = raw.body().bytes().map(serde_json::from_slice::<serde::de::IgnoredAny>);
        if matches!(read, Some(Err(error)) if error.is_eof()) {
            return self.unreachable(&format!("the answer broke off: {why}"), true);
        }
        self.bad_answer(why)
    }

    /// `sent` says whether AWS may have had the request.
    fn unreachable(&self, detail: &str, sent: bool) -> GatewayError {
        GatewayError::Unreachable { operation: self.operation.clone(), detail: excerpt(detail, LONGEST_TEXT), sent }
    }

    /// The answer is not one that AWS gives.
    pub(super) fn bad_answer(&self, detail: &str) -> GatewayError {
        GatewayError::BadAnswer { operation: self.operation.clone(), detail: excerpt(detail, LONGEST_TEXT) }
    }
}

fn misconfigured(text: String) -> GatewayError {
    let hint = if text.to_ascii_lowercase().contains("region") {
        "name the region of Identity Center: --region, AWS_REGION, or `region` in the profile"
    } else {
        "check aws.endpoint_url, AWS_ENDPOINT_URL and the profile in the AWS config file"
    };
    GatewayError::Configuration { detail: text, hint: hint.into() }
}

/// A failure to get credentials, in our classes.
pub(super) fn no_credentials(fault: CredentialFault, profile: Option<&str>) -> GatewayError {
    let named = |of_login: Option<String>| profile.map(str::to_owned).or(of_login).filter(|name| name != "default");
    match fault {
        CredentialFault::Mfa { detail, hint } => GatewayError::Mfa { detail, hint },
        CredentialFault::Missing(detail) => GatewayError::NoCredentials { profile: named(None), detail },
        CredentialFault::NotLoggedIn { profile, detail, renewal } => {
            GatewayError::NotLoggedIn { profile: named(profile), detail, hint: renewal.hint(false) }
        }
        CredentialFault::Expired { profile, detail, renewal } => {
            GatewayError::LoginExpired { profile: named(profile), detail, hint: renewal.hint(true) }
        }
        CredentialFault::Refused { service, detail, hint } => {
            GatewayError::CredentialsRefused { service, detail, hint }
        }
        CredentialFault::Throttled(operation) => {
            GatewayError::Throttled { operation, attempts: 1, retry_after_ms: None }
        }
        CredentialFault::Unreachable { service, detail } => {
            GatewayError::Unreachable { operation: service, detail, sent: false }
        }
        CredentialFault::Limit { detail, hint } => {
            GatewayError::Limit { operation: "the source of the AWS credentials".into(), detail, hint, sent: false }
        }
        CredentialFault::Setting(fault) => fault.into(),
        CredentialFault::Configuration(detail) => GatewayError::Configuration {
            detail,
            hint: "check the profile in the AWS config and credentials files".into(),
        },
    }
}

/// Whether a conflict is gone a little later. identitystore says so by its reason. sso-admin has the same code for an
/// earlier change that is still spreading, where AWS recommends a retry, and for what is so already (a name that is
/// taken, a policy that is attached) or cannot be while something else is there (a permission set that is assigned).
fn passes(is_sso_admin: bool, body: &Value, detail: &str) -> bool {
    if let Some(reason) = body.get("Reason").and_then(Value::as_str) {
        return reason == "CONCURRENT_MODIFICATION";
    }
    let detail = detail.to_ascii_lowercase();
    let lasting = ["already exist", "already has", "already attached", "already been attached", "associated"];
    is_sso_admin && !lasting.iter().any(|mark| detail.contains(mark))
}

/// Whether no connection was made, so that nothing was sent. The SDK's types do not tell; its client's texts do.
fn is_unconnected(error: &(dyn Error + 'static)) -> bool {
    std::iter::successors(Some(error), |error| (*error).source()).any(|error| {
        let text = error.to_string();
        text.contains("client error (Connect)") || text.starts_with("HTTP connect timeout")
    })
}

fn request_id(meta: &aws_smithy_types::error::ErrorMetadata, raw: &HttpResponse) -> Option<String> {
    let header = ["x-amzn-requestid", "x-amz-request-id"].iter().find_map(|name| raw.headers().get(*name));
    header.or_else(|| meta.extra("aws_request_id")).map(|id| excerpt(id, LONGEST_CODE))
}

/// `com.amazonaws#ThrottlingException` is `ThrottlingException`.
fn plain_code(code: &str) -> &str {
    let code = code.rsplit('#').next().unwrap_or(code);
    code.split(':').next().unwrap_or(code)
}

/// Better words for codes that people meet and AWS explains badly.
fn explained(code: &str) -> Option<&'static str> {
    match code {
        "AWSOrganizationsNotInUseException" => {
            Some("this account is in no AWS organization, so it has no accounts to list")
        }
        "OptInRequired" | "SubscriptionRequiredException" => {
            Some("the service is not enabled for this account or region")
        }
        _ => None,
    }
}

fn mentions_configuration(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["missing region", "signing region", "invalid configuration", "endpoint", "invalid uri"]
        .iter()
        .any(|mark| text.contains(mark))
}
