//! The product as people and scripts meet it: the real binary over the real wire protocol, one folder of sentences.
//!
//! Neighbours: `run.rs` makes the world that each test lives in, `home.rs` the smaller one; the rules themselves are tested beside the code.
//! Promise: no test touches the real home, the real AWS or another test.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod aws_settings;
mod bad_input;
mod breaker;
mod bypass;
mod changes;
mod changes_conditional;
mod changes_cut_off;
mod changes_in_accounts;
mod changes_of_people;
mod changes_of_sets;
mod checklist;
mod clock;
mod coherent;
mod coherent_table;
mod credential_services;
mod crowd;
mod deletions;
mod depth;
mod encryption;
mod encryption_rotated;
mod error_codes;
mod foreign_files;
mod freshness;
mod health_states;
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
mod jobs_processes;
mod jobs_told;
mod limits;
mod log;
mod monitor;
mod on_call;
mod output;
mod partial;
mod readme;
mod reads_cached;
mod reads_named;
mod reads_partial;
mod reads_values;
mod recover;
mod resource_limits;
mod run;
mod same_name;
mod scripts;
mod setup;
mod sharing;
mod spaces;
mod spec;
mod spoken;
mod status;
mod sudo;
mod terminal;
mod troubleshooting;
mod truth;
mod tty;
mod visible;
mod warm;
mod words;
