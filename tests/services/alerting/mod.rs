//! Alerts as an operator has them: real servers, real processes, what arrived counted where it arrives.
//!
//! Everything is on loopback and ends with its test; `AWSIDEMAN_TEST_PYTHON` names a Python with aiosmtpd and
//! cryptography.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its world fails")]

mod channels;
mod commands;
mod desk;
mod hostile;
mod hostile_mail;
mod hostile_program;
mod hostile_web;
mod mails;
#[path = "../fixtures/python.rs"]
mod python;
mod relays;
mod servers;
mod watch;
