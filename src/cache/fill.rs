//! Stores answers of AWS, unless a change was recorded during the fetch.
//!
//! An answer fetched before a write that covers its key is never stored; a fault of the backend loses the fill, not
//! the answer.

use super::entry::{self, FRAME_BYTES, Framer};
use super::{CUSTOM, Cache, Key, OWN_TIME};
use crate::clock::{UnixMillis, millis};
use crate::store::{Fill, KEEP_MILLIS, Meta, StoreError, Stored};
use std::io::{self, Read};
use std::time::Duration;

/// When a fetch began: the time, which is the age of what it brings, and the number of the store's log. Without a
/// number (the store could not say) nothing is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticket {
    since: Option<u64>,
    taken_at: UnixMillis,
    /// When the oldest part of what it brings began to be fetched.
    oldest: UnixMillis,
}

impl Ticket {
    /// A ticket that stores nothing.
    pub const NONE: Ticket = Ticket { since: None, taken_at: 0, oldest: 0 };

    /// The number of the log at which it was taken.
    pub fn number(self) -> Option<u64> {
        self.since
    }

    /// When it was taken.
    pub fn taken_at(self) -> UnixMillis {
        self.taken_at
    }

    /// This ticket for an answer that an earlier one began: stored by this one's number, as old as the earlier.
    #[must_use]
    pub fn as_old_as(self, earlier: Ticket) -> Ticket {
        Ticket { oldest: self.oldest.min(earlier.oldest), ..self }
    }

    /// This ticket for an answer that was fetched at an earlier time, and is as old as that.
    #[must_use]
    pub fn fetched_at(self, earlier: UnixMillis) -> Ticket {
        Ticket { oldest: self.oldest.min(earlier), ..self }
    }

    /// Whether a fill with it can store anything.
    pub fn is_valid(self) -> bool {
        self.since.is_some()
    }
}

/// One answer to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fresh {
    /// Its key.
    pub key: Key,
    /// Its bytes; `null` says that AWS does not have it, and lives as long as that is believed.
    pub payload: Vec<u8>,
    /// The call that gave it.
    pub source: &'static str,
}

impl Fresh {
    /// An answer that says "there is no such thing".
    pub fn not_found(key: Key, source: &'static str) -> Fresh {
        Fresh { key, payload: b"null".to_vec(), source }
    }

    fn is_absence(&self) -> bool {
        self.payload == b"null"
    }
}

impl Cache {
    /// Takes a ticket. Must happen before the first call of the fetch that will be stored with it.
    pub fn ticket(&self) -> Result<Ticket, StoreError> {
        let taken_at = self.clock.now();
        if !self.store.stores() {
            // If nothing will be stored, nothing is prepared for it.
            self.store.sequence()?;
            return Err(StoreError::StoringPaused);
        }
        let number = self.store.sequence()?;
        // Fences of a clock that was ahead would keep every fill out until then; a store that cannot be written to keeps
        // them, and its fills fail anyway.
        let _ = self.store.correct_clock(taken_at);
        Ok(Ticket { since: Some(number), taken_at, oldest: taken_at })
    }

    /// Stores a batch of small answers in one transaction.
    pub fn fill(&self, space: &str, answers: &[Fresh], ticket: Ticket) -> Result<Stored, StoreError> {
        self.fill_each(space, answers.iter().map(|answer| (answer, None)), ticket)
    }

    /// The same, each with the time in milliseconds for which it is fresh at most.
    pub(super) fn fill_each<'a>(
        &self,
        space: &str,
        answers: impl ExactSizeIterator<Item = (&'a Fresh, Option<i64>)>,
        ticket: Ticket,
    ) -> Result<Stored, StoreError> {
        let Some(since) = self.still_known(ticket) else {
            return Ok(Stored { stored: 0, refused: answers.len() as u64 });
        };
        let fills: Vec<Fill> = answers.map(|(answer, most)| self.whole(space, answer, ticket.taken_at, most)).collect();
        self.store.put(&fills, since, ticket.taken_at)
    }

