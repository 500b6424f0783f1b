//! One lookup as 32 bytes, and how they are found again in a file.
//!
//! The numbers written here never change their meaning; damaged bytes are skipped and what follows them is still
//! found.

use crate::clock::UnixMillis;
use crate::model::Resource;
use std::fmt;
use std::path::Path;

/// The size of a record, in every version.
pub(super) const LENGTH: usize = 32;
/// The version that this binary writes and reads.
const VERSION: u8 = 1;

/// How a lookup in the cache ended.
///
/// Only [`LookupOutcome::Hit`] is a hit. `Stale` is a miss: AWS was asked first and could not answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LookupOutcome {
    /// A fresh entry was served.
    Hit,
    /// An expired entry was served, because AWS could not answer.
    Stale,
    /// There was no entry.
    MissAbsent,
    /// There was one, past its time.
    MissExpired,
    /// A write that has not settled covers it.
    MissInvalidated,
    /// There was one, damaged.
    MissCorrupt,
    /// There was one, in the format of another awsideman.
    MissOtherVersion,
    /// There was one, older than `--max-age`.
    MissAge,
    /// The cache failed for another reason than those below, and AWS was asked.
    Error,
    /// The circuit breaker was open.
    ErrorBreakerOpen,
    /// The database is damaged.
    ErrorDamaged,
    /// Another process held the database for too long.
    ErrorBusy,
    /// The disk is full.
    ErrorDiskFull,
    /// The encryption key could not be used.
    ErrorKey,
    /// This user may not use the cache.
    ErrorPermission,
}

impl LookupOutcome {
    /// Every outcome, hits first.
    pub const ALL: [LookupOutcome; 15] = [
        LookupOutcome::Hit,
        LookupOutcome::Stale,
        LookupOutcome::MissAbsent,
        LookupOutcome::MissExpired,
        LookupOutcome::MissInvalidated,
        LookupOutcome::MissCorrupt,
        LookupOutcome::MissOtherVersion,
        LookupOutcome::MissAge,
        LookupOutcome::Error,
        LookupOutcome::ErrorBreakerOpen,
        LookupOutcome::ErrorDamaged,
        LookupOutcome::ErrorBusy,
        LookupOutcome::ErrorDiskFull,
        LookupOutcome::ErrorKey,
        LookupOutcome::ErrorPermission,
    ];

    /// The word in JSON and in the statistics.
    pub fn as_str(self) -> &'static str {
        match self {
            LookupOutcome::Hit => "hit",
            LookupOutcome::Stale => "stale",
            LookupOutcome::MissAbsent => "absent",
            LookupOutcome::MissExpired => "expired",
            LookupOutcome::MissInvalidated => "invalidated",
            LookupOutcome::MissCorrupt => "corrupt",
            LookupOutcome::MissOtherVersion => "other_version",
            LookupOutcome::MissAge => "max_age",
            LookupOutcome::Error => "error",
            LookupOutcome::ErrorBreakerOpen => "error_breaker_open",
            LookupOutcome::ErrorDamaged => "error_damaged",
            LookupOutcome::ErrorBusy => "error_busy",
            LookupOutcome::ErrorDiskFull => "error_disk_full",
            LookupOutcome::ErrorKey => "error_key",
            LookupOutcome::ErrorPermission => "error_permission",
        }
    }

    /// The outcome with this word.
    pub fn parse(word: &str) -> Option<LookupOutcome> {
        LookupOutcome::ALL.into_iter().find(|outcome| outcome.as_str() == word)
    }

    /// Whether AWS had to be asked although the cache worked.
    pub fn is_miss(self) -> bool {
        self != LookupOutcome::Hit && !self.is_error()
    }

    /// Whether the cache failed, and AWS was asked.
    pub fn is_error(self) -> bool {
        self.error_kind().is_some()
    }

    /// The kind of the failure, as statistics and metrics name it.
    pub fn error_kind(self) -> Option<&'static str> {
        match self {
            LookupOutcome::Error => Some("other"),
            _ => self.as_str().strip_prefix("error_"),
        }
    }

    /// Whether the entry itself was used.
    pub fn uses_entry(self) -> bool {
        matches!(self, LookupOutcome::Hit | LookupOutcome::Stale)
    }
}

