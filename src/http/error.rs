//! Errors of a post.

use std::time::Duration;

/// Why a request had no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// The text is no URL.
    #[error("it is not an http or https URL")]
    NoUrl,
    /// A variable does not name a proxy.
    #[error("{0}")]
    Proxy(String),
    /// The certificates cannot be used.
    #[error("the certificates cannot be used: {0}")]
    Certificates(String),
    /// The host cannot be reached.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// `hooks.example.com:8443`
        host: String,
        /// The innermost reason.
        reason: String,
    },
    /// The host did not answer in time.
    #[error("{host} did not answer within {after:?}")]
    TimedOut {
        /// `hooks.example.com:8443`
        host: String,
        /// The timeout.
        after: Duration,
    },
}
