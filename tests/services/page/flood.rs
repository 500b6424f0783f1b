//! Clients that are slow, silent or large: the daemon answers others meanwhile, and disconnects them.

use super::site::{Daemon, Site};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

const HEALTH: &str = "name = \"health\"\nkind = \"health-check\"\nevery = \"1h\"\n";
/// The time after which the daemon closes a slow head: an answer that comes before it waited for none of them.
const HEAD_TIME: Duration = Duration::from_secs(10);

fn daemon(site: &Site) -> Daemon {
    let mut daemon = site.daemon("");
    daemon.says("health: done");
    daemon
}

/// Connections that send one byte of their head every 100 ms, and connect again when they are closed.
fn drip(
    daemon: &Daemon,
    count: usize,
    stop: &Arc<AtomicBool>,
    open: &Arc<AtomicUsize>,
) -> Vec<std::thread::JoinHandle<()>> {
    let address = daemon.address;
    let one = move |stop: Arc<AtomicBool>, open: Arc<AtomicUsize>| {
        while !stop.load(Ordering::Relaxed) {
            let Ok(mut stream) = TcpStream::connect(address) else { continue };
            open.fetch_add(1, Ordering::Relaxed);
            for byte in b"GET / HTTP/1.1\r\nHost: localhost\r\nX: ".iter().chain(std::iter::repeat(&b'x')) {
                if stop.load(Ordering::Relaxed) || stream.write_all(&[*byte]).is_err() {
                    break;
                }
                std::thread::sleep(Duration::from_millis(100));
            }
        }
    };
    (0..count)
        .map(|_| {
            let (stop, open) = (stop.clone(), open.clone());
            std::thread::spawn(move || one(stop, open))
        })
        .collect()
}

#[test]
fn dripping_clients_keep_nobody_from_an_answer() {
    let site = Site::new(&[("20-health.toml", HEALTH)]);
    let daemon = daemon(&site);
    let (stop, open) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let threads = drip(&daemon, 64, &stop, &open);
    while open.load(Ordering::Relaxed) < 64 {
        std::thread::yield_now();
    }
    for path in ["/readyz", "/metrics", "/healthz", "/readyz"] {
        let begun = Instant::now();
        let body = daemon.body(path);
        assert!(!body.is_empty() && begun.elapsed() < HEAD_TIME, "{path} took {:?}", begun.elapsed());
    }
    stop.store(true, Ordering::Relaxed);
    for thread in threads {
        thread.join().unwrap();
    }
}

/// Whether the daemon closes a connection within this time, and what it sent before.
fn closed(stream: &mut TcpStream, within: Duration) -> Option<String> {
    stream.set_read_timeout(Some(within)).unwrap();
    let (mut all, mut part) = (Vec::new(), [0; 4096]);
    loop {
        match stream.read(&mut part) {
            Ok(0) => return Some(String::from_utf8_lossy(&all).into_owned()),
            Ok(length) => all.extend_from_slice(&part[..length]),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => return None,
            Err(_) => return Some(String::from_utf8_lossy(&all).into_owned()),
        }
    }
}

#[test]
fn silent_slow_or_large_heads_and_idle_connections_are_closed() {
    let site = Site::new(&[("20-health.toml", HEALTH)]);
    let daemon = daemon(&site);
    let begin = |bytes: &[u8]| {
        let mut stream = TcpStream::connect(daemon.address).unwrap();
        // A head that is too large may be refused before it was sent whole.
        let _ = stream.write_all(bytes);
        stream
    };
    let begun = Instant::now();
    let mut silent = begin(b"");
    let mut half = begin(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n");
    let mut idle = begin(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let large = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "x".repeat(100_000));
    let many = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{}\r\n", "X: y\r\n".repeat(1_000));
    let limit = Duration::from_secs(30);
    for bytes in [large, many] {
        let answer = closed(&mut begin(bytes.as_bytes()), limit).expect("a large head is refused");
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 431 "), "{answer}");
    }
    for body in
        ["Content-Length: 5\r\n\r\nhello", "Content-Length: 99999999999\r\n\r\n", "Transfer-Encoding: chunked\r\n\r\n"]
    {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{body}");
        let answer = closed(&mut begin(request.as_bytes()), limit).expect("a body is refused");
        assert!(answer.starts_with("HTTP/1.1 413 "), "{answer}");
    }
    for stream in [&mut silent, &mut half, &mut idle] {
        assert!(closed(stream, limit).is_some(), "not closed after {:?}", begun.elapsed());
    }
}
