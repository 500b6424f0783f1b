//! Tests of `kill_switch/mod.rs`.

use super::*;
use std::process::{Command, Stdio};

const OWNER: Access = Access::Owner;

fn disabled(until: UnixMillis) -> Disabled {
    Disabled { since: 100, until, reason: Some("incident 7".into()), by: "ops@host".into() }
}

#[test]
fn without_a_file_all_is_well_and_nothing_is_made() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    assert_eq!(Switch::read(&dir), (Switch::default(), None));
    assert!(!dir.exists());
    assert_eq!(Switch::default().breaker(Path::new("/c")).state.as_str(), "CLOSED");
}

#[test]
fn disabled_holds_for_other_readers_and_ends_by_itself() {
    let root = tempfile::tempdir().unwrap();
    let dir = root.path().join("state");
    assert_eq!(Switch::disable(&dir, OWNER, disabled(1_000), 100).unwrap(), None);
    let (switch, problem) = Switch::read(&dir);
    assert_eq!(problem, None);
    assert_eq!(switch.disabled(999), Some(&disabled(1_000)));
    assert_eq!(switch.disabled(1_000), None);
    assert_eq!(Switch::enable(&dir, OWNER, 500).unwrap(), Some(disabled(1_000)));
    assert_eq!(Switch::read(&dir).0.disabled(999), None);
    assert_eq!(Switch::enable(&dir, OWNER, 500).unwrap(), None);
}

#[test]
fn an_end_far_ahead_is_honored_and_can_be_written_as_a_date() {
    let root = tempfile::tempdir().unwrap();
    Switch::disable(root.path(), OWNER, disabled(i64::MAX), 0).unwrap();
    let (switch, _) = Switch::read(root.path());
    let until = switch.disabled(400 * 86_400_000).expect("still disabled after 400 days").until;
    assert!(chrono::DateTime::from_timestamp_millis(until).is_some());
}

#[test]
fn what_cannot_be_understood_counts_as_disabled_until_enabled() {
    let huge = format!("{{\"x\":\"{}\"}}", "y".repeat(2_000_000));
    for text in ["", "{", "null", "[1]", "{\"disabled\": true}", "\u{0}\u{0}", huge.as_str()] {
        let root = tempfile::tempdir().unwrap();
        std::fs::write(root.path().join("switch"), text).unwrap();
        let (switch, problem) = Switch::read(root.path());
        assert!(switch.disabled(4_000_000_000_000).is_some(), "{text:.20}");
        let problem = problem.expect("a problem");
        assert!(problem.contains("switch") && problem.contains("`awsideman cache enable`"), "{problem}");
        let mark = PersistedBreaker { failure_count: 1, ..PersistedBreaker::default() };
        Switch::set_breaker(root.path(), OWNER, Path::new("/c"), mark, 0).unwrap();
        assert!(Switch::read(root.path()).0.disabled(5).is_some(), "a breaker's mark must not enable the cache");
        assert!(Switch::enable(root.path(), OWNER, 5).unwrap().is_some());
        assert_eq!(Switch::read(root.path()).1, None);
        assert_eq!(Switch::read(root.path()).0.disabled(5), None);
    }
}

#[test]
fn a_symlink_in_its_place_is_not_followed_and_enable_removes_it() {
    let root = tempfile::tempdir().unwrap();
    let elsewhere = root.path().join("elsewhere");
    std::fs::write(&elsewhere, "{}").unwrap();
    std::os::unix::fs::symlink(&elsewhere, root.path().join("switch")).unwrap();
    assert!(Switch::read(root.path()).0.disabled(5).is_some());
    assert!(Switch::disable(root.path(), OWNER, disabled(9), 5).is_err());
    Switch::enable(root.path(), OWNER, 5).unwrap();
    assert_eq!(Switch::read(root.path()), (Switch::default(), None));
    assert_eq!(std::fs::read_to_string(elsewhere).unwrap(), "{}");
}

#[test]
fn an_emptied_switch_disables_where_the_disk_is_full() {
    let root = tempfile::tempdir().unwrap();
    std::fs::write(root.path().join("switch"), "").unwrap();
    assert!(Switch::read(root.path()).0.disabled(1).is_some());
}

#[test]
fn what_a_later_version_wrote_is_kept() {
    let root = tempfile::tempdir().unwrap();
    let path = root.path().join("switch");
    std::fs::write(&path, r#"{"tomorrow":{"a":[1]},"disabled":{"until":50,"color":"red"}}"#).unwrap();
    let (switch, problem) = Switch::read(root.path());
    assert_eq!((switch.disabled(49).is_some(), problem), (true, None));
    Switch::enable(root.path(), OWNER, 0).unwrap();
    assert!(std::fs::read_to_string(&path).unwrap().contains("tomorrow"));
}

#[test]
fn breakers_are_kept_by_cache_directory_in_the_words_of_status() {
    let root = tempfile::tempdir().unwrap();
    let (a, b) = (Path::new("/a"), Path::new("/b"));
    let mark = PersistedBreaker {
        state: BreakerStatus::HalfOpen,
        failure_count: 5,
        last_failure_time: Some(7),
        ..PersistedBreaker::default()
    };
    Switch::set_breaker(root.path(), OWNER, a, mark, 0).unwrap();
    let text = std::fs::read_to_string(root.path().join("switch")).unwrap();
    assert!(text.contains("\"HALF_OPEN\""), "{text}");
    let (switch, _) = Switch::read(root.path());
    assert_eq!((switch.breaker(a), switch.breaker(b)), (mark, PersistedBreaker::default()));
    Switch::set_breaker(root.path(), OWNER, a, PersistedBreaker::default(), 0).unwrap();
    assert_eq!(Switch::read(root.path()).0, Switch::default());
}

#[test]
fn concurrent_changes_by_many_processes_and_threads_all_count() {
    let root = tempfile::tempdir().unwrap();
    let children: Vec<_> = (0..4)
        .map(|_| {
            Command::new(std::env::current_exe().unwrap())
                .args(["--exact", "state::kill_switch::tests::child_that_counts_failures"])
                .env("SWITCH_DIRECTORY", root.path())
                .stdout(Stdio::null())
                .spawn()
                .unwrap()
        })
        .collect();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| count_failures(root.path()));
        }
        // No reader sees a partial switch.
        for _ in 0..500 {
            assert_eq!(Switch::read(root.path()).1, None);
        }
    });
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    assert_eq!(Switch::read(root.path()).0.breaker(Path::new("/c")).failure_count, 8 * 10);
}

fn count_failures(directory: &Path) {
    for _ in 0..10 {
        // A loaded machine may keep one of eight from the lock for longer than a change waits.
        while let Err(error) =
            Switch::update_breaker(directory, OWNER, Path::new("/c"), 0, |mark| mark.failure_count += 1)
        {
            assert!(matches!(error, StateError::Busy(_)), "{error}");
        }
    }
}

#[test]
fn child_that_counts_failures() {
    // The child process of the test above; by itself it has nothing to do.
    let Some(directory) = std::env::var_os("SWITCH_DIRECTORY") else { return };
    count_failures(Path::new(&directory));
}
