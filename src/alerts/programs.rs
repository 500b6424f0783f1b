//! Checks the programs that notifiers need, without running them.

use super::sendmail;
use crate::alerts::notifier::Channel;
use crate::config::{self, MailTransport};
use crate::host;

/// The missing programs of enabled notifiers, one sentence each.
pub fn missing_programs(settings: &config::Alerts) -> Vec<String> {
    let mut wanted: Vec<(&str, &str)> = Vec::new();
    let email = &settings.email;
    let mut missing = Vec::new();
    if Channel::Command.is_enabled(settings)
        && let Some(program) = settings.command.argv.first()
    {
        wanted.push(("alerts.command.argv", program));
    }
    if Channel::Mail.is_enabled(settings) {
        if email.transport == MailTransport::Sendmail {
            missing.extend(sendmail::find().err().map(|error| format!("alerts.email.transport: {error}")));
        } else if email.transport == MailTransport::Smtp {
            let commands = [
                ("alerts.email.password_command", &email.password_command),
                ("alerts.email.token_command", &email.token_command),
            ];
            wanted.extend(commands.into_iter().filter_map(|(key, argv)| Some((key, argv.first()?.as_str()))));
        }
    }
    if Channel::Webhook.is_enabled(settings)
        && let Some(program) = settings.webhook.url_command.first()
    {
        wanted.push(("alerts.webhook.url_command", program));
    }
    let faults = wanted.into_iter().filter_map(|(key, program)| Some((key, host::program(program).err()?)));
    missing.extend(faults.map(|(key, fault)| format!("{key}: {fault}")));
    missing
}
