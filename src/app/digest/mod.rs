//! The digest: how the cache did since the last one, as a mail that is worth reading on a Monday.
//!
//! It asks AWS nothing and says what it does not know; ids, never names, leave the host.

mod directory;

use crate::app::core::App;
use crate::app::health_inputs::HealthInputs;
use crate::app::limits::CacheLimits;
use crate::app::maintenance::Maintenance;
use crate::app::reading::Caller;
use crate::clock::{self, UnixMillis, millis};
use crate::config::Job;
use crate::gateway::{CachePolicy, Request};
use crate::health::Level;
use crate::host;
use crate::jobs::{JobResult, Ledger, Run, RunOutcome, RunReport, RunRow};
use crate::model::{Namespace, format_duration, format_size};
use directory::{DirectoryChanges, Holding, Snapshot};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the subject of its mail says.
pub(super) const SUBJECT: &str = "awsideman Digest";
/// The first digest looks back so far.
const FIRST: Duration = Duration::from_secs(7 * 86_400);
/// The most runs that it counts.
const RUNS: u32 = 100_000;
/// So many calls must have been timed before their mean is believed.
const TIMED: i64 = 20;
/// What of the directory it looks at, and the member that identifies an item.
const LISTS: [(&str, Request, &str); 4] = [
    ("users", Request::Users, "UserId"),
    ("groups", Request::Groups, "GroupId"),
    ("permission sets", Request::PermissionSets, "PermissionSetArn"),
    ("accounts", Request::Accounts, "Id"),
];

/// What the directory holds now, against the last digest, by the name of the list; `None` is a list that is not known.
type DigestComparison = BTreeMap<&'static str, Option<DirectoryChanges>>;

/// What a digest could not do: the reason, and what it lost.
type DigestFailure = (String, Vec<String>);

/// The text of a digest that was made, for its mail.
pub(super) fn text_of(report: &RunReport) -> Option<&str> {
    (report.kind == "digest").then_some(report.detail.get("text")?.as_str()?)
}

/// The calls and the time that the cache saved.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Saved {
    /// Calls to AWS that were not made: one for each answer, and there may have been more behind a list.
    calls: u64,
    /// The time they would have taken.
    time: Duration,
}

/// Makes the digest.
pub(super) struct Digest<'a> {
    app: &'a App,
}

