//! The daemon: time passes, and what is due is run; who asks sees how it stands.
//!
//! The ledger decides what runs, never the time at which a wake arrives, so a late, lost or doubled wake does no
//! harm; SIGTERM and ctrl-c let what runs end; SIGHUP reloads, and a broken configuration leaves the last good one
//! in use; what asks over the network changes nothing and keeps no job waiting.

mod access_guard;
mod connections;
mod error;
mod event_loop;
mod http;
pub mod metrics;
pub mod page;
mod serve;
mod signals;
mod status;
mod systemd;
pub mod textfile;
mod ticker;

pub use error::DaemonError;
pub use event_loop::{DaemonSettings, Tour, Worker, run};
pub use http::Door;
pub use serve::serve;
pub use signals::{hang_ups, stop_on_signals};
pub use status::{DaemonStatus, ListenPlace, StatusSource};
pub use systemd::{ServiceManager, ServiceNotifier, watchdog};
pub use ticker::Alarm;
