//! Reading through the cache: a hit without AWS, else AWS and a fill, else (when AWS is silent) what is stale.
//!
//! [`Reader::cached`] needs no runtime, no credentials and no network; a fault of the cache slows a read and never
//! changes its answer.

use super::api::{IdentityCenterApi, InstanceTarget};
use super::error::GatewayError;
use super::fetch::Errand;
use super::instance::{self, INSTANCES, Selection};
use super::plan::Rates;
use super::request::Request;
use super::spool::Spool;
use super::warm::Baselines;
use crate::cache::{Cache, EntrySink, Fresh, Provenance, ReadOptions, Ticket};
use crate::gateway::fill_budget::LeftOut;
use crate::gateway::fill_budget::Room;
use crate::gateway::lookup::Note;
use crate::gateway::lookup::Recorder;
use crate::gateway::revalidate::FillSlot;
use crate::gateway::revalidate::StoreResult;
use crate::gateway::single_flight::FLIGHTS;
use crate::gateway::single_flight::Flights;
use crate::gateway::single_flight::Turn;
use crate::model::Namespace;
use crate::progress::Progress;
use crate::secure_fs::Access;
use crate::state::StateDir;
use crate::store::StoreError;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;
use tokio::sync::watch;

/// How a read uses the cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CachePolicy {
    /// Whether an entry may answer.
    pub read: bool,
    /// Whether AWS's answer is stored.
    pub fill: bool,
    /// Whether AWS may be asked at all.
    pub live: bool,
    /// The oldest entry that may answer.
    pub max_age: Option<Duration>,
}

impl Default for CachePolicy {
    fn default() -> CachePolicy {
        CachePolicy { read: true, fill: true, live: true, max_age: None }
    }
}

impl CachePolicy {
    /// `--no-cache`, and a disabled cache: neither read nor fill.
    pub const BYPASS: CachePolicy = CachePolicy { read: false, fill: false, live: true, max_age: None };
    /// `--refresh`: ask AWS, then fill.
    pub const REFRESH: CachePolicy = CachePolicy { read: false, fill: true, live: true, max_age: None };
    /// `--cache-only`: AWS is not asked.
    pub const CACHE_ONLY: CachePolicy = CachePolicy { read: true, fill: false, live: false, max_age: None };
}

/// AWS, seen through the cache.
pub struct Gateway {
    cache: Cache,
    source: Arc<dyn IdentityCenterApi>,
    selection: Selection,
    space: OnceLock<Namespace>,
    spool_dir: PathBuf,
    pub(super) recorder: Option<Recorder>,
    rates: Option<Rates>,
    pub(super) flights: Option<Flights>,
    faults: Mutex<Vec<String>>,
    told_stale: AtomicBool,
    parts: Mutex<Option<Provenance>>,
    pub(super) room: Room,
    pub(super) baselines: Option<Baselines>,
    /// Ends a warm when it becomes `true`.
    stop: Option<watch::Receiver<bool>>,
}

impl Gateway {
    /// Joins a cache and a source. Long answers are spooled in `spool_dir`; `recorder` is given by commands, not by jobs.
    pub fn new(
        cache: Cache,
        source: Arc<dyn IdentityCenterApi>,
        selection: Selection,
        spool_dir: PathBuf,
        recorder: Option<Recorder>,
    ) -> Gateway {
        Gateway {
            cache,
            source,
            selection,
            space: OnceLock::new(),
            spool_dir,
            recorder,
            rates: None,
            flights: None,
            faults: Mutex::new(Vec::new()),
            told_stale: AtomicBool::new(false),
            parts: Mutex::new(None),
            room: Room::default(),
            baselines: None,
            stop: None,
        }
    }

    /// The same knowing how fast calls may go, for plans and progress.
    #[must_use]
    pub fn at(self, rates: Rates) -> Gateway {
        Gateway { rates: Some(rates), ..self }
    }

    /// How fast calls may go, where that is known.
    pub(super) fn rates(&self) -> Option<&Rates> {
        self.rates.as_ref()
    }

    /// The same, sharing flights with every process that uses this state directory and the cache in `cache`.
    #[must_use]
    pub fn with_flights(self, state: StateDir, cache: &Path) -> Gateway {
        let flights = Flights::new(state, cache);
        Gateway { source: flights.observed(self.source), flights: Some(flights), ..self }
    }

    /// The same for a warm: what lists bring along is stored as far as there is room.
    #[must_use]
    pub fn within(self, room: Room) -> Gateway {
        Gateway { room, ..self }
    }

    /// The same for a warm: what its targets held is kept in this folder for the next comparison.
    #[must_use]
    pub fn comparing_in(self, folder: PathBuf, access: Access) -> Gateway {
        Gateway { baselines: Some(Baselines::at(folder, access)), ..self }
    }

    /// The same for a warm that ends when this becomes `true`.
    #[must_use]
    pub fn until(self, stop: watch::Receiver<bool>) -> Gateway {
        Gateway { stop: Some(stop), ..self }
    }

