//! AWS, seen through the cache.
//!
//! Neighbours: `cache/` below remembers, `aws/` speaks to the services, `pace.rs` keeps to the quota; `app.rs` joins them,
//! `cli/` and `jobs/` ask. Promise: one [`Request`], one answer, whichever way it came; an error is never an empty list.

mod assignments;
mod aws;
mod error;
mod fetch;
mod instance;
mod look;
mod names;
mod pace;
mod policy;
mod principals;
mod read;
mod request;
mod source;
mod spool;
mod walk;
mod warm;

pub use assignments::{Filter, Found};
pub use aws::Aws;
pub use error::{Again, GatewayError};
pub use instance::{INSTANCES, Selection};
pub use look::{Looked, Recorder};
pub use names::{is_account_id, is_arn, is_directory_id};
pub use pace::{HostTime, PaceSettings, Paced, Time};
pub use policy::{action_of, iam_policy};
pub use principals::Principal;
pub use read::{Gateway, Policy};
pub use request::Request;
pub use source::{Api, Listing, OPERATIONS, Page, PrincipalKind, Single, Source, Target, api_of, operation_words};
pub use spool::Spool;
pub use warm::{WarmPlan, Warmed};
