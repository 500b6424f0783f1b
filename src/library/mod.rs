//! The cache for other programs: one shared handle, with the API of the original Python tool.
//!
//! It is the cache of `awsideman` on this host, with its kill switch, breaker, limits and coherence. Entries of a program are
//! never served as answers of AWS. A program can read answers of AWS and cannot replace them.
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
//! # Guarantees
//!
//! - *Faults.* A cache fault during a read is a miss, counted and logged. A write returns the fault. The log lines
//!   (`CacheError ...`) go to the `tracing` subscriber of the program; this library sets none.
//! - *Keys.* Entries of programs are in a separate namespace (`custom` in `awsideman cache status --detailed`) under any key.
//!   A read under a key of AWS (`user:list:all`) returns the entry of the program, or else the cached answer of AWS to this
//!   profile. AWS is never called.
//! - *Changes.* `awsideman user update`, `awsideman cache invalidate` and
//!   [`CacheManager::invalidate_for_operation`] remove the affected entries from both.

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
