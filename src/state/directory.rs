//! The state directory as one value: where it is, and who may use it.
//!
//! Nothing is opened before it is asked for, so that a hit opens the switch and the tally alone.

use super::cold;
use super::database::Database;
use super::error::StateError;
use super::locks::{self, FileLock, Holder};
use super::statistics::{self, LookupCounts};
use super::window;
use crate::clock::UnixMillis;
use crate::lock::{Guard, Process};
use crate::secure_fs::Access;
use crate::state::kill_switch::Disabled;
use crate::state::kill_switch::PersistedBreaker;
use crate::state::kill_switch::Switch;
use crate::state::lookup_log::Tally;
use crate::state::rollup;
use crate::state::rollup::Folded;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The state directory; it need not exist yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StateDir {
    directory: PathBuf,
    access: Access,
    busy: Duration,
}

/// The lookups that the hit rate is about.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HitWindow {
    /// How they ended.
    pub counts: LookupCounts,
    /// The misses among them of keys that no command had asked for before.
    pub cold_misses: u64,
    /// Whether a recovery or a clear restarted the window.
    pub is_new: bool,
}

impl StateDir {
    /// The state in `directory`; `busy` is how long its database waits for another process.
    pub fn new(directory: impl Into<PathBuf>, access: Access, busy: Duration) -> StateDir {
        StateDir { directory: directory.into(), access, busy }
    }

    /// The directory.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// Who may use it.
    pub fn access(&self) -> Access {
        self.access
    }

    /// [`Switch::read`].
    pub fn switch(&self) -> (Switch, Option<String>) {
        Switch::read(&self.directory)
    }

    /// [`Switch::disable`].
    pub fn disable(&self, disabled: Disabled, now: UnixMillis) -> Result<Option<String>, StateError> {
        Switch::disable(&self.directory, self.access, disabled, now)
    }

    /// [`Switch::enable`].
    pub fn enable(&self, now: UnixMillis) -> Result<Option<Disabled>, StateError> {
        Switch::enable(&self.directory, self.access, now)
    }

    /// [`Switch::correct_clock`].
    pub fn correct_switch_clock(&self, now: UnixMillis) -> Result<Switch, StateError> {
        Switch::correct_clock(&self.directory, self.access, now)
    }

    /// [`Switch::set_breaker`].
    pub fn set_breaker(&self, cache: &Path, mark: PersistedBreaker, now: UnixMillis) -> Result<(), StateError> {
        Switch::set_breaker(&self.directory, self.access, cache, mark, now)
    }

    /// [`Switch::update_breaker`].
    pub fn update_breaker(
        &self,
        cache: &Path,
        now: UnixMillis,
        change: impl FnOnce(&mut PersistedBreaker),
    ) -> Result<PersistedBreaker, StateError> {
        Switch::update_breaker(&self.directory, self.access, cache, now, change)
    }

    /// The tally for lookups in the cache directory `cache`; opened at its first record.
    pub fn tally(&self, cache: &Path) -> Tally {
        Tally::new(&self.directory, self.access, cache)
    }

    /// [`Database::open`].
    pub fn database(&self, now: UnixMillis) -> Result<(Database, Option<String>), StateError> {
        Database::open(&self.directory, self.access, self.busy, now)
    }

    /// [`Database::open_read_only`].
    pub fn database_read_only(&self) -> Result<Option<Database>, StateError> {
        Database::open_read_only(&self.directory, self.busy)
    }

    /// [`Database::renew`].
    pub fn renew_database(&self, now: UnixMillis) -> Result<(Database, Option<String>), StateError> {
        Database::renew(&self.directory, self.access, self.busy, now)
    }

    /// [`rollup::fold`].
    pub fn fold(&self, database: &mut Database, now: UnixMillis) -> Result<Folded, StateError> {
        rollup::fold(&self.directory, self.access, database, now)
    }

    /// [`rollup::examine`].
    pub fn examine_tally(&self) -> Result<(u64, u64), StateError> {
        rollup::examine(&self.directory)
    }

