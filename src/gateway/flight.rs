//! Single flight: of many who miss one answer at once, within and across processes, one asks AWS.
//!
//! Neighbours: `read.rs` takes a turn before it goes live, `warm.rs` before it renews; the locks are files of the state
//! directory that free themselves with their holder. Promise: whoever waits gets the answer from the cache when it was
//! stored, and asks AWS itself when it was not; a flight that a change has overtaken keeps nobody waiting, because the
//! name of a flight holds the number of the newest record that covers its key; what cannot be locked flies alone.

use super::Gateway;
use super::waiting;
use crate::cache::Key;
use crate::state::{Lock, State};
use crate::store::Address;
use std::path::Path;
use std::time::{Duration, Instant};

/// How often a flight of somebody else is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// The longest that anybody waits for somebody else's flight.
const PATIENCE: Duration = Duration::from_mins(2);
/// How many flights of others somebody waits for: the second one covers a first that was killed or failed.
pub(super) const FLIGHTS: u32 = 2;

/// Where flights are told to others.
pub(super) struct Flights {
    state: State,
    /// A hash of where the cache is: who has another one would wait for an answer that he does not get.
    place: u64,
}

impl Flights {
    /// Those of a state directory, about the cache in this directory.
    pub(super) fn new(state: State, cache: &Path) -> Flights {
        Flights { state, place: xxhash_rust::xxh3::xxh3_64(cache.as_os_str().as_encoded_bytes()) }
    }
}

/// The right to ask AWS for one answer; dropping it lets the next one look.
#[derive(Debug)]
pub(super) struct Flight {
    _lock: Lock,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Turn {
    /// Ours.
    Mine(Flight),
    /// Somebody else is at it.
    Theirs(Awaited),
    /// Everybody's: nothing may be stored now, or nothing can be locked.
    Anyone,
}

/// A flight of somebody else.
#[derive(Debug)]
pub(super) struct Awaited {
    name: String,
}

impl Gateway {
    /// Asks for the turn to fetch what is stored under `key`.
    pub(super) fn turn(&self, space: &str, key: &Key) -> Turn {
        let Some(Flights { state, place }) = &self.flights else { return Turn::Anyone };
        let now = self.cache().clock().now();
        let address = Address { space, key: key.as_str() };
        if !self.cache().store().stores() {
            return Turn::Anyone;
        }
        // While a fence stands nothing is stored, so that nobody could hand an answer on.
        let Ok(standing) = self.cache().store().standing(address, now) else { return Turn::Anyone };
        if standing.fenced {
            return Turn::Anyone;
        }
        let row = self.cache().store().row(address);
        let name = format!("flight-{:016x}-{}", row ^ place, standing.newest);
        match state.try_lock(&name, now) {
            Ok(Some(lock)) => Turn::Mine(Flight { _lock: lock }),
            Ok(None) => Turn::Theirs(Awaited { name }),
            Err(fault) => {
                tracing::debug!(%fault, "flying alone");
                Turn::Anyone
            }
        }
    }

    /// Waits until the flight of another process has ended; `false` if it has not within the patience.
    pub(super) async fn land(&self, awaited: &Awaited) -> bool {
        waiting::visible(|| "another process that fetches the same answer".into(), self.ended(awaited)).await
    }

    async fn ended(&self, awaited: &Awaited) -> bool {
        let began = Instant::now();
        let held = |flights: &Flights| flights.state.is_held(&awaited.name).unwrap_or(false);
        while self.flights.as_ref().is_some_and(held) {
            if began.elapsed() >= PATIENCE {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
        true
    }
}
