//! The verify job: a sample of the stored answers against AWS, and what that says of all of them.
//!
//! A share is reported with its confidence interval, so that "no wrong answer in 5" is not read as "no wrong answer".

use crate::app::core::App;
use crate::app::error::AppError;
use crate::app::job_outcome::failed;
use crate::app::kill_switch::KillSwitch;
use crate::app::reading::{Caller, GatewayBuilder};
use crate::app::stack::StoreStack;
use crate::app::watched::watched;
use crate::gateway::{EntrySelection, GatewayError, Verified, VerifySelection};
use crate::health::{Finding, Level};
use crate::jobs::{JobResult, Stop};
use crate::progress::{Calls, Progress};
use serde_json::{Map, json};

/// The standard score of a 95 % interval.
const Z: f64 = 1.959_963_984_540_054;
/// The key of the finding about wrong answers.
const WRONG: &str = "wrong-answers";
/// So many keys of wrong answers are kept.
const LISTED: usize = 20;

/// The result of a comparison, as a job reports it.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct VerifySummary {
    /// Answers that were compared.
    pub(super) checked: u64,
    /// The keys of those that were wrong.
    pub(super) wrong: Vec<String>,
    /// The keys of answers that could not be read from AWS.
    pub(super) failed: Vec<String>,
    /// Stored entries that are no fresh answer of AWS.
    pub(super) unfit: u64,
    /// Whether the calls of the budget were spent before all were compared.
    pub(super) spent: bool,
    /// AWS calls.
    pub(super) calls: u64,
}

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

/// Compares stored answers with AWS.
pub struct EntryVerifier<'a> {
    app: &'a App,
}

