//! `awsideman sandbox serve` under boto3 and the AWS CLI: answers are valid under botocore's models of the services.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

/// A sandbox of the binary; it ends with this value.
struct Served {
    process: Child,
    url: String,
}

impl Served {
    fn start(words: &[&str]) -> Served {
        let mut process = Command::new(env!("CARGO_BIN_EXE_awsideman"))
            .args(["sandbox", "serve", "--tps", "0", "--async-delay", "0"])
            .args(words)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the binary starts");
        let mut said = String::new();
        let mut stdout = BufReader::new(process.stdout.take().expect("a pipe"));
        stdout.read_line(&mut said).expect("its first line");
        let url = said.split_whitespace().find(|word| word.starts_with("http://")).expect("the URL").to_owned();
        Served { process, url }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs a part of the checks in Python, in a home without any AWS configuration.
#[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
fn check(part: &str, url: &str) {
    let Some(python) = std::env::var_os("AWSIDEMAN_TEST_PYTHON").filter(|python| !python.is_empty()) else {
        assert!(std::env::var_os("CI").is_none(), "AWSIDEMAN_TEST_PYTHON must name a Python with boto3 and awscli");
        eprintln!("SKIPPED: set AWSIDEMAN_TEST_PYTHON to a Python with boto3, awscli and regex to run this test");
        return;
    };
    let home = tempfile::tempdir().expect("a directory");
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/support/real_clients.py");
    let mut command = Command::new(python);
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("AWS_")) {
        command.env_remove(name);
    }
    let run = command
        .args([script, part, url])
        .env("HOME", home.path())
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("the Python starts");
    assert!(run.status.success(), "{part}:\n{}", String::from_utf8_lossy(&run.stderr));
    assert!(String::from_utf8_lossy(&run.stdout).contains("operations"), "{part} checked nothing");
}

#[test]
fn every_answer_to_real_clients_is_valid_under_their_own_models() {
    let served = Served::start(&["--account-states", "--region", "us-east-1", "--additional-region", "eu-west-1"]);
    check("shapes", &served.url);
}

#[test]
fn an_instance_in_two_regions_answers_in_each_as_aws_does() {
    let served = Served::start(&["--region", "us-east-1", "--additional-region", "eu-west-1"]);
    check("regions", &served.url);
}

#[test]
fn refused_filters_and_accounts_without_a_status_are_faults_to_ask_for() {
    let served = Served::start(&[]);
    check("faults", &served.url);
}
