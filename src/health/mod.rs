//! Health checks: converts measurements into findings.
//!
//! Guarantee: pure functions. Every check yields one finding under a stable key, in a fixed order.

mod checks;
mod finding;
mod inputs;
mod report;
mod states;
#[cfg(test)]
mod tests;

pub use checks::{SizeLimits, judge};
pub use finding::{Finding, Level};
pub use inputs::{
    AwsReading, BreakerReading, DirectoryReading, DisabledCache, JobFilesReading, JobRunReading, LoginReading,
    Measurements, WritesReading,
};
pub use report::{HealthReport, examine};
