//! For tests: a local HTTP server that answers AWS calls with given answers, so that the real SDK is tested.
//!
//! One thread, plain sockets, and every request recorded.

use serde_json::Value;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What the server does with a request.
pub(super) enum CannedResponse {
    /// A status, further header lines, a body.
    Whole(u16, &'static str, String),
    /// A success whose body breaks off.
    Truncated,
    /// Nothing, until the client gives up.
    Silence,
    /// The connection is closed immediately.
    HangUp,
}

impl CannedResponse {
    pub(super) fn json(status: u16, body: &Value) -> Self {
        CannedResponse::Whole(status, "", body.to_string())
    }
}

/// A request as it came in.
pub(super) struct ReceivedRequest {
    /// `AWSIdentityStore.ListUsers`; empty for a query-protocol call.
    pub(super) operation: String,
    pub(super) body: String,
    /// The region that the request is signed for.
    pub(super) region: String,
}

pub(super) struct TestServer {
    pub(super) url: String,
    pub(super) asked: Arc<Mutex<Vec<ReceivedRequest>>>,
}

impl TestServer {
    pub(super) fn answering(answer: impl Fn(&str) -> CannedResponse + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked: Arc<Mutex<Vec<ReceivedRequest>>> = Arc::default();
        let log = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let Some(request) = read(&stream) else { continue };
                let answer = answer(&request.operation);
                log.lock().unwrap().push(request);
                // A client that has disconnected is not an error of the server.
                let _ = reply(stream, &answer);
            }
        });
        Self { url, asked }
    }
}

fn read(stream: &TcpStream) -> Option<ReceivedRequest> {
    let mut reader = BufReader::new(stream);
    let (mut operation, mut region, mut length) = (String::new(), String::new(), 0);
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        let Some((name, value)) = line.trim_end().split_once(':') else {
            if line.trim_end().is_empty() {
                break;
            }
            continue;
        };
        match name.to_ascii_lowercase().as_str() {
            "x-amz-target" => value.trim().clone_into(&mut operation),
            "authorization" => value.split('/').nth(2).unwrap_or_default().clone_into(&mut region),
            "content-length" => length = value.trim().parse().ok()?,
            _ => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    Some(ReceivedRequest { operation, body: String::from_utf8(body).ok()?, region })
}

fn reply(mut stream: TcpStream, answer: &CannedResponse) -> std::io::Result<()> {
    match answer {
        CannedResponse::Whole(status, headers, body) => write!(
            stream,
            "HTTP/1.1 {status} Status\r\nx-amzn-requestid: req-1\r\n{headers}content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        ),
        CannedResponse::Truncated => write!(stream, "HTTP/1.1 200 OK\r\ncontent-length: 1000\r\n\r\n{{\"Users\": ["),
        CannedResponse::Silence => {
            stream.set_read_timeout(Some(Duration::from_secs(30)))?;
            stream.read(&mut [0; 1]).map(|_| ())
        }
        CannedResponse::HangUp => Ok(()),
    }
}
