//! How a sandbox behaves from its start on.
//!
//! Neighbours: whoever starts one fills it; `desk.rs` and `server.rs` read it. Promise: [`Limits`] alone are enough,
//! and then nothing goes wrong, nothing is late and asynchronous operations end at once.

use super::faults::Faults;
use super::shape::Limits;
use crate::clock::Clock;
use crate::clock::SystemClock;
use std::sync::Arc;
use std::time::Duration;

/// Everything about a sandbox but what is in it.
#[derive(Clone)]
pub struct Conduct {
    /// How many calls, and how fast.
    pub limits: Limits,
    /// How long an asynchronous operation stays `IN_PROGRESS`.
    pub async_delay: Duration,
    /// What goes wrong, until other faults are set.
    pub faults: Faults,
    /// Where the times in records come from.
    pub clock: Arc<dyn Clock>,
}

impl Conduct {
    /// How long asynchronous operations take where nobody says otherwise: long enough to be seen `IN_PROGRESS`.
    pub const ASYNC_DELAY: Duration = Duration::from_millis(300);
}

impl Default for Conduct {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            async_delay: Duration::ZERO,
            faults: Faults::default(),
            clock: Arc::new(SystemClock::default()),
        }
    }
}

impl From<Limits> for Conduct {
    fn from(limits: Limits) -> Conduct {
        Conduct { limits, ..Conduct::default() }
    }
}
