//! The health checks of states: intact, damaged, missing or overdue.
//!
//! Each check yields one finding. A state that stops the cache is critical; one that can wait is a warning.

use crate::config;
use crate::health::finding::{Finding, Level, finding, grade, ok, since};
use crate::health::inputs::DirectoryReading;
use crate::health::inputs::Measurements;
use crate::model::format_duration;
use std::fmt::Write as _;

const DOCTOR: &str = "awsideman doctor";
const RESET: &str = "awsideman cache breaker reset";

pub(super) fn breaker(found: &Measurements) -> Finding {
    let state = found.breaker.state.to_ascii_uppercase().replace('-', "_");
    let writes = &found.breaker.writes;
    let (level, words) = match (state.as_str(), writes.state.as_str()) {
        ("OPEN", _) => (Level::Critical, "WARNING: Circuit breaker is OPEN - cache is disabled"),
        (_, "OPEN") => {
            (Level::Critical, "Circuit breaker is OPEN for writes - what is cached is served, nothing new is stored")
        }
        ("HALF_OPEN", _) => (Level::Warn, "INFO: Circuit breaker is HALF_OPEN - testing recovery"),
        (_, "HALF_OPEN") => (Level::Warn, "Circuit breaker is HALF_OPEN for writes - the next write tests recovery"),
        _ => (Level::Ok, ""),
    };
    let mut figure = format!("{state}, {} failures", found.breaker.failure_count);
    if writes.failure_count > 0 {
        let _ = write!(figure, "; writes {}, {} failures", writes.state, writes.failure_count);
    }
    finding("breaker", level, words.into(), figure, RESET, level == Level::Ok)
}

pub(super) fn disabled(found: &Measurements, health: &config::HealthConfig) -> Finding {
    let Some(disabled) = &found.disabled else {
        return ok("disabled", "the cache is enabled".into());
    };
    let lasting = disabled.since.map(|from| since(from, found.now));
    let mut figure = match lasting {
        Some(lasting) => format!("The cache has been disabled for {}", format_duration(lasting)),
        None => "The cache is disabled".into(),
    };
    if let Some(until) = disabled.until {
        figure = format!("{figure}, for another {}", format_duration(since(found.now, until)));
    }
    if let Some(reason) = disabled.reason.as_deref().filter(|reason| !reason.is_empty()) {
        figure = format!("{figure}: {reason}");
    }
    let level = grade(false, lasting.is_some_and(|lasting| lasting > health.disabled_warn));
    finding("disabled", level, figure.clone(), figure, "awsideman cache enable", level == Level::Ok)
}

pub(super) fn store(found: &Measurements) -> Finding {
    const KEY: &str = "awsideman cache encryption status";
    let critical = |words, next| finding("store", Level::Critical, words, String::new(), next, false);
    match (&found.store_problem, &found.foreign) {
        (None, None) => ok("store", "readable".into()),
        (None, Some((key, 1))) => {
            critical(format!("1 entry cannot be read: it is encrypted with the key {key}, which is not available"), KEY)
        }
        (None, Some((key, entries))) => critical(
            format!("{entries} entries cannot be read: they are encrypted with the key {key}, which is not available"),
            KEY,
        ),
        (Some(problem), _) => {
            // A new cache would lack the key too.
            let is_key = problem.starts_with("the encryption key");
            // A new cache cannot be created in an unusable directory.
            let otherwise = unusable(found).map_or("awsideman cache recover", remedy);
            critical(format!("The cache cannot be used: {problem}"), if is_key { KEY } else { otherwise })
        }
    }
}

pub(super) fn directories(found: &Measurements) -> Finding {
    let wrong = || found.directories.iter().filter(|directory| directory.level != Level::Ok);
    let Some(worst) = wrong().map(|directory| directory.level).max() else {
        return ok("directories", "owner and mode as required".into());
    };
    let messages: Vec<&str> = wrong().map(|directory| directory.message.as_str()).collect();
    let words = match worst {
        Level::Critical => format!("Directories cannot be used: {}", messages.join("; ")),
        _ => format!("Directories need attention: {}", messages.join("; ")),
    };
    let next = wrong().find(|directory| directory.level == worst).map_or(DOCTOR, remedy);
    finding("directories", worst, words, String::new(), next, false)
}

/// The first directory that cannot be used.
fn unusable(found: &Measurements) -> Option<&DirectoryReading> {
    found.directories.iter().find(|directory| directory.level == Level::Critical)
}

/// The command in the hint of a directory, such as `chown` or `chmod`.
fn remedy(directory: &DirectoryReading) -> &str {
    directory.hint.split('`').nth(1).unwrap_or(DOCTOR)
}

