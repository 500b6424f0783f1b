//! Measurements become findings.
//!
//! Pure judgment, every check yields one finding under a stable key, in one order.

mod checks;
mod finding;
mod inputs;
mod report;
mod states;
#[cfg(test)]
mod tests;

pub use checks::SizeLimits;
pub use checks::judge;
pub use finding::{Finding, Level};
pub use inputs::AwsReading;
pub use inputs::BreakerReading;
pub use inputs::DirectoryReading;
pub use inputs::DisabledCache;
pub use inputs::JobFilesReading;
pub use inputs::JobRunReading;
pub use inputs::LoginReading;
pub use inputs::Measurements;
pub use inputs::WritesReading;
pub use report::HealthReport;
pub use report::examine;
