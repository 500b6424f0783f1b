//! A disk without room: reads work, limits free room, commands answer from AWS.
//!
//! A disk with the same room is the same disk; overwriting takes none, as on a real one.

use super::shim::Shim;
use crate::fixture::{LIST, Stage, Start, figures, soak};
use crate::world::Ran;

fn run(stage: &Stage, shim: &Shim, words: &str, settings: &[(&str, &str)]) -> Ran {
    let mut process = stage.world.command(words.split_whitespace());
    shim.fill(&stage.world, &mut process);
    let ran = Ran::of(format!("[full] awsideman {words}"), &process.envs(settings.iter().copied()).output().unwrap());
    assert!(!ran.stderr.contains("panicked") && ran.exit >= 0, "{ran:?}");
    ran
}

#[test]
fn on_a_full_disk_reads_answer_from_the_cache_and_from_aws() {
    let (stage, shim) = (Stage::new(), Shim::build());
    for start in [Start::Warm, Start::Cold] {
        for room in [0, 1_000, 30_000, 150_000] {
            stage.reset(start);
            shim.reset(room);
            for words in [LIST, "group list --json", "account list --json", LIST] {
                run(&stage, &shim, words, &[]).ok();
            }
            if start == Start::Warm {
                let calls = stage.world.calls_of(|| run(&stage, &shim, LIST, &[]).ok());
                assert_eq!(calls, 0, "what is there is still a hit with {room} bytes left");
            }
            let shown = run(&stage, &shim, &format!("user get {} --json", stage.name), &[]).ok();
            assert_eq!(stage.shown(&shown).as_deref(), Some(stage.before()));
        }
    }
}

#[test]
fn on_a_full_disk_a_change_is_made_and_known() {
    let (mut stage, shim) = (Stage::new(), Shim::build());
    let rooms: &[i64] = if soak() { &[0, 1, 500, 4_096, 20_000, 40_000, 80_000, 160_000] } else { &[0, 20_000] };
    for room in rooms {
        stage.reset(Start::Warm);
        shim.reset(*room);
        let words = format!("user update {} --display-name Changed", stage.name);
        let ran = run(&stage, &shim, &words, &[]).ok();
        let opened = shim.report().kinds[0];
        assert!(opened < 300, "{opened} files were opened: what cannot be made is tried over and over");
        let case = format!("a change with {room} bytes left");
        for offset in ["", "11s"] {
            let shown = stage.after(offset, LIST);
            let right = shown.exit == 0 && stage.shown(&shown).as_deref() == Some("Changed");
            stage.must(right, &case, "somebody is told the old name", &ran);
        }
        stage.heals(&case, "6m");
    }
    stage.end();
}

#[test]
fn on_a_full_disk_limits_free_room() {
    let (mut stage, shim) = (Stage::new(), Shim::build());
    stage.reset(Start::Warm);
    // Enough that a page more or less is not what is counted.
    stage.world.fill(if soak() { 2_000 } else { 200 }, 8_000);
    for words in ["cache enforce-limits", "cache clear", "cache cleanup"] {
        shim.reset(0);
        let ran = run(&stage, &shim, words, &[("AWSIDEMAN_CACHE_MAX_ENTRIES", "20")]);
        figures(&format!("full: `{words}` exit {}, {} bytes freed", ran.exit, shim.report().room));
        stage.must(ran.exit == 0, words, "it needs room to make room", &ran);
        if words == "cache enforce-limits" {
            stage.must(shim.report().room > 500_000, words, "it freed too little", &ran);
        }
        run(&stage, &shim, LIST, &[]).ok();
    }
    shim.reset(1 << 40);
    run(&stage, &shim, "cache warm users groups", &[]).ok();
    figures(&format!("full: {} went wrong", stage.faults.len()));
    stage.heals("after a full disk", "");
    stage.end();
}

#[test]
fn on_a_full_disk_state_is_read_and_the_switch_set() {
    let (stage, shim) = (Stage::new(), Shim::build());
    for words in ["jobs run cleanup", "jobs run health"] {
        stage.world.run(words.split(' '));
    }
    stage.world.run(["user", "update", &stage.name, "--display-name", stage.before()]).ok();
    for room in if soak() { vec![0, 1, 4_096, 30_000] } else { vec![0, 4_096] } {
        shim.reset(room);
        let full = |words: &str| run(&stage, &shim, words, &[]);
        for (words, shown) in [
            ("jobs list", "cleanup"),
            ("jobs history", "cleanup"),
            ("jobs logs cleanup", "cleanup"),
            ("journal list", "UpdateUser"),
            ("alerts list", ""),
            ("alerts history", ""),
        ] {
            full(words).ok().says(shown);
        }
        let disabled = full("cache disable --for 1h --reason INC-7").ok();
        let keeps = disabled.stdout.contains("It ends by itself");
        let status = full("cache status --json").ok().json();
        assert_eq!(status["enabled"], false, "{room}");
        assert_eq!(status["disabled_until"].is_string(), keeps, "{room}: {disabled:?} {status:#}");
        assert!(!keeps || status["disabled_reason"] == "INC-7", "{room}: {status:#}");
        assert!(keeps, "the first time there is a spare: {disabled:?}");
        full("cache enable").ok().stdout_has("Cache enabled");
        assert_eq!(full("cache status --json").ok().json()["enabled"], true, "{room}");
        // Without another spare it is disabled all the same, and no end is claimed that is not kept.
        let again = full("cache disable --for 1h").ok();
        let status = full("cache status --json").ok().json();
        assert_eq!(status["enabled"], false, "{room}");
        assert_eq!(status["disabled_until"].is_string(), again.stdout.contains("It ends by itself"), "{again:?}");
        full("cache enable").ok();
        shim.reset(1 << 40);
        full("cache disable --for 1h").ok();
        full("cache enable").ok();
    }
    stage.end();
}

#[test]
fn on_a_full_disk_the_cache_is_disabled_and_enabled_again() {
    let (stage, shim) = (Stage::new(), Shim::build());
    for name in ["switch", "switch.spare"] {
        let _ = std::fs::remove_file(stage.world.state_dir().join(name));
    }
    shim.reset(0);
    let disabled = run(&stage, &shim, "cache disable --for 1h --reason upgrade", &[]).ok();
    disabled.stderr_has("the reason could not be recorded").stdout_has("It ends by itself");
    let status = stage.world.status();
    assert!(status["enabled"] == false && status["disabled_until"].is_string(), "{status}");
    let enabled = run(&stage, &shim, "cache enable", &[]).ok().stdout_has("whose name could not be recorded");
    assert!(!enabled.stdout.contains("damaged"), "{enabled:?}");
    assert_eq!(stage.world.status()["enabled"], true);
}
