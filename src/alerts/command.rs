//! Delivers a message to a program of the operator: a pager, a ticket system, a log.
//!
//! Guarantee: the program runs once for each message until it exits with 0. No shell is involved. Text from outside
//! is never an argument. The program gets only the usual variables, those of the message and those of
//! `alerts.command.env`.

use super::hidden::Hidden;
use super::webhook::document;
use crate::alerts::error::AlertError;
use crate::alerts::mail::Mail;
use crate::alerts::notifier::Channel;
use crate::alerts::notifier::Notifier;
use crate::alerts::notifier::Receipt;
use crate::config::CommandConfig;
use crate::model::one_line;
use crate::program::{Environment, ProgramSpec};
use serde_json::Value;
use std::ffi::OsStr;
use std::time::Duration;

/// The notifier that runs a program.
#[derive(Debug)]
pub(super) struct CommandNotifier {
    argv: Vec<String>,
    /// The variables from the configuration.
    environment: Vec<String>,
    timeout: Duration,
}

impl CommandNotifier {
    /// Checks the settings; runs nothing.
    pub(super) fn open(command: &CommandConfig) -> Result<CommandNotifier, AlertError> {
        if command.argv.first().is_none_or(|program| program.trim().is_empty()) {
            return Err(AlertError::Setting {
                key: "alerts.command.argv",
                problem: "no program is named".into(),
                hint: "write its path and arguments, as in [\"/usr/local/bin/page-me\"]".into(),
            });
        }
        Ok(CommandNotifier { argv: command.argv.clone(), environment: command.env.clone(), timeout: command.timeout })
    }
}

impl CommandNotifier {
    /// The values that an error must not repeat: arguments and configured variables.
    fn hidden(&self) -> Hidden {
        let values = self.environment.iter().filter_map(|name| std::env::var(name).ok());
        Hidden::new(self.argv[1..].iter().cloned().chain(values))
    }
}

impl Notifier for CommandNotifier {
    fn send(&self, mail: &Mail) -> Result<Receipt, AlertError> {
        let text = document(mail)?;
        let value: Value = serde_json::from_str(&text).map_err(|error| AlertError::Compose(error.to_string()))?;
        let word = |key: &str| one_line(value[key].as_str().unwrap_or_default());
        let news = value["alerts"].as_array().into_iter().flatten().filter(|alert| alert["news"] == true);
        let keys: Vec<String> = news.filter_map(|alert| alert["key"].as_str()).map(one_line).collect();
        // A variable cannot contain a NUL byte.
        let body = mail.body.replace('\0', " ");
        let order = ProgramSpec {
            program: OsStr::new(&self.argv[0]),
            arguments: self.argv[1..].iter().map(Into::into).collect(),
            environment: Environment::Named(&self.environment),
            variables: vec![
                ("AWSIDEMAN_ALERT_SUBJECT", one_line(&mail.subject)),
                ("AWSIDEMAN_ALERT_TEXT", body),
                ("AWSIDEMAN_ALERT_STATE", word("state")),
                ("AWSIDEMAN_ALERT_KEYS", keys.join(" ")),
                ("AWSIDEMAN_ALERT_HOST", word("host")),
                ("AWSIDEMAN_ALERT_MESSAGE_ID", one_line(&mail.message_id)),
            ],
            input: text.as_bytes(),
            is_foreground: false,
            timeout: self.timeout,
        };
        let ended = order.run().and_then(|ended| ended.well());
        ended.map_err(|why| AlertError::Command(format!("{} {}", self.argv[0], self.hidden().excerpt(&why))))?;
        Ok(Receipt { channel: Channel::Command, place: self.argv[0].clone(), complaint: None })
    }
}