pub(super) fn login(found: &Measurements, health: &config::HealthConfig) -> Finding {
    let Some(login) = &found.login else {
        return ok("login", "expiry unknown".into());
    };
    let (left, name) = (since(found.now, login.ends_at), &login.name);
    if login.ends_at <= found.now {
        let words = format!("The AWS login {name} ended {} ago", format_duration(since(login.ends_at, found.now)));
        let level = grade(false, !health.login_warn.is_zero());
        return finding("login", level, words.clone(), words, &login.command, false);
    }
    // A login for one working day would otherwise warn all day.
    let life = login.began_at.map(|began| since(began, login.ends_at));
    let ahead = life.map_or(health.login_warn, |life| health.login_warn.min(life / 4));
    let level = grade(false, left < ahead);
    let figure = format!("{name} is valid for another {}", format_duration(left));
    let words = format!("The AWS login {name} ends in {}", format_duration(left));
    finding("login", level, words, figure, &login.command, level == Level::Ok)
}

pub(super) fn jobs(found: &Measurements) -> Finding {
    match found.late_jobs.as_deref() {
        None => ok("jobs", "running".into()),
        Some([]) => ok("jobs", "none overdue".into()),
        Some(late) => {
            let words = format!("Jobs do not run: {}", late.join("; "));
            finding("jobs", Level::Warn, words, String::new(), "awsideman jobs run", false)
        }
    }
}

pub(super) fn stuck_jobs(found: &Measurements) -> Finding {
    let Some((_, hint)) = found.stuck_jobs.first() else {
        return ok("stuck_jobs", "no run is past its timeout".into());
    };
    let sentences: Vec<&str> = found.stuck_jobs.iter().map(|(sentence, _)| sentence.as_str()).collect();
    let words = format!("Runs past their timeout: {}", sentences.join("; "));
    finding("stuck_jobs", Level::Critical, words, String::new(), hint, false)
}

pub(super) fn switch(found: &Measurements) -> Finding {
    match &found.switch_problem {
        None => ok("switch", "readable".into()),
        Some(problem) => {
            let words = format!("The kill switch cannot be read: {problem}");
            finding("switch", Level::Critical, words, String::new(), "awsideman cache enable", false)
        }
    }
}

pub(super) fn state(found: &Measurements) -> Finding {
    match (&found.state_problem, &found.state_set_aside) {
        (None, None) => ok("state", "readable".into()),
        (None, Some(file)) => {
            let words = format!(
                "A damaged state database was set aside as {file}: earlier changes, alerts and runs are not in today's lists"
            );
            finding("state", Level::Warn, words, String::new(), "awsideman cache recover --prune", true)
        }
        (Some(problem), _) => {
            let words = format!("The state database cannot be read: {problem}");
            finding("state", Level::Critical, words, String::new(), DOCTOR, false)
        }
    }
}

pub(super) fn job_files(found: &Measurements) -> Finding {
    let files = &found.job_files;
    if files.problems.is_empty() {
        return ok(
            "job_files",
            format!("{} {}, {} enabled", files.jobs, if files.jobs == 1 { "job" } else { "jobs" }, files.enabled),
        );
    }
    let words = format!("Job files need attention: {}", files.problems.join("; "));
    finding("job_files", Level::Warn, words, String::new(), "awsideman jobs validate", false)
}

pub(super) fn notifiers(found: &Measurements) -> Finding {
    if found.notifier_problems.is_empty() {
        return ok("notifiers", "enabled notifiers are usable".into());
    }
    let words = format!("Alerts cannot be delivered: {}", found.notifier_problems.join("; "));
    finding("notifiers", Level::Warn, words, String::new(), DOCTOR, false)
}

pub(super) fn clock(found: &Measurements) -> Finding {
    let words = match found.fences_ahead {
        0 => return ok("clock", "no fence is dated in the future".into()),
        1 => "1 fence was recorded while the clock was ahead: what it covers is not cached until the next live read"
            .into(),
        n => format!(
            "{n} fences were recorded while the clock was ahead: what they cover is not cached until the next live read"
        ),
    };
    finding("clock", Level::Warn, words, String::new(), "awsideman cache clear --all", true)
}

pub(super) fn aws(found: &Measurements) -> Finding {
    match &found.aws {
        None => ok("aws", "no failed contact recorded".into()),
        Some(failed) => {
            let ago = format_duration(since(failed.at, found.now));
            let words = format!("AWS was not reachable {ago} ago: {}", failed.reason);
            finding("aws", Level::Warn, words, String::new(), DOCTOR, false)
        }
    }
}

/// One finding for each job and profile that has run.
pub(super) fn runs(found: &Measurements) -> impl Iterator<Item = Finding> + '_ {
    found.job_runs.iter().map(|run| {
        let key = format!("job:{}", run.name);
        let words = format!("Job {} {}", run.name, run.message);
        finding(&key, run.level, words, run.message.clone(), &run.hint, run.level == Level::Ok)
    })
}
