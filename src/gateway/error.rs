//! Errors of reads and changes of AWS, in classes that decide what happens next.
//!
//! Guarantee: no error is treated as absence.

use crate::aws::{ErrorClass, SettingFault};
use crate::cache::CacheError;
use crate::progress;

/// A request that AWS, or the way to it, did not answer.
#[derive(Debug, thiserror::Error)]
pub enum GatewayError {
    /// No credentials could be found.
    #[error("no AWS credentials were found{}", profile.as_ref().map(|p| format!(" for profile `{p}`")).unwrap_or_default())]
    NoCredentials {
        /// The profile in use.
        profile: Option<String>,
        /// The message of the credential chain.
        detail: String,
    },
    /// There is no login on this host yet.
    #[error("no AWS login on this host{}: {detail}", profile.as_ref().map(|p| format!(" for profile `{p}`")).unwrap_or_default())]
    NotLoggedIn {
        /// The profile that has to log in.
        profile: Option<String>,
        /// The missing part.
        detail: String,
        /// How to log in.
        hint: String,
    },
    /// The login (SSO session, temporary credentials) has expired.
    #[error("the AWS login{} has expired: {detail}", profile.as_ref().map(|p| format!(" of profile `{p}`")).unwrap_or_default())]
    LoginExpired {
        /// The profile in use.
        profile: Option<String>,
        /// What AWS or the credential chain reported.
        detail: String,
        /// How to log in again.
        hint: String,
    },
    /// The credentials, or the request for them, were refused.
    #[error("credentials refused by {service}: {detail}")]
    CredentialsRefused {
        /// `STS AssumeRole (sts.eu-west-1.amazonaws.com)`, `sso-admin ListInstances`
        service: String,
        /// The service's code and message.
        detail: String,
        /// What to check.
        hint: String,
    },
    /// The role of the profile needs a code of an MFA device.
    #[error("{detail}")]
    Mfa {
        /// Which profile and device.
        detail: String,
        /// The way around it.
        hint: String,
    },
    /// The profile, its files or its region are invalid.
    #[error("the AWS configuration cannot be used: {detail}")]
    Configuration {
        /// What does not fit, and where.
        detail: String,
        /// What to do about it.
        hint: String,
    },
    /// A limit of the operating system stops this process: it may open no more files, or gets no thread or memory.
    #[error("cannot call {operation}: {detail}")]
    Limit {
        /// `sso-admin ListInstances`
        operation: String,
        /// The words of the operating system.
        detail: String,
        /// Which limit to raise.
        hint: &'static str,
        /// Whether the request may have reached AWS, so that a change may have been made.
        sent: bool,
    },
    /// AWS denied the request.
    #[error("AWS denied {operation}{}: {detail}", account.as_ref().map(|a| format!(" in account {a}")).unwrap_or_default())]
    AccessDenied {
        /// `sso-admin ListInstances`
        operation: String,
        /// The account that was asked about, when the call names one.
        account: Option<String>,
        /// AWS's words.
        detail: String,
    },
    /// What was asked for does not exist.
    #[error("{what} was not found")]
    NotFound {
        /// `user 9067...`
        what: String,
    },
    /// A name that several objects have.
    #[error("`{name}` is ambiguous: {} things have that name", choices.len())]
    Ambiguous {
        /// The name.
        name: String,
        /// The ids to choose from, each with what distinguishes it.
        choices: Vec<String>,
    },
    /// The region has no instance of Identity Center that is visible to the credentials.
    #[error("no IAM Identity Center instance was found in region {region}")]
    NoInstance {
        /// The region that was asked.
        region: String,
        /// The region of the profile's SSO login, where it is another one.
        sso_region: Option<String>,
    },
    /// The region has several, and none was chosen (or the chosen one is not among them).
    #[error("{reason}")]
    ChooseInstance {
        /// What does not fit.
        reason: String,
        /// The ARNs to choose from.
        choices: Vec<String>,
    },
    /// AWS throttled all attempts.
    #[error("AWS throttled {operation} {}", if *attempts == 1 { "once".to_owned() } else { format!("{attempts} times") })]
    Throttled {
        /// The operation.
        operation: String,
        /// How often it was tried.
        attempts: u32,
        /// The retry-after of AWS, in milliseconds.
        retry_after_ms: Option<u64>,
    },
    /// AWS cannot be reached, or broke off.
    #[error("{}", unanswered(operation, detail))]
    Unreachable {
        /// The operation.
        operation: String,
        /// The reason, from the innermost cause.
        detail: String,
        /// Whether the request may have reached AWS, so that a change may have been made.
        sent: bool,
    },
    /// AWS found the call at odds with another change.
    #[error("AWS refused {operation}: ConflictException: {detail}")]
    Conflict {
        /// The operation.
        operation: String,
        /// AWS's words.
        detail: String,
        /// Whether it passes by itself: an earlier change is still spreading, or another is being made at the same time. Else
        /// there is something in the way (a name that is taken).
        passing: bool,
        /// AWS's id of the request.
        request_id: Option<String>,
    },
    /// The object is no longer what the caller read, so nothing was changed.
    #[error("{what} was changed by another request in the meantime")]
    ChangedMeanwhile {
        /// `user 9067...`
        what: String,
        /// What differs, one sentence each.
        differences: Vec<String>,
    },
    /// AWS answered with an error that is none of the above.
    #[error("AWS refused {operation}: {code}: {detail}")]
    Refused {
        /// The operation.
        operation: String,
        /// AWS's error code.
        code: String,
        /// AWS's words.
        detail: String,
        /// AWS's id of the request.
        request_id: Option<String>,
    },
    /// AWS answered with something that cannot be right (a token that repeats, a field that is missing).
    #[error("AWS's answer to {operation} cannot be used: {detail}")]
    BadAnswer {
        /// The operation.
        operation: String,
        /// What is wrong with it.
        detail: String,
    },
    /// AWS accepted a change and then could not make it.
    #[error("AWS could not change {what}: {reason}")]
    ChangeFailed {
        /// What was to be changed.
        what: String,
        /// AWS's reason.
        reason: String,
        /// AWS's id of the request.
        request_id: String,
    },
    /// AWS accepted a change and is still at it.
    #[error("AWS has not finished changing {what}")]
    ChangePending {
        /// What is being changed.
        what: String,
        /// AWS's id of the request.
        request_id: String,
    },
    /// Part of a walk could not be read.
    #[error("{} of {total} targets could not be read", failures.len())]
    Partial {
        /// How many targets the walk had.
        total: usize,
        /// Those that failed.
        failures: Vec<progress::TargetFailure>,
    },
    /// Parts of one answer could not be read; the others are available.
    #[error("{what} could not be read in full: {} missing", failures.iter().map(|part| part.target.as_str()).collect::<Vec<_>>().join(", "))]
    Incomplete {
        /// The request.
        what: String,
        /// The answer without them.
        found: Box<serde_json::Value>,
        /// The parts that are missing, and why.
        failures: Vec<progress::TargetFailure>,
    },
    /// `--cache-only`, and the cache does not hold the answer.
    #[error("the cache does not hold {key}")]
    NotCached {
        /// The key.
        key: String,
    },
    /// The budget of calls is spent.
    #[error("the budget of {budget} calls is spent")]
    Budget {
        /// The budget.
        budget: u64,
    },
    /// The process was asked to stop.
    #[error("interrupted")]
    Interrupted,
    /// A fault of the cache that must not be passed over.
    #[error(transparent)]
    Cache(#[from] CacheError),
    /// The reader of the answer went away or refused it.
    #[error("cannot write the answer: {0}")]
    Output(#[from] std::io::Error),
}

/// The start of an error's detail when the service answered with a failure.
const SERVICE_FAILED: &str = "the service failed";

/// A service that answers with its own error can be reached.
fn unanswered(operation: &str, detail: &str) -> String {
    if detail.starts_with(SERVICE_FAILED) {
        format!("{operation}: {detail}")
    } else {
        format!("AWS cannot be reached for {operation}: {detail}")
    }
}

/// Whether a call that failed may be made again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Again {
    /// It would fail again.
    Never,
    /// Only if it changes nothing: AWS may have done what was asked.
    Reads,
    /// AWS surely did nothing.
    Always,
}

impl From<SettingFault> for GatewayError {
    fn from(SettingFault { detail, hint }: SettingFault) -> GatewayError {
        GatewayError::Configuration { detail, hint }
    }
}

impl GatewayError {
    /// Whether the same call may be made again, and what it must be like for that.
    pub fn again(&self) -> Again {
        match self {
            GatewayError::Throttled { .. }
            | GatewayError::Unreachable { sent: false, .. }
            // Other calls of this process may close their connections.
            | GatewayError::Limit { sent: false, .. }
            | GatewayError::Conflict { passing: true, .. } => Again::Always,
            GatewayError::Unreachable { sent: true, .. } => Again::Reads,
            _ => Again::Never,
        }
    }

