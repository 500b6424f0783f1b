//! Converts errors of lettre into [`AlertError`], with the setting that a refusal is about.
//!
//! A refusal belongs to the step at which it arrives, unless the server names another step.

use crate::alerts::error::AlertError;
use crate::model::one_line;
use lettre::transport::smtp::Error as SmtpError;
use std::io::ErrorKind;

/// The error of a setting.
pub(super) fn setting(key: &'static str, problem: &str, hint: &str) -> AlertError {
    AlertError::Setting { key, problem: problem.into(), hint: hint.into() }
}

/// The step of the conversation that failed.
pub(super) enum SmtpStage {
    /// Connecting, TLS and EHLO, with the host name sent.
    Hello(String),
    /// `MAIL FROM`.
    Sender { helo: String, sender: String },
    /// `RCPT TO`.
    Recipient { helo: String, recipient: String },
    /// The mail itself.
    Content,
}

/// The error of `stage`.
pub(super) fn of(error: &SmtpError, stage: &SmtpStage, server: String, has_tls: bool) -> AlertError {
    let reason = one_line(&root_cause(error));
    if let Some(code) = error.status() {
        return refusal(stage, u16::from(code), server, format!("{code} {reason}"));
    }
    if io_kind(error) == Some(ErrorKind::TimedOut) {
        return AlertError::TimedOut { server };
    }
    // rustls reports through an I/O error whose own type is private.
    if reason.contains("certificate") || reason.contains("UnknownIssuer") {
        return AlertError::Certificate { server, reason };
    }
    let garbled = ["corrupt message", "InvalidMessage", "handshake eof"].iter().any(|words| reason.contains(words));
    if error.is_tls() || (has_tls && garbled) {
        return AlertError::Tls { server, reason };
    }
    if error.is_client() {
        return AlertError::Refused { server, reason };
    }
    if reason == "incomplete response" {
        return AlertError::Protocol { server, reason: "it closed the connection without an answer".into() };
    }
    if error.is_response() || io_kind(error) == Some(ErrorKind::InvalidData) {
        return AlertError::Protocol { server, reason };
    }
    AlertError::Unreachable { server, reason }
}

fn refusal(stage: &SmtpStage, code: u16, server: String, reason: String) -> AlertError {
    // Postfix reports a refused EHLO only at the first recipient.
    let is_about_helo = |reason: &str| {
        let lower = reason.to_lowercase();
        code == 504 || lower.contains("helo") || lower.contains("ehlo")
    };
    match stage {
        SmtpStage::Hello(helo) if matches!(code, 501 | 504) || is_about_helo(&reason) => {
            AlertError::Hello { server, helo: helo.clone(), reason }
        }
        SmtpStage::Sender { helo, .. } | SmtpStage::Recipient { helo, .. } if is_about_helo(&reason) => {
            AlertError::Hello { server, helo: helo.clone(), reason }
        }
        SmtpStage::Sender { sender, .. } => AlertError::Sender { server, sender: sender.clone(), reason },
        SmtpStage::Recipient { recipient, .. } => {
            AlertError::Recipient { server, recipient: recipient.clone(), reason }
        }
        SmtpStage::Hello(_) | SmtpStage::Content => AlertError::Refused { server, reason },
    }
}

pub(super) fn root_cause(error: &SmtpError) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}

/// The kind of the I/O error that caused it.
fn io_kind(error: &SmtpError) -> Option<ErrorKind> {
    let mut cause: Option<&dyn std::error::Error> = Some(error);
    while let Some(this) = cause {
        if let Some(io) = this.downcast_ref::<std::io::Error>() {
            return Some(io.kind());
        }
        cause = this.source();
    }
    None
}
