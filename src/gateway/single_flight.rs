//! Single flight: of the processes and tasks that miss the same answer, one asks AWS and the others wait for its answer.
//!
//! A wait ends with the answer, or when the holder is stopped or makes no progress; then the waiting process asks AWS
//! itself. A change parts the flights before it from those after it: the name of a flight has the number of the newest
//! record that covers its key.

use super::error::GatewayError;
use super::mutation::Mutation;
use crate::cache::{Cache, Key};
use crate::gateway::api::GetCall;
use crate::gateway::api::IdentityCenterApi;
use crate::gateway::api::InstanceTarget;
use crate::gateway::api::ListCall;
use crate::gateway::api::Page;
use crate::gateway::waiting;
use crate::lock::{Guard, HolderWatch, Process, RunState};
use crate::log::LOCKS;
use crate::state::{FileLock, StateDir};
use crate::store::Address;
use async_trait::async_trait;
use serde_json::Value;
use std::collections::HashSet;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

/// The pause between two checks of a flight of another process.
const LOOK: Duration = Duration::from_millis(20);
/// How many flights of others are waited for: the second one covers a first that was killed or failed.
pub(super) const FLIGHTS: u32 = 2;

/// Where flights are shared with others.
pub(super) struct Flights {
    state: StateDir,
    /// A hash of the location of the cache: a process with another cache would not get the answer that it waits for.
    place: u64,
    /// Flights and holders whose wait was given up: no wait for them begins again.
    abandoned: Mutex<HashSet<Abandoned>>,
    held: Arc<Beats>,
}

/// The subject of a wait that was given up.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Abandoned {
    Flight(String),
    Holder(u32),
}

impl Flights {
    /// Those of a state directory, about the cache in this directory.
    pub(super) fn new(state: StateDir, cache: &Path) -> Flights {
        let place = xxhash_rust::xxh3::xxh3_64(cache.as_os_str().as_encoded_bytes());
        Flights { state, place, abandoned: Mutex::default(), held: Arc::default() }
    }

    /// The same source; each call that ends is progress of all flights of this process.
    pub(super) fn observed(&self, source: Arc<dyn IdentityCenterApi>) -> Arc<dyn IdentityCenterApi> {
        Arc::new(Observed { source, beats: Arc::clone(&self.held) })
    }

    fn abandoned(&self) -> MutexGuard<'_, HashSet<Abandoned>> {
        self.abandoned.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_abandoned(&self, name: &str) -> bool {
        let abandoned = self.abandoned();
        if abandoned.is_empty() {
            return false;
        }
        abandoned.contains(&Abandoned::Flight(name.to_owned()))
            || self.state.process(name).is_some_and(|process| abandoned.contains(&Abandoned::Holder(process.pid)))
    }

    /// Notes a wait that was given up; returns whether it is the first for its holder.
    fn abandon(&self, name: &str, process: Option<&Process>) -> bool {
        let mut abandoned = self.abandoned();
        let is_new = abandoned.insert(Abandoned::Flight(name.to_owned()));
        process.map_or(is_new, |process| abandoned.insert(Abandoned::Holder(process.pid)))
    }
}

/// The flights that this process holds.
#[derive(Debug, Default)]
struct Beats(Mutex<Vec<Weak<FileLock>>>);

impl Beats {
    fn add(&self, lock: &Arc<FileLock>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(lock));
    }

    fn beat(&self) {
        let mut held = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        held.retain(|lock| lock.upgrade().inspect(|lock| lock.progress()).is_some());
    }
}

/// A source whose ended calls are seen by the processes that wait.
struct Observed {
    source: Arc<dyn IdentityCenterApi>,
    beats: Arc<Beats>,
}

#[async_trait]
impl IdentityCenterApi for Observed {
    async fn ready(&self, operation: &str) -> Result<(), GatewayError> {
        self.source.ready(operation).await
    }

    async fn page(
        &self,
        target: Option<&InstanceTarget>,
        listing: &ListCall,
        token: Option<&str>,
    ) -> Result<Page, GatewayError> {
        let page = self.source.page(target, listing, token).await;
        self.beats.beat();
        page
    }

    async fn fetch(&self, target: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
        let found = self.source.fetch(target, single).await;
        self.beats.beat();
        found
    }

    async fn change(&self, target: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
        self.source.change(target, change).await
    }
}

/// The right to fetch one answer from AWS; dropping it lets the next process continue.
#[derive(Debug)]
pub(super) struct Flight {
    _lock: Arc<FileLock>,
}

/// Which process fetches.
#[derive(Debug)]
pub(super) enum Turn {
    /// Ours.
    Mine(Flight),
    /// Another process has it.
    Theirs(Awaited),
    /// Every process's: nothing may be stored now, nothing can be locked, or the wait for the holder was given up.
    Anyone,
}

