//! What is due: occurrences against the ledger and the clock, without a side effect.
//!
//! Neighbours: `occurrence.rs` counts, `ledger.rs` remembers, `unit.rs` acts. Promise: an occurrence is handed out at
//! most once as long as the ledger keeps [`Due::reference`]; a clock that was wrong delays a job by at most two of its
//! periods; years of absence cost no more than a week.

use super::occurrence::{Occurrences, Stretch};
use super::{Row, stamp};
use crate::clock::{UnixMillis, millis};
use crate::config::{CatchUp, Job, Schedule};
use chrono_tz::Tz;
use std::time::Duration;
use xxhash_rust::xxh3::xxh3_64;

/// How late a job with `catch_up = "none"` may start when it sets no `start_deadline`: a runner that is called every
/// few minutes is still in time.
const IN_TIME: Duration = Duration::from_secs(15 * 60);
/// The most occurrences that are ever caught up.
const CAUGHT_UP: u32 = 1_000;

/// What a job must do now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Due {
    /// The occurrences to run, oldest first.
    pub run: Vec<UnixMillis>,
    /// The occurrences that will not run.
    pub missed: Option<Missed>,
    /// When it is next due, jitter included; `None` is never.
    pub next: Option<UnixMillis>,
    /// What the ledger must remember as the last occurrence, when that changes.
    pub reference: Option<UnixMillis>,
}

impl Due {
    /// Whether there is nothing to do and nothing to remember.
    pub fn is_idle(&self) -> bool {
        self.run.is_empty() && self.missed.is_none() && self.reference.is_none()
    }
}

/// Occurrences that will not run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Missed {
    /// How many.
    pub count: u64,
    /// Whether there are more than were counted.
    pub more: bool,
    /// The oldest.
    pub first: UnixMillis,
    /// The newest.
    pub last: UnixMillis,
    /// Why, as a sentence with their number and times.
    pub reason: String,
}

/// How much later than its occurrence a job runs on this host: stable, and in `[0, jitter)`.
pub fn jitter_of(host: &str, job: &str, jitter: Duration) -> Duration {
    let range = u64::try_from(jitter.as_millis()).unwrap_or(u64::MAX);
    if range == 0 {
        return Duration::ZERO;
    }
    Duration::from_millis(xxh3_64(format!("{host}\0{job}").as_bytes()) % range)
}

/// What `job` must do at `now`, given its row in the ledger.
///
/// An interval that never ran is due at once. A reference ahead of the clock means that the clock was set back:
/// an interval counts from now; a cron schedule still waits for the occurrence after the one that ran, so that
/// nothing runs twice, unless the reference is further ahead than one whole period; then the clock had been wrong
/// when it was written.
pub fn due(job: &Job, host: Tz, row: &Row, jitter: Duration, now: UnixMillis) -> Due {
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
    let next = occurrences.after(reference.max(horizon)).map(|next| next.saturating_add(jitter));
    let keep = match job.catch_up {
        CatchUp::None | CatchUp::Latest => 1,
        CatchUp::All { limit, .. } => limit.min(CAUGHT_UP) as usize,
    };
    // One more than may run, so that the newest of the missed is known.
    let found = occurrences.between(reference, horizon, keep + 1);
    let Some(newest) = found.newest.last().copied() else {
        return Due { next, ..Due::default() };
    };
    let run = chosen(job, &found, keep, horizon, now);
    let missed = missed(job, &found, run.len());
    Due { run, missed, next, reference: Some(newest) }
}

/// The moment an interval counts from. Whole minutes where the interval is: a crontab line that fires a moment
/// earlier than the time before would otherwise find its job not due yet, and skip a turn.
pub(super) fn grid(now: UnixMillis, every: Duration) -> UnixMillis {
    let minute = 60_000;
    if every.is_zero() || millis(every) % minute != 0 { now } else { now - now.rem_euclid(minute) }
}

/// The moment from which a job counts that is new or has another schedule.
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
            occurrences.after(reference).is_some_and(|next| reference.saturating_sub(now) > next - reference)
        }
    }
}

