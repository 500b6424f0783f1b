//! No answer from before a change that has returned: by seeded interleavings, through the binary, over faults and damage.
//!
//! `scripts/soak.sh` runs the full counts, and each test prints one line of figures.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod binary;
mod cache_out_of_the_way;
#[expect(dead_code, reason = "tests/cli uses the rest")]
#[path = "../support/daemon.rs"]
mod daemon;
mod damage;
#[path = "../support/encryption_keys.rs"]
mod encryption_keys;
mod every_mutation;
mod faults;
mod fixture;
mod jobs_interleavings;
mod model;
mod stress;
#[expect(dead_code, reason = "tests/cli uses the rest")]
#[path = "../support/world.rs"]
mod world;
