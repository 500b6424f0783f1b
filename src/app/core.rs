//! The application as configured: settings, clock, directories, and the store and kill switch once they are read.
//!
//! Guarantee: nothing is opened here. Each family of operations is a separate struct that borrows this one.

use crate::app::error::AppError;
use crate::app::opened_store::OpenedStores;
use crate::app::sandbox::SandboxHost;
use crate::aws::{self, AwsEnvironment, Resolved};
use crate::clock::{Clock, SystemClock};
use crate::config::{Backend, Config, Loaded, Sharing};
use crate::model::Invocation;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::state::{self, StateDir, Switch};
use crate::store::KeyState;
use std::path::Path;
use std::sync::{Arc, OnceLock};

/// A configured awsideman, for one command, job run or daemon pass.
pub struct App {
    pub(super) loaded: Loaded,
    pub(super) environment: AwsEnvironment,
    pub(super) resolved: OnceLock<Resolved>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) access: Access,
    pub(super) sandbox: Option<Arc<SandboxHost>>,
    /// Why there is no usable home directory, and what to set; `None` if there is one.
    pub(super) homeless: Option<String>,
    pub(super) switch: OnceLock<(Switch, Option<String>)>,
    pub(super) stores: OpenedStores,
    pub(super) keys: OnceLock<KeyState>,
    /// Bytes of memory in front of the disk; 0 is none.
    pub(super) memory_tier: u64,
    pub(super) invocation: Invocation,
}

impl App {
    /// Creates an application from its configuration. Opens nothing.
    pub fn new(loaded: Loaded, sandbox: Option<Arc<SandboxHost>>) -> Result<App, AppError> {
        let access = match &loaded.config.cache.sharing {
            Sharing::Private => Access::Owner,
            Sharing::Group(name) => {
                Access::Group(secure_fs::group_id(name).ok_or_else(|| AppError::NoSuchGroup { name: name.clone() })?)
            }
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::moved_by(loaded.config.debug.clock_offset));
        Ok(App {
            loaded,
            environment: aws::environment(),
            resolved: OnceLock::new(),
            clock,
            access,
            sandbox,
            homeless: None,
            switch: OnceLock::new(),
            stores: OpenedStores::default(),
            keys: OnceLock::new(),
            memory_tier: 0,
            invocation: Invocation::default(),
        })
    }

    /// The same with `bytes` of memory in front of the disk, for a long-running process that reads often. Each use of an
    /// entry in memory is first compared with the invalidation log.
    #[must_use]
    pub fn with_memory_tier(self, bytes: u64) -> App {
        App { memory_tier: bytes, ..self }
    }

    /// The same without a usable home directory: health reports that.
    #[must_use]
    pub fn without_home(self, why: Option<String>) -> App {
        App { homeless: why, ..self }
    }

    /// The same with the flags of the call, for the commands in messages and on the status page.
    #[must_use]
    pub fn called_with(self, invocation: Invocation) -> App {
        App { invocation, ..self }
    }

    /// The flags for commands that messages and the status page name.
    pub fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    /// The same for another AWS profile, such as that of a job.
    pub fn with_profile(&self, profile: Option<&str>) -> Result<App, AppError> {
        let mut loaded = self.loaded.clone();
        if let Some(profile) = profile {
            loaded.config.profile = Some(profile.to_owned());
            loaded.origins.insert("profile".into(), "the job".into());
        }
        Ok(App::new(loaded, self.sandbox.clone())?.called_with(self.invocation.clone()))
    }

    /// The checked configuration.
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// The configuration with its origins.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The clock for every age, expiry and schedule.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Who may use the directories.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The state directory, as a handle that opens its files.
    pub fn state(&self) -> StateDir {
        StateDir::new(self.state_dir(), self.access, self.config().cache.busy_timeout)
    }

    /// The state directory.
    pub fn state_dir(&self) -> &Path {
        &self.loaded.config.state.dir
    }

    /// The cache directory.
    pub fn cache_dir(&self) -> &Path {
        &self.loaded.config.cache.dir
    }

    /// Whether this uses the built-in sandbox.
    pub fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// The built-in sandbox, if this uses it; another application may share it.
    pub fn sandbox_host(&self) -> Option<Arc<SandboxHost>> {
        self.sandbox.clone()
    }

    /// Whether entries are in the memory of this process only.
    pub fn is_memory(&self) -> bool {
        self.config().cache.backend == Backend::Memory
    }

    /// `state.db`, and a notice if a damaged one was replaced.
    pub fn database(&self) -> Result<(state::Database, Option<String>), state::StateError> {
        self.state().database(self.clock().now())
    }
}
