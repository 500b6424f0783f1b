//! The binary as a shell sees it: streams, exit codes and closed pipes.
//!
//! Rules are tested beside the code; here the wiring of the process is.

use std::fs::File;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

fn awsideman(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_awsideman"));
    command.args(words).env_clear();
    command
}

fn run(words: &[&str]) -> (i32, String, String) {
    let Output { status, stdout, stderr } = awsideman(words).output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

#[test]
fn the_version_is_data_and_nothing_is_said() {
    let (code, data, talk) = run(&["version"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    assert_eq!(data, format!("awsideman {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(run(&["--version"]).1, data);
}

#[test]
fn wrong_words_are_exit_2_with_an_empty_stdout() {
    let (code, data, talk) = run(&["cache", "statsu"]);
    assert_eq!((code, data.as_str()), (2, ""));
    assert!(talk.contains("'status'"), "{talk}");
    let (code, data, talk) = run(&["cache", "statsu", "--json"]);
    assert_eq!((code, data.as_str()), (2, ""));
    assert_eq!(serde_json::from_str::<serde_json::Value>(&talk).unwrap()["error"]["name"], "usage");
}

#[test]
fn a_reader_that_goes_away_early_is_no_failure() {
    // The script is longer than a pipe holds, and nobody reads it.
    let mut child = awsideman(&["completions", "bash"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut talk = String::new();
    child.stderr.take().unwrap().read_to_string(&mut talk).unwrap();
    assert_eq!((child.wait().unwrap().code(), talk.as_str()), (Some(0), ""));
}

#[test]
fn a_full_disk_is_said_and_is_exit_1() {
    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = awsideman(&["version"]).stdout(full).output().unwrap();
    let talk = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(talk.starts_with("error: cannot write the answer: ") && talk.contains("hint: make room"), "{talk}");
}

#[test]
fn manual_pages_are_written_for_every_command() {
    let folder = tempfile::tempdir().unwrap();
    let (code, data, talk) = run(&["man", "--dir", folder.path().to_str().unwrap(), "--json"]);
    assert_eq!((code, talk.as_str()), (0, ""));
    let written: serde_json::Value = serde_json::from_str(&data).unwrap();
    let written = written["written"].as_array().unwrap().len();
    assert_eq!(written, std::fs::read_dir(folder.path()).unwrap().count());
    assert!(written > 40, "{written}");
}

#[test]
fn out_takes_the_answer_and_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("page.1");
    let (code, data, talk) = run(&["man", "--out", path.to_str().unwrap()]);
    assert_eq!((code, data.as_str(), talk.as_str()), (0, "", ""));
    assert!(std::fs::read_to_string(&path).unwrap().contains(".TH"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
}

#[test]
fn out_to_nowhere_names_the_flag_and_the_path() {
    let (code, data, talk) = run(&["version", "--out", "/nonexistent/x"]);
    assert_eq!((code, data.as_str()), (1, ""));
    assert!(talk.starts_with("error: --out: cannot write /nonexistent/x"), "{talk}");
}

#[test]
fn a_closed_stderr_does_not_matter() {
    let mut child = awsideman(&["usr"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stderr.take());
    assert_eq!(child.wait().unwrap().code(), Some(2));
}
