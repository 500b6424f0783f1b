//! The runner, with works that do as each test says.
//!
//! Timeouts and graces are a fraction of a second, and nothing is asserted about how fast the host is.

use super::*;
use crate::config::{CatchUp, Overlap, Retry, Schedule};
use crate::health::{Finding, Level};
use crate::jobs::context::Slots;
use crate::jobs::handler::JobResult;
use crate::jobs::lock::{JobLock, LockHolder};
use crate::jobs::lock_path::queue_of;
use crate::jobs::outcome::{RunOutcome, exit_code};
use crate::jobs::runner::run;
use crate::jobs::testing::Doing;
use crate::jobs::testing::RunnerFixture;
use crate::jobs::testing::at;
use crate::jobs::testing::cron;
use crate::jobs::testing::entry;
use crate::jobs::testing::job;
use crate::jobs::testing::work_of;
use crate::secure_fs::Access;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::Notify;

const MINUTE: Duration = Duration::from_secs(60);

fn named(name: &str) -> JobSelection {
    JobSelection::Named(vec![name.to_owned()])
}

fn kind(name: &str, kind: JobKind) -> Job {
    Job { kind, ..job(name) }
}

fn warm() -> JobKind {
    JobKind::Warm { resources: vec![], budget: 0 }
}

fn doing(work: JobResult) -> Doing {
    Box::pin(async move { work })
}

fn forever() -> Doing {
    Box::pin(std::future::pending())
}

fn outcomes(reports: &[RunReport]) -> Vec<(String, RunOutcome)> {
    reports.iter().map(|report| (report.job.clone(), report.outcome)).collect()
}

fn held_elsewhere(stage: &RunnerFixture, name: &str, begun: bool) -> JobLock {
    let holder = LockHolder { pid: 4711, host: "there".into(), since: at("2026-06-01T11:00:00Z"), begun };
    let path = path_of(&stage.context.state_dir, name, "");
    JobLock::try_acquire(&path, Access::Owner, &holder).unwrap().unwrap()
}

#[tokio::test]
async fn what_is_due_runs_once_and_the_ledger_says_how_it_went() {
    let stage = RunnerFixture::new(|_| doing(JobResult::done("removed 3 entries").with_calls(7)));
    let jobs = [job("hourly")];
    assert!(
        run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty(),
        "first seen: at its next occurrence"
    );
    stage.clock.advance(61 * MINUTE);
    let reports = run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("hourly".into(), RunOutcome::Done)]);
    assert_eq!((reports[0].calls, reports[0].exit, reports[0].reason.as_str()), (7, 0, "removed 3 entries"));
    assert_eq!(reports[0].scheduled_at, Some(at("2026-06-01T13:00:00Z")));
    assert_eq!(stage.given()[0].run.next_due, Some(at("2026-06-01T14:00:00Z")));
    assert!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty());
    let history = stage.context.ledger.history(None, 10).unwrap();
    assert_eq!((history.len(), history[0].outcome, history[0].calls), (1, Some(RunOutcome::Done), 7));
}

#[tokio::test]
async fn an_interval_that_ran_on_request_is_not_due_immediately() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let jobs = [Job { schedule: Schedule::Every(5 * MINUTE), ..job("often") }];
    run(&jobs, &JobSelection::All, &stage.context).await.unwrap();
    assert!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty());
    stage.clock.advance(5 * MINUTE);
    assert_eq!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().len(), 1);
    assert_eq!(stage.given()[1].run.next_due, Some(at("2026-06-01T12:10:00Z")));
}

#[tokio::test]
async fn one_failure_stops_no_other_job_and_no_other_profile() {
    let stage = RunnerFixture::new(|given| match (given.job.as_str(), given.run.profile.as_deref()) {
        ("two", Some("bad")) => doing(JobResult::failed("AWS refused ListUsers", 4)),
        ("three", _) => panic!("an index was wrong"),
        _ => work_of("ok"),
    });
    let two = Job { profiles: vec!["good".into(), "bad".into(), "other".into()], ..job("two") };
    let reports = run(&[job("one"), two, job("three"), job("four")], &JobSelection::All, &stage.context).await.unwrap();
    let words: Vec<_> =
        reports.iter().map(|report| (report.job.as_str(), report.profile.as_deref(), report.outcome)).collect();
    let expected = [
        ("one", None, RunOutcome::Done),
        ("two", Some("good"), RunOutcome::Done),
        ("two", Some("bad"), RunOutcome::Failed),
        ("two", Some("other"), RunOutcome::Done),
        ("three", None, RunOutcome::Failed),
        ("four", None, RunOutcome::Done),
    ];
    assert_eq!(words, expected);
    assert_eq!(reports[4].reason, "panicked: an index was wrong");
    assert_eq!(exit_code(&reports), 4);
    let ledger = &stage.context.ledger;
    assert_eq!(ledger.last_ended("two", "bad").unwrap().unwrap().exit, 4);
    assert!(ledger.last_success("two", "good").unwrap().is_some());
}

