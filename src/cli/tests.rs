//! Whole runs in one process.

use super::*;

fn run_with(line: &str) -> (u8, String, String) {
    let (environment, data, talk) = Environment::captured(&[]);
    let code = run(line.split(' ').map(OsString::from), environment);
    (code, data.text(), talk.text())
}

#[test]
fn the_program_runs_twice_in_one_process() {
    for _ in 0..2 {
        let (code, data, talk) = run_with("awsideman version");
        assert_eq!((code, talk.as_str()), (0, ""));
        assert_eq!(data, format!("awsideman {}\n", env!("CARGO_PKG_VERSION")));
    }
}

#[test]
fn version_is_json_when_asked() {
    let (_, data, _) = run_with("awsideman version --json");
    let document: serde_json::Value = serde_json::from_str(&data).unwrap();
    assert_eq!(document["version"], env!("CARGO_PKG_VERSION"));
}

#[test]
fn help_goes_to_stdout_and_lists_the_codes() {
    let (code, data, talk) = run_with("awsideman --help");
    assert_eq!((code, talk.as_str()), (0, ""));
    assert!(data.contains("130  interrupted") && data.contains("permission-set"), "{data}");
    assert!(!data.contains('\u{1b}'));
}

#[test]
fn words_that_are_no_command_are_usage_with_a_tip() {
    let (code, data, talk) = run_with("awsideman usr list");
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(talk.starts_with("error: ") && talk.contains("'user'"), "{talk}");
    let (code, data, talk) = run_with("awsideman");
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(talk.contains("Usage:"), "{talk}");
}

#[test]
fn under_json_words_that_are_no_command_are_a_document() {
    for line in [
        "awsideman usr list --json",
        "awsideman --output json usr",
        "awsideman -ojson usr",
        "awsideman --format=json user lst",
    ] {
        let (code, data, talk) = run_with(line);
        assert_eq!((code, data.as_str()), (2, ""), "{line}");
        let document: serde_json::Value = serde_json::from_str(&talk).unwrap();
        assert_eq!(document["error"]["code"], 2, "{line}");
        assert!(document["error"]["message"].as_str().unwrap().starts_with("unrecognized subcommand"), "{talk}");
    }
}

#[test]
fn contradictions_between_levels_are_refused() {
    let (code, data, talk) = run_with("awsideman --output csv version --json");
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(talk.contains("--json") && talk.contains("--output"), "{talk}");
}

#[test]
fn a_script_can_be_written_to_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("completion");
    let (code, data, talk) = run_with(&format!("awsideman completions bash --out {}", path.display()));
    assert_eq!((code, data.as_str(), talk.as_str()), (0, "", ""));
    assert!(std::fs::read_to_string(path).unwrap().contains("_awsideman"));
}
