//! awsideman next to real services: mail and web servers, Prometheus, a browser, moto, and the sandbox as AWS clients see it.
//!
//! All of them listen on loopback and end with their test. `AWSIDEMAN_TEST_PYTHON` names a Python that has what
//! `scripts/test.sh` installs; without it a test prints that it was skipped, and in CI it fails.

#![expect(clippy::unwrap_used, reason = "a test that cannot set up its services has failed")]

mod alerting;
mod jobs_mail;
mod mail;
mod moto;
mod page;
#[path = "../support/python.rs"]
mod python;
mod quota;
mod sandbox;
