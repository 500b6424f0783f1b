//! Credentials, fetched once for all who ask: before the first call has its turn, and then by the SDK for each call.
//!
//! Neighbours: `aws.rs` puts this in front of the SDK's own sources. Promise: a source that takes its time (a login's
//! exchange, a command, the metadata service) is asked once while what it gave holds, and again shortly before the end.

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, future};
use std::time::{Duration, SystemTime};
use tokio::sync::Mutex;

/// Credentials that end sooner than this are fetched again. The SDK's own buffer is ten seconds; whoever asks it then
/// finds new ones here.
const MARGIN: Duration = Duration::from_secs(60);
/// Credentials without an end are fetched again after this: their file may have been changed. The SDK keeps what it is given
/// for a quarter of an hour; whoever asks it then finds no older ones here.
const UNENDING: Duration = Duration::from_secs(10 * 60);

/// A source of credentials and what it gave last.
#[derive(Debug)]
pub(super) struct Kept<P> {
    source: P,
    /// How long the source may take.
    patience: Duration,
    last: Mutex<Option<(Credentials, SystemTime)>>,
}

impl<P: ProvideCredentials> Kept<P> {
    pub(super) fn new(source: P, patience: Duration) -> Self {
        Self { source, patience, last: Mutex::default() }
    }

    async fn credentials(&self) -> Result<Credentials, CredentialsError> {
        // Whoever else asks meanwhile waits for the same answer.
        let mut last = self.last.lock().await;
        let now = SystemTime::now();
        if let Some((credentials, until)) = last.as_ref()
            && now < *until
        {
            return Ok(credentials.clone());
        }
        let found = tokio::time::timeout(self.patience, self.source.provide_credentials())
            .await
            .map_err(|_| CredentialsError::provider_timed_out(self.patience))??;
        let until = found.expiry().map_or(now + UNENDING, |end| end - MARGIN);
        *last = Some((found.clone(), until));
        Ok(found)
    }
}

impl<P: ProvideCredentials> ProvideCredentials for Kept<P> {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.credentials())
    }

    fn fallback_on_interrupt(&self) -> Option<Credentials> {
        self.source.fallback_on_interrupt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Gives credentials that end so long after now, and counts.
    #[derive(Debug)]
    struct Source(Option<Duration>, AtomicU32);

    impl ProvideCredentials for Source {
        fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
        where
            Self: 'a,
        {
            let nth = self.1.fetch_add(1, Ordering::SeqCst);
            let end = self.0.map(|lasts| SystemTime::now() + lasts);
            future::ProvideCredentials::ready(Ok(Credentials::new(nth.to_string(), "secret", None, end, "test")))
        }
    }

    async fn asked(lasts: Option<Duration>) -> u32 {
        let kept = Kept::new(Source(lasts, AtomicU32::new(0)), Duration::from_secs(1));
        let all = [kept.credentials(), kept.credentials(), kept.credentials()];
        for one in futures_util::future::join_all(all).await {
            one.unwrap();
        }
        kept.source.1.load(Ordering::SeqCst)
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
        let kept = Kept::new(Silent, Duration::from_millis(1));
        assert!(matches!(kept.credentials().await, Err(CredentialsError::ProviderTimedOut(_))));
    }
}
