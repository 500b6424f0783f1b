//! Tests of server, admin API and handle over a socket.

use super::*;
use crate::call_log::CallCounts;
use crate::config::Limits;
use crate::config::Shape;
use crate::handle::Running;
use crate::handle::start;
use serde_json::Value;
use serde_json::json;
use std::io::Read;
use std::io::Write;
use std::net::SocketAddr;
use std::net::TcpStream;
use std::time::Duration;
use std::time::Instant;

const NO_LIMITS: Limits = Limits { tps: 0.0, latency: Duration::ZERO };

fn small() -> Organization {
    Organization::generate(&Shape { users: 3, groups: 2, accounts: 2, permission_sets: 1, ..Shape::default() })
}

fn address(running: &Running) -> SocketAddr {
    running.url().trim_start_matches("http://").parse().expect("an address")
}

fn exchange(running: &Running, request: &str) -> String {
    let mut stream = TcpStream::connect(address(running)).expect("the sandbox listens");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("answered");
    answer
}

#[test]
fn a_call_over_a_socket_is_answered_in_aws_s_form_and_counted() {
    let running = start(small(), NO_LIMITS).expect("a free port");
    let request = "POST / HTTP/1.1\r\nHost: localhost:1\r\nX-Amz-Target: SWBExternalService.ListInstances\r\n\
                   Content-Type: application/x-amz-json-1.1\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}";
    let answer = exchange(&running, request);
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    assert!(answer.contains("content-type: application/x-amz-json-1.1\r\n"), "{answer}");
    assert!(answer.contains("x-amzn-requestid: "), "{answer}");
    assert!(answer.contains(small().instance_arn()), "{answer}");
    let answer = exchange(&running, &request.replace("ListInstances", "Nonsense"));
    assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
    assert!(answer.contains("x-amzn-errortype: UnknownOperationException\r\n"), "{answer}");
    assert_eq!(running.calls().by_operation["SWBExternalService.ListInstances"], 1);
    let get = "GET /_sandbox/calls HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n";
    let answer = exchange(&running, get);
    let counted = "{\"total\":1,\"throttled\":0,\"by_operation\":{\"SWBExternalService.ListInstances\":1}}";
    assert!(answer.ends_with(counted), "{answer}");
    let reset =
        "POST /_sandbox/reset-calls HTTP/1.1\r\nHost: [::1]:5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    assert!(exchange(&running, reset).contains("\"total\":0"));
    assert_eq!(running.calls(), CallCounts::default());
    let answer = exchange(&running, &get.replace("calls", "organization"));
    assert!(answer.contains("\"users\":3"), "{answer}");
    assert!(exchange(&running, &get.replace("calls", "else")).starts_with("HTTP/1.1 404 "));
}

fn own(running: &Running, method: &str, path: &str, body: &str) -> (u16, Value) {
    let length = body.len();
    let head = format!("{method} /_sandbox/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n");
    let answer = exchange(running, &format!("{head}Content-Length: {length}\r\n\r\n{body}"));
    let status = answer.split(' ').nth(1).and_then(|word| word.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").expect("a body").1;
    (status, serde_json::from_str(body).expect("JSON"))
}

#[test]
fn faults_are_set_shown_and_ended_by_their_path_and_what_is_none_is_refused_by_name() {
    let running = start(small(), NO_LIMITS).expect("a free port");
    let (status, shown) = own(&running, "POST", "faults", "{\"access_denied_accounts\": [\"111111111111\"]}");
    assert_eq!((status, &shown["faults"]["access_denied_accounts"]), (200, &json!(["111111111111"])));
    assert_eq!(own(&running, "GET", "faults", ""), (200, shown));
    let (status, error) = own(&running, "POST", "faults", "{\"denied_accounts\": []}");
    let words = error["error"].as_str().expect("words");
    assert!(status == 400 && words.contains("unknown field `denied_accounts`"), "{words}");
    assert!(words.contains("`access_denied_accounts`") && words.contains("`hold`"), "{words}");
    assert_eq!(running.faults().access_denied_accounts, ["111111111111"], "what is refused changes nothing");
    assert_eq!(own(&running, "POST", "faults", "{}").0, 200);
    assert_eq!(running.faults(), Faults::default());
    assert_eq!(running.calls(), CallCounts::default(), "none of these is a call");
}

#[test]
fn held_calls_are_shown_and_released_by_their_path() {
    let running = start(small(), NO_LIMITS).expect("a free port");
    own(&running, "POST", "faults", "{\"hold\": [{\"operation\": \"ListInstances\", \"nth\": 1}]}");
    let call = "POST / HTTP/1.1\r\nHost: localhost\r\nX-Amz-Target: SWBExternalService.ListInstances\r\n\
                Content-Length: 2\r\nConnection: close\r\n\r\n{}";
    let address = address(&running);
    let caller = std::thread::spawn(move || {
        let mut stream = TcpStream::connect(address).expect("the sandbox listens");
        stream.write_all(call.as_bytes()).expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("answered");
        answer
    });
    assert!(running.wait_for_held(1, Duration::from_secs(60)));
    let waiting = json!([{"operation": "SWBExternalService.ListInstances", "when": "before"}]);
    assert_eq!(own(&running, "GET", "faults", "").1["waiting"], waiting);
    let (_, other) = own(&running, "POST", "release", "{\"operation\": \"ListUsers\"}");
    assert_eq!(other, json!({"released": 0, "waiting": waiting}));
    assert_eq!(own(&running, "POST", "release", "{\"operations\": \"*\"}").0, 400);
    assert_eq!(own(&running, "POST", "release", "{\"operation\": \"Nothing\"}").0, 400);
    assert_eq!(own(&running, "POST", "release", "").1, json!({"released": 1, "waiting": []}));
    assert!(caller.join().expect("ran").starts_with("HTTP/1.1 200 "));
    let (_, arrivals) = own(&running, "GET", "arrivals", "");
    let one = &arrivals["arrivals"][0];
    assert_eq!((&one["operation"], &one["throttled"]), (&json!("SWBExternalService.ListInstances"), &json!(false)));
    assert!(one["at_us"].is_u64() && arrivals["forgotten"] == 0);
}

#[test]
fn every_call_to_aws_takes_the_latency_asked_for() {
    let latency = Duration::from_millis(40);
    let running = start(small(), Limits { tps: 0.0, latency }).expect("a free port");
    let begin = Instant::now();
    exchange(&running, "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    assert!(begin.elapsed() >= latency);
}

#[test]
fn another_host_s_name_is_refused() {
    let running = start(small(), NO_LIMITS).expect("a free port");
    for host in ["evil.example", "127.0.0.1.evil.example", "10.0.0.1:80", "localhost.evil:1"] {
        let answer =
            exchange(&running, &format!("GET /_sandbox/calls HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"));
        assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
    }
}

#[test]
fn a_dropped_sandbox_is_gone_even_while_a_connection_is_open() {
    let running = start(small(), NO_LIMITS).expect("a free port");
    let address = address(&running);
    let mut open = TcpStream::connect(address).expect("the sandbox listens");
    open.write_all(b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Le").expect("sent");
    drop(running);
    assert!(TcpStream::connect(address).is_err());
}

#[tokio::test]
async fn only_loopback_is_served_and_shutdown_ends_it() {
    let open = TcpListener::bind("0.0.0.0:0").await.expect("a port");
    let refused = serve(open, small(), NO_LIMITS, std::future::pending()).await;
    assert!(matches!(refused, Err(SandboxError::NotLoopback(_))), "{refused:?}");
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    serve(listener, small(), NO_LIMITS, std::future::ready(())).await.expect("ends when told");
}