    /// Stores one answer of any length, frame by frame; visible to readers only as a whole. `true` when stored.
    pub fn fill_long(
        &self,
        space: &str,
        key: &Key,
        source: &str,
        body: &mut dyn Read,
        ticket: Ticket,
    ) -> Result<bool, StoreError> {
        let Some(since) = self.still_known(ticket) else { return Ok(false) };
        let mut framer = Framer::new(space, key.as_str(), ticket.oldest, self.settings.compression);
        let mut buffer = Vec::new();
        let mut n = fill_buffer(body, &mut buffer).map_err(StoreError::Output)?;
        let times = self.times(ticket.oldest, self.ttl(key.resource(), key.operation()));
        if n < FRAME_BYTES {
            // Most answers are short: one transaction does for them what takes a draft three.
            let frame = framer.frame(&buffer);
            let meta = meta(space, key, source, times, (n as u64, frame.len() as u64, 1));
            let stored = self.store.put(&[Fill { meta, frames: vec![frame] }], since, ticket.taken_at)?;
            return Ok(stored.stored > 0);
        }
        let mut draft = self.store.draft(ticket.taken_at)?;
        let (mut size, mut held, mut frames) = (0, 0, 0);
        while n > 0 {
            let frame = framer.frame(&buffer);
            draft.frame(&frame)?;
            size += n as u64;
            held += frame.len() as u64;
            frames += 1;
            n = fill_buffer(body, &mut buffer).map_err(StoreError::Output)?;
        }
        let meta = meta(space, key, source, times, (size, held, frames));
        draft.publish(&meta, since)
    }

    /// The bytes that a payload would take at rest.
    pub fn at_rest(&self, payload: &[u8]) -> u64 {
        let mut framer = Framer::new("", "", 0, self.settings.compression);
        payload.chunks(FRAME_BYTES).map(|chunk| framer.frame(chunk).len() as u64).sum()
    }

    /// The number of a ticket, unless it is so old that fences from its time may be forgotten.
    fn still_known(&self, ticket: Ticket) -> Option<u64> {
        ticket.since.filter(|_| self.clock.now().saturating_sub(ticket.taken_at) < KEEP_MILLIS)
    }

    /// The entry that an answer becomes: fresh for `most` milliseconds at most, which a program may choose freely for
    /// what it keeps for itself.
    pub(super) fn whole(&self, space: &str, answer: &Fresh, fetched_at: UnixMillis, most: Option<i64>) -> Fill {
        let own = space == CUSTOM;
        let mut framer = Framer::new(space, answer.key.as_str(), fetched_at, self.settings.compression);
        let mut frames: Vec<_> = answer.payload.chunks(FRAME_BYTES).map(|chunk| framer.frame(chunk)).collect();
        if frames.is_empty() {
            frames.push(framer.frame(&[]));
        }
        let mut times = self.times(fetched_at, self.ttl(answer.key.resource(), answer.key.operation()));
        if let Some(most) = most {
            let named = fetched_at.saturating_add(most.max(0));
            let end = if own { named } else { named.min(times.fresh_until) };
            times = Times {
                fresh_until: end,
                stale_until: end.saturating_add(millis(self.settings.stale_if_error)),
                ..times
            };
        }
        if own {
            // Only AWS can be silent: an expired value of a program is never served.
            times = Times { stale_until: times.fresh_until, ..times };
        }
        if answer.is_absence() {
            // An absence that has expired says nothing any more, not even while AWS is silent.
            let end = fetched_at.saturating_add(millis(self.settings.not_found_ttl));
            times = Times { stored_at: fetched_at, fresh_until: end, stale_until: end };
        }
        let held = frames.iter().map(|frame| frame.len() as u64).sum();
        let count = u32::try_from(frames.len()).unwrap_or(u32::MAX);
        let size = answer.payload.len() as u64;
        let source = if own && most.is_some() { OWN_TIME } else { answer.source };
        Fill { meta: meta(space, &answer.key, source, times, (size, held, count)), frames }
    }

    fn times(&self, fetched_at: UnixMillis, ttl: Duration) -> Times {
        let fresh_until = fetched_at.saturating_add(millis(ttl));
        let stale_until = fresh_until.saturating_add(millis(self.settings.stale_if_error));
        Times { stored_at: fetched_at, fresh_until, stale_until }
    }
}

/// From when and until when an entry is what.
#[derive(Clone, Copy)]
struct Times {
    stored_at: UnixMillis,
    fresh_until: UnixMillis,
    stale_until: UnixMillis,
}

fn meta(space: &str, key: &Key, source: &str, times: Times, (size, held, frames): (u64, u64, u32)) -> Meta {
    let mut meta = Meta {
        space: space.to_owned(),
        key: key.as_str().to_owned(),
        schema: entry::SCHEMA,
        stored_at: times.stored_at,
        fresh_until: times.fresh_until,
        stale_until: times.stale_until,
        used_at: times.stored_at,
        source: source.to_owned(),
        size,
        held,
        frames,
        checksum: 0,
    };
    meta.checksum = entry::checksum(&meta);
    meta
}

/// Replaces what `buffer` holds by the next frame's worth of `body`; its length, which is short at the end.
fn fill_buffer(body: &mut dyn Read, buffer: &mut Vec<u8>) -> io::Result<usize> {
    buffer.clear();
    body.take(FRAME_BYTES as u64).read_to_end(buffer)
}
