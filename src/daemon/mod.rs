//! The daemon: runs due jobs over time, and serves the status page.
//!
//! Guarantee: the ledger decides what runs, so a late, lost or duplicate tick is harmless. SIGTERM and Ctrl-C let
//! running jobs end. SIGHUP reloads, and a broken configuration leaves the last good one in use. HTTP requests change
//! nothing and delay no job.

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
pub use event_loop::{DaemonSettings, LoopCounters, Worker, run};
pub use http::HttpServer;
pub use serve::serve;
pub use signals::{hangups, stop_on_signals};
pub use status::{DaemonStatus, ListenPlace, StatusSource};
pub use systemd::{ServiceManager, ServiceNotifier, watchdog};
pub use ticker::Ticker;
