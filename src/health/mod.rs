//! Measurements become findings.
//!
//! Neighbours: `cache health`, the health-check job and `alerts/` share it; the caller measures. Promise: pure
//! judgement, every check yields one finding under a stable key, in one order.

mod finding;
mod judge;
mod measurements;
mod states;
#[cfg(test)]
mod tests;
mod verdict;

pub use finding::{Finding, Level};
pub use judge::{SizeLimits, judge};
pub use measurements::{
    AwsReading, BreakerReading, DirectoryReading, DisabledCache, JobFilesReading, JobRunReading, LoginReading,
    Measurements, WritesReading,
};
pub use verdict::{HealthReport, examine};