impl<'a> EntryVerifier<'a> {
    /// The same operations for this application.
    pub fn new(app: &'a App) -> EntryVerifier<'a> {
        EntryVerifier { app }
    }

    /// Compares entries of this profile's space with AWS, and fixes wrong ones. Also returns the calls, and
    /// what went wrong with the cache meanwhile.
    pub async fn verify(
        &self,
        comparison: &VerifyRequest,
        progress: &dyn Progress,
    ) -> Result<(Verified, Calls, Vec<String>), AppError> {
        // One that cannot be opened must not pass for an empty one.
        self.app.store()?;
        let reading =
            GatewayBuilder::new(self.app).over(self.app.cache(), Caller::Background { budget: comparison.budget });
        let wanted = VerifySelection {
            which: comparison.which.clone(),
            sample: comparison.sample,
            seed: comparison.seed,
            refill: self.app.disabled().is_none(),
        };
        let verified = watched(&reading, progress, reading.gateway.verifier().verify(&wanted, progress)).await;
        if reading.calls().total > 0 {
            StoreStack::new(self.app).fold_log();
        }
        Ok((verified?, reading.calls(), reading.gateway.take_faults()))
    }

    /// Compares a sample of stored answers with AWS, within `budget` calls. Wrong ones are fixed.
    pub(super) async fn job(&self, budget: u64, progress: &dyn Progress, stop: &Stop) -> JobResult {
        if self.app.is_memory() {
            return JobResult::skipped("cache.backend is memory: this process holds nothing yet");
        }
        // What is asked for by name compares a disabled cache too; a job leaves it alone.
        if let Some(reason) = KillSwitch::new(self.app).reason() {
            return JobResult::skipped(reason);
        }
        let comparison = VerifyRequest {
            which: EntrySelection::All,
            sample: Some(usize::try_from(budget).unwrap_or(usize::MAX)),
            seed: self.app.clock().now().unsigned_abs(),
            budget: Some(budget),
        };
        let (verified, calls, faults) = tokio::select! {
            biased;
            done = self.verify(&comparison, progress) => match done {
                Ok(done) => done,
                Err(error) => return failed(&error),
            },
            () = stop.wait() => return JobResult::failed_for_now("the wrong entries found so far are fixed", 1),
        };
        for fault in faults {
            progress.notice(&format!("the cache could not be used for everything: {fault}"));
        }
        let spent = matches!(verified.ended, Some(GatewayError::Budget { .. }));
        match verified.ended {
            // The sample was larger than the calls that were left: what was compared counts.
            None | Some(GatewayError::Budget { .. }) => {}
            Some(error) => return failed(&AppError::Gateway(error)).with_calls(calls.total),
        }
        job_result(&VerifySummary {
            checked: verified.checked,
            wrong: verified.wrong.into_iter().map(|wrong| wrong.key).collect(),
            failed: verified.failed.into_iter().map(|failure| failure.target).collect(),
            unfit: verified.skipped.values().sum(),
            spent,
            calls: calls.total,
        })
    }
}

/// The work of a comparison: wrong answers are a finding at critical, over when none is wrong.
pub(super) fn job_result(compared: &VerifySummary) -> JobResult {
    let (checked, wrong, failed) = (compared.checked, compared.wrong.len() as u64, compared.failed.len());
    let mut detail = Map::new();
    let (low, high) = interval(wrong, checked);
    for (key, value) in [
        ("checked", json!(checked)),
        ("wrong", json!(wrong)),
        ("failed", json!(failed)),
        ("wrong_percentage", json!(if checked == 0 { 0.0 } else { percent(share(wrong, checked)) })),
        ("wrong_percentage_low", json!(percent(low))),
        ("wrong_percentage_high", json!(percent(high))),
        ("wrong_keys", json!(compared.wrong.iter().take(LISTED).collect::<Vec<_>>())),
    ] {
        detail.insert(key.to_owned(), value);
    }
    if checked == 0 {
        let why = match (failed, compared.unfit, compared.spent) {
            (1.., ..) => "AWS could not be asked about any answer",
            (0, 1.., _) => "nothing to compare: no stored entry is a fresh answer of AWS",
            (0, 0, true) => "nothing was compared: the calls of `budget` were spent before the first answer",
            (0, 0, false) => "nothing to compare: nothing is stored",
        };
        let work = if failed > 0 { JobResult::failed_for_now(why, 13) } else { JobResult::skipped(why) };
        return work.with_calls(compared.calls).with_detail(detail);
    }
    let rate =
        format!("{:.1}%, between {:.1}% and {:.1}%", percent(share(wrong, checked)), percent(low), percent(high));
    let mut parts = vec![format!("{wrong} of {checked} answers are wrong ({rate})")];
    if failed > 0 {
        parts.push(format!("{failed} could not be compared"));
    }
    if wrong > 0 {
        let some: Vec<&str> = compared.wrong.iter().take(3).map(String::as_str).collect();
        parts.push(format!("such as {}", some.join(", ")));
    }
    let text = parts.join("; ");
    let finding = Finding {
        key: WRONG.to_owned(),
        level: if wrong > 0 { Level::Critical } else { Level::Ok },
        message: text.clone(),
        hint: if wrong > 0 { "awsideman jobs logs verify".to_owned() } else { String::new() },
        recovered: wrong == 0,
    };
    let work = if failed > 0 { JobResult::partial(text, compared.failed.clone()) } else { JobResult::done(text) };
    let exit = if wrong > 0 { 6 } else { work.exit };
    work.with_exit(exit).with_calls(compared.calls).with_findings(vec![finding]).with_detail(detail)
}

#[expect(clippy::cast_precision_loss, reason = "samples are small")]
fn share(wrong: u64, checked: u64) -> f64 {
    wrong as f64 / checked as f64
}

fn percent(share: f64) -> f64 {
    (share * 1_000.0).round() / 10.0
}

/// The 95 % interval of a share of which `wrong` in `checked` were seen, after Wilson: it makes sense for small samples
/// and for none wrong at all. From 0 to 1.
pub(super) fn interval(wrong: u64, checked: u64) -> (f64, f64) {
    if checked == 0 {
        return (0.0, 1.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "samples are small")]
    let (n, share) = (checked as f64, share(wrong, checked));
    let z2 = Z * Z;
    let middle = (share + z2 / (2.0 * n)) / (1.0 + z2 / n);
    let half = Z / (1.0 + z2 / n) * (share * (1.0 - share) / n + z2 / (4.0 * n * n)).sqrt();
    ((middle - half).max(0.0), (middle + half).min(1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_wilsons() {
        // Values from the literature: Brown, Cai, DasGupta (2001) use these forms; checked by hand for n = 10.
        for (wrong, checked, low, high) in [
            (0, 10, 0.0, 0.277_5),
            (1, 10, 0.017_9, 0.404_2),
            (5, 10, 0.236_6, 0.763_4),
            (10, 10, 0.722_5, 1.0),
            (0, 400, 0.0, 0.009_5),
        ] {
            let (from, to) = interval(wrong, checked);
            assert!((from - low).abs() < 1e-4 && (to - high).abs() < 1e-4, "{wrong}/{checked}: {from} {to}");
        }
        assert_eq!(interval(0, 0), (0.0, 1.0), "who compared nothing knows nothing");
    }

    #[test]
    fn wrong_answers_are_a_finding_with_their_range_and_none_is_its_end() {
        let compared = |checked, wrong: &[&str], failed: usize| VerifySummary {
            checked,
            wrong: wrong.iter().map(|&key| key.to_owned()).collect(),
            failed: (0..failed).map(|n| format!("user:describe:{n}")).collect(),
            calls: if checked == 0 { 0 } else { 9 },
            unfit: 0,
            spent: false,
        };
        let bad = job_result(&compared(10, &["user:describe:1"], 0));
        assert_eq!((bad.exit, bad.calls, bad.findings[0].level), (6, 9, Level::Critical));
        let words = "1 of 10 answers are wrong (10.0%, between 1.8% and 40.4%); such as user:describe:1";
        assert_eq!(bad.reason, words);
        let good = job_result(&compared(400, &[], 0));
        assert_eq!((good.exit, good.findings[0].recovered), (0, true));
        assert_eq!(good.reason, "0 of 400 answers are wrong (0.0%, between 0.0% and 1.0%)");
        let lost = job_result(&compared(10, &[], 2));
        assert_eq!((lost.ending, lost.exit, lost.lost.len()), (crate::jobs::JobEnd::Partial, 3, 2));
        let both = job_result(&compared(10, &["user:describe:1"], 2));
        assert_eq!((both.ending, both.exit), (crate::jobs::JobEnd::Partial, 6));
        assert_eq!(job_result(&compared(0, &[], 2)).exit, 13);
        let nothing = job_result(&compared(0, &[], 0));
        assert_eq!(
            (nothing.ending, nothing.reason.as_str()),
            (crate::jobs::JobEnd::Skipped, "nothing to compare: nothing is stored")
        );
        let expired = job_result(&VerifySummary { unfit: 3, ..compared(0, &[], 0) });
        assert_eq!(expired.reason, "nothing to compare: no stored entry is a fresh answer of AWS");
    }
}
