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

/// The handle of this process. It is global, because the threads of a program have no common caller that could pass
/// it.
static SHARED: Mutex<Option<CacheManager>> = Mutex::new(None);

/// A handle on the cache. Clones are the same handle; it may be used from any thread.
#[derive(Clone)]
pub struct CacheManager {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub(super) app: RwLock<Arc<App>>,
    /// The input of the configuration, including what the program configured.
    pub(super) sources: Mutex<Sources>,
    pub(super) counters: Counters,
    pub(super) uses: EntryUses,
    /// The state of the breaker when it was last stored for other processes.
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

    /// A separate handle with another configuration.
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

    /// Ends an operation: counts and logs a fault, and stores the state of the breaker for other processes.
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

    /// Stores the state of the breaker if it has changed.
    pub(super) fn keep_mark(&self, app: &App) {
        let now = BreakerMemory::new(app).current();
        let mut kept = self.inner.mark.lock().unwrap_or_else(PoisonError::into_inner);
        if *kept != now && !app.is_memory() {
            *kept = now;
            // If it is not stored, the next process only waits for the same timeout.
            let _ = app.state().set_breaker(app.cache_dir(), now, app.clock().now());
        }
    }
}

/// The cache to use; `None` while it is disabled. The kill switch is read each time.
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
