//! Keeping the cache in order: clearing, cleaning up, holding the limits.
//!
//! A dry run counts exactly what the real one removes; a clear is known to every fill that is under way.

use crate::app::account::AwsAccount;
use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::limits::CacheLimits;
use crate::cache::{CacheError, pattern};
use crate::clock::millis;
use crate::model::Namespace;
use crate::state;
use crate::store::{Removed, Select, Store, Sweep, Swept};
use serde::Serialize;
use std::ops::ControlFlow;

/// The keys of what a list brings along: each can be had again with one call.
const SINGLE_ANSWERS: [&str; 2] = ["*:describe:*", "*:by_name:*"];

/// Which entries a clear is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scope {
    /// One space.
    Space(Namespace),
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

/// Clears, cleans up and limits the cache.
pub struct Maintenance<'a> {
    app: &'a App,
}

impl<'a> Maintenance<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> Maintenance<'a> {
        Maintenance { app }
    }

    /// This profile's space if it is remembered, everything otherwise.
    pub fn scope(&self, all: bool) -> Scope {
        if all {
            return Scope::Everything { asked: true };
        }
        match AwsAccount::new(self.app).selection().remembered(&self.app.cache()) {
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
        let store = self.app.store()?;
        let removed = if dry_run {
            count(store.as_ref(), &selection)?
        } else {
            store.remove(&[selection], None, self.app.clock().now()).map_err(CacheError::Backend)?
        };
        if !dry_run && glob.is_none() {
            // What was removed is removed; a file that could not be made smaller now is made smaller by the next cleanup.
            let _ = store.settle();
            self.begin_hit_window();
        }
        Ok(Cleared { removed: removed.entries, bytes: removed.bytes, pattern: glob.map(str::to_owned), space, dry_run })
    }

    /// Drops what has had its time.
    pub fn cleanup(&self, dry_run: bool) -> Result<Swept, AppError> {
        if !dry_run {
            self.shrink_state();
        }
        self.sweep(&Sweep { dry_run, ..self.expired_sweep() })
    }

    /// Gives the file system back what the state database no longer uses. A fault costs disk space, nothing else.
    fn shrink_state(&self) {
        if !self.app.state_dir().is_dir() {
            return;
        }
        let given_back = self.app.database().and_then(|(mut database, _)| database.give_back());
        match given_back {
            Ok(0) => {}
            Ok(bytes) => tracing::info!(bytes, "state database vacuumed"),
            Err(error) => tracing::warn!(%error, "cannot vacuum the state database"),
        }
    }

    /// Holds the cache to its limits, down to the low-water mark, least recently used first. Where the disk has no room even
    /// for a deletion, all of it goes.
    pub fn enforce_limits(&self, dry_run: bool) -> Result<Swept, AppError> {
        let bounds = CacheLimits::new(self.app).bounds();
        let (bytes, entries) = (bounds.of_bytes(), bounds.of_entries());
        self.sweep(&Sweep { bytes, entries, dry_run, ..self.expired_sweep() })
    }

    /// Makes room after a warm that needed more than there is: single answers go before lists, which answer more.
    pub(super) fn evict_single_answers(&self) -> Result<Swept, AppError> {
        let bounds = CacheLimits::new(self.app).bounds();
        let (bytes, entries) = (bounds.of_bytes(), bounds.of_entries());
        self.sweep(&Sweep { bytes, entries, first: &SINGLE_ANSWERS, ..self.expired_sweep() })
    }

    fn expired_sweep(&self) -> Sweep {
        let (now, max_age) = (self.app.clock().now(), self.app.config().cache.max_age);
        let stored_before = (!max_age.is_zero()).then(|| now.saturating_sub(millis(max_age)));
        Sweep { now, expired: true, stored_before, bytes: None, entries: None, first: &[], dry_run: false }
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, AppError> {
        // What was used last decides what goes first: the tally is folded in before.
        self.fold_lookups();
        let store = self.app.store()?;
        let swept = store.sweep(sweep)?;
        // Of a store that went as a whole nothing is left to fold.
        if swept.entries() > 0 && swept.no_room == 0 && !sweep.dry_run {
            store.settle()?;
        }
        Ok(swept)
    }

    /// Folds what commands tallied into the statistics and the last-used times. A fault costs statistics, nothing else.
    pub fn fold_lookups(&self) {
        if !self.app.state_dir().is_dir() {
            return;
        }
        let now = self.app.clock().now();
        let Ok((mut database, _)) = self.app.database() else { return };
        let Ok(folded) = self.app.state().fold(&mut database, now) else { return };
        let uses = folded.uses(self.app.cache_dir());
        if let (false, false, Ok(store)) = (uses.is_empty(), self.app.is_memory(), self.app.store()) {
            let _ = store.touch(&uses);
        }
    }

    /// Starts a new window of the hit rate: earlier counts do not apply to an empty cache.
    pub(super) fn begin_hit_window(&self) {
        if !self.app.state_dir().is_dir() {
            return;
        }
        self.fold_lookups();
        let now = self.app.clock().now();
        let begun = self
            .app
            .database()
            .and_then(|(mut database, _)| state::begin_window(&mut database, self.app.cache_dir(), now));
        if let Err(error) = begun {
            tracing::warn!(%error, "no new window of the hit rate was started");
        }
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