#[tokio::test]
async fn a_whole_pass_ends_with_the_health_check_and_due_jobs_start_with_the_short() {
    let mut stage = RunnerFixture::new(|_| work_of("ok"));
    stage.context.slots = Slots::new(1);
    let every = |job: Job| Job { schedule: Schedule::Every(MINUTE), ..job };
    let jobs = [
        every(kind("a-health", JobKind::HealthCheck)),
        every(kind("b-warm", warm())),
        every(kind("c-limits", JobKind::EnforceLimits)),
        every(kind("d-cleanup", JobKind::Cleanup)),
        every(kind("e-warm", warm())),
        Job { enabled: false, ..kind("f-off", JobKind::Cleanup) },
    ];
    run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    assert_eq!(stage.names(), ["a-health", "c-limits", "d-cleanup", "b-warm", "e-warm"]);
    run(&jobs, &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!(stage.names()[5..], ["b-warm", "e-warm", "d-cleanup", "c-limits", "a-health"]);
    let names = ["f-off", "b-warm", "f-off"].map(str::to_owned).to_vec();
    run(&jobs, &JobSelection::Named(names), &stage.context).await.unwrap();
    assert_eq!(stage.names()[10..], ["f-off", "b-warm"]);
}

#[tokio::test]
async fn an_unknown_name_is_an_error_with_the_nearest_and_nothing_runs() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let wanted = JobSelection::Named(vec!["cleanup".into(), "wram".into()]);
    let error = run(&[job("warm"), job("cleanup")], &wanted, &stage.context).await.unwrap_err();
    assert_eq!(error.to_string(), "no job is named `wram` (did you mean `warm`?); the jobs are: warm, cleanup");
    assert!(stage.names().is_empty());
}

