//! Damage: flipped bits, cut files, garbage pages, swapped rows, foreign files and old schemas in everything that is kept,
//! and two versions of the cache side by side.
//!
//! The damage comes from a seed, so that a case that fails is the same case again; no case crashes, none shows a
//! wrong value, and `cache recover` brings the rest back.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod next_binary;
#[expect(dead_code, reason = "the world of tests/cli, of which not all is needed here")]
#[path = "../cli/run.rs"]
mod run;
#[expect(dead_code, reason = "it serves tests/cli too")]
#[path = "../cli/spoken.rs"]
mod spoken;
#[expect(dead_code, reason = "it serves tests/faults too")]
#[path = "../faults/stage.rs"]
mod stage;
mod strike;
mod versions;
mod versions_at_work;
