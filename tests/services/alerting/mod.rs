//! Alerts as an operator has them: real servers, real processes, what arrived counted where it arrives.
//!
//! Everything is on loopback and ends with its test; `AWSIDEMAN_TEST_PYTHON` names a Python with aiosmtpd and
//! cryptography.

mod channels;
mod commands;
mod fixture;
mod hostile;
mod hostile_mail;
mod hostile_program;
mod hostile_web;
mod mails;
mod relays;
mod servers;
mod watch;