    /// Lookups in `cache` since the hour of `since`, folded or not. Changes nothing; `None` stands for a database that
    /// is not there or cannot be read.
    pub fn window(
        &self,
        database: Option<&Database>,
        cache: &Path,
        since: UnixMillis,
    ) -> Result<LookupCounts, StateError> {
        let mut counts = rollup::peek(&self.directory, database, cache, since)?;
        if let Some(database) = database {
            counts.add(&statistics::window(database, cache, since)?);
        }
        Ok(counts)
    }

    /// The same, or since the start of the hit rate window if that is later.
    pub fn hit_window(
        &self,
        database: Option<&Database>,
        cache: &Path,
        since: UnixMillis,
    ) -> Result<HitWindow, StateError> {
        let began = database.map_or(Ok(None), |database| window::window_began(database, cache))?;
        let restarted = began.filter(|began| *began > since);
        let mut counts = self.window(database, cache, restarted.unwrap_or(since))?;
        if let (Some(database), true) = (database, restarted.is_some()) {
            counts.subtract(&window::before(database, cache)?);
        }
        let absent = rollup::peek_absent(&self.directory, database, cache)?;
        let cold = cold::count(database, cache, restarted.unwrap_or(statistics::hour_of(since)), &absent)?;
        Ok(HitWindow { counts, cold_misses: cold, is_new: restarted.is_some() })
    }

    /// All lookups in `cache` since statistics began, folded or not. Changes nothing.
    pub fn lifetime(&self, database: Option<&Database>, cache: &Path) -> Result<LookupCounts, StateError> {
        let mut counts = rollup::peek(&self.directory, database, cache, UnixMillis::MIN)?;
        if let Some(database) = database {
            counts.add(&statistics::lifetime(database, cache)?);
        }
        Ok(counts)
    }

    /// [`FileLock::try_acquire`].
    pub fn try_lock(&self, name: &str, guard: Guard, now: UnixMillis) -> Result<Option<FileLock>, StateError> {
        FileLock::try_acquire(&self.directory, self.access, (name, guard), now)
    }

    /// `locks::progress`.
    pub fn progress(&self, name: &str) -> u64 {
        locks::progress(&self.directory, name)
    }

    /// `locks::process`.
    pub fn process(&self, name: &str) -> Option<Process> {
        locks::process(&self.directory, name)
    }

    /// [`locks::holder`].
    pub fn holder(&self, name: &str) -> Result<Option<Holder>, StateError> {
        locks::holder(&self.directory, name)
    }

    /// [`locks::is_held`].
    pub fn is_held(&self, name: &str) -> Result<bool, StateError> {
        locks::is_held(&self.directory, name)
    }
}

#[cfg(test)]
mod tests {
    use super::super::LookupOutcome;
    use super::*;
    use crate::model::Resource;
    use std::collections::BTreeSet;

    fn names(directory: &Path) -> BTreeSet<String> {
        let entries = std::fs::read_dir(directory).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_hit_touches_the_switch_and_the_tally_alone() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDir::new(root.path().join("state"), Access::Owner, Duration::from_secs(5));
        let tally = state.tally(Path::new("/c"));
        assert_eq!(state.switch().1, None);
        assert!(!state.directory().exists());
        assert_eq!(tally.record(LookupOutcome::Hit, Resource::User, 1, 1), None);
        assert_eq!(names(state.directory()), BTreeSet::from(["tally".to_owned()]));
    }