    /// Whether the same call may succeed a little later.
    pub fn is_temporary(&self) -> bool {
        matches!(self, GatewayError::Throttled { .. } | GatewayError::Unreachable { .. })
    }

    /// Whether the service answered that it failed: other operations may work all the same.
    pub fn is_failure_of_service(&self) -> bool {
        matches!(self, GatewayError::Unreachable { detail, .. } if detail.starts_with(SERVICE_FAILED))
    }

    /// Whether a change that ended with it may have been made all the same.
    pub fn leaves_doubt(&self) -> bool {
        matches!(
            self,
            GatewayError::Unreachable { sent: true, .. }
                | GatewayError::Limit { sent: true, .. }
                | GatewayError::BadAnswer { .. }
                | GatewayError::ChangePending { .. }
        )
    }

    /// Whether every further target of a walk would fail with the same.
    pub fn ends_everything(&self) -> bool {
        matches!(
            self,
            GatewayError::NoCredentials { .. }
                | GatewayError::NotLoggedIn { .. }
                | GatewayError::LoginExpired { .. }
                | GatewayError::CredentialsRefused { .. }
                | GatewayError::Mfa { .. }
                | GatewayError::Configuration { .. }
                | GatewayError::Limit { .. }
                | GatewayError::NoInstance { .. }
                | GatewayError::ChooseInstance { .. }
                | GatewayError::Budget { .. }
                | GatewayError::Interrupted
                | GatewayError::NotCached { .. }
                | GatewayError::Output(_)
        )
    }

