//! The Grafana dashboard and the alert rules: they speak of figures that exist, and fire when they should.
//!
//! A renamed figure fails here before somebody's dashboard goes blank.

use super::tool;
use awsideman::daemon::metrics;
use serde_json::Value;
use std::path::PathBuf;
use std::process::Command;

fn place(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("scripts/monitoring").join(name)
}

/// Every `awsideman_...` word of a text.
fn named(text: &str) -> Vec<&str> {
    let is_word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    text.split(|c| !is_word(c)).filter(|word| word.starts_with("awsideman_")).collect()
}

#[test]
fn the_dashboard_and_the_rules_name_figures_that_there_are() {
    for name in ["awsideman-dashboard.json", "awsideman-rules.yml"] {
        let text = std::fs::read_to_string(place(name)).unwrap();
        let words = named(&text);
        assert!(words.len() > 8, "{name}: {words:?}");
        let unknown: Vec<_> =
            words.iter().filter(|word| !metrics::NAMES.iter().any(|(known, _)| known == *word)).collect();
        assert!(unknown.is_empty(), "{name}: {unknown:?}");
    }
}

#[test]
fn every_panel_of_the_dashboard_has_a_title_and_asks_for_something() {
    let text = std::fs::read_to_string(place("awsideman-dashboard.json")).unwrap();
    let dashboard: Value = serde_json::from_str(&text).unwrap();
    let panels = dashboard["panels"].as_array().unwrap();
    assert!(panels.len() >= 8);
    for panel in panels {
        assert!(!panel["title"].as_str().unwrap().is_empty());
        assert!(
            panel["targets"].as_array().unwrap().iter().all(|t| t["expr"].as_str().unwrap().contains("awsideman_"))
        );
    }
}

#[test]
fn the_rules_are_sound_and_fire_when_they_should() {
    let Some(promtool) = tool("promtool", "AWSIDEMAN_TEST_PROMTOOL") else { return };
    for words in [["check", "rules", "awsideman-rules.yml"], ["test", "rules", "awsideman-rules-test.yml"]] {
        let said = Command::new(&promtool).args(words).current_dir(place("")).output().unwrap();
        assert!(
            said.status.success(),
            "{}{}",
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        );
    }
}
