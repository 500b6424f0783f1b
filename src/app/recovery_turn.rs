//! One recovery at a time: a process that finds another recovery in progress waits for it and tests its result.
//!
//! Guarantee: the result of a recovery that did not end is never taken for a recovered cache. Neither a stopped or dead process
//! nor a state directory in which no lock can be made delays a recovery.

use crate::clock::UnixMillis;
use crate::lock::{Guard, Held, HolderWatch};
use crate::log::LOCKS;
use crate::progress::Progress;
use crate::secure_fs;
use crate::state::{FileLock, StateDir};
use crate::store::Disk;
use std::path::Path;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// The lock. The dot keeps it apart from the locks of jobs, whose names have none.
const NAME: &str = "cache.recover";
/// The file that names the database of the last recovery that ended.
const RECORD: &str = "recovered";
/// The pause between two attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// A wait is printed when it has lasted this long.
const VISIBLE: Duration = Duration::from_secs(2);
/// The holder shows its progress at most this often.
const BEAT: Duration = Duration::from_millis(500);

/// The right to recover the cache.
pub(super) struct RecoveryTurn {
    /// `None` if the lock could not be taken in time, or not at all.
    lock: Option<FileLock>,
    /// When the recovery of another process began that this process waited for.
    other: Option<UnixMillis>,
}

impl RecoveryTurn {
    /// Waits for the recovery of another process while that makes progress.
    pub(super) fn take(state: &StateDir, now: UnixMillis, progress: &dyn Progress) -> RecoveryTurn {
        let (begun, mut printed, mut other) = (Instant::now(), false, None);
        let mut watch = HolderWatch::new(begun);
        loop {
            match state.try_lock(NAME, Guard::Recovery, now) {
                Ok(Some(lock)) => return RecoveryTurn { lock: Some(lock), other },
                Ok(None) => {}
                Err(error) => {
                    tracing::warn!(target: LOCKS, "recovering the cache without a lock: {error}");
                    return RecoveryTurn { lock: None, other: None };
                }
            }
            let process = state.process(NAME);
            if other.is_none() {
                other = state.holder(NAME).ok().flatten().map(|holder| holder.since);
            }
            let run_state = process.as_ref().map(|process| process.state);
            let seen = Instant::now();
            if watch.is_due(seen) && watch.observe(seen, state.progress(NAME), run_state).is_some() {
                Held::of_file(&state.directory().join("locks").join(NAME), begun.elapsed()).report(Guard::Recovery);
                return RecoveryTurn { lock: None, other: None };
            }
            if begun.elapsed() >= VISIBLE && !printed {
                printed = true;
                let holder = process.map_or_else(|| "another process".to_owned(), |process| process.to_string());
                progress.notice(&format!("waiting for {holder}, which recovers the cache"));
            }
            std::thread::sleep(PAUSE);
        }
    }

    /// Whether another process has recovered the cache, with this live database, while this one waited. A recovery that was
    /// killed leaves no record of its end.
    pub(super) fn was_recovered_by_another(&self, state: &StateDir, live: &Path) -> bool {
        let Some(since) = self.other.and_then(|since| u64::try_from(since).ok()) else { return false };
        let recorded = secure_fs::read(&state.directory().join(RECORD)).ok().flatten();
        recorded.is_some_and(|name| name == secure_fs::file_name(live).as_bytes())
            && Disk::number_of(live).is_some_and(|number| number >= since)
    }

    /// Records that the recovery with this live database has ended. Without the record, waiting processes recover again.
    pub(super) fn record_end(state: &StateDir, live: &Path) {
        let name = secure_fs::file_name(live);
        if let Err(error) = secure_fs::replace(&state.directory().join(RECORD), name.as_bytes(), state.access()) {
            tracing::warn!(target: LOCKS, "the end of the recovery was not recorded: {error}");
        }
    }

    /// The same progress, which also shows waiting processes that the recovery continues.
    pub(super) fn progress<'a>(&'a self, inner: &'a dyn Progress) -> Box<dyn Progress + 'a> {
        Box::new(Beating { inner, lock: self.lock.as_ref(), last: Mutex::new(None) })
    }
}

struct Beating<'a> {
    inner: &'a dyn Progress,
    lock: Option<&'a FileLock>,
    last: Mutex<Option<Instant>>,
}

impl Beating<'_> {
    fn beat(&self) {
        let (Some(lock), Ok(mut last)) = (self.lock, self.last.lock()) else { return };
        if last.is_none_or(|at| at.elapsed() >= BEAT) {
            *last = Some(Instant::now());
            lock.progress();
        }
    }
}

impl Progress for Beating<'_> {
    fn started(&self, what: &str, total: Option<u64>) {
        self.beat();
        self.inner.started(what, total);
    }

    fn advanced(&self, what: &str, by: u64) {
        self.beat();
        self.inner.advanced(what, by);
    }

    fn notice(&self, text: &str) {
        self.inner.notice(text);
    }

    fn finished(&self, what: &str) {
        self.beat();
        self.inner.finished(what);
    }
}
