//! Disable, enable, recover: what is typed at night.
//!
//! Neighbours: `state/switch.rs` holds the switch, `store/disk` flips generations. Promise: works under live processes and
//! stops none of them; the damaged generation stays where it is, as evidence.

use super::{App, AppError, Trial};
use crate::clock::millis;
use crate::config::Backend;
use crate::host;
use crate::state::{BreakerMark, Disabled};
use crate::store::Disk;
use serde::Serialize;
use std::time::Duration;

/// What a recovery did.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Recovered {
    /// The generation that was replaced; null when there was none.
    pub old: Option<String>,
    /// The marker that says since when it is no longer used.
    pub marker: Option<String>,
    /// The new, empty generation.
    pub new: String,
    /// The self-test on it.
    pub test: Trial,
}

impl App {
    /// Disables the cache for every process of this state directory. Returns until when, and a notice.
    pub fn disable(
        &self,
        duration: Option<Duration>,
        reason: Option<&str>,
    ) -> Result<(Disabled, Option<String>), AppError> {
        let now = self.clock().now();
        let disabled = Disabled {
            since: now,
            until: now.saturating_add(millis(duration.unwrap_or(self.config().cache.disable_for))),
            reason: reason.map(str::to_owned),
            by: format!("{}@{}", host::user_name(), host::host_name()),
        };
        let notice = self.state().disable(disabled.clone(), now)?;
        Ok((disabled, notice))
    }

    /// Enables it again; gives back who had disabled it.
    pub fn enable(&self) -> Result<Option<Disabled>, AppError> {
        Ok(self.state().enable(self.clock().now())?)
    }

    /// Puts a new, empty generation in place of the present one, closes the breaker and tests it.
    pub fn recover(&self) -> Result<Recovered, AppError> {
        let now = self.clock().now();
        let flip = Disk::flip_in(&self.disk_options(), now)?;
        self.state().set_breaker(self.cache_dir(), BreakerMark::default(), now)?;
        // The switch as this process read it may still say that the breaker is open; and it is the disk that was
        // repaired, whatever answers this process.
        let mut loaded = self.loaded().clone();
        loaded.config.cache.backend = Backend::Disk;
        let fresh = App::new(loaded, None)?;
        let test = fresh.trial()?;
        Ok(Recovered {
            old: flip.old.map(|path| path.display().to_string()),
            marker: flip.marker.map(|path| path.display().to_string()),
            new: flip.new.display().to_string(),
            test,
        })
    }
}
