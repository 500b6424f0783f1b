//! The notifier of each channel.

use crate::alerts::command;
use crate::alerts::email::Mailer;
use crate::alerts::error::AlertError;
use crate::alerts::notifier::{Channel, DeliveryContext, Notifier};
use crate::alerts::webhook;

/// Opens the notifier of a channel: checks its settings and reads its secrets, without a connection.
pub(super) fn open(context: &DeliveryContext<'_>, channel: Channel) -> Result<Box<dyn Notifier>, AlertError> {
    Ok(match channel {
        Channel::Mail => Box::new(Mailer::open(context)?),
        Channel::Webhook => Box::new(webhook::WebhookNotifier::open(&context.settings.webhook)?),
        Channel::Command => Box::new(command::CommandNotifier::open(&context.settings.command)?),
    })
}

/// Checks the settings of a channel, without a connection.
pub fn check(context: &DeliveryContext<'_>, channel: Channel) -> Result<(), AlertError> {
    open(context, channel).map(drop)
}
