//! The mail notifier: SMTP, sendmail or a folder. Only this folder imports lettre.

mod fault;
mod login;
mod mailer;
mod server;
mod wire;

pub use mailer::Mailer;
