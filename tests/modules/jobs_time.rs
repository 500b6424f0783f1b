//! Time as it passes for people: every zone's changes, and clocks that somebody sets.
//!
//! What is expected was found by going through the minutes one by one, without the library that reads cron
//! expressions; the counts are printed. `AWSIDEMAN_SOAK=1`: five years, every zone.

use awsideman::clock::UnixMillis;
use awsideman::config::{AlertWhen, CatchUp, Job, JobKind, Overlap, Retry, Schedule};
use awsideman::jobs::{LedgerRow, Occurrences, due};
use awsideman::model::Zone;
use chrono::{DateTime, Datelike, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Utc, Weekday};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

const MINUTE: UnixMillis = 60_000;
const HOUR: UnixMillis = 60 * MINUTE;
const DAY: UnixMillis = 24 * HOUR;

type Matches = fn(NaiveDateTime) -> bool;

/// A schedule, whether each of its times of day was written down, and the same as a condition on the wall clock.
const SCHEDULES: [(&str, bool, Matches); 12] = [
    ("30 2 * * *", true, |t| (t.hour(), t.minute()) == (2, 30)),
    ("30 1 * * *", true, |t| (t.hour(), t.minute()) == (1, 30)),
    ("0 0 * * *", true, |t| (t.hour(), t.minute()) == (0, 0)),
    ("59 23 * * *", true, |t| (t.hour(), t.minute()) == (23, 59)),
    ("0,30 2,14 * * *", true, |t| [2, 14].contains(&t.hour()) && [0, 30].contains(&t.minute())),
    ("15 0,1,2,3,4 * * *", true, |t| t.hour() < 5 && t.minute() == 15),
    ("0 3 * * SUN", true, |t| (t.weekday(), t.hour(), t.minute()) == (Weekday::Sun, 3, 0)),
    ("0 2 1,15 * *", true, |t| [1, 15].contains(&t.day()) && (t.hour(), t.minute()) == (2, 0)),
    ("10 1-3 * * *", true, |t| (1..=3).contains(&t.hour()) && t.minute() == 10),
    ("15 * * * *", false, |t| t.minute() == 15),
    ("*/20 * * * *", false, |t| t.minute() % 20 == 0),
    ("@hourly", false, |t| t.minute() == 0),
];

fn soak() -> bool {
    std::env::var_os("AWSIDEMAN_SOAK").is_some()
}

fn job(schedule: &str, zone: &Zone) -> Job {
    Job {
        name: "job".into(),
        origin: String::new(),
        description: String::new(),
        enabled: true,
        kind: JobKind::Cleanup,
        schedule: Schedule::cron(schedule, Some(zone.clone())).expect("a schedule"),
        jitter: Duration::ZERO,
        timeout: Duration::from_secs(60),
        overlap: Overlap::Forbid,
        catch_up: CatchUp::All { limit: 1_000, window: Duration::from_secs(3_650 * 86_400) },
        start_deadline: Duration::ZERO,
        retry: Retry { attempts: 1, delay: Duration::ZERO },
        alert: AlertWhen::Never,
        profiles: Vec::new(),
        ping: awsideman::config::JobPing::default(),
    }
}

fn offset(zone: &Zone, at: UnixMillis) -> i64 {
    let at = DateTime::from_timestamp_millis(at).expect("a time").naive_utc();
    i64::from(zone.offset_from_utc_datetime(&at).fix().local_minus_utc())
}

/// The minutes at which the clocks of a zone are changed, from hour to hour and then halved down.
fn changes(zone: &Zone, from: UnixMillis, to: UnixMillis) -> Vec<(UnixMillis, i64, i64)> {
    let (mut found, mut at) = (Vec::new(), from);
    while at < to {
        // No zone changes its clocks and changes them back within a day.
        let (mut low, mut high) = (at, at + DAY);
        let (before, after) = (offset(zone, low), offset(zone, high));
        if before != after {
            while high - low > MINUTE {
                let middle = i64::midpoint(low, high) / MINUTE * MINUTE;
                if offset(zone, middle) == before { low = middle } else { high = middle }
            }
            found.push((high, before, after));
        }
        at += DAY;
    }
    found
}

/// What the clocks of a zone show, minute by minute.
fn walls(zone: &Zone, from: UnixMillis, to: UnixMillis) -> Vec<(UnixMillis, NaiveDateTime)> {
    let wall =
        |at: UnixMillis| DateTime::from_timestamp_millis(at + offset(zone, at) * 1_000).expect("a time").naive_utc();
    (0..=(to - from) / MINUTE).map(|n| (from + n * MINUTE, wall(from + n * MINUTE))).collect()
}

/// What must occur after `from`: the minutes are gone through one by one. A written time that is skipped occurs at the
/// first minute behind it, one that comes twice at the first.
fn expected(walls: &[(UnixMillis, NaiveDateTime)], named: bool, matches: Matches, from: UnixMillis) -> Vec<UnixMillis> {
    let mut found = Vec::new();
    let mut shown = BTreeSet::new();
    for pair in walls.windows(2) {
        let ((_, last), (at, now)) = (pair[0], pair[1]);
        let due = if named {
            let passed = (1..=(now - last).num_minutes().max(0)).map(|n| last + TimeDelta::minutes(n));
            let passed = passed.chain((now <= last).then_some(now));
            // Several skipped times are one occurrence: the end of the gap.
            passed.filter(|time| matches(*time) && shown.insert(*time)).count() > 0
        } else {
            matches(now)
        };
        if due && at > from {
            found.push(at);
        }
    }
    found
}

