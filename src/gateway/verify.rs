//! Verifies stored entries against AWS, and replaces or removes those that differ.
//!
//! An entry is called wrong only if it was stored before AWS was asked and is still there after; an entry that a change removed meanwhile
//! is not wrong. Nothing that a list brings along is stored, so that one comparison does not
//! repair what the next one is to find.

use super::core::{CachePolicy, Gateway};
use super::error::GatewayError;
use super::fetch::{Errand, PARALLEL};
use super::request::Request;
use super::spool::Spool;
use crate::cache::{CacheError, Lookup, Miss, ReadOptions, SCHEMA, Ticket, Usability};
use crate::gateway::diff::compare::Differences;
use crate::gateway::diff::compare::Truth;
use crate::model::Namespace;
use crate::progress::Progress;
use crate::progress::TargetFailure;
use crate::store::{Meta, Select};
use futures_util::{StreamExt, stream};
use serde::Serialize;
use std::collections::{BTreeMap, BinaryHeap};
use std::io::Read;
use std::ops::ControlFlow;
use xxhash_rust::xxh3::xxh3_64_with_seed;

/// Selects entries of a namespace.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntrySelection {
    /// One, by its key.
    Key(String),
    /// Those whose keys match a glob.
    Glob(String),
    /// All.
    All,
}

/// What to verify.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifySelection {
    /// Among these.
    pub which: EntrySelection,
    /// The size of a uniform random sample; `None` selects all.
    pub sample: Option<usize>,
    /// The seed of the sample: the same seed selects the same entries.
    pub seed: u64,
    /// Whether a wrong entry may be replaced; otherwise it is only removed.
    pub refill: bool,
}

/// What was done about a wrong entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Repair {
    /// It was replaced with the answer of AWS.
    Replaced,
    /// It was removed.
    Removed,
    /// It is still stored, because the cache could not be changed.
    Left,
}

/// What is wrong with an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flaw {
    /// AWS returned something else.
    Differs,
    /// The object no longer exists in AWS.
    Gone,
    /// It is a negative entry, and the object exists in AWS.
    Exists,
    /// It cannot be parsed as an answer.
    Unreadable,
}

/// An entry that differs from AWS.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Wrong {
    /// Its key.
    pub key: String,
    /// How old it was, in milliseconds.
    pub age_ms: i64,
    /// What is wrong with it.
    pub flaw: Flaw,
    /// The differences.
    pub differences: Differences,
    /// What became of it.
    pub repair: Repair,
}

/// The result of a verification.
#[derive(Debug, Default)]
pub struct Verified {
    /// Entries that were compared.
    pub checked: u64,
    /// Those of them that were wrong, by key.
    pub wrong: Vec<Wrong>,
    /// Entries whose calls to AWS failed.
    pub failed: Vec<TargetFailure>,
    /// Entries that were not compared, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// Why it ended early (an expired login, a spent budget).
    pub ended: Option<GatewayError>,
}

impl Verified {
    fn skip(&mut self, reason: &'static str) {
        *self.skipped.entry(reason).or_default() += 1;
    }
}

/// The result of one comparison.
enum Judged {
    Right,
    Wrong(Wrong),
    Skipped(&'static str),
}

const FOREIGN: &str = "not an answer of AWS";
const OTHER_VERSION: &str = "stored by another version";
const EXPIRED: &str = "expired";
const DAMAGED: &str = "damaged, and dropped";
const OVERTAKEN: &str = "renewed or removed meanwhile";

/// Compares entries with AWS.
#[derive(Clone, Copy)]
pub struct Verifier<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// Compares entries with AWS.
    pub fn verifier(&self) -> Verifier<'_> {
        Verifier { gateway: self }
    }
}

