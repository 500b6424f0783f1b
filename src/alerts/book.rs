//! The book of alerts: what is pending, what fires, what is over, and whether a mail is due.
//!
//! Neighbours: `health/` brings the findings, `letter.rs` finds the words, `outbox.rs` takes the mail. Promise: one
//! transaction reads, decides and puts at most one mail into the outbox, so that however many processes look at the
//! same moment, one mail is made; a check that this run did not make is left as it stands.

use super::letter::{self, Letter};
use super::outbox;
use super::{AlertError, Mail};
use crate::clock::{UnixMillis, millis};
use crate::config::{self, AlertWhen};
use crate::health::{Finding, Level};
use crate::sqlite::{self, OptionalExtension, StatementError, Transaction, params};
use crate::state::Database;
use std::path::Path;
use std::time::Duration;

/// One run of a job, as far as alerts are concerned.
#[derive(Debug, Clone, Copy)]
pub struct Run<'a> {
    /// Every check that this run made, the fine ones too.
    pub findings: &'a [Finding],
    /// A sentence about the run for the mail (`job health: done in 12 ms`).
    pub note: Option<&'a str>,
    /// When this job mails.
    pub when: AlertWhen,
    /// The name of this host.
    pub host: &'a str,
    /// The directory of the cache.
    pub cache_dir: &'a Path,
}

/// What one run changed.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Decision {
    /// What began to fire.
    pub began: Vec<Change>,
    /// What fires still and is due to be told again.
    pub reminded: Vec<Change>,
    /// What is over.
    pub over: Vec<Change>,
    /// What fires and needs no word, other jobs' alerts included.
    pub lasting: Vec<Change>,
    /// The mail that was put into the outbox.
    pub mail: Option<Mail>,
}

/// One alert at the moment of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// The key of its finding.
    pub key: String,
    /// What the finding says; for what is over, what it said last.
    pub message: String,
    /// The command to type next.
    pub hint: String,
    /// Since when it is so.
    pub since: UnixMillis,
    /// How long it has lasted.
    pub lasted: Duration,
}

/// One alert that is pending or firing, for lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// The key of its finding.
    pub key: String,
    /// Whether it fires; otherwise it has not lasted long enough.
    pub firing: bool,
    /// What the finding said last.
    pub message: String,
    /// The command to type next.
    pub hint: String,
    /// Since when it is so.
    pub since: UnixMillis,
    /// When a mail about it was last made.
    pub notified_at: Option<UnixMillis>,
    clear_since: Option<UnixMillis>,
}

/// The outcome of a job as a finding under `job:<name>`.
pub fn job_finding(name: &str, problem: Option<&str>) -> Finding {
    let key = format!("job:{name}");
    match problem {
        Some(problem) => Finding {
            key,
            level: Level::Critical,
            message: format!("Job {name} failed: {problem}"),
            hint: format!("awsideman jobs run {name}"),
            recovered: false,
        },
        None => {
            Finding { key, level: Level::Ok, message: format!("job {name} done"), hint: String::new(), recovered: true }
        }
    }
}

/// Every alert that is pending or firing, the oldest first.
pub fn alerts(database: &mut Database) -> Result<Vec<Alert>, AlertError> {
    let mut statement = database
        .connection()
        .prepare("SELECT key, state, message, hint, since, notified_at, clear_since FROM alert ORDER BY since, key")?;
    let rows = statement.query_map([], read)?;
    Ok(rows.collect::<Result<_, _>>()?)
}

/// Strikes out the alerts of jobs that are not among `known` any more: nobody will ever say that they are over.
pub fn forget_jobs(database: &mut Database, known: &[&str]) -> Result<(), AlertError> {
    sqlite::write(database.connection(), |transaction| {
        let mut statement = transaction.prepare("SELECT key FROM alert WHERE key GLOB 'job:*'")?;
        let keys = statement.query_map([], |row| row.get(0))?.collect::<Result<Vec<String>, _>>()?;
        let gone = |key: &&String| !key.strip_prefix("job:").is_some_and(|name| known.contains(&name));
        keys.iter().filter(gone).try_for_each(|key| forget(transaction, key)).map_err(AlertError::from)
    })
}

/// Moves the state of every alert that the run speaks about and puts the mail about it, if one is due, into the outbox.
///
/// Only a critical finding fires, once it has lasted `hold`; it is over when its figure has recovered for
/// `recovery_delay`. With mail switched off, or for a job that never mails, the states move and no mail is made: what
/// still fires is told as soon as a run may tell it.
pub fn observe(
    database: &mut Database,
    run: &Run<'_>,
    settings: &config::Alerts,
    now: UnixMillis,
) -> Result<Decision, AlertError> {
    sqlite::write(database.connection(), |transaction| {
        let mut decision = Decision::default();
        let tells = settings.email.enabled && run.when != AlertWhen::Never;
        for finding in run.findings {
            step(transaction, finding, settings, tells, now, &mut decision)?;
        }
        decision.lasting = lasting(transaction, run.findings, &decision, now)?;
        let changed = !(decision.began.is_empty() && decision.reminded.is_empty() && decision.over.is_empty());
        if tells && (changed || run.when == AlertWhen::Always) {
            let letter = Letter { decision: &decision, run, now };
            let (subject, body) = (letter::subject(&letter), letter::body(&letter));
            decision.mail = Some(outbox::put(transaction, &subject, &body, run.host, !changed, now)?);
        }
        Ok(decision)
    })
}

