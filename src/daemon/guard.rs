//! Who may ask, how, and how many at once.
//!
//! Neighbours: `http.rs` puts it in front of everything. Promise: only GET and HEAD pass; only a Host that means this host
//! passes, so a foreign web page whose name was pointed here reads nothing; connections are few and idle ones end, so that
//! nobody takes from the jobs the files they need.

use super::standing::Place;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::serve::Listener;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep, sleep};

/// Connections at once; more wait to be accepted.
const CONNECTIONS: usize = 64;
/// A connection on which nothing is asked for so long ends.
const IDLE: Duration = Duration::from_secs(90);

/// Lets through what may pass and puts the headers on every answer.
pub(super) async fn guard(State(place): State<Arc<Place>>, request: Request, next: Next) -> Response {
    let mut answer = if !is_for_us(&place, &request) {
        let text = "asked under a name that is not ours: use the address, or add the name to `daemon.hosts`\n";
        (StatusCode::FORBIDDEN, text).into_response()
    } else if matches!(*request.method(), Method::GET | Method::HEAD) {
        next.run(request).await
    } else {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "nothing can be changed here\n")
            .into_response()
    };
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::CACHE_CONTROL, "no-store"),
    ] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let closed = HeaderValue::from_static("default-src 'none'; frame-ancestors 'none'");
    answer.headers_mut().entry(header::CONTENT_SECURITY_POLICY).or_insert(closed);
    answer
}

/// One Host that means this host, and no other one in the request line.
fn is_for_us(place: &Place, request: &Request) -> bool {
    let Some(host) = only_host(request.headers()) else { return false };
    means_us(place, host) && request.uri().authority().is_none_or(|named| means_us(place, named.as_str()))
}

fn only_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

/// An address cannot be pointed elsewhere, so no foreign page is served under one; a name can.
fn means_us(place: &Place, host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    if name.eq_ignore_ascii_case("localhost") || place.hosts.iter().any(|known| known.eq_ignore_ascii_case(name)) {
        return true;
    }
    let address: Option<IpAddr> = name.parse().ok();
    address.is_some_and(|address| address.is_loopback() || address == place.address.ip() || place.remote)
}

/// A listener with a bounded number of connections.
pub(super) struct Narrow {
    listener: TcpListener,
    room: Arc<Semaphore>,
}

impl Narrow {
    pub(super) fn new(listener: TcpListener) -> Narrow {
        Narrow { listener, room: Arc::new(Semaphore::new(CONNECTIONS)) }
    }
}

impl Listener for Narrow {
    type Io = Guest;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Guest, SocketAddr) {
        let room = self.room.clone().acquire_owned().await.expect("the semaphore is never closed");
        let (stream, from) = Listener::accept(&mut self.listener).await;
        (Guest { stream, idle: Box::pin(sleep(IDLE)), _room: room }, from)
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }
}

/// One connection.
pub(super) struct Guest {
    stream: TcpStream,
    idle: Pin<Box<Sleep>>,
    _room: OwnedSemaphorePermit,
}

impl AsyncRead for Guest {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, into);
        if read.is_ready() {
            self.idle.as_mut().reset(Instant::now() + IDLE);
            return read;
        }
        // A connection that says nothing is closed, and its place is free.
        self.idle.as_mut().poll(context).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncWrite for Guest {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str, remote: bool) -> Place {
        Place { address: address.parse().unwrap(), remote, hosts: vec!["monitor.example".into()] }
    }

    #[test]
    fn a_host_is_ours_when_it_is_an_address_of_ours_or_a_name_that_was_given() {
        let here = place("127.0.0.1:9464", false);
        for host in ["127.0.0.1", "127.0.0.1:9464", "[::1]:9464", "LOCALHOST:1", "monitor.example:9464", "127.8.8.8"] {
            assert!(means_us(&here, host), "{host}");
        }
        for host in
            ["", "evil.example", "localhost.evil", "127.0.0.1.evil", "10.0.0.1:9464", "[", "0x7f.1", "a@localhost"]
        {
            assert!(!means_us(&here, host), "{host}");
        }
        let open = place("10.0.0.1:9464", true);
        assert!(means_us(&open, "10.9.9.9:9464") && !means_us(&open, "evil.example"));
    }

    #[test]
    fn two_hosts_are_none() {
        let mut headers = HeaderMap::new();
        assert_eq!(only_host(&headers), None);
        headers.append(header::HOST, HeaderValue::from_static("localhost"));
        assert_eq!(only_host(&headers), Some("localhost"));
        headers.append(header::HOST, HeaderValue::from_static("evil.example"));
        assert_eq!(only_host(&headers), None);
    }
}
