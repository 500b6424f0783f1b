//! The thresholds as tables: which figures alarm, which words they use, when they have recovered.
//!
//! Every threshold has a figure on either side.

use super::*;
use crate::config;
use std::time::Duration;

const MB: u64 = 1024 * 1024;
const HOUR: i64 = 3_600_000;

fn settings() -> config::HealthConfig {
    config::HealthConfig {
        hit_rate_warn: 70.0,
        hit_rate_critical: 50.0,
        hit_rate_recovered: None,
        size_mb_warn: None,
        size_mb_critical: None,
        size_mb_recovered: None,
        error_rate_critical: 5.0,
        error_rate_recovered: None,
        free_disk_mb_warn: 1024.0,
        free_disk_mb_critical: 256.0,
        free_disk_mb_recovered: None,
        oldest_warn: Duration::from_secs(86_400),
        disabled_warn: Duration::from_secs(86_400),
        login_warn: Duration::from_secs(86_400),
        min_samples: 50,
        window: Duration::from_secs(86_400),
    }
}

/// A cache in use, with nothing wrong.
fn well() -> Measurements {
    Measurements {
        window_hits: 98,
        window_misses: 2,
        window: Duration::from_secs(86_400),
        held_bytes: 10 * MB,
        limit_bytes: 512 * MB,
        entries: 42,
        oldest_stored_at: Some(100 * HOUR),
        free_disk_bytes: Some(4_096 * MB),
        total_disk_bytes: Some(8_192 * MB),
        now: 101 * HOUR,
        ..Measurements::default()
    }
}

fn check_with(found: &Measurements, health: &config::HealthConfig, key: &str) -> Finding {
    judge(found, health).into_iter().find(|finding| finding.key == key).expect("a finding for each check")
}

fn check(found: &Measurements, key: &str) -> Finding {
    check_with(found, &settings(), key)
}

#[test]
fn every_check_yields_one_finding_in_one_order() {
    let expected = [
        "hit_rate",
        "size",
        "error_rate",
        "free_disk",
        "oldest",
        "breaker",
        "disabled",
        "store",
        "directories",
        "login",
        "jobs",
        "stuck_jobs",
        "switch",
        "state",
        "job_files",
        "notifiers",
        "clock",
        "aws",
        "throttles",
        "limits",
    ];
    for found in [well(), Measurements::default()] {
        let findings = judge(&found, &settings());
        assert_eq!(findings.iter().map(|f| f.key.as_str()).collect::<Vec<_>>(), expected);
        assert!(findings.iter().all(|f| f.level == Level::Ok && f.recovered && f.hint.is_empty()), "{findings:?}");
        assert!(findings.iter().all(|f| !f.message.is_empty()), "{findings:?}");
    }
}

#[test]
fn the_hit_rate_alarms_below_its_thresholds_and_recovers_two_points_above() {
    for (hits, misses, level, recovered) in [
        (400, 600, Level::Critical, false),
        (499, 501, Level::Critical, false),
        (500, 500, Level::Warn, false),
        (519, 481, Level::Warn, false),
        (520, 480, Level::Warn, true),
        (699, 301, Level::Warn, true),
        (700, 300, Level::Ok, true),
    ] {
        let finding = check(&Measurements { window_hits: hits, window_misses: misses, ..well() }, "hit_rate");
        assert_eq!((finding.level, finding.recovered), (level, recovered), "{hits} of 1000: {finding:?}");
    }
    let finding = check(&Measurements { window_hits: 42, window_misses: 58, ..well() }, "hit_rate");
    assert_eq!(finding.message, "Low cache hit rate: 42.0%");
    assert!(finding.hint.starts_with("awsideman "), "{finding:?}");
}

#[test]
fn an_idle_and_a_disabled_cache_have_no_low_hit_rate() {
    let idle = check(&Measurements { window_hits: 0, window_misses: 0, ..well() }, "hit_rate");
    assert_eq!((idle.level, idle.recovered), (Level::Ok, true));
    let few = check(&Measurements { window_hits: 9, window_misses: 40, ..well() }, "hit_rate");
    assert_eq!((few.level, few.recovered), (Level::Ok, false));
    assert!(few.message.contains("49 samples, fewer than 50"), "{few:?}");
    let off = Measurements { window_hits: 0, window_misses: 500, disabled: Some(DisabledCache::default()), ..well() };
    let off = check(&off, "hit_rate");
    assert_eq!((off.level, off.recovered), (Level::Ok, false), "muted, and not taken for recovered");
}

