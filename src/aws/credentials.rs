//! Caches credentials for concurrent callers: fetched once before the first call takes its slot, then for the SDK at
//! each call.
//!
//! A slow source (an SSO login, a command, the metadata service) is asked once while its credentials are valid, and
//! again shortly before they expire.

use super::credential_error::{CredentialFault, ErrorClassifier, SettingFault};
use super::credential_http::Exchanges;
use super::header_text;
use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use std::fmt;
use std::pin::Pin;
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// Credentials are fetched again this long before they expire. The buffer of the SDK is ten seconds, so it finds new
/// ones here.
const MARGIN: Duration = Duration::from_secs(60);
/// Credentials without an expiry are fetched again after this time: their file may have changed. The SDK keeps
/// credentials for 15 minutes, so it finds no older ones here.
const UNENDING: Duration = Duration::from_secs(10 * 60);

/// Makes a source whose requests are recorded.
pub(super) type MakeSource = Box<dyn Fn(&Exchanges) -> Making + Send + Sync>;
pub(super) type Making = Pin<Box<dyn Future<Output = SharedCredentialsProvider> + Send>>;

/// A source of credentials and its last result.
///
/// A failed source is created again: the SDK's sources cache a failure and would not retry.
pub(super) struct CachedCredentials {
    make: MakeSource,
    judge: ErrorClassifier,
    /// The timeout of the source.
    patience: Duration,
    state: Mutex<CredentialState>,
}

#[derive(Default)]
struct CredentialState {
    source: Option<(SharedCredentialsProvider, Exchanges)>,
    last: Option<(Credentials, SystemTime)>,
}

// Credentials are secret.
impl fmt::Debug for CachedCredentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Kept").field("judge", &self.judge).finish_non_exhaustive()
    }
}

impl CachedCredentials {
    pub(super) fn new(make: MakeSource, judge: ErrorClassifier, patience: Duration) -> Self {
        Self { make, judge, patience, state: Mutex::default() }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialFault> {
        // Concurrent callers wait for the same result.
        let mut state = self.state.lock().await;
        let now = SystemTime::now();
        if let Some((credentials, until)) = state.last.as_ref()
            && now < *until
        {
            return Ok(credentials.clone());
        }
        self.judge.known_before()?;
        let (source, exchanges) = if let Some(kept) = state.source.take() {
            kept
        } else {
            let exchanges = Exchanges::default();
            ((self.make)(&exchanges).await, exchanges)
        };
        exchanges.clear();
        let found = tokio::time::timeout(self.patience, source.provide_credentials())
            .await
            .unwrap_or_else(|_| Err(CredentialsError::provider_timed_out(self.patience)))
            .map_err(|error| self.judge.fault(&error, &exchanges.failed(), exchanges.last_success().as_ref()))?;
        if let Some(detail) = header_text::wrong_credentials(&found, &super::provider_name(&found)) {
            let hint = "check the source of these credentials".into();
            return Err(SettingFault { detail, hint }.into());
        }
        let until = found.expiry().map_or(now + UNENDING, |end| end.checked_sub(MARGIN).unwrap_or(now));
        *state = CredentialState { source: Some((source, exchanges)), last: Some((found.clone(), until)) };
        Ok(found)
    }
}

impl ProvideCredentials for CachedCredentials {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        // The code that reports the error finds the fault inside.
        future::ProvideCredentials::new(async { self.credentials().await.map_err(CredentialsError::provider_error) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::aws::AwsSettings;
    use crate::aws::profile::AwsEnvironment;
    use crate::aws::resolved::resolve;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Gives credentials that end so long after now, and counts.
    #[derive(Debug)]
    struct CountingSource(Option<Duration>, Arc<AtomicU32>);

    impl ProvideCredentials for CountingSource {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let nth = self.1.fetch_add(1, Ordering::SeqCst);
            let end = self.0.map(|lasts| SystemTime::now() + lasts);
            future::ProvideCredentials::ready(Ok(Credentials::new(nth.to_string(), "secret", None, end, "test")))
        }
    }

    fn kept(source: SharedCredentialsProvider, patience: Duration) -> CachedCredentials {
        let make: MakeSource = Box::new(move |_| {
            let source = source.clone();
            Box::pin(async { source })
        });
        CachedCredentials::new(
            make,
            ErrorClassifier::new(&resolve(&AwsSettings::default(), &AwsEnvironment::new())),
            patience,
        )
    }

    async fn asked(lasts: Option<Duration>) -> u32 {
        let asked = Arc::new(AtomicU32::new(0));
        let source = CountingSource(lasts, Arc::clone(&asked));
        let kept = kept(SharedCredentialsProvider::new(source), Duration::from_secs(1));
        let all = [kept.credentials(), kept.credentials(), kept.credentials()];
        for one in futures_util::future::join_all(all).await {
            one.unwrap();
        }
        asked.load(Ordering::SeqCst)
    }

    #[tokio::test]
    async fn what_holds_is_fetched_once_and_what_is_about_to_end_again() {
        assert_eq!(asked(None).await, 1);
        assert_eq!(asked(Some(Duration::from_secs(3600))).await, 1);
        assert_eq!(asked(Some(MARGIN / 2)).await, 3);
    }

    #[derive(Debug)]
    struct Silent;

    impl ProvideCredentials for Silent {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            future::ProvideCredentials::new(std::future::pending())
        }
    }

    #[tokio::test]
    async fn a_source_that_never_answers_is_given_up() {
        let kept = kept(SharedCredentialsProvider::new(Silent), Duration::from_millis(1));
        assert!(matches!(kept.credentials().await, Err(CredentialFault::Unreachable { .. })));
    }
}
