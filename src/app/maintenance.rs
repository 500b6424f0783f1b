//! Keeping the cache in order: clearing, cleaning up, holding the limits.
//!
//! A dry run counts exactly what the real one removes; a clear is known to every fill that is under way.

use crate::app::App;
use crate::app::AppError;
use crate::app::directories;
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
        self.sweep(&Sweep { dry_run, ..self.what_has_had_its_time() })
    }

    /// Gives the file system back what the state database no longer uses. A fault costs disk space, nothing else.
    fn shrink_state(&self) {
        if !self.state_dir().is_dir() {
            return;
        }
        let given_back = self.database().and_then(|(mut database, _)| database.give_back());
        match given_back {
            Ok(0) => {}
            Ok(bytes) => tracing::info!(bytes, "state database vacuumed"),
            Err(error) => tracing::warn!(%error, "cannot vacuum the state database"),
        }
    }

    /// Holds the cache to its limits, down to the low-water mark, least recently used first. Where the disk has no room even
    /// for a deletion, all of it goes.
    pub fn enforce_limits(&self, dry_run: bool) -> Result<Swept, AppError> {
        let bounds = self.bounds();
        let (bytes, entries) = (bounds.of_bytes(), bounds.of_entries());
        self.sweep(&Sweep { bytes, entries, dry_run, ..self.what_has_had_its_time() })
    }

    /// Makes room after a warm that needed more than there is: single answers go before lists, which answer more.
    pub(super) fn keep_lists(&self) -> Result<Swept, AppError> {
        let bounds = self.bounds();
        let (bytes, entries) = (bounds.of_bytes(), bounds.of_entries());
        self.sweep(&Sweep { bytes, entries, first: &SINGLE_ANSWERS, ..self.what_has_had_its_time() })
    }

    fn what_has_had_its_time(&self) -> Sweep {
        let (now, max_age) = (self.clock().now(), self.config().cache.max_age);
        let stored_before = (!max_age.is_zero()).then(|| now.saturating_sub(millis(max_age)));
        Sweep { now, expired: true, stored_before, bytes: None, entries: None, first: &[], dry_run: false }
    }

    fn sweep(&self, sweep: &Sweep) -> Result<Swept, AppError> {
        // What was used last decides what goes first: the tally is folded in before.
        self.fold_tally();
        let store = self.store()?;
        let swept = store.sweep(sweep)?;
        // Of a store that went as a whole nothing is left to fold.
        if swept.entries() > 0 && swept.no_room == 0 && !sweep.dry_run {
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

    /// The newest state database that was set aside as damaged and is still there.
    pub fn state_set_aside(&self) -> Option<String> {
        let found = state::set_aside(self.state_dir()).unwrap_or_default();
        let mut damaged = found.into_iter().map(|(path, _)| path.display().to_string());
        damaged.rfind(|path| path.contains("state.db.damaged."))
    }

    /// What lists of changes, alerts and runs lack, for people.
    pub fn set_aside_notice(&self) -> Option<String> {
        let file = self.state_set_aside()?;
        Some(format!("a damaged state database was set aside as {file}: what it holds is not in this list"))
    }

    /// Starts a new window of the hit rate: earlier counts do not apply to an empty cache.
    pub(super) fn begin_hit_window(&self) {
        if !self.state_dir().is_dir() {
            return;
        }
        self.fold_tally();
        let now = self.clock().now();
        let begun =
            self.database().and_then(|(mut database, _)| state::begin_window(&mut database, self.cache_dir(), now));
        if let Err(error) = begun {
            tracing::warn!(%error, "no new window of the hit rate was started");
        }
    }

    /// The state database for read commands: on a full disk opened to read only, and if it cannot be created, an empty one
    /// in memory.
    pub fn database_to_read(&self) -> Result<(state::Database, Option<String>), state::StateError> {
        if directories::unwritable(self.state_dir()).is_none() {
            match self.database() {
                Err(error) if error.is_full() => {}
                opened => return opened,
            }
        }
        Ok((self.state().database_read_only()?.map_or_else(state::Database::in_memory, Ok)?, None))
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
