//! Never an answer from before a change that has returned: forced interleavings by seed, on the real store, in clear and
//! sealed, and the real gateway, and the same rules with one step taken out, which must be noticed.
//!
//! A seed that fails is the same play again; small counts here, 10,000 seeds of each with `AWSIDEMAN_SOAK=1`.

mod aws;
mod encryption;
mod mutants;
mod play;

use encryption::Kept;
use mutants::Mutant;
use play::{Seen, play};

/// How many seeds are played: more are played in clear, which is quicker.
fn seeds(kept: Kept) -> u64 {
    match (std::env::var("AWSIDEMAN_SOAK").is_ok_and(|set| set == "1"), kept) {
        (true, _) => 10_000,
        (false, Kept::Clear) => 200,
        (false, Kept::Sealed) => 80,
    }
}

/// One line of figures.
#[expect(clippy::print_stdout, reason = "it is what a full count is run for")]
fn figures(line: &str) {
    println!("{line}");
}

fn no_violation(kept: Kept) -> Seen {
    let (mut seen, seeds) = (Seen::default(), seeds(kept));
    for seed in 0..seeds {
        match play(seed, kept, Mutant::None) {
            Ok(more) => seen.add(&more),
            Err(violation) => panic!("seed {seed}, {kept:?}: {violation}"),
        }
    }
    figures(&format!("{kept:?}: {seeds} seeds: {seen}; 0 violations"));
    assert!(seen.hits > seeds && seen.late_hits > seeds / 2, "the cache answered too seldom to prove much: {seen}");
    assert!(seen.killed > 0 && seen.lost > 0 && seen.clears > 0 && seen.flips > 0 && seen.lapses > 0, "{seen}");
    seen
}

#[test]
fn no_interleaving_serves_what_a_change_that_returned_has_made_false() {
    no_violation(Kept::Clear);
}

/// Nor where somebody enables, disables or rotates the key meanwhile, and others go on with the keys that they had.
#[test]
fn no_interleaving_over_a_sealed_cache_does_either() {
    let seen = no_violation(Kept::Sealed);
    assert!(seen.keys > seeds(Kept::Sealed) / 3, "{seen}");
}

#[test]
fn the_rules_without_one_of_their_steps_are_caught() {
    let steps = [Mutant::NoCheck, Mutant::NoSettle, Mutant::NoClose].map(|step| (Kept::Clear, step));
    // Sealed plays are slow, and one step tells that they are judged as well.
    for (kept, mutant) in steps.into_iter().chain([(Kept::Sealed, Mutant::NoSettle)]) {
        let caught = (0..20_000).find(|seed| play(*seed, kept, mutant).is_err());
        let seed = caught.unwrap_or_else(|| panic!("{mutant:?} was not noticed, {kept:?}"));
        println!("{mutant:?}, {kept:?}: seed {seed}: {}", play(seed, kept, mutant).unwrap_err());
    }
}
