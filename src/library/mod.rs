//! The cache for other programs: one shared handle, with the words of the original Python tool.
//!
//! The cache is the one that `awsideman` itself uses on this host, with its switch, its breaker, its limits and its
//! coherence; what a program stores is never given as an answer of AWS, and what AWS answered a program can read
//! but not replace.
//!
//! # Example
//!
//! ```
//! use awsideman::library::CacheManager;
//! use std::time::Duration;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let home = tempfile::tempdir()?;
//! # let cache = CacheManager::in_home(home.path())?;
//! // A program asks for the handle where it needs it: let cache = CacheManager::shared()?;
//! cache.set("report:last", &"42 people")?;
//! cache.set_with_ttl("report:next", &["ann", "bob"], Duration::from_secs(60))?;
//! let last: Option<String> = cache.get("report:last")?;
//! assert_eq!(last.as_deref(), Some("42 people"));
//!
//! let seen: u64 = cache.update("report:count", |before| before.unwrap_or(0) + 1)?;
//! assert_eq!(seen, 1);
//! # Ok(())
//! # }
//! ```
//!
//! # What a program must know
//!
//! - *Faults.* A read never fails because the cache does: it is a miss, counted and logged. What stores says so. The log
//!   lines (`CacheError ...`) go to whatever `tracing` subscriber the program has; this library sets none.
//! - *Keys.* What a program stores lies in a space of its own (`custom` in `awsideman cache status --detailed`) under any
//!   key; a read under a key of AWS (`user:list:all`) finds what the program stored there, and else what AWS answered to
//!   this profile, if that is cached. AWS is never asked.
//! - *Changes.* `awsideman user update`, `awsideman cache invalidate` and
//!   [`CacheManager::invalidate_for_operation`] remove what they make false from both.

#[cfg(doctest)]
#[doc = include_str!("../../docs/library.md")]
mod manual {}

mod entries;
mod error;
mod keys;
mod maintenance;
mod settings;

pub use entries::PutItem;
pub use error::LibraryError;
pub use keys::build_key;
pub use maintenance::Stats;

pub use crate::health::HealthReport;
pub use crate::state::{BreakerStatus, PersistedBreaker, WritesMark};
pub use crate::store::{Stored, Swept};

use crate::app::App;
use crate::cache::Cache;
use crate::config::{self, Sources};
use crate::store::StoreError;
use entries::Uses;
use maintenance::Counters;
use std::fmt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

/// The one handle of this process. What a program shares between its threads cannot be handed down by a caller that
/// it does not have: this is the only thing here that is found and not given.
static SHARED: Mutex<Option<CacheManager>> = Mutex::new(None);

/// A handle on the cache. Clones are the same handle; it may be used from any thread.
#[derive(Clone)]
pub struct CacheManager {
    inner: Arc<Inner>,
}

struct Inner {
    app: RwLock<Arc<App>>,
    /// What the configuration is made from, with what was configured through the handle.
    sources: Mutex<Sources>,
    counters: Counters,
    uses: Uses,
    /// What the breaker's mark was when it was last kept for other processes.
    mark: Mutex<PersistedBreaker>,
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
        let mark = Mutex::new(app.breaker());
        let inner = Inner {
            app: RwLock::new(Arc::new(app)),
            sources: Mutex::new(sources),
            counters: Counters::default(),
            uses: Uses::default(),
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

    fn app(&self) -> Arc<App> {
        self.inner.app.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn sources(&self) -> MutexGuard<'_, Sources> {
        self.inner.sources.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends an operation: a fault is counted and logged, and what the breaker learned is kept for other processes.
    fn ended<T>(&self, app: &App, done: Result<T, StoreError>) -> Result<T, StoreError> {
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
    fn keep_mark(&self, app: &App) {
        let now = app.breaker();
        let mut kept = self.inner.mark.lock().unwrap_or_else(PoisonError::into_inner);
        if *kept != now && !app.is_memory() {
            *kept = now;
            // Not keeping it costs the next process the same timeout, nothing else.
            let _ = app.state().set_breaker(app.cache_dir(), now, app.clock().now());
        }
    }
}

/// The cache to use now; `None` while it is disabled. The switch is read each time: it may be turned at any moment.
fn in_use(app: &App) -> Result<Option<Cache>, StoreError> {
    if app.disabled_now().is_some() {
        return Ok(None);
    }
    app.store_again()?;
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
