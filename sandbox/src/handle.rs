//! A sandbox in this process, and what its owner can do with it.
//!
//! A [`Running`] ends with its value; what its methods do is what the paths of `admin_api.rs` do.

use crate::call_log::Arrival;
use crate::call_log::CallCounts;
use crate::config::Conduct;
use crate::error::SandboxError;
use crate::faults::barriers::Waiting;
use crate::faults::rules::BadFaults;
use crate::faults::rules::Faults;
use crate::faults::rules::Rule;
use crate::server;
use crate::server::Service;
use crate::state::Counts;
use crate::state::Organization;
use std::fmt;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// Starts a sandbox in this process, on a free port of 127.0.0.1 and a thread of its own.
pub fn start(organization: Organization, conduct: impl Into<Conduct>) -> Result<Running, SandboxError> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(SandboxError::Listen)?;
    listener.set_nonblocking(true).map_err(SandboxError::Listen)?;
    let address = listener.local_addr().map_err(SandboxError::Listen)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SandboxError::Start)?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener).map_err(SandboxError::Start)?
    };
    let service = Service::new(organization, &conduct.into())?;
    let (stop, stopped) = oneshot::channel::<()>();
    let answering = server::answer_on(listener, service.clone(), std::future::pending());
    let serving = async move {
        tokio::select! {
            ended = answering => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the sandbox stopped");
                }
            }
            // Either way the owner is gone.
            _ = stopped => {}
        }
    };
    let thread = std::thread::Builder::new()
        .name("sandbox".into())
        .spawn(move || runtime.block_on(serving))
        .map_err(SandboxError::Start)?;
    Ok(Running { address, service, stop: Some(stop), thread: Some(thread) })
}

/// A sandbox in this process; dropping it ends it.
pub struct Running {
    address: SocketAddr,
    service: Service,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// `http://127.0.0.1:<port>`, for the endpoint setting of an SDK.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls that it has had, refused ones included.
    pub fn calls(&self) -> CallCounts {
        self.service.desk.calls()
    }

    /// When each of them came, the oldest first; the log is bounded to the latest 200,000.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.service.desk.arrivals().0
    }

    /// Counts calls from zero again, and forgets when they came.
    pub fn reset_calls(&self) {
        self.service.desk.reset_calls();
    }

    /// How much there is of everything now.
    pub fn counts(&self) -> Counts {
        self.service.desk.counts()
    }

    /// Puts other faults in force, in place of all before; [`Faults::default`] ends them all. Calls that wait for a
    /// hold which is not among them go on; a hold that stays keeps its count, everything else counts anew.
    pub fn set_faults(&self, faults: Faults) -> Result<(), BadFaults> {
        self.service.set_faults(faults)
    }

    /// The faults in force.
    pub fn faults(&self) -> Faults {
        self.service.desk.faults()
    }

    /// Adds a hold to the faults in force, and leaves the others and their counts alone. It counts calls from now on.
    pub fn hold(&self, hold: Rule) -> Result<(), BadFaults> {
        self.service.desk.add_hold(hold)
    }

    /// The calls that wait under a hold now, in the order in which they came to wait.
    pub fn waiting(&self) -> Vec<Waiting> {
        self.service.room.waiting()
    }

    /// Blocks this thread until `calls` wait at once, at the most for `patience`; whether they did.
    #[must_use]
    pub fn wait_for_held(&self, calls: usize, patience: Duration) -> bool {
        self.service.room.wait_for(calls, patience)
    }

    /// Lets calls go on that wait, those first that came first: of the operations that `pattern` means (`*`: of all),
    /// and `most` at the most. How many went on.
    pub fn release(&self, pattern: &str, most: Option<usize>) -> usize {
        self.service.room.release(pattern, most)
    }
}

impl fmt::Debug for Running {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Running").field("address", &self.address).finish_non_exhaustive()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
