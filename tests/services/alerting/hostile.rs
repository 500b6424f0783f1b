//! Mail servers, web servers and programs that misbehave: a message is delivered once or kept with the true reason, in bounded time
//! and memory, and no output shows a secret.

use super::fixture::{Desk, HEALTH};
use awsideman::state::LookupOutcome;
use serde_json::Value;
use std::time::{Duration, Instant};

/// Each channel has two seconds for a delivery; the rest is the start of a process on a loaded host.
pub(crate) const LIMIT: Duration = Duration::from_secs(15);
/// The most memory of a run, in KiB.
const MEMORY: u64 = 128 * 1024;

/// One way to misbehave, and what becomes of the message.
pub(crate) struct Mode {
    pub(crate) name: &'static str,
    /// A part of the reason why the message is kept; `None` where it is delivered.
    pub(crate) kept: Option<&'static str>,
}

pub(crate) const fn delivered(name: &'static str) -> Mode {
    Mode { name, kept: None }
}

pub(crate) const fn kept(name: &'static str, reason: &'static str) -> Mode {
    Mode { name, kept: Some(reason) }
}

/// A home in which the next health check has a finding to report.
pub(crate) fn alarmed() -> Desk {
    let desk = Desk::new(&[("50-health.toml", HEALTH)]);
    desk.looked_up(LookupOutcome::MissExpired, 100);
    desk
}

/// Runs the jobs, and holds what became of the message to `mode`.
#[track_caller]
pub(crate) fn holds(desk: &Desk, mode: &Mode, secrets: &[&str]) {
    let begun = Instant::now();
    let (ran, memory) = desk.run_measured("jobs run");
    let (name, took) = (mode.name, begun.elapsed());
    assert!(took < LIMIT, "{name}: took {took:?}: {ran:?}");
    assert!(memory < MEMORY, "{name}: {memory} KiB: {ran:?}");
    // A finding is 6; a message that could not leave is 1.
    assert_eq!(ran.code, Some(if mode.kept.is_some() { 1 } else { 6 }), "{name}: {ran:?}");
    let list = desk.run("alerts list --json");
    let history = desk.run("alerts history");
    let deliveries: Value = list.json()["deliveries"].clone();
    match mode.kept {
        None => assert_eq!(deliveries, Value::Array(Vec::new()), "{name}: {ran:?}"),
        Some(reason) => {
            let told = deliveries[0]["reason"].as_str().unwrap_or_default();
            assert!(told.contains(reason) && told.chars().count() < 600, "{name}: {told}");
            assert!(ran.err.contains(reason), "{name}: {ran:?}");
        }
    }
    let log = std::fs::read_to_string(desk.path("awsideman.log")).unwrap_or_default();
    let shown = [&ran.out, &ran.err, &list.out, &history.out, &log];
    for secret in secrets {
        assert!(shown.iter().all(|text| !text.contains(secret)), "{name}: {secret}: {ran:?} {list:?}");
    }
    assert!(shown.iter().all(|text| !text.contains(['\u{1b}', '\u{7}', '\u{202e}'])), "{name}: {ran:?}");
}
