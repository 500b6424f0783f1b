//! The application layer: the only module that connects the others.
//!
//! Guarantee: nothing is opened before it is needed. A cached answer touches the configuration, the kill switch, the cache and
//! the lookup log, but neither `state.db` nor the AWS SDK.

mod account;
mod alerting;
mod archive;
mod breaker;
mod breaker_memory;
mod core;
mod dashboard;
mod digest;
mod directories;
mod doctor;
mod encryption;
mod encryption_keys;
mod error;
mod health_inputs;
mod health_states;
mod init;
mod inspect;
mod integrity;
mod invalidate;
mod invalidation_targets;
mod job_files;
mod job_handlers;
mod job_outcome;
mod job_pass;
mod kill_switch;
mod lazy_api;
mod limits;
mod log_settings;
mod maintenance;
mod naming;
mod opened_store;
mod passive_checks;
mod ping;
mod reading;
mod recovery;
mod recovery_turn;
mod sandbox;
mod self_test;
mod stack;
mod state_reader;
mod status;
mod usage;
mod usage_samples;
mod verify;
mod warm;
mod watched;

pub use self::core::App;
pub use account::AwsAccount;
pub use alerting::{Alerting, delivery};
pub use archive::Archive;
pub use breaker::{BreakerAdmin, BreakerReset};
pub use breaker_memory::BreakerMemory;
pub use dashboard::{
    CallsReport, Dashboard, DashboardProblem, HourReport, Limits, Lookups, OverallState, Overview, SampleReport,
    UsageHistory,
};
pub use directories::unwritable;
pub use doctor::{Check, CheckLevel, Doctor};
pub use encryption::{EncryptionAdmin, EncryptionStatus, KeyReport, RekeySummary};
pub use encryption_keys::EncryptionKeys;
pub use error::AppError;
pub use health_inputs::{HealthInputs, Measured};
pub use init::{InitReport, InitStep, Initializer};
pub use inspect::{EvictionReport, Inspected, Inspector, Invalidation, Reasons};
pub use integrity::{CheckReport, Integrity, IntegrityCheck, Verification};
pub use invalidate::{Invalidated, Invalidator};
pub use invalidation_targets::InvalidationTargets;
pub use job_files::JobFiles;
pub use job_outcome::{left_out, not_kept};
pub use job_pass::{JobRunner, RunDone};
pub use kill_switch::KillSwitch;
pub use limits::{Bounds, CacheLimits, LimitUse};
pub use log_settings::log_settings;
pub use maintenance::{Cleared, Maintenance, Scope};
pub use naming::{NameResolver, is_stored};
pub use passive_checks::PassiveChecks;
pub use reading::{Caller, GatewayBuilder, Reading};
pub use recovery::{Recovered, Recovery, RecoveryRequest, SetAside};
pub use sandbox::{SandboxHost, sandbox_sources};
pub use self_test::{SelfTest, SelfTestStep, SelfTester};
pub use stack::StoreStack;
pub use state_reader::StateReader;
pub use status::{Detail, MemoryReport, Status, StatusReader};
pub use usage::{RecentEntry, ResourceReport};
pub use verify::{EntryVerifier, VerifyRequest};
pub use warm::{CacheWarmer, Shortage, WarmDone, WarmRequest};
