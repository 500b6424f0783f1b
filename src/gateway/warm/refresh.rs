//! One target of a warm: left alone, left to another process, or asked of AWS, compared and stored.
//!
//! `renew_one` alone decides; what could not be read is listed with its reason; a target that somebody else is
//! fetching is not fetched twice.

use crate::cache::Provenance;
use crate::clock::{UnixMillis, millis};
use crate::gateway::api::api_of;
use crate::gateway::assignments::failure;
use crate::gateway::diff::summary::Before;
use crate::gateway::diff::summary::ListDiff;
use crate::gateway::diff::summary::is_list;
use crate::gateway::error::GatewayError;
use crate::gateway::fetch::PARALLEL;
use crate::gateway::read::CachePolicy;
use crate::gateway::request::Request;
use crate::gateway::revalidate::StoreResult;
use crate::gateway::warm::Renew;
use crate::gateway::warm::Warmed;
use crate::gateway::warm::Warmer;
use crate::gateway::warm::baseline;
use crate::gateway::warm::baseline::Baseline;
use crate::gateway::warm::patience::FetchDecision;
use crate::gateway::warm::patience::NotKept;
use crate::gateway::warm::patience::Patience;
use crate::gateway::warm::patience::TRIES;
use crate::progress::Progress;
use crate::progress::TargetFailure;
use futures_util::{StreamExt, stream};
use std::sync::atomic::{AtomicBool, Ordering};

/// The part of its time to live that an entry must have before it for `--refresh-ahead` to leave it alone: a quarter.
const AHEAD: i64 = 4;

/// What a warm holds on to while it goes through one target.
pub(in crate::gateway) struct Round<'a> {
    /// The text of the space.
    pub(in crate::gateway) space: &'a str,
    /// What is renewed.
    pub(in crate::gateway) renew: Renew,
    /// What was stored since then belongs to this warm already.
    pub(in crate::gateway) since: Option<UnixMillis>,
    /// How long changes and other processes are waited for; `None` is not at all.
    pub(in crate::gateway) patience: Option<&'a Patience>,
    /// Whether the names of what changed are kept.
    pub(in crate::gateway) names: bool,
    /// Whether there was a warm to compare with.
    pub(in crate::gateway) again: bool,
    /// What the target held at the last warm, where that is kept.
    pub(in crate::gateway) baseline: Option<&'a Baseline>,
    /// Told how far it is.
    pub(in crate::gateway) progress: &'a dyn Progress,
}

/// What became of one request.
pub(super) enum Renewed {
    /// What is stored will do.
    Fresh,
    /// AWS was asked: so many items, and what was different.
    Fetched(u64, ListDiff),
    /// The answer of AWS is not stored.
    NotKept(NotKept),
}

impl<'a> Round<'a> {
    /// One that renews nothing: it only tells what would be left alone.
    pub(in crate::gateway) fn looking(space: &'a str, renew: Renew, progress: &'a dyn Progress) -> Round<'a> {
        Round { space, renew, since: None, patience: None, names: false, again: false, baseline: None, progress }
    }

    /// Whether what is stored is left alone.
    pub(super) fn leaves(&self, known: Option<&Provenance>, ttl: i64) -> bool {
        let Some(known) = known else { return false };
        if self.since.is_some_and(|since| known.stored_at >= since) {
            return true;
        }
        match self.renew {
            Renew::All => false,
            Renew::Older(age) => known.age_ms <= millis(age),
            Renew::Expiring(ahead) => known.left_ms >= millis(ahead),
            Renew::Ahead => known.left_ms.saturating_mul(AHEAD) >= ttl,
            Renew::Unusable(oldest) => oldest.is_none_or(|oldest| known.age_ms <= millis(oldest)),
        }
    }
}

impl Warmer<'_> {
    /// Whether a request needs no call in this round.
    pub(in crate::gateway) fn is_left(self, request: &Request, round: &Round<'_>) -> bool {
        let key = request.key();
        let ttl = millis(self.gateway.cache().ttl(key.resource(), key.operation()));
        round.leaves(self.gateway.cache().freshness(round.space, &key).as_ref(), ttl)
    }

    /// Renews one request, or says why not.
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
                    baseline::note(round, request, &mut answer)?;
                    let changes = match before {
                        Some(None) if is_list(request) => ListDiff { first: true, ..ListDiff::default() },
                        Some(before) => self.compare(before, &mut answer, round.names)?,
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
        let stored = self.before(round.space, request, round.names);
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
                        // Nothing more is begun; but what is under way has been paid for, and is kept.
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
}

impl Warmed {
    pub(super) fn note(&mut self, renewed: Renewed) {
        match renewed {
            Renewed::Fresh => self.fresh += 1,
            Renewed::NotKept(not_kept) => {
                self.elsewhere += u64::from(not_kept.elsewhere);
                self.not_kept.push(not_kept);
            }
            Renewed::Fetched(items, changes) => {
                self.fetched += 1;
                self.items += items;
                self.changes.add(changes);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;
    use std::time::Duration;

    fn known(age_ms: i64, left_ms: i64) -> Provenance {
        Provenance { cached: true, stale: false, stored_at: 1_000_000 - age_ms, age_ms, left_ms }
    }

    #[test]
    fn each_way_of_renewing_leaves_alone_what_it_says() {
        let second = Duration::from_secs(1);
        for (renew, since, age, left, expected) in [
            (Renew::All, None, 0, 600_000, false),
            (Renew::All, Some(999_000), 1_000, 5, true),
            (Renew::All, Some(999_001), 1_000, 5, false),
            (Renew::Older(second), None, 1_000, 5, true),
            (Renew::Older(second), None, 1_001, 5, false),
            (Renew::Expiring(second), None, 5, 1_000, true),
            (Renew::Expiring(second), None, 5, 999, false),
            (Renew::Ahead, None, 5, 150_000, true),
            (Renew::Ahead, None, 5, 149_999, false),
            (Renew::Unusable(None), None, 500_000, 1, true),
            (Renew::Unusable(Some(second)), None, 1_001, 1, false),
        ] {
            let round = Round {
                space: "s",
                renew,
                since,
                patience: None,
                names: false,
                again: false,
                baseline: None,
                progress: &NoProgress,
            };
            assert_eq!(round.leaves(Some(&known(age, left)), 600_000), expected, "{renew:?} {since:?} {age} {left}");
            assert!(!round.leaves(None, 600_000));
        }
    }
}