    #[test]
    fn statistics_are_the_same_before_and_after_the_fold() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDir::new(root.path(), Access::Owner, Duration::from_secs(5));
        let (cache, now) = (Path::new("/c"), 10 * 3_600_000);
        assert_eq!(state.lifetime(None, cache).unwrap(), LookupCounts::default());
        let tally = state.tally(cache);
        for at in [now, now + 1, now - 5 * 3_600_000] {
            assert_eq!(tally.record(LookupOutcome::Hit, Resource::Group, 1, at), None);
        }
        let counted = |database: Option<&Database>| {
            let window = state.window(database, cache, now).unwrap().hits();
            (window, state.lifetime(database, cache).unwrap().hits())
        };
        assert_eq!(counted(None), (2, 3));
        let (mut database, _) = state.database(now).unwrap();
        assert_eq!(counted(Some(&database)), (2, 3));
        assert_eq!(state.fold(&mut database, now + 1).unwrap().records, 3);
        assert_eq!(counted(Some(&database)), (2, 3));
        let reader = state.database_read_only().unwrap();
        assert_eq!(counted(reader.as_ref()), (2, 3));
        assert_eq!(counted(None), (0, 0));
    }

    #[test]
    fn a_new_window_counts_what_comes_after_it() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDir::new(root.path(), Access::Owner, Duration::from_secs(5));
        let (cache, hour) = (Path::new("/c"), 3_600_000);
        let now = 100 * hour + 5;
        let count = |outcome, at| assert_eq!(state.tally(cache).record(outcome, Resource::Group, 1, at), None);
        let (mut database, _) = state.database(now).unwrap();
        count(LookupOutcome::MissAbsent, now - 2 * hour);
        count(LookupOutcome::MissAbsent, now - 1);
        state.fold(&mut database, now).unwrap();
        window::begin_window(&mut database, cache, now).unwrap();
        let seen = |database: &Database| {
            let window = state.hit_window(Some(database), cache, now - 24 * hour).unwrap();
            (window.counts.hits(), window.counts.misses(), window.is_new)
        };
        assert_eq!(seen(&database), (0, 0, true));
        count(LookupOutcome::Hit, now + 1);
        assert_eq!(seen(&database), (1, 0, true), "not folded yet");
        state.fold(&mut database, now + 2).unwrap();
        assert_eq!(seen(&database), (1, 0, true), "folded");
        let all = state.hit_window(Some(&database), Path::new("/d"), now - 24 * hour).unwrap();
        assert!(!all.is_new, "another cache");
        assert!(!state.hit_window(Some(&database), cache, now + hour).unwrap().is_new, "the window has moved past it");
        assert_eq!(state.lifetime(Some(&database), cache).unwrap().samples(), 3, "the lifetime continues");
    }

    #[test]
    fn the_first_miss_of_a_key_is_cold_and_the_next_ones_are_not() {
        let root = tempfile::tempdir().unwrap();
        let state = StateDir::new(root.path(), Access::Owner, Duration::from_secs(5));
        let (cache, hour) = (Path::new("/c"), 3_600_000);
        let now = 100 * hour + 5;
        let miss = |entry, at| {
            assert_eq!(state.tally(cache).record(LookupOutcome::MissAbsent, Resource::Group, entry, at), None);
        };
        let cold = |database: Option<&Database>, since| {
            let window = state.hit_window(database, cache, since).unwrap();
            (window.cold_misses, window.counts.misses())
        };
        for (entry, at) in [(1, now - 2 * hour), (u64::MAX, now), (1, now + 1), (1, now + 2)] {
            miss(entry, at);
        }
        assert_eq!((cold(None, 0), cold(None, now)), ((2, 4), (1, 3)), "not folded yet");
        let (mut database, _) = state.database(now).unwrap();
        state.fold(&mut database, now + 3).unwrap();
        assert_eq!((cold(Some(&database), 0), cold(Some(&database), now)), ((2, 4), (1, 3)), "folded");
        for (entry, at) in [(1, now + 4), (2, now + 4)] {
            miss(entry, at);
        }
        assert_eq!(cold(Some(&database), 0), (3, 6), "one known and one new key, not folded yet");
        state.fold(&mut database, now + 5).unwrap();
        window::begin_window(&mut database, cache, now + 6).unwrap();
        miss(1, now + 7);
        assert_eq!(cold(Some(&database), 0), (1, 1), "after a clear every key is cold");
        state.fold(&mut database, now + 40 * 24 * hour).unwrap();
        assert_eq!(cold(Some(&database), i64::MIN).0, 0, "keys are forgotten with their hours");
    }
}
