//! Verifies the integrity of the cache: the database, the files next to it, and with `--full` every entry.
//!
//! Guarantee: nothing is changed, created, set aside or dropped. Each finding names the command that repairs it.

use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::stack::StoreStack;
use crate::cache::ChecksumState;
use crate::progress::Progress;
use crate::store::{Disk, Select, Store};
use serde::Serialize;
use std::ops::ControlFlow;
use std::sync::Arc;

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IntegrityCheck {
    /// `current`, `database`, `switch`, `tally`, `state`, `entries`.
    pub what: &'static str,
    /// Whether it is damaged.
    pub damaged: bool,
    /// What was found.
    pub detail: String,
    /// What to do about it; empty if it is intact.
    pub hint: &'static str,
}

/// How the entries are.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Verification {
    /// Entries whose every byte is right.
    pub sound: u64,
    /// Keys of entries that are damaged, the first of them.
    pub damaged_keys: Vec<String>,
    /// How many are damaged.
    pub damaged: u64,
    /// Entries that another version stored, which cannot be judged.
    pub other_version: u64,
    /// Bytes at rest that were verified.
    pub bytes: u64,
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct CheckReport {
    /// The version of this document.
    pub schema_version: u32,
    /// Whether nothing is damaged.
    pub sound: bool,
    /// What was looked at, in order.
    pub findings: Vec<IntegrityCheck>,
    /// How the entries are; null when they were not looked at.
    pub entries: Option<Verification>,
}

const RECOVER: &str =
    "`awsideman cache recover` starts a new cache with the intact entries, and keeps this one as evidence";
const ENABLE: &str = "`awsideman cache enable` rewrites it";
const SET_ASIDE: &str = "`awsideman cache recover`, or the next job, sets it aside and begins a new one";
const FOLDED: &str = "`awsideman cache cleanup` counts the readable records and starts a new file";
const DROPPED: &str = "a read drops a damaged entry and asks AWS; `awsideman cache recover` starts a new cache";
/// The most damaged keys that are listed.
const LISTED: usize = 20;

/// Checks the integrity of what is stored. Changes nothing.
pub struct Integrity<'a> {
    app: &'a App,
}

impl<'a> Integrity<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> Integrity<'a> {
        Integrity { app }
    }

    /// Checks the databases; with `full` also every frame of every entry.
    pub fn check(&self, full: bool, progress: &dyn Progress) -> Result<CheckReport, AppError> {
        let mut findings = Vec::new();
        let live = self.check_database(&mut findings)?;
        self.check_state(&mut findings);
        let mut entries = None;
        // A database that cannot be read to its end is already reported as damaged.
        if full && live {
            let verified = self.check_entries(progress)?;
            let detail = match (verified.damaged, verified.other_version) {
                (0, 0) => format!("all {} are sound", verified.sound),
                (0, n) => format!("{} are sound, {n} of another version", verified.sound),
                (damaged, _) => format!("{damaged} are damaged, {} are sound", verified.sound),
            };
            findings.push(finding("entries", verified.damaged > 0, detail, DROPPED));
            entries = Some(verified);
        }
        let sound = findings.iter().all(|finding| !finding.damaged);
        Ok(CheckReport { schema_version: 1, sound, findings, entries })
    }

    /// Gives whether there is a database whose entries can be gone through.
    fn check_database(&self, findings: &mut Vec<IntegrityCheck>) -> Result<bool, AppError> {
        let found = Disk::sound(&StoreStack::new(self.app).disk_options())?;
        match (&found.live, &found.current) {
            (Some(path), _) => findings.push(finding("current", false, format!("names {}", path.display()), "")),
            (None, Some(damage)) => findings.push(finding("current", true, damage.clone(), RECOVER)),
            (None, None) => findings.push(finding("current", false, "there is no cache yet".into(), "")),
        }
        if found.live.is_none() {
            return Ok(false);
        }
        let detail = match found.damages.as_slice() {
            [] => "SQLite finds it sound".to_owned(),
            damages => damages.join("; "),
        };
        let damaged = !found.damages.is_empty();
        findings.push(finding("database", damaged, detail, RECOVER));
        Ok(!damaged)
    }

    fn check_state(&self, findings: &mut Vec<IntegrityCheck>) {
        let (_, problem) = self.app.state().switch();
        let damaged = problem.is_some();
        findings.push(finding("switch", damaged, problem.unwrap_or_else(|| "can be read".into()), ENABLE));
        let (damaged, detail) = match self.app.state().examine_tally() {
            Ok((records, 0)) => (false, format!("{records} lookups wait to be counted")),
            Ok((records, damaged)) => {
                (true, format!("{damaged} sections are not records; {records} records can be read"))
            }
            Err(error) => (true, error.to_string()),
        };
        findings.push(finding("tally", damaged, detail, FOLDED));
        let (damaged, detail) = match self.app.state().database_read_only() {
            Ok(None) => (false, "there is no state.db yet".to_owned()),
            Ok(Some(database)) => match database.damage() {
                Ok(None) => (false, "SQLite finds state.db sound".to_owned()),
                Ok(Some(damage)) => (true, damage),
                Err(error) => (true, error.to_string()),
            },
            Err(error) => (true, error.to_string()),
        };
        findings.push(finding("state", damaged, detail, SET_ASIDE));
    }

    fn check_entries(&self, progress: &dyn Progress) -> Result<Verification, AppError> {
        let disk = Arc::new(StoreStack::new(self.app).open_disk()?);
        let cache = StoreStack::new(self.app).cache_on(&disk);
        let what = "entries";
        progress.started(what, disk.size().ok().map(|size| size.entries));
        let (mut done, mut failed) = (Verification::default(), None);
        let scanned = disk.scan(&Select::All, &mut |meta| {
            progress.advanced(what, 1);
            match cache.examine(&meta.space, &meta.key) {
                Ok(Some((meta, ChecksumState::Intact))) => {
                    done.sound += 1;
                    done.bytes += meta.held;
                }
                Ok(Some((_, ChecksumState::OtherVersion))) => done.other_version += 1,
                Ok(Some((meta, ChecksumState::Damaged))) => {
                    done.damaged += 1;
                    if done.damaged_keys.len() < LISTED {
                        done.damaged_keys.push(meta.key);
                    }
                }
                // It went meanwhile.
                Ok(None) => {}
                Err(error) => {
                    failed = Some(error);
                    return ControlFlow::Break(());
                }
            }
            ControlFlow::Continue(())
        });
        progress.finished(what);
        match failed.map_or(scanned, Err) {
            Err(error) if error.is_damage() => {
                done.damaged += 1;
                done.damaged_keys.push(format!("and the rest cannot be read: {error}"));
                Ok(done)
            }
            ended => Ok(ended.map(|()| done)?),
        }
    }
}

fn finding(what: &'static str, damaged: bool, detail: String, hint: &'static str) -> IntegrityCheck {
    IntegrityCheck { what, damaged, detail, hint: if damaged { hint } else { "" } }
}
