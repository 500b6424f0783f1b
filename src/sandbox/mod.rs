//! A local IAM Identity Center that speaks AWS's own wire protocol on loopback, made from a seed.
//!
//! Neighbours: the command line starts it (`sandbox serve`, `--sandbox`), tests start it in their own process; the
//! gateway does not know that it exists and reaches it through the endpoint setting, with the official SDK. Inside:
//! `server.rs` listens, `desk.rs` meters and counts a call and hands it to `identitystore.rs`, `ssoadmin.rs`,
//! `organizations.rs` or `sts.rs`, which read one [`Organisation`], or to `writes/`, which change it; `generate.rs` and
//! the files it names make that. [`Faults`] say what goes wrong on purpose, `verdict.rs` decides it call by call.
//! Promise: the same shape is the same organisation, to the byte; nothing is ever reachable from another host; what
//! AWS would refuse is refused in AWS's words.

mod access;
mod accounts;
mod arrivals;
mod bucket;
mod catalogue;
mod changes;
mod conduct;
mod desk;
mod error;
mod faults;
mod following;
mod forms;
mod generate;
mod holds;
mod identitystore;
mod lagging;
mod line;
mod mint;
mod names;
mod now;
mod organisation;
mod organizations;
mod own;
mod paging;
mod people;
mod progressing;
mod records;
mod refusal;
mod regions;
mod running;
mod server;
mod shape;
mod signature;
mod ssoadmin;
mod sts;
#[cfg(test)]
mod testing;
mod verdict;
mod wire;
mod writes;

pub use arrivals::Arrival;
pub use conduct::Conduct;
pub use error::SandboxError;
pub use faults::BadFaults;
pub use faults::Faults;
pub use faults::Rates;
pub use faults::Rule;
pub use faults::When;
pub use holds::Waiting;
pub use organisation::Counts;
pub use organisation::Organisation;
pub use regions::Regions;
pub use running::Running;
pub use running::start;
pub use server::serve;
pub use shape::Limits;
pub use shape::Shape;