#[tokio::test]
async fn only_a_retryable_failure_is_tried_again_and_its_calls_are_added_up() {
    let attempts = AtomicU32::new(0);
    let stage = RunnerFixture::new(move |given| match given.job.as_str() {
        "shaky" if attempts.fetch_add(1, Ordering::SeqCst) < 2 => {
            doing(JobResult::failed_for_now("throttled", 13).with_calls(5))
        }
        "shaky" => doing(JobResult::done("ok").with_calls(5)),
        "hopeless" => doing(JobResult::failed_for_now("unreachable", 13)),
        _ => doing(JobResult::failed("access denied", 4)),
    });
    let patient = |name| Job { retry: Retry { attempts: 3, delay: Duration::from_millis(20) }, ..job(name) };
    let jobs = [patient("shaky"), patient("denied"), patient("hopeless")];
    let reports = run(&jobs, &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!((reports[0].outcome, reports[0].attempt, reports[0].calls), (RunOutcome::Done, 3, 15));
    assert!(reports[0].took_ms >= 60, "20 and 40 ms between the attempts: {}", reports[0].took_ms);
    assert_eq!((reports[1].outcome, reports[1].attempt, reports[1].retryable), (RunOutcome::Failed, 1, false));
    assert_eq!((reports[2].outcome, reports[2].attempt, reports[2].retryable), (RunOutcome::Failed, 3, true));
    assert_eq!(exit_code(&reports), 4);
}

#[tokio::test]
async fn attempts_that_do_not_fit_into_the_timeout_are_not_made() {
    let stage = RunnerFixture::new(|_| doing(JobResult::failed_for_now("throttled", 13)));
    let jobs = [Job { retry: Retry { attempts: 9, delay: 2 * MINUTE }, ..job("a") }];
    let reports = run(&jobs, &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!((reports[0].outcome, reports[0].attempt, reports[0].exit), (RunOutcome::Failed, 1, 13));
    assert!(reports[0].took_ms < 60_000);
}

#[tokio::test]
async fn work_that_hangs_is_asked_to_stop_and_then_aborted_and_its_lock_is_free() {
    let mut stage = RunnerFixture::new(|given| {
        let stop = given.stop.clone();
        match given.job.as_str() {
            "deaf" => forever(),
            _ => Box::pin(async move {
                stop.wait().await;
                JobResult::failed_for_now("stopped after 12 pages", 1).with_calls(12)
            }),
        }
    });
    stage.context.grace = Duration::from_millis(200);
    let short = |name| Job { timeout: Duration::from_millis(100), ..job(name) };
    let reports = run(&[short("deaf"), short("polite")], &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("deaf".into(), RunOutcome::TimedOut), ("polite".into(), RunOutcome::TimedOut)]);
    let deaf =
        "it did not finish within its timeout of 100ms; it did not end within the grace of 200ms and was aborted";
    assert_eq!((reports[0].reason.as_str(), reports[0].exit), (deaf, 1));
    assert!(reports[0].took_ms >= 300, "{}", reports[0].took_ms);
    let polite = "it did not finish within its timeout of 100ms; it ended within the grace: stopped after 12 pages";
    assert_eq!((reports[1].reason.as_str(), reports[1].calls), (polite, 12));
    let again = run(&[short("deaf")], &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!(again[0].outcome, RunOutcome::TimedOut, "not held");
}

#[tokio::test]
async fn a_stop_request_cancels_running_jobs_and_starts_none() {
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let mut stage = RunnerFixture::new(move |_| {
        begins.notify_one();
        forever()
    });
    stage.context.slots = Slots::new(1);
    stage.context.grace = Duration::from_millis(50);
    let stop = stage.context.stop.clone();
    tokio::spawn(async move {
        begun.notified().await;
        stop.set();
    });
    let reports = run(&[job("one"), job("two")], &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("one".into(), RunOutcome::Cancelled), ("two".into(), RunOutcome::Cancelled)]);
    assert_eq!((stage.names().len(), exit_code(&reports)), (1, 130));
    assert_eq!(stage.context.ledger.history(Some("two"), 9).unwrap(), []);
}

#[tokio::test]
async fn a_job_that_another_process_holds_is_skipped_with_its_name_and_that_is_no_error() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let _held = held_elsewhere(&stage, "a", true);
    let reports = run(&[job("a"), job("b")], &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("a".into(), RunOutcome::Skipped), ("b".into(), RunOutcome::Done)]);
    assert_eq!(reports[0].reason, "held by pid 4711 on there since 2026-06-01T11:00:00Z");
    assert_eq!(exit_code(&reports), 0);
}

#[tokio::test]
async fn an_occurrence_that_another_runner_is_about_to_begin_is_left_to_it() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let jobs = [Job { schedule: Schedule::Every(MINUTE), ..job("a") }];
    let held = held_elsewhere(&stage, "a", false);
    assert!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty());
    assert!(stage.context.ledger.history(None, 9).unwrap().is_empty());
    drop(held);
    assert_eq!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap()[0].outcome, RunOutcome::Done);
}

#[tokio::test]
async fn an_occurrence_that_falls_into_a_run_is_skipped_once_and_recorded() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let jobs = [job("a")];
    run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    let held = held_elsewhere(&stage, "a", true);
    let entry = entry("a", stage.context.clock.now());
    stage.context.ledger.begin(&entry).unwrap();
    stage.clock.advance(61 * MINUTE);
    let reports = run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("a".into(), RunOutcome::Skipped)]);
    assert!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty());
    let listed = crate::jobs::list::list(&jobs, &stage.context).unwrap();
    let running = "held by pid 4711 on there since 2026-06-01T11:00:00Z, past its timeout of 1m; `awsideman jobs cancel a` ends it";
    assert_eq!(listed[0].running.as_deref(), Some(running));
    drop(held);
    assert_eq!(crate::jobs::list::list(&jobs, &stage.context).unwrap()[0].last_outcome, Some(RunOutcome::Crashed));
}

#[tokio::test]
async fn a_run_whose_runner_died_is_recorded_as_crashed_by_the_next() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let entry = entry("a", stage.context.clock.now() - 1_000);
    stage.context.ledger.begin(&entry).unwrap();
    let reports = run(&[job("a")], &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("a".into(), RunOutcome::Crashed), ("a".into(), RunOutcome::Done)]);
    assert_eq!(exit_code(&reports), 1);
    let history = stage.context.ledger.history(Some("a"), 9).unwrap();
    assert_eq!(
        history.iter().map(|row| row.outcome).collect::<Vec<_>>(),
        [Some(RunOutcome::Done), Some(RunOutcome::Crashed)]
    );
}

