//! Warms the cache, for `cache warm` and the warm job: plans the requests and checks that the cache has room for them.
//!
//! If the cache is too small, the report names the setting to
//! change.

use crate::app::core::App;
use crate::app::encryption_keys::EncryptionKeys;
use crate::app::error::AppError;
use crate::app::kill_switch::KillSwitch;
use crate::app::limits::CacheLimits;
use crate::app::maintenance::Maintenance;
use crate::app::reading::{Caller, Reading};
use crate::config::WarmTarget;
use crate::gateway::{GatewayError, Renew, Room, WalkPlan, WarmPlan, Warmed};
use crate::jobs::Stop;
use crate::model::format_size;
use crate::progress::Progress;
use crate::store::StoreError;
use serde::Serialize;

/// A warm waits for changes at most this many times as long as one takes to settle.
const SETTLES: u32 = 3;

/// The targets and options of a warm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WarmRequest {
    /// The targets, in any order.
    pub targets: Vec<WarmTarget>,
    /// Which entries are renewed.
    pub renew: Renew,
    /// The most calls that may be made.
    pub budget: Option<u64>,
    /// Whether it waits for fences to lapse, and for processes that fetch the same entries.
    pub wait: bool,
    /// Whether the names of changed items are recorded.
    pub names: bool,
}

impl WarmRequest {
    /// These targets, without a budget.
    pub fn of(targets: &[WarmTarget], renew: Renew) -> WarmRequest {
        WarmRequest { targets: targets.to_vec(), renew, budget: None, wait: true, names: false }
    }
}

/// The result of a warm.
pub struct WarmDone {
    /// Target by target.
    pub targets: Vec<Warmed>,
    /// Why it ended early.
    pub ended: Option<GatewayError>,
    /// Calls to AWS.
    pub calls: u64,
    /// Single answers that had no room in the cache.
    pub dropped: u64,
    /// The limits of the cache that are too small.
    pub findings: Vec<Shortage>,
}

/// A limit that is too small, with the setting to change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shortage {
    /// The problem, as a sentence without a full stop.
    pub message: String,
    /// The configuration key to change.
    pub setting: &'static str,
    /// What to set it to.
    pub value: u64,
}

impl std::fmt::Display for Shortage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}; set {} to {}", self.message, self.setting, self.value)
    }
}

/// Warms the cache.
pub struct CacheWarmer<'a> {
    app: &'a App,
}

