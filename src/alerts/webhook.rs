//! Posts a message to a URL: chats (Slack, Mattermost) or a program of the operator.
//!
//! Guarantee: only a status of 2xx means delivered. The URL is sent only inside TLS or on this host. Only its host is
//! shown, also if the server repeats the rest.

use super::hidden::Hidden;
use super::secret::Places;
use crate::alerts::error::AlertError;
use crate::alerts::mail::Mail;
use crate::alerts::notifier::Channel;
use crate::alerts::notifier::Notifier;
use crate::alerts::notifier::Receipt;
use crate::alerts::payload::chat;
use crate::config::Webhook;
use crate::http::{HttpFault, Poster};
use crate::secure_fs::bounded;
use serde_json::{Value, json};
use std::time::Duration;

/// The webhook notifier.
#[derive(Debug)]
pub(super) struct WebhookNotifier {
    poster: Poster,
    only_text: bool,
    timeout: Duration,
    /// The URL without its host, which the server may repeat.
    hidden: Hidden,
}

impl WebhookNotifier {
    /// Checks the settings and reads the URL. Opens no connection.
    pub(super) fn open(webhook: &Webhook) -> Result<WebhookNotifier, AlertError> {
        let fault = |key, problem: String, hint: &str| AlertError::Setting { key, problem, hint: hint.into() };
        let places = Places {
            what: "URL",
            variable: ("alerts.webhook.url", webhook.url.as_ref()),
            file: ("alerts.webhook.url_file", webhook.url_file.as_deref()),
            command: ("alerts.webhook.url_command", &webhook.url_command),
            timeout: webhook.timeout,
        };
        let Some(url) = places.read()? else {
            let hint = "name a file of mode 0600 that holds it, or set AWSIDEMAN_ALERTS_WEBHOOK_URL";
            return Err(fault("alerts.webhook.url_file", "no URL is given".into(), hint));
        };
        let more = match &webhook.ca_file {
            None => None,
            Some(path) => Some(bounded::bounded(path, bounded::CERTIFICATE_FILE).map_err(|error| {
                let problem = format!("cannot read {}: {error}", path.display());
                fault("alerts.webhook.ca_file", problem, "name a PEM file of certificates")
            })?),
        };
        let poster = Poster::open(url.trim(), more.as_deref()).map_err(|error| match &error {
            HttpFault::Certificates(_) => {
                fault("alerts.webhook.ca_file", error.to_string(), "name a PEM file of valid certificates")
            }
            _ => fault("alerts.webhook.url", error.to_string(), "write one that begins with https://"),
        })?;
        if !poster.is_private() {
            let problem = format!("http would send its secret part to {} in plaintext", poster.host());
            return Err(fault("alerts.webhook.url", problem, "write one that begins with https://"));
        }
        let hidden = Hidden::of_url(url.trim());
        Ok(WebhookNotifier { poster, only_text: webhook.only_text, timeout: webhook.timeout, hidden })
    }
}

impl Notifier for WebhookNotifier {
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError> {
        let mut body = document(mail)?;
        if self.only_text {
            let value: Value = serde_json::from_str(&body).map_err(|error| AlertError::Compose(error.to_string()))?;
            body = json!({ "text": value["text"] }).to_string();
        }
        let unreachable = |reason: String| AlertError::Webhook { reason, is_about_the_mail: false };
        // The sender has its own thread, so nothing else waits.
        let runtime = crate::host::check_for_runtime(1)
            .and_then(|()| tokio::runtime::Builder::new_current_thread().enable_all().build());
        let runtime = runtime.map_err(|error| unreachable(error.to_string()))?;
        let posted = runtime.block_on(self.poster.post(body, "application/json", self.timeout));
        let answer = posted.map_err(|fault| unreachable(self.hidden.excerpt(&fault.to_string())))?;
        // A pending name resolution must not delay the next delivery.
        runtime.shutdown_background();
        if answer.is_good() {
            return Ok(Receipt { channel: Channel::Webhook, place: self.poster.host().to_owned(), complaint: None });
        }
        let words = match self.hidden.excerpt(&answer.text) {
            _ if (300..400).contains(&answer.status) => ": redirects are not followed".to_owned(),
            words if words.is_empty() => String::new(),
            words => format!(": {words}"),
        };
        // Another message may still be accepted.
        let is_about_the_mail = matches!(answer.status, 400 | 413 | 422);
        let reason = format!("{} answered {}{words}", self.poster.host(), answer.status);
        Err(AlertError::Webhook { reason, is_about_the_mail })
    }
}

/// The payload with its Message-ID, the same at every attempt, so that the receiver can detect a duplicate.
pub(super) fn document(mail: &Mail) -> Result<String, AlertError> {
    // Messages of earlier versions have no payload.
    let text = if mail.document.is_empty() { "{\"schema_version\": 1}" } else { &mail.document };
    let mut value: Value = serde_json::from_str(text).map_err(|error| AlertError::Compose(error.to_string()))?;
    value["message_id"] = mail.message_id.as_str().into();
    if mail.document.is_empty() {
        value["subject"] = mail.subject.as_str().into();
        value["text"] = chat(&mail.subject, &mail.body).into();
    }
    Ok(value.to_string())
}