/// Moves the one alert that `finding` speaks about.
fn step(
    transaction: &Transaction<'_>,
    finding: &Finding,
    settings: &config::Alerts,
    tells: bool,
    now: UnixMillis,
    decision: &mut Decision,
) -> Result<(), StatementError> {
    let known = transaction
        .query_row(
            "SELECT key, state, message, hint, since, notified_at, clear_since FROM alert WHERE key = ?",
            [&finding.key],
            read,
        )
        .optional()?;
    let critical = finding.level == Level::Critical;
    let firing = known.as_ref().is_some_and(|alert| alert.firing);
    match known {
        None if !critical => return Ok(()),
        // It was critical, but not for long enough to be told.
        Some(alert) if !alert.firing && !critical => return forget(transaction, &alert.key),
        Some(alert) if firing && !critical => {
            return fade(transaction, finding, &alert, settings, tells, now, decision);
        }
        _ => {}
    }
    let since = known.as_ref().map_or(now, |alert| alert.since);
    let fires = firing || now.saturating_sub(since) >= millis(settings.hold);
    let notified_at = known.as_ref().and_then(|alert| alert.notified_at);
    let told = fires && tells && (notified_at.is_none() || is_due_again(notified_at, settings.repeat, now));
    transaction.execute(
        "INSERT INTO alert(key, level, state, message, hint, since, fired_at, notified_at, clear_since)
         VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)
         ON CONFLICT(key) DO UPDATE SET level = ?2, state = ?3, message = ?4, hint = ?5,
           fired_at = coalesce(fired_at, ?7), notified_at = ?8, clear_since = NULL",
        params![
            finding.key,
            finding.level.as_str(),
            if fires { "firing" } else { "pending" },
            finding.message,
            finding.hint,
            since,
            fires.then_some(now),
            if told { Some(now) } else { notified_at },
        ],
    )?;
    if told {
        let change = change(&finding.key, &finding.message, &finding.hint, since, now);
        if notified_at.is_none() { &mut decision.began } else { &mut decision.reminded }.push(change);
    }
    Ok(())
}

/// An alert that fires while its finding is not critical any more: it is over once the figure has recovered for long
/// enough, and until then it goes on.
fn fade(
    transaction: &Transaction<'_>,
    finding: &Finding,
    alert: &Alert,
    settings: &config::Alerts,
    tells: bool,
    now: UnixMillis,
    decision: &mut Decision,
) -> Result<(), StatementError> {
    let clear_since = finding.recovered.then(|| alert.clear_since.unwrap_or(now));
    if clear_since.is_some_and(|from| now.saturating_sub(from) >= millis(settings.recovery_delay)) {
        forget(transaction, &alert.key)?;
        // Who was never told that it began need not be told that it is over.
        if tells && alert.notified_at.is_some() {
            decision.over.push(change(&alert.key, &alert.message, "", alert.since, now));
        }
        return Ok(());
    }
    let reminds = tells && clear_since.is_none() && is_due_again(alert.notified_at, settings.repeat, now);
    let notified_at = if reminds { Some(now) } else { alert.notified_at };
    transaction.execute(
        "UPDATE alert SET clear_since = ?, notified_at = ? WHERE key = ?",
        params![clear_since, notified_at, alert.key],
    )?;
    if reminds {
        decision.reminded.push(change(&alert.key, &alert.message, &alert.hint, alert.since, now));
    }
    Ok(())
}

/// What fires and is neither news nor over.
fn lasting(
    transaction: &Transaction<'_>,
    findings: &[Finding],
    decision: &Decision,
    now: UnixMillis,
) -> Result<Vec<Change>, StatementError> {
    let mut statement = transaction.prepare(
        "SELECT key, state, message, hint, since, notified_at, clear_since FROM alert
         WHERE state = 'firing' ORDER BY since, key",
    )?;
    let all = statement.query_map([], read)?.collect::<Result<Vec<Alert>, _>>()?;
    let news = |key: &str| decision.began.iter().chain(&decision.reminded).any(|change| change.key == key);
    Ok(all
        .into_iter()
        .filter(|alert| !news(&alert.key))
        .map(|alert| {
            let words =
                findings.iter().find(|f| f.key == alert.key && f.level != Level::Ok).map(|f| f.message.as_str());
            change(&alert.key, words.unwrap_or(&alert.message), &alert.hint, alert.since, now)
        })
        .collect())
}

fn forget(transaction: &Transaction<'_>, key: &str) -> Result<(), StatementError> {
    transaction.execute("DELETE FROM alert WHERE key = ?", [key]).map(|_| ())
}

fn is_due_again(notified_at: Option<UnixMillis>, repeat: Duration, now: UnixMillis) -> bool {
    !repeat.is_zero() && notified_at.is_none_or(|at| now.saturating_sub(at) >= millis(repeat))
}

fn change(key: &str, message: &str, hint: &str, since: UnixMillis, now: UnixMillis) -> Change {
    let lasted = Duration::from_millis(u64::try_from(now.saturating_sub(since)).unwrap_or(0));
    Change { key: key.into(), message: message.into(), hint: hint.into(), since, lasted }
}

fn read(row: &sqlite::Row<'_>) -> Result<Alert, StatementError> {
    Ok(Alert {
        key: row.get(0)?,
        firing: row.get::<_, String>(1)? == "firing",
        message: row.get(2)?,
        hint: row.get(3)?,
        since: row.get(4)?,
        notified_at: row.get(5)?,
        clear_since: row.get(6)?,
    })
}
