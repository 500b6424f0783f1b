//! Being built.
mod job;
mod schedule;
mod schema;
mod ttl;
pub use job::*;
pub use schedule::Schedule;
pub use schema::*;
pub use ttl::{Ttl, Ttls};
