//! The locks that this process timed out on: it does not wait for one again until it gets it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Each such lock, with how long waits for it were before.
///
/// A process-wide value: the waits of one run are made by parts that share no other value (the state, the cache, the
/// rate limiter), and together they must not last longer than one of them.
static WAITED: Mutex<BTreeMap<PathBuf, Option<Duration>>> = Mutex::new(BTreeMap::new());
/// Whether there are any: without one, nothing is locked here.
static ANY: AtomicBool = AtomicBool::new(false);

/// Whether this process timed out on any lock.
pub fn any() -> bool {
    ANY.load(Ordering::Relaxed)
}

/// How long a wait for the lock at `path` may be, where `wanted` is allowed.
pub fn patience(path: &Path, wanted: Duration) -> Duration {
    if !any() {
        return wanted;
    }
    match waited().get_mut(path) {
        Some(before) => {
            before.get_or_insert(wanted);
            Duration::ZERO
        }
        None => wanted,
    }
}

/// Notes that a wait for the lock at `path` timed out; `false` if that is known already.
pub fn remember(path: &Path, wanted: Option<Duration>) -> bool {
    let mut waited = waited();
    ANY.store(true, Ordering::Relaxed);
    match waited.get_mut(path) {
        Some(before) => {
            if before.is_none() {
                *before = wanted;
            }
            false
        }
        None => waited.insert(path.into(), wanted).is_none(),
    }
}

/// Notes that the lock at `path` was taken.
pub fn forget(path: &Path) {
    restored(path);
}

/// The same; returns how long waits for it may be again, if they were cut short.
pub fn restored(path: &Path) -> Option<Duration> {
    if !any() {
        return None;
    }
    let mut waited = waited();
    let before = waited.remove(path).flatten();
    ANY.store(!waited.is_empty(), Ordering::Relaxed);
    before
}

fn waited() -> MutexGuard<'static, BTreeMap<PathBuf, Option<Duration>>> {
    WAITED.lock().unwrap_or_else(PoisonError::into_inner)
}
