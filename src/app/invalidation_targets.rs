//! What a change needs: every store that others may read from, whatever this process does with its own reads.
//!
//! Guarantee: a disabled cache, a private backend and an open breaker do not keep a change from the disk store.

use crate::app::core::App;
use crate::app::encryption_keys::EncryptionKeys;
use crate::app::stack::StoreStack;
use crate::cache::{Fences, SharedStore};
use crate::clock::{Clock, UnixMillis, millis};
use crate::config::Backend;
use crate::gateway::{Journal, Writing};
use crate::host;
use crate::progress::Progress;
use crate::secure_fs;
use crate::secure_fs::PrivateError;
use crate::state::{Disabled, StateDir};
use crate::store::{Disk, Encrypted, KeyState, Options, Select, Store, StoreError};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// For how long a cache that missed a change is not used: longer than anything in it lives.
const DISTRUST: Duration = Duration::from_hours(7 * 24);

/// The disk store of the cache directory, apart from breaker and switch.
struct OnDisk {
    options: Options,
    state: StateDir,
    clock: Arc<dyn Clock>,
    /// A key that cannot be used makes what is removed more, never less.
    ring: KeyState,
    opened: OnceLock<Arc<dyn Store>>,
}

impl SharedStore for OnDisk {
    fn store(&self) -> Result<Arc<dyn Store>, StoreError> {
        if let Some(opened) = self.opened.get() {
            return Ok(opened.clone());
        }
        let disk: Arc<dyn Store> = Arc::new(Encrypted::new(Disk::open(&self.options)?, self.ring.clone()));
        Ok(self.opened.get_or_init(|| disk).clone())
    }

    fn retire(&self, until: Option<UnixMillis>, now: UnixMillis) -> Result<(), StoreError> {
        if self.options.dir.symlink_metadata().is_err_and(|error| error.kind() == std::io::ErrorKind::NotFound) {
            // If there is no directory and none can be made, nothing is stored.
            return Ok(());
        }
        Disk::retire_in(&self.options, until.map(own), now)
    }

    fn shorten(&self, until: UnixMillis, now: UnixMillis, new: UnixMillis) {
        Disk::shorten_retirement_in(&self.options, own(until), now, new);
    }

    fn distrust(&self, reason: &str) -> Result<(), StoreError> {
        let now = self.clock.now();
        let disabled = Disabled {
            since: now,
            until: now.saturating_add(millis(DISTRUST)),
            reason: Some(format!(
                "a change could not be recorded in it: {reason}; `awsideman cache clear --all` first"
            )),
            by: format!("awsideman on {}", host::host_name()),
        };
        let failed = |error: crate::state::StateError| StoreError::Io {
            action: "write",
            path: self.state.directory().join("switch"),
            source: std::io::Error::other(error.to_string()),
        };
        self.state.disable(disabled, now).map(drop).map_err(failed)
    }
}

/// The end of a retirement's fence, a part of a second later: two processes that retire in one millisecond leave two fences.
fn own(until: UnixMillis) -> UnixMillis {
    until.saturating_add(i64::from(std::process::id() % 1000))
}

/// A store that only this process reads from.
struct Own(Arc<dyn Store>);

impl SharedStore for Own {
    fn store(&self) -> Result<Arc<dyn Store>, StoreError> {
        Ok(self.0.clone())
    }

    fn retire(&self, until: Option<UnixMillis>, now: UnixMillis) -> Result<(), StoreError> {
        self.0.remove(&[Select::All], until, now).map(drop)
    }

    fn shorten(&self, _: UnixMillis, _: UnixMillis, _: UnixMillis) {}

    fn distrust(&self, _: &str) -> Result<(), StoreError> {
        Ok(())
    }
}

/// The stores and the journal that a change must reach.
pub struct InvalidationTargets<'a> {
    app: &'a App,
}

impl<'a> InvalidationTargets<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> InvalidationTargets<'a> {
        InvalidationTargets { app }
    }

    /// Every store that a change must reach.
    pub fn fences(&self) -> Fences {
        let mut stores: Vec<Arc<dyn SharedStore>> = vec![Arc::new(OnDisk {
            options: Options {
                access: self.app.access().to_change(self.app.cache_dir()),
                ..StoreStack::new(self.app).disk_options()
            },
            state: self.state_to_change(),
            clock: self.app.clock().clone(),
            ring: EncryptionKeys::new(self.app).state().clone(),
            opened: OnceLock::new(),
        })];
        if self.app.config().cache.backend == Backend::Memory {
            stores.push(Arc::new(Own(self.app.cache().store().clone())));
        }
        let fences = Fences::new(stores, self.app.clock().clone(), self.app.config().cache.settle);
        fences.outlasting(self.app.config().aws.operation_timeout)
    }

    /// Why this user cannot record a change in the cache of another user. Then the change is refused: the owner would be
    /// served answers from before it.
    pub fn foreign_cache(&self) -> Option<String> {
        let dir = self.app.cache_dir();
        match secure_fs::judge(dir, self.app.access().to_change(dir)) {
            Err(error @ PrivateError::ForeignOwner { .. }) => Some(error.to_string()),
            Err(error) if error.is_read_only() => Some(error.to_string()),
            _ => None,
        }
    }

    /// What [`crate::gateway::Writer::write`] needs; a journal that cannot be had is said.
    pub fn writing(&self, progress: &dyn Progress) -> Writing {
        let journal = match self.state_to_change().database(self.app.clock().now()) {
            Ok((database, notice)) => {
                if let Some(notice) = notice {
                    progress.notice(&notice);
                }
                Some(Journal::new(database, self.author()))
            }
            Err(fault) => {
                progress.notice(&format!("changes are not written into the journal: {fault}"));
                None
            }
        };
        Writing { fences: self.fences(), journal, patience: self.app.config().aws.change_timeout }
    }

    /// Who makes changes, for the journal.
    fn author(&self) -> String {
        let profile =
            self.app.config().profile.as_ref().map(|profile| format!(" (profile {profile})")).unwrap_or_default();
        format!("{}@{}{profile}", host::user_name(), host::host_name())
    }

    /// The same for a change in AWS: root records it for the owner of the directory.
    pub(super) fn state_to_change(&self) -> StateDir {
        StateDir::new(
            self.app.state_dir(),
            self.app.access().to_change(self.app.state_dir()),
            self.app.config().cache.busy_timeout,
        )
    }
}