#[test]
fn the_size_is_judged_as_set_or_by_the_limit() {
    let unset = settings();
    let set = config::HealthConfig { size_mb_warn: Some(0.5), size_mb_critical: Some(1.5), ..settings() };
    for (health, limit_mb, held_kb, level, recovered) in [
        (&unset, 0, 300 * 1024, Level::Critical, false),
        (&unset, 100, 300 * 1024, Level::Critical, false),
        (&unset, 100, 150 * 1024, Level::Warn, true),
        (&unset, 100, 99 * 1024, Level::Ok, true),
        (&unset, 512, 300 * 1024, Level::Ok, true),
        (&unset, 512, 512 * 1024, Level::Warn, false),
        (&unset, 512, 512 * 1024 + 1, Level::Critical, false),
        (&unset, 512, 486 * 1024, Level::Warn, true),
        (&set, 512, 400, Level::Ok, true),
        (&set, 512, 600, Level::Warn, true),
        (&set, 512, 1_500, Level::Warn, false),
        (&set, 512, 1_600, Level::Critical, false),
    ] {
        let found = Measurements { held_bytes: held_kb * 1024, limit_bytes: limit_mb * MB, ..well() };
        let finding = check_with(&found, health, "size");
        assert_eq!((finding.level, finding.recovered), (level, recovered), "{held_kb} KB: {finding:?}");
    }
    let found = Measurements { held_bytes: 300 * MB, limit_bytes: 100 * MB, ..well() };
    assert_eq!(check(&found, "size").message, "High memory usage: 300.0MB");
}

#[test]
fn the_error_rate_is_critical_above_five_percent() {
    for (errors, level, recovered) in
        [(0, Level::Ok, true), (4, Level::Ok, true), (5, Level::Ok, false), (7, Level::Critical, false)]
    {
        let finding = check(&Measurements { window_errors: errors, ..well() }, "error_rate");
        assert_eq!((finding.level, finding.recovered), (level, recovered), "{finding:?}");
    }
    assert_eq!(check(&Measurements { window_errors: 7, ..well() }, "error_rate").message, "High error rate: 7.0%");
    let all = Measurements { window_hits: 0, window_misses: 0, window_errors: 60, ..well() };
    assert_eq!(check(&all, "error_rate").message, "High error rate: 100.0%");
    let one = Measurements { window_hits: 0, window_misses: 1, window_errors: 1, ..well() };
    assert_eq!(check(&one, "error_rate").level, Level::Ok);
}

#[test]
fn disk_age_breaker_store_and_directories_are_judged() {
    let disk = |mb: u64| check(&Measurements { free_disk_bytes: Some(mb * MB), ..well() }, "free_disk");
    assert_eq!(disk(1_023).level, Level::Warn);
    assert_eq!((disk(255).level, disk(255).recovered), (Level::Critical, false));
    assert_eq!((disk(260).level, disk(260).recovered), (Level::Warn, false));
    let old = Measurements { oldest_stored_at: Some(0), ..well() };
    assert_eq!(check(&old, "oldest").level, Level::Warn);
    assert_eq!(
        check_with(&old, &config::HealthConfig { oldest_warn: Duration::ZERO, ..settings() }, "oldest").level,
        Level::Ok
    );
    let breaker = |state: &str| {
        let breaker = BreakerReading {
            state: state.into(),
            failure_count: 5,
            last_failure_time: Some(1),
            ..BreakerReading::default()
        };
        let finding = check(&Measurements { breaker, ..well() }, "breaker");
        (finding.level, finding.message)
    };
    let open = "WARNING: Circuit breaker is OPEN - cache is disabled";
    let half = "INFO: Circuit breaker is HALF_OPEN - testing recovery";
    assert_eq!(breaker("open"), (Level::Critical, open.into()));
    assert_eq!(breaker("HALF_OPEN"), (Level::Warn, half.into()));
    assert_eq!(breaker("closed").0, Level::Ok);
    let store = check(&Measurements { store_problem: Some("disk image is malformed".into()), ..well() }, "store");
    assert_eq!((store.level, store.hint.as_str()), (Level::Critical, "awsideman cache recover"));
    let foreign = Measurements { foreign: Some(("1a2b3c4d".into(), 43)), ..well() };
    let store = check(&foreign, "store");
    assert_eq!((store.level, store.hint.as_str()), (Level::Critical, "awsideman cache encryption status"));
}

#[test]
fn a_cache_disabled_for_long_is_a_warning() {
    let off = |hours: i64| {
        let disabled = Some(DisabledCache {
            since: Some(101 * HOUR - hours * HOUR),
            until: Some(103 * HOUR),
            reason: Some("INC-7".into()),
        });
        check(&Measurements { disabled, ..well() }, "disabled")
    };
    assert_eq!(off(23).level, Level::Ok);
    assert_eq!(off(25).level, Level::Warn);
    assert!(off(25).message.ends_with("for another 2h: INC-7"), "{:?}", off(25));
    assert_eq!(off(25).hint, "awsideman cache enable");
}