/// A small generator of numbers, so that a seed is a run.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: u64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        i64::try_from((self.0 >> 33) % below).expect("small")
    }
}

/// What a runner hands out that looks at irregular moments; with `jumps` somebody sets its clock now and then.
fn handed_out(job: &Job, from: UnixMillis, to: UnixMillis, dice: &mut Dice, jumps: bool) -> Vec<UnixMillis> {
    let mut row = LedgerRow { first_seen: from, last_occurrence: Some(from) };
    let (mut handed, mut now, mut furthest) = (Vec::new(), from, from);
    while furthest < to {
        now += match dice.roll(40) {
            0 if jumps => -dice.roll(180) * MINUTE,
            1 if jumps => dice.roll(300) * MINUTE,
            _ => 1 + dice.roll(120) * MINUTE + dice.roll(60_000),
        };
        // Time goes on: nothing is looked at beyond the end, and the end is looked at.
        now = now.min(to);
        furthest = furthest.max(now);
        let due = due(job, &Zone::UTC, &row, Duration::ZERO, now);
        assert!(due.missed.is_none(), "all are caught up: {:?}", due.missed);
        handed.extend(&due.run);
        row.last_occurrence = due.reference.or(row.last_occurrence);
    }
    handed
}

#[test]
fn every_written_time_occurs_exactly_once_through_the_changes_of_every_zone() {
    let from = Utc.with_ymd_and_hms(2025, 12, 31, 12, 0, 0).unwrap().timestamp_millis();
    let to = from + if soak() { 5 * 366 * DAY } else { 366 * DAY };
    let mut rules: BTreeMap<Vec<(UnixMillis, i64, i64)>, Vec<Zone>> = BTreeMap::new();
    for name in Zone::names() {
        let Ok(zone) = name.parse::<Zone>() else { continue };
        rules.entry(changes(&zone, from, to)).or_default().push(zone);
    }
    let (mut zones, mut stretches, mut occurrences) = (0, 0, 0);
    let mut dice = Dice(20_261_125);
    for (changes, same) in &rules {
        for zone in same.iter().take(if soak() { usize::MAX } else { 1 }) {
            zones += 1;
            // Zones that never change their clocks are looked at for two days too.
            let around: Vec<UnixMillis> = changes.iter().map(|change| change.0).collect();
            let around = if around.is_empty() { vec![from + DAY] } else { around };
            for middle in around {
                let (begin, end) = (middle - 28 * HOUR, middle + 28 * HOUR);
                stretches += 1;
                // From a day before: what was shown then is not shown again.
                let walls = walls(zone, begin - DAY, end);
                for (text, named, matches) in SCHEDULES {
                    let job = job(text, zone);
                    let expected = expected(&walls, named, matches, begin);
                    let plain = handed_out(&job, begin, end, &mut dice, false);
                    assert_eq!(plain, expected, "{zone} `{text}` around {}", awsideman::clock::utc(middle));
                    if named {
                        let jumping = handed_out(&job, begin, end, &mut dice, true);
                        assert_eq!(jumping, expected, "{zone} `{text}`: the clock was set");
                    }
                    occurrences += expected.len();
                }
            }
        }
    }
    println!(
        "{} rule sets of {} zones, {zones} zones tried, {stretches} stretches, {} schedules, {occurrences} occurrences \
         each exactly once, with and without clock jumps",
        rules.len(),
        Zone::names().len(),
        SCHEDULES.len(),
    );
    assert!(rules.len() > 20 && occurrences > 10_000);
}

#[test]
fn a_whole_run_of_years_has_every_day_once() {
    let from = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap().timestamp_millis();
    let years = if soak() { 5 } else { 1 };
    let names = Zone::names();
    let zones = names.iter().step_by(if soak() { 1 } else { 60 });
    let mut days = 0;
    for zone in zones.filter_map(|name| name.parse::<Zone>().ok()) {
        for time in ["30 2 * * *", "30 0 * * *"] {
            let job = job(time, &zone);
            let occurrences = Occurrences::of(&job.schedule, &Zone::UTC);
            let (mut at, mut dates) = (from, BTreeSet::new());
            while let Some(next) = occurrences.after(at).filter(|next| *next < from + years * 365 * DAY) {
                let date = DateTime::from_timestamp_millis(next).expect("a time").with_timezone(&zone).date_naive();
                assert!(dates.insert(date), "{zone} `{time}`: twice on {date}");
                at = next;
            }
            let (first, last) = (dates.first().expect("some"), dates.last().expect("some"));
            assert_eq!((*last - *first).num_days() + 1, i64::try_from(dates.len()).expect("few"), "{zone} `{time}`");
            days += dates.len();
        }
    }
    println!("{days} days, each with its occurrence once");
}
