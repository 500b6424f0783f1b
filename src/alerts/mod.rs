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