impl<'a> CacheWarmer<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> CacheWarmer<'a> {
        CacheWarmer { app }
    }

    /// Warms the cache: the whole of `cache warm` and, but for its record, of the warm job.
    /// After `stop` is set it ends with what it kept until then.
    pub async fn warm(
        &self,
        request: &WarmRequest,
        progress: &dyn Progress,
        stop: &Stop,
    ) -> Result<WarmDone, AppError> {
        let (mut reading, plan) = self.prepared(request)?;
        reading.gateway = reading.gateway.until(stop.subscribe());
        let (targets, ended) = reading.gateway.warmer().warm(&plan, progress).await;
        for fault in reading.gateway.take_faults() {
            progress.notice(&format!("the cache could not store everything: {fault}"));
        }
        let (dropped, findings) = self.within_limits(&reading)?;
        Ok(WarmDone { targets, ended, calls: reading.calls().total, dropped, findings })
    }

    /// After a warm: makes room when it took more than there is. How many answers it cost, and what to change so that
    /// all of them have room.
    pub(super) fn within_limits(&self, reading: &Reading) -> Result<(u64, Vec<Shortage>), AppError> {
        let (bounds, left_out) = (CacheLimits::new(self.app).bounds(), reading.gateway.left_out());
        let size = self.app.store()?.size()?;
        let is_over = |held: u64, limit: u64| limit > 0 && held > limit;
        let mut dropped = left_out.entries;
        if is_over(size.held, bounds.bytes) || is_over(size.entries, bounds.entries) {
            dropped += Maintenance::new(self.app).evict_single_answers()?.evicted;
        }
        let outcome = match dropped {
            0 => "what is used least is evicted again".to_owned(),
            n => format!("lists were kept and {n} single answers were not"),
        };
        Ok((dropped, self.shortages(size.held + left_out.bytes, size.entries + left_out.entries, &outcome)))
    }

    /// What that would cost, and what is in its way.
    pub async fn plan(
        &self,
        request: &WarmRequest,
        progress: &dyn Progress,
    ) -> Result<(WalkPlan, Vec<Shortage>), AppError> {
        let (reading, plan) = self.prepared(request)?;
        let plan = reading.gateway.planner().plan(&plan, progress).await?;
        let outcome = "lists are kept, single answers that have no room are not";
        let findings = self.shortages(plan.bytes, plan.entries, outcome);
        Ok((plan, findings))
    }

    pub(super) fn prepared(&self, request: &WarmRequest) -> Result<(Reading, WarmPlan), AppError> {
        // A store that cannot be opened cannot be warmed: here the cache is what the command is about.
        let store = self.app.store()?;
        if !store.stores() {
            // What will not be stored is not worth a call.
            store.sequence()?;
            return Err(StoreError::StoringPaused.into());
        }
        if let (Some(problem), false) = (EncryptionKeys::new(self.app).problem(), self.app.is_memory()) {
            return Err(StoreError::Key(problem.to_owned()).into());
        }
        let plan = WarmPlan {
            targets: request.targets.clone(),
            renew: request.renew,
            thrifty: request.budget.is_some(),
            patience: request.wait.then(|| self.app.config().cache.settle.saturating_mul(SETTLES)),
            names: request.names,
        };
        let mut reading = self.app.reading(Caller::Background { budget: request.budget });
        let bounds = CacheLimits::new(self.app).bounds();
        reading.gateway = reading.gateway.within(Room::of(bounds.bytes, bounds.entries));
        // Of an encrypted cache nothing is kept in plaintext, hashes included.
        if !self.app.config().cache.encryption.enabled {
            reading.gateway = reading.gateway.comparing_in(self.app.state_dir().join("warmed"), self.app.access());
        }
        Ok((reading, plan))
    }

    /// Why a warm would have no effect; `None` if it has one.
    pub fn useless_reason(&self) -> Option<String> {
        let memory = "cache.backend is memory: what is warmed would end with this process";
        KillSwitch::new(self.app).reason().or_else(|| self.app.is_memory().then(|| memory.to_owned()))
    }

    /// What to change so that so many bytes and entries have room.
    fn shortages(&self, bytes: u64, entries: u64, outcome: &str) -> Vec<Shortage> {
        let bounds = CacheLimits::new(self.app).bounds();
        let mut findings = Vec::new();
        // A quarter more than that: an organization grows, and other answers want room too.
        let more = |wanted: u64| wanted.saturating_add(wanted / 4);
        if bounds.bytes > 0 && bytes > bounds.bytes {
            let value = match bounds.setting {
                // As many percent as the present ones are of the present limit.
                "cache.max_disk_percent" => {
                    whole_percent(more(bytes), bounds.bytes, self.app.config().cache.max_disk_percent)
                }
                _ => more(bytes).div_ceil(1024 * 1024),
            };
            let message = format!(
                "this takes {} and {} allows {}: {outcome}",
                format_size(bytes),
                bounds.setting,
                format_size(bounds.bytes)
            );
            findings.push(Shortage { message, setting: bounds.setting, value });
        }
        if bounds.entries > 0 && entries > bounds.entries {
            let message =
                format!("this makes {entries} entries and cache.max_entries allows {}: {outcome}", bounds.entries);
            findings.push(Shortage { message, setting: "cache.max_entries", value: more(entries) });
        }
        findings
    }
}

/// The percentage for `wanted` where `percent` gives `now`.
#[expect(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a percentage, rounded up"
)]
fn whole_percent(wanted: u64, now: u64, percent: f64) -> u64 {
    (wanted as f64 / now as f64 * percent).ceil().min(100.0) as u64
}
