//! The occurrences of a schedule, with daylight saving time.
//!
//! Occurrences strictly increase. A cron expression with fixed hours and minutes occurs exactly once for each of its
//! wall clock times: one that the spring change skips occurs at the end of the gap, and one that the autumn change
//! repeats occurs the first time. A cron expression with `*` or a step in either field follows elapsed time.

use super::ledger::DISABLED;
use crate::clock::{UnixMillis, millis};
use crate::config::{Job, Schedule};
use crate::model::Zone;
use chrono::{DateTime, NaiveDateTime, TimeDelta, TimeZone, Timelike, Utc};
use croner::Cron;
use std::collections::VecDeque;

/// The most occurrences that are counted one by one.
const COUNTED: u64 = 1_000;
/// The most wall clock times to skip: all seconds of a day that a zone skipped.
const PASSED_OVER: u32 = 90_000;
/// The longest gap of any time zone, in minutes.
const LONGEST_GAP: u32 = 26 * 60;

/// The occurrences of a schedule, in its zone.
#[derive(Debug, Clone)]
pub struct Occurrences<'a> {
    schedule: &'a Schedule,
    zone: Zone,
}

/// The occurrences in a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct OccurrenceRange {
    /// The newest ones, oldest first.
    pub(super) newest: Vec<UnixMillis>,
    /// The first one.
    pub(super) first: Option<UnixMillis>,
    /// Their number, or `COUNTED`.
    pub(super) count: u64,
    /// Whether there are more than `count`.
    pub(super) more: bool,
}

impl<'a> Occurrences<'a> {
    /// The occurrences of `schedule`; `host` is the zone of a cron schedule that names none.
    pub fn of(schedule: &'a Schedule, host: &Zone) -> Self {
        let zone = match schedule {
            Schedule::Cron { timezone: Some(zone), .. } => zone,
            _ => host,
        };
        Self { schedule, zone: zone.clone() }
    }

    /// The zone of a cron expression.
    pub fn zone(&self) -> &Zone {
        &self.zone
    }

    /// The first one after `reference`; `None` if there is none.
    pub fn after(&self, reference: UnixMillis) -> Option<UnixMillis> {
        match self.schedule {
            Schedule::Every(every) => reference.checked_add(millis(*every).max(1)),
            Schedule::Cron { cron, .. } if names_its_times(cron) => wall_after(cron, &self.zone, reference),
            Schedule::Cron { cron, .. } => {
                let start = whole_second(reference)?.with_timezone(&self.zone);
                Some(cron.find_next_occurrence(&start, false).ok()?.timestamp_millis())
            }
        }
    }

    /// Whether the schedule has fixed times of day, so that none may occur twice.
    pub(super) fn are_named(&self) -> bool {
        matches!(self.schedule, Schedule::Cron { cron, .. } if names_its_times(cron))
    }

    /// The first one after `horizon`. `reference` is the last occurrence, and gives an interval its phase.
    pub(super) fn beyond(&self, reference: UnixMillis, horizon: UnixMillis) -> Option<UnixMillis> {
        let Schedule::Every(every) = self.schedule else { return self.after(reference.max(horizon)) };
        let every = millis(*every).max(1);
        let passed = horizon.saturating_sub(reference).max(0) / every;
        reference.checked_add(every.checked_mul(passed + 1)?)
    }

    /// Those after `reference` up to `horizon`: the newest `keep`, and their number.
    ///
    /// The work is bounded for any period.
    pub(super) fn between(&self, reference: UnixMillis, horizon: UnixMillis, keep: usize) -> OccurrenceRange {
        if let Schedule::Every(every) = self.schedule {
            return even(reference, horizon, millis(*every).max(1), keep);
        }
        let mut found = OccurrenceRange { newest: Vec::new(), first: None, count: 0, more: false };
        let mut newest = VecDeque::new();
        let mut at = reference;
        while let Some(next) = self.after(at).filter(|next| *next <= horizon) {
            if found.count == COUNTED {
                found.more = true;
                break;
            }
            found.first.get_or_insert(next);
            found.count += 1;
            push(&mut newest, next, keep);
            at = next;
        }
        if found.more {
            newest = self.newest(reference, horizon, keep);
        }
        found.newest = newest.into();
        found
    }

    /// The newest ones, searched from the end in growing steps.
    fn newest(&self, reference: UnixMillis, horizon: UnixMillis, keep: usize) -> VecDeque<UnixMillis> {
        let mut span = 60_000;
        loop {
            let start = horizon.saturating_sub(span).max(reference);
            let mut newest = VecDeque::new();
            let mut at = start;
            while let Some(next) = self.after(at).filter(|next| *next <= horizon) {
                push(&mut newest, next, keep);
                at = next;
            }
            if newest.len() >= keep || start == reference {
                return newest;
            }
            span *= 4;
        }
    }
}

