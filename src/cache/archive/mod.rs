//! A cache in a file: fresh entries with a manifest and a checksum over all of it.
//!
//! An archive is verified to its last byte before anything of it is stored; an entry keeps its space, its times and
//! its bytes, so that an import neither crosses spaces nor makes anything fresher than it was; what a change has
//! overtaken since it was fetched, as far as the log can tell, and what the log cannot tell of, stays out.
//!
//! The first line is the manifest, then comes for each entry a line of metadata with the lengths of its frames, and the
//! frames; the last line counts the entries and has SHA-256 over all that precedes it.

mod spooled;

pub use spooled::Verified;

use super::{Cache, CacheError, SCHEMA, Usability, entry};
use crate::cache::lookup::is_whole;
use crate::clock::UnixMillis;
use crate::model::excerpt;
use crate::store::{Address, Fill, Frames, InvalidationHistory, InvalidationRecord, Meta, Select, StoreError};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufRead, BufReader, Read, Write};
use std::ops::ControlFlow;

/// What the first line begins with.
const FORMAT: &str = "awsideman cache";
/// The version of this form.
const VERSION: u32 = 1;
/// The longest first line that an export writes. No more is read of a file that is not an archive.
const LONGEST_MANIFEST: u64 = 64 * 1024;
/// The longest other line that an export writes.
const LONGEST_LINE: u64 = 1024 * 1024;
/// The largest entry of an archive; one is in memory at a time.
const LARGEST_ENTRY: u64 = 1024 * 1024 * 1024;
/// The longest frame of an archive.
const LONGEST_FRAME: u64 = 2 * entry::FRAME_BYTES as u64;
/// The most entries, or bytes of entries, in one transaction.
const BATCH: usize = 500;
const BATCH_BYTES: u64 = 8 * 1024 * 1024;
/// Clocks of hosts that hand each other archives may differ by this much.
const CLOCK_TOLERANCE_MS: i64 = 60_000;

/// What an export wrote.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Exported {
    /// Entries in the archive.
    pub entries: u64,
    /// Bytes of the archive.
    pub bytes: u64,
    /// Entries that were left out, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
}

/// What an import stored.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Imported {
    /// Entries in the archive.
    pub entries: u64,
    /// Entries that were stored, or with a dry run would be.
    pub stored: u64,
    /// Entries that were left out, by reason.
    pub skipped: BTreeMap<&'static str, u64>,
    /// The note of the archive, as the export was given it.
    #[serde(skip)]
    pub note: Option<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    schema: u32,
    exported_at: UnixMillis,
    by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<Value>,
}

#[derive(Debug, Serialize, Deserialize)]
struct ArchiveLine {
    space: String,
    key: String,
    stored_at: UnixMillis,
    fresh_until: UnixMillis,
    stale_until: UnixMillis,
    source: String,
    size: u64,
    held: u64,
    #[serde(rename = "seal")]
    checksum: u64,
    lengths: Vec<u64>,
}

#[derive(Debug, Serialize, Deserialize)]
struct Trailer {
    entries: u64,
    sha256: String,
}

/// What a line after the first may be.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Next {
    Entry(ArchiveLine),
    End(Trailer),
}

impl Cache {
    /// Writes the fresh entries of a selection. Spaces of our own (`@instances`) stay: they say what credentials lead to.
    /// `note` goes into the manifest, and comes back from an import.
    pub fn export(
        &self,
        select: &Select,
        by: &str,
        note: Option<Value>,
        into: &mut dyn Write,
    ) -> Result<Exported, CacheError> {
        let mut out = Hashed { inner: into, sum: Sha256::new(), bytes: 0 };
        let mut done = Exported::default();
        let manifest = Manifest {
            format: FORMAT.into(),
            version: VERSION,
            schema: SCHEMA,
            exported_at: self.clock.now(),
            by: by.into(),
            note,
        };
        out.line(&manifest)?;
        let mut failed = None;
        self.store.scan(select, &mut |meta| {
            let written = match self.unfit(meta) {
                Some(reason) => Ok(Err(reason)),
                None => self.write_entry(meta, &mut out),
            };
            match written {
                Ok(Ok(())) => done.entries += 1,
                Ok(Err(reason)) => *done.skipped.entry(reason).or_default() += 1,
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        })?;
        if let Some(error) = failed {
            return Err(error);
        }
        let sha256 = hex(&out.sum.clone().finalize());
        out.line(&Trailer { entries: done.entries, sha256 })?;
        out.inner.flush().map_err(writing)?;
        done.bytes = out.bytes;
        Ok(done)
    }

    /// Why an entry belongs into no archive.
    fn unfit(&self, meta: &Meta) -> Option<&'static str> {
        if meta.space.starts_with('@') {
            return Some("of this host alone");
        }
        if meta.schema != SCHEMA {
            return Some("stored by another version");
        }
        (!matches!(self.verdict(meta), Usability::Fresh { .. })).then_some("expired")
    }

