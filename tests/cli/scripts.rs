//! The three scripts for on-call engineers, run with the binary in the path.

use crate::world::{Ran, World};
use awsideman::model::Resource;
use awsideman::state::LookupOutcome;
use std::path::Path;

fn script(world: &World, name: &str, words: &[&str]) -> Ran {
    world.script(&Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name), words)
}

#[test]
fn the_monitor_is_silent_and_exits_0_while_no_check_is_critical() {
    let mut world = World::small();
    let mailbox = world.mailbox();
    script(&world, "cache_monitor.sh", &[]).ok().silent();
    world.run(["user", "list"]).ok();
    script(&world, "cache_monitor.sh", &[]).ok().silent();
    world.run(["cache", "disable"]).ok();
    script(&world, "cache_monitor.sh", &[]).ok().silent();
    assert!(!mailbox.exists());
}

#[test]
fn the_monitor_mails_what_is_critical_with_the_next_command() {
    let mut world = World::small();
    let mailbox = world.mailbox();
    let log = world.beside("monitor.log");
    world.set("LOG_FILE", &log.display().to_string()).set("ALERT_EMAIL", "oncall@example.org");
    world.looked_up(LookupOutcome::Hit, Resource::User, 40);
    world.looked_up(LookupOutcome::MissExpired, Resource::User, 60);
    script(&world, "cache_monitor.sh", &[]).code(1);
    let mail = std::fs::read_to_string(mailbox).unwrap();
    for words in [
        "to: -s awsideman Cache Health Alert oncall@example.org",
        "Low cache hit rate: 40.0%",
        "Next: awsideman cache status --detailed",
    ] {
        assert!(mail.contains(words), "{words}: {mail}");
    }
    assert!(std::fs::read_to_string(log).unwrap().contains("Low cache hit rate: 40.0%"));
}

#[test]
fn the_monitor_mails_too_when_the_check_itself_fails() {
    let mut world = World::small();
    let mailbox = world.mailbox();
    world.program("awsideman", "#!/bin/bash\necho 'error: no such thing' >&2\nexit 1\n");
    script(&world, "cache_monitor.sh", &[]).code(1);
    let mail = std::fs::read_to_string(mailbox).unwrap();
    assert!(mail.contains("Cache status check failed (exit 1): error: no such thing"), "{mail}");
}

#[test]
fn recovery_makes_a_new_cache_keeps_the_old_one_and_says_so() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let old = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    let ran = script(&world, "recover_cache.sh", &[]).ok();
    assert!(ran.stdout.starts_with("Starting cache recovery procedure...\n"), "{}", ran.stdout);
    assert!(ran.stdout.ends_with("Cache recovery completed\n"), "{}", ran.stdout);
    let new = std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap();
    assert_ne!(old, new);
    let kept = world.cache_dir().join(old.trim());
    assert!(kept.exists() && ran.stdout.contains(&kept.display().to_string()), "{}", ran.stdout);
    let marker = format!("{}.corrupted.", kept.display());
    assert!(
        world.tree().keys().any(|path| path.display().to_string().starts_with(&marker)),
        "{:?}",
        world.tree().keys()
    );
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0, "what was sound is in the new cache");
}

#[test]
fn recovery_works_on_a_cache_that_is_no_longer_a_database() {
    let world = World::small();
    world.run(["user", "list"]).ok();
    let live = world.cache_dir().join(std::fs::read_to_string(world.cache_dir().join("CURRENT")).unwrap().trim());
    std::fs::write(&live, "this is no database".repeat(500)).unwrap();
    script(&world, "recover_cache.sh", &[]).ok().stdout_has("Cache recovery completed");
    world.run(["user", "list"]).ok().silent();
    assert!(live.exists());
}

#[test]
fn the_emergency_switch_applies_to_every_process_and_ends_by_itself() {
    let mut world = World::small();
    world.run(["user", "list"]).ok();
    script(&world, "emergency_disable_cache.sh", &["2h", "wrong answers"])
        .ok()
        .stdout_has("Disabling cache for emergency operations...")
        .stdout_has("Cache disabled. All operations will bypass cache.")
        .stdout_has("To re-enable: awsideman cache enable")
        .stdout_has("wrong answers");
    let status = world.status();
    assert_eq!((&status["enabled"], &status["disabled_reason"]), (&false.into(), &"wrong answers".into()));
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 2, "all operations bypass it");
    world.later("119m");
    assert_eq!(world.status()["enabled"], false);
    world.later("121m");
    assert_eq!(world.status()["enabled"], true);
    world.later("");
    world.run(["cache", "enable"]).ok();
    assert_eq!(world.calls_of(|| world.run(["user", "list"]).ok()), 0);
    script(&world, "emergency_disable_cache.sh", &["for ever"]).code(2).stdout_lacks("All operations will bypass");
    assert_eq!(world.status()["enabled"], true);
}
