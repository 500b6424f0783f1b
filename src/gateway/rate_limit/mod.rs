//! The rate limiter: an [`IdentityCenterApi`] that wraps another one, delays its calls and retries them.
//!
//! Guarantee: all processes of a host together never exceed the configured rate, and use all of it if they have enough
//! calls. Background work leaves a share to foreground calls, a retry-after of AWS applies to every process, and only
//! safe calls are retried: a change is not, if AWS may have made it.

mod limiter;
mod shared_state;
#[cfg(test)]
mod tests;
mod timer;
mod waits;

use super::api::Api;
use super::api::GetCall;
use super::api::IdentityCenterApi;
use super::api::InstanceTarget;
use super::api::ListCall;
use super::api::Page;
use super::api::api_of;
use super::api::operation_words;
use super::error::Again;
use super::error::GatewayError;
use super::mutation::Mutation;
use crate::clock::UnixMicros;
use crate::config::RateLimitConfig;
use crate::gateway::waiting;
use crate::http;
use crate::progress::Calls;
use crate::secure_fs::Access;
use async_trait::async_trait;
use limiter::RateLimit;
use limiter::Slot;
use serde_json::Value;
use shared_state::LimiterTable;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
pub use timer::HostTime;
pub use timer::Time;
use waits::Waits;

/// The first pause before a repeated call; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The same after a conflict with an earlier change that is still propagating in AWS, which takes seconds.
const FIRST_PAUSE_OF_CONFLICT: Duration = Duration::from_secs(1);
/// The longest pause before a repeated call.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Up to this many calls of one command are a short read: two seconds of AWS's quota for sso-admin. Later calls are a
/// long walk, which leaves the background share to others.
const SHORT_READ: u64 = 40;
/// One attempt of a read may take 1/3 of the whole time, so that a hanging connection leaves time for retries.
const TRIES_IN_TIME: u32 = 3;

/// How calls are paced.
#[derive(Debug, Clone)]
pub struct PaceSettings {
    /// The rates, and the share of background work.
    pub pace: RateLimitConfig,
    /// The most attempts of one call; at least 1.
    pub max_attempts: u32,
    /// How long one call may take with its retries and the pauses between them; the time until its slot in the
    /// quota comes is not counted.
    pub operation_timeout: Duration,
    /// Whose quota it is where no instance is named: equal texts share one (region and endpoint or login, or the
    /// sandbox's name).
    pub space: String,
    /// The region, where a call that names an instance is metered by that: all logins of the host share the quota of an
    /// instance. `None` where `space` distinguishes instances.
    pub instances: Option<String>,
    /// Whether the calls come from a warm or a job, not from a user.
    pub background: bool,
    /// The most calls that may be sent in all, retries included.
    pub budget: Option<u64>,
    /// Who may use the database.
    pub access: Access,
}

/// An API client that keeps to the rate limit.
pub struct RateLimited {
    source: Arc<dyn IdentityCenterApi>,
    settings: PaceSettings,
    rows: LimiterTable,
    time: Arc<dyn Time>,
    calls: Mutex<Calls>,
    waits: Waits,
    /// Requested turns.
    turns: AtomicU64,
    /// Where background calls of this process queue, by row.
    queues: Mutex<HashMap<String, Arc<tokio::sync::Mutex<()>>>>,
}

/// What a call does to AWS.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Effect {
    /// It changes nothing and can be retried.
    Reads,
    /// It changes something: if AWS may have done it, it is not retried.
    Changes,
}

impl RateLimited {
    /// Paces `source` by the rows in `database` (`pace.db` in the state directory), or within this process alone.
    pub fn new(source: Arc<dyn IdentityCenterApi>, settings: PaceSettings, database: Option<PathBuf>) -> Self {
        Self {
            rows: LimiterTable::new(database, settings.access),
            source,
            settings,
            time: Arc::new(HostTime),
            calls: Mutex::default(),
            waits: Waits::default(),
            turns: AtomicU64::new(0),
            queues: Mutex::default(),
        }
    }

    /// The same with another time.
    #[must_use]
    pub fn with_time(self, time: Arc<dyn Time>) -> Self {
        Self { time, ..self }
    }

    /// The calls sent so far, retries included.
    pub fn calls(&self) -> Calls {
        self.counted().clone()
    }

    /// What the calls wait for at this moment, and for how long already.
    pub fn waits(&self) -> Option<String> {
        let (what, lasted) = self.waits.longest()?;
        let seconds = Duration::from_secs(lasted.as_secs());
        if seconds.is_zero() {
            Some(what)
        } else {
            Some(format!("{what}, for {}", crate::model::format_duration(seconds)))
        }
    }

