//! Words sent out: what began, what is over, and the mail about it.
//!
//! Neighbours: `health/` brings findings, `state/` keeps alerts and outbox, the job runner calls [`observe`] and then
//! [`deliver`]. Promise: one mail when something critical begins, none while it lasts, one when it is over; a mail that
//! cannot leave stays in the outbox; a password never travels in clear.

mod book;
mod email;
mod error;
mod letter;
mod outbox;
mod password;
mod sendmail;
#[cfg(test)]
mod tests;

pub use book::{Alert, Change, Decision, Run, alerts, forget_jobs, job_finding, observe};
pub use email::{Mailer, check, test_mail};
pub use error::AlertError;
pub use outbox::{Delivered, Mail, Post, Receipt, Transport, deliver, waiting, write};
