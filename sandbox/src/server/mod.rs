//! The sandbox on the network: loopback, HTTP 1.1, one path for AWS.
//!
//! Refuses to listen anywhere but on loopback, and answers only calls that name a loopback host, so that no web
//! page can reach it under another name; whatever a call waits for, it waits outside the lock.

use crate::admin_api;
use crate::clock::Clock;
use crate::clock::Now;
use crate::config::Conduct;
use crate::dispatcher::Call;
use crate::dispatcher::Desk;
use crate::dispatcher::Reply;
use crate::error::SandboxError;
use crate::faults::barriers::WaitingRoom;
use crate::faults::connection::Cut;
use crate::faults::connection::Lines;
use crate::faults::rules::BadFaults;
use crate::faults::rules::Faults;
use crate::faults::rules::Rule;
use crate::faults::rules::When;
use crate::records::Moment;
use crate::signature::Signed;
use crate::state::Organization;
use axum::Router;
use axum::body::Body;
use axum::body::Bytes;
use axum::extract::ConnectInfo;
use axum::extract::Request;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::StatusCode;
use axum::http::header;
use axum::middleware;
use axum::middleware::Next;
use axum::response::IntoResponse;
use axum::response::Response;
use axum::routing::post;
use futures_util::StreamExt;
use futures_util::stream;
use std::future::Future;
use std::io;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use tokio::net::TcpListener;

/// What every handler needs.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) desk: Arc<Desk>,
    pub(crate) room: Arc<WaitingRoom>,
    clock: Arc<dyn Clock>,
    start: Instant,
}

impl Service {
    pub(crate) fn new(organization: Organization, conduct: &Conduct) -> Result<Service, SandboxError> {
        let desk = Desk::new(organization, conduct).map_err(SandboxError::Faults)?;
        Ok(Service {
            desk: Arc::new(desk),
            room: Arc::default(),
            clock: Arc::clone(&conduct.clock),
            start: Instant::now(),
        })
    }

    /// Puts other faults in force; calls go on that wait for a hold which is no longer among them.
    pub(crate) fn set_faults(&self, faults: Faults) -> Result<(), BadFaults> {
        let holds = faults.hold.clone();
        self.desk.set_faults(faults)?;
        self.room.keep(&holds);
        Ok(())
    }

    fn now(&self) -> Now {
        Now { since: self.start.elapsed(), at: Moment(self.clock.now()) }
    }

    /// Lets a call wait when it is to be held.
    async fn hold(&self, operation: &str, hold: Option<&Rule>) {
        if let Some(hold) = hold {
            self.room.enter(operation, hold).sit().await;
        }
    }
}

/// Serves an organization on a listener until `shutdown` ends; calls under way are still answered.
pub async fn serve(
    listener: TcpListener,
    organization: Organization,
    conduct: impl Into<Conduct>,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SandboxError> {
    let address = listener.local_addr().map_err(SandboxError::Listen)?;
    if !address.ip().is_loopback() {
        return Err(SandboxError::NotLoopback(address));
    }
    let service = Service::new(organization, &conduct.into())?;
    answer_on(listener, service, shutdown).await
}

/// Answers whatever comes in on a listener.
pub(crate) async fn answer_on(
    listener: TcpListener,
    service: Service,
    shutdown: impl Future<Output = ()> + Send + 'static,
) -> Result<(), SandboxError> {
    let router = Router::new()
        .route("/", post(call))
        .merge(admin_api::routes())
        .fallback(admin_api::nothing_here)
        .layer(middleware::from_fn(loopback_only))
        .with_state(service);
    let service = router.into_make_service_with_connect_info::<Cut>();
    axum::serve(Lines(listener), service).with_graceful_shutdown(shutdown).await.map_err(SandboxError::Serve)
}

async fn call(
    State(service): State<Service>,
    ConnectInfo(cut): ConnectInfo<Cut>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    // A target that is no text is one that nobody knows.
    let target = headers.get("x-amz-target").map(|value| value.to_str().unwrap_or_default());
    let mut call = service.desk.admit(service.now(), Call { target, body: &body, signed: Signed::read(&headers) });
    let operation = call.operation.clone();
    let course = std::mem::take(&mut call.course);
    if !course.latency.is_zero() {
        tokio::time::sleep(course.latency).await;
    }
    service.hold(&operation, course.hold_before.as_ref()).await;
    if course.reset == Some(When::Before) {
        cut.cut();
        return StatusCode::SERVICE_UNAVAILABLE.into_response();
    }
    let reply = service.desk.answer(service.now(), call);
    service.hold(&operation, course.hold_after.as_ref()).await;
    if course.reset == Some(When::After) {
        cut.cut();
    }
    response(reply, course.truncate)
}

fn response(reply: Reply, truncate: bool) -> Response {
    let Reply { status, content_type, request_id, error, body } = reply;
    let mut response = Response::builder()
        .status(status)
        .header(header::CONTENT_TYPE, content_type)
        .header("x-amzn-requestid", request_id.as_str());
    if let Some(code) = error {
        response = response.header("x-amzn-errortype", code);
    }
    let body = if truncate {
        response = response.header(header::CONTENT_LENGTH, body.len());
        broken_off(&body)
    } else {
        Body::from(body)
    };
    response.body(body).unwrap_or_else(|_| StatusCode::INTERNAL_SERVER_ERROR.into_response())
}

/// Half of a body, and then the end of the connection.
fn broken_off(body: &str) -> Body {
    let half = Bytes::copy_from_slice(&body.as_bytes()[..body.len() / 2]);
    let end = stream::once(async {
        // What was sent so far goes out first.
        tokio::task::yield_now().await;
        Err(io::Error::from(io::ErrorKind::ConnectionReset))
    });
    Body::from_stream(stream::iter([Ok(half)]).chain(end))
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
mod tests;