    /// Sends a call when it has a slot, and retries it if that is safe and may help.
    async fn keep<T, F, A>(
        &self,
        operation: &'static str,
        target: Option<&InstanceTarget>,
        effect: Effect,
        call: F,
    ) -> Result<T, GatewayError>
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, GatewayError>> + Send,
        T: Send,
    {
        let (mut attempt, mut left) = (1, self.settings.operation_timeout);
        loop {
            self.within_budget(&self.counted())?;
            let mut begun = self.time.now();
            let ready = http::attempt(attempt, self.source.ready(operation));
            let (error, is_of_call) = match waiting::visible(|| "credentials".into(), ready).await {
                Ok(()) => {
                    left = left.saturating_sub(span(begun, self.time.now()));
                    let limit = format!("the rate limit of {}", operation_words(operation));
                    let wait = self.waits.begin(limit.clone());
                    let turn = self.turn(operation, target, effect, attempt, left);
                    begun = waiting::visible(|| limit.clone(), turn).await?;
                    drop(wait);
                    self.count(operation)?;
                    tracing::debug!(operation, attempt, at_us = begun, "a call leaves");
                    let aws = format!("AWS, {}", operation_words(operation));
                    let _wait = self.waits.begin(aws.clone());
                    let answer = self.in_time(operation, effect, left, http::attempt(attempt, call()));
                    match waiting::visible(|| aws.clone(), answer).await {
                        Ok(answer) => {
                            self.counted().unreachable = None;
                            return Ok(answer);
                        }
                        Err(error) => (error, true),
                    }
                }
                Err(error) => (error, false),
            };
            self.counted().unreachable = matches!(error, GatewayError::Unreachable { .. }).then(|| error.to_string());
            left = left.saturating_sub(span(begun, self.time.now()));
            let again = error.again();
            let error = match error {
                GatewayError::Throttled { operation: words, retry_after_ms, .. } => {
                    // A service that gives credentials has its own quota.
                    if is_of_call {
                        self.throttled(operation, target, retry_after_ms);
                    }
                    GatewayError::Throttled { operation: words, attempts: attempt, retry_after_ms }
                }
                other => other,
            };
            let harmless = again == Again::Always || (again == Again::Reads && effect == Effect::Reads);
            let first = match error {
                GatewayError::Conflict { .. } => FIRST_PAUSE_OF_CONFLICT,
                _ => FIRST_PAUSE,
            };
            let doubled = 1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX);
            let most = first.saturating_mul(doubled).min(LONGEST_PAUSE);
            let pause = most.mul_f64(self.time.random().clamp(0.0, 1.0));
            if !harmless || attempt >= self.settings.max_attempts || pause >= left {
                return Err(error);
            }
            tracing::debug!(operation, attempt, %error, "trying again");
            let next = format!("a pause before attempt {} of {}", attempt + 1, operation_words(operation));
            let _wait = self.waits.begin(next.clone());
            waiting::visible(|| next.clone(), self.time.sleep(pause)).await;
            left = left.saturating_sub(pause);
            attempt += 1;
        }
    }

    /// The answer, if it comes within the time for it. A change has the whole time: a caller that gives up on it does not know
    /// what it did.
    async fn in_time<T>(
        &self,
        operation: &str,
        effect: Effect,
        left: Duration,
        answer: impl Future<Output = Result<T, GatewayError>> + Send,
    ) -> Result<T, GatewayError> {
        let limit = match effect {
            Effect::Reads => left.min(self.settings.operation_timeout / TRIES_IN_TIME),
            Effect::Changes => left,
        };
        tokio::select! {
            biased;
            answer = answer => answer,
            () = self.time.sleep(limit) => Err(GatewayError::Unreachable {
                operation: operation_words(operation),
                detail: format!("no answer in time ({})", crate::model::format_duration(limit)),
                sent: true,
            }),
        }
    }

    /// Waits until a call of `operation` may leave: now, which is what comes back. A command at a terminal waits no longer than `patience` because AWS
    /// requested a pause.
    async fn turn(
        &self,
        operation: &str,
        target: Option<&InstanceTarget>,
        effect: Effect,
        attempt: u32,
        patience: Duration,
    ) -> Result<UnixMicros, GatewayError> {
        let Some((key, mut limit)) = self.limit(operation, target) else { return Ok(self.time.now()) };
        if effect == Effect::Reads && self.turns.fetch_add(1, Ordering::Relaxed) >= SHORT_READ {
            limit.background = Some(self.settings.pace.background_part());
        }
        let mut missed = 0;
        loop {
            let slot = if limit.background.is_some() {
                if !self.settings.background {
                    self.within_patience(operation, &key, attempt, patience)?;
                }
                self.background_slot(&key, limit, missed).await
            } else {
                let now = self.time.now();
                let taken = self.rows.change(&key, |row| {
                    let silence = micros(row.silence(now));
                    if silence > patience { Err(silence) } else { Ok(row.reserve(now, limit, missed)) }
                });
                match taken {
                    Ok(Ok(slot)) => slot,
                    Ok(Err(again)) => {
                        self.until(again).await;
                        continue;
                    }
                    Err(silence) => {
                        let retry_after_ms = Some(u64::try_from(silence.as_millis()).unwrap_or(u64::MAX));
                        let operation = operation_words(operation);
                        return Err(GatewayError::Throttled { operation, attempts: attempt, retry_after_ms });
                    }
                }
            };
            self.until(slot.at).await;
            let now = self.time.now();
            if self.rows.look(&key).silence(now) > 0 {
                continue;
            }
            if now <= slot.until || self.rows.change(&key, |row| row.pay(now, slot, limit)) {
                return Ok(now);
            }
            missed += 1;
        }
    }

    /// Refuses to wait at a terminal for longer than `patience` when AWS requests a pause.
    fn within_patience(
        &self,
        operation: &str,
        key: &str,
        attempts: u32,
        patience: Duration,
    ) -> Result<(), GatewayError> {
        let silence = micros(self.rows.look(key).silence(self.time.now()));
        if silence <= patience {
            return Ok(());
        }
        let retry_after_ms = Some(u64::try_from(silence.as_millis()).unwrap_or(u64::MAX));
        Err(GatewayError::Throttled { operation: operation_words(operation), attempts, retry_after_ms })
    }

    /// The next slot that background work may have. Callers of one row queue here, so that only one of a process asks.
    async fn background_slot(&self, key: &str, limit: RateLimit, missed: u32) -> Slot {
        let queue = Arc::clone(self.queues().entry(key.to_owned()).or_default());
        let _first = queue.lock().await;
        loop {
            let now = self.time.now();
            match self.rows.change(key, |row| row.reserve(now, limit, missed)) {
                Ok(slot) => return slot,
                Err(again) => self.until(again).await,
            }
        }
    }

    /// The row that a call is metered by, and its rate; `None` where there is no limit.
    fn limit(&self, operation: &str, target: Option<&InstanceTarget>) -> Option<(String, RateLimit)> {
        let pace = &self.settings.pace;
        let (family, rate) = match api_of(operation) {
            Api::IdentityStore => (operation, pace.identity_store_tps),
            Api::SsoAdmin => ("sso-admin", pace.sso_admin_tps),
            Api::Organizations => ("organizations", pace.organizations_tps),
            Api::Sts => return None,
        };
        let limit = RateLimit { rate, background: self.settings.background.then(|| pace.background_part()) };
        (rate.is_finite() && rate > 0.0).then(|| (format!("{}|{family}", self.whose(target)), limit))
    }

    /// Whose quota a call is metered by.
    fn whose(&self, target: Option<&InstanceTarget>) -> String {
        match (&self.settings.instances, target) {
            // The quota is that of the region where the calls are made.
            (Some(_), Some(target)) if !target.region.is_empty() => format!("{}|{}", target.region, target.instance),
            (Some(region), Some(target)) => format!("{region}|{}", target.instance),
            _ => self.settings.space.clone(),
        }
    }

    fn throttled(&self, operation: &str, target: Option<&InstanceTarget>, retry_after_ms: Option<u64>) {
        self.counted().throttled += 1;
        let Some((key, _)) = self.limit(operation, target) else { return };
        let wait = retry_after_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000));
        let now = self.time.now();
        self.rows.change(&key, |row| row.throttled(now, wait));
    }

    fn within_budget(&self, calls: &Calls) -> Result<(), GatewayError> {
        match self.settings.budget {
            Some(budget) if calls.total >= budget => Err(GatewayError::Budget { budget }),
            _ => Ok(()),
        }
    }

    fn count(&self, operation: &str) -> Result<(), GatewayError> {
        // Judged and counted under one lock: two calls cannot both be the last.
        let mut calls = self.counted();
        self.within_budget(&calls)?;
        calls.count(operation, false);
        Ok(())
    }

    fn counted(&self) -> MutexGuard<'_, Calls> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn queues(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<()>>>> {
        self.queues.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn until(&self, at: i64) {
        // A timer may wake too early. A clock that was set back meanwhile makes no call wait for the same time again.
        let mut wait = at.saturating_sub(self.time.now());
        while wait > 0 {
            self.time.sleep(micros(wait)).await;
            let left = at.saturating_sub(self.time.now());
            if left >= wait {
                return;
            }
            wait = left;
        }
    }
}

fn micros(count: i64) -> Duration {
    Duration::from_micros(count.max(0).unsigned_abs())
}

fn span(from: i64, to: i64) -> Duration {
    micros(to.saturating_sub(from))
}

#[async_trait]
impl IdentityCenterApi for RateLimited {
    async fn ready(&self, operation: &str) -> Result<(), GatewayError> {
        self.source.ready(operation).await
    }

    async fn page(
        &self,
        target: Option<&InstanceTarget>,
        listing: &ListCall,
        token: Option<&str>,
    ) -> Result<Page, GatewayError> {
        self.keep(listing.operation(), target, Effect::Reads, || self.source.page(target, listing, token)).await
    }

    async fn fetch(&self, target: Option<&InstanceTarget>, single: &GetCall) -> Result<Value, GatewayError> {
        self.keep(single.operation(), target, Effect::Reads, || self.source.fetch(target, single)).await
    }

    async fn change(&self, target: &InstanceTarget, change: &Mutation) -> Result<Value, GatewayError> {
        self.keep(change.operation(), Some(target), Effect::Changes, || self.source.change(target, change)).await
    }
}