/// The schedule of a job as the ledger stores it. Another text is another schedule.
pub(super) fn fingerprint(job: &Job) -> String {
    match &job.schedule {
        _ if !job.enabled => DISABLED.to_owned(),
        Schedule::Every(every) => format!("every {} ms", millis(*every)),
        Schedule::Cron { text, timezone: Some(zone), .. } => format!("{} in {zone}", text.trim()),
        Schedule::Cron { text, timezone: None, .. } => text.trim().to_owned(),
    }
}

fn push(newest: &mut VecDeque<UnixMillis>, next: UnixMillis, keep: usize) {
    if newest.len() == keep.max(1) {
        newest.pop_front();
    }
    newest.push_back(next);
}

fn even(reference: UnixMillis, horizon: UnixMillis, every: i64, keep: usize) -> OccurrenceRange {
    let count = horizon.saturating_sub(reference).max(0) / every;
    let kept = count.min(i64::try_from(keep.max(1)).unwrap_or(i64::MAX));
    OccurrenceRange {
        newest: (count - kept + 1..=count).map(|n| reference + n * every).collect(),
        first: (count > 0).then(|| reference + every),
        count: count.unsigned_abs().min(COUNTED),
        more: count.unsigned_abs() > COUNTED,
    }
}

/// Whether hours and minutes are fixed, so that each occurrence is a wall clock time.
fn names_its_times(cron: &Cron) -> bool {
    [&cron.pattern.hours, &cron.pattern.minutes].into_iter().all(|field| !field.from_wildcard && field.step <= 1)
}

/// Follows the wall clock without clock changes, then resolves the time in the zone.
///
/// croner does this for one time a day only: `0 2,14 * * *` would skip a day in spring and run twice in autumn.
fn wall_after(cron: &Cron, zone: &Zone, reference: UnixMillis) -> Option<UnixMillis> {
    let mut wall = whole_second(reference)?.with_timezone(zone).naive_local().and_utc();
    for _ in 0..PASSED_OVER {
        wall = cron.find_next_occurrence(&wall, false).ok()?;
        let moment = moment_of(zone, wall.naive_utc())?;
        if moment > reference {
            return Some(moment);
        }
    }
    None
}

/// The first time at which `zone` shows `wall`, or the end of the gap that skips it.
fn moment_of(zone: &Zone, wall: NaiveDateTime) -> Option<UnixMillis> {
    if let Some(moment) = zone.from_local_datetime(&wall).earliest() {
        return Some(moment.timestamp_millis());
    }
    let mut later = wall.with_second(0)?;
    for _ in 0..LONGEST_GAP {
        later = later.checked_add_signed(TimeDelta::minutes(1))?;
        if let Some(moment) = zone.from_local_datetime(&later).earliest() {
            return Some(moment.timestamp_millis());
        }
    }
    None
}

