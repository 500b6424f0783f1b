//! Why a post had no answer.

use std::time::Duration;

/// Why a request had no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HttpFault {
    /// What should be a URL is none.
    #[error("it is not an http or https URL")]
    NoUrl,
    /// A variable does not name a proxy.
    #[error("{0}")]
    Proxy(String),
    /// The certificates cannot be used.
    #[error("the certificates cannot be used: {0}")]
    Certificates(String),
    /// The other side cannot be reached.
    #[error("{host} cannot be reached: {reason}")]
    Unreachable {
        /// `hooks.example.com:8443`
        host: String,
        /// The innermost reason.
        reason: String,
    },
    /// The other side did not answer in time.
    #[error("{host} did not answer within {after:?}")]
    TimedOut {
        /// `hooks.example.com:8443`
        host: String,
        /// The time it had.
        after: Duration,
    },
}
