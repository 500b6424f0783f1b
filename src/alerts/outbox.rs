//! Mails that were decided and wait to leave.
//!
//! Neighbours: `book.rs` puts them in within its transaction, `email.rs` carries them. Promise: one sender at a time,
//! the oldest mail first; a mail that cannot leave is kept with its error and its Message-ID, and a later run sends it.
//! A mail may arrive twice when a sender dies between the server's yes and our note of it, then with one Message-ID.

use super::{AlertError, email};
use crate::clock::{UnixMillis, millis};
use crate::config;
use crate::private::{self, Access, Open};
use crate::sqlite::{self, OptionalExtension, StatementError, Transaction, params};
use crate::state::Database;
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Sent mails are kept this long, as a record.
const KEPT: Duration = Duration::from_secs(30 * 86_400);
/// How often a waiting sender asks for the lock.
const POLL: Duration = Duration::from_millis(25);

/// One mail in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its row.
    pub id: i64,
    /// Its Message-ID with the angle brackets, the same at every attempt.
    pub message_id: String,
    /// When it was decided.
    pub created_at: UnixMillis,
    /// Its subject.
    pub subject: String,
    /// Its text.
    pub body: String,
}

/// What became of a mail that left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    /// Where it went: a file, `smtp.example.com:587`, `/usr/sbin/sendmail`.
    pub place: String,
    /// Recipients that were refused while others were accepted, one sentence.
    pub complaint: Option<String>,
}

/// A way for mails to leave.
pub trait Transport {
    /// Hands over one mail. Called again with the same mail after an error.
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError>;
}

/// What a delivery needs to know.
#[derive(Debug, Clone, Copy)]
pub struct Post<'a> {
    /// `[alerts.email]`
    pub email: &'a config::Email,
    /// The state directory: it holds the lock of the sender and, unless set, the folder of the file transport.
    pub state_dir: &'a Path,
    /// Who may use that directory.
    pub access: Access,
}

/// What became of the outbox.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Delivered {
    /// The mails that left, in order.
    pub sent: Vec<Receipt>,
    /// Why a mail stayed behind: a sentence.
    pub failed: Option<String>,
    /// What to do about that; empty without a failure.
    pub hint: String,
    /// How many mails wait still.
    pub waiting: u64,
}

/// How many mails wait.
pub fn waiting(database: &mut Database) -> Result<u64, AlertError> {
    let count = "SELECT count(*) FROM outbox WHERE sent_at IS NULL";
    let waiting: i64 = database.connection().query_row(count, [], |row| row.get(0))?;
    Ok(waiting.unsigned_abs())
}

/// Puts a mail of its own, about no alert, into the outbox.
pub fn write(
    database: &mut Database,
    subject: &str,
    body: &str,
    host: &str,
    now: UnixMillis,
) -> Result<Mail, AlertError> {
    Ok(sqlite::write(database.connection(), |transaction| put(transaction, subject, body, host, false, now))?)
}

/// Sends what waits. A failure is a value, not an error: the mails are kept. Blocks while the network does.
pub fn deliver(database: &mut Database, post: &Post<'_>, now: UnixMillis) -> Result<Delivered, AlertError> {
    let waiting = waiting(database)?;
    if waiting == 0 || !post.email.enabled {
        return Ok(Delivered { waiting, ..Delivered::default() });
    }
    match email::Mailer::open(post) {
        Ok(mailer) => drain(database, &mailer, post, now),
        Err(error) => {
            let note = "UPDATE outbox SET last_error = ? WHERE sent_at IS NULL";
            sqlite::write(database.connection(), |t| t.execute(note, [error.to_string()]))?;
            Ok(Delivered { failed: Some(error.to_string()), hint: hint(&error), waiting, ..Delivered::default() })
        }
    }
}

