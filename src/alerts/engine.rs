//! The alert state machine: pending, firing, resolved, and when a message is due.
//!
//! Guarantee: one transaction reads, decides and puts at most one message into the outbox, so that concurrent
//! processes create one message. An alert whose check is not part of the pass keeps its state.

use crate::alerts::alert::{Alert, AlertTransition, Decision, JobPass};
use crate::alerts::error::AlertError;
use crate::alerts::history;
use crate::alerts::history::AlertEvent;
use crate::alerts::inhibit;
use crate::alerts::inhibit::Suppressions;
use crate::alerts::mail::Mail;
use crate::alerts::notifier::channels;
use crate::alerts::outbox;
use crate::alerts::render::render;
use crate::alerts::silence;
use crate::clock::{self, UnixMillis, millis};
use crate::config::{self, AlertWhen};
use crate::health::{Finding, Level};
use crate::model::cut;
use crate::sqlite::{self, Connection, OptionalExtension, StatementError, Transaction, params};
use crate::state::Database;
use std::time::Duration;

const COLUMNS: &str = "key, state, message, hint, since, fired_at, notified_at, cause, clear_since";

/// The outcome of a job as a finding under `job:<name>`. `problem` follows the name in a sentence (`failed: no
/// login`).
pub fn job_finding(name: &str, problem: Option<&str>) -> Finding {
    let key = format!("job:{name}");
    match problem {
        Some(problem) => Finding {
            key,
            level: Level::Critical,
            message: format!("Job {name} {problem}"),
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
    Ok(all(database.connection())?)
}

/// Deletes the alerts of jobs that are not in `known`, and without `judges` those of health checks: no run would
/// resolve them.
pub fn forget_jobs(database: &mut Database, known: &[&str], judges: bool) -> Result<(), AlertError> {
    sqlite::write(database.connection(), |transaction| {
        let gone = |alert: &&Alert| match alert.key.strip_prefix("job:") {
            Some(name) => !known.contains(&name),
            None => !judges && !inhibit::is_cause(&alert.key),
        };
        let alerts = all(transaction)?;
        alerts.iter().filter(gone).try_for_each(|alert| forget(transaction, &alert.key))?;
        // Causes without findings.
        let orphans = "DELETE FROM alerts WHERE (key = ?1 OR key GLOB ?2)
                       AND NOT EXISTS (SELECT 1 FROM alerts of WHERE of.cause = alerts.key)";
        transaction.execute(orphans, params![inhibit::AWS, format!("{}*", inhibit::LOGIN)])?;
        Ok(())
    })
}

/// Evaluates a pass: updates the state of its alerts, and puts a message into the outbox if one is due.
///
/// Only critical findings fire, and warnings that become critical without action. A finding fires after `hold`, and
/// is resolved after its figure has recovered for `recovery_delay`. If no channel is enabled, or the job never mails,
/// states change without a message, and alerts that still fire are sent by the next pass that may send.
pub fn observe(
    database: &mut Database,
    run: &JobPass<'_>,
    settings: &config::Alerts,
    now: UnixMillis,
) -> Result<Decision, AlertError> {
    sqlite::write(database.connection(), |transaction| {
        let book = Engine { transaction, settings, now };
        book.correct_clock()?;
        let mut ended = Vec::new();
        for finding in run.findings {
            let cause = run.causes.iter().find(|cause| cause.of == finding.key).map(|cause| &cause.finding.key);
            ended.extend(book.step(finding, cause)?);
        }
        ended.extend(book.settle_recovered(run)?);
        ended.extend(book.settle_causes(run)?);

        let channels = channels(settings);
        let tells = !channels.is_empty() && run.when != AlertWhen::Never;
        let mut decision = book.decide(run, ended, tells)?;
        let changed = !(decision.fired.is_empty() && decision.reminded.is_empty() && decision.over.is_empty());
        if tells && (changed || run.when == AlertWhen::Always) {
            let words = render(&decision, run, now);
            let mail = outbox::put(transaction, &words, &channels, run.host, !changed, now)?;
            book.note(&decision, &mail)?;
            decision.mail = Some(mail);
        }
        Ok(decision)
    })
}

/// The tables during one evaluation.
struct Engine<'a> {
    transaction: &'a Transaction<'a>,
    settings: &'a config::Alerts,
    now: UnixMillis,
}

impl Engine<'_> {
    /// Corrects times that were recorded while the clock was ahead of `now`. Otherwise a hold, a recovery delay, a
    /// repeat interval or a silence would last until then.
    fn correct_clock(&self) -> Result<(), StatementError> {
        let ahead = self.now.saturating_add(clock::TOLERANCE);
        self.transaction.execute(
            "UPDATE alerts SET since = min(since, ?1), fired_at = min(fired_at, ?1), notified_at = min(notified_at, ?1),
               clear_since = min(clear_since, ?1)
             WHERE max(since, coalesce(fired_at, 0), coalesce(notified_at, 0), coalesce(clear_since, 0)) > ?2",
            params![self.now, ahead],
        )?;
        silence::correct_clock(self.transaction, self.now)
    }

    /// Updates the alert of `finding`, and returns it if it was firing and is resolved.
    fn step(&self, finding: &Finding, cause: Option<&String>) -> Result<Option<Alert>, StatementError> {
        let find = format!("SELECT {COLUMNS} FROM alerts WHERE key = ?");
        let known = self.transaction.query_row(&find, [&finding.key], read).optional()?;
        let bad = finding.alarms();
        match &known {
            None if !bad => return Ok(None),
            // It was pending and did not last.
            Some(alert) if !alert.firing && !bad => {
                forget(self.transaction, &alert.key)?;
                return Ok(None);
            }
            Some(alert) if alert.firing && !bad => return self.fade(finding, alert),
            _ => {}
        }
        let since = known.as_ref().map_or(self.now, |alert| alert.since);
        let fired = known.as_ref().is_some_and(|alert| alert.firing);
        let fires = fired || self.is_over(since, self.settings.hold);
        self.transaction.execute(
            "INSERT INTO alerts(key, level, state, message, hint, since, fired_at, cause, clear_since)
             VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, NULL)
             ON CONFLICT(key) DO UPDATE SET level = ?2, state = ?3, message = ?4, hint = ?5,
               fired_at = coalesce(fired_at, ?7), cause = ?8, clear_since = NULL",
            params![
                finding.key,
                finding.level.as_str(),
                if fires { "firing" } else { "pending" },
                cut(&finding.message, history::LONGEST),
                cut(&finding.hint, history::LONGEST),
                since,
                fires.then_some(self.now),
                cause,
            ],
        )?;
        if fires && !fired {
            history::record(self.transaction, &AlertEvent::new(&finding.key, "fired", &finding.message, self.now))?;
        }
        Ok(None)
    }

    /// A firing alert whose finding is no longer bad: resolved after its recovery delay, firing until then.
    fn fade(&self, finding: &Finding, alert: &Alert) -> Result<Option<Alert>, StatementError> {
        let clear_since = finding.recovered.then(|| alert.clear_since.unwrap_or(self.now));
        if clear_since.is_some_and(|from| self.is_over(from, self.settings.recovery_delay)) {
            forget(self.transaction, &alert.key)?;
            let lasted_ms = Some(self.now.saturating_sub(alert.since));
            let event = AlertEvent::new(&alert.key, "resolved", &alert.message, self.now);
            history::record(self.transaction, &AlertEvent { lasted_ms, ..event })?;
            return Ok(Some(alert.clone()));
        }
        self.transaction
            .execute("UPDATE alerts SET clear_since = ? WHERE key = ?", params![clear_since, alert.key])
            .map(|_| None)
    }

    /// Resolves the alerts whose delay has passed in a pass that does not check them: a daily job would otherwise
    /// resolve its alert one day late.
    fn settle_recovered(&self, run: &JobPass<'_>) -> Result<Vec<Alert>, StatementError> {
        let mut ended = Vec::new();
        let is_checked = |alert: &Alert| run.findings.iter().any(|finding| finding.key == alert.key);
        for alert in all(self.transaction)? {
            if alert.firing && alert.clear_since.is_some() && !inhibit::is_cause(&alert.key) && !is_checked(&alert) {
                let (key, message, hint) = (alert.key.clone(), String::new(), String::new());
                ended.extend(self.fade(&Finding { key, level: Level::Ok, message, hint, recovered: true }, &alert)?);
            }
        }
        Ok(ended)
    }

    /// Updates the alerts that cause others: firing while they cause any, resolved when they cause none.
    fn settle_causes(&self, run: &JobPass<'_>) -> Result<Vec<Alert>, StatementError> {
        let mut ended = Vec::new();
        let told: Vec<&Finding> = run.causes.iter().map(|cause| &cause.finding).collect();
        for (n, finding) in told.iter().enumerate() {
            if !told[..n].iter().any(|earlier| earlier.key == finding.key) {
                ended.extend(self.step(finding, None)?);
            }
        }
        let alerts = all(self.transaction)?;
        for alert in alerts.iter().filter(|alert| inhibit::is_cause(&alert.key)) {
            // An alert in its own recovery delay starts no second delay here.
            let follows = |other: &Alert| other.cause.as_ref() == Some(&alert.key) && other.clear_since.is_none();
            if !alerts.iter().any(follows) {
                let (key, message, hint) = (alert.key.clone(), String::new(), String::new());
                ended.extend(self.step(&Finding { key, level: Level::Ok, message, hint, recovered: true }, None)?);
            }
        }
        Ok(ended)
    }

    /// The decision about the current state.
    fn decide(&self, run: &JobPass<'_>, ended: Vec<Alert>, tells: bool) -> Result<Decision, StatementError> {
        let mut decision = Decision::default();
        // If an alert was never sent as firing, it is not sent as resolved.
        let over = ended.into_iter().filter(|alert| tells && alert.notified_at.is_some());
        decision.over = over.map(|alert| AlertTransition { hint: String::new(), ..self.change(&alert) }).collect();
        let alerts = all(self.transaction)?;
        let mutes = Suppressions::read(self.transaction, &alerts, run.disabled.is_some(), self.now)?;
        let spoken = |key: &str| {
            run.findings
                .iter()
                .map(|finding| &finding.key)
                .chain(run.causes.iter().map(|c| &c.finding.key))
                .any(|k| k == key)
        };
        let (mut news, mut waited) = (Vec::new(), false);
        for alert in alerts.iter().filter(|alert| alert.firing) {
            let mut change = self.change(alert);
            let words = run.findings.iter().find(|f| f.key == alert.key && f.level != Level::Ok);
            if let Some(finding) = words {
                change.message = cut(&finding.message, history::LONGEST).into_owned();
            }
            if let Some(mute) = mutes.why(alert) {
                decision.suppressed.push((change, mute));
            } else if tells && alert.notified_at.is_none() {
                waited |= self.is_over(alert.fired_at.unwrap_or(alert.since), self.settings.group_wait);
                news.push(change);
            } else if tells && alert.clear_since.is_none() && spoken(&alert.key) && self.is_due_again(alert) {
                decision.reminded.push(change);
            } else {
                decision.ongoing.push(change);
            }
        }
        // Alerts in `group_wait` are sent with the next message.
        if waited || !(decision.over.is_empty() && decision.reminded.is_empty()) {
            decision.fired = news;
        }
        Ok(decision)
    }

    /// Records the alerts of this message as sent.
    fn note(&self, decision: &Decision, mail: &Mail) -> Result<(), StatementError> {
        for (what, changes) in [("told", &decision.fired), ("reminded", &decision.reminded)] {
            for change in changes {
                let told = "UPDATE alerts SET notified_at = ? WHERE key = ?";
                self.transaction.execute(told, params![self.now, change.key])?;
                let message_id = Some(mail.message_id.clone());
                let event = AlertEvent::new(&change.key, what, &change.message, self.now);
                history::record(self.transaction, &AlertEvent { message_id, ..event })?;
            }
        }
        Ok(())
    }

    fn is_over(&self, since: UnixMillis, wait: Duration) -> bool {
        self.now.saturating_sub(since) >= millis(wait)
    }

    fn is_due_again(&self, alert: &Alert) -> bool {
        let repeat = self.settings.repeat;
        !repeat.is_zero() && alert.notified_at.is_some_and(|at| self.is_over(at, repeat))
    }

    fn change(&self, alert: &Alert) -> AlertTransition {
        let lasted = Duration::from_millis(u64::try_from(self.now.saturating_sub(alert.since)).unwrap_or(0));
        let Alert { key, message, hint, since, .. } = alert.clone();
        AlertTransition { key, message, hint, since, lasted }
    }
}

pub(super) fn all(connection: &Connection) -> Result<Vec<Alert>, StatementError> {
    let mut statement = connection.prepare(&format!("SELECT {COLUMNS} FROM alerts ORDER BY since, key"))?;
    statement.query_map([], read)?.collect()
}

fn forget(transaction: &Transaction<'_>, key: &str) -> Result<(), StatementError> {
    transaction.execute("DELETE FROM alerts WHERE key = ?", [key]).map(|_| ())
}

fn read(row: &sqlite::Row<'_>) -> Result<Alert, StatementError> {
    Ok(Alert {
        key: row.get(0)?,
        firing: row.get::<_, String>(1)? == "firing",
        message: row.get(2)?,
        hint: row.get(3)?,
        since: row.get(4)?,
        fired_at: row.get(5)?,
        notified_at: row.get(6)?,
        cause: row.get(7)?,
        clear_since: row.get(8)?,
    })
}
