//! A hostile service that issues credentials.

use super::server::{Act, Server};
use super::{OPERATION_TIMEOUT, each, measure};
use crate::home::Home;
use std::path::Path;
use std::time::{Duration, Instant};

#[test]
fn a_hostile_service_of_credentials_ends_a_command_in_time_and_memory() {
    let ok = "HTTP/1.1 200 OK\r\n";
    let text = format!(r#"{{"code": "Odd", "message": "\u001b[2J{}"}}"#, "x".repeat(500_000));
    let rows: Vec<(&str, Act, &str)> = vec![
        ("endless", Act::Endless(format!("{ok}\r\n").into(), vec![b' '; 65_536]), "it is longer than 1 MiB"),
        ("2 MB", Act::answer(200, "", vec![b' '; 2_000_000]), "it is longer than 1 MiB"),
        ("2 MB of an error", Act::answer(400, "", vec![b' '; 2_000_000]), "it is longer than 1 MiB"),
        ("a long text with escapes", Act::answer(400, "", text), "\\u{1b}[2J"),
        ("a body that drips", Act::Drip(format!("{ok}content-length: 1000\r\n\r\n").into()), ""),
        ("a reset", Act::Reset(format!("{ok}content-length: 1000\r\n\r\n{{").into()), ""),
        ("an empty success", Act::answer(200, "", ""), "not from an AWS service"),
        ("a list", Act::answer(200, "", "[]"), "not from an AWS service"),
        ("deep nesting", Act::answer(200, "", "[".repeat(500_000)), "not from an AWS service"),
    ];
    each(&rows, |(name, act, message)| {
        let (home, act) = (Home::new(), act.clone());
        let server = Server::start(move |_, _| act.clone());
        let url = format!("http://{}", server.host);
        let mut command = home.command("user list");
        command
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", &url)
            .env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/credentials"))
            .env("AWSIDEMAN_AWS_OPERATION_TIMEOUT", OPERATION_TIMEOUT)
            .env("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
        let run = measure(&mut command, "user list");
        run.is_bounded(name);
        assert!(matches!(run.ran.exit, 4 | 13), "{name}: {}", run.ran.stderr);
        assert!(run.ran.stderr.contains(message), "{name}: {message:?} was expected\n{}", run.ran.stderr);
    });
}

/// The most memory of a command whose `credential_process` prints without end.
const MOST_BESIDE_A_PROGRAM_KIB: u64 = 64 * 1024;

/// Whether a process runs whose id the file has.
fn is_running(file: &Path) -> bool {
    let process = std::fs::read_to_string(file).unwrap();
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", process.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn a_hostile_credential_process_is_bounded_and_no_secret_is_shown() {
    let keys = r#""AccessKeyId": "AKIDEXAMPLE", "SecretAccessKey": "s3cret", "SessionToken": "t0ken""#;
    let document = |head: &str| format!("echo '{{{head} {keys}}}'");
    let unusable = "credential_process of profile `tool`: its output cannot be used: ";
    let rows: Vec<(&str, String, i32, String)> = vec![
        ("300 MB", "head -c 300000000 /dev/zero".into(), 2, format!("{unusable}it is longer than 16")),
        ("endless", "yes s3cret".into(), 2, format!("{unusable}it is longer than 16")),
        ("300 MB of errors", "head -c 300000000 /dev/zero >&2; exit 3".into(), 4, "exit status 3".into()),
        ("no JSON", "echo '{\"SecretAccessKey\": \"s3cret\", s3cret'".into(), 2, format!("{unusable}it is not JSON")),
        ("version 2", document("\"Version\": 2,"), 2, format!("{unusable}`Version` is 2")),
        ("no version", document(""), 2, format!("{unusable}`Version` is missing")),
        (
            "expired",
            document("\"Version\": 1, \"Expiration\": \"2020-01-01T00:00:00Z\","),
            4,
            "its credentials ended at 2020-01-01".into(),
        ),
        ("nothing", "true".into(), 2, format!("{unusable}it is empty")),
        ("a signal", "kill -9 $$".into(), 4, "signal: 9".into()),
        (
            "silence",
            "(setsid sh -c 'echo $$ >session.new; mv session.new session; sleep 90' & exec sh -c 'echo $$ >group.new; \
             mv group.new group; sleep 91')"
                .into(),
            13,
            "no answer within 9s".into(),
        ),
    ];
    each(&rows, |(name, script, exit, message)| {
        let home = Home::new();
        let log = home.path().join("log");
        std::fs::write(home.path().join("tool"), script).unwrap();
        std::fs::write(home.folder(".aws").join("config"), "[profile tool]\ncredential_process = sh tool\n").unwrap();
        let mut command = home.command("user list --profile tool");
        command
            .env("AWS_REGION", "us-east-1")
            .env("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
            .env("AWSIDEMAN_LOG_FILE", &log)
            .env("AWSIDEMAN_LOG_LEVEL", "debug")
            .env("AWSIDEMAN_AWS_OPERATION_TIMEOUT", OPERATION_TIMEOUT)
            .env("AWSIDEMAN_AWS_MAX_ATTEMPTS", "1");
        let run = measure(&mut command, "user list");
        run.is_bounded(name);
        assert!(run.peak_kib < MOST_BESIDE_A_PROGRAM_KIB, "{name}: its memory was {} KiB", run.peak_kib);
        assert!(run.ran.exit == *exit && run.ran.stderr.contains(message), "{name}: {:?}", run.ran);
        let logged = std::fs::read_to_string(&log).unwrap_or_default();
        for text in [&run.ran.stderr, &run.ran.stdout, &logged] {
            assert!(!text.contains("s3cret") && !text.contains("t0ken"), "{name}: {text}");
        }
        for file in ["session", "group"].map(|name| home.path().join(name)).into_iter().filter(|file| file.exists()) {
            let end = Instant::now() + Duration::from_secs(20);
            while is_running(&file) {
                assert!(Instant::now() < end, "{name}: {} still runs", file.display());
            }
        }
    });
}
