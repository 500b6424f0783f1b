//! What a warm renews: the rules of one round, and what becomes of one request.

use super::baseline::Baseline;
use super::patience::{NotKept, Patience};
use crate::cache::Provenance;
use crate::clock::{UnixMillis, millis};
use crate::gateway::diff::summary::ListDiff;
use crate::progress::Progress;
use std::time::Duration;

/// The part of its time to live that an entry must have before it for `--refresh-ahead` to leave it alone: a quarter.
const AHEAD: i64 = 4;

/// Which of what is stored a warm renews.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Renew {
    /// All of it; only what a warm stored that did not come to its end is left alone.
    All,
    /// What is older than this.
    Older(Duration),
    /// What will not stay fresh for so long.
    Expiring(Duration),
    /// What has less than a quarter of its time before it.
    Ahead,
    /// What could not answer a read that takes nothing older than this.
    Unusable(Option<Duration>),
}

/// What a warm holds on to while it goes through one target.
pub(in crate::gateway) struct Round<'a> {
    /// The text of the space.
    pub(in crate::gateway) space: &'a str,
    /// What is renewed.
    pub(in crate::gateway) renew: Renew,
    /// What was stored since then belongs to this warm already.
    pub(in crate::gateway) since: Option<UnixMillis>,
    /// How long changes and other processes are waited for; `None` is not at all.
    pub(in crate::gateway) patience: Option<&'a Patience>,
    /// Whether the names of what changed are kept.
    pub(in crate::gateway) names: bool,
    /// Whether there was a warm to compare with.
    pub(in crate::gateway) again: bool,
    /// What the target held at the last warm, where that is kept.
    pub(in crate::gateway) baseline: Option<&'a Baseline>,
    /// Receives the progress.
    pub(in crate::gateway) progress: &'a dyn Progress,
}

/// What became of one request.
pub(super) enum Renewed {
    /// What is stored will do.
    Fresh,
    /// AWS was asked: so many items, and what was different.
    Fetched(u64, ListDiff),
    /// The answer of AWS is not stored.
    NotKept(NotKept),
}

impl<'a> Round<'a> {
    /// A round that renews nothing: it only shows which entries would be left alone.
    pub(in crate::gateway) fn looking(space: &'a str, renew: Renew, progress: &'a dyn Progress) -> Round<'a> {
        Round { space, renew, since: None, patience: None, names: false, again: false, baseline: None, progress }
    }

    /// Whether what is stored is left alone.
    pub(super) fn leaves(&self, known: Option<&Provenance>, ttl: i64) -> bool {
        let Some(known) = known else { return false };
        if self.since.is_some_and(|since| known.stored_at >= since) {
            return true;
        }
        match self.renew {
            Renew::All => false,
            Renew::Older(age) => known.age_ms <= millis(age),
            Renew::Expiring(ahead) => known.left_ms >= millis(ahead),
            Renew::Ahead => known.left_ms.saturating_mul(AHEAD) >= ttl,
            Renew::Unusable(oldest) => oldest.is_none_or(|oldest| known.age_ms <= millis(oldest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::progress::NoProgress;

    fn known(age_ms: i64, left_ms: i64) -> Provenance {
        Provenance { cached: true, stale: false, stored_at: 1_000_000 - age_ms, age_ms, left_ms }
    }

    #[test]
    fn each_way_of_renewing_leaves_alone_what_it_says() {
        let second = Duration::from_secs(1);
        for (renew, since, age, left, expected) in [
            (Renew::All, None, 0, 600_000, false),
            (Renew::All, Some(999_000), 1_000, 5, true),
            (Renew::All, Some(999_001), 1_000, 5, false),
            (Renew::Older(second), None, 1_000, 5, true),
            (Renew::Older(second), None, 1_001, 5, false),
            (Renew::Expiring(second), None, 5, 1_000, true),
            (Renew::Expiring(second), None, 5, 999, false),
            (Renew::Ahead, None, 5, 150_000, true),
            (Renew::Ahead, None, 5, 149_999, false),
            (Renew::Unusable(None), None, 500_000, 1, true),
            (Renew::Unusable(Some(second)), None, 1_001, 1, false),
        ] {
            let round = Round {
                space: "s",
                renew,
                since,
                patience: None,
                names: false,
                again: false,
                baseline: None,
                progress: &NoProgress,
            };
            assert_eq!(round.leaves(Some(&known(age, left)), 600_000), expected, "{renew:?} {since:?} {age} {left}");
            assert!(!round.leaves(None, 600_000));
        }
    }
}
