//! When a job is due: a checked cron expression or an interval.
//!
//! Neighbours: `jobs.rs` reads it from a job file, `jobs/due.rs` counts its occurrences. Promise: what is held here
//! parsed; croner alone reads cron expressions.

use chrono_tz::Tz;
use std::time::Duration;

/// When a job is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Schedule {
    /// A 5- or 6-field cron expression or `@hourly` and the like, in a time zone.
    Cron {
        /// As written.
        text: String,
        /// As understood.
        cron: Box<croner::Cron>,
        /// The zone it is read in; `None` is the host's.
        timezone: Option<Tz>,
    },
    /// Every so often, counted from the last run.
    Every(Duration),
}
