//! The application layer: the only module that connects the others.
//!
//! Guarantee: nothing is opened before it is needed. A cached answer touches the configuration, the kill switch, the cache and
//! the lookup log, but neither `state.db` nor the AWS SDK.

mod alerting;
mod archive;
mod breaker;
mod compare;
mod dashboard;
mod digest;
mod directories;
mod doctor;
mod encryption;
mod error;
mod health_inputs;
mod health_states;
mod init;
mod inspect;
mod integrity;
mod invalidate;
mod invalidation_targets;
mod job_handlers;
mod job_outcome;
mod job_pass;
mod lazy_api;
mod limits;
mod maintenance;
mod naming;
mod passive_checks;
mod ping;
mod recovery;
mod recovery_turn;
mod sandbox;
mod self_test;
mod stack;
mod status;
mod usage;
mod usage_samples;
mod verify;
mod warm;
mod watched;

pub use breaker::BreakerReset;
pub use compare::VerifyRequest;
pub use dashboard::CallsReport;
pub use dashboard::DashboardProblem;
pub use dashboard::HourReport;
pub use dashboard::Limits;
pub use dashboard::Lookups;
pub use dashboard::OverallState;
pub use dashboard::Overview;
pub use dashboard::SampleReport;
pub use dashboard::UsageHistory;
pub use directories::unwritable;
pub use doctor::{Check, CheckLevel};
pub use encryption::{EncryptionStatus, KeyReport, Resealed};
pub use error::AppError;
pub use health_inputs::Measured;
pub use init::InitStep;
pub use init::Initialised;
pub use inspect::{Departure, Inspected, Invalidation, Reasons};
pub use integrity::Checkup;
pub use integrity::IntegrityCheck;
pub use integrity::Verification;
pub use invalidate::Invalidated;
pub use job_outcome::left_out;
pub use job_outcome::not_kept;
pub use job_pass::RunDone;
pub use limits::{Bounds, LimitUse};
pub use maintenance::Cleared;
pub use maintenance::Scope;
pub use naming::NameResolver;
pub use recovery::{Recovered, Recovery, SetAside};
pub use sandbox::SandboxHost;
pub use sandbox::sandbox_sources;
pub use self_test::SelfTest;
pub use self_test::SelfTestStep;
pub use stack::Caller;
pub use stack::Reading;
pub use status::{Detail, MemoryReport, RecentEntry, ResourceReport, Status};
pub use warm::Shortage;
pub use warm::WarmDone;
pub use warm::Warming;

use crate::aws::{self, AwsEnvironment, AwsService, AwsSettings, Resolved};
use crate::clock::{Clock, SystemClock};
use crate::config::{self, Backend, Config, Loaded, LogLevel, Sharing};
use crate::gateway::Selection;
use crate::health;
use crate::host;
use crate::log::{LevelFilter, LineFormat, LogSettings};
use crate::model::Invocation;
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::state::{Disabled, PersistedBreaker, StateDir, Switch};
use crate::store::{KeyState, Store, StoreFault};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock};

/// A configured awsideman: one command's, one job run's or one daemon pass's.
pub struct App {
    loaded: Loaded,
    environment: AwsEnvironment,
    resolved: OnceLock<Resolved>,
    clock: Arc<dyn Clock>,
    access: Access,
    sandbox: Option<Arc<SandboxHost>>,
    /// Why there is no usable home directory, and what to set; `None` when there is one.
    homeless: Option<String>,
    switch: OnceLock<(Switch, Option<String>)>,
    opened: OnceLock<OpenedStore>,
    /// The store of a second try, where the first left a command without one.
    insisted: OnceLock<OpenedStore>,
    /// The breaker's mark since the store could not be opened for a program that stays.
    unopened: Mutex<Option<PersistedBreaker>>,
    ring: OnceLock<KeyState>,
    /// Bytes of memory in front of the disk; 0 is none.
    memory_tier: u64,
    /// The flags of the commands that messages and the status page name.
    invocation: Invocation,
}

/// The store as far as it could be opened.
#[derive(Clone)]
struct OpenedStore {
    store: Arc<dyn Store>,
    breaker: Option<Arc<stack::DiskBreaker>>,
    /// Where it could not be opened: the breaker's mark with that failure in it.
    failed: Option<PersistedBreaker>,
    problem: Option<String>,
    /// The kind of that problem.
    fault: Option<StoreFault>,
    /// Whether what is stored is damaged, so that only a new cache helps.
    is_damaged: bool,
    /// Whether it is the encryption key that cannot be used.
    is_locked: bool,
}

