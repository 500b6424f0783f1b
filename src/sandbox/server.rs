//! The sandbox on the network: loopback, HTTP 1.1, one path for AWS and three for whoever runs the sandbox.
//!
//! Neighbours: `desk.rs` answers; the command line calls [`serve`] for `sandbox serve` and [`start`] for `--sandbox`.
//! Promise: refuses to listen anywhere but on loopback, and answers only calls that name a loopback host, so that no
//! web page can reach it under another name; latency is waited outside the lock; a [`Running`] ends with its value.

use super::arrivals::Arrival;
use super::desk::Call;
use super::desk::Desk;
use super::desk::Reply;
use super::error::SandboxError;
use super::organisation::Organisation;
use super::shape::Limits;
use crate::report::Calls;
use axum::Json;
use axum::Router;
use axum::body::Bytes;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::get;
use axum::routing::post;
use std::future::Future;
use std::net::IpAddr;
use std::net::Ipv4Addr;
use std::net::SocketAddr;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use std::time::Instant;
use tokio::net::TcpListener;
use tokio::sync::oneshot;

/// What every handler needs.
#[derive(Clone)]
struct Service {
    desk: Arc<Desk>,
    latency: Duration,
    start: Instant,
}

/// Serves an organisation on a listener until `shutdown` ends; calls under way are still answered.
pub async fn serve(
    listener: TcpListener,
    organisation: Organisation,
    limits: Limits,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SandboxError> {
    let address = listener.local_addr().map_err(SandboxError::Listen)?;
    if !address.ip().is_loopback() {
        return Err(SandboxError::NotLoopback(address));
    }
    let router = router(Arc::new(Desk::new(organisation, &limits)), limits.latency);
    axum::serve(listener, router).with_graceful_shutdown(shutdown).await.map_err(SandboxError::Serve)
}

/// Starts a sandbox in this process, on a free port of 127.0.0.1 and a thread of its own.
pub fn start(organisation: Organisation, limits: Limits) -> Result<Running, SandboxError> {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(SandboxError::Listen)?;
    listener.set_nonblocking(true).map_err(SandboxError::Listen)?;
    let address = listener.local_addr().map_err(SandboxError::Listen)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(SandboxError::Start)?;
    let listener = {
        let _inside = runtime.enter();
        TcpListener::from_std(listener).map_err(SandboxError::Start)?
    };
    let desk = Arc::new(Desk::new(organisation, &limits));
    let router = router(Arc::clone(&desk), limits.latency);
    let (stop, stopped) = oneshot::channel::<()>();
    let serving = async move {
        tokio::select! {
            ended = axum::serve(listener, router) => {
                if let Err(error) = ended {
                    tracing::error!(%error, "the sandbox stopped");
                }
            }
            // Either way the owner is gone.
            _ = stopped => {}
        }
    };
    let thread = std::thread::Builder::new()
        .name("sandbox".into())
        .spawn(move || runtime.block_on(serving))
        .map_err(SandboxError::Start)?;
    Ok(Running { address, desk, stop: Some(stop), thread: Some(thread) })
}

/// A sandbox in this process; dropping it ends it.
#[derive(Debug)]
pub struct Running {
    address: SocketAddr,
    desk: Arc<Desk>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Running {
    /// `http://127.0.0.1:<port>`, for the endpoint setting of an SDK.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The calls that it has had, refused ones included.
    pub fn calls(&self) -> Calls {
        self.desk.calls()
    }

    /// When each of them came, the oldest first; the log is bounded to the latest 200,000.
    pub fn arrivals(&self) -> Vec<Arrival> {
        self.desk.arrivals().0
    }

    /// Counts calls from zero again, and forgets when they came.
    pub fn reset_calls(&self) {
        self.desk.reset_calls();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn router(desk: Arc<Desk>, latency: Duration) -> Router {
    Router::new()
        .route("/", post(call))
        .route("/_sandbox/calls", get(calls))
        .route("/_sandbox/reset-calls", post(reset_calls))
        .route("/_sandbox/organisation", get(counts))
        .fallback(nothing_here)
        .layer(middleware::from_fn(loopback_only))
        .with_state(Service { desk, latency, start: Instant::now() })
}

async fn call(State(service): State<Service>, headers: HeaderMap, body: Bytes) -> Response {
    if !service.latency.is_zero() {
        tokio::time::sleep(service.latency).await;
    }
    // A target that is no text is one that nobody knows.
    let target = headers.get("x-amz-target").map(|value| value.to_str().unwrap_or_default());
    let reply = service.desk.answer(service.start.elapsed(), Call { target, body: &body });
    let Reply { status, content_type, request_id, error, body } = reply;
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let headers = [(header::CONTENT_TYPE.as_str(), content_type), ("x-amzn-requestid", request_id.as_str())];
    let error = error.map(|code| [("x-amzn-errortype", code)]);
    match error {
        Some(error) => (status, headers, error, body).into_response(),
        None => (status, headers, body).into_response(),
    }
}

async fn calls(State(service): State<Service>) -> Response {
    Json(service.desk.calls()).into_response()
}

async fn reset_calls(State(service): State<Service>) -> Response {
    service.desk.reset_calls();
    Json(service.desk.calls()).into_response()
}

async fn counts(State(service): State<Service>) -> Response {
    Json(service.desk.counts()).into_response()
}

async fn nothing_here() -> Response {
    let text = "AWS calls are POST /; the sandbox's own are GET /_sandbox/calls, POST /_sandbox/reset-calls and GET \
                /_sandbox/organisation\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

async fn loopback_only(request: Request, next: Next) -> Response {
    let host = request.headers().get(header::HOST).and_then(|host| host.to_str().ok());
    if host.is_some_and(is_loopback) {
        next.run(request).await
    } else {
        (StatusCode::FORBIDDEN, "the sandbox answers only to 127.0.0.1, [::1] and localhost\n").into_response()
    }
}

/// Whether a Host header, with or without a port, names this machine.
fn is_loopback(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split_once(']').map_or(rest, |(name, _)| name),
        None => host.split_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sandbox::shape::Shape;
    use std::io::Read;
    use std::io::Write;
    use std::net::TcpStream;

    const NO_LIMITS: Limits = Limits { tps: 0.0, latency: Duration::ZERO };

    fn small() -> Organisation {
        Organisation::generate(&Shape { users: 3, groups: 2, accounts: 2, permission_sets: 1, ..Shape::default() })
    }

    fn exchange(running: &Running, request: &str) -> String {
        let mut stream = TcpStream::connect(running.address).expect("the sandbox listens");
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
        assert_eq!(running.calls(), Calls::default());
        let answer = exchange(&running, &get.replace("calls", "organisation"));
        assert!(answer.contains("\"users\":3"), "{answer}");
        assert!(exchange(&running, &get.replace("calls", "else")).starts_with("HTTP/1.1 404 "));
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
            let answer = exchange(
                &running,
                &format!("GET /_sandbox/calls HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"),
            );
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host}: {answer}");
        }
    }

    #[test]
    fn a_dropped_sandbox_is_gone_even_while_a_connection_is_open() {
        let running = start(small(), NO_LIMITS).expect("a free port");
        let address = running.address;
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
}
