//! How the daemon itself stands: what it alone knows beside the overview.
//!
//! Neighbours: the command line keeps it, `http.rs` asks through [`Window`], page and metrics show it. Promise: looking waits
//! for no job.

use crate::app::{Overview, Problem};
use crate::clock::UnixMillis;
use crate::health::Level;
use serde::Serialize;
use std::net::SocketAddr;
use std::time::Duration;

/// How the daemon stands.
#[derive(Debug, Clone, Serialize)]
pub struct Standing {
    /// When it began.
    #[serde(serialize_with = "super::http::time")]
    pub started_at: UnixMillis,
    /// Looks at the ledger so far.
    pub passes: u64,
    /// Why the configuration on disk is not the one in use.
    pub refused: Option<String>,
    /// Whether it was told to end and waits for what runs.
    pub ending: bool,
}

impl Standing {
    /// What is wrong with the daemon itself.
    pub fn problems(&self) -> impl Iterator<Item = Problem> + '_ {
        self.refused.iter().map(|refused| Problem {
            key: "reload".into(),
            level: Level::Warn,
            message: format!("The configuration on disk is broken, the last good one is in use: {refused}"),
            since: None,
            command: "awsideman config validate".into(),
        })
    }
}

/// What the page looks at.
pub trait Window: Send + Sync {
    /// Everything there is to see, as far back as `depth`. May wait for the disk.
    fn overview(&self, depth: Duration) -> Overview;
    /// How the daemon stands.
    fn standing(&self) -> Standing;
    /// Why no job could be run now. May wait for the disk.
    fn not_ready(&self) -> Option<String>;
}

/// Where the page is served, and to whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The address; port 0 takes a free one.
    pub address: SocketAddr,
    /// Whether other hosts may ask.
    pub remote: bool,
    /// Names for the Host header in addition to its own address and `localhost`: `name` or `name:port`.
    pub hosts: Vec<String>,
}
