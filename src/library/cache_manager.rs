//! The handle on the cache.

use crate::app::{App, BreakerMemory, KillSwitch, StoreStack};
use crate::cache::Cache;
use crate::config::{self, Sources};
use crate::library::error::LibraryError;
use crate::library::usage::{Counters, EntryUses};
use crate::state::PersistedBreaker;
use crate::store::StoreError;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The one handle of this process. What a program shares between its threads cannot be handed down by a caller that
/// it does not have: this is the only thing here that is found and not given.
static SHARED: Mutex<Option<CacheManager>> = Mutex::new(None);

/// A handle on the cache. Clones are the same handle; it may be used from any thread.
#[derive(Clone)]
pub struct CacheManager {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) app: RwLock<Arc<App>>,
    /// What the configuration is made from, with what was configured through the handle.
    pub(super) sources: Mutex<Sources>,
    pub(super) counters: Counters,
    pub(super) uses: EntryUses,
    /// What the breaker's mark was when it was last kept for other processes.
    pub(super) mark: Mutex<PersistedBreaker>,
}

impl CacheManager {
    /// The handle that is the same everywhere in this process, configured as `awsideman` is: by its files and variables.
    /// An error is not remembered: the next call tries again.
    ///
    /// ```no_run
    /// # use awsideman::library::{CacheManager, LibraryError};
    /// # fn main() -> Result<(), LibraryError> {
    /// let (one, other) = (CacheManager::shared()?, CacheManager::shared()?);
    /// assert_eq!(one, other);
    /// # Ok(())
    /// # }
    /// ```
    pub fn shared() -> Result<CacheManager, LibraryError> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cache) = &*shared {
            return Ok(cache.clone());
        }
        let cache = CacheManager::open(Sources::from_process(None))?;
        Ok(shared.insert(cache).clone())
    }

    /// A handle of its own, for another configuration than that of the process.
    pub fn open(sources: Sources) -> Result<CacheManager, LibraryError> {
        let app = App::new(config::load(&sources)?, None)?;
        let mark = Mutex::new(BreakerMemory::new(&app).current());
        let inner = Inner {
            app: RwLock::new(Arc::new(app)),
            sources: Mutex::new(sources),
            counters: Counters::default(),
            uses: EntryUses::default(),
            mark,
        };
        Ok(CacheManager { inner: Arc::new(inner) })
    }

    /// A handle of its own over the cache below another home, with the defaults: for tests of programs.
    ///
    /// ```
    /// # use awsideman::library::CacheManager;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let home = tempfile::tempdir()?;
    /// let cache = CacheManager::in_home(home.path())?;
    /// assert!(!cache.exists("report:last")?);
    /// # Ok(())
    /// # }
    /// ```
    pub fn in_home(home: &Path) -> Result<CacheManager, LibraryError> {
        let home = std::path::absolute(home).unwrap_or_else(|_| home.to_owned());
        CacheManager::open(Sources {
            environment: [("HOME".to_owned(), home.display().to_string())].into(),
            explicit: None,
            overrides: Vec::new(),
            system_file: home.join("no-system-file.toml"),
            working_directory: home,
        })
    }

    pub(super) fn app(&self) -> Arc<App> {
        self.inner.app.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn sources(&self) -> MutexGuard<'_, Sources> {
        self.inner.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends an operation: a fault is counted and logged, and what the breaker learned is kept for other processes.
    pub(super) fn ended<T>(&self, app: &App, done: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(fault) = &done
            && !matches!(fault, StoreError::BreakerOpen | StoreError::StoringPaused | StoreError::Output(_))
        {
            fault.log();
            self.inner.counters.error();
        }
        self.keep_mark(app);
        done
    }

    /// Keeps what the breaker learned, when that is something new.
    pub(super) fn keep_mark(&self, app: &App) {
        let now = BreakerMemory::new(app).current();
        let mut kept = self.inner.mark.lock().unwrap_or_else(PoisonError::into_inner);
        if *kept != now && !app.is_memory() {
            *kept = now;
            // Not keeping it costs the next process the same timeout, nothing else.
            let _ = app.state().set_breaker(app.cache_dir(), now, app.clock().now());
        }
    }
}

/// The cache to use now; `None` while it is disabled. The switch is read each time: it may be turned at any moment.
pub(super) fn in_use(app: &App) -> Result<Option<Cache>, StoreError> {
    if KillSwitch::new(app).disabled_now().is_some() {
        return Ok(None);
    }
    StoreStack::new(app).reopened()?;
    Ok(Some(app.cache()))
}

impl PartialEq for CacheManager {
    fn eq(&self, other: &CacheManager) -> bool {
        Arc::ptr_eq(&self.inner, &other.inner)
    }
}

impl Eq for CacheManager {}

impl fmt::Debug for CacheManager {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let app = self.app();
        let backend = if app.is_memory() { "memory" } else { "disk" };
        f.debug_struct("CacheManager").field("backend", &backend).field("directory", &app.cache_dir()).finish()
    }
}