    /// Writes one entry as it is at this moment; the store is let go before anything is written.
    fn write_entry(&self, meta: &Meta, out: &mut Hashed<'_>) -> Result<Result<(), &'static str>, CacheError> {
        let address = Address { space: &meta.space, key: &meta.key };
        let mut taken = None;
        let looked = self.store.view(address, &mut |meta, frames| {
            if meta.schema == SCHEMA && entry::is_intact(meta) && is_whole(meta, frames)? {
                let mut all = Vec::new();
                for index in 0..meta.frames {
                    let mut frame = Vec::new();
                    frames.read(index, &mut frame)?;
                    all.push(frame);
                }
                taken = Some((meta.clone(), all));
            }
            Ok(())
        });
        match looked {
            Ok(true) | Err(StoreError::Damaged { .. }) if taken.is_none() => return Ok(Err("damaged")),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let Some((meta, frames)) = taken else { return Ok(Err("removed meanwhile")) };
        let lengths = frames.iter().map(|frame| frame.len() as u64).collect();
        out.line(&ArchiveLine {
            space: meta.space,
            key: meta.key,
            stored_at: meta.stored_at,
            fresh_until: meta.fresh_until,
            stale_until: meta.stale_until,
            source: meta.source,
            size: meta.size,
            held: meta.held,
            checksum: meta.checksum,
            lengths,
        })?;
        frames.iter().try_for_each(|frame| out.all(frame))?;
        Ok(Ok(()))
    }

    /// Stores what an archive holds and this cache lacks. `history` is what the store remembers of changes; with `dry_run`
    /// the archive is judged, and nothing is stored.
    pub fn import(
        &self,
        Verified { file: mut archive, note }: Verified,
        history: &InvalidationHistory,
        dry_run: bool,
    ) -> Result<Imported, CacheError> {
        // Whatever is recorded from here on keeps out what is stored below.
        let (since, begun) = (self.store.sequence()?, self.clock.now());
        let mut done = Imported { note, ..Imported::default() };
        let (mut batch, mut bytes) = (Vec::new(), 0);
        walk(&mut archive, &mut |fill| {
            done.entries += 1;
            if let Some(reason) = self.kept_out(&fill.meta, history)? {
                *done.skipped.entry(reason).or_default() += 1;
                return Ok(());
            }
            bytes += fill.meta.held;
            batch.push(fill);
            if batch.len() == BATCH || bytes > BATCH_BYTES {
                self.store_batch(&mut batch, since, begun, dry_run, &mut done)?;
                bytes = 0;
            }
            Ok(())
        })?;
        self.store_batch(&mut batch, since, begun, dry_run, &mut done)?;
        Ok(done)
    }

    fn store_batch(
        &self,
        batch: &mut Vec<Fill>,
        since: u64,
        begun: UnixMillis,
        dry_run: bool,
        done: &mut Imported,
    ) -> Result<(), CacheError> {
        let fills = std::mem::take(batch);
        if dry_run || fills.is_empty() {
            done.stored += fills.len() as u64;
            return Ok(());
        }
        let stored = self.store.put(&fills, since, begun)?;
        done.stored += stored.stored;
        if stored.refused > 0 {
            *done.skipped.entry(CHANGED).or_default() += stored.refused;
        }
        Ok(())
    }

    /// Why an entry of an archive is not stored.
    fn kept_out(&self, meta: &Meta, history: &InvalidationHistory) -> Result<Option<&'static str>, CacheError> {
        if let Some(reason) = self.unfit(meta) {
            return Ok(Some(reason));
        }
        if meta.stored_at > self.clock.now().saturating_add(CLOCK_TOLERANCE_MS) {
            return Ok(Some("stored in the future"));
        }
        let before = meta.stored_at.saturating_sub(CLOCK_TOLERANCE_MS);
        if meta.stored_at < history.whole_since {
            return Ok(Some("older than what the log of changes remembers"));
        }
        let address = Address { space: &meta.space, key: &meta.key };
        let overtakes = |record: &InvalidationRecord| record.at >= before || record.stands(before);
        if history.records.iter().any(|record| overtakes(record) && record.select.covers(address)) {
            return Ok(Some(CHANGED));
        }
        let mut newer = false;
        self.store.view(address, &mut |there, _| {
            newer = there.schema == SCHEMA && entry::is_intact(there) && there.stored_at >= meta.stored_at;
            Ok(())
        })?;
        Ok(newer.then_some("here already, and as young"))
    }
}

const CHANGED: &str = "changed since it was fetched";

/// Goes through an archive, verifies all of it, shows each entry and returns the note of its manifest.
fn walk(
    archive: &mut dyn Read,
    show: &mut dyn FnMut(Fill) -> Result<(), CacheError>,
) -> Result<Option<Value>, CacheError> {
    let mut from = Summed { inner: BufReader::with_capacity(256 * 1024, archive), sum: Sha256::new() };
    let first = from.first_line()?;
    let manifest: Manifest = serde_json::from_slice(&first)
        .ok()
        .filter(|manifest: &Manifest| manifest.format == FORMAT)
        .ok_or_else(|| foreign("its first line is no manifest"))?;
    if (manifest.version, manifest.schema) != (VERSION, SCHEMA) {
        let Manifest { version, schema, by, .. } = manifest;
        let by = excerpt(&by, 100);
        return Err(foreign(&format!(
            "awsideman {by} made it, in form {version} with entries of schema {schema}; this one takes form {VERSION} \
             and schema {SCHEMA}"
        )));
    }
    let mut entries = 0;
    loop {
        let before = hex(&from.sum.clone().finalize());
        let line = from.line()?;
        match serde_json::from_slice(&line) {
            Ok(Next::Entry(line)) => {
                let fill = from.entry(line)?;
                entries += 1;
                show(fill)?;
            }
            Ok(Next::End(end)) if end.sha256 != before => return Err(damaged("its checksum does not match")),
            Ok(Next::End(end)) if end.entries != entries => return Err(damaged("it lacks entries")),
            Ok(Next::End(_)) => break,
            Err(_) => return Err(damaged(&format!("what follows entry {entries} is no entry"))),
        }
    }
    if !from.inner.fill_buf().map_err(reading)?.is_empty() {
        return Err(damaged("something follows its end"));
    }
    Ok(manifest.note)
}

struct Hashed<'a> {
    inner: &'a mut dyn Write,
    sum: Sha256,
    bytes: u64,
}

