//! The outbox: messages that wait for delivery, independently for each channel.
//!
//! Guarantee: one process sends at a time, the oldest message first. A message that cannot be sent stays with its
//! error and its Message-ID, and a later run sends it. A failing channel does not delay the others. If a sender dies
//! between the server's acceptance and its record, the message is sent twice with one Message-ID.

use super::history::{self, AlertEvent};
use crate::alerts::error::AlertError;
use crate::alerts::mail::Mail;
use crate::alerts::message::title;
use crate::alerts::notifier::Channel;
use crate::alerts::notifier::DeliveryContext;
use crate::alerts::notifier::Notifier;
use crate::alerts::notifier::Receipt;
use crate::alerts::payload;
use crate::alerts::registry::open;
use crate::alerts::render::RenderedMessage;
use crate::clock::{self, UnixMillis, millis};
use crate::config;
use crate::lock::{self, Guard, Held};
use crate::model::{cut, one_line};
use crate::secure_fs;
use crate::secure_fs::Access;
use crate::secure_fs::Open;
use crate::sqlite::{self, OptionalExtension, StatementError, Transaction, params};
use crate::state::Database;
use serde::Serialize;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long sent messages are kept.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// A message that could not be sent for this long is given up.
const TRIED: Duration = Duration::from_secs(7 * 86_400);
/// The longest wait for another sender.
const WAIT: Duration = Duration::from_secs(5);

/// The result of one delivery of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// The sent messages, in order.
    pub sent: Vec<Receipt>,
    /// The failures: a sentence for each channel.
    pub failed: Option<String>,
    /// The action that fixes them; empty without a failure.
    pub hint: String,
    /// The number of waiting deliveries.
    pub waiting: u64,
    /// The deliveries that were given up, one sentence each.
    pub given_up: Vec<String>,
}

/// The number of waiting deliveries.
pub fn waiting(database: &mut Database) -> Result<u64, AlertError> {
    let count = "SELECT count(*) FROM deliveries WHERE sent_at IS NULL";
    let waiting: i64 = database.connection().query_row(count, [], |row| row.get(0))?;
    Ok(waiting.unsigned_abs())
}

/// A delivery that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PendingDelivery {
    /// Its channel.
    pub channel: String,
    /// The subject of its message.
    pub subject: String,
    /// When the message was created.
    #[serde(serialize_with = "clock::serialize")]
    pub since: UnixMillis,
    /// The number of attempts.
    pub attempts: i64,
    /// Why the last attempt failed; `null` before the first one.
    pub reason: Option<String>,
    /// The run that tries it next, or the reason why none does.
    pub next_try: String,
    /// When delivery is given up.
    #[serde(serialize_with = "clock::serialize")]
    pub given_up_at: UnixMillis,
}

/// Every waiting delivery, oldest first.
pub fn pending_deliveries(database: &Database, settings: &config::Alerts) -> Result<Vec<PendingDelivery>, AlertError> {
    let mut statement = database.reader().prepare(
        "SELECT d.channel, o.subject, o.created_at, d.attempts, d.last_error
         FROM deliveries d JOIN outbox o ON o.id = d.message WHERE d.sent_at IS NULL ORDER BY o.id, d.channel",
    )?;
    let read = |row: &sqlite::Row<'_>| {
        let (channel, since): (String, UnixMillis) = (row.get(0)?, row.get(2)?);
        let is_on = Channel::parse(&channel).is_some_and(|channel| channel.is_enabled(settings));
        let next_try =
            if is_on { "the next `awsideman jobs run`, due or not" } else { "none: the channel is disabled" };
        Ok(PendingDelivery {
            channel,
            subject: row.get(1)?,
            since,
            attempts: row.get(3)?,
            reason: row.get(4)?,
            next_try: next_try.to_owned(),
            given_up_at: since.saturating_add(millis(TRIED)),
        })
    };
    Ok(statement.query_map([], read)?.collect::<Result<_, _>>()?)
}

/// Puts a mail that is about no alert into the outbox.
pub fn write(
    database: &mut Database,
    subject: &str,
    body: &str,
    host: &str,
    now: UnixMillis,
) -> Result<Mail, AlertError> {
    let (subject, text) = (one_line(subject), body.to_owned());
    let document = payload::test(&subject, &text, &one_line(host), now);
    let words = RenderedMessage { subject, text, html: String::new(), document };
    Ok(sqlite::write(database.connection(), |transaction| {
        put(transaction, &words, &[Channel::Mail], host, false, now)
    })?)
}

