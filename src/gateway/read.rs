//! Reading through the cache: a hit without AWS, else AWS and a fill, else (when AWS does not answer) a stale entry.
//!
//! [`Reader::cached`] needs no runtime, no credentials and no network; a fault of the cache slows a read and never
//! changes its answer.

use super::api::InstanceTarget;
use super::core::{CachePolicy, Gateway};
use super::error::GatewayError;
use super::fetch::Errand;
use super::instance;
use super::lookup::{Looked, Note};
use super::request::Request;
use super::revalidate::{FillSlot, StoreResult};
use super::single_flight::{FLIGHTS, Turn};
use super::spool::Spool;
use crate::cache::{EntrySink, Fresh, Lookup, Miss, Provenance, ReadOptions, Ticket};
use crate::progress::Progress;
use crate::store::{Address, StoreFault};
use serde_json::Value;
use std::io::{self, Read};
use std::sync::atomic::Ordering;
use std::time::Duration;

/// Reads through the cache.
#[derive(Clone, Copy)]
pub struct Reader<'g> {
    pub(super) gateway: &'g Gateway,
}

impl Gateway {
    /// Reads through the cache.
    pub fn reader(&self) -> Reader<'_> {
        Reader { gateway: self }
    }
}

impl Reader<'_> {
    /// Answers from the cache alone: `None` when it cannot, and then nothing was shown.
    pub fn cached(
        self,
        request: &Request,
        policy: &CachePolicy,
        show: EntrySink<'_>,
    ) -> Result<Option<Provenance>, GatewayError> {
        if !policy.read {
            return Ok(None);
        }
        let Some(space) = self.gateway.remembered() else { return Ok(None) };
        let accept = ReadOptions { max_age: policy.max_age, stale: false };
        self.look(request, &space.text(), accept, Note::All, show)
    }

    /// Answers from the cache or, when it cannot, from AWS.
    pub async fn read(
        self,
        request: &Request,
        policy: &CachePolicy,
        progress: &dyn Progress,
        show: EntrySink<'_>,
    ) -> Result<Provenance, GatewayError> {
        match self.cached(request, policy, show)? {
            Some(found) => Ok(found),
            None => self.after_miss(request, policy, progress, show).await,
        }
    }

    /// Answers what [`Reader::cached`] could not.
    pub async fn after_miss(
        self,
        request: &Request,
        policy: &CachePolicy,
        progress: &dyn Progress,
        show: EntrySink<'_>,
    ) -> Result<Provenance, GatewayError> {
        let looked_up = self.gateway.space.get().is_some();
        let text = self.gateway.space(policy).await?.text();
        if policy.read && !looked_up {
            let accept = ReadOptions { max_age: policy.max_age, stale: false };
            if let Some(found) = self.look(request, &text, accept, Note::All, show)? {
                return Ok(found);
            }
        }
        if !policy.live {
            return Err(GatewayError::NotCached { key: request.key().to_string() });
        }
        let mut flight = None;
        if policy.read && policy.fill {
            for _ in 0..FLIGHTS {
                let landed = match self.gateway.turn(&text, &request.key(), &request.subject()) {
                    Turn::Mine(mine) => {
                        flight = Some(mine);
                        true
                    }
                    Turn::Theirs(awaited) => self.gateway.land(&awaited).await,
                    Turn::Anyone => break,
                };
                // Between the miss and the turn another process may have stored it.
                let accept = ReadOptions { max_age: policy.max_age, stale: false };
                if let Some(found) = self.look(request, &text, accept, Note::Nothing, show)? {
                    return Ok(found);
                }
                if flight.is_some() || !landed {
                    break;
                }
            }
        }
        let answered = self.live(request, policy, progress).await;
        drop(flight);
        match answered {
            Ok(mut spool) => {
                let fresh = Provenance::live(self.gateway.cache().clock().now());
                show(&fresh, &mut spool.reader()?)?;
                self.gateway.add_part(fresh);
                Ok(fresh)
            }
            Err(error) if error.allows_stale() && policy.read => {
                let accept = ReadOptions { max_age: policy.max_age, stale: true };
                let stale = self.look(request, &text, accept, Note::Nothing, show)?;
                let Some(provenance) = stale else { return Err(error) };
                if !self.gateway.noticed_stale.swap(true, Ordering::Relaxed) {
                    let age = Duration::from_millis(provenance.age_ms.unsigned_abs());
                    let age = crate::model::format_duration(age);
                    progress.notice(&format!("AWS did not answer ({error}); this is from the cache, {age} old"));
                }
                Ok(provenance)
            }
            Err(error) => Err(error),
        }
    }

    /// Asks AWS and, when `policy` allows, stores the answer.
    pub async fn live(
        self,
        request: &Request,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<Spool, GatewayError> {
        Ok(self.live_kept(request, policy, progress).await?.0)
    }

    /// The same, and whether the answer was stored.
    pub(super) async fn live_kept(
        self,
        request: &Request,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<(Spool, StoreResult), GatewayError> {
        let space = self.gateway.space(policy).await?;
        let text = space.text();
        let ticket = if policy.fill { self.gateway.ticket() } else { Ticket::NONE };
        let fenced = ticket.is_valid() && self.gateway.fetcher().was_fenced(&text, &request.key(), ticket);
        let errand = Errand { space, text: &text, ticket, progress, continues: policy.read };
        let fetched = self.gateway.fetcher().fetch(request, errand).await;
        let mut spool = match fetched {
            Ok(spool) => spool,
            Err(error @ GatewayError::NotFound { .. }) => {
                let absent = Fresh::not_found(request.key(), request.call());
                if let Err(fault) = self.gateway.cache().fill(&text, &[absent], ticket) {
                    self.gateway.fault(&fault);
                }
                return Err(error);
            }
            Err(error) => return Err(error),
        };
        let mut kept = StoreResult::Unable;
        if ticket.is_valid() {
            let target = InstanceTarget::of(space);
            let place =
                FillSlot { target: &target, space: &text, ticket, fenced, patient: self.gateway.recorder.is_none() };
            kept = self.gateway.fetcher().keep(request, place, &mut spool, progress).await?;
        }
        Ok((spool, kept))
    }

    /// Reads an answer whole, for what is known to be small or must be looked through.
    pub async fn value(
        self,
        request: &Request,
        policy: &CachePolicy,
        progress: &dyn Progress,
    ) -> Result<serde_json::Value, GatewayError> {
        let mut found = serde_json::Value::Null;
        self.read(request, policy, progress, &mut |_, body| {
            found = serde_json::from_reader(body)?;
            Ok(())
        })
        .await?;
        Ok(found)
    }

    /// All instances of the region, live.
    pub async fn instances(self) -> Result<Vec<serde_json::Value>, GatewayError> {
        instance::list(self.gateway.source()).await
    }

    /// A whole answer from the cache alone. A miss is not recorded: the read that follows it looks again.
    pub fn cached_value(self, request: &Request, policy: &CachePolicy) -> Result<Option<Value>, GatewayError> {
        if !policy.read {
            return Ok(None);
        }
        let Some(space) = self.gateway.remembered() else { return Ok(None) };
        let accept = ReadOptions { max_age: policy.max_age, stale: false };
        let mut found = Value::Null;
        let hit = self.look(request, &space.text(), accept, Note::Hits, &mut |_, body| {
            found = serde_json::from_reader(body)?;
            Ok(())
        })?;
        Ok(hit.map(|_| found))
    }

    /// The same for a lookup that is no part of the answer: nothing is recorded.
    pub(super) fn glance(self, request: &Request, policy: &CachePolicy) -> Result<Option<Value>, GatewayError> {
        if !policy.read {
            return Ok(None);
        }
        let Some(space) = self.gateway.remembered() else { return Ok(None) };
        let accept = ReadOptions { max_age: policy.max_age, stale: false };
        let mut found = Value::Null;
        let hit = self.look(request, &space.text(), accept, Note::Nothing, &mut |_, body| {
            found = serde_json::from_reader(body)?;
            Ok(())
        })?;
        Ok(hit.map(|_| found))
    }

    /// Shows an acceptable entry; `None` when there is none, and then nothing was shown.
    pub(super) fn look(
        self,
        request: &Request,
        space: &str,
        accept: ReadOptions,
        note: Note,
        show: EntrySink<'_>,
    ) -> Result<Option<Provenance>, GatewayError> {
        let key = request.key();
        let record = |looked| {
            if let Some(recorder) = &self.gateway.recorder {
                let address = Address { space, key: key.as_str() };
                recorder(looked, request.resource(), self.gateway.cache().store().row(address));
            }
        };
        let mut absent = false;
        let looked = self.gateway.cache().view(space, &key, accept, &mut |provenance, mut body| {
            let mut head = Vec::with_capacity(5);
            Read::take(&mut body, 5).read_to_end(&mut head)?;
            if head == b"null" {
                absent = true;
                return Ok(());
            }
            show(provenance, &mut io::Cursor::new(head).chain(body))
        })?;
        match looked {
            Lookup::Hit(provenance) => {
                if note != Note::Nothing {
                    record(Looked::Hit);
                }
                if absent {
                    return Err(GatewayError::NotFound { what: request.subject() });
                }
                self.gateway.add_part(provenance);
                Ok(Some(provenance))
            }
            Lookup::Miss(miss, fault) => {
                if note == Note::All {
                    record(match (miss, &fault) {
                        (Miss::Fault, Some(fault)) => Looked::Fault(fault.fault()),
                        (Miss::Fault, None) => Looked::Fault(StoreFault::Other),
                        (miss, _) => Looked::Miss(miss),
                    });
                }
                if let Some(fault) = fault {
                    self.gateway.fault(&fault);
                }
                Ok(None)
            }
        }
    }
}
