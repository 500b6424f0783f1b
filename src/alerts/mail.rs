//! A message in the outbox.

use crate::clock::UnixMillis;

/// One message in the outbox.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Its row id.
    pub id: i64,
    /// Its Message-ID with angle brackets, the same at every attempt.
    pub message_id: String,
    /// When it was created.
    pub created_at: UnixMillis,
    /// Its subject.
    pub subject: String,
    /// Its body as text.
    pub body: String,
    /// Its body as HTML; empty if there is none.
    pub html: String,
    /// Its JSON payload.
    pub document: String,
}
