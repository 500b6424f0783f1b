//! Keeping to AWS's quota: a [`Source`] in front of another that says when each call leaves, and tries again.
//!
//! Neighbours: `row.rs` has the rules of the rate, `rows.rs` shares them among all processes; `aws/` is what is
//! usually behind. Promise: all processes of a host together never exceed the configured rate, background work
//! leaves its share to others, AWS's "come back later" holds for everyone, and only what may be repeated is.

mod row;
mod rows;
#[cfg(test)]
mod tests;

use super::{Api, Change, GatewayError, Listing, Page, Single, Source, Target, api_of, operation_words};
use crate::clock::{Clock, SystemClock, UnixMillis};
use crate::config::Pace;
use crate::private::Access;
use crate::report::Calls;
use async_trait::async_trait;
use row::{Limit, Slot};
use rows::Rows;
use serde_json::Value;
use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// The first pause before a repeated call; each further one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(250);
/// The longest pause before a repeated call.
const LONGEST_PAUSE: Duration = Duration::from_secs(20);
/// Nobody waits at a terminal for longer than this because AWS asked for silence.
const PATIENCE: Duration = Duration::from_secs(60);

/// Time, waiting and chance, so that a test can do without all three.
#[async_trait]
pub trait Time: Send + Sync {
    /// The current time.
    fn now(&self) -> UnixMillis;
    /// Waits.
    async fn sleep(&self, time: Duration);
    /// A number from 0 to below 1, for the jitter.
    fn random(&self) -> f64;
}

/// The host's.
#[derive(Debug, Clone, Copy, Default)]
pub struct HostTime;

#[async_trait]
impl Time for HostTime {
    fn now(&self) -> UnixMillis {
        SystemClock::default().now()
    }

    async fn sleep(&self, time: Duration) {
        tokio::time::sleep(time).await;
    }

    fn random(&self) -> f64 {
        fastrand::f64()
    }
}

/// How calls are paced.
#[derive(Debug, Clone)]
pub struct PaceSettings {
    /// The rates, and the share of background work.
    pub pace: Pace,
    /// How often one call is tried in all; at least once.
    pub max_attempts: u32,
    /// Whose quota it is: equal texts share one (region and endpoint, or the sandbox's name).
    pub space: String,
    /// Whether a warm or a job asks, and not a person.
    pub background: bool,
    /// The most calls that may be sent in all, retries included.
    pub budget: Option<u64>,
    /// Who may use the database.
    pub access: Access,
}

/// A source that keeps to the pace.
pub struct Paced {
    source: Arc<dyn Source>,
    settings: PaceSettings,
    rows: Rows,
    time: Arc<dyn Time>,
    calls: Mutex<Calls>,
    /// Slots that this process has reserved ahead, by row.
    reserved: Mutex<HashMap<String, Arc<tokio::sync::Mutex<Reserved>>>>,
    /// Throttles seen: slots from before one are void.
    throttles: AtomicU64,
}

#[derive(Debug, Default)]
struct Reserved {
    slots: VecDeque<Slot>,
    throttles: u64,
}