impl fmt::Display for LookupOutcome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Which cache directory a lookup was in: a digest of its path, as records and statistics keep it.
pub fn cache_number(cache: &Path) -> u32 {
    low(xxhash_rust::xxh3::xxh3_64(cache.as_os_str().as_encoded_bytes()))
}

/// One or more lookups that ended alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LookupRecord {
    pub(super) outcome: LookupOutcome,
    pub(super) resource: Resource,
    pub(super) count: u32,
    pub(super) at: UnixMillis,
    pub(super) entry: u64,
    pub(super) cache: u32,
}

impl LookupRecord {
    /// Version, outcome, resource, 0, count, time, entry, cache directory, checksum; little-endian.
    pub(super) fn encode(&self) -> [u8; LENGTH] {
        let mut bytes = [0; LENGTH];
        bytes[0] = VERSION;
        bytes[1] = outcome_number(self.outcome);
        bytes[2] = resource_number(self.resource);
        bytes[4..8].copy_from_slice(&self.count.to_le_bytes());
        bytes[8..16].copy_from_slice(&self.at.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.entry.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.cache.to_le_bytes());
        let sum = checksum(&bytes);
        bytes[28..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// `None` for what another version wrote; the checksum is right.
    fn decode(bytes: &[u8; LENGTH]) -> Option<LookupRecord> {
        if bytes[0] != VERSION {
            return None;
        }
        Some(LookupRecord {
            outcome: LookupOutcome::ALL.into_iter().find(|outcome| outcome_number(*outcome) == bytes[1])?,
            resource: Resource::ALL.into_iter().find(|resource| resource_number(*resource) == bytes[2])?,
            count: u32::from_le_bytes(part(bytes, 4)),
            at: i64::from_le_bytes(part(bytes, 8)),
            entry: u64::from_le_bytes(part(bytes, 16)),
            cache: u32::from_le_bytes(part(bytes, 24)),
        })
    }
}

/// Finds the records in a stream of bytes.
#[derive(Debug, Default)]
pub(super) struct Scanner {
    pending: Vec<u8>,
    in_damage: bool,
    /// Records found.
    pub(super) records: u64,
    /// Stretches of bytes that are no records.
    pub(super) damaged: u64,
    /// Records of other versions.
    pub(super) unknown: u64,
}

impl Scanner {
    /// Takes the next bytes and shows each whole record in them.
    pub(super) fn feed(&mut self, bytes: &[u8], see: &mut dyn FnMut(LookupRecord)) {
        self.pending.extend_from_slice(bytes);
        let mut at = 0;
        while let Some(window) = self.pending.get(at..at + LENGTH) {
            let window: &[u8; LENGTH] = window.try_into().expect("the slice has that length");
            if checksum(window).to_le_bytes() == window[28..] {
                match LookupRecord::decode(window) {
                    Some(record) => {
                        self.records += 1;
                        see(record);
                    }
                    None => self.unknown += 1,
                }
                self.in_damage = false;
                at += LENGTH;
            } else {
                // A write that a full disk cut short shifts all that follows: look at every byte.
                self.damaged += u64::from(!self.in_damage);
                self.in_damage = true;
                at += 1;
            }
        }
        self.pending.drain(..at);
    }

    /// No more bytes come.
    pub(super) fn finish(&mut self) {
        self.damaged += u64::from(!self.pending.is_empty() && !self.in_damage);
        self.pending.clear();
    }
}

fn outcome_number(outcome: LookupOutcome) -> u8 {
    match outcome {
        LookupOutcome::Hit => 1,
        LookupOutcome::Stale => 2,
        LookupOutcome::MissAbsent => 3,
        LookupOutcome::MissExpired => 4,
        LookupOutcome::MissInvalidated => 5,
        LookupOutcome::MissCorrupt => 6,
        LookupOutcome::MissOtherVersion => 7,
        LookupOutcome::MissAge => 8,
        LookupOutcome::Error => 9,
        LookupOutcome::ErrorBreakerOpen => 10,
        LookupOutcome::ErrorDamaged => 11,
        LookupOutcome::ErrorBusy => 12,
        LookupOutcome::ErrorDiskFull => 13,
        LookupOutcome::ErrorKey => 14,
        LookupOutcome::ErrorPermission => 15,
    }
}

fn resource_number(resource: Resource) -> u8 {
    match resource {
        Resource::User => 1,
        Resource::Group => 2,
        Resource::PermissionSet => 3,
        Resource::Assignment => 4,
        Resource::Account => 5,
        Resource::Ou => 6,
        Resource::Instance => 7,
        Resource::Custom => 8,
    }
}

fn part<const N: usize>(bytes: &[u8; LENGTH], from: usize) -> [u8; N] {
    bytes[from..from + N].try_into().expect("every field lies inside the record")
}

fn checksum(bytes: &[u8; LENGTH]) -> u32 {
    low(xxhash_rust::xxh3::xxh3_64(&bytes[..28]))
}

#[expect(clippy::cast_possible_truncation, reason = "half a digest is wanted")]
fn low(digest: u64) -> u32 {
    digest as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(n: u8) -> LookupRecord {
        LookupRecord {
            outcome: LookupOutcome::ALL[usize::from(n) % LookupOutcome::ALL.len()],
            resource: Resource::ALL[usize::from(n) % Resource::ALL.len()],
            count: u32::from(n) + 1,
            at: -7 + i64::from(n),
            entry: u64::MAX - u64::from(n),
            cache: u32::MAX,
        }
    }

    fn scan(bytes: &[u8], step: usize) -> (Vec<LookupRecord>, u64, u64) {
        let (mut found, mut scanner) = (Vec::new(), Scanner::default());
        for chunk in bytes.chunks(step) {
            scanner.feed(chunk, &mut |record| found.push(record));
        }
        scanner.finish();
        assert_eq!(scanner.records, found.len() as u64);
        (found, scanner.damaged, scanner.unknown)
    }

    #[test]
    fn every_outcome_and_resource_reads_back_however_the_bytes_arrive() {
        let records: Vec<LookupRecord> = (0..72).map(record).collect();
        let bytes: Vec<u8> = records.iter().flat_map(LookupRecord::encode).collect();
        for step in [1, 7, 32, 33, 4096] {
            assert_eq!(scan(&bytes, step), (records.clone(), 0, 0), "in steps of {step}");
        }
    }

    #[test]
    fn damage_costs_only_the_records_it_touches() {
        let mut bytes: Vec<u8> = (0..4).map(record).flat_map(|record| record.encode()).collect();
        bytes[33] ^= 1;
        assert_eq!(scan(&bytes, 50), (vec![record(0), record(2), record(3)], 1, 0));
        // A write that was cut short after ten bytes, then zeros, then sound records.
        let mut bytes = record(0).encode()[..10].to_vec();
        bytes.extend([0; 70]);
        bytes.extend(record(5).encode());
        bytes.extend(&record(6).encode()[..31]);
        assert_eq!(scan(&bytes, 4096), (vec![record(5)], 2, 0));
    }

    #[test]
    fn records_of_another_version_are_skipped() {
        let mut later = record(1).encode();
        later[0] = 9;
        let sum = checksum(&later);
        later[28..].copy_from_slice(&sum.to_le_bytes());
        let bytes = [record(0).encode(), later, record(2).encode()].concat();
        assert_eq!(scan(&bytes, 4096), (vec![record(0), record(2)], 0, 1));
    }

    #[test]
    fn words_read_back_and_only_a_hit_is_no_miss() {
        for outcome in LookupOutcome::ALL {
            assert_eq!(LookupOutcome::parse(outcome.as_str()), Some(outcome));
        }
        let misses = LookupOutcome::ALL.into_iter().filter(|outcome| outcome.is_miss()).count();
        assert_eq!((misses, LookupOutcome::Stale.is_miss(), LookupOutcome::Hit.is_miss()), (7, true, false));
    }
}
