//! Values in answers and flags: times as other clients of AWS print them, counts of zero, the IAM policy.

use crate::world::World;
use chrono::DateTime;
use serde_json::Value;
use std::path::Path;
use std::process::Command;

#[test]
fn a_count_or_time_of_nothing_is_refused_before_any_read() {
    let world = World::small();
    for words in [
        "user list --limit 0",
        "user find a -n 0",
        "user list --limit -1",
        "assignment list --limit none",
        "cache status --recent-entries 0",
        "cache warm --budget 0",
        "cache verify --sample 0",
        "cache verify --pattern * --budget 0",
        "journal list -n 0",
        "jobs history -n 0",
        "alerts history --limit 0",
    ] {
        world.run(words.split(' ')).code(2).stderr_has("at least 1");
    }
    for words in ["cache disable --for 0", "jobs pause --for 0s", "alerts silence x --reason r --for 0"] {
        world.run(words.split(' ')).code(2).stderr_has("longer than 0");
    }
    assert_eq!(world.calls().total, 0);
}

/// The AWS CLI next to the Python of the tests.
#[expect(clippy::print_stderr, reason = "a skipped test must not look like a passed one")]
fn aws_cli() -> Option<std::path::PathBuf> {
    let python = std::env::var_os("AWSIDEMAN_TEST_PYTHON").filter(|python| !python.is_empty());
    let found = python.map(|python| Path::new(&python).with_file_name("aws")).filter(|cli| cli.exists());
    if found.is_none() {
        assert!(std::env::var_os("CI").is_none(), "AWSIDEMAN_TEST_PYTHON must name a Python with the AWS CLI");
        eprintln!("SKIPPED: set AWSIDEMAN_TEST_PYTHON to a Python with the AWS CLI to run this test");
    }
    found
}

#[test]
fn times_are_to_the_millisecond_what_the_aws_cli_prints() {
    let Some(cli) = aws_cli() else { return };
    let world = World::small();
    world.run(["user", "create", "--username", "ada", "--first-name", "A", "--last-name", "L"]).ok();
    let ours = world.run(["user", "list", "--json", "--refresh"]).ok().json();
    let store = ours[0]["IdentityStoreId"].as_str().unwrap();
    let mut command = Command::new(cli);
    world.apply(&mut command);
    command.args(["identitystore", "list-users", "--identity-store-id", store, "--output", "json"]);
    command.args(["--endpoint-url", &world.sandbox_url(), "--region", "us-east-1"]);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let theirs: Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut compared = 0;
    for user in theirs["Users"].as_array().unwrap() {
        let own = ours.as_array().unwrap().iter().find(|own| own["UserId"] == user["UserId"]).unwrap();
        for field in ["CreatedAt", "UpdatedAt"] {
            assert_eq!(millis(&own[field]), millis(&user[field]), "{field}: {} {}", own[field], user[field]);
            compared += 1;
        }
        let text = own["CreatedAt"].as_str().unwrap();
        assert!(text.split_once('.').is_none_or(|(_, rest)| rest.len() <= 4), "milliseconds at most: {text}");
    }
    assert!(compared > 20);
}

/// A time as the AWS CLI prints it: seconds as a number, or a text.
fn millis(value: &Value) -> i64 {
    if let Some(text) = value.as_str() {
        return DateTime::parse_from_rfc3339(text).unwrap().timestamp_millis();
    }
    let millis = (value.as_f64().unwrap() * 1000.0).round();
    format!("{millis:.0}").parse().unwrap()
}

#[test]
fn the_write_policy_has_what_the_management_account_needs() {
    let world = World::small();
    let policy = world.run(["doctor", "--iam-policy", "--writes"]).ok().stderr_has("management account");
    for action in ["iam:CreateRole", "iam:PutRolePolicy", "iam:DetachRolePolicy", "iam:GetSAMLProvider"] {
        assert!(policy.stdout.contains(&format!("\"{action}\"")), "{action}");
    }
    assert!(policy.stdout.contains("arn:aws:iam::*:role/aws-reserved/sso.amazonaws.com/*"), "{policy:?}");
    assert_eq!(policy.json()["Version"], "2012-10-17");
    let gov = world.run(["doctor", "--iam-policy", "--writes", "--region", "us-gov-west-1"]).ok();
    assert!(gov.stdout.contains("arn:aws-us-gov:iam::*"), "{gov:?}");
    world.run(["doctor", "--iam-policy"]).ok().silent().stdout_lacks("iam:");
}
