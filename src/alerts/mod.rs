//! Alerts: which fire, which are resolved, and the messages about them.
//!
//! Guarantee: one message when a critical alert fires, none while it lasts, one when it is resolved. A message that cannot be
//! sent stays in the outbox. A password is never sent in plaintext.
//!
//! ```text
//! findings -> engine (pending, firing, resolved) -> inhibit (silences, causes) -> message (text, HTML, JSON) -> outbox
//!                                                         outbox -> mail | webhook | command, each once
//! ```

mod command;
mod email;
mod engine;
mod error;
mod hidden;
mod history;
mod html;
mod inhibit;
mod message;
mod notifier;
mod outbox;
mod payload;
mod programs;
mod secret;
mod sendmail;
mod silence;
mod status;
#[cfg(test)]
mod tests;
mod webhook;

pub use email::Mailer;
pub use engine::{Alert, AlertCause, AlertTransition, Decision, JobPass, alerts, forget_jobs, job_finding, observe};
pub use error::AlertError;
pub use history::{AlertEvent, events};
pub use inhibit::{AWS, LOGIN, Mute};
pub use notifier::{Channel, DeliveryContext, Notifier, Receipt, channels, check};
pub use outbox::{Delivered, Mail, PendingDelivery, deliver, kept, test, waiting, write};
pub use programs::missing_programs;
pub use silence::{Silence, silence, silences, unsilence};
pub use status::{AlertStatus, standing};

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
