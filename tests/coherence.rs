//! Never an answer from before a change that has returned: forced interleavings by seed, on the real store and the real
//! gateway, and the same rules with one step taken out, which must be noticed.
//!
//! Neighbours: `coherence/aws.rs` is a small Identity Center whose every call is a moment at which something else can
//! happen, `coherence/play.rs` lets actors take turns by seed, `coherence/mutants.rs` takes a step out. The same is forced
//! on the real binary in `tests/cli/coherent.rs`. Small counts here, 10,000 seeds with `AWSIDEMAN_SOAK=1`.

#![expect(clippy::unwrap_used, reason = "a test says what is wrong by failing")]

#[path = "coherence/aws.rs"]
mod aws;
#[path = "coherence/mutants.rs"]
mod mutants;
#[path = "coherence/play.rs"]
mod play;

use mutants::Mutant;
use play::{Seen, play};

/// How many seeds are played.
fn seeds() -> u64 {
    if std::env::var("AWSIDEMAN_SOAK").is_ok_and(|set| set == "1") { 10_000 } else { 200 }
}

#[test]
fn no_interleaving_serves_what_a_change_that_returned_has_made_false() {
    let mut seen = Seen::default();
    for seed in 0..seeds() {
        match play(seed, Mutant::None) {
            Ok(more) => seen.add(&more),
            Err(violation) => panic!("seed {seed}: {violation}"),
        }
    }
    println!("{} seeds: {seen}; 0 violations", seeds());
    assert!(seen.hits > seeds() && seen.late_hits > seeds() / 2, "the cache answered too seldom to prove much: {seen}");
    assert!(seen.killed > 0 && seen.lost > 0 && seen.clears > 0 && seen.flips > 0 && seen.lapses > 0, "{seen}");
}

#[test]
fn the_rules_without_one_of_their_steps_are_caught() {
    for mutant in [Mutant::NoCheck, Mutant::NoSettle, Mutant::NoClose] {
        let caught = (0..20_000).find(|seed| play(*seed, mutant).is_err());
        let seed = caught.unwrap_or_else(|| panic!("{mutant:?} was not noticed"));
        println!("{mutant:?}: seed {seed}: {}", play(seed, mutant).unwrap_err());
    }
}
