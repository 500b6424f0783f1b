//! Decides what is due from the schedule, the ledger and the clock, without side effects.
//!
//! Guarantee: an occurrence is handed out at most once if the ledger keeps [`Due::reference`]. A wrong clock delays a
//! job by at most two of its periods, or a day. A long absence adds at most a week of work.

use super::occurrence::{OccurrenceRange, Occurrences};
use crate::clock::{self, UnixMillis, millis};
use crate::config::{CatchUp, Job, Schedule};
use crate::jobs::ledger::LedgerRow;
use crate::model::{Zone, exact_duration};
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// The latest start of a job with `catch_up = "none"` and no `start_deadline`. A runner that starts every few minutes
/// meets it.
const IN_TIME: Duration = Duration::from_secs(15 * 60);
/// The most occurrences that are caught up.
const CAUGHT_UP: u32 = 1_000;

/// If the clock is set back by less than this, a schedule with fixed times repeats none of them.
const NAMED: Duration = Duration::from_secs(24 * 3600);

/// The result for one job.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// The occurrences to run, oldest first.
    pub run: Vec<UnixMillis>,
    /// The occurrences that will not run.
    pub missed: Option<Missed>,
    /// When it is next due, jitter included; `None` is never.
    pub next: Option<UnixMillis>,
    /// The last occurrence that the ledger must record, if it changes.
    pub reference: Option<UnixMillis>,
}

impl Due {
    /// Whether there is nothing to run and nothing to record.
    pub fn is_idle(&self) -> bool {
        self.run.is_empty() && self.missed.is_none() && self.reference.is_none()
    }
}

/// Occurrences that will not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// Their number.
    pub count: u64,
    /// Whether there are more than `count`.
    pub more: bool,
    /// The oldest.
    pub first: UnixMillis,
    /// The newest.
    pub last: UnixMillis,
    /// The reason in one sentence, with number and times.
    pub reason: String,
}

/// The delay of a job on this host after its occurrence: stable, and in `[0, jitter)`.
pub fn jitter_of(host: &str, job: &str, jitter: Duration) -> Duration {
    let range = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
    if range == 0 {
        return Duration::ZERO;
    }
    Duration::from_millis(xxh3_64(format!("{host}\0{job}").as_bytes()) % range)
}

/// The result for `job` at `now`, given its row in the ledger.
///
/// An interval that never ran is due immediately. A reference ahead of the clock means that the clock was set back.
/// An interval then counts from now. A cron schedule waits for the occurrence after the one that ran, so that nothing
/// runs twice. If the reference is more than one period ahead (for fixed times: more than a day), the clock was wrong
/// when it was written, and the schedule counts from now.
pub fn due(job: &Job, host: &Zone, row: &LedgerRow, jitter: Duration, now: UnixMillis) -> Due {
    let occurrences = Occurrences::of(&job.schedule, host);
    let jitter = millis(jitter);
    let reference = match (row.last_occurrence, &job.schedule) {
        (None, Schedule::Every(every)) => {
            let first = grid(now, *every);
            let next = occurrences.after(first).map(|next| next.saturating_add(jitter));
            return Due { run: vec![first], missed: None, next, reference: Some(first) };
        }
        (None, Schedule::Cron { .. }) => row.first_seen,
        (Some(last), _) => last,
    };
    if from_a_wrong_clock(&occurrences, &job.schedule, reference, now) {
        let next = occurrences.after(now).map(|next| next.saturating_add(jitter));
        return Due { reference: Some(now), next, ..Due::default() };
    }
    let horizon = now.saturating_sub(jitter);
    let next = occurrences.beyond(reference, horizon).map(|next| next.saturating_add(jitter));
    let keep = match job.catch_up {
        CatchUp::None | CatchUp::Latest => 1,
        CatchUp::All { limit, .. } => limit.min(CAUGHT_UP) as usize,
    };
    // One more than may run, to know the newest missed occurrence.
    let found = occurrences.between(reference, horizon, keep + 1);
    let Some(newest) = found.newest.last().copied() else {
        return Due { next, ..Due::default() };
    };
    let run = chosen(job, &found, keep, horizon, now);
    let missed = missed(job, &found, run.len());
    Due { run, missed, next, reference: Some(newest) }
}

/// The time that an interval counts from: whole minutes if the interval is. A crontab line that fires slightly
/// earlier than before would otherwise skip a run.
pub(super) fn grid(now: UnixMillis, every: Duration) -> UnixMillis {
    let minute = 60_000;
    if every.is_zero() || millis(every) % minute != 0 { now } else { now - now.rem_euclid(minute) }
}

/// The time from which a new job, or one with a changed schedule, counts.
pub(super) fn count_from(job: &Job, now: UnixMillis) -> UnixMillis {
    match job.schedule {
        Schedule::Every(every) => grid(now, every),
        Schedule::Cron { .. } => now,
    }
}

fn from_a_wrong_clock(
    occurrences: &Occurrences<'_>,
    schedule: &Schedule,
    reference: UnixMillis,
    now: UnixMillis,
) -> bool {
    if reference <= now {
        return false;
    }
    match schedule {
        Schedule::Every(_) => true,
        Schedule::Cron { .. } => {
            let least = if occurrences.are_named() { millis(NAMED) } else { 0 };
            let ahead = reference.saturating_sub(now);
            occurrences.after(reference).is_some_and(|next| ahead > (next - reference).max(least))
        }
    }
}

fn chosen(job: &Job, found: &OccurrenceRange, keep: usize, horizon: UnixMillis, now: UnixMillis) -> Vec<UnixMillis> {
    let newest = &found.newest[found.newest.len().saturating_sub(keep)..];
    let in_time = |moment: &UnixMillis| {
        let late = horizon.saturating_sub(*moment);
        let deadline = job.start_deadline;
        match job.catch_up {
            CatchUp::None => late <= millis(if deadline.is_zero() { IN_TIME } else { deadline }),
            CatchUp::Latest => deadline.is_zero() || late <= millis(deadline),
            CatchUp::All { window, .. } => {
                (deadline.is_zero() || late <= millis(deadline)) && now.saturating_sub(*moment) <= millis(window)
            }
        }
    };
    newest.iter().copied().filter(in_time).collect()
}

fn missed(job: &Job, found: &OccurrenceRange, running: usize) -> Option<Missed> {
    let count = found.count.saturating_sub(running as u64);
    let last = found.newest.len().checked_sub(running + 1).map(|n| found.newest[n])?;
    let first = found.first.filter(|_| count > 0)?;
    let deadline = exact_duration(job.start_deadline);
    let why = match (job.catch_up, running) {
        (CatchUp::None, _) => "no runner was active in time (catch_up = \"none\")".to_owned(),
        (CatchUp::Latest, 1) => "no runner was active; only the latest is caught up (catch_up = \"latest\")".to_owned(),
        (CatchUp::Latest, _) => format!("no runner was active within the start_deadline of {deadline}"),
        (CatchUp::All { limit, window }, _) => format!(
            "no runner was active; at most {limit} of the last {} are caught up (catch_up = \"all\")",
            exact_duration(window)
        ),
    };
    let many = if found.more { "more than " } else { "" };
    let reason = if count == 1 && !found.more {
        format!("the occurrence of {}: {why}", clock::utc(last))
    } else {
        format!("{many}{count} occurrences from {} to {}: {why}", clock::utc(first), clock::utc(last))
    };
    Some(Missed { count, more: found.more, first, last, reason })
}

#[cfg(test)]
mod tests;
