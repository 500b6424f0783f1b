//! Errors of the credential chain, sorted into classes with different remedies.
//!
//! The SDK reports most of them as text: the texts, and the AWS files, decide the class.

use super::{environment, selection};
use aws_credential_types::provider::error::CredentialsError;
use std::error::Error;

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

/// What an error of the SDK's means. Its types tell little (an absent profile ends as a failure of the last source that
/// was tried), so its texts and the files themselves are looked at as well.
pub(super) fn judge(error: &CredentialsError, profile: Option<&str>) -> CredentialFault {
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
    use std::time::Duration;

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
