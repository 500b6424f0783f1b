//! A hostile service that issues credentials.

use super::server::{Act, Server};
use super::{OPERATION_TIMEOUT, each, measure};
use crate::home::Home;

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
