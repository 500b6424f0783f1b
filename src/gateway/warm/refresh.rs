//! Refreshes one target of a warm: skips it, leaves it to another process, or reads it from AWS and stores it.
//!
//! Only `renew_one` decides. Targets that cannot be read are listed with the reason; a target that another process is
//! fetching is not fetched twice.

use super::report::Warmed;
use super::round::{Renewed, Round};
use super::warmer::Warmer;
use crate::clock;
use crate::clock::{UnixMillis, millis};
use crate::gateway::api::api_of;
use crate::gateway::assignments::failure;
use crate::gateway::core::CachePolicy;
use crate::gateway::diff::item_hash::ItemHash;
use crate::gateway::diff::summary::Before;
use crate::gateway::diff::summary::ListDiff;
use crate::gateway::diff::summary::is_list;
use crate::gateway::error::GatewayError;
use crate::gateway::fetch::PARALLEL;
use crate::gateway::request::Request;
use crate::gateway::revalidate::StoreResult;
use crate::gateway::single_flight::{FLIGHTS, Turn};
use crate::gateway::spool::Spool;
use crate::gateway::warm::patience::FetchDecision;
use crate::gateway::warm::patience::NotKept;
use crate::gateway::warm::patience::TRIES;
use crate::progress::TargetFailure;
use crate::store::Address;
use futures_util::{StreamExt, stream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a fence is checked.
const LOOK: Duration = Duration::from_millis(100);
impl Warmer<'_> {
    /// Whether a request needs no call in this round.
    pub(in crate::gateway) fn is_left(self, request: &Request, round: &Round<'_>) -> bool {
        let key = request.key();
        let ttl = millis(self.gateway.cache().ttl(key.resource(), key.operation()));
        round.leaves(self.gateway.cache().freshness(round.space, &key).as_ref(), ttl)
    }

    /// Renews one request, or returns why it did not.
    pub(super) async fn renew_one(self, request: &Request, round: &Round<'_>) -> Result<Renewed, GatewayError> {
        if let Some(baseline) = round.baseline {
            baseline.ask(request);
        }
        if self.is_left(request, round) {
            return Ok(Renewed::Fresh);
        }
        let key = request.key();
        let seen = self.gateway.cache().freshness(round.space, &key).map(|known| known.stored_at);
        for _ in 0..TRIES {
            if let Some(settling) = self.outside_fences(request, round).await {
                return Ok(Renewed::NotKept(settling));
            }
            let flight = match self.access(request, round, seen).await {
                FetchDecision::Granted(flight) => flight,
                FetchDecision::Stored => return Ok(Renewed::Fresh),
                FetchDecision::Refused(refused) => return Ok(Renewed::NotKept(refused)),
            };
            let before = round.again.then(|| self.last_known(round, request));
            let answered = self.gateway.reader().live_kept(request, &CachePolicy::REFRESH, round.progress).await;
            drop(flight);
            let (mut answer, kept) = answered?;
            match kept {
                StoreResult::Stored => {
                    note_baseline(round, request, &mut answer)?;
                    let changes = match before {
                        Some(None) if is_list(request) => ListDiff { first: true, ..ListDiff::default() },
                        Some(before) => self.gateway.differ().compare(before, &mut answer, round.names)?,
                        None => ListDiff::default(),
                    };
                    return Ok(Renewed::Fetched(answer.items(), changes));
                }
                StoreResult::Overtaken if round.patience.is_none() => break,
                StoreResult::Overtaken => {}
                StoreResult::Unable => {
                    return Ok(Renewed::NotKept(NotKept::overtaken(request, "the cache could not store it")));
                }
            }
        }
        Ok(Renewed::NotKept(NotKept::overtaken(request, "it was changed while it was being read")))
    }

    /// The content of a request at the last warm: its entry, or what is known of a removed one.
    fn last_known(self, round: &Round<'_>, request: &Request) -> Option<Before> {
        let stored = self.gateway.differ().before(round.space, request, round.names);
        stored.or_else(|| round.baseline?.items(request).map(Before::of))
    }

    /// Renews one list, which is a whole target or the way to one.
    pub(super) async fn renew(
        self,
        request: &Request,
        round: &Round<'_>,
        done: &mut Warmed,
    ) -> Result<(), GatewayError> {
        let renewed = self.renew_one(request, round).await?;
        done.note(renewed);
        Ok(())
    }

    /// Renews many, several at a time; one that cannot be read does not stop the others.
    pub(super) async fn renew_all(
        self,
        requests: impl Iterator<Item = Request> + Send,
        count: usize,
        round: &Round<'_>,
        done: &mut Warmed,
    ) -> Result<(), GatewayError> {
        let mut requests = requests.peekable();
        round.progress.started(done.target, Some(count as u64));
        if let (Some(rates), Some(first)) = (self.gateway.rates(), requests.peek()) {
            round.progress.paced(done.target, rates.of(api_of(first.call())));
        }
        let mut end = None;
        let ends = AtomicBool::new(false);
        let requests = requests.take_while(|_| !ends.load(Ordering::Relaxed));
        let mut answers = stream::iter(requests)
            .map(|request| async move {
                let renewed = self.renew_one(&request, round).await;
                (request, renewed)
            })
            .buffer_unordered(PARALLEL);
        let mut open = Vec::new();
        while let Some((request, renewed)) = answers.next().await {
            round.progress.advanced(done.target, 1);
            match renewed {
                Ok(Renewed::NotKept(not_kept)) => open.push((request, not_kept)),
                Ok(renewed) => done.note(renewed),
                Err(error) => {
                    let excuse = self.excuse(&request, &error);
                    match (excuse, failure(&request, error)) {
                        (Some(reason), Ok(failed)) => done.skipped.push(TargetFailure { error: reason, ..failed }),
                        (None, Ok(failed)) => done.failures.push(failed),
                        // No new request starts; requests in progress finish, and their answers are stored.
                        (_, Err(error)) => {
                            ends.store(true, Ordering::Relaxed);
                            end = end.or(Some(error));
                        }
                    }
                }
            }
        }
        round.progress.finished(done.target);
        for (request, not_kept) in open {
            // Another process may have stored it by now.
            let stored = self.is_left(&request, round);
            done.note(if stored { Renewed::Fresh } else { Renewed::NotKept(not_kept) });
        }
        end.map_or(Ok(()), Err)
    }

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
            match self.gateway.turn(round.space, &key, &request.subject()) {
                Turn::Mine(mine) => flight = Some(mine),
                Turn::Theirs(awaited) if round.patience.is_none() && !self.gateway.is_stopped(&awaited) => {
                    return FetchDecision::Refused(NotKept::elsewhere(request));
                }
                // A holder that is stopped, or makes no progress: this warm fetches it too.
                Turn::Theirs(awaited) if !self.gateway.land(&awaited).await => break,
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

/// Notes the items of an answer.
fn note_baseline(round: &Round<'_>, request: &Request, answer: &mut Spool) -> std::io::Result<()> {
    let Some(baseline) = round.baseline else { return Ok(()) };
    let mut items = Vec::new();
    answer.each(|item| {
        items.push(ItemHash::of(&item));
        Ok(())
    })?;
    items.sort_unstable();
    baseline.note(request, items);
    Ok(())
}
