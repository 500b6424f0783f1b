//! A local IAM Identity Center that speaks AWS's own wire protocol on loopback, made from a seed.
//!
//! `server/` listens, `dispatcher/` meters and counts a call and hands it to a service of `services/`, which reads or changes
//! one [`Organization`]; `generate/` makes that. [`Faults`] say what goes wrong on purpose, `faults/injector.rs` decides it
//! call by call. The same shape is the same organization, to the byte; no other host can reach it; what AWS would refuse is
//! refused with AWS's error.

mod admin_api;
mod async_operations;
mod aws_json;
mod call_log;
mod clock;
mod config;
mod dispatcher;
mod error;
mod error_response;
mod eventual_consistency;
mod faults;
mod generate;
mod handle;
mod ids;
mod operations;
mod paging;
mod records;
mod regions;
mod server;
mod services;
mod signature;
mod state;
#[cfg(test)]
mod testing;
mod token_bucket;
mod validation;

pub use call_log::{Arrival, CallCounts};
pub use clock::{Clock, SystemClock};
pub use config::{Conduct, Limits, Shape};
pub use error::SandboxError;
pub use faults::barriers::Waiting;
pub use faults::rules::{BadFaults, Faults, Rates, Rule, When};
pub use handle::{Running, start};
pub use regions::Regions;
pub use server::serve;
pub use state::{Counts, Organization};
