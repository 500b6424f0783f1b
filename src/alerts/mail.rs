//! A message in the outbox.

use crate::clock::UnixMillis;

/// One message in the outbox.
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
    /// The same as HTML; empty when there is none.
    pub html: String,
    /// The same as JSON.
    pub document: String,
}