impl Paced {
    /// Paces `source` by the rows in `database` (`pace.db` in the state directory), or within this process alone.
    pub fn new(source: Arc<dyn Source>, settings: PaceSettings, database: Option<PathBuf>) -> Self {
        Self {
            rows: Rows::new(database, settings.access),
            source,
            settings,
            time: Arc::new(HostTime),
            calls: Mutex::default(),
            reserved: Mutex::default(),
            throttles: AtomicU64::new(0),
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

    /// Sends a call when its turn has come, and again where that may help.
    async fn keep<T, F, A>(&self, operation: &'static str, call: F) -> Result<T, GatewayError>
    where
        F: Fn() -> A + Send + Sync,
        A: Future<Output = Result<T, GatewayError>> + Send,
        T: Send,
    {
        let mut attempt = 1;
        loop {
            self.within_budget(&self.counted())?;
            self.turn(operation, attempt).await?;
            self.count(operation)?;
            let error = match call().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let last = attempt >= self.settings.max_attempts;
            let error = match error {
                GatewayError::Throttled { operation: words, retry_after_ms, .. } => {
                    self.throttled(operation, retry_after_ms);
                    GatewayError::Throttled { operation: words, attempts: attempt, retry_after_ms }
                }
                other => other,
            };
            if last || !error.is_temporary() {
                return Err(error);
            }
            tracing::debug!(operation, attempt, %error, "trying again");
            let most =
                FIRST_PAUSE.saturating_mul(1_u32.checked_shl(attempt - 1).unwrap_or(u32::MAX)).min(LONGEST_PAUSE);
            self.time.sleep(most.mul_f64(self.time.random().clamp(0.0, 1.0))).await;
            attempt += 1;
        }
    }

    /// Waits until a call of `operation` may leave.
    async fn turn(&self, operation: &str, attempt: u32) -> Result<(), GatewayError> {
        let Some((key, limit)) = self.limit(operation) else { return Ok(()) };
        let slot = if limit.background.is_some() {
            self.background_slot(&key, limit).await
        } else {
            let now = self.now();
            let (silent, taken) = self.rows.change(&key, |row| {
                let silent = Duration::from_micros((row.silent_until(now) - now).max(0).unsigned_abs());
                (silent, if silent > PATIENCE { Err(now) } else { row.reserve(now, limit) })
            });
            let Some(slot) = taken.ok().and_then(|slots| slots.first().copied()) else {
                let retry_after_ms = Some(u64::try_from(silent.as_millis()).unwrap_or(u64::MAX));
                let operation = operation_words(operation);
                return Err(GatewayError::Throttled { operation, attempts: attempt, retry_after_ms });
            };
            slot
        };
        self.until(slot.at).await;
        Ok(())
    }

    /// The next of the slots that this process holds, or of new ones. Callers of one row queue here.
    async fn background_slot(&self, key: &str, limit: Limit) -> Slot {
        let queue = Arc::clone(self.queues().entry(key.to_owned()).or_default());
        let mut held = queue.lock().await;
        loop {
            let (now, throttles) = (self.now(), self.throttles.load(Ordering::SeqCst));
            if held.throttles != throttles {
                *held = Reserved { slots: VecDeque::new(), throttles };
            }
            while let Some(slot) = held.slots.pop_front() {
                if now <= slot.until.max(slot.at) {
                    return slot;
                }
            }
            match self.rows.change(key, |row| row.reserve(now, limit)) {
                Ok(slots) => held.slots.extend(slots),
                Err(again) => self.until(again).await,
            }
        }
    }

    /// The row that a call is metered by, and its rate; `None` where there is no limit.
    fn limit(&self, operation: &str) -> Option<(String, Limit)> {
        let (pace, space) = (&self.settings.pace, &self.settings.space);
        let (family, rate) = match api_of(operation) {
            Api::IdentityStore => (operation, pace.identity_store_tps),
            Api::SsoAdmin => ("sso-admin", pace.sso_admin_tps),
            Api::Organizations => ("organizations", pace.organizations_tps),
            Api::Sts => return None,
        };
        let share = (pace.background_share / 100.0).clamp(0.01, 1.0);
        let limit = Limit { rate, background: self.settings.background.then_some(share) };
        (rate.is_finite() && rate > 0.0).then(|| (format!("{space}|{family}"), limit))
    }

    fn throttled(&self, operation: &str, retry_after_ms: Option<u64>) {
        self.counted().throttled += 1;
        self.throttles.fetch_add(1, Ordering::SeqCst);
        let Some((key, _)) = self.limit(operation) else { return };
        let wait = retry_after_ms.map(|ms| i64::try_from(ms).unwrap_or(i64::MAX).saturating_mul(1000));
        let now = self.now();
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

    fn queues(&self) -> MutexGuard<'_, HashMap<String, Arc<tokio::sync::Mutex<Reserved>>>> {
        self.reserved.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> i64 {
        self.time.now().saturating_mul(1000)
    }

    async fn until(&self, at: i64) {
        let wait = at - self.now();
        if wait > 0 {
            self.time.sleep(Duration::from_micros(wait.unsigned_abs())).await;
        }
    }
}

#[async_trait]
impl Source for Paced {
    async fn page(
        &self,
        target: Option<&Target>,
        listing: &Listing,
        token: Option<&str>,
    ) -> Result<Page, GatewayError> {
        self.keep(listing.operation(), || self.source.page(target, listing, token)).await
    }

    async fn fetch(&self, target: Option<&Target>, single: &Single) -> Result<Value, GatewayError> {
        self.keep(single.operation(), || self.source.fetch(target, single)).await
    }

    async fn change(&self, target: &Target, change: &Change) -> Result<Value, GatewayError> {
        // Sent once: whether a change whose answer was lost may be sent again is not for the pace to decide.
        self.within_budget(&self.counted())?;
        self.turn(change.operation(), 1).await?;
        self.count(change.operation())?;
        self.source.change(target, change).await
    }
}
