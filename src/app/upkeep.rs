//! Keeping the cache in order: clearing, cleaning up, holding the limits.
//!
//! Neighbours: `cache clear`, `cache cleanup`, `cache enforce-limits` and the jobs of those kinds are these functions.
//! Promise: a dry run counts exactly what the real one removes; a clear is known to every fill that is under way.

use super::reading::mebibytes;
use super::{App, AppError};
use crate::cache::{CacheError, pattern};
use crate::clock::millis;
use crate::model::Space;
use crate::state;
use crate::store::{Removed, Select, Store, Sweep, Swept};
use serde::Serialize;
use std::ops::ControlFlow;

/// Which entries a clear is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One space.
    Space(Space),
    /// Every space, and why: `--all` was given, or this profile's space is not known.
    Everything {
        /// Whether it was asked for.
        asked: bool,
    },
}

/// What a clear did, or with a dry run would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Cleared {
    /// Entries removed.
    pub removed: u64,
    /// Bytes that they held.
    pub bytes: u64,
    /// The pattern, when one was given.
    pub pattern: Option<String>,
    /// The space, or `null` for every space.
    pub space: Option<String>,
    /// Whether nothing was really removed.
    pub dry_run: bool,
}

impl App {
    /// This profile's space if it is remembered, everything otherwise.
    pub fn scope(&self, all: bool) -> Scope {
        if all {
            return Scope::Everything { asked: true };
        }
        match self.selection().remembered(&self.cache()) {
            Some(space) => Scope::Space(space),
            None => Scope::Everything { asked: false },
        }
    }

    /// Removes the entries of a scope, or those of them that match a glob.
    pub fn clear(&self, scope: &Scope, glob: Option<&str>, dry_run: bool) -> Result<Cleared, AppError> {
        let space = match scope {
            Scope::Space(space) => Some(space.text()),
            Scope::Everything { .. } => None,
        };
        let selection = match (glob, &space) {
            (Some(glob), space) => Select::Glob { space: space.clone(), pattern: pattern(glob)? },
            (None, Some(space)) => Select::Space(space.clone()),
            (None, None) => Select::All,
        };
        let store = self.store()?;
        let removed = if dry_run {
            count(store.as_ref(), &selection)?
        } else {
            store.remove(&[selection], None, self.clock().now()).map_err(CacheError::Backend)?
        };
        if !dry_run && glob.is_none() {
            store.settle()?;
        }
        Ok(Cleared { removed: removed.entries, bytes: removed.bytes, pattern: glob.map(str::to_owned), space, dry_run })
    }

    /// Drops what has had its time.
    pub fn cleanup(&self, dry_run: bool) -> Result<Swept, AppError> {
        let cache = &self.config().cache;
        let now = self.clock().now();
        let oldest = (!cache.max_age.is_zero()).then(|| now - millis(cache.max_age));
        self.sweep(&Sweep { now, expired: true, stored_before: oldest, bytes: None, entries: None, dry_run })
    }

    /// Holds the cache to its limits, down to the low-water mark, least recently used first.
    pub fn enforce_limits(&self, dry_run: bool) -> Result<Swept, AppError> {
        let cache = &self.config().cache;
        let share = cache.low_water_percent / 100.0;
        let now = self.clock().now();
        let bytes = (cache.max_size_mb > 0.0).then(|| (self.limit_bytes(), mebibytes(cache.max_size_mb * share)));
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a share between 0 and 1 of a count"
        )]
        let low_entries = (cache.max_entries as f64 * share) as u64;
        let entries = (cache.max_entries > 0).then_some((cache.max_entries, low_entries));
        let oldest = (!cache.max_age.is_zero()).then(|| now - millis(cache.max_age));
        self.sweep(&Sweep { now, expired: true, stored_before: oldest, bytes, entries, dry_run })
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, AppError> {
        // What was used last decides what goes first: the tally is folded in before.
        self.fold_tally();
        let store = self.store()?;
        let swept = store.sweep(sweep)?;
        if swept.entries() > 0 && !sweep.dry_run {
            store.settle()?;
        }
        Ok(swept)
    }

    /// Folds what commands tallied into the statistics and the last-used times. A fault costs statistics, nothing else.
    pub fn fold_tally(&self) {
        if !self.state_dir().is_dir() {
            return;
        }
        let now = self.clock().now();
        let Ok((mut database, _)) = self.database() else { return };
        let Ok(folded) = self.state().fold(&mut database, now) else { return };
        let uses = folded.uses(self.cache_dir());
        if let (false, false, Ok(store)) = (uses.is_empty(), self.is_memory(), self.store()) {
            let _ = store.touch(&uses);
        }
    }

    /// `state.db`, and the notice when it had to be begun anew.
    pub fn database(&self) -> Result<(state::Database, Option<String>), state::StateError> {
        self.state().database(self.clock().now())
    }
}

fn count(store: &dyn Store, selection: &Select) -> Result<Removed, AppError> {
    let mut removed = Removed::default();
    store.scan(selection, &mut |meta| {
        removed.entries += 1;
        removed.bytes += meta.held;
        ControlFlow::Continue(())
    })?;
    Ok(removed)
}
