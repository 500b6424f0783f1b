//! The waits of a warm before it fetches, and its report when it could not store an answer.
//!
//! Guarantee: all waits for changes together take at most the patience of the warm, and an answer that was not stored
//! is never counted as fetched.

use super::refresh::Round;
use crate::clock::{self, UnixMillis, millis};
use crate::gateway::error::GatewayError;
use crate::gateway::read::CachePolicy;
use crate::gateway::request::Request;
use crate::gateway::single_flight::FLIGHTS;
use crate::gateway::single_flight::Flight;
use crate::gateway::single_flight::Turn;
use crate::gateway::warm::Warmer;
use crate::store::Address;
use serde::Serialize;
use std::sync::OnceLock;
use std::time::Duration;

/// How often a fence is checked.
const LOOK: Duration = Duration::from_millis(100);
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
    fn end(&self, now: UnixMillis) -> UnixMillis {
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

impl Warmer<'_> {
    /// Waits until no change keeps the answer from being stored; returns the report if one still does.
    pub(super) async fn outside_fences(self, request: &Request, round: &Round<'_>) -> Option<NotKept> {
        let key = request.key();
        let address = Address { space: round.space, key: key.as_str() };
        loop {
            let now = self.gateway.cache().clock().now();
            // A faulty store reports its fault when the answer is to be stored.
            let standing =
                self.gateway.cache().store().standing(address, now).ok().filter(|standing| standing.fenced)?;
            if round.patience.is_none_or(|patience| now >= patience.end(now)) {
                let until = standing.until.map(|until| format!(" until {}", clock::local(until))).unwrap_or_default();
                let reason = format!("a change to it settles{until}");
                return Some(NotKept { repeat_at: standing.until, ..NotKept::overtaken(request, &reason) });
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Takes the flight of an answer, or waits for the process that has it; `seen` is when the stored answer was stored
    /// as this warm first saw it.
    pub(super) async fn access(self, request: &Request, round: &Round<'_>, seen: Option<UnixMillis>) -> FetchDecision {
        let key = request.key();
        let mut flight = None;
        for _ in 0..FLIGHTS {
            match self.gateway.reader().turn(round.space, &key, &request.subject()) {
                Turn::Mine(mine) => flight = Some(mine),
                Turn::Theirs(awaited) if round.patience.is_none() && !self.gateway.reader().is_stopped(&awaited) => {
                    return FetchDecision::Refused(NotKept::elsewhere(request));
                }
                // A holder that is stopped, or makes no progress: this warm fetches it too.
                Turn::Theirs(awaited) if !self.gateway.reader().land(&awaited).await => break,
                Turn::Theirs(_) => {}
                Turn::Anyone => break,
            }
            // Another process may have stored it meanwhile: that answer is no older than this warm.
            let stored_at = self.gateway.cache().freshness(round.space, &key).map(|known| known.stored_at);
            if self.is_left(request, round) || stored_at > seen {
                return FetchDecision::Stored;
            }
            if flight.is_some() {
                break;
            }
        }
        FetchDecision::Granted(flight)
    }

    /// Why an answer that AWS refused is left out rather than lost: its account is not active, or a policy denies it
    /// explicitly. `None` when it is lost.
    pub(super) fn excuse(self, request: &Request, error: &GatewayError) -> Option<String> {
        if let GatewayError::AccessDenied { detail, .. } = error
            && detail.contains("explicit deny")
        {
            return Some(format!("denied by policy: {error}"));
        }
        let (Request::Assignments { account, .. } | Request::AccountPermissionSets(account)) = request else {
            return None;
        };
        if error.is_temporary() {
            return None;
        }
        let known = self
            .gateway
            .reader()
            .cached_value(&Request::Account(account.clone()), &CachePolicy::CACHE_ONLY)
            .ok()
            .flatten()?;
        let status = ["Status", "State"].into_iter().find_map(|field| known[field].as_str())?;
        let words = status.to_ascii_lowercase().replace('_', " ");
        (status != "ACTIVE").then(|| format!("account {account} is {words}"))
    }
}
