//! What lies ahead, on a stage where nothing ever runs.
//!
//! Every time in here was reckoned by hand.

use super::*;
use crate::config::CatchUp;
use crate::jobs::testing::RunnerFixture;
use crate::jobs::testing::at;
use crate::jobs::testing::cron;
use crate::jobs::testing::job;
use crate::jobs::testing::work_of;

const MINUTE: Duration = Duration::from_secs(60);

struct Plain;

impl ForecastObserver for Plain {
    fn idle(&self, job: &Job, _: UnixMillis) -> Option<String> {
        (job.name == "useless").then(|| "the cache is disabled".to_owned())
    }
    fn mails(&self) -> bool {
        true
    }
}

fn stage() -> RunnerFixture {
    RunnerFixture::new(|_| work_of("ok"))
}

fn simulated(stage: &RunnerFixture, jobs: &[Job], from: &str, to: &str) -> Vec<(String, &'static str)> {
    let found = simulate(jobs, &[], at(from), at(to), &stage.context, &Plain).unwrap();
    found.into_iter().map(|event| (crate::clock::utc(event.at), event.outcome)).collect()
}

#[test]
fn the_next_run_of_each_job_has_its_zone_and_jitter() {
    let stage = stage();
    let berlin: Zone = "Europe/Berlin".parse().unwrap();
    let nightly = Job { schedule: cron("0 3 * * *", Some(berlin)), jitter: 10 * MINUTE, ..job("nightly") };
    let often = Job { schedule: Schedule::Every(5 * MINUTE), ..job("often") };
    let off = Job { enabled: false, ..job("off") };
    let jobs = [nightly, often, off];
    let found = next_runs(&jobs, &[], None, &stage.context).unwrap();
    let [first, second] = &found[..] else { panic!("{found:?}") };
    assert_eq!((first.job.as_str(), first.is_due, first.timezone.as_str()), ("often", true, "UTC"));
    assert_eq!(second.occurrence, at("2026-06-02T01:00:00Z"));
    assert!(second.jitter_ms > 0 && second.at == second.occurrence + second.jitter_ms);
    assert!(second.local.starts_with("2026-06-02T03:0") && second.local.ends_with("+02:00"), "{}", second.local);
    let three = next_runs(&jobs, &["nightly".into()], Some(3), &stage.context).unwrap();
    assert_eq!((three.len(), three[2].occurrence), (3, at("2026-06-04T01:00:00Z")));
    let mixed = next_runs(&jobs, &[], Some(4), &stage.context).unwrap();
    assert!(mixed.iter().all(|coming| coming.job == "often"), "the four that come first");
    assert_eq!(next_runs(&jobs, &["off".into()], None, &stage.context).unwrap().len(), 1, "asked for by name");
    assert!(next_runs(&jobs, &["ofen".into()], None, &stage.context).is_err());
    assert!(stage.context.ledger.history(None, 9).unwrap().is_empty() && stage.names().is_empty());
}

#[test]
fn a_stretch_over_the_autumn_change_has_each_listed_time_once() {
    let stage = stage();
    let berlin: Zone = "Europe/Berlin".parse().unwrap();
    let job = Job { schedule: cron("30 2 * * *", Some(berlin)), ..job("nightly") };
    let found = simulated(&stage, &[job], "2026-10-24T12:00:00Z", "2026-10-26T12:00:00Z");
    assert_eq!(found, [("2026-10-25T00:30:00Z".into(), "run"), ("2026-10-26T01:30:00Z".into(), "run")]);
}

#[test]
fn pauses_idle_kinds_and_long_runs_are_skipped_with_their_reasons() {
    let stage = stage();
    let ledger = &stage.context.ledger;
    ledger.pause(Some("paused"), Some(at("2026-06-01T13:30:00Z")), "moving house", 0).unwrap();
    let entry = crate::jobs::testing::entry("long", 0);
    let id = ledger.begin(&entry).unwrap();
    let end = crate::jobs::ledger::End {
        took_ms: 5_400_000,
        ..crate::jobs::testing::end(crate::jobs::outcome::RunOutcome::Done, "ok")
    };
    ledger.finish(id, &end, 9).unwrap();
    let jobs = [job("paused"), job("useless"), job("long"), job("well")];
    let found =
        simulate(&jobs, &[], at("2026-06-01T12:30:00Z"), at("2026-06-01T15:30:00Z"), &stage.context, &Plain).unwrap();
    let of = |name: &str| -> Vec<(&str, &str)> {
        found.iter().filter(|e| e.job == name).map(|e| (e.outcome, e.reason.as_str())).collect()
    };
    assert_eq!(of("paused").iter().map(|(outcome, _)| *outcome).collect::<Vec<_>>(), ["skipped", "run", "run"]);
    assert!(of("paused")[0].1.contains("moving house"));
    assert!(of("useless").iter().all(|event| *event == ("skipped", "the cache is disabled")));
    assert_eq!(of("long").iter().map(|(outcome, _)| *outcome).collect::<Vec<_>>(), ["run", "skipped", "run"]);
    assert_eq!(of("long")[1].1, "the previous run is still ongoing: the last one took 1h 30m");
    assert_eq!(of("well").len(), 3);
    assert!(found.iter().all(|event| event.mail == if event.outcome == "run" { "on-change" } else { "never" }));
}

#[test]
fn a_simulation_from_now_uses_the_ledger_and_runs_overdue_jobs_first() {
    let stage = stage();
    let hourly = Job { catch_up: CatchUp::Latest, ..job("hourly") };
    let jobs = [hourly];
    next_runs(&jobs, &[], None, &stage.context).unwrap();
    stage.context.ledger.register("hourly", "", "0 * * * *", at("2026-06-01T09:30:00Z")).unwrap();
    let found = simulated(&stage, &jobs, "2026-06-01T12:00:00Z", "2026-06-01T13:10:00Z");
    let expected = [("12:00:00", "missed"), ("12:00:00", "run"), ("13:00:00", "run")];
    assert_eq!(found, expected.map(|(time, outcome)| (format!("2026-06-01T{time}Z"), outcome)));
}

#[test]
fn an_interval_keeps_its_phase() {
    let stage = stage();
    let job = Job { schedule: Schedule::Every(7 * MINUTE), ..job("often") };
    stage.context.ledger.register("often", "", &fingerprint(&job), 0).unwrap();
    stage.context.ledger.record_occurrence("often", "", at("2026-06-01T12:00:00Z")).unwrap();
    let found = simulated(&stage, &[job], "2026-06-02T00:00:00Z", "2026-06-02T00:10:00Z");
    // 12 hours are 102 intervals of 7 minutes and 6 minutes: one is due a minute later, at 00:01.
    assert_eq!(found, [("2026-06-02T00:01:00Z".into(), "run"), ("2026-06-02T00:08:00Z".into(), "run")]);
}
