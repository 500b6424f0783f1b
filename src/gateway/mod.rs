//! Being built.
mod aws;
mod error;
mod pace;
mod policy;
mod source;
pub use aws::Aws;
pub use error::GatewayError;
pub use pace::{HostTime, PaceSettings, Paced, Time};
pub use policy::{action_of, iam_policy};
pub use source::*;
