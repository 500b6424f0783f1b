//! Kill -9 at random moments: all entries verify afterwards, none is wrong, and no invalidation is lost.
//!
//! The moments come from a seed, so that a case that fails is the same case again.

use super::shim::{Calls, Fault, OPEN, RENAME, SYNC, Shim, TRUNCATE, UNLINK, WRITE};
use crate::fixture::{LIST, Stage, Start, figures, soak};
use crate::world::Ran;

/// What is killed, how it stands before, and so long after the present. Another command that writes is one line more.
const COMMANDS: [(&str, Start, &str); 13] = [
    ("cache warm users groups", Start::Cold, ""),
    ("cache warm users groups", Start::Warm, ""),
    ("cache warm users groups", Start::Fenced, ""),
    ("cache cleanup", Start::Warm, "3h"),
    ("cache cleanup", Start::Fenced, ""),
    ("cache recover", Start::Warm, ""),
    ("cache recover", Start::Fenced, ""),
    ("cache clear", Start::Warm, ""),
    ("cache clear --all", Start::Fenced, ""),
    ("cache enforce-limits", Start::Warm, ""),
    ("cache enforce-limits", Start::Fenced, ""),
    ("user update NAME --display-name Changed", Start::Warm, ""),
    ("jobs run --all", Start::Warm, ""),
];

/// At any of these.
const ANY: Calls = Calls(OPEN.0 | WRITE.0 | SYNC.0 | TRUNCATE.0 | RENAME.0 | UNLINK.0);

fn run(stage: &Stage, shim: &Shim, (words, start, offset): (&str, Start, &str), fault: Fault) -> Ran {
    stage.reset(start);
    if start == Start::Fenced {
        // AWS has made the change whose writer died.
        stage.rename("Changed");
    }
    shim.reset(0);
    let words = words.replace("NAME", &stage.name);
    let mut process = stage.world.command(words.split_whitespace());
    shim.arm(&stage.world, &mut process, fault);
    if !offset.is_empty() {
        process.env("AWSIDEMAN_DEBUG_CLOCK_OFFSET", offset);
    }
    if words.contains("enforce-limits") {
        process.env("AWSIDEMAN_CACHE_MAX_ENTRIES", "5");
    }
    Ran::of(format!("awsideman {words}"), &process.output().unwrap())
}

fn judge(stage: &mut Stage, case: &str, (words, start, offset): (&str, Start, &str)) {
    if start == Start::Fenced || words.starts_with("user update") {
        let live = stage.after("", LIST);
        let right = live.exit == 0 && stage.shown(&live) == Some(stage.truth());
        stage.must(right, case, "somebody is told the old name", &live);
    }
    if start == Start::Fenced {
        let cached = stage.after("", &format!("{LIST} --cache-only"));
        stage.must(cached.exit == 10, case, "the fence is lost", &cached);
    }
    if words.starts_with("user update") {
        let settled = stage.after("11s", LIST);
        let right = settled.exit == 0 && stage.shown(&settled) == Some(stage.truth());
        stage.must(right, case, "somebody is told the old name later", &settled);
    }
    let lapsed = start == Start::Fenced || words.starts_with("user update");
    stage.heals(case, if lapsed { "6m" } else { offset });
}

fn killed(seeds: std::ops::Range<usize>) {
    let (mut stage, shim) = (Stage::new(), Shim::build());
    let mut totals = [0; COMMANDS.len()];
    let (mut kills, cases) = (0, seeds.end - seeds.start);
    for seed in seeds {
        let number = seed % COMMANDS.len();
        let command = COMMANDS[number];
        if totals[number] == 0 {
            run(&stage, &shim, command, Fault { calls: ANY, at: 0, how: "" });
            let kinds = shim.report().kinds;
            // All but the reads, which are the fifth.
            totals[number] = kinds.iter().sum::<u64>() - kinds[4];
        }
        let mut random = fastrand::Rng::with_seed(seed as u64);
        let (at, how) = (random.u64(1..=totals[number]), if random.bool() { "kill" } else { "die" });
        run(&stage, &shim, command, Fault { calls: ANY, at, how });
        kills += usize::from(shim.report().fired);
        let case = format!("seed {seed}: `{}` ({:?}), {how} at {at} of {}", command.0, command.1, totals[number]);
        judge(&mut stage, &case, command);
    }
    figures(&format!("killed: {kills} of {cases} runs, {} went wrong", stage.faults.len()));
    stage.end();
    assert!(kills * 10 >= cases * 9, "only {kills} of {cases} runs were killed");
}

/// The number of kills: 50, and in the soak 500.
fn count() -> usize {
    if soak() { 500 } else { 50 }
}

#[test]
fn what_is_killed_at_any_moment_leaves_nothing_wrong_first_half() {
    killed(0..count() / 2);
}

#[test]
fn what_is_killed_at_any_moment_leaves_nothing_wrong_second_half() {
    killed(count() / 2..count());
}