/// Sends the waiting messages. A failure is a value, not an error: the messages stay. Blocks on the network.
pub fn deliver(database: &mut Database, post: &DeliveryContext<'_>, now: UnixMillis) -> Result<Delivered, AlertError> {
    let ways = |channel: Channel| channel.is_enabled(post.settings).then(|| open(post, channel));
    drain(database, &ways, post, now)
}

/// Sends the waiting messages through the notifiers that `ways` opens, as the only sender. `ways` returns `None` for
/// a disabled channel.
pub(super) fn drain(
    database: &mut Database,
    ways: &dyn Fn(Channel) -> Option<Result<Box<dyn Notifier>, AlertError>>,
    post: &DeliveryContext<'_>,
    now: UnixMillis,
) -> Result<Delivered, AlertError> {
    let mut delivered = Delivered { waiting: waiting(database)?, ..Delivered::default() };
    if delivered.waiting == 0 || Channel::ALL.into_iter().all(|channel| !channel.is_enabled(post.settings)) {
        return Ok(delivered);
    }
    let path = post.state_dir.join("outbox.lock");
    let lock = match lock(&path, post.access, post.patience().min(WAIT))? {
        Ok(lock) => lock,
        Err(held) => {
            delivered.failed = Some(format!("another awsideman is still sending: {held}"));
            delivered.hint = format!("the messages are kept and the next run sends them; {}", held.hint());
            delivered.waiting = waiting(database)?;
            return Ok(delivered);
        }
    };
    for channel in Channel::ALL {
        if next(database, channel, 0)?.is_none() {
            continue;
        }
        match ways(channel) {
            None => {}
            Some(Ok(transport)) => empty(database, channel, &*transport, now, &mut delivered)?,
            Some(Err(error)) => {
                let note = "UPDATE deliveries SET last_error = ? WHERE channel = ? AND sent_at IS NULL";
                sqlite::write(database.connection(), |t| {
                    t.execute(note, params![cut(&error.to_string(), history::LONGEST), channel.as_str()])
                })?;
                delivered.failed_by(&error);
            }
        }
    }
    delivered.given_up = tidy(database, now)?;
    delivered.waiting = waiting(database)?;
    drop(lock);
    Ok(delivered)
}

/// Sends the waiting messages of one channel.
fn empty(
    database: &mut Database,
    channel: Channel,
    transport: &dyn Notifier,
    now: UnixMillis,
    delivered: &mut Delivered,
) -> Result<(), AlertError> {
    let mut after = 0;
    while let Some(mail) = next(database, channel, after)? {
        after = mail.id;
        let (error, sent_at) = match transport.send(&mail) {
            Ok(receipt) => {
                let complaint = receipt.complaint.clone();
                delivered.sent.push(receipt);
                (complaint, Some(now))
            }
            Err(error) => {
                delivered.failed_by(&error);
                let told = error.to_string();
                after = if error.is_about_the_mail() { after } else { i64::MAX };
                (Some(told), None)
            }
        };
        let note = "UPDATE deliveries SET attempts = attempts + 1, last_error = ?, sent_at = ?
                    WHERE message = ? AND channel = ?";
        sqlite::write(database.connection(), |t| {
            t.execute(
                note,
                params![error.as_deref().map(|text| cut(text, history::LONGEST)), sent_at, mail.id, channel.as_str()],
            )
        })?;
    }
    Ok(())
}

impl Delivered {
    fn failed_by(&mut self, error: &AlertError) {
        let (told, hint) = (error.to_string(), error.hint());
        match &mut self.failed {
            None => {
                self.failed = Some(told);
                // Also states that the message is not lost.
                self.hint = format!("{hint}; the message is kept and the next run tries again");
            }
            Some(known) if !known.contains(&told) => {
                *known = format!("{known}; {told}");
                self.hint = format!("{hint}; {}", self.hint);
            }
            Some(_) => {}
        }
    }
}

/// Puts a message into the outbox, in the transaction of its decision. A summary replaces waiting summaries.
pub(super) fn put(
    transaction: &Transaction<'_>,
    words: &RenderedMessage,
    channels: &[Channel],
    host: &str,
    summary: bool,
    now: UnixMillis,
) -> Result<Mail, StatementError> {
    if summary {
        let waits =
            "DELETE FROM deliveries WHERE sent_at IS NULL AND message IN (SELECT id FROM outbox WHERE summary = 1)";
        transaction.execute(waits, [])?;
        forget_bare(transaction)?;
    }
    let message_id = message_id(host, now);
    transaction.execute(
        "INSERT INTO outbox(message_id, created_at, subject, body, html, document, summary) VALUES(?, ?, ?, ?, ?, ?, ?)",
        params![message_id, now, words.subject, words.text, words.html, words.document, summary],
    )?;
    let id = transaction.last_insert_rowid();
    for channel in channels {
        transaction.execute("INSERT INTO deliveries(message, channel) VALUES(?, ?)", params![id, channel.as_str()])?;
    }
    let RenderedMessage { subject, text: body, html, document } = words.clone();
    Ok(Mail { id, message_id, created_at: now, subject, body, html, document })
}

