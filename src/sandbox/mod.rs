//! A local IAM Identity Center that speaks AWS's own wire protocol on loopback, made from a seed.
//!
//! Neighbours: the command line starts it (`sandbox serve`, `--sandbox`), tests start it in their own process; the
//! gateway does not know that it exists and reaches it through the endpoint setting, with the official SDK. Inside:
//! `server.rs` listens, `desk.rs` meters and counts a call and hands it to `identitystore.rs`, `ssoadmin.rs`,
//! `organizations.rs` or `sts.rs`, which read one [`Organisation`]; `generate.rs` and the files it names make that.
//! Promise: the same shape is the same organisation, to the byte; nothing is ever reachable from another host; what
//! AWS would refuse is refused in AWS's words.

mod access;
mod accounts;
mod arrivals;
mod bucket;
mod desk;
mod error;
mod forms;
mod generate;
mod identitystore;
mod names;
mod organisation;
mod organizations;
mod paging;
mod people;
mod records;
mod server;
mod shape;
mod ssoadmin;
mod sts;
#[cfg(test)]
mod testing;
mod wire;

pub use arrivals::Arrival;
pub use error::SandboxError;
pub use organisation::Counts;
pub use organisation::Organisation;
pub use server::Running;
pub use server::serve;
pub use server::start;
pub use shape::Limits;
pub use shape::Shape;
