//! Warming for people and for jobs: what was wished for as a plan, and whether the cache has room for it.
//!
//! Neighbours: `gateway/warm.rs` warms and `gateway/plan.rs` counts, `works.rs` is the job, `cli/commands/warm.rs` the command. Promise:
//! `cache warm` and the warm job are one function; a warm that needs more room than there is says which setting to change.

use super::reading::{Asker, Reading, mebibytes};
use super::{App, AppError};
use crate::config::WarmTarget;
use crate::gateway::{GatewayError, Plan, Renew, WarmPlan, Warmed};
use crate::model::format_size;
use crate::report::Progress;
use crate::store::StoreError;
use serde::Serialize;

/// What is to be warmed and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Warming {
    /// What, in any order.
    pub targets: Vec<WarmTarget>,
    /// Which of it is asked for.
    pub renew: Renew,
    /// The most calls that may be made.
    pub budget: Option<u64>,
    /// Whether what another process is fetching is waited for.
    pub wait: bool,
    /// Whether the names of what changed are kept.
    pub names: bool,
}

impl Warming {
    /// These targets, without a budget.
    pub fn of(targets: &[WarmTarget], renew: Renew) -> Warming {
        Warming { targets: targets.to_vec(), renew, budget: None, wait: false, names: false }
    }
}

/// What a warm came to.
pub struct WarmDone {
    /// Target by target.
    pub targets: Vec<Warmed>,
    /// What ended it before its end.
    pub ended: Option<GatewayError>,
    /// Calls to AWS.
    pub calls: u64,
    /// What it found about the cache: that there is not enough room.
    pub findings: Vec<Shortage>,
}

/// Something that a setting should be changed for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shortage {
    /// What is so, as a sentence without its full stop.
    pub message: String,
    /// The configuration key to change.
    pub setting: &'static str,
    /// What to set it to.
    pub value: u64,
}

impl App {
    /// Warms the cache: the whole of `cache warm` and, but for its record, of the warm job.
    pub async fn warm(&self, wish: &Warming, progress: &dyn Progress) -> Result<WarmDone, AppError> {
        let (reading, plan) = self.warming(wish)?;
        let (targets, ended) = reading.gateway.warm(&plan, progress).await;
        for fault in reading.gateway.take_faults() {
            progress.notice(&format!("the cache could not store everything: {fault}"));
        }
        let held = self.store()?.size().unwrap_or_default();
        Ok(WarmDone { targets, ended, calls: reading.calls().total, findings: self.room_for(held.held, held.entries) })
    }

    /// What that would cost, and what is in its way.
    pub async fn plan_warm(&self, wish: &Warming, progress: &dyn Progress) -> Result<(Plan, Vec<Shortage>), AppError> {
        let (reading, plan) = self.warming(wish)?;
        let plan = reading.gateway.plan(&plan, progress).await?;
        let findings = self.room_for(plan.bytes, plan.entries);
        Ok((plan, findings))
    }

    pub(super) fn warming(&self, wish: &Warming) -> Result<(Reading, WarmPlan), AppError> {
        // A store that cannot be opened cannot be warmed: here the cache is what the command is about.
        self.store()?;
        if let (Some(problem), false) = (self.key_problem(), self.is_memory()) {
            return Err(StoreError::Key(problem.to_owned()).into());
        }
        let plan = WarmPlan {
            targets: wish.targets.clone(),
            renew: wish.renew,
            thrifty: wish.budget.is_some(),
            wait: wish.wait,
            names: wish.names,
        };
        Ok((self.reading(Asker::Background { budget: wish.budget }), plan))
    }

    /// Why a warm would be of no use; `None` when it would be.
    pub fn warm_is_useless(&self) -> Option<String> {
        if let Some(disabled) = self.disabled() {
            let reason = disabled.reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
            return Some(format!("the cache is disabled{reason}"));
        }
        self.is_memory().then(|| "cache.backend is memory: what is warmed would end with this process".into())
    }

    /// What to change so that so many bytes and entries have room.
    fn room_for(&self, bytes: u64, entries: u64) -> Vec<Shortage> {
        let cache = &self.config().cache;
        let mut findings = Vec::new();
        let limit = mebibytes(cache.max_size_mb);
        if limit > 0 && bytes > limit {
            // A quarter more than that: an organisation grows, and other answers want room too.
            let value = (bytes + bytes / 4).div_ceil(1024 * 1024);
            let message = format!(
                "this takes {} and cache.max_size_mb allows {}: what was used least would be evicted again",
                format_size(bytes),
                format_size(limit)
            );
            findings.push(Shortage { message, setting: "cache.max_size_mb", value });
        }
        if cache.max_entries > 0 && entries > cache.max_entries {
            let message = format!("this makes {entries} entries and cache.max_entries allows {}", cache.max_entries);
            findings.push(Shortage { message, setting: "cache.max_entries", value: entries + entries / 4 });
        }
        findings
    }
}