impl Verifier<'_> {
    /// Compares entries of this gateway's space with AWS. An error only when it cannot be known which entries there are;
    /// [`GatewayError::NotCached`] when the one that was named is not there.
    pub async fn verify(self, wanted: &VerifySelection, progress: &dyn Progress) -> Result<Verified, GatewayError> {
        let space = self.gateway.space(&CachePolicy::default()).await?;
        let text = space.text();
        let mut verified = Verified::default();
        let requests = self.choose(&text, wanted, &mut verified)?;
        let what = "entries";
        progress.started(what, Some(requests.len() as u64));
        let text = &text;
        let mut judged = stream::iter(requests)
            .map(|request| async move {
                let judged = self.verify_one(&request, space, text, wanted.refill, progress).await;
                (request, judged)
            })
            .buffered(PARALLEL);
        while let Some((request, judged)) = judged.next().await {
            progress.advanced(what, 1);
            match judged {
                Ok(Judged::Skipped(reason)) => verified.skip(reason),
                Ok(Judged::Right) => verified.checked += 1,
                Ok(Judged::Wrong(wrong)) => {
                    verified.checked += 1;
                    verified.wrong.push(wrong);
                }
                Err(error) if error.ends_everything() => {
                    verified.ended = Some(error);
                    break;
                }
                Err(error) => {
                    verified.failed.push(error.of_target(request.key().to_string()));
                }
            }
        }
        drop(judged);
        progress.finished(what);
        verified.wrong.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(verified)
    }

    /// The requests of the entries that can be compared, in the order of the sample.
    fn choose(
        self,
        space: &str,
        wanted: &VerifySelection,
        verified: &mut Verified,
    ) -> Result<Vec<Request>, GatewayError> {
        let space = space.to_owned();
        let select = match &wanted.which {
            EntrySelection::Key(key) => Select::Exact { space, key: key.clone() },
            EntrySelection::Glob(pattern) => Select::Glob { space: Some(space), pattern: pattern.clone() },
            EntrySelection::All => Select::Space(space),
        };
        let mut sample = KeySample::new(wanted.sample, wanted.seed);
        let mut seen = 0_u64;
        let scanned = self.gateway.cache().store().scan(&select, &mut |meta| {
            seen += 1;
            match self.unfit(meta) {
                Some(reason) => verified.skip(reason),
                None => sample.offer(&meta.key),
            }
            ControlFlow::Continue(())
        });
        scanned.map_err(CacheError::Backend)?;
        match &wanted.which {
            EntrySelection::Key(key) if seen == 0 => Err(GatewayError::NotCached { key: key.clone() }),
            _ => Ok(sample.into_keys().filter_map(|key| Request::of_key(&key)).collect()),
        }
    }

    /// Why an entry cannot be compared.
    fn unfit(self, meta: &Meta) -> Option<&'static str> {
        if meta.schema != SCHEMA {
            return Some(OTHER_VERSION);
        }
        if Request::of_key(&meta.key).is_none() {
            return Some(FOREIGN);
        }
        // An expired entry answers only while AWS cannot.
        (!matches!(self.gateway.cache().verdict(meta), Usability::Fresh { .. })).then_some(EXPIRED)
    }

    async fn verify_one(
        self,
        request: &Request,
        space: &Namespace,
        text: &str,
        refill: bool,
        progress: &dyn Progress,
    ) -> Result<Judged, GatewayError> {
        let begun = self.gateway.cache().clock().now();
        let ticket = if refill { self.gateway.ticket() } else { Ticket::NONE };
        let errand = Errand { space, text, ticket: Ticket::NONE, progress, continues: false };
        let mut truth = match self.gateway.fetcher().fetch(request, errand).await {
            Ok(spool) => Some(Truth::new(spool)?),
            Err(GatewayError::NotFound { .. }) => None,
            Err(error) => return Err(error),
        };
        let key = request.key();
        let mut seen = None;
        let looked = self.gateway.cache().view(text, &key, ReadOptions::default(), &mut |provenance, body| {
            seen = Some((*provenance, compare(body, truth.as_mut())));
            Ok(())
        })?;
        let (provenance, differences) = match (looked, seen) {
            (Lookup::Hit(_), Some(seen)) => seen,
            (Lookup::Miss(Miss::Fault, Some(fault)), _) => return Err(CacheError::Backend(fault).into()),
            (Lookup::Miss(Miss::Corrupt, _), _) => return Ok(Judged::Skipped(DAMAGED)),
            (Lookup::Miss(Miss::OtherVersion, _), _) => return Ok(Judged::Skipped(OTHER_VERSION)),
            (Lookup::Miss(Miss::Expired, _), _) => return Ok(Judged::Skipped(EXPIRED)),
            _ => return Ok(Judged::Skipped(OVERTAKEN)),
        };
        if provenance.stored_at > begun {
            return Ok(Judged::Skipped(OVERTAKEN));
        }
        let Some((flaw, differences)) = differences else { return Ok(Judged::Right) };
        let answer = truth.as_mut().map(Truth::spool).filter(|_| ticket.is_valid());
        let repair = self.repair(request, text, answer, ticket, provenance.stored_at)?;
        Ok(Judged::Wrong(Wrong { key: key.to_string(), age_ms: provenance.age_ms, flaw, differences, repair }))
    }

    /// Replaces a wrong entry with the answer of AWS, unless a change was recorded during the fetch.
    fn repair(
        self,
        request: &Request,
        text: &str,
        answer: Option<&mut Spool>,
        ticket: Ticket,
        stored_at: i64,
    ) -> Result<Repair, GatewayError> {
        let key = request.key();
        if let Some(answer) = answer {
            match self.gateway.cache().fill_long(text, &key, request.call(), &mut answer.reader()?, ticket) {
                Ok(true) => return Ok(Repair::Replaced),
                // The record that kept it out has removed the entry.
                Ok(false) => {}
                Err(fault) => self.gateway.fault(&fault),
            }
        }
        match self.gateway.cache().withdraw(text, &key, stored_at) {
            Ok(_) => Ok(Repair::Removed),
            Err(fault) => {
                self.gateway.fault(&fault);
                Ok(Repair::Left)
            }
        }
    }
}

