//! Renders the message about a decision: subject, text, HTML and JSON.

use crate::alerts::alert::{Decision, JobPass};
use crate::alerts::html;
use crate::alerts::message::{AlertMessage, subject, text};
use crate::alerts::payload;
use crate::clock::UnixMillis;

/// A message in all its formats.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct RenderedMessage {
    pub(super) subject: String,
    pub(super) text: String,
    pub(super) html: String,
    /// JSON.
    pub(super) document: String,
}

/// The message about a decision.
pub(super) fn render(decision: &Decision, run: &JobPass<'_>, now: UnixMillis) -> RenderedMessage {
    let content = AlertMessage { decision, run, now };
    let (subject, text) = (subject(&content), text(&content));
    let (html, document) = (html::html(&subject, &content), payload::json(&subject, &text, &content));
    RenderedMessage { subject, text, html, document }
}
