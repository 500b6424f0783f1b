//! Why a sandbox cannot stand.
//!
//! Only starting and listening can fail; what a caller asks wrongly is an answer, not an error.

use crate::faults::rules::BadFaults;
use std::net::SocketAddr;

/// A sandbox that could not be started or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The listener could be reached from other hosts.
    #[error("the sandbox listens on loopback only, and {0} is not: use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// No port of the loopback interface could be had.
    #[error("the sandbox cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] std::io::Error),
    /// The faults that it should have make no sense.
    #[error("the sandbox cannot have these faults: {0}")]
    Faults(#[source] BadFaults),
    /// The thread or the runtime that serves could not be made.
    #[error("the sandbox cannot start: {0}")]
    Start(#[source] std::io::Error),
    /// The server stopped by itself.
    #[error("the sandbox stopped: {0}")]
    Serve(#[source] std::io::Error),
}
