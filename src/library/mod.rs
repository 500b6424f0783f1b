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

mod cache_manager;
mod entries;
mod error;
mod keys;
mod maintenance;
mod settings;
mod usage;

pub use cache_manager::CacheManager;
pub use entries::PutItem;
pub use error::LibraryError;
pub use keys::build_key;
pub use maintenance::Stats;

pub use crate::health::HealthReport;
pub use crate::state::{BreakerStatus, PersistedBreaker, WritesMark};
pub use crate::store::{Stored, Swept};