#[test]
fn recovery_values_that_are_set_hold_in_place_of_the_derived_ones() {
    let health = config::HealthConfig {
        hit_rate_recovered: Some(60.0),
        size_mb_recovered: Some(100.0),
        error_rate_recovered: Some(1.0),
        free_disk_mb_recovered: Some(900.0),
        ..settings()
    };
    let at = |hits: u64, held: u64, errors: u64, free: u64| {
        let found = Measurements {
            window_hits: hits,
            window_misses: 100 - hits,
            held_bytes: held * MB,
            limit_bytes: 0,
            window_errors: errors,
            free_disk_bytes: Some(free * MB),
            ..well()
        };
        ["hit_rate", "size", "error_rate", "free_disk"].map(|key| check_with(&found, &health, key).recovered)
    };
    assert_eq!(at(59, 101, 2, 899), [false; 4]);
    assert_eq!(at(60, 100, 1, 900), [true; 4]);
}

#[test]
fn a_login_is_foretold_a_day_ahead_or_in_its_last_quarter_and_told_when_it_is_over() {
    let login = |life: Option<i64>, left: i64| {
        let ends_at = 101 * HOUR + left * HOUR;
        let began_at = life.map(|life| ends_at - life * HOUR);
        let login = LoginReading { name: "corp".into(), command: "aws sso login".into(), ends_at, began_at };
        check(&Measurements { login: Some(login), ..well() }, "login")
    };
    for (life, left, level) in [
        (None, 25, Level::Ok),
        (None, 23, Level::Warn),
        (Some(7 * 24), 25, Level::Ok),
        (Some(7 * 24), 23, Level::Warn),
        (Some(8), 3, Level::Ok),
        (Some(8), 1, Level::Warn),
        (Some(8), -1, Level::Warn),
        (None, -1, Level::Warn),
    ] {
        let finding = login(life, left);
        assert_eq!((finding.level, finding.recovered), (level, level == Level::Ok), "{life:?} {left}: {finding:?}");
        assert_eq!(finding.alarms(), level == Level::Warn, "a warning that foretells is an alert");
    }
    assert_eq!(login(None, 23).message, "The AWS login corp ends in 23h");
    assert_eq!(login(None, -2).message, "The AWS login corp ended 2h ago");
}

#[test]
fn jobs_that_nobody_runs_are_a_warning_but_not_for_the_one_who_runs_them() {
    let late = |late: Option<Vec<String>>| check(&Measurements { late_jobs: late, ..well() }, "jobs");
    assert_eq!(late(None).level, Level::Ok);
    assert_eq!(late(Some(Vec::new())).level, Level::Ok);
    let found = late(Some(vec!["warm was due at noon".into()]));
    assert_eq!((found.level, found.alarms()), (Level::Warn, false));
    assert_eq!(found.message, "Jobs do not run: warm was due at noon");
}

#[test]
fn a_run_past_its_timeout_is_critical_and_names_the_command_that_ends_it() {
    let stuck = vec![("job warm has run for 9m".to_owned(), "awsideman jobs cancel warm".to_owned())];
    let found = check(&Measurements { stuck_jobs: stuck, ..well() }, "stuck_jobs");
    assert_eq!((found.level, found.hint.as_str()), (Level::Critical, "awsideman jobs cancel warm"));
    assert_eq!(found.message, "Runs past their timeout: job warm has run for 9m");
}

#[test]
fn the_verdict_names_issues_and_stays_json() {
    let good = examine(&well(), &settings());
    assert_eq!((good.healthy, good.issues.len(), good.checks.len()), (true, 0, 20));
    let found = Measurements { window_hits: 42, window_misses: 58, held_bytes: 500 * MB, ..well() };
    let json = serde_json::to_value(examine(&found, &settings())).unwrap();
    assert_eq!(json["healthy"], false);
    assert_eq!(json["issues"], serde_json::json!(["Low cache hit rate: 42.0%"]));
    assert_eq!(json["warnings"], serde_json::json!(["High memory usage: 500.0MB"]));
    assert_eq!(json["checks"][0]["level"], "critical");
    assert!(json.get("figures").is_none());
}

#[test]
fn nagios_gets_a_code_a_line_and_figures() {
    let (code, line) = examine(&well(), &settings()).nagios();
    assert_eq!(code, 0);
    assert_eq!(
        line,
        "CACHE OK - hit rate 98.0% over 100 samples in 1d; size 10.0 MB in 42 entries, limit 512.0 MB | \
         hit_rate=98.0%;70:;50:;0;100 hit_rate_samples=100;;;0 size=10.0MB;460.8;512;0 entries=42;;;0 \
         error_rate=0.0%;;5;0 free_disk=4096.0MB;1024:;256:;0;8192.0"
    );
    let broken = Measurements { store_problem: Some("a|b\nc".into()), window_hits: 0, window_misses: 0, ..well() };
    let (code, line) = examine(&broken, &settings()).nagios();
    assert_eq!(code, 2);
    assert!(line.starts_with("CACHE CRITICAL - The cache cannot be used: a b c | hit_rate=U;70:;50:;0;100 "), "{line}");
    assert_eq!(line.matches('|').count(), 1);
    let (code, _) = examine(&Measurements { oldest_stored_at: Some(0), ..well() }, &settings()).nagios();
    assert_eq!(code, 1);
}

