//! A web server that misbehaves behind the webhook.

use super::hostile::{Mode, alarmed, delivered, holds, kept};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

const PATH: &str = "/services/T0S3CRET/b0x?key=s3cr3tkey";
const LATE: &str = "did not answer within 2s";

const MODES: &[Mode] = &[
    delivered("HTTP/1.1 204 No Content\r\n\r\n"),
    delivered("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"),
    delivered("HTTP/1.1 202 Accepted\r\nTransfer-Encoding: chunked\r\n\r\nnot chunked at all"),
    delivered("HTTP/1.1 200 OK\r\n\r\n{endless}"),
    delivered("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
    kept("{silent}", LATE),
    kept("{drip}", LATE),
    kept("{continue}", LATE),
    kept("{headers}", "cannot be reached"),
    kept("{close}", "cannot be reached"),
    kept("{reset}", "cannot be reached"),
    kept("220 localhost ESMTP\r\n", "cannot be reached"),
    kept("HTTP/1.1 99999 x\r\n\r\n", "cannot be reached"),
    kept("HTTP/1.1 500 no\r\n\r\n{endless}", "answered 500: xxx"),
    kept("HTTP/1.1 503 no\r\nContent-Length: 9\r\n\r\n{silent}", "answered 503"),
    kept("HTTP/1.1 404 no\r\n\r\n{echo}", "answered 404: no hook at ***"),
    kept(
        "HTTP/1.1 302 Found\r\nLocation: {self}\r\nContent-Length: 0\r\n\r\n",
        "answered 302: redirects are not followed",
    ),
    kept("HTTP/1.1 307 T\r\nLocation: {self}\r\n\r\n{echo}", "answered 307: redirects are not followed"),
    kept("HTTP/1.1 500 no\r\n\r\n\u{1b}[31mred\u{7} \u{202e}turned", "answered 500: [31mred"),
];

/// Answers every connection in one way; gives the port and the number of requests.
fn server(mode: &'static str) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let requests = Arc::new(AtomicUsize::new(0));
    let counter = requests.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            counter.fetch_add(1, Ordering::Relaxed);
            std::thread::spawn(move || answer(stream, mode, port));
        }
    });
    (port, requests)
}

/// Errors of the socket mean that the client has gone, which ends the thread.
fn answer(mut stream: TcpStream, mode: &str, port: u16) -> Option<()> {
    let mut request = Vec::new();
    let mut part = [0; 4096];
    while !request.ends_with(b"}") {
        let length = stream.read(&mut part).ok().filter(|length| *length > 0)?;
        request.extend_from_slice(&part[..length]);
    }
    let forever = |stream: &mut TcpStream, bytes: &[u8], pause: u64| -> Option<()> {
        loop {
            stream.write_all(bytes).ok()?;
            std::thread::sleep(Duration::from_millis(pause));
        }
    };
    let head = mode.split('{').next().unwrap_or_default();
    stream.write_all(head.as_bytes()).ok()?;
    match mode.strip_prefix(head)? {
        "{silent}" => std::thread::sleep(Duration::from_secs(30)),
        "{drip}" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nX: ").ok()?;
            forever(&mut stream, b"x", 50)?;
        }
        "{continue}" => forever(&mut stream, b"HTTP/1.1 100 Continue\r\n\r\n", 20)?,
        "{headers}" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\n").ok()?;
            forever(&mut stream, &b"X: yyyyyyyyyyyyyyyyyyyyyyyyyy\r\n".repeat(1_000), 0)?;
        }
        "{endless}" => forever(&mut stream, &[b'x'; 8_192], 0)?,
        "{echo}" => {
            let text = format!("no hook at {PATH} ({}), key S3CR3TKEY", PATH.replace('/', "\\/"));
            stream.write_all(text.as_bytes()).ok()?;
        }
        "{reset}" => {
            // Closing with bytes unread resets the connection; these were all read, so it only closes.
            drop(stream);
        }
        rest if rest.starts_with("{self}") => {
            let rest = rest.replacen("{self}", &format!("http://127.0.0.1:{port}/other"), 1).replace("{echo}", PATH);
            stream.write_all(rest.as_bytes()).ok()?;
        }
        _ => {}
    }
    Some(())
}

#[test]
fn a_misbehaving_web_server_gets_the_document_once_or_it_is_kept() {
    for mode in MODES {
        let (port, requests) = server(mode.name);
        let mut desk = alarmed();
        desk.configure("[alerts.webhook]\nenabled = true\ntimeout = \"2s\"\n");
        desk.set("AWSIDEMAN_ALERTS_WEBHOOK_URL", &format!("http://127.0.0.1:{port}{PATH}"));
        holds(&desk, mode, &["T0S3CRET", "s3cr3tkey", "S3CR3TKEY", "b0x"]);
        assert_eq!(requests.load(Ordering::Relaxed), 1, "{}: a redirect was followed, or it was sent twice", mode.name);
    }
}