impl App {
    /// Joins what was loaded. Opens nothing.
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
            opened: OnceLock::new(),
            insisted: OnceLock::new(),
            unopened: Mutex::new(None),
            ring: OnceLock::new(),
            memory_tier: 0,
            invocation: Invocation::default(),
        })
    }

    /// The same for a process that lives long and reads much: answers are kept in at most so many bytes of memory in
    /// front of the disk, and compared with its log before each use. A one-shot command gains nothing by it.
    #[must_use]
    pub fn with_memory_tier(self, bytes: u64) -> App {
        App { memory_tier: bytes, ..self }
    }

    /// The same without a usable home directory: health reports that.
    #[must_use]
    pub fn without_home(self, why: Option<String>) -> App {
        App { homeless: why, ..self }
    }

    /// The same for a call: the commands in messages and on the status page get its flags.
    #[must_use]
    pub fn called_with(self, invocation: Invocation) -> App {
        App { invocation, ..self }
    }

    /// These findings with the flags of the call in their commands.
    fn copyable(&self, mut findings: Vec<health::Finding>) -> Vec<health::Finding> {
        for finding in &mut findings {
            finding.hint = self.invocation.copyable(&finding.hint).into_owned();
        }
        findings
    }

    /// The flags of the commands that messages and the status page name.
    pub fn invocation(&self) -> &Invocation {
        &self.invocation
    }

    /// The same for another AWS profile (a job's).
    pub fn with_profile(&self, profile: Option<&str>) -> Result<App, AppError> {
        let mut loaded = self.loaded.clone();
        if let Some(profile) = profile {
            loaded.config.profile = Some(profile.to_owned());
            loaded.origins.insert("profile".into(), "the job".into());
        }
        Ok(App::new(loaded, self.sandbox.clone())?.called_with(self.invocation.clone()))
    }

    /// The same with another configuration, for a process that stays. What is held in memory stays while the new one asks
    /// for the same memory.
    pub fn configured(&self, loaded: Loaded) -> Result<App, AppError> {
        let app = App::new(loaded, self.sandbox.clone())?;
        let memory = |app: &App| app.is_memory().then(|| (app.limit_bytes(), app.config().cache.max_entries));
        let same = memory(&app).is_some() && memory(&app) == memory(self);
        let opened = self.live().filter(|_| same).cloned().map(OnceLock::from).unwrap_or_default();
        Ok(App { opened, memory_tier: self.memory_tier, invocation: self.invocation.clone(), ..app })
    }

    /// The same as it would be joined now, for a process that stays: what was read of the switch is read again.
    pub fn anew(&self) -> Result<App, AppError> {
        self.configured(self.loaded.clone())
    }

    /// The checked configuration.
    pub fn config(&self) -> &Config {
        &self.loaded.config
    }

    /// The configuration with its origins.
    pub fn loaded(&self) -> &Loaded {
        &self.loaded
    }

    /// The clock that everything is judged by.
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Who may use the directories.
    pub fn access(&self) -> Access {
        self.access
    }

    /// The state directory, as a value that opens things.
    pub fn state(&self) -> StateDir {
        StateDir::new(self.state_dir(), self.access, self.config().cache.busy_timeout)
    }

    /// The same for a change in AWS: root records it for the owner of the directory.
    pub(super) fn state_to_change(&self) -> StateDir {
        StateDir::new(self.state_dir(), self.access.to_change(self.state_dir()), self.config().cache.busy_timeout)
    }

    /// The state directory.
    pub fn state_dir(&self) -> &Path {
        &self.loaded.config.state.dir
    }

    /// The cache directory.
    pub fn cache_dir(&self) -> &Path {
        &self.loaded.config.cache.dir
    }

    /// Whether this is the built-in sandbox.
    pub fn is_sandbox(&self) -> bool {
        self.sandbox.is_some()
    }

    /// The built-in sandbox, when this is it: another app may share it.
    pub fn sandbox_host(&self) -> Option<Arc<SandboxHost>> {
        self.sandbox.clone()
    }

    /// What selects an AWS account, a region and a way to it.
    pub fn aws_settings(&self) -> AwsSettings {
        let config = self.config();
        // The host's file is a default for all users; every other place is this user's own choice.
        let by_host =
            self.loaded.files.first().is_some_and(|(host, _)| *self.origin("profile") == *host.to_string_lossy());
        let (profile, default_profile) =
            if by_host { (None, config.profile.clone()) } else { (config.profile.clone(), None) };
        AwsSettings {
            profile,
            default_profile,
            region: config.region.clone(),
            endpoint_url: config.aws.endpoint_url.clone(),
            connect_timeout: config.aws.connect_timeout,
            operation_timeout: config.aws.operation_timeout,
            static_credentials: None,
        }
    }

    /// What selects the instance; nothing of AWS is asked.
    pub fn selection(&self) -> Selection {
        let wanted = self.config().aws.instance.clone();
        if let Some(sandbox) = &self.sandbox {
            return sandbox.selection(wanted);
        }
        Selection {
            fingerprint: aws::credential_fingerprint(&self.aws_settings(), &self.environment),
            region: self.aws().region().map(|region| region.value),
            endpoint: self.endpoint(),
            wanted,
            sso_region: self.aws().sso_region(),
        }
    }

    /// The profile, region and endpoints in use.
    pub(crate) fn aws(&self) -> &Resolved {
        self.resolved.get_or_init(|| aws::resolve(&self.aws_settings(), &self.environment))
    }

    /// The endpoints that are not AWS's own, as part of the space.
    fn endpoint(&self) -> Option<String> {
        let services = [AwsService::SsoAdmin, AwsService::IdentityStore, AwsService::Organizations];
        let found = services.map(|service| self.aws().endpoint(service).map(|endpoint| endpoint.value));
        let [first, others @ ..] = &found;
        if others.iter().all(|other| other == first) {
            return first.clone();
        }
        let named = services.into_iter().zip(found);
        let named = named.filter_map(|(service, url)| Some(format!("{}={}", service.key(), url?)));
        Some(named.collect::<Vec<_>>().join(" "))
    }

    /// The switch, and what is wrong with it.
    pub fn switch(&self) -> &(Switch, Option<String>) {
        self.switch.get_or_init(|| self.switch_now())
    }

    /// The switch as it is now. What was set while the clock was ahead is dated by the right clock first, so that it ends.
    fn switch_now(&self) -> (Switch, Option<String>) {
        let (switch, problem) = self.state().switch();
        let now = self.clock.now();
        if !switch.is_ahead(now) {
            return (switch, problem);
        }
        match self.state().correct_switch_clock(now) {
            Ok(corrected) => (corrected, problem),
            Err(error) => {
                tracing::warn!(%error, "the kill switch was set while the clock was ahead, and its date cannot be corrected");
                (switch, problem)
            }
        }
    }

    /// Who disabled the cache: the switch, or the configuration (without an end).
    pub fn disabled(&self) -> Option<Disabled> {
        self.disabled_by(&self.switch().0)
    }

    /// The same, and the switch is read again: for a process that stays.
    pub fn disabled_now(&self) -> Option<Disabled> {
        self.disabled_by(&self.switch_now().0)
    }

    fn disabled_by(&self, switch: &Switch) -> Option<Disabled> {
        let now = self.clock.now();
        let by_configuration = || {
            self.config().cache.disabled.then(|| {
                let origin = self.loaded.origins.get("cache.disabled").map_or("the configuration", String::as_str);
                Disabled {
                    since: now,
                    until: i64::MAX,
                    reason: Some(format!("set by {origin}")),
                    by: origin.to_owned(),
                }
            })
        };
        switch.disabled(now).cloned().or_else(by_configuration)
    }

    /// Where and how this process keeps its log.
    pub fn log_settings(&self) -> LogSettings {
        let config = &self.config().log;
        let level = match config.level {
            LogLevel::Off => LevelFilter::OFF,
            LogLevel::Error => LevelFilter::ERROR,
            LogLevel::Warn => LevelFilter::WARN,
            LogLevel::Info => LevelFilter::INFO,
            LogLevel::Debug => LevelFilter::DEBUG,
        };
        let format = match config.format {
            config::LogFormat::Text => LineFormat::Text,
            config::LogFormat::Json => LineFormat::Json,
        };
        let own = self.state_dir().join("awsideman.log");
        let host = || host::is_root().then(|| PathBuf::from("/var/log/awsideman.log"));
        let host = config.file.is_none().then(host).flatten();
        let create = host.is_some();
        let path = host.or_else(|| config.file.clone()).unwrap_or_else(|| own.clone());
        let directory = (path.parent() == Some(self.state_dir())).then(|| self.state_dir().to_owned());
        LogSettings { path, directory, create, access: self.access(), level, format }
    }

    /// Whether entries are kept by this process alone.
    pub fn is_memory(&self) -> bool {
        self.config().cache.backend == Backend::Memory
    }

    /// Where long answers are spooled: a directory of ours, or the system's own when there is none yet.
    ///
    /// Where entries are sealed, what is on its way to them stays in memory as long as the host has a place for that.
    pub fn spool_dir(&self) -> PathBuf {
        let memory = Path::new("/dev/shm");
        if self.config().cache.encryption.enabled && memory.is_dir() {
            return memory.to_owned();
        }
        for directory in [self.cache_dir(), self.state_dir()] {
            if directory.is_dir() {
                return directory.to_owned();
            }
        }
        std::env::temp_dir()
    }
}