#[test]
fn states_that_stop_the_cache_are_critical_and_those_that_can_wait_are_warnings() {
    let text = || Some("reason".to_owned());
    let writes = WritesReading { state: "OPEN".into(), failure_count: 1, last_failure_time: Some(1) };
    let directory = |level| {
        vec![DirectoryReading { name: "cache directory", level, message: "reason".into(), hint: String::new() }]
    };
    let files = JobFilesReading { jobs: 1, enabled: 1, problems: vec!["reason".into()] };
    let run = JobRunReading { name: "warm".into(), level: Level::Critical, message: "failed".into(), hint: "h".into() };
    for (found, key, level, healthy) in [
        (Measurements { store_problem: text(), ..well() }, "store", Level::Critical, false),
        (Measurements { foreign: Some(("k".into(), 3)), ..well() }, "store", Level::Critical, false),
        (Measurements { switch_problem: text(), ..well() }, "switch", Level::Critical, false),
        (Measurements { state_problem: text(), ..well() }, "state", Level::Critical, false),
        (Measurements { directories: directory(Level::Critical), ..well() }, "directories", Level::Critical, false),
        (Measurements { directories: directory(Level::Warn), ..well() }, "directories", Level::Warn, true),
        (Measurements { free_disk_bytes: Some(0), ..well() }, "free_disk", Level::Critical, false),
        (
            Measurements { breaker: BreakerReading { writes, ..BreakerReading::default() }, ..well() },
            "breaker",
            Level::Critical,
            false,
        ),
        (Measurements { job_files: files, ..well() }, "job_files", Level::Warn, false),
        (Measurements { notifier_problems: vec!["reason".into()], ..well() }, "notifiers", Level::Warn, false),
        (Measurements { fences_ahead: 2, ..well() }, "clock", Level::Warn, true),
        (Measurements { aws: Some(AwsReading { at: 1, reason: "r".into() }), ..well() }, "aws", Level::Warn, true),
        (Measurements { job_runs: vec![run], ..well() }, "job:warm", Level::Critical, false),
    ] {
        let health = examine(&found, &settings());
        let wrong: Vec<_> = health.checks.iter().filter(|f| f.level != Level::Ok).map(|f| (&*f.key, f.level)).collect();
        assert_eq!((wrong, health.level, health.healthy), (vec![(key, level)], level, healthy), "{health:?}");
        assert!(!health.sentence().contains("is healthy"), "{key}");
        assert!(health.checks.iter().all(|f| f.level == Level::Ok || !f.hint.is_empty()), "{health:?}");
    }
    assert_eq!(examine(&well(), &settings()).sentence(), "The cache is healthy");
}

#[test]
fn a_new_window_is_unknown_until_there_are_samples_enough() {
    let new = |hits, misses| {
        let found = Measurements { window_hits: hits, window_misses: misses, window_is_new: true, ..well() };
        check(&found, "hit_rate")
    };
    for (hits, misses) in [(0, 0), (1, 48)] {
        let finding = new(hits, misses);
        assert_eq!((finding.level, finding.recovered), (Level::Ok, true));
        assert!(finding.message.starts_with("unknown (new window)"), "{finding:?}");
    }
    assert_eq!(new(1, 49).level, Level::Critical);
}

#[test]
fn the_first_lookup_of_a_key_that_is_not_stored_is_shown_and_not_judged() {
    let of = |hits, misses, cold, is_new| {
        let found = Measurements {
            window_hits: hits,
            window_misses: misses,
            window_cold_misses: cold,
            window_is_new: is_new,
            ..well()
        };
        check(&found, "hit_rate")
    };
    for (hits, misses, cold, is_new, level, words) in [
        (0, 117, 117, false, Level::Ok, "0.0% over 117 samples (117 cold misses not judged), fewer than 50"),
        (0, 117, 117, true, Level::Ok, "unknown (new window): 117 samples (117 cold misses not judged), fewer than 50"),
        (50, 117, 117, false, Level::Ok, "29.9% over 167 samples in 1d (117 cold misses not judged)"),
        (0, 167, 117, false, Level::Critical, "Low cache hit rate: 0.0% (117 cold misses not judged)"),
        (60, 157, 117, false, Level::Warn, "Low cache hit rate: 60.0% (117 cold misses not judged)"),
    ] {
        let finding = of(hits, misses, cold, is_new);
        assert_eq!((finding.level, &*finding.message), (level, words));
    }
}