/// Sends what waits through `transport`, as the only sender.
pub(super) fn drain(
    database: &mut Database,
    transport: &dyn Transport,
    post: &Post<'_>,
    now: UnixMillis,
) -> Result<Delivered, AlertError> {
    let mut delivered = Delivered::default();
    let path = post.state_dir.join("outbox.lock");
    let Some(lock) = lock(&path, post.access, post.email.timeout)? else {
        delivered.failed = Some("another awsideman is still sending mails".into());
        delivered.hint = "nothing to do: it sends this one too, or the next run does".into();
        delivered.waiting = waiting(database)?;
        return Ok(delivered);
    };
    let mut after = 0;
    while let Some(mail) = next(database, after)? {
        after = mail.id;
        match transport.send(&mail) {
            Ok(receipt) => {
                let note = "UPDATE outbox SET attempts = attempts + 1, last_error = ?, sent_at = ? WHERE id = ?";
                sqlite::write(database.connection(), |t| t.execute(note, params![receipt.complaint, now, mail.id]))?;
                delivered.sent.push(receipt);
            }
            Err(error) => {
                let note = "UPDATE outbox SET attempts = attempts + 1, last_error = ? WHERE id = ?";
                sqlite::write(database.connection(), |t| t.execute(note, params![error.to_string(), mail.id]))?;
                delivered.hint = hint(&error);
                delivered.failed = Some(error.to_string());
                if !error.is_about_the_mail() {
                    break;
                }
            }
        }
    }
    let old = now.saturating_sub(millis(KEPT));
    sqlite::write(database.connection(), |t| t.execute("DELETE FROM outbox WHERE sent_at < ?", [old]))?;
    delivered.waiting = waiting(database)?;
    drop(lock);
    Ok(delivered)
}

/// Puts a mail into the outbox within the transaction that decided it. A summary replaces the summaries that wait.
pub(super) fn put(
    transaction: &Transaction<'_>,
    subject: &str,
    body: &str,
    host: &str,
    summary: bool,
    now: UnixMillis,
) -> Result<Mail, StatementError> {
    if summary {
        transaction.execute("DELETE FROM outbox WHERE summary = 1 AND sent_at IS NULL", [])?;
    }
    let message_id = message_id(host, now);
    transaction.execute(
        "INSERT INTO outbox(message_id, created_at, subject, body, summary) VALUES(?, ?, ?, ?, ?)",
        params![message_id, now, subject, body, summary],
    )?;
    let id = transaction.last_insert_rowid();
    Ok(Mail { id, message_id, created_at: now, subject: subject.into(), body: body.into() })
}

/// A Message-ID nobody else makes: `<time.random@host>`.
pub(super) fn message_id(host: &str, now: UnixMillis) -> String {
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-')).collect();
    let host = host.trim_matches('.');
    format!("<{now}.{:032x}@{}>", fastrand::u128(..), if host.is_empty() { "localhost" } else { host })
}

/// What to do, and that nothing is lost meanwhile.
fn hint(error: &AlertError) -> String {
    format!("{}; the mail is kept and the next run tries again", error.hint())
}

fn next(database: &mut Database, after: i64) -> Result<Option<Mail>, StatementError> {
    let oldest = "SELECT id, message_id, created_at, subject, body FROM outbox
                  WHERE sent_at IS NULL AND id > ? ORDER BY id LIMIT 1";
    let read = |row: &sqlite::Row<'_>| {
        Ok(Mail {
            id: row.get(0)?,
            message_id: row.get(1)?,
            created_at: row.get(2)?,
            subject: row.get(3)?,
            body: row.get(4)?,
        })
    };
    database.connection().query_row(oldest, [after], read).optional()
}

/// The sender's lock; `None` when another holds it for longer than `patience`. It is waited for, because who holds it
/// may have looked for the last time before our mail was there.
fn lock(path: &Path, access: Access, patience: Duration) -> Result<Option<File>, AlertError> {
    let file = private::open(path, Open::ReadWrite, access)?;
    let end = Instant::now() + patience;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(Some(file)),
            Err(TryLockError::WouldBlock) if Instant::now() >= end => return Ok(None),
            Err(TryLockError::WouldBlock) => std::thread::sleep(POLL),
            Err(TryLockError::Error(source)) => return Err(AlertError::Lock { path: PathBuf::from(path), source }),
        }
    }
}
