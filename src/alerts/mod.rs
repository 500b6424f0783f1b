//! Alerts: which fire, which are resolved, and the messages about them.
//!
//! Guarantee: one message when a critical alert fires, none while it lasts, one when it is resolved. A message that cannot be
//! sent stays in the outbox. A password is never sent in plaintext.
//!
//! ```text
//! findings -> engine (pending, firing, resolved) -> inhibit (silences, causes) -> message (text, HTML, JSON) -> outbox
//!                                                         outbox -> mail | webhook | command, each once
//! ```

mod alert;
mod command;
mod email;
mod engine;
mod error;
mod hidden;
mod history;
mod html;
mod inhibit;
mod mail;
mod message;
mod notifier;
mod outbox;
mod payload;
mod programs;
mod registry;
mod render;
mod secret;
mod sendmail;
mod silence;
mod status;
#[cfg(test)]
mod tests;
mod webhook;

pub use alert::{Alert, AlertCause, AlertTransition, Decision, JobPass, Suppression};
pub use email::Mailer;
pub use engine::{alerts, forget_jobs, job_finding, observe};
pub use error::AlertError;
pub use history::{AlertEvent, events};
pub use inhibit::{AWS, LOGIN};
pub use mail::Mail;
pub use notifier::{Channel, DeliveryContext, Notifier, Receipt, channels};
pub use outbox::{Delivered, PendingDelivery, deliver, pending_deliveries, test, waiting, write};
pub use programs::missing_programs;
pub use registry::check;
pub use silence::{Silence, silence, silences, unsilence};
pub use status::{AlertStatus, statuses};
