//! The product as people and scripts meet it: the real binary over the real wire protocol, one folder of sentences.
//!
//! No test touches the real home, the real AWS or another test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aws_access;
mod aws_settings;
mod bad_input;
mod breaker;
mod cache_inspect;
mod cache_verify;
mod changes;
mod changes_conditional;
mod changes_cut_off;
mod changes_in_accounts;
mod changes_of_people;
mod changes_of_sets;
mod checklist;
mod clock;
mod credential_services;
#[path = "../support/daemon.rs"]
mod daemon;
mod deletions;
mod directories;
mod docs;
mod encryption;
#[path = "../support/encryption_keys.rs"]
mod encryption_keys;
mod error_codes;
mod foreign_files;
mod freshness;
mod guide_phrases;
mod health_states;
#[path = "../support/home.rs"]
mod home;
mod homeless;
mod hostile;
mod interrupted;
mod jobs;
mod jobs_ahead;
mod jobs_cancel;
mod jobs_document;
mod jobs_faults;
mod jobs_install;
mod jobs_output;
mod jobs_processes;
mod limits;
mod log;
mod monitor;
mod on_call;
mod output;
mod partial;
mod process;
#[expect(dead_code, reason = "tests/services uses the rest")]
#[path = "../support/python.rs"]
mod python;
mod readme;
mod reads_cached;
mod reads_named;
mod reads_partial;
mod reads_values;
mod recover;
mod resource_limits;
mod same_name;
mod scripts;
mod setup;
mod sharing;
mod single_flight;
mod spaces;
mod spec;
mod status;
mod sudo;
mod terminal;
mod troubleshooting;
#[path = "../support/tty.rs"]
mod tty;
mod visible;
mod warm;
#[path = "../support/world.rs"]
mod world;