/// Sends a test message without the outbox. Blocks on the network.
pub fn test(post: &DeliveryContext<'_>, channel: Channel, host: &str, now: UnixMillis) -> Result<Receipt, AlertError> {
    let transport = open(post, channel)?;
    let (name, time) = (one_line(host), clock::local(now));
    let subject = title("[TEST]", &name);
    let body = format!("This is a test: alerts from awsideman are delivered.\n\nHost: {name}\nTime: {time}\n");
    let document = payload::test(&subject, &body, &name, now);
    let message_id = message_id(host, now);
    transport.send(&Mail { id: 0, message_id, created_at: now, subject, body, html: String::new(), document })
}

/// A unique Message-ID: `<time.random@host>`.
fn message_id(host: &str, now: UnixMillis) -> String {
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    let host = host.trim_matches('.');
    format!("<{now}.{:032x}@{}>", fastrand::u128(..), if host.is_empty() { "localhost" } else { host })
}

/// Message, channel, attempts, last error, subject, Message-ID.
type OverdueDelivery = (i64, String, i64, String, String, String);

/// Deletes old sent messages, and gives up messages that could not be sent for days. The history keeps their errors.
fn tidy(database: &mut Database, now: UnixMillis) -> Result<Vec<String>, AlertError> {
    let (kept, tried) = (now.saturating_sub(millis(KEPT)), now.saturating_sub(millis(TRIED)));
    Ok(sqlite::write(database.connection(), |t| {
        let mut statement = t.prepare(
            "SELECT d.message, d.channel, d.attempts, coalesce(d.last_error, 'the channel is disabled'), o.subject,
                    o.message_id
             FROM deliveries d JOIN outbox o ON o.id = d.message WHERE d.sent_at IS NULL AND o.created_at < ?",
        )?;
        let read = |row: &sqlite::Row<'_>| -> Result<OverdueDelivery, StatementError> {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        };
        let late: Vec<OverdueDelivery> = statement.query_map([tried], read)?.collect::<Result<_, _>>()?;
        let mut given_up = Vec::new();
        for (id, channel, attempts, error, subject, message_id) in late {
            let told = format!("{channel}: \"{subject}\" was given up after {attempts} attempts: {error}");
            let event = AlertEvent { message_id: Some(message_id), ..AlertEvent::new("", "given-up", &told, now) };
            history::record(t, &event)?;
            t.execute("DELETE FROM deliveries WHERE message = ? AND channel = ?", params![id, channel])?;
            given_up.push(told);
        }
        t.execute("DELETE FROM deliveries WHERE sent_at < ?", [kept])?;
        forget_bare(t)?;
        Ok::<_, StatementError>(given_up)
    })?)
}

/// Deletes messages without a delivery.
fn forget_bare(transaction: &Transaction<'_>) -> Result<(), StatementError> {
    let bare = "DELETE FROM outbox WHERE id NOT IN (SELECT message FROM deliveries)";
    transaction.execute(bare, []).map(|_| ())
}

fn next(database: &mut Database, channel: Channel, after: i64) -> Result<Option<Mail>, StatementError> {
    let oldest = "SELECT o.id, o.message_id, o.created_at, o.subject, o.body, o.html, o.document
                  FROM outbox o JOIN deliveries d ON d.message = o.id
                  WHERE d.sent_at IS NULL AND d.channel = ? AND o.id > ? ORDER BY o.id LIMIT 1";
    let read = |row: &sqlite::Row<'_>| {
        Ok(Mail {
            id: row.get(0)?,
            message_id: row.get(1)?,
            created_at: row.get(2)?,
            subject: row.get(3)?,
            body: row.get(4)?,
            html: row.get(5)?,
            document: row.get(6)?,
        })
    };
    database.connection().query_row(oldest, params![channel.as_str(), after], read).optional()
}

/// Takes the lock of the outbox. It waits, because the holder may have read the outbox before our message was there.
fn lock(path: &Path, access: Access, patience: Duration) -> Result<Result<File, Box<Held>>, AlertError> {
    let file = secure_fs::open(path, Open::ReadWrite, access)?;
    let taken = lock::acquire(&file, path, Guard::Outbox, patience)
        .map_err(|source| AlertError::Lock { path: PathBuf::from(path), source })?;
    Ok(taken.map(|()| file))
}
