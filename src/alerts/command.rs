//! A message handed to a program of the operator's: a pager, a ticket, a log.
//!
//! Neighbours: `document.rs` writes what it reads, `child.rs` runs it, `outbox.rs` tries again. Promise: it is run once for
//! each message until it ends with 0; no shell reads anything, and what comes from outside is never one of its arguments.

use super::AlertError;
use super::channel::{Channel, Receipt, Transport};
use super::child::Order;
use super::outbox::Mail;
use super::webhook::document;
use crate::config::Command;
use crate::model::one_line;
use serde_json::Value;
use std::ffi::OsStr;
use std::time::Duration;

/// A program that takes documents.
#[derive(Debug)]
pub(super) struct Runner {
    argv: Vec<String>,
    timeout: Duration,
}

impl Runner {
    /// Checks the settings; runs nothing.
    pub(super) fn open(command: &Command) -> Result<Runner, AlertError> {
        if command.argv.first().is_none_or(|program| program.trim().is_empty()) {
            return Err(AlertError::Setting {
                key: "alerts.command.argv",
                problem: "no program is named".into(),
                hint: "write its path and arguments, as in [\"/usr/local/bin/page-me\"]".into(),
            });
        }
        Ok(Runner { argv: command.argv.clone(), timeout: command.timeout })
    }
}

impl Transport for Runner {
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError> {
        let text = document(mail)?;
        let value: Value = serde_json::from_str(&text).map_err(|error| AlertError::Compose(error.to_string()))?;
        let word = |key: &str| one_line(value[key].as_str().unwrap_or_default());
        let news = value["alerts"].as_array().into_iter().flatten().filter(|alert| alert["news"] == true);
        let keys: Vec<String> = news.filter_map(|alert| alert["key"].as_str()).map(one_line).collect();
        // A variable cannot hold the byte that ends it.
        let body = mail.body.replace('\0', " ");
        let order = Order {
            program: OsStr::new(&self.argv[0]),
            arguments: self.argv[1..].iter().map(Into::into).collect(),
            variables: vec![
                ("AWSIDEMAN_ALERT_SUBJECT", one_line(&mail.subject)),
                ("AWSIDEMAN_ALERT_TEXT", body),
                ("AWSIDEMAN_ALERT_STATE", word("state")),
                ("AWSIDEMAN_ALERT_KEYS", keys.join(" ")),
                ("AWSIDEMAN_ALERT_HOST", word("host")),
                ("AWSIDEMAN_ALERT_MESSAGE_ID", one_line(&mail.message_id)),
            ],
            input: text.as_bytes(),
            timeout: self.timeout,
        };
        let ended = order.run().and_then(|ended| ended.well());
        ended.map_err(|why| AlertError::Command(format!("{} {why}", self.argv[0])))?;
        Ok(Receipt { channel: Channel::Command, place: self.argv[0].clone(), complaint: None })
    }
}
