//! Tests of `due/mod.rs`.

use super::*;
use crate::jobs::testing::at;
use crate::jobs::testing::cron;
use crate::jobs::testing::job;

const MINUTE: i64 = 60_000;
const HOUR: i64 = 60 * MINUTE;

fn every(minutes: u64) -> Job {
    Job { schedule: Schedule::Every(Duration::from_secs(minutes * 60)), ..job("a") }
}

fn at_cron(text: &str) -> Job {
    Job { schedule: cron(text, Some(Zone::UTC)), ..job("a") }
}

fn seen(first_seen: UnixMillis) -> LedgerRow {
    LedgerRow { first_seen, last_occurrence: None }
}

fn ran(last: UnixMillis) -> LedgerRow {
    LedgerRow { first_seen: 0, last_occurrence: Some(last) }
}

fn now_due(job: &Job, row: &LedgerRow, now: UnixMillis) -> Due {
    due(job, &Zone::UTC, row, Duration::ZERO, now)
}

fn noon() -> UnixMillis {
    at("2026-06-01T12:00:00Z")
}

#[test]
fn a_new_interval_is_due_immediately_and_a_cron_job_at_its_next_occurrence() {
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
    let between = now_due(&job, &ran(noon()), noon() + 15 * MINUTE - 1);
    assert!(between.is_idle());
    assert_eq!(between.next, Some(noon() + 15 * MINUTE), "looking does not put it off");
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
        let mut row = LedgerRow { first_seen: noon(), last_occurrence: Some(noon()) };
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
fn years_of_absence_are_counted_up_to_a_bound() {
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
    let before = due(&job, &Zone::UTC, &ran(noon()), jitter, noon() + HOUR + 2 * MINUTE - 1);
    assert_eq!((before.run.len(), before.next), (0, Some(noon() + HOUR + 2 * MINUTE)));
    let then = due(&job, &Zone::UTC, &ran(noon()), jitter, noon() + HOUR + 2 * MINUTE);
    assert_eq!((then.run, then.next), (vec![noon() + HOUR], Some(noon() + 2 * HOUR + 2 * MINUTE)));
}

#[test]
fn the_host_zone_is_used_where_the_job_names_none() {
    let job = Job { schedule: cron("0 9 * * *", None), ..job("a") };
    let due = due(&job, &"Europe/Berlin".parse().unwrap(), &ran(noon()), Duration::ZERO, noon());
    assert_eq!(due.next, Some(at("2026-06-02T07:00:00Z")));
}
