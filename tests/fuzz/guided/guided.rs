//! A reader fed by libFuzzer, which keeps what reaches new code and changes it further.
//!
//! The name of the program is the name of its target, and the seeds lie in the folder that `FUZZ_SEEDS` names
//! before the first input is made of them.

#![no_main]

#[path = "../targets.rs"]
mod targets;

use libfuzzer_sys::fuzz_target;
use std::path::PathBuf;

thread_local! {
    static TARGET: targets::Target = targets::target(env!("CARGO_BIN_NAME"));
}

fuzz_target!(
    init: {
        assert!(targets::NAMES.contains(&env!("CARGO_BIN_NAME")));
        if let Some(folder) = std::env::var_os("FUZZ_SEEDS").map(PathBuf::from) {
            TARGET.with(|target| {
                for (number, seed) in target.seeds.iter().enumerate() {
                    std::fs::write(folder.join(format!("seed-{number}")), seed).expect("the folder of seeds takes them");
                }
            });
        }
    },
    |bytes: &[u8]| TARGET.with(|target| (target.feed)(bytes))
);
