//! What the runs of one process share: ledger, clock, zone, handler, slots.

use crate::clock::Clock;
use crate::jobs::handler::JobHandler;
use crate::jobs::ledger::Ledger;
use crate::jobs::lock::LockHolder;
use crate::jobs::stop::Stop;
use crate::model::Zone;
use crate::progress::Progress;
use crate::secure_fs::Access;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The environment of a pass.
pub struct Context {
    /// The state directory, which contains the locks.
    pub state_dir: PathBuf,
    /// The permissions of new files.
    pub access: Access,
    /// The record of runs and occurrences.
    pub ledger: Ledger,
    /// The current time.
    pub clock: Arc<dyn Clock>,
    /// The time zone of the host.
    pub zone: Zone,
    /// The name of the host.
    pub host: String,
    /// Does the work of each kind of job.
    pub handler: Arc<dyn JobHandler>,
    /// The slots of jobs that run at the same time.
    pub slots: Slots,
    /// Whether to wait for a job that another process runs, instead of skipping it.
    pub wait: bool,
    /// The number of runs that the ledger keeps for each job.
    pub keep: u32,
    /// The time that a job has to stop.
    pub grace: Duration,
    /// Receives the progress of runs.
    pub progress: Arc<dyn Progress>,
    /// The request to stop everything.
    pub stop: Stop,
}

impl Context {
    /// This process, as the holder of a lock.
    pub(super) fn holder(&self) -> LockHolder {
        LockHolder { pid: std::process::id(), host: self.host.clone(), since: self.clock.now(), begun: false }
    }
}

/// The number of jobs that run at the same time, over all passes that share it.
#[derive(Debug, Clone)]
pub struct Slots(Arc<Semaphore>);

impl Slots {
    /// `parallel` slots, at least one.
    pub fn new(parallel: usize) -> Self {
        Self(Arc::new(Semaphore::new(parallel.clamp(1, 1_000))))
    }

    pub(super) async fn take(&self) -> Option<OwnedSemaphorePermit> {
        Arc::clone(&self.0).acquire_owned().await.ok()
    }
}
