//! Decides which requests are answered: reads that name this host, without a body.
//!
//! Guarantee: a web page whose name points at this host (DNS rebinding) gets 403, because its name is not in the
//! list.

use crate::daemon::connections::Local;
use crate::daemon::status::ListenPlace;
use axum::body::HttpBody;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// Answers a permitted request, and sets the security headers on every answer.
pub(super) async fn guard(State(place): State<Arc<ListenPlace>>, request: Request, next: Next) -> Response {
    let mut answer = if !names_this_host(&place, &request) {
        let text = "the Host header does not name this daemon: use its address, or add the name to `daemon.hosts`\n";
        (StatusCode::FORBIDDEN, text).into_response()
    } else if !matches!(*request.method(), Method::GET | Method::HEAD) {
        (StatusCode::METHOD_NOT_ALLOWED, [(header::ALLOW, "GET, HEAD")], "this server is read-only\n").into_response()
    } else if !request.body().is_end_stream() {
        (StatusCode::PAYLOAD_TOO_LARGE, [(header::CONNECTION, "close")], "requests must not have a body\n")
            .into_response()
    } else {
        next.run(request).await
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

/// Whether the one Host header, and the authority of the request line if there is one, name this daemon.
fn names_this_host(place: &ListenPlace, request: &Request) -> bool {
    let Some(host) = only_host(request.headers()) else { return false };
    let Some(Local(local)) = request.extensions().get() else { return false };
    let is_allowed_host = |host: &str| is_allowed_host(place, *local, host);
    is_allowed_host(host) && request.uri().authority().is_none_or(|named| is_allowed_host(named.as_str()))
}

fn only_host(headers: &HeaderMap) -> Option<&str> {
    let mut hosts = headers.get_all(header::HOST).iter();
    let host = hosts.next()?.to_str().ok()?;
    hosts.next().is_none().then_some(host)
}

/// Whether `host` is exactly `localhost`, a loopback address, the address at which the connection arrived, or a configured
/// name; with the port of the daemon, or without one. A configured `name:port` is matched as a whole.
fn is_allowed_host(place: &ListenPlace, local: SocketAddr, host: &str) -> bool {
    if place.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)) {
        return true;
    }
    let Some((name, port)) = split(host) else { return false };
    if port.is_some_and(|port| port != local.port().to_string()) {
        return false;
    }
    if let Some(name) = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
        return name.parse().is_ok_and(|address| is_own(place, local, IpAddr::V6(address)));
    }
    name.eq_ignore_ascii_case("localhost")
        || place.hosts.iter().any(|known| known.eq_ignore_ascii_case(name))
        || name.parse().is_ok_and(|address| is_own(place, local, IpAddr::V4(address)))
}

fn is_own(place: &ListenPlace, local: SocketAddr, named: IpAddr) -> bool {
    // An IPv4 client of an IPv6 socket has a mapped address.
    let named = named.to_canonical();
    let loopback = [IpAddr::from([127, 0, 0, 1]), IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)];
    loopback.contains(&named)
        || (!named.is_unspecified() && [place.address.ip(), local.ip()].iter().any(|own| own.to_canonical() == named))
}

/// Name and port of a Host header; an IPv6 address keeps its brackets.
fn split(host: &str) -> Option<(&str, Option<&str>)> {
    let end_of_name = if host.starts_with('[') { host.find(']')? + 1 } else { host.find(':').unwrap_or(host.len()) };
    let (name, rest) = host.split_at(end_of_name);
    match rest.strip_prefix(':') {
        Some(port) => Some((name, Some(port))),
        None => rest.is_empty().then_some((name, None)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(address: &str) -> (ListenPlace, SocketAddr) {
        let hosts = vec!["monitor.example".into(), "proxy.example:8443".into()];
        let address: SocketAddr = address.parse().unwrap();
        (ListenPlace { address, remote: !address.ip().is_loopback(), hosts }, address)
    }

    #[test]
    fn only_exact_hosts_name_this_daemon() {
        let (here, local) = place("127.0.0.1:9464");
        for host in [
            "127.0.0.1",
            "127.0.0.1:9464",
            "[::1]",
            "[::1]:9464",
            "LOCALHOST:9464",
            "localhost",
            "monitor.example:9464",
            "Monitor.Example",
            "proxy.example:8443",
        ] {
            assert!(is_allowed_host(&here, local, host), "{host}");
        }
        for host in [
            "",
            "evil.example",
            "localhost.evil",
            "evil.localhost",
            "localhost.",
            "notlocalhost",
            "127.0.0.1.evil",
            "127.0.0.1.",
            "127.0.0.2",
            "127.1",
            "2130706433",
            "0.0.0.0",
            "0.0.0.0:9464",
            "[::]",
            "10.0.0.1:9464",
            "[",
            "[]",
            "[::1",
            "[::1]x",
            "[::1]evil.example",
            "[localhost]",
            "::1",
            "0x7f.1",
            "a@localhost",
            "localhost@evil.example",
            "localhost:9465",
            "localhost:",
            "localhost:9464:9464",
            "localhost:+9464",
            "localhost:09464",
            "localhost:9464.evil.example",
            "monitor.example.evil",
            "x.monitor.example",
            "monitor.example:1",
            "proxy.example",
            "proxy.example:9464",
            " localhost",
            "localhost ",
        ] {
            assert!(!is_allowed_host(&here, local, host), "{host}");
        }
    }

    #[test]
    fn a_daemon_on_every_address_answers_to_the_one_that_was_reached() {
        let (open, _) = place("0.0.0.0:9464");
        let reached = "10.0.0.1:9464".parse().unwrap();
        assert!(is_allowed_host(&open, reached, "10.0.0.1:9464") && is_allowed_host(&open, reached, "10.0.0.1"));
        assert!(!is_allowed_host(&open, reached, "10.9.9.9:9464") && !is_allowed_host(&open, reached, "evil.example"));
        let mapped = "[::ffff:10.0.0.1]:9464".parse().unwrap();
        assert!(is_allowed_host(&place("[::]:9464").0, mapped, "10.0.0.1:9464"));
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
