//! The Nth call to the disk fails, for each N, until the command passes without it: never a panic, never a wrong answer,
//! and the next run heals.
//!
//! In the normal run some numbers of each command and call are taken, the first and the last among them; in the
//! soak all are.

use super::shim::{Calls, Fault, OPEN, READ, RENAME, Report, SYNC, Shim, TRUNCATE, UNLINK, WRITE};
use crate::fixture::{LIST, Stage, Start, figures, soak};
use crate::world::Ran;

/// What a command promises while its disk fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Promise {
    /// The answer, whatever happens.
    Answer,
    /// The change is made, and nobody is told the old name afterwards, or it ends with 12.
    Change,
    /// When it says so, nothing is left to hit.
    Clears,
    /// When it says so, the cache is disabled.
    Disables,
    /// When it says so, the cache is in use again.
    Enables,
    /// Nothing but to leave all well.
    Nothing,
}

struct Command {
    words: &'static str,
    start: Start,
    promise: Promise,
    /// So long after the present.
    offset: &'static str,
}

const fn command(words: &'static str, start: Start, promise: Promise) -> Command {
    Command { words, start, promise, offset: "" }
}

const COMMANDS: [Command; 14] = [
    command("user list --json", Start::Cold, Promise::Answer),
    command("user list --json", Start::Warm, Promise::Answer),
    command("user get NAME --json", Start::Cold, Promise::Answer),
    command("user get NAME --json", Start::Warm, Promise::Answer),
    command("cache warm users groups", Start::Cold, Promise::Nothing),
    command("cache warm users groups", Start::Warm, Promise::Nothing),
    command("user update NAME --display-name Changed", Start::Warm, Promise::Change),
    command("cache clear", Start::Warm, Promise::Clears),
    command("cache enforce-limits", Start::Warm, Promise::Nothing),
    Command { offset: "3h", ..command("cache cleanup", Start::Warm, Promise::Nothing) },
    command("cache recover", Start::Warm, Promise::Nothing),
    command("cache disable --for 1h", Start::Warm, Promise::Disables),
    command("cache enable", Start::Disabled, Promise::Enables),
    command("jobs run --all", Start::Warm, Promise::Nothing),
];

/// Each kind of call, and how it can fail.
const WAYS: [(Calls, &str, &[&str]); 7] = [
    (OPEN, "open", &["io", "space"]),
    (WRITE, "write", &["space", "torn", "io", "short"]),
    (SYNC, "fsync", &["io", "space"]),
    (TRUNCATE, "ftruncate", &["io", "space"]),
    (READ, "read", &["io"]),
    (RENAME, "rename", &["io", "space"]),
    (UNLINK, "unlink", &["io"]),
];

/// So many tests share the commands.
const PARTS: usize = 4;

fn run(stage: &Stage, shim: &Shim, command: &Command, fault: Fault) -> (Ran, Report) {
    stage.reset(command.start);
    let words = command.words.replace("NAME", &stage.name);
    shim.reset(0);
    let mut process = stage.world.command(words.split_whitespace());
    shim.arm(&stage.world, &mut process, fault);
    if !command.offset.is_empty() {
        process.env("AWSIDEMAN_DEBUG_CLOCK_OFFSET", command.offset);
    }
    if command.words == "cache enforce-limits" {
        process.env("AWSIDEMAN_CACHE_MAX_ENTRIES", "5");
    }
    let ran = Ran::of(format!("awsideman {words}"), &process.output().unwrap());
    (ran, shim.report())
}

fn judge(stage: &mut Stage, command: &Command, case: &str, ran: &Ran) {
    stage.no_panic(case, ran);
    let offset = command.offset;
    match command.promise {
        Promise::Answer => {
            let right = ran.exit == 0 && stage.shown(ran).as_deref() == Some(stage.before());
            stage.must(right, case, "the answer is wrong or was not given", ran);
        }
        Promise::Change => {
            stage.must(matches!(ran.exit, 0 | 12), case, "a fault of the disk failed a change", ran);
            stage.must(ran.exit != 0 || stage.truth() == "Changed", case, "a change was said that was not made", ran);
            if ran.exit == 12 {
                stage.after("", "cache clear --all");
                stage.after("", "cache enable");
            }
            let settled = stage.after("11s", LIST);
            let right = settled.exit == 0 && stage.shown(&settled) == Some(stage.truth());
            stage.must(right, case, "somebody is told the old name", &settled);
            return stage.heals(case, "6m");
        }
        Promise::Clears if ran.exit == 0 => {
            let cached = stage.after("", &format!("{LIST} --cache-only"));
            stage.must(cached.exit == 10, case, "what was said to be cleared is still there", &cached);
        }
        Promise::Disables => {
            let cached = stage.after("", &format!("{LIST} --cache-only"));
            stage.must(ran.exit != 0 || cached.exit == 10, case, "what was said to be disabled answers", &cached);
            let live = stage.after("", LIST);
            stage.must(live.exit == 0, case, "a half-disabled cache fails an answer", &live);
            let enable = stage.after("", "cache enable");
            stage.must(enable.exit == 0, case, "it cannot be enabled again", &enable);
        }
        Promise::Enables if ran.exit == 0 => {
            let cached = stage.after("", &format!("{LIST} --cache-only"));
            stage.must(cached.exit == 0, case, "what was said to be enabled does not answer", &cached);
        }
        Promise::Enables => {
            let enable = stage.after("", "cache enable");
            stage.must(enable.exit == 0, case, "it cannot be enabled after a fault", &enable);
        }
        Promise::Clears | Promise::Nothing => {}
    }
    stage.heals(case, offset);
}

