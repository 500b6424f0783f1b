//! The log file, and the output of a running command.

mod file;
mod live;
mod place;

pub use crate::http::REQUESTS;
pub use crate::lock::LOCKS;
pub use file::{LineFormat, LogSettings, begin};
pub use live::{LiveOutput, Print, Shows, WAITS};
pub use place::problem;
pub use tracing::level_filters::LevelFilter;
