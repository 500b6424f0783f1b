//! The shared part of all verbs of the gateway: cache, source of live answers, namespace, and what a command notes on the way.

use super::api::IdentityCenterApi;
use super::error::GatewayError;
use super::fill_budget::{LeftOut, Room};
use super::instance::{INSTANCES, Selection};
use super::lookup::Recorder;
use super::plan::Rates;
use super::single_flight::{Awaited, Flights, Turn};
use super::spool::Spool;
use super::warm::Baselines;
use crate::cache::{Cache, Key, Provenance, Ticket};
use crate::model::Namespace;
use crate::secure_fs::Access;
use crate::state::StateDir;
use crate::store::StoreError;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
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
    pub(super) space: OnceLock<Namespace>,
    spool_dir: PathBuf,
    pub(super) recorder: Option<Recorder>,
    rates: Option<Rates>,
    pub(super) flights: Option<Flights>,
    faults: Mutex<Vec<String>>,
    pub(super) noticed_stale: AtomicBool,
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
            noticed_stale: AtomicBool::new(false),
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
            match self.turn(INSTANCES, &self.selection.key(), "the instance") {
                Turn::Mine(mine) => flight = Some(mine),
                Turn::Theirs(awaited) => _ = self.land(&awaited).await,
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

    /// Asks for the turn to fetch what is stored under `key`; `subject` names it in messages.
    pub(super) fn turn(&self, space: &str, key: &Key, subject: &str) -> Turn {
        self.flights.as_ref().map_or(Turn::Anyone, |flights| flights.turn(&self.cache, space, key, subject))
    }

    /// Whether the holder of a flight is stopped now.
    pub(super) fn is_stopped(&self, awaited: &Awaited) -> bool {
        self.flights.as_ref().is_some_and(|flights| flights.is_stopped(awaited))
    }

    /// Waits until the flight of another process has ended; `false` if that process is stopped or makes no progress.
    pub(super) async fn land(&self, awaited: &Awaited) -> bool {
        match &self.flights {
            Some(flights) => flights.land(awaited).await,
            None => true,
        }
    }
}
