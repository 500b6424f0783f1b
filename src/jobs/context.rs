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

/// Where and with what jobs run.
pub struct Context {
    /// The state directory; the locks are in it.
    pub state_dir: PathBuf,
    /// Who may use it.
    pub access: Access,
    /// What was and what is due.
    pub ledger: Ledger,
    /// The time of day.
    pub clock: Arc<dyn Clock>,
    /// The zone of the host.
    pub zone: Zone,
    /// The name of the host.
    pub host: String,
    /// Those who know what each kind does.
    pub works: Arc<dyn JobHandler>,
    /// How many jobs run at once.
    pub slots: Slots,
    /// Whether a job that another process runs is waited for, rather than left to it.
    pub wait: bool,
    /// How many past runs of each job are kept.
    pub keep: u32,
    /// How long a job that must stop has to end by itself.
    pub grace: Duration,
    /// Who is told what runs and how far it is.
    pub progress: Arc<dyn Progress>,
    /// The wish that everything stops.
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
