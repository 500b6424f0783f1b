//! Verifying the cache: entries against AWS.
//!
//! A disabled cache is compared too, since that is when people doubt it; then wrong entries are removed and nothing
//! is stored. Nothing of it counts as a lookup.

use super::watched::watched;
use super::{App, AppError, Caller};
use crate::gateway::{EntrySelection, Verified, VerifySelection};
use crate::progress::Calls;
use crate::progress::Progress;

/// What a verification is about, and what it may cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VerifyRequest {
    /// Which entries.
    pub which: EntrySelection,
    /// So many of them, each as likely as any other; all when `None`.
    pub sample: Option<usize>,
    /// The same seed takes the same sample of the same entries.
    pub seed: u64,
    /// The most calls to AWS; `None` is no limit.
    pub budget: Option<u64>,
}

impl App {
    /// Compares entries of this profile's space with AWS, and mends what is wrong. Also gives the calls it took, and
    /// what went wrong with the cache meanwhile.
    pub async fn verify(
        &self,
        comparison: &VerifyRequest,
        progress: &dyn Progress,
    ) -> Result<(Verified, Calls, Vec<String>), AppError> {
        // One that cannot be opened must not pass for an empty one.
        self.store()?;
        let reading = self.reading_from(self.cache(), Caller::Background { budget: comparison.budget });
        let wanted = VerifySelection {
            which: comparison.which.clone(),
            sample: comparison.sample,
            seed: comparison.seed,
            refill: self.disabled().is_none(),
        };
        let verified = watched(&reading, progress, reading.gateway.verify(&wanted, progress)).await;
        if reading.calls().total > 0 {
            self.fold_log();
        }
        Ok((verified?, reading.calls(), reading.gateway.take_faults()))
    }
}
