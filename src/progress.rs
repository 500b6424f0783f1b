//! Progress, notices and counters as values.
//!
//! No room prints, and no room keeps a global.

use serde::Serialize;
use std::collections::BTreeMap;

/// Receives what long work says while it runs. Every method may be called from any thread.
pub trait Progress: Send + Sync {
    /// A stretch of work called `what` begins; `total` steps if the number is known.
    fn started(&self, what: &str, total: Option<u64>);
    /// So many steps of `what` are done a second at most, because of a quota.
    fn paced(&self, _what: &str, _a_second: f64) {}
    /// `what` is `by` steps further.
    fn advanced(&self, what: &str, by: u64);
    /// The calls to AWS so far, and the current wait; about once a second.
    fn counted(&self, _calls: u64, _waits_for: Option<&str>) {}
    /// One line that a person should read, now or at the end.
    fn notice(&self, text: &str);
    /// `what` is done.
    fn finished(&self, what: &str);
}

/// Discards progress.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoProgress;

impl Progress for NoProgress {
    fn started(&self, _: &str, _: Option<u64>) {}
    fn advanced(&self, _: &str, _: u64) {}
    fn notice(&self, _: &str) {}
    fn finished(&self, _: &str) {}
}

/// AWS calls made, by operation (`AWSIdentityStore.ListUsers`), throttled answers and the time they took apart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Calls {
    /// Calls sent, retries included.
    pub total: u64,
    /// Calls that AWS refused because of its quota.
    pub throttled: u64,
    /// Calls sent by operation.
    pub by_operation: BTreeMap<String, u64>,
    /// Why AWS could not be reached by the last call; `None` after one that AWS answered.
    #[serde(skip)]
    pub unreachable: Option<String>,
}

impl Calls {
    /// Counts one call of `operation`.
    pub fn count(&mut self, operation: &str, throttled: bool) {
        self.total += 1;
        self.throttled += u64::from(throttled);
        *self.by_operation.entry(operation.to_owned()).or_default() += 1;
    }

    /// Adds another's counts to these.
    pub fn add(&mut self, other: &Calls) {
        self.total += other.total;
        self.throttled += other.throttled;
        self.unreachable.clone_from(&other.unreachable);
        for (operation, n) in &other.by_operation {
            *self.by_operation.entry(operation.clone()).or_default() += n;
        }
    }
}

/// One target that could not be read, and why; the rest of a walk continues without it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TargetFailure {
    /// What was asked for, in the reader's terms (`assignments of account 123456789012`).
    pub target: String,
    /// The error as one sentence.
    pub error: String,
    /// What to do about it, when we know.
    pub hint: Option<String>,
    /// The exit code of a command that ends with this error alone.
    #[serde(skip)]
    pub code: u8,
    /// The call, if AWS denied it.
    #[serde(skip)]
    pub denied: Option<Denied>,
}

/// A call that AWS denied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Denied {
    /// `sso-admin ListAccountAssignments`
    pub operation: String,
    /// AWS's message.
    pub detail: String,
}