/// A flight of another process.
#[derive(Debug)]
pub(super) struct Awaited {
    name: String,
    subject: String,
}

impl Flights {
    /// Asks for the turn to fetch what is stored under `key`; `subject` names it in messages.
    pub(super) fn turn(&self, cache: &Cache, space: &str, key: &Key, subject: &str) -> Turn {
        let now = cache.clock().now();
        let address = Address { space, key: key.as_str() };
        if !cache.store().stores() {
            return Turn::Anyone;
        }
        // While a fence stands nothing is stored, so that no process could hand an answer on.
        let Ok(standing) = cache.store().standing(address, now) else { return Turn::Anyone };
        if standing.fenced {
            return Turn::Anyone;
        }
        let row = cache.store().row(address);
        let name = format!("flight-{:016x}-{}", row ^ self.place, standing.newest);
        match self.state.try_lock(&name, Guard::Flight, now) {
            Ok(Some(lock)) => {
                let lock = Arc::new(lock);
                self.held.add(&lock);
                Turn::Mine(Flight { _lock: lock })
            }
            Ok(None) if self.is_abandoned(&name) => Turn::Anyone,
            Ok(None) => Turn::Theirs(Awaited { name, subject: subject.to_owned() }),
            Err(fault) => {
                tracing::debug!(%fault, "flying alone");
                Turn::Anyone
            }
        }
    }

    /// Whether the holder of a flight is stopped now: such a holder is not waited for, whatever the patience.
    pub(super) fn is_stopped(&self, awaited: &Awaited) -> bool {
        let process = self.state.process(&awaited.name);
        process.is_some_and(|process| process.state != RunState::Runs)
    }

    /// Waits until the flight of another process has ended; `false` if that process is stopped or makes no progress.
    pub(super) async fn land(&self, awaited: &Awaited) -> bool {
        let holder = || match self.state.process(&awaited.name) {
            Some(process) => format!("{process}, which fetches {}", awaited.subject),
            None => format!("another process, which fetches {}", awaited.subject),
        };
        waiting::visible_lock(holder, ended(self, awaited)).await
    }
}

async fn ended(flights: &Flights, awaited: &Awaited) -> bool {
    let (state, name) = (&flights.state, awaited.name.as_str());
    let mut watch = HolderWatch::new(Instant::now());
    while state.is_held(name).unwrap_or(false) {
        let now = Instant::now();
        if watch.is_due(now) {
            let process = state.process(name);
            let run_state = process.as_ref().map(|process| process.state);
            if let Some(reason) = watch.observe(now, state.progress(name), run_state) {
                give_up(flights, awaited, process.as_ref(), &reason);
                return false;
            }
        }
        tokio::time::sleep(LOOK).await;
    }
    true
}

fn give_up(flights: &Flights, awaited: &Awaited, process: Option<&Process>, reason: &str) {
    if !flights.abandon(&awaited.name, process) {
        return;
    }
    let holder = process.map_or_else(|| "another process".to_owned(), ToString::to_string);
    tracing::warn!(
        target: LOCKS,
        "{holder} fetches {} but is not waited for ({reason}); asking AWS", awaited.subject
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secure_fs::Access;

    fn flights() -> (tempfile::TempDir, Flights, FileLock, Awaited) {
        let root = tempfile::tempdir().unwrap();
        let state = StateDir::new(root.path(), Access::Owner, Duration::from_secs(5));
        let lock = state.try_lock("flight-x", Guard::Flight, 0).unwrap().expect("free");
        let awaited = Awaited { name: "flight-x".into(), subject: "the users".into() };
        (root, Flights::new(state, Path::new("/c")), lock, awaited)
    }

    #[test]
    fn an_abandoned_holder_is_not_waited_for_again_under_any_name() {
        let (_root, flights, lock, awaited) = flights();
        let seen = flights.state.progress("flight-x");
        lock.progress();
        assert_eq!(flights.state.progress("flight-x"), seen + 1);
        let process = flights.state.process("flight-x");
        assert!(!flights.is_abandoned("flight-x"));
        assert!(flights.abandon(&awaited.name, process.as_ref()), "reported once");
        assert!(!flights.abandon(&awaited.name, process.as_ref()));
        assert!(flights.is_abandoned("flight-x"));
        let other = flights.state.try_lock("flight-y", Guard::Flight, 0).unwrap();
        // Where the kernel shows no locks, a holder has no name.
        assert_eq!(flights.is_abandoned("flight-y"), process.is_some());
        drop((lock, other));
    }
}
