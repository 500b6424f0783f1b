//! Errors of a sandbox.
//!
//! Only starting and listening can fail; an invalid call gets an error answer.

use crate::faults::rules::BadFaults;
use std::net::SocketAddr;

/// A sandbox that could not be started or had to stop.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    /// The listener would be reachable by other hosts.
    #[error("the sandbox listens on loopback only, and {0} is not: use 127.0.0.1 or [::1]")]
    NotLoopback(SocketAddr),
    /// No port of the loopback interface is available.
    #[error("the sandbox cannot listen on 127.0.0.1: {0}")]
    Listen(#[source] std::io::Error),
    /// The configured faults are invalid.
    #[error("the sandbox cannot have these faults: {0}")]
    Faults(#[source] BadFaults),
    /// The thread or the runtime cannot be created.
    #[error("the sandbox cannot start: {0}")]
    Start(#[source] std::io::Error),
    /// The server stopped by itself.
    #[error("the sandbox stopped: {0}")]
    Serve(#[source] std::io::Error),
}
