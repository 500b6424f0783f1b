//! The waits of a warm before it fetches, and its report when it could not store an answer.
//!
//! Guarantee: all waits for changes together take at most the patience of the warm, and an answer that was not stored
//! is never counted as fetched.

use crate::clock::{self, UnixMillis, millis};
use crate::gateway::request::Request;
use crate::gateway::single_flight::Flight;
use serde::Serialize;
use std::sync::OnceLock;
use std::time::Duration;

/// The attempts at a fetch that a change overtakes.
pub(super) const TRIES: u32 = 3;

/// An answer that a warm did not store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct NotKept {
    /// The request (`the users`).
    pub target: String,
    /// Why it is not stored.
    pub reason: String,
    /// When it is worth repeating the warm; `null` when that is not known.
    #[serde(serialize_with = "clock::serialize_or_null")]
    pub repeat_at: Option<UnixMillis>,
    /// Whether another process was fetching it.
    #[serde(skip)]
    pub(super) elsewhere: bool,
}

impl NotKept {
    pub(super) fn elsewhere(request: &Request) -> NotKept {
        let reason = "another process is fetching it";
        NotKept { target: request.subject(), reason: reason.to_owned(), repeat_at: None, elsewhere: true }
    }

    pub(super) fn overtaken(request: &Request, reason: &str) -> NotKept {
        NotKept { target: request.subject(), reason: reason.to_owned(), repeat_at: None, elsewhere: false }
    }
}

/// How long one warm waits for changes to settle, all its targets together.
#[derive(Debug)]
pub(in super::super) struct Patience {
    most: Duration,
    until: OnceLock<UnixMillis>,
}

impl Patience {
    pub(in super::super) fn of(most: Duration) -> Patience {
        Patience { most, until: OnceLock::new() }
    }

    /// When it ends: it begins with the first wait.
    pub(super) fn end(&self, now: UnixMillis) -> UnixMillis {
        *self.until.get_or_init(|| now.saturating_add(millis(self.most)))
    }
}

/// Whether a warm may fetch an answer now.
pub(super) enum FetchDecision {
    /// It may, and holds the flight where there is one.
    Granted(Option<Flight>),
    /// The stored answer is recent enough by now.
    Stored,
    /// Another process holds the flight.
    Refused(NotKept),
}
