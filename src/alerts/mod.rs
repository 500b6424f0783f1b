//! Words sent out: what began, what is over, and the message about it.
//!
//! Neighbours: `health/` brings findings, `state/` keeps alerts and outbox, the job runner calls [`observe`] and then
//! [`deliver`]. Promise: one message when something critical begins, none while it lasts, one when it is over; a message
//! that cannot leave stays in the outbox; a password never travels in clear.
//!
//! ```text
//! findings -> book (pending, firing, over) -> mute (silences, causes) -> letter (text, HTML, JSON) -> outbox
//!                                                         outbox -> mail | webhook | command, each once
//! ```

mod book;
mod channel;
mod command;
mod document;
mod email;
mod error;
mod hidden;
mod history;
mod letter;
mod mute;
mod outbox;
mod page;
mod programs;
mod secret;
mod sendmail;
mod silence;
mod standing;
#[cfg(test)]
mod tests;
mod webhook;

pub use book::{Alert, AlertCause, AlertTransition, Decision, JobPass, alerts, forget_jobs, job_finding, observe};
pub use channel::{Channel, DeliveryContext, Notifier, Receipt, channels, check};
pub use email::Mailer;
pub use error::AlertError;
pub use history::{AlertEvent, events};
pub use mute::{AWS, LOGIN, Mute};
pub use outbox::{Delivered, Mail, PendingDelivery, deliver, kept, test, waiting, write};
pub use programs::missing_programs;
pub use silence::{Silence, silence, silences, unsilence};
pub use standing::{AlertStatus, standing};

use crate::clock::{self, UnixMillis};
use serde::Serializer;

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde calls it with a reference")]
fn stamp<S: Serializer>(at: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&clock::utc(*at))
}

#[expect(clippy::ref_option, reason = "serde calls it with a reference")]
fn stamp_or_null<S: Serializer>(at: &Option<UnixMillis>, serializer: S) -> Result<S::Ok, S::Error> {
    match at {
        Some(at) => stamp(at, serializer),
        None => serializer.serialize_none(),
    }
}
