//! The report of a warm, target by target.

use super::patience::NotKept;
use super::round::Renewed;
use crate::config::WarmTarget;
use crate::gateway::diff::summary::ListDiff;
use crate::gateway::error::GatewayError;
use crate::progress::TargetFailure;
use serde::Serialize;
use std::sync::Arc;

/// What a warm did for one target.
#[derive(Debug, Clone, Serialize)]
pub struct Warmed {
    /// `users`, `permission-sets` ...
    pub target: &'static str,
    /// Answers asked of AWS and stored (a list counts as one).
    pub fetched: u64,
    /// Answers that were fresh enough.
    pub fresh: u64,
    /// Answers that another process was asking for.
    pub elsewhere: u64,
    /// Things in the lists that were fetched.
    pub items: u64,
    /// What is different from the warm before.
    pub changes: ListDiff,
    /// Answers that were not stored.
    pub not_kept: Vec<NotKept>,
    /// Answers that were left out, with the reason: of accounts that are not active, or denied by a policy.
    pub skipped: Vec<TargetFailure>,
    /// What could not be read.
    pub failures: Vec<TargetFailure>,
    /// Why the target was not finished, when it was not.
    pub stopped: Option<String>,
    /// The error behind `stopped`, when the warm went on with the next target.
    #[serde(skip)]
    pub cause: Option<Arc<GatewayError>>,
}

impl Warmed {
    /// Nothing done yet.
    pub fn new(target: WarmTarget) -> Warmed {
        Warmed {
            target: target.as_str(),
            fetched: 0,
            fresh: 0,
            elsewhere: 0,
            items: 0,
            changes: ListDiff::default(),
            not_kept: Vec::new(),
            skipped: Vec::new(),
            failures: Vec::new(),
            stopped: None,
            cause: None,
        }
    }
}

impl Warmed {
    pub(super) fn note(&mut self, renewed: Renewed) {
        match renewed {
            Renewed::Fresh => self.fresh += 1,
            Renewed::NotKept(not_kept) => {
                self.elsewhere += u64::from(not_kept.elsewhere);
                self.not_kept.push(not_kept);
            }
            Renewed::Fetched(items, changes) => {
                self.fetched += 1;
                self.items += items;
                self.changes.add(changes);
            }
        }
    }
}