impl Hashed<'_> {
    fn all(&mut self, bytes: &[u8]) -> Result<(), CacheError> {
        self.sum.update(bytes);
        self.bytes += bytes.len() as u64;
        self.inner.write_all(bytes).map_err(writing)
    }

    fn line(&mut self, value: &impl Serialize) -> Result<(), CacheError> {
        let mut bytes = serde_json::to_vec(value).map_err(|error| writing(error.into()))?;
        bytes.push(b'\n');
        self.all(&bytes)
    }
}

struct Summed<R> {
    inner: R,
    sum: Sha256,
}

impl<R: BufRead> Summed<R> {
    fn first_line(&mut self) -> Result<Vec<u8>, CacheError> {
        let line = self.up_to(LONGEST_MANIFEST)?;
        if line.last() == Some(&b'\n') { Ok(line) } else { Err(foreign("its first line is no manifest")) }
    }

    fn line(&mut self) -> Result<Vec<u8>, CacheError> {
        let line = self.up_to(LONGEST_LINE)?;
        match line.last() {
            Some(b'\n') => Ok(line),
            _ if line.len() as u64 == LONGEST_LINE => Err(damaged("it has a line of more than 1 MB")),
            _ => Err(damaged("it is cut short")),
        }
    }

    fn up_to(&mut self, limit: u64) -> Result<Vec<u8>, CacheError> {
        let mut line = Vec::new();
        (&mut self.inner).take(limit).read_until(b'\n', &mut line).map_err(reading)?;
        self.sum.update(&line);
        Ok(line)
    }

    fn entry(&mut self, line: ArchiveLine) -> Result<Fill, CacheError> {
        let mut frames = Vec::new();
        let total = line.lengths.iter().fold(0_u64, |total, length| total.saturating_add(*length));
        if total > LARGEST_ENTRY || line.size > LARGEST_ENTRY {
            return Err(damaged(&format!("the entry {} is larger than 1 GB", excerpt(&line.key, 200))));
        }
        for length in &line.lengths {
            if *length > LONGEST_FRAME {
                return Err(damaged(&format!("a frame of {} is too long", excerpt(&line.key, 200))));
            }
            let mut frame = Vec::new();
            (&mut self.inner).take(*length).read_to_end(&mut frame).map_err(reading)?;
            if frame.len() as u64 != *length {
                return Err(damaged("it is cut short"));
            }
            self.sum.update(&frame);
            frames.push(frame);
        }
        let meta = Meta {
            space: line.space,
            key: line.key,
            schema: SCHEMA,
            stored_at: line.stored_at,
            fresh_until: line.fresh_until,
            stale_until: line.stale_until,
            used_at: line.stored_at,
            source: line.source,
            size: line.size,
            held: line.held,
            frames: u32::try_from(frames.len()).unwrap_or(u32::MAX),
            checksum: line.checksum,
        };
        let mut shown = InMemory(&frames);
        if !entry::is_intact(&meta) || !is_whole(&meta, &mut shown)? {
            return Err(damaged(&format!("the entry {} does not match its checksums", excerpt(&meta.key, 200))));
        }
        Ok(Fill { meta, frames })
    }
}

struct InMemory<'a>(&'a [Vec<u8>]);

impl Frames for InMemory<'_> {
    fn read(&mut self, index: u32, buffer: &mut Vec<u8>) -> Result<(), StoreError> {
        buffer.clear();
        buffer.extend_from_slice(self.0.get(index as usize).map_or(&[][..], Vec::as_slice));
        Ok(())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(64), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

fn foreign(reason: &str) -> CacheError {
    CacheError::ForeignArchive { reason: reason.to_owned() }
}

fn damaged(reason: &str) -> CacheError {
    CacheError::DamagedArchive { reason: reason.to_owned() }
}

fn reading(source: io::Error) -> CacheError {
    CacheError::Archive { action: "read", source }
}

fn writing(source: io::Error) -> CacheError {
    CacheError::Archive { action: "write", source }
}