/// A number up to `last`, another one for each salt, and now and then the last.
fn some(last: u64, salt: u64) -> Option<u64> {
    let any = 1 + salt.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(31) % last.max(1);
    Some(if salt.is_multiple_of(4) { last } else { any }).filter(|_| last > 0)
}

/// The cases of every `PARTS`th command, from the one with the number `part` on.
fn cases(part: usize) {
    let (mut stage, shim) = (Stage::new(), Shim::build());
    let mut tried = 0_u32;
    for (number, command) in COMMANDS.iter().enumerate().skip(part).step_by(PARTS) {
        let (ran, report) = run(&stage, &shim, command, Fault { calls: Calls(0), at: 0, how: "" });
        assert!(report.kinds[0] > 0, "the shim is not below the binary: {ran:?}");
        for (kind, (calls, call, hows)) in WAYS.into_iter().enumerate() {
            // In the normal run each command meets every second kind, the next command the others.
            let salt = (number + kind) as u64;
            let few = some(report.kinds[kind], salt).filter(|_| salt.is_multiple_of(2));
            let (first, last) = if soak() { (1, u64::MAX) } else { (few.unwrap_or(1), few.unwrap_or(0)) };
            let hows = if soak() { hows } else { &hows[number / 2 % hows.len()..][..1] };
            for how in hows {
                for at in first..=last {
                    let (ran, report) = run(&stage, &shim, command, Fault { calls, at, how });
                    let case = format!("`{}` ({:?}), {call} {at} {how}", command.words, command.start);
                    judge(&mut stage, command, &case, &ran);
                    if !report.fired {
                        break;
                    }
                    tried += 1;
                }
            }
        }
    }
    figures(&format!("faults, part {} of {PARTS}: {tried} calls failed, {} went wrong", part + 1, stage.faults.len()));
    stage.end();
}

#[test]
fn the_nth_call_fails_and_nothing_is_wrong_afterwards_part_1() {
    cases(0);
}

#[test]
fn the_nth_call_fails_and_nothing_is_wrong_afterwards_part_2() {
    cases(1);
}

#[test]
fn the_nth_call_fails_and_nothing_is_wrong_afterwards_part_3() {
    cases(2);
}

#[test]
fn the_nth_call_fails_and_nothing_is_wrong_afterwards_part_4() {
    cases(3);
}

/// Nothing can be written from the Nth call on; nothing can be done any more from the Nth call on.
const DEAD: [(&str, Calls); 2] = [
    ("write", Calls(WRITE.0 | SYNC.0 | TRUNCATE.0)),
    ("all", Calls(OPEN.0 | WRITE.0 | SYNC.0 | TRUNCATE.0 | READ.0 | RENAME.0 | UNLINK.0)),
];

#[test]
fn a_disk_dead_from_any_call_on_fails_no_answer() {
    let (mut stage, shim) = (Stage::new(), Shim::build());
    let (mut tried, mut untold) = (0_u32, 0_u32);
    let reads_and_changes = |command: &&Command| matches!(command.promise, Promise::Answer | Promise::Change);
    for (number, command) in COMMANDS.iter().filter(reads_and_changes).enumerate() {
        for (way, calls) in DEAD {
            run(&stage, &shim, command, Fault { calls: Calls(0), at: 0, how: "" });
            let kinds = shim.report().kinds;
            let total: u64 = (0..7).filter(|kind| calls.0 & (1 << kind) != 0).map(|kind| kinds[kind]).sum();
            let few = if command.promise == Promise::Change { 4 } else { u64::from(way == "all") };
            let cases = if soak() { total } else { few };
            for case in 1..=cases {
                // Evenly over all of them, another place for each command.
                let at = 1 + (case * total / cases + number as u64) % total.max(1);
                let (ran, _) = run(&stage, &shim, command, Fault { calls, at, how: "dead" });
                untold += u32::from(ran.exit == 12);
                let case = format!("`{}` ({:?}), {way} {at} of {total} and all after it", command.words, command.start);
                judge(&mut stage, command, &case, &ran);
                tried += 1;
            }
        }
    }
    let wrong = stage.faults.len();
    figures(&format!("dead disks: {tried}, {untold} changes of which the cache could not be told, {wrong} went wrong"));
    stage.end();
}
