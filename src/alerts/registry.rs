//! The notifier of each channel.

use crate::alerts::command;
use crate::alerts::email::Mailer;
use crate::alerts::error::AlertError;
use crate::alerts::notifier::{Channel, DeliveryContext, Notifier};
use crate::alerts::webhook;

/// The notifier of a channel, its settings checked and its secrets read; nothing is connected.
pub(super) fn open(context: &DeliveryContext<'_>, channel: Channel) -> Result<Box<dyn Notifier>, AlertError> {
    Ok(match channel {
        Channel::Mail => Box::new(Mailer::open(context)?),
        Channel::Webhook => Box::new(webhook::Hook::open(&context.settings.webhook)?),
        Channel::Command => Box::new(command::Runner::open(&context.settings.command)?),
    })
}

/// Whether the settings of a channel can be used, without connecting anywhere.
pub fn check(context: &DeliveryContext<'_>, channel: Channel) -> Result<(), AlertError> {
    open(context, channel).map(drop)
}
