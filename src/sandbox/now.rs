//! When a call is carried out.
//!
//! Neighbours: `server.rs` makes one for every step of a call, the writes stamp records with it. Promise: two clocks
//! that do not mix: what is waited for goes by the monotonic one, what is written down by the calendar.

use super::records::Moment;
use std::time::Duration;

/// The moment at which a call is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Now {
    /// Time since the start of the sandbox, which never goes back.
    pub(super) since: Duration,
    /// The time of day, for records.
    pub(super) at: Moment,
}
