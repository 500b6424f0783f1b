//! Configuration: read from layers and checked before anything runs.
//!
//! Guarantee: a loaded configuration is complete, in range and free of contradictions. Problems are reported with
//! file, line, key and hint.
//!
//! The layers, later ones take precedence: `config/default.toml` (compiled in), the host's file, the user's file, the
//! file of `--config`, `AWSIDEMAN_*` variables, flags.

mod diagnostic;
mod env;
mod file;
mod job;
mod keys;
mod load;
mod schema;
mod show;
mod sources;
mod ttl;
mod types;
mod validate;

pub use diagnostic::{ConfigError, Problem, nearest};
pub use job::load::{Broken, SHIPPED_JOBS, load_jobs, read_jobs, schedule_warnings};
pub use job::schedule::Schedule;
pub use job::*;
pub use keys::{STEERING_VARIABLES, keys, variable_name};
pub use load::{DEFAULT, Loaded, load, load_leniently};
pub use schema::*;
pub use show::{ConfigLine, STARTER, show, shown_value};
pub use sources::{DEFAULT_ORIGIN, FilePlace, Sources, paths};
pub use ttl::{Ttl, Ttls, operations};
