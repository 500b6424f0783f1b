//! Configuration: what the operator wants, checked before anything runs.
//!
//! Neighbours: every room reads its part of [`Config`]; `jobs/` and `daemon/` run the [`Job`]s. Promise: what comes out
//! of here is complete, in range and free of contradictions; every mistake was told with file, line, key and remedy.
//!
//! The layers, the later one winning: `config/default.toml` (compiled in), the host's file, the user's file, the file
//! that `--config` names, `AWSIDEMAN_*` variables, flags.

mod consistency;
mod file;
mod job;
mod job_file;
mod jobs;
mod keys;
mod load;
pub mod origin;
mod problem;
mod schedule;
mod schema;
mod show;
mod sources;
mod ttl;
mod value;
mod variables;

pub use job::*;
pub use jobs::{Broken, SHIPPED_JOBS, load_jobs, read_jobs, schedule_warnings};
pub use keys::{STEERING_VARIABLES, keys, variable_name};
pub use load::{DEFAULT, Loaded, load, load_leniently};
pub use problem::{ConfigError, Problem, nearest};
pub use schedule::Schedule;
pub use schema::*;
pub use show::{ConfigLine, STARTER, show, shown_value};
pub use sources::{FilePlace, Sources, paths};
pub use ttl::{Ttl, Ttls, operations};