    /// Returns when the warm is to end.
    pub(super) async fn stopped(&self) {
        if let Some(mut stop) = self.stop.clone()
            && stop.wait_for(|asked| *asked).await.is_ok()
        {
            return;
        }
        std::future::pending::<()>().await;
    }

    /// What had no room.
    pub fn left_out(&self) -> LeftOut {
        self.room.left_out()
    }

    /// The cache below.
    pub fn cache(&self) -> &Cache {
        &self.cache
    }

    /// Where live answers come from.
    pub fn source(&self) -> &dyn IdentityCenterApi {
        self.source.as_ref()
    }

    /// Where all that was read so far is from, as one: names that were looked up on the way included. `None` when nothing
    /// was read.
    pub fn provenance(&self) -> Option<Provenance> {
        self.parts.lock().ok().and_then(|parts| *parts)
    }

    /// Notes what a part of the answer is made of.
    pub(super) fn add_part(&self, part: Provenance) {
        if let Ok(mut parts) = self.parts.lock() {
            *parts = Some(parts.map_or(part, |parts| parts.and(part)));
        }
    }

    /// What went wrong with the cache while commands were answered; taken, not copied.
    pub fn take_faults(&self) -> Vec<String> {
        self.faults.lock().map(|mut faults| std::mem::take(&mut *faults)).unwrap_or_default()
    }

    /// The space, if it is remembered. No AWS.
    pub fn remembered(&self) -> Option<&Namespace> {
        if let Some(space) = self.space.get() {
            return Some(space);
        }
        let found = self.selection.remembered(&self.cache)?;
        Some(self.space.get_or_init(|| found))
    }

    /// The space: remembered when `policy` lets entries answer, else asked of AWS.
    pub async fn space(&self, policy: &CachePolicy) -> Result<&Namespace, GatewayError> {
        if let Some(space) = self.space.get() {
            return Ok(space);
        }
        if policy.read
            && let Some(space) = self.remembered()
        {
            return Ok(space);
        }
        if !policy.live {
            return Err(GatewayError::NotCached { key: "which instance this profile belongs to".into() });
        }
        let mut flight = None;
        if policy.read && policy.fill {
            match self.reader().turn(INSTANCES, &self.selection.key(), "the instance") {
                Turn::Mine(mine) => flight = Some(mine),
                Turn::Theirs(awaited) => _ = self.reader().land(&awaited).await,
                Turn::Anyone => {}
            }
            if let Some(space) = self.remembered() {
                return Ok(space);
            }
        }
        let ticket = if policy.fill { self.ticket() } else { Ticket::NONE };
        let found = match self.selection.ask(self.source(), &self.cache, ticket).await {
            Err(error) if error.allows_stale() && policy.read => {
                // Without the space no entry could stand in for a silent AWS.
                self.selection.remembered_once(&self.cache).ok_or(error)?
            }
            found => found?,
        };
        drop(flight);
        Ok(self.space.get_or_init(|| found))
    }

    /// All instances of the region, live.
    pub async fn instances(&self) -> Result<Vec<serde_json::Value>, GatewayError> {
        instance::list(self.source()).await
    }

    pub(super) fn ticket(&self) -> Ticket {
        self.cache.ticket().unwrap_or_else(|error| {
            self.fault(&error);
            Ticket::NONE
        })
    }

    pub(super) fn spool(&self) -> Spool {
        Spool::new(self.spool_dir.clone())
    }

    /// Notes a fault of the cache: it slows the command and is said, it does not fail it.
    pub(super) fn fault(&self, error: &StoreError) {
        error.log();
        if let Ok(mut faults) = self.faults.lock() {
            let text = error.to_string();
            if !faults.contains(&text) {
                faults.push(text);
            }
        }
    }

    /// Reads through the cache.
    pub fn reader(&self) -> Reader<'_> {
        Reader { gateway: self }
    }
}

/// Reads through the cache.
#[derive(Clone, Copy)]
pub struct Reader<'g> {
    pub(super) gateway: &'g Gateway,
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
                let landed = match self.turn(&text, &request.key(), &request.subject()) {
                    Turn::Mine(mine) => {
                        flight = Some(mine);
                        true
                    }
                    Turn::Theirs(awaited) => self.land(&awaited).await,
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
                let fresh = Provenance::live(self.gateway.cache.clock().now());
                show(&fresh, &mut spool.reader()?)?;
                self.gateway.add_part(fresh);
                Ok(fresh)
            }
            Err(error) if error.allows_stale() && policy.read => {
                let accept = ReadOptions { max_age: policy.max_age, stale: true };
                let stale = self.look(request, &text, accept, Note::Nothing, show)?;
                let Some(provenance) = stale else { return Err(error) };
                if !self.gateway.told_stale.swap(true, Ordering::Relaxed) {
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
                if let Err(fault) = self.gateway.cache.fill(&text, &[absent], ticket) {
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
}