#[tokio::test]
async fn a_pass_in_which_nothing_is_due_records_a_crash_too() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let jobs = [job("a")];
    run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    let entry = entry("a", stage.context.clock.now());
    stage.context.ledger.begin(&entry).unwrap();
    let held = held_elsewhere(&stage, "a", true);
    assert!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty(), "it runs");
    drop(held);
    let reports = run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("a".into(), RunOutcome::Crashed)]);
    assert!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_clock_set_back_is_remembered_once_and_delays_by_one_interval_at_most() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let jobs = [Job { schedule: Schedule::Every(5 * MINUTE), ..job("a") }];
    run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    stage.clock.set(at("2025-06-01T12:00:00Z"));
    for _ in 0..5 {
        assert!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty());
        stage.clock.advance(MINUTE);
    }
    assert_eq!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().len(), 1);
}

#[tokio::test]
async fn queue_one_waits_for_the_ongoing_run_and_replace_ends_it() {
    for (overlap, first) in [(Overlap::QueueOne, RunOutcome::Done), (Overlap::Replace, RunOutcome::Cancelled)] {
        let (begun, over) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
        let (begins, ends) = (Arc::clone(&begun), Arc::clone(&over));
        let calls = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&calls);
        let stage = RunnerFixture::new(move |given| {
            let (call, stop, ends) = (counted.fetch_add(1, Ordering::SeqCst), given.stop.clone(), Arc::clone(&ends));
            begins.notify_one();
            Box::pin(async move {
                if call > 0 {
                    return JobResult::done("ok");
                }
                tokio::select! {
                    () = ends.notified() => JobResult::done("ok"),
                    () = stop.wait() => JobResult::failed_for_now("stopped", 1),
                }
            })
        });
        let jobs = [Job { overlap, ..job("a") }];
        let (rival, third, wanted) = (stage.rival(), stage.rival(), named("a"));
        let queue = queue_of(&path_of(&stage.context.state_dir, "a", ""));
        let second = async {
            begun.notified().await;
            run(&jobs, &wanted, &rival).await.unwrap()
        };
        let last = async {
            while !queue.exists() {
                tokio::task::yield_now().await;
            }
            let reports = run(&jobs, &wanted, &third).await.unwrap();
            if overlap == Overlap::QueueOne {
                over.notify_one();
            }
            reports
        };
        let (one, two, three) = tokio::join!(run(&jobs, &wanted, &stage.context), second, last);
        assert_eq!((one.unwrap()[0].outcome, two[0].outcome), (first, RunOutcome::Done), "{overlap:?}");
        assert_eq!(three[0].outcome, RunOutcome::Skipped, "one waits, not two");
        assert_eq!(calls.load(Ordering::SeqCst), 2);
    }
}

#[tokio::test]
async fn two_concurrent_runners_run_each_occurrence_once() {
    let stage = RunnerFixture::new(|_| {
        Box::pin(async {
            tokio::task::yield_now().await;
            JobResult::done("ok")
        })
    });
    let jobs: Vec<Job> =
        ["a", "b", "c", "d"].map(|name| Job { schedule: Schedule::Every(MINUTE), ..job(name) }).to_vec();
    let rival = stage.rival();
    for _ in 0..5 {
        let (one, two) =
            tokio::join!(run(&jobs, &JobSelection::Due, &stage.context), run(&jobs, &JobSelection::Due, &rival));
        let done = one.unwrap().into_iter().chain(two.unwrap()).filter(|report| report.outcome == RunOutcome::Done);
        assert_eq!(done.count(), 4);
        stage.clock.advance(MINUTE);
    }
    assert_eq!(stage.names().len(), 20);
}

#[tokio::test]
async fn a_paused_job_is_skipped_with_the_reason_and_its_occurrence_is_over() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let jobs = [Job { schedule: Schedule::Every(5 * MINUTE), ..job("a") }];
    stage.context.ledger.pause(None, None, "maintenance", 0).unwrap();
    let reports = run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("a".into(), RunOutcome::Skipped)]);
    assert_eq!(reports[0].reason, "paused until it is resumed (maintenance); `awsideman jobs resume` ends it");
    assert!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap().is_empty());
    stage.context.ledger.resume(None, 0).unwrap();
    stage.clock.advance(5 * MINUTE);
    assert_eq!(run(&jobs, &JobSelection::Due, &stage.context).await.unwrap()[0].outcome, RunOutcome::Done);
    assert_eq!(stage.names().len(), 1);
}