    /// Whether AWS cannot answer at all for now: then an expired entry is better than none.
    pub fn allows_stale(&self) -> bool {
        let kept_from_aws = matches!(
            self,
            GatewayError::LoginExpired { .. } | GatewayError::NotLoggedIn { .. } | GatewayError::Limit { .. }
        );
        self.is_temporary() || kept_from_aws
    }

    /// The same as the failure of one target of a walk.
    pub fn of_target(&self, target: String) -> progress::TargetFailure {
        let denied = match self {
            GatewayError::AccessDenied { operation, detail, .. } => {
                Some(progress::Denied { operation: operation.clone(), detail: detail.clone() })
            }
            _ => None,
        };
        progress::TargetFailure { target, error: self.to_string(), hint: None, code: self.exit_code(), denied }
    }

    /// The exit code of a command that ends with it; AWS's own errors have theirs from the table of [`ErrorClass`].
    pub fn exit_code(&self) -> u8 {
        match self {
            GatewayError::NoCredentials { .. }
            | GatewayError::NotLoggedIn { .. }
            | GatewayError::LoginExpired { .. }
            | GatewayError::Mfa { .. }
            | GatewayError::CredentialsRefused { .. } => ErrorClass::Expired.exit_code(),
            GatewayError::AccessDenied { .. } => ErrorClass::Denied.exit_code(),
            GatewayError::NotFound { .. } => ErrorClass::NotFound.exit_code(),
            GatewayError::Throttled { .. } => ErrorClass::Throttled.exit_code(),
            GatewayError::Unreachable { .. } | GatewayError::BadAnswer { .. } | GatewayError::ChangePending { .. } => {
                ErrorClass::Unavailable.exit_code()
            }
            GatewayError::Conflict { .. } => ErrorClass::Conflict.exit_code(),
            GatewayError::Refused { code, .. } => ErrorClass::of(Some(code), 400).exit_code(),
            // A change that AWS accepted and then failed is not a permission error.
            GatewayError::ChangeFailed { .. }
            | GatewayError::ChangedMeanwhile { .. }
            | GatewayError::Limit { .. }
            | GatewayError::Cache(_)
            | GatewayError::Output(_) => 1,
            GatewayError::Configuration { .. }
            | GatewayError::Ambiguous { .. }
            | GatewayError::NoInstance { .. }
            | GatewayError::ChooseInstance { .. } => 2,
            GatewayError::Partial { .. } | GatewayError::Incomplete { .. } | GatewayError::Budget { .. } => 3,
            GatewayError::NotCached { .. } => 10,
            GatewayError::Interrupted => 130,
        }
    }
}