impl<'a> Digest<'a> {
    /// The same operations for this application.
    pub(super) fn new(app: &'a App) -> Digest<'a> {
        Digest { app }
    }

    /// Makes the digest of a job. Its text is in the figures, and a pass of jobs mails it.
    pub(super) fn make(&self, job: &Job, run: &Run) -> JobResult {
        Maintenance::new(self.app).fold_lookups();
        let (database, _) = match self.app.database() {
            Ok(opened) => opened,
            Err(error) => return JobResult::failed(error.to_string(), 1),
        };
        let now = self.app.clock().now();
        let ledger = Ledger::new(Arc::new(Mutex::new(database)));
        let profile = run.profile.as_deref().unwrap_or_default();
        let last = ledger.last_result(&job.name, profile).ok().flatten();
        let since = last.map(|last| last.started_at).filter(|at| !clock::is_ahead(*at, now));
        let since = since.unwrap_or(now - millis(FIRST));
        let runs = match ledger.history(None, RUNS) {
            Ok(runs) => runs.into_iter().filter(|run| run.started_at >= since).collect::<Vec<_>>(),
            Err(error) => return JobResult::failed(error.to_string(), 1),
        };
        let saved = self.saved(since, &runs);
        let (directory, fault) = self.directory_changes(job, profile);
        let mut lines = vec![format!("Since {}", clock::local(since)), String::new()];
        lines.extend(self.health_lines());
        lines.push(saved_line(saved));
        lines.extend(job_lines(&runs));
        lines.extend(directory::lines(&directory));
        lines.extend([String::new(), format!("Host: {}", host::host_name())]);
        let more =
            ["awsideman cache status", "awsideman jobs history"].map(|command| self.app.invocation().copyable(command));
        lines.push(format!("More: {}\n", more.join(", ")));
        let text = lines.join("\n");
        let mut detail = Map::new();
        detail.insert("since".into(), json!(clock::utc_exact(since)));
        detail.insert("calls_saved".into(), json!(saved.calls));
        detail.insert("seconds_saved".into(), json!(saved.time.as_secs()));
        detail.insert("directory".into(), json!(directory));
        detail.insert("text".into(), Value::String(text));
        let mails = if self.app.config().alerts.email.enabled { "" } else { "; it is not mailed: alerts.email is off" };
        let reason = format!("{} calls and {} saved{mails}", saved.calls, format_duration(whole_seconds(saved.time)));
        match fault {
            Some((fault, lost)) => JobResult::partial(format!("{reason}; {fault}"), lost),
            None => JobResult::done(reason),
        }
        .with_detail(detail)
    }

    fn health_lines(&self) -> Vec<String> {
        let measured = HealthInputs::new(self.app).measure();
        let verdict = match measured.health.level {
            Level::Ok => "healthy",
            Level::Warn => "works, with warnings",
            Level::Critical => "critical",
        };
        let mut lines = vec![format!("Health: {verdict}")];
        let found = measured.health.issues.iter().chain(&measured.health.warnings);
        lines.extend(found.map(|line| format!("- {line}")));
        if let Some(disabled) = self.app.disabled() {
            let until = disabled.end().map(|end| format!(" until {}", clock::local(end))).unwrap_or_default();
            lines.push(format!("- the cache is disabled{until}"));
        }
        let (held, limit) = (format_size(measured.size.held), format_size(CacheLimits::new(self.app).bytes()));
        lines.push(String::new());
        lines.push(format!(
            "Cache: {} entries, {held} of {limit}; {:.1}% of {} lookups were hits in the last {}",
            measured.size.entries,
            measured.window.hit_rate_percentage(),
            measured.window.samples(),
            format_duration(self.app.config().health.window),
        ));
        lines
    }

    /// A hit spared one call at least. What a call takes is the mean of those that jobs made, and before enough of
    /// them were timed what the quota alone makes it take.
    fn saved(&self, since: UnixMillis, runs: &[RunRow]) -> Saved {
        let counts = self
            .app
            .state()
            .database_read_only()
            .and_then(|database| self.app.state().window(database.as_ref(), self.app.cache_dir(), since));
        let calls = counts.map_or(0, |counts| counts.hits());
        let (took, made) = runs.iter().fold((0, 0), |(took, made), run| match run.calls {
            0 => (took, made),
            calls => (took + run.took_ms, made + calls),
        });
        #[expect(clippy::cast_precision_loss, reason = "a mean of milliseconds")]
        let each = if made >= TIMED {
            took as f64 / made as f64 / 1_000.0
        } else {
            1.0 / self.app.config().pace.identity_store_tps.max(1.0)
        };
        #[expect(clippy::cast_precision_loss, reason = "about so many seconds")]
        let seconds = (calls as f64 * each).clamp(0.0, 1e12);
        Saved { calls, time: Duration::from_secs_f64(seconds) }
    }

    /// What the lists in the cache hold, against what they held at the last digest of this job; they are remembered
    /// for the next.
    ///
    /// A list that the cache does not hold now keeps what it held last as the baseline of the next digest. One that
    /// was known before and is not now is lost: the reason, and the names of such lists, come second.
    fn directory_changes(&self, job: &Job, profile: &str) -> (DigestComparison, Option<DigestFailure>) {
        let path = Snapshot::path_of(self.app.state_dir(), &job.name, profile);
        let before = Snapshot::read(&path);
        let reading = self.app.reading(Caller::Background { budget: Some(0) });
        let Some(space) = reading.gateway.remembered().map(Namespace::text) else {
            let known = before.iter().flat_map(|before| before.lists.keys().cloned()).collect();
            return (LISTS.iter().map(|(name, ..)| (*name, None)).collect(), unknown(known));
        };
        let mut now = before.clone().filter(|before| before.space == space).unwrap_or_default();
        let before = before.filter(|before| before.space == space);
        let (mut changes, mut lost) = (BTreeMap::new(), Vec::new());
        for (name, request, member) in LISTS {
            let mut holding = Holding::default();
            let old = before.as_ref().and_then(|before| before.lists.get(name));
            let shown = reading.gateway.reader().cached(&request, &CachePolicy::CACHE_ONLY, &mut |_, body| {
                holding = Holding::of(body, member)?;
                Ok(())
            });
            if !matches!(shown, Ok(Some(_))) {
                changes.insert(name, None);
                lost.extend(old.map(|_| name.to_owned()));
                continue;
            }
            changes.insert(name, Some(DirectoryChanges::between(old, &holding)));
            now.lists.insert(name.to_owned(), holding);
        }
        now.space = space;
        let fault = match now.write(&path, self.app.access()) {
            Ok(()) => unknown(lost),
            Err(error) => {
                lost.push("baseline".to_owned());
                Some((format!("what the directory holds could not be remembered: {error}"), lost))
            }
        };
        (changes, fault)
    }
}

/// That the cache does not hold these lists any more; `None` when it holds all that the last digest knew.
fn unknown(lists: Vec<String>) -> Option<DigestFailure> {
    if lists.is_empty() {
        return None;
    }
    let verb = if lists.len() == 1 { "is" } else { "are" };
    let reason = format!(
        "{} {verb} not in the cache: the next digest that reads them compares with the last that did; \
         `awsideman cache warm` fills the cache",
        lists.join(", ")
    );
    Some((reason, lists))
}

fn whole_seconds(time: Duration) -> Duration {
    Duration::from_secs(time.as_secs())
}

fn saved_line(saved: Saved) -> String {
    let time = format_duration(whole_seconds(saved.time));
    format!("Saved: at least {} calls to AWS, about {time} of waiting for them", saved.calls)
}

/// `- warm: 96 done, 2 failed`, a line for each job.
fn job_lines(runs: &[RunRow]) -> Vec<String> {
    let mut counts: BTreeMap<String, BTreeMap<&str, u64>> = BTreeMap::new();
    for run in runs {
        let name = if run.profile.is_empty() { run.job.clone() } else { format!("{} ({})", run.job, run.profile) };
        // The digest itself goes on while it counts.
        let Some(outcome) = run.outcome else { continue };
        *counts.entry(name).or_default().entry(outcome.as_str()).or_default() += 1;
    }
    if counts.is_empty() {
        return vec![String::new(), "Jobs: none ran".to_owned()];
    }
    let mut lines = vec![String::new(), "Jobs:".to_owned()];
    for (name, outcomes) in counts {
        let ordered = RunOutcome::ALL
            .iter()
            .filter_map(|word| outcomes.get(word.as_str()).map(|n| format!("{n} {}", word.as_str())));
        lines.push(format!("- {name}: {}", ordered.collect::<Vec<_>>().join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(job: &str, outcome: Option<RunOutcome>, calls: i64, took_ms: i64) -> RunRow {
        RunRow {
            id: 1,
            job: job.into(),
            profile: String::new(),
            kind: "warm".into(),
            scheduled_at: None,
            started_at: 0,
            ended_at: None,
            outcome,
            reason: String::new(),
            exit: 0,
            took_ms,
            calls,
            attempt: 1,
            pid: 1,
            host: String::new(),
            detail: Value::Null,
        }
    }

    #[test]
    fn each_job_is_a_line_with_its_outcomes_in_one_order() {
        let runs = [
            row("warm", Some(RunOutcome::Failed), 0, 0),
            row("warm", Some(RunOutcome::Done), 0, 0),
            row("warm", Some(RunOutcome::Done), 0, 0),
            row("digest", None, 0, 0),
        ];
        assert_eq!(job_lines(&runs), ["", "Jobs:", "- warm: 2 done, 1 failed"]);
        assert_eq!(job_lines(&[]), ["", "Jobs: none ran"]);
    }

    #[test]
    fn what_was_saved_is_said_in_whole_seconds() {
        let saved = Saved { calls: 42, time: Duration::from_millis(6_300) };
        assert_eq!(saved_line(saved), "Saved: at least 42 calls to AWS, about 6s of waiting for them");
    }
}
