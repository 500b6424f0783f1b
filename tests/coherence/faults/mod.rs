//! A disk that fails, a process that is gone, a directory that is taken away: the real binary over all of it.
//!
//! A case is named by its command, its call and its number, and happens again when that is asked for; all that went
//! wrong is told at once.
//!
//! `AWSIDEMAN_SOAK=1` runs every case there is, and each test prints one line of figures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod every;
mod full;
mod gone;
mod held;
mod killed;
#[expect(dead_code, reason = "the world of tests/cli, of which not all is needed here")]
#[path = "../cli/run.rs"]
mod run;
mod shim;
#[expect(dead_code, reason = "it serves tests/damage too")]
mod stage;