#[tokio::test]
async fn misses_are_recorded_and_a_disabled_period_has_none() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let hourly = job("a");
    let disabled = Job { enabled: false, ..job("a") };
    run(std::slice::from_ref(&hourly), &JobSelection::Due, &stage.context).await.unwrap();
    stage.clock.advance(5 * 60 * MINUTE);
    let reports = run(std::slice::from_ref(&hourly), &JobSelection::Due, &stage.context).await.unwrap();
    assert_eq!(outcomes(&reports), [("a".into(), RunOutcome::Missed), ("a".into(), RunOutcome::Done)]);
    let expected = "4 occurrences from 2026-06-01T13:00:00Z to 2026-06-01T16:00:00Z: no runner was active; \
                    only the latest is caught up (catch_up = \"latest\")";
    assert_eq!((reports[0].reason.as_str(), reports[0].exit), (expected, 0));
    run(&[disabled], &JobSelection::Due, &stage.context).await.unwrap();
    stage.clock.advance(5 * 60 * MINUTE + MINUTE);
    assert!(run(&[hourly], &JobSelection::Due, &stage.context).await.unwrap().is_empty());
}

#[tokio::test]
async fn a_changed_schedule_catches_nothing_up() {
    let stage = RunnerFixture::new(|_| work_of("ok"));
    let all = CatchUp::All { limit: 10, window: 24 * 60 * MINUTE };
    run(&[job("a")], &JobSelection::Due, &stage.context).await.unwrap();
    stage.clock.advance(30 * MINUTE);
    let changed = [Job { schedule: cron("* * * * *", None), catch_up: all, ..job("a") }];
    assert!(run(&changed, &JobSelection::Due, &stage.context).await.unwrap().is_empty());
    stage.clock.advance(3 * MINUTE);
    assert_eq!(run(&changed, &JobSelection::Due, &stage.context).await.unwrap().len(), 3, "and then it catches up");
    let given = stage.given();
    assert!(given.windows(2).all(|pair| pair[0].run.scheduled_at < pair[1].run.scheduled_at));
}

#[tokio::test]
async fn findings_travel_in_the_report_and_set_its_exit_code() {
    let finding = Finding {
        key: "hit_rate".into(),
        level: Level::Critical,
        message: "Low cache hit rate: 40.0%".into(),
        hint: "awsideman cache warm".into(),
        recovered: false,
    };
    let found = finding.clone();
    let stage = RunnerFixture::new(move |_| {
        doing(JobResult::done("1 finding").with_exit(6).with_findings(vec![found.clone()]))
    });
    let reports = run(&[kind("health", JobKind::HealthCheck)], &JobSelection::All, &stage.context).await.unwrap();
    assert_eq!((reports[0].outcome, exit_code(&reports), &reports[0].findings), (RunOutcome::Done, 6, &vec![finding]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pass_can_be_a_task() {
    let stage = RunnerFixture::new(|given| {
        if given.job == "skips" { doing(JobResult::skipped("the cache is disabled")) } else { work_of("ok") }
    });
    let context = Arc::new(stage.rival());
    let jobs = vec![job("skips")];
    let pass = tokio::spawn(async move { run(&jobs, &JobSelection::All, &context).await });
    let reports = pass.await.unwrap().unwrap();
    assert_eq!((reports[0].outcome, exit_code(&reports)), (RunOutcome::Skipped, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn work_that_cannot_be_stopped_keeps_its_lock_and_that_is_recorded_at_its_next_occurrence() {
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = std::sync::Mutex::new(blocked);
    let mut stage = RunnerFixture::new(move |_| {
        let _ = blocked.lock().unwrap().recv();
        work_of("ok")
    });
    stage.context.grace = Duration::from_millis(20);
    let jobs = [Job { schedule: Schedule::Every(MINUTE), timeout: Duration::from_millis(20), ..job("a") }];
    let first = run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    assert_eq!(first[0].outcome, RunOutcome::TimedOut);
    stage.clock.advance(MINUTE);
    let second = run(&jobs, &JobSelection::Due, &stage.context).await.unwrap();
    assert_eq!(outcomes(&second), [("a".into(), RunOutcome::Skipped)], "not beside the one that hangs");
    assert!(second[0].reason.starts_with("held by pid "), "{}", second[0].reason);
    drop(release);
}