fn chosen(job: &Job, found: &Stretch, keep: usize, horizon: UnixMillis, now: UnixMillis) -> Vec<UnixMillis> {
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

fn missed(job: &Job, found: &Stretch, running: usize) -> Option<Missed> {
    let count = found.count.saturating_sub(running as u64);
    let last = found.newest.len().checked_sub(running + 1).map(|n| found.newest[n])?;
    let first = found.first.filter(|_| count > 0)?;
    let deadline = stamp::duration(job.start_deadline);
    let why = match (job.catch_up, running) {
        (CatchUp::None, _) => "no runner was there in time (catch_up = \"none\")".to_owned(),
        (CatchUp::Latest, 1) => "no runner was there; only the latest is caught up (catch_up = \"latest\")".to_owned(),
        (CatchUp::Latest, _) => format!("no runner was there within the start_deadline of {deadline}"),
        (CatchUp::All { limit, window }, _) => format!(
            "no runner was there; at most {limit} of the last {} are caught up (catch_up = \"all\")",
            stamp::duration(window)
        ),
    };
    let many = if found.more { "more than " } else { "" };
    let reason = if count == 1 && !found.more {
        format!("the occurrence of {}: {why}", stamp::time(last))
    } else {
        format!("{many}{count} occurrences from {} to {}: {why}", stamp::time(first), stamp::time(last))
    };
    Some(Missed { count, more: found.more, first, last, reason })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::rehearsal::{at, cron, job};

    const MINUTE: i64 = 60_000;
    const HOUR: i64 = 60 * MINUTE;

    fn every(minutes: u64) -> Job {
        Job { schedule: Schedule::Every(Duration::from_secs(minutes * 60)), ..job("a") }
    }

    fn at_cron(text: &str) -> Job {
        Job { schedule: cron(text, Some(Tz::UTC)), ..job("a") }
    }

    fn seen(first_seen: UnixMillis) -> Row {
        Row { first_seen, last_occurrence: None }
    }

    fn ran(last: UnixMillis) -> Row {
        Row { first_seen: 0, last_occurrence: Some(last) }
    }

    fn now_due(job: &Job, row: &Row, now: UnixMillis) -> Due {
        due(job, Tz::UTC, row, Duration::ZERO, now)
    }

    fn noon() -> UnixMillis {
        at("2026-06-01T12:00:00Z")
    }

    #[test]
    fn an_interval_first_seen_is_due_at_once_and_a_cron_job_at_its_next_occurrence() {
        let first = now_due(&every(15), &seen(noon()), noon());
        assert_eq!((first.run, first.next), (vec![noon()], Some(noon() + 15 * MINUTE)));
        let job = at_cron("30 * * * *");
        let waiting = now_due(&job, &seen(noon()), noon() + 29 * MINUTE);
        assert_eq!((waiting.run.len(), waiting.next), (0, Some(noon() + 30 * MINUTE)));
        assert!(waiting.missed.is_none() && waiting.reference.is_none());
        let first = now_due(&job, &seen(noon()), noon() + 31 * MINUTE);
        assert_eq!((first.run, first.missed), (vec![noon() + 30 * MINUTE], None));
    }

    #[test]
    fn an_interval_counts_from_its_last_occurrence() {
        let job = every(15);
        assert!(now_due(&job, &ran(noon()), noon() + 15 * MINUTE - 1).is_idle());
        let again = now_due(&job, &ran(noon()), noon() + 15 * MINUTE + 700);
        assert_eq!((again.run, again.reference), (vec![noon() + 15 * MINUTE], Some(noon() + 15 * MINUTE)));
    }

    #[test]
    fn an_interval_counts_from_whole_minutes_so_that_an_earlier_crontab_tick_still_finds_it_due() {
        let job = every(5);
        let first = now_due(&job, &seen(noon() + 900), noon() + 900);
        assert_eq!(first.reference, Some(noon()));
        assert_eq!(now_due(&job, &ran(noon()), noon() + 5 * MINUTE + 100).run.len(), 1);
    }

    #[test]
    fn nothing_is_handed_out_twice_once_the_reference_is_kept() {
        for job in [every(5), at_cron("*/5 * * * *"), at_cron("30 12 * * *")] {
            let mut row = Row { first_seen: noon(), last_occurrence: Some(noon()) };
            let mut handed: Vec<UnixMillis> = vec![];
            for minute in 0..120 {
                let due = now_due(&job, &row, noon() + minute * MINUTE + 13);
                handed.extend(&due.run);
                row.last_occurrence = due.reference.or(row.last_occurrence);
            }
            let mut once = handed.clone();
            once.dedup();
            assert_eq!(handed, once);
            assert!(handed.len() == 23 || handed.len() == 1, "{}", handed.len());
        }
    }

    #[test]
    fn a_clock_set_back_never_makes_an_interval_wait_longer_than_itself() {
        let job = every(15);
        for back in [1, MINUTE, 14 * MINUTE, 16 * MINUTE, 400 * 24 * HOUR] {
            let now = noon() - back;
            let due = now_due(&job, &ran(noon()), now);
            assert_eq!(due.run, Vec::<i64>::new(), "not twice");
            assert_eq!((due.reference, due.next), (Some(now), Some(now + 15 * MINUTE)));
        }
    }

    #[test]
    fn a_clock_set_back_never_repeats_a_fixed_time() {
        let job = at_cron("0 12 * * *");
        for back in [MINUTE, HOUR, 23 * HOUR] {
            let due = now_due(&job, &ran(noon()), noon() - back);
            assert!(due.is_idle(), "{due:?}");
            assert_eq!(due.next, Some(noon() + 24 * HOUR));
            assert!(now_due(&job, &ran(noon()), noon()).is_idle());
        }
    }

    #[test]
    fn a_reference_from_a_clock_that_was_a_year_ahead_does_not_silence_a_job() {
        let due = now_due(&at_cron("0 12 * * *"), &ran(noon() + 365 * 24 * HOUR), noon() - HOUR);
        assert_eq!((due.reference, due.next), (Some(noon() - HOUR), Some(noon())));
        let due = now_due(&at_cron("*/5 * * * *"), &ran(noon() + 3 * HOUR), noon());
        assert_eq!((due.run.len(), due.next), (0, Some(noon() + 5 * MINUTE)));
    }

    #[test]
    fn a_clock_set_forward_runs_what_it_passed_as_catch_up_says() {
        let due = now_due(&at_cron("0 * * * *"), &ran(noon()), noon() + 5 * HOUR + MINUTE);
        assert_eq!(due.run, [noon() + 5 * HOUR]);
        assert_eq!(due.missed.unwrap().count, 4);
    }

    #[test]
    fn catch_up_chooses_what_runs_and_the_rest_is_missed() {
        let absent = noon() + 5 * HOUR + 20 * MINUTE;
        let all = |limit, hours: u64| CatchUp::All { limit, window: Duration::from_secs(hours * 3600) };
        let minutes = |n: u64| Duration::from_secs(n * 60);
        for (catch_up, deadline, run, missed) in [
            (CatchUp::Latest, minutes(0), vec![5], 4),
            (CatchUp::Latest, minutes(20), vec![5], 4),
            (CatchUp::Latest, minutes(19), vec![], 5),
            (CatchUp::None, minutes(0), vec![], 5),
            (CatchUp::None, minutes(30), vec![5], 4),
            (all(3, 24), minutes(0), vec![3, 4, 5], 2),
            (all(9, 2), minutes(0), vec![4, 5], 3),
            (all(9, 24), minutes(0), vec![1, 2, 3, 4, 5], 0),
            (all(9, 24), minutes(90), vec![4, 5], 3),
            (all(0, 24), minutes(0), vec![], 5),
        ] {
            let job = Job { catch_up, start_deadline: deadline, ..at_cron("0 * * * *") };
            let due = now_due(&job, &ran(noon()), absent);
            let expected: Vec<UnixMillis> = run.iter().map(|hour| noon() + hour * HOUR).collect();
            assert_eq!(due.run, expected, "{catch_up:?} {deadline:?}");
            assert_eq!(due.missed.as_ref().map_or(0, |missed| missed.count), missed, "{catch_up:?} {deadline:?}");
            assert_eq!(due.reference, Some(noon() + 5 * HOUR), "all are dealt with");
            if let Some(missed) = due.missed {
                assert_eq!(missed.first, noon() + HOUR);
                assert_eq!(missed.last, run.first().map_or(noon() + 5 * HOUR, |first| noon() + (first - 1) * HOUR));
            }
        }
    }

    #[test]
    fn without_catch_up_a_run_that_is_a_little_late_still_happens() {
        let job = Job { catch_up: CatchUp::None, ..at_cron("0 * * * *") };
        assert_eq!(now_due(&job, &ran(noon()), noon() + HOUR + 10 * MINUTE).run.len(), 1);
    }

    #[test]
    fn years_of_absence_are_counted_to_a_bound_and_that_is_said() {
        for job in [every(5), at_cron("*/5 * * * *")] {
            let due = now_due(&job, &ran(noon() - 3 * 365 * 24 * HOUR), noon());
            assert_eq!(due.run, [noon()]);
            let missed = due.missed.unwrap();
            assert!(missed.more && missed.reason.starts_with("more than "), "{}", missed.reason);
        }
    }

    #[test]
    fn jitter_delays_every_occurrence_by_the_same_stable_time() {
        let hour = Duration::from_secs(3600);
        let offset = jitter_of("host-1", "warm", hour);
        assert!(offset < hour);
        assert_eq!(offset, jitter_of("host-1", "warm", hour));
        assert_ne!(offset, jitter_of("host-2", "warm", hour));
        assert_eq!(jitter_of("host-1", "warm", Duration::ZERO), Duration::ZERO);
        let job = at_cron("0 * * * *");
        let jitter = Duration::from_secs(120);
        let before = due(&job, Tz::UTC, &ran(noon()), jitter, noon() + HOUR + 2 * MINUTE - 1);
        assert_eq!((before.run.len(), before.next), (0, Some(noon() + HOUR + 2 * MINUTE)));
        let then = due(&job, Tz::UTC, &ran(noon()), jitter, noon() + HOUR + 2 * MINUTE);
        assert_eq!((then.run, then.next), (vec![noon() + HOUR], Some(noon() + 2 * HOUR + 2 * MINUTE)));
    }

    #[test]
    fn the_host_zone_is_used_where_the_job_names_none() {
        let job = Job { schedule: cron("0 9 * * *", None), ..job("a") };
        let due = due(&job, Tz::Europe__Berlin, &ran(noon()), Duration::ZERO, noon());
        assert_eq!(due.next, Some(at("2026-06-02T07:00:00Z")));
    }
}
