//! What one warm leaves for the next: that it began, whether it ended, and which walk it chose.
//!
//! A mark only saves calls; without it, or with a wrong one, more is asked and nothing is answered otherwise.

use crate::cache::{Fresh, Key};
use crate::clock::{self, UnixMillis};
use crate::config::WarmTarget;
use crate::gateway::core::Gateway;
use crate::gateway::error::GatewayError;
use crate::gateway::plan::Traversal;
use crate::model::Resource;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

/// A warm that could not read everything is gone on with by one that begins within this time.
const RETRY_MS: i64 = 600_000;
/// But never with one that began longer ago than this.
const OLDEST_MS: i64 = 3_600_000;
/// A warm that was killed is gone on with for as long as what it stored can be fresh.
const FORGOTTEN_MS: i64 = 12 * OLDEST_MS;

/// A warm, whatever its targets are.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(in crate::gateway) struct WarmCheckpoint {
    /// When it began; all that is stored since then belongs to it.
    pub(in crate::gateway) begun: UnixMillis,
    /// When it ended.
    pub(in crate::gateway) ended: Option<UnixMillis>,
    /// Whether everything was read.
    pub(in crate::gateway) complete: bool,
}

/// Which walk over the assignments was chosen.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(in crate::gateway) struct Walked {
    /// The walk.
    pub(in crate::gateway) walk: Traversal,
    /// When the counts were last compared.
    pub(in crate::gateway) judged: UnixMillis,
    /// Whether AWS refused the other one.
    pub(in crate::gateway) refused: bool,
}

impl WarmCheckpoint {
    /// Whether a warm that begins now resumes this one rather than beginning again.
    pub(in crate::gateway) fn goes_on(&self, now: UnixMillis) -> bool {
        let within = |at: UnixMillis, most: i64| !clock::is_ahead(at, now) && now.saturating_sub(at) < most;
        match self.ended {
            None => within(self.begun, FORGOTTEN_MS),
            Some(ended) => !self.complete && within(ended, RETRY_MS) && within(self.begun, OLDEST_MS),
        }
    }
}

/// What warms leave behind for the next one.
#[derive(Clone, Copy)]
pub(in crate::gateway) struct Checkpoints<'g> {
    pub(in crate::gateway) gateway: &'g Gateway,
}

impl Gateway {
    /// What warms leave behind for the next one.
    pub(in crate::gateway) fn checkpoints(&self) -> Checkpoints<'_> {
        Checkpoints { gateway: self }
    }
}

impl Checkpoints<'_> {
    /// What the last warm left.
    pub(in crate::gateway) fn mark(self, space: &str) -> Option<WarmCheckpoint> {
        self.recall(space, &key_of("run"))
    }

    /// Leaves a mark. One that cannot be left costs calls, nothing else.
    pub(in crate::gateway) fn leave_mark(self, space: &str, mark: &WarmCheckpoint) {
        self.remember(space, key_of("run"), mark);
    }

    /// Whether a warm of this target has come to its end before: then there is something to compare with.
    pub(in crate::gateway) fn was_warmed(self, space: &str, target: WarmTarget) -> bool {
        self.recall::<UnixMillis>(space, &key_of(target.as_str())).is_some()
    }

    /// Keeps that it has.
    pub(in crate::gateway) fn note_warmed(self, space: &str, target: WarmTarget) {
        self.remember(space, key_of(target.as_str()), &self.gateway.cache().clock().now());
    }

    /// The walk that was chosen last.
    pub(in crate::gateway) fn walked(self, space: &str) -> Option<Walked> {
        self.recall(space, &key_of("walk"))
    }

    /// Keeps the walk that was chosen.
    pub(in crate::gateway) fn keep_walk(self, space: &str, walked: Walked) {
        self.remember(space, key_of("walk"), &walked);
    }

    fn recall<T: DeserializeOwned>(self, space: &str, key: &Key) -> Option<T> {
        let mut found = None;
        self.gateway.cache().last(space, key, &mut |body| {
            found = Some(serde_json::from_reader(body)?);
            Ok(())
        });
        found
    }

    fn remember(self, space: &str, key: Key, mark: &impl Serialize) {
        let payload = serde_json::to_vec(mark).unwrap_or_default();
        let mark = Fresh { key, payload, source: "awsideman cache warm" };
        if let Err(fault) = self.gateway.cache().fill(space, &[mark], self.gateway.ticket()) {
            self.gateway.fault(&fault);
        }
    }
}

/// Whether AWS says that this caller may not ask in this way at all.
pub(in crate::gateway) fn is_refusal(error: &GatewayError) -> bool {
    matches!(error, GatewayError::AccessDenied { .. } | GatewayError::Refused { .. })
}

fn key_of(what: &str) -> Key {
    Key::new(Resource::Instance, "warmed", what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warm_goes_on_with_one_that_was_killed_or_missed_something_a_moment_ago() {
        let mark = |ended, complete| WarmCheckpoint { begun: 0, ended, complete };
        assert!(mark(None, false).goes_on(5_000_000));
        assert!(mark(Some(1_000), false).goes_on(2_000));
        for (mark, now) in [(mark(Some(1_000), true), 2_000), (mark(Some(1_000), false), 700_000)] {
            assert!(!mark.goes_on(now), "{mark:?}");
        }
        assert!(!mark(Some(3_590_000), false).goes_on(3_600_000), "a target that always fails does not hold it up");
    }
}