fn whole_second(at: UnixMillis) -> Option<DateTime<Utc>> {
    DateTime::from_timestamp(at.div_euclid(1_000), 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jobs::testing::at;
    use crate::jobs::testing::cron;
    use crate::jobs::testing::local;
    use std::time::Duration;

    fn named(zone: &str) -> Zone {
        zone.parse().unwrap()
    }

    fn days(schedule: &str, zone: &Zone, from: &str, to: &str) -> Vec<String> {
        let schedule = cron(schedule, Some(zone.clone()));
        let occurrences = Occurrences::of(&schedule, &Zone::UTC);
        let (mut found, mut moment) = (vec![], at(from));
        while let Some(next) = occurrences.after(moment).filter(|next| *next <= at(to)) {
            assert!(next > moment, "moments increase");
            found.push(local(next, zone));
            moment = next;
        }
        found
    }

    #[test]
    fn a_time_that_spring_skips_occurs_once_at_the_end_of_the_gap() {
        let berlin = days("30 2 * * *", &named("Europe/Berlin"), "2026-03-28T12:00:00Z", "2026-03-30T12:00:00Z");
        assert_eq!(berlin, ["2026-03-29T03:00:00+02:00", "2026-03-30T02:30:00+02:00"]);
        let new_york = days("30 2 * * *", &named("America/New_York"), "2026-03-07T12:00:00Z", "2026-03-09T12:00:00Z");
        assert_eq!(new_york, ["2026-03-08T03:00:00-04:00", "2026-03-09T02:30:00-04:00"]);
        let lord_howe =
            days("10 2 * * *", &named("Australia/Lord_Howe"), "2026-10-02T20:00:00Z", "2026-10-04T20:00:00Z");
        assert_eq!(lord_howe, ["2026-10-04T02:30:00+11:00", "2026-10-05T02:10:00+11:00"]);
    }

    #[test]
    fn a_time_that_autumn_repeats_occurs_once_the_first_time_round() {
        let berlin = days("30 2 * * *", &named("Europe/Berlin"), "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
        assert_eq!(berlin, ["2026-10-25T02:30:00+02:00", "2026-10-26T02:30:00+01:00"]);
        let new_york = days("30 1 * * *", &named("America/New_York"), "2026-10-31T12:00:00Z", "2026-11-02T12:00:00Z");
        assert_eq!(new_york, ["2026-11-01T01:30:00-04:00", "2026-11-02T01:30:00-05:00"]);
        let lord_howe =
            days("45 1 * * *", &named("Australia/Lord_Howe"), "2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z");
        assert_eq!(lord_howe, ["2026-04-05T01:45:00+11:00", "2026-04-06T01:45:00+10:30"]);
    }

    #[test]
    fn several_listed_times_occur_once_each_too() {
        let spring = days("0,30 2,14 * * *", &named("Europe/Berlin"), "2026-03-28T23:30:00Z", "2026-03-29T20:00:00Z");
        let two = ["2026-03-29T14:00:00+02:00", "2026-03-29T14:30:00+02:00"];
        assert_eq!(spring, ["2026-03-29T03:00:00+02:00", two[0], two[1]], "both skipped times are the one at its end");
        let autumn = days("0 2,14 * * *", &named("Europe/Berlin"), "2026-10-24T22:00:00Z", "2026-10-25T20:00:00Z");
        assert_eq!(autumn, ["2026-10-25T02:00:00+02:00", "2026-10-25T14:00:00+01:00"]);
    }

    #[test]
    fn a_wildcard_follows_the_running_clock() {
        let autumn = days("*/30 * * * *", &named("Europe/Berlin"), "2026-10-24T23:59:00Z", "2026-10-25T02:00:00Z");
        assert_eq!(autumn.len(), 5, "{autumn:?}");
        let spring = days("0 * * * *", &named("Europe/Berlin"), "2026-03-29T00:00:00Z", "2026-03-29T03:00:00Z");
        assert_eq!(spring.len(), 3, "{spring:?}");
    }

    #[test]
    fn every_day_of_a_year_has_its_occurrence_once_in_every_kind_of_zone() {
        let zones = [
            named("Europe/Berlin"),
            named("America/New_York"),
            named("Australia/Lord_Howe"),
            named("Asia/Kolkata"),
            named("America/Sao_Paulo"),
            named("Asia/Tehran"),
            named("Africa/Casablanca"),
            named("Pacific/Chatham"),
            Zone::UTC,
        ];
        for zone in &zones {
            for time in ["30 2 * * *", "30 1 * * *", "0 0 * * *", "15 3 * * *"] {
                let found = days(time, zone, "2026-01-01T12:00:00Z", "2027-01-01T12:00:00Z");
                let mut dates: Vec<&str> = found.iter().map(|moment| &moment[..10]).collect();
                dates.dedup();
                assert_eq!((found.len(), dates.len()), (365, 365), "{zone} {time}");
            }
        }
    }

    #[test]
    fn a_day_that_a_zone_never_had_is_made_good_at_the_start_of_the_next() {
        let apia = days("0 12 * * *", &named("Pacific/Apia"), "2011-12-29T12:00:00Z", "2011-12-31T12:00:00Z");
        let expected = ["2011-12-29T12:00:00-10:00", "2011-12-31T00:00:00+14:00", "2011-12-31T12:00:00+14:00"];
        assert_eq!(apia, expected);
    }

    #[test]
    fn a_long_stretch_is_counted_to_a_bound_and_its_newest_are_exact() {
        let schedule = cron("*/5 * * * *", None);
        let occurrences = Occurrences::of(&schedule, &Zone::UTC);
        let found = occurrences.between(at("2016-01-01T00:00:00Z"), at("2026-01-01T00:02:00Z"), 2);
        assert_eq!((found.count, found.more), (COUNTED, true));
        assert_eq!(found.first, Some(at("2016-01-01T00:05:00Z")));
        assert_eq!(found.newest, [at("2025-12-31T23:55:00Z"), at("2026-01-01T00:00:00Z")]);
        let every = Schedule::Every(Duration::from_secs(300));
        let even =
            Occurrences::of(&every, &Zone::UTC).between(at("2016-01-01T00:00:00Z"), at("2026-01-01T00:02:00Z"), 2);
        assert_eq!((even.newest, even.first, even.more), (found.newest, found.first, true));
    }

    #[test]
    fn an_impossible_date_has_no_occurrence() {
        let schedule = cron("0 0 31 2 *", None);
        assert_eq!(Occurrences::of(&schedule, &Zone::UTC).after(at("2026-01-01T00:00:00Z")), None);
    }
}