/// A uniform sample of keys that are offered one by one: those with the smallest hashes under a seed, in whatever order
/// they come. Any first part of it is a uniform sample too, so that a spent budget leaves one behind.
struct KeySample {
    most: usize,
    seed: u64,
    kept: BinaryHeap<(u64, String)>,
}

impl KeySample {
    fn new(most: Option<usize>, seed: u64) -> KeySample {
        KeySample { most: most.unwrap_or(usize::MAX), seed, kept: BinaryHeap::new() }
    }

    fn offer(&mut self, key: &str) {
        self.kept.push((xxh3_64_with_seed(key.as_bytes(), self.seed), key.to_owned()));
        if self.kept.len() > self.most {
            self.kept.pop();
        }
    }

    fn into_keys(self) -> impl Iterator<Item = String> {
        self.kept.into_sorted_vec().into_iter().map(|(_, key)| key)
    }
}

/// What of a stored answer is not so; `truth` is `None` when AWS has no such thing.
fn compare(body: &mut dyn Read, truth: Option<&mut Truth>) -> Option<(Flaw, Differences)> {
    let mut head = Vec::with_capacity(5);
    let none = Differences::default;
    if Read::take(&mut *body, 5).read_to_end(&mut head).is_err() {
        return Some((Flaw::Unreadable, none()));
    }
    let is_absence = head == b"null";
    match truth {
        None if is_absence => None,
        None => Some((Flaw::Gone, none())),
        Some(_) if is_absence => Some((Flaw::Exists, none())),
        Some(truth) => match truth.compare(&mut std::io::Cursor::new(head).chain(body)) {
            Ok(found) if found.is_empty() => None,
            Ok(found) => Some((Flaw::Differs, found)),
            Err(_) => Some((Flaw::Unreadable, none())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(of: u64, most: Option<usize>, seed: u64) -> Vec<String> {
        let mut sample = KeySample::new(most, seed);
        (0..of).for_each(|n| sample.offer(&format!("user:describe:{n}")));
        sample.into_keys().collect()
    }

    #[test]
    fn a_seed_takes_the_same_sample_again_and_a_smaller_one_is_the_beginning_of_a_larger() {
        assert_eq!(sample(100, Some(10), 7), sample(100, Some(10), 7));
        assert_ne!(sample(100, Some(10), 7), sample(100, Some(10), 8));
        assert_eq!(sample(100, Some(5), 7), sample(100, Some(10), 7)[..5]);
        assert_eq!((sample(3, Some(10), 7).len(), sample(3, None, 7).len(), sample(3, Some(0), 7).len()), (3, 3, 0));
    }

    #[test]
    fn every_entry_is_as_likely_to_be_taken_as_any_other() {
        let mut taken: BTreeMap<String, u32> = BTreeMap::new();
        for seed in 0..2_000 {
            for key in sample(50, Some(10), seed) {
                *taken.entry(key).or_default() += 1;
            }
        }
        // 400 times each; six standard deviations are 107.
        assert_eq!(taken.len(), 50);
        assert!(taken.values().all(|n| (290..510).contains(n)), "{taken:?}");
    }
}
